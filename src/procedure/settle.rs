//! Does what is done at once, until each lane waits for an event.

use super::due::{Due, NextCommand};
use super::{LISTS, Procedure, RecordedOutput, STEPS, WATCH, outcome_of, pods, table};
use crate::events::{Scope, Sighting};
use crate::interpret::{self, CommandOutput};
use crate::runbook::StepId;
use crate::verdict;

impl Procedure {
    /// Leaves only the commands under way, and the last events.
    pub(super) fn fail(&mut self) {
        self.over.get_or_insert(self.seq);
        for lane in &mut self.lanes {
            lane.due.retain(|due| matches!(due, Due::Ends { .. }));
        }
        if self.closing && self.state().ended.is_none() {
            let last = table::last(&self.state, self.scope() == Scope::Whole, self.interrupts());
            self.lanes[STEPS].due.extend(last);
        }
    }

    /// Does what is done at once, until each lane waits for an event.
    pub(super) fn settle(&mut self, kept: &dyn RecordedOutput) {
        loop {
            let before = self.over.is_some();
            while (0..self.lanes.len()).any(|lane| self.does_at_once(lane, kept)) {}
            self.halt();
            if self.over.is_some() && !self.closing && self.is_done() {
                self.closing = true;
                let closing = table::closing(self);
                self.lanes[STEPS].due.extend(closing);
            } else if before == self.over.is_some() {
                return;
            }
        }
    }

    /// Ends the procedure where nothing is under way and a signal came or a sighting stops it, and leaves out
    /// watches and lists that have not begun.
    fn halt(&mut self) {
        let halts = self.signal.is_some() || self.stopped.is_some();
        if halts && self.over.is_none() && self.lanes[STEPS].due.front().is_some_and(Due::is_not_begun) {
            self.end_procedure();
        }
        if self.over.is_some() {
            for lane in [WATCH, LISTS] {
                self.lanes[lane].due.retain(|due| !is_watching_again(due));
            }
        }
    }

    fn end_procedure(&mut self) {
        self.lanes[STEPS].due.clear();
        self.over.get_or_insert(self.seq);
    }

    /// Does the first of a lane, if it is done at once; returns whether it was.
    fn does_at_once(&mut self, lane: usize, kept: &dyn RecordedOutput) -> bool {
        match self.lanes[lane].due.front() {
            Some(
                Due::Judge
                | Due::Facts
                | Due::Conclude(_)
                | Due::Then { .. }
                | Due::StepBegins
                | Due::Watch
                | Due::Over,
            ) => {}
            Some(Due::Starts { left, begun }) if left.is_empty() && begun.is_empty() => {}
            _ => return false,
        }
        let Some(first) = self.lanes[lane].due.pop_front() else { return false };
        let then = match first {
            Due::Judge if self.closing || !self.is_judged_over() => Ok(Vec::new()),
            Due::Judge | Due::Over => {
                self.end_procedure();
                Ok(Vec::new())
            }
            Due::Facts => self.facts(lane, kept),
            Due::Conclude(sighting) => self.conclusion(lane, sighting, kept),
            Due::Then { decide, .. } => decide(self, kept),
            Due::StepBegins => {
                self.step_began = self.now;
                Ok(Vec::new())
            }
            Due::Watch => {
                self.watch_began = Some(self.now);
                self.lanes[WATCH].due.push_back(Due::run(StepId::WatchPods));
                let list =
                    NextCommand::of(StepId::ListPods).not_before(self.now.after_millis(pods::LISTING_MS));
                self.lanes[LISTS].due.push_back(Due::starts([list]));
                Ok(Vec::new())
            }
            _ => Ok(Vec::new()),
        };
        self.lanes[lane].put_first(then.unwrap_or_else(|why| vec![Due::Fails(why)]));
        true
    }

    /// Returns whether the record ends the run: a guard refuses, a stop rule fired, or a command that decides
    /// gave no answer.
    fn is_judged_over(&mut self) -> bool {
        if self.signal.is_some() || self.stopped.is_some() {
            return true;
        }
        if !std::mem::take(&mut self.judge_again) {
            return false;
        }
        let judgement = verdict::judge(&self.state);
        !judgement.findings.is_empty()
            || judgement.stop.is_some()
            || verdict::undecided_command(&self.state).is_some()
    }

    /// Returns the events that follow from the output of the commands that ended last.
    fn facts(&self, lane: usize, kept: &dyn RecordedOutput) -> Result<Vec<Due>, String> {
        let mut due = Vec::new();
        for n in &self.lanes[lane].ended {
            let outcome = outcome_of(&self.state, *n)?;
            if outcome.id == StepId::Context {
                due.extend(outcome.succeeded().then_some(Due::Context));
                continue;
            }
            let read = |range| kept.read(range).map_err(|error| error.to_string());
            let stdout = read(interpret::needed_stdout(outcome))?;
            let stderr = read(outcome.stderr.as_ref())?;
            let output = CommandOutput { outcome, stdout: &stdout, stderr: &stderr };
            let events = interpret::events(&self.state, &output).map_err(|error| error.to_string())?;
            due.extend(events.into_iter().map(Due::event));
        }
        Ok(due)
    }

    fn conclusion(
        &self,
        lane: usize,
        sighting: Sighting,
        kept: &dyn RecordedOutput,
    ) -> Result<Vec<Due>, String> {
        let read = self.lanes[lane].ended.first().copied().unwrap_or_default();
        pods::conclude(self, read, sighting, kept).map(|conclusion| vec![Due::event(conclusion)])
    }
}

/// Returns whether it is the next watch or the next list, and not a look at a pod.
fn is_watching_again(due: &Due) -> bool {
    let watches = |command: &NextCommand| matches!(command.id, StepId::WatchPods | StepId::ListPods);
    matches!(due, Due::Starts { left, .. } if left.front().is_some_and(watches))
}
