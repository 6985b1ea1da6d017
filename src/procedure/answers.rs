//! Whether an event is what was due, and what is due in its place.

use std::collections::{BTreeMap, VecDeque};

use super::commands::{is_of, is_possible};
use super::departure::NOT_DUE;
use super::due::{Due, NextCommand};
use super::pods::{self, FIRST_SIGHT_MS, Rows, Source};
use super::{LISTS, Open, Procedure, RecordedOutput, STEPS, WATCH};
use crate::events::{EndedBy, Event, EventKind, Intent, Outcome, Sighting};
use crate::moment::{Moment, go_duration, millis};
use crate::runbook::{ENDING_SIGNALS, StepId};

/// The precision of the journal's moments, in ms: each is cut to a millisecond.
const PRECISION_MS: u64 = 2;

/// What follows from an event that was due.
#[derive(Debug)]
pub struct Answer(pub(super) Option<Of>);

/// What follows from an event that was the first of a lane.
#[derive(Debug)]
pub(super) struct Of {
    pub(super) lane: usize,
    /// What is due in its place.
    pub(super) then: Vec<Due>,
    /// The rows of pods that were read.
    pub(super) rows: Option<(Source, Rows)>,
    pub(super) change: OpenChange,
}

/// What changes about the commands under way.
#[derive(Debug)]
pub(super) enum OpenChange {
    /// Nothing.
    None,
    /// A command has started.
    Began(u64, Open),
    /// A command has ended.
    Ended {
        /// Its number.
        n: u64,
        /// The commands that ended with it, if it was the last of them.
        all: Option<Vec<u64>>,
    },
}

impl Of {
    fn in_place(lane: usize, then: Vec<Due>) -> Self {
        Self { lane, then, rows: None, change: OpenChange::None }
    }
}

impl Procedure {
    /// Returns what follows from an event.
    ///
    /// # Errors
    /// When it was not due; the text is the reason.
    pub(super) fn answer(&self, event: &Event, kept: &dyn RecordedOutput) -> Result<Answer, String> {
        if event.seq != self.seq + 1 {
            return Err(format!("the event after {} has the number {}", self.seq, event.seq));
        }
        if event.at < self.now {
            return Err("it is older than the event before".to_owned());
        }
        match &event.kind {
            EventKind::Signal { signal }
                if ENDING_SIGNALS.contains(signal)
                    && self.signal.is_none()
                    && self.seq >= 2
                    && !self.is_done() =>
            {
                return Ok(Answer(None));
            }
            // The last files may fail after the last event.
            EventKind::Failed { .. } if self.failed.is_none() && self.seq >= 1 => {
                return Ok(Answer(None));
            }
            _ => {}
        }
        for lane in [STEPS, WATCH, LISTS] {
            let Some(first) = self.lanes[lane].due.front() else { continue };
            if let Some(answer) = self.answers(lane, first, event, kept)? {
                return Ok(Answer(Some(answer)));
            }
        }
        Err(NOT_DUE.to_owned())
    }

