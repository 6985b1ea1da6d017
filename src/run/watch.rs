//! Watches the pods while the run deploys and tests (stop rule 2).
//!
//! A watch and a periodic list show the same pods, because a server that hangs leaves a watch silent. A
//! failing pod is read when it is first shown, and that read decides whether the run stops.

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
use crate::runbook::StepId;
use crate::session::Copies;
use crate::verdict;

/// The interval of the periodic list: with a server that hangs, a watch is silent for 45 s.
const LISTING: Duration = Duration::from_secs(10);

/// The delay before a watch that the server ended is restarted.
const AGAIN: Duration = Duration::from_millis(200);

/// The longest wait, before the first apply, for the watch to show the existing pods.
const FIRST_SIGHT: Duration = Duration::from_secs(5);

/// The state that the watch and the periodic list share.
#[derive(Default)]
struct Sight {
    state: Mutex<Seen>,
    changed: Condvar,
}

#[derive(Default)]
struct Seen {
    /// The number of pod rows that the watch has shown; each was judged.
    rows: usize,
    tracker: PodTracker,
}

impl Run {
    /// Runs `body` while all pods of the namespace are watched (stop rule 2); a failing pod stops `body`.
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

    /// Waits until the watch has shown the existing pods, so that it shows the state before the apply first.
    fn await_first_sight(&self, sight: &Sight) {
        let there = self.recorder.read(|run| run.pods_before.as_ref().map_or(0, |(total, _)| *total));
        let seen = sight.state.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = sight.changed.wait_timeout_while(seen, FIRST_SIGHT, |seen| seen.rows < there);
    }

    /// Runs the watch, and restarts it when the server ends it, which exits 0 without a message.
    fn watch(&self, sight: &Sight) -> Result<(), Error> {
        loop {
            let invocation = self.invocation(&StepId::WatchPods)?;
            let mut lines = Lines::new(|line: &str| self.take_watch_line(sight, line));
            let mut names = self.raw_names.writer(self.tree.patterns());
            let copies = Copies { redacted: &mut lines, raw: &mut names };
            let cancels = [&*self.signals.first, &self.stop_watching];
            let done = self.perform_invocation(&invocation, copies, &cancels)?;
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
        let invocation = self.invocation(&StepId::ListPods)?;
        let mut lines = Lines::new(|line: &str| {
            let row = pod_table::list_row(line);
            interpret::refuse_in_row(line, row.as_ref())?;
            row.map_or(Ok(()), |row| self.look_at(sight, &row, StepId::ListPods))
        });
        let mut names = self.raw_names.writer(self.tree.patterns());
        let copies = Copies { redacted: &mut lines, raw: &mut names };
        self.perform_invocation(&invocation, copies, cancels)?;
        Ok(())
    }

    /// Lists the pods once more at the end of a run that was long enough for the server to hang unnoticed.
    ///
    /// Only this list reveals a server that hangs.
    fn last_look(&self, sight: &Sight, began: Instant) -> Result<(), Interruption> {
        if began.elapsed() >= LISTING {
            self.list(sight, &[&*self.signals.first, &self.stop])?;
        }
        self.check_may_continue()
    }

    fn take_watch_line(&self, sight: &Sight, line: &str) -> Result<(), Error> {
        match pod_table::watch_row(line) {
            WatchRow::Pod(row) => {
                interpret::refuse_in_row(line, Some(&row))?;
                self.look_at(sight, &row, StepId::WatchPods)?;
                sight.state.lock().unwrap_or_else(PoisonError::into_inner).rows += 1;
                sight.changed.notify_all();
            }
            WatchRow::Other => interpret::refuse_in_row(line, None)?,
            WatchRow::Header | WatchRow::ServerError(_) => {}
        }
        Ok(())
    }

    fn look_at(&self, sight: &Sight, row: &PodRow, command: StepId) -> Result<(), Error> {
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
            command,
            seen_at: self.recorder.clock.now(),
        };
        if look == RowAction::Going {
            self.note(EventKind::PodSeen(sighting.clone()))?;
            let conclusion = Conclusion::RuledOut(format!("{} {SHOWN_GOING}", sighting.command));
            return self.note(EventKind::PodJudged { sighting, conclusion, container: None });
        }
        self.judge_sighting(&sighting)
    }

    /// Reads the pod itself, which decides whether the row stops the run.
    fn judge_sighting(&self, sighting: &Sighting) -> Result<(), Error> {
        // One at a time, so that a read and its conclusion are adjacent in the journal.
        let _mine = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        self.note(EventKind::PodSeen(sighting.clone()))?;
        let invocation = self.invocation_about(&StepId::ConfirmPod, &[("POD", &sighting.pod)])?;
        let copies = Copies { redacted: &mut io::sink(), raw: &mut io::sink() };
        let done = self.perform_invocation(&invocation, copies, &[&*self.signals.first])?;
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

    /// Judges the excused pods again; they were excused because the apply was still to come.
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

/// Cancels when it is dropped, also by a panic: the scope waits for the watch before it propagates the panic.
struct PulledAtEnd<'a>(&'a Cancel);

impl Drop for PulledAtEnd<'_> {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
