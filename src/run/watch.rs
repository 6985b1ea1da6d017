use std::collections::BTreeSet;
use std::io;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::commands::was_halted;
use super::lines::Lines;
use super::{Break, Run};
use crate::error::Error;
use crate::events::{Conclusion, Sighting, What};
use crate::exec::Halt;
use crate::facts::pod_table::{self, Event, PodRow, WatchRow};
use crate::facts::pods;
use crate::runbook::step;
use crate::verdict;

/// How often the pods are listed beside the watch: a hung server blinds a watch for 45 s without a word.
const LISTING: Duration = Duration::from_secs(10);

/// How long a watch that was cut off is left alone before it is started again.
const AGAIN: Duration = Duration::from_millis(200);

/// How long the first apply waits for the watch to show the pods that are there already.
const FIRST_SIGHT: Duration = Duration::from_secs(5);

/// What STATUS says of a pod that is being deleted, until its containers end.
const TERMINATING: &str = "Terminating";

/// What the watch and the listing beside it know together.
#[derive(Default)]
struct Eyes {
    state: Mutex<Seen>,
    changed: Condvar,
}

#[derive(Default)]
struct Seen {
    /// How many rows of pods the watch has shown, each judged.
    rows: usize,
    /// Pods whose state was looked into already.
    judged: BTreeSet<String>,
    /// Pods that were shown being deleted, which nothing undoes.
    going: BTreeSet<String>,
}

impl Run {
    /// Does `body` with an eye on every pod of the namespace (stop rule 2). What it sees stops `body`.
    pub(super) fn under_watch(&self, body: impl FnOnce() -> Result<(), Break>) -> Result<(), Break> {
        let eyes = Eyes::default();
        thread::scope(|scope| {
            let watch = scope.spawn(|| self.watch(&eyes));
            let listing = scope.spawn(|| self.list_beside(&eyes));
            let enough = PulledAtEnd(&self.watched_enough);
            self.await_first_sight(&eyes);
            let began = Instant::now();
            let result = body().and_then(|()| self.last_look(&eyes, began));
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
    fn await_first_sight(&self, eyes: &Eyes) {
        let there = self.ledger.read(|record| record.pods_before.as_ref().map_or(0, |(total, _)| *total));
        let seen = eyes.state.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = eyes.changed.wait_timeout_while(seen, FIRST_SIGHT, |seen| seen.rows < there);
    }

    /// The watch; one that the server ends says nothing and exits 0, so it is started again.
    fn watch(&self, eyes: &Eyes) -> Result<(), Error> {
        loop {
            let call = self.call(step("watch.pods"), &[])?;
            let mut lines = Lines::new(|line: &str| self.take_watch_line(eyes, line));
            let done = self.perform_call(&call, &mut lines, &[&*self.signals.first, &self.watched_enough])?;
            if was_halted(&done) || self.watched_enough.wait(AGAIN) || self.signals.first.is_pulled() {
                return Ok(());
            }
        }
    }

    fn list_beside(&self, eyes: &Eyes) -> Result<(), Error> {
        while !self.watched_enough.wait(LISTING) && !self.signals.first.is_pulled() {
            self.list(eyes, &[&*self.signals.first, &self.watched_enough])?;
        }
        Ok(())
    }

    fn list(&self, eyes: &Eyes, halts: &[&Halt]) -> Result<(), Error> {
        let call = self.call(step("list.pods"), &[])?;
        let mut lines = Lines::new(|line: &str| match pod_table::list_row(line) {
            Some(row) => self.look_at(eyes, &row, "list.pods"),
            None => Ok(()),
        });
        self.perform_call(&call, &mut lines, halts)?;
        Ok(())
    }

    /// A run that was long enough for the server to hang unnoticed ends with one more list: a hanging one is seen by
    /// it, and only by it.
    fn last_look(&self, eyes: &Eyes, began: Instant) -> Result<(), Break> {
        if began.elapsed() >= LISTING {
            self.list(eyes, &[&*self.signals.first, &self.stop])?;
        }
        self.go_on()
    }

    fn take_watch_line(&self, eyes: &Eyes, line: &str) -> Result<(), Error> {
        if let WatchRow::Pod(row) = pod_table::watch_row(line) {
            self.look_at(eyes, &row, "watch.pods")?;
            eyes.state.lock().unwrap_or_else(PoisonError::into_inner).rows += 1;
            eyes.changed.notify_all();
        }
        Ok(())
    }

    fn look_at(&self, eyes: &Eyes, row: &PodRow, command: &str) -> Result<(), Error> {
        let mut seen = eyes.state.lock().unwrap_or_else(PoisonError::into_inner);
        match (row.event, row.status.as_str()) {
            // Another pod may come under the name of one that was judged: a StatefulSet's does.
            (Some(Event::Added), _) => {
                seen.judged.remove(&row.name);
                seen.going.remove(&row.name);
            }
            (_, TERMINATING) => _ = seen.going.insert(row.name.clone()),
            _ => {}
        }
        let going = seen.going.contains(&row.name);
        if !pod_table::stops(&row.status, &self.job.options.stop_on) || !seen.judged.insert(row.name.clone())
        {
            return Ok(());
        }
        drop(seen);
        let sighting = Sighting {
            pod: row.name.clone(),
            status: row.status.clone(),
            line: row.text.clone(),
            command: command.to_owned(),
            seen_at: self.ledger.clock.now(),
        };
        if going {
            self.note(What::PodSeen(sighting.clone()))?;
            let conclusion = Conclusion::RuledOut(format!("{command} had shown it {TERMINATING} before"));
            return self.note(What::PodJudged { sighting, conclusion, container: None });
        }
        self.judge_sighting(&sighting)
    }

    /// One look at the pod itself decides whether the line stops the run.
    fn judge_sighting(&self, sighting: &Sighting) -> Result<(), Error> {
        self.note(What::PodSeen(sighting.clone()))?;
        let call = self.call(step("confirm.pod"), &[("POD", &sighting.pod)])?;
        let done = self.perform_call(&call, &mut io::sink(), &[&*self.signals.first])?;
        let said = done.outcome.said.clone().unwrap_or_default();
        let look = if done.outcome.succeeded() {
            let found = pods::pods(&self.stdout(&done)?).map_err(|error| error.to_string());
            found.map(|pods| pods.into_iter().next())
        } else if said.contains("(NotFound)") {
            Ok(None)
        } else {
            Err(done.outcome.ended_by.says().map_or(said, str::to_owned))
        };
        let (conclusion, container) = self.ledger.read(|record| verdict::conclude(record, sighting, look));
        let stops = conclusion.stops();
        self.note(What::PodJudged { sighting: sighting.clone(), conclusion, container })?;
        if stops {
            self.stop.pull();
        }
        Ok(())
    }

    /// Judges again what was excused because the apply was still to come.
    pub(super) fn look_again_at_excused(&self) -> Result<(), Error> {
        let excused: Vec<Sighting> = self.ledger.read(|record| {
            let excused =
                |judged: &&crate::record::JudgedSighting| matches!(judged.conclusion, Conclusion::Excused(_));
            record.sightings.iter().filter(excused).map(|judged| judged.sighting.clone()).collect()
        });
        excused.iter().try_for_each(|sighting| self.judge_sighting(sighting))
    }
}

/// Pulls a halt when it goes, also when a panic takes it: the scope waits for the watch before it passes one on.
struct PulledAtEnd<'a>(&'a Halt);

impl Drop for PulledAtEnd<'_> {
    fn drop(&mut self) {
        self.0.pull();
    }
}