    /// Returns what follows if the event answers what is due; `None` if it is about something else.
    fn answers(
        &self,
        lane: usize,
        due: &Due,
        event: &Event,
        kept: &dyn RecordedOutput,
    ) -> Result<Option<Of>, String> {
        let at = event.at;
        let done = Ok(Some(Of::in_place(lane, Vec::new())));
        match (due, &event.kind) {
            (Due::RunBegan, EventKind::RunBegan(_))
            | (Due::RunbookRead, EventKind::RunbookRead { .. })
            | (Due::Context, EventKind::ContextRead(_))
            | (Due::FilesListed, EventKind::FilesListed { .. })
            | (Due::RunEnded, EventKind::RunEnded) => done,
            (Due::FilesListed, EventKind::ClockMoved { .. }) if self.state().clock_moved_ms.is_none() => {
                Ok(Some(Of::in_place(lane, vec![due.clone()])))
            }
            (Due::Manifest(file), EventKind::ManifestRead(manifest)) if manifest.file == *file => done,
            (Due::Tools(names), EventKind::ToolFound(tool)) if names.front() == Some(&tool.name) => {
                let left: VecDeque<String> = names.iter().skip(1).cloned().collect();
                let left = (!left.is_empty()).then_some(Due::Tools(left));
                Ok(Some(Of::in_place(lane, left.into_iter().collect())))
            }
            (Due::Event(expected), kind) if **expected == *kind => done,
            (Due::FirstSight(there), EventKind::FirstSight { rows, of }) if of == there => {
                self.may_go_on(*rows, *of, at)?;
                done
            }
            (Due::StepEnds(step), EventKind::StepEnded { step: ended, duration_ms }) if step == ended => {
                self.takes(*duration_ms, at)?;
                done
            }
            (Due::Dumped(words), EventKind::Dumped { duration_ms, last_words }) if words == last_words => {
                self.takes(*duration_ms, at)?;
                done
            }
            (Due::Interrupted(expected), EventKind::Interrupted { signal }) if expected == signal => done,
            (Due::Starts { left, begun }, EventKind::CommandStarts(intent)) => match left.front() {
                Some(command) if command.id == intent.id => {
                    let open = self.begins(lane, command, intent, at)?;
                    let change = OpenChange::Began(intent.n, open);
                    Ok(Some(Of { change, ..Of::in_place(lane, vec![after_start(left, begun, intent.n)]) }))
                }
                _ => Ok(None),
            },
            (Due::Ends { left, all }, EventKind::CommandEnded(outcome)) if self.is_next(left, outcome.n) => {
                let rows = self.ends(outcome, at, kept)?;
                Ok(Some(Of { rows, ..after_end(lane, left, all, outcome, at) }))
            }
            (Due::Ends { left, .. }, EventKind::PodSeen(sighting)) if self.is_next(left, sighting.n) => {
                self.sees(lane, due, event.seq, sighting, kept).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Checks a sighting; what follows from it is due before the end of its command.
    fn sees(
        &self,
        lane: usize,
        due: &Due,
        seq: u64,
        sighting: &Sighting,
        kept: &dyn RecordedOutput,
    ) -> Result<Of, String> {
        if self.open.get(&sighting.n).is_none_or(|open| open.id != sighting.command) {
            return Err(format!("command {} is not {}", sighting.n, sighting.command));
        }
        let (source, rows, mut then) = self.check_sighting(seq, sighting, kept)?;
        then.push(due.clone());
        Ok(Of { rows: Some((source, rows)), ..Of::in_place(lane, then) })
    }

    /// Checks that the watch has shown enough and all of it is judged, or that it had its time.
    fn may_go_on(&self, rows: usize, of: usize, at: Moment) -> Result<(), String> {
        let waited = self.watch_began().map_or(0, |began| at.millis_since(began));
        if rows >= of && !self.is_looking() || waited + PRECISION_MS >= FIRST_SIGHT_MS {
            return Ok(());
        }
        Err(format!("the watch had shown {rows} of {of} pods, {waited} ms after it began"))
    }

    fn takes(&self, duration_ms: u64, at: Moment) -> Result<(), String> {
        let took = self.step_took(at);
        if duration_ms == took { Ok(()) } else { Err(format!("it took {took} ms, not {duration_ms} ms")) }
    }

    /// Checks the start of a command.
    fn begins(
        &self,
        lane: usize,
        command: &NextCommand,
        intent: &Intent,
        at: Moment,
    ) -> Result<Open, String> {
        let run = self.state();
        let (_, began) = run.began.as_ref().ok_or("the run has not begun")?;
        if intent.n != self.next_command() {
            return Err(format!("the next command has the number {}, not {}", self.next_command(), intent.n));
        }
        let step = run.runbook.step(&intent.id).filter(|step| is_of(step, intent, began));
        let step =
            step.ok_or_else(|| format!("{} is not a command of the runbook: {}", intent.id, intent.text))?;
        if intent.met != command.met || intent.because != command.because {
            return Err(format!(
                "{} is {}, not {}",
                intent.id,
                about(&command.met, command.because),
                about(&intent.met, intent.because)
            ));
        }
        let rollout = go_duration(&began.options.rollout_timeout).unwrap_or_default();
        let deadline_ms = millis(step.limit.deadline(rollout));
        if intent.deadline_ms != deadline_ms {
            return Err(format!("{} has {deadline_ms} ms, not {} ms", intent.id, intent.deadline_ms));
        }
        if command.not_before.is_some_and(|moment| at.after_millis(PRECISION_MS) < moment) {
            return Err(format!("{} starts too early", intent.id));
        }
        Ok(Open { id: intent.id.clone(), lane, at, deadline_ms })
    }

    /// Checks the end of a command, and the rows of pods that it printed.
    fn ends(
        &self,
        outcome: &Outcome,
        at: Moment,
        kept: &dyn RecordedOutput,
    ) -> Result<Option<(Source, Rows)>, String> {
        let open = self.open.get(&outcome.n).ok_or("it never started")?;
        if open.id != outcome.id {
            return Err(format!("command {} is {}, not {}", outcome.n, open.id, outcome.id));
        }
        let step = self.state().runbook.step(&outcome.id).ok_or("the runbook has no such step")?;
        let (_, began) = self.state().began.as_ref().ok_or("the run has not begun")?;
        is_possible(step, began, outcome)?;
        let ended = outcome.started.after_millis(outcome.duration_ms);
        if outcome.started.after_millis(PRECISION_MS) < open.at || at.after_millis(PRECISION_MS) < ended {
            return Err(format!("{}: its time is not between its two events", outcome.id));
        }
        self.may_end_so(open, outcome)?;
        self.check_rows(&outcome.id, outcome.stdout.as_ref(), kept)
    }

    /// Checks who ended a command.
    fn may_end_so(&self, open: &Open, outcome: &Outcome) -> Result<(), String> {
        let fails = |why: String| Err(format!("{}: {why}", outcome.id));
        match outcome.ended_by {
            EndedBy::Deadline if outcome.duration_ms < open.deadline_ms => fails(format!(
                "it was ended at its deadline of {} ms after {} ms",
                open.deadline_ms, outcome.duration_ms
            )),
            EndedBy::AskedForTerminal if outcome.exit.iter().all(|status| *status == 0) => {
                fails("it asked for the terminal, and every stage exited 0".to_owned())
            }
            EndedBy::Itself | EndedBy::HeldPipes | EndedBy::Deadline | EndedBy::AskedForTerminal => Ok(()),
            EndedBy::OutputNotKept => fails("its output could not be kept, so the run failed".to_owned()),
            EndedBy::StagingDryRun(seq) if self.cancelled_by(outcome.n) == Some(seq) => Ok(()),
            EndedBy::StagingDryRun(seq) => fails(format!("event {seq} is no reason for the run to end it")),
        }
    }
}

/// What a command is about, in words.
fn about(met: &BTreeMap<String, String>, because: Option<u64>) -> String {
    let names: Vec<String> = met.iter().map(|(variable, name)| format!("{variable} {name:?}")).collect();
    let names = if names.is_empty() { "nothing".to_owned() } else { names.join(" and ") };
    because.map_or_else(|| format!("about {names}"), |seq| format!("about {names} because of event {seq}"))
}

/// Returns what is due after the end of a command.
fn after_end(lane: usize, left: &[u64], all: &[u64], outcome: &Outcome, at: Moment) -> Of {
    let n = outcome.n;
    let left: Vec<u64> = left.iter().copied().filter(|other| *other != n).collect();
    if !left.is_empty() {
        let change = OpenChange::Ended { n, all: None };
        return Of { change, ..Of::in_place(lane, vec![Due::Ends { left, all: all.to_vec() }]) };
    }
    let again =
        |id: StepId, pause: u64| vec![Due::starts([NextCommand::of(id).not_before(at.after_millis(pause))])];
    let then = match outcome.id {
        StepId::WatchPods => again(StepId::WatchPods, pods::AGAIN_MS),
        StepId::ListPods => again(StepId::ListPods, pods::LISTING_MS),
        _ => Vec::new(),
    };
    Of { change: OpenChange::Ended { n, all: Some(all.to_vec()) }, ..Of::in_place(lane, then) }
}

fn after_start(left: &VecDeque<NextCommand>, begun: &[u64], n: u64) -> Due {
    let left: VecDeque<NextCommand> = left.iter().skip(1).cloned().collect();
    let begun: Vec<u64> = begun.iter().copied().chain([n]).collect();
    if left.is_empty() { Due::Ends { left: begun.clone(), all: begun } } else { Due::Starts { left, begun } }
}
