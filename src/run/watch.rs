use std::io;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::commands::was_halted;
use super::lines::Lines;
use super::{Interruption, Run};
use crate::error::Error;
use crate::events::{Conclusion, EventKind, Sighting};
use crate::exec::Cancel;
use crate::facts::pod_table::{self, PodRow, WatchRow};
use crate::interpret::{self, CommandOutput, PodTracker, RowAction, SHOWN_GOING};
use crate::runbook::step;
use crate::verdict;

/// How often the pods are listed beside the watch: a hung server blinds a watch for 45 s without a word.
const LISTING: Duration = Duration::from_secs(10);

/// How long a watch that was cut off is left alone before it is started again.
const AGAIN: Duration = Duration::from_millis(200);

/// How long the first apply waits for the watch to show the pods that are there already.
const FIRST_SIGHT: Duration = Duration::from_secs(5);

/// What the watch and the listing beside it know together.
#[derive(Default)]
struct Sight {
    state: Mutex<Seen>,
    changed: Condvar,
}

#[derive(Default)]
struct Seen {
    /// How many rows of pods the watch has shown, each judged.
    rows: usize,
    tracker: PodTracker,
}

impl Run {
    /// Does `body` with an eye on every pod of the namespace (stop rule 2). What it sees stops `body`.
    pub(super) fn under_watch(
        &self,
        body: impl FnOnce() -> Result<(), Interruption>,
    ) -> Result<(), Interruption> {
        let sight = Sight::default();
        thread::scope(|scope| {
            let watch = scope.spawn(|| self.watch(&sight));
            let listing = scope.spawn(|| self.list_beside(&sight));
            let enough = PulledAtEnd(&self.stop_watching);
            self.await_first_sight(&sight);
            let began = Instant::now();
            let result = body().and_then(|()| self.last_look(&sight, began));
            drop(enough);
            let seen = [watch.join(), listing.join()];
            result?;
            for thread in seen {
                thread.unwrap_or_else(|_| {
                    Err(Error::Setup { what: "the pod watch", cause: "it panicked".into() })
                })?;
            }
            Ok(())
        })
    }

    /// So that what the watch shows first is the state before the apply.
    fn await_first_sight(&self, sight: &Sight) {
        let there = self.recorder.read(|run| run.pods_before.as_ref().map_or(0, |(total, _)| *total));
        let seen = sight.state.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = sight.changed.wait_timeout_while(seen, FIRST_SIGHT, |seen| seen.rows < there);
    }

    /// The watch; one that the server ends says nothing and exits 0, so it is started again.
    fn watch(&self, sight: &Sight) -> Result<(), Error> {
        loop {
            let invocation = self.invocation(step("watch.pods"), &[])?;
            let mut lines = Lines::new(|line: &str| self.take_watch_line(sight, line));
            let done =
                self.perform_call(&invocation, &mut lines, &[&*self.signals.first, &self.stop_watching])?;
            if was_halted(&done) || self.stop_watching.wait(AGAIN) || self.signals.first.is_cancelled() {
                return Ok(());
            }
        }
    }

    fn list_beside(&self, sight: &Sight) -> Result<(), Error> {
        while !self.stop_watching.wait(LISTING) && !self.signals.first.is_cancelled() {
            self.list(sight, &[&*self.signals.first, &self.stop_watching])?;
        }
        Ok(())
    }

    fn list(&self, sight: &Sight, cancels: &[&Cancel]) -> Result<(), Error> {
        let invocation = self.invocation(step("list.pods"), &[])?;
        let mut lines = Lines::new(|line: &str| match pod_table::list_row(line) {
            Some(row) => self.look_at(sight, &row, "list.pods"),
            None => Ok(()),
        });
        self.perform_call(&invocation, &mut lines, cancels)?;
        Ok(())
    }

    /// A run that was long enough for the server to hang unnoticed ends with one more list: a hanging one is seen by
    /// it, and only by it.
    fn last_look(&self, sight: &Sight, began: Instant) -> Result<(), Interruption> {
        if began.elapsed() >= LISTING {
            self.list(sight, &[&*self.signals.first, &self.stop])?;
        }
        self.check_may_continue()
    }

    fn take_watch_line(&self, sight: &Sight, line: &str) -> Result<(), Error> {
        if let WatchRow::Pod(row) = pod_table::watch_row(line) {
            self.look_at(sight, &row, "watch.pods")?;
            sight.state.lock().unwrap_or_else(PoisonError::into_inner).rows += 1;
            sight.changed.notify_all();
        }
        Ok(())
    }

    fn look_at(&self, sight: &Sight, row: &PodRow, command: &str) -> Result<(), Error> {
        let mut seen = sight.state.lock().unwrap_or_else(PoisonError::into_inner);
        let look = seen.tracker.look(row, &self.job.options.stop_on);
        if look == RowAction::None {
            return Ok(());
        }
        drop(seen);
        let sighting = Sighting {
            pod: row.name.clone(),
            status: row.status.clone(),
            line: row.text.clone(),
            command: command.to_owned(),
            seen_at: self.recorder.clock.now(),
        };
        if look == RowAction::Going {
            self.note(EventKind::PodSeen(sighting.clone()))?;
            let conclusion = Conclusion::RuledOut(format!("{command} {SHOWN_GOING}"));
            return self.note(EventKind::PodJudged { sighting, conclusion, container: None });
        }
        self.judge_sighting(&sighting)
    }

    /// One look at the pod itself decides whether the line stops the run.
    fn judge_sighting(&self, sighting: &Sighting) -> Result<(), Error> {
        // One after the other: a look and what was concluded from it stand together.
        let turn = self.turns.of("judge");
        let _mine = turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.note(EventKind::PodSeen(sighting.clone()))?;
        let invocation = self.invocation(step("confirm.pod"), &[("POD", &sighting.pod)])?;
        let done = self.perform_call(&invocation, &mut io::sink(), &[&*self.signals.first])?;
        let stdout = done.stdout(&self.tree)?;
        let look = interpret::look(&CommandOutput { outcome: &done.outcome, stdout: &stdout, stderr: &[] });
        let mut stops = false;
        self.recorder.note_of(&self.tree, |run| {
            let (conclusion, container) = verdict::conclude(run, sighting, look);
            stops = conclusion.stops();
            EventKind::PodJudged { sighting: sighting.clone(), conclusion, container }
        })?;
        if stops {
            self.stop.cancel();
        }
        Ok(())
    }

    /// Judges again what was excused because the apply was still to come.
    pub(super) fn look_again_at_excused(&self) -> Result<(), Error> {
        let excused: Vec<Sighting> = self.recorder.read(|run| {
            let excused = |judged: &&crate::run_state::JudgedSighting| {
                matches!(judged.conclusion, Conclusion::Excused(_))
            };
            run.sightings.iter().filter(excused).map(|judged| judged.sighting.clone()).collect()
        });
        excused.iter().try_for_each(|sighting| self.judge_sighting(sighting))
    }
}

/// Pulls a halt when it goes, also when a panic takes it: the scope waits for the watch before it passes one on.
struct PulledAtEnd<'a>(&'a Cancel);

impl Drop for PulledAtEnd<'_> {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
