use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::lines::Lines;
use super::{Break, Run};
use crate::error::Error;
use crate::events::{EndedBy, What};
use crate::exec::Halt;
use crate::perform::{Call, Done, Means, perform};
use crate::reading::{self, Printed};
use crate::runbook::Step;
use crate::verdict;

/// Whose turn it is to run a step: the journal tells the end of a command by the step's id, so a step that the watch
/// and the listing beside it both need is done one after the other.
#[derive(Default)]
pub(super) struct Turns(Mutex<BTreeMap<String, Arc<Mutex<()>>>>);

impl Turns {
    pub(super) fn of(&self, id: &str) -> Arc<Mutex<()>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(id.to_owned()).or_default())
    }
}

impl Run {
    /// A row with its variables filled in; `extra` are those that are no input.
    pub(super) fn call(&self, step: &Step, extra: &[(&str, &str)]) -> Result<Call, Error> {
        Call::filled_in(step, self.tree.forms(), |name| self.variable(name, extra))
    }

    /// Runs a row's command to its end.
    pub(super) fn perform(&self, step: &Step) -> Result<Done, Break> {
        let done = self.perform_live(step)?;
        self.go_on()?;
        Ok(done)
    }

    /// As [`Run::perform`], before it is judged whether the run goes on.
    pub(super) fn perform_live(&self, step: &Step) -> Result<Done, Error> {
        let mut live = Lines::new(|line: &str| {
            self.ledger.screen(|screen, _| screen.child_line(line));
            Ok(())
        });
        self.perform_call(&self.call(step, &[])?, &mut live, &[&*self.signals.first, &self.stop])
    }

    /// Runs a command to its end; `tee` gets its standard output too, after it was kept.
    pub(super) fn perform_call(
        &self,
        call: &Call,
        tee: &mut dyn Write,
        halts: &[&Halt],
    ) -> Result<Done, Error> {
        let turn = self.turns.of(&call.intent.id);
        let _mine = turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.note(What::CommandStarts(call.intent.clone()))?;
        let done = self.execute(call, tee, halts)?;
        self.note(What::CommandEnded(done.outcome.clone()))?;
        Ok(done)
    }

    /// Runs commands side by side. All are announced before the first one starts, and what came of them is
    /// written down in their own order.
    pub(super) fn side_by_side(&self, calls: &[Call]) -> Result<Vec<Done>, Break> {
        let dones = self.all_at_once(calls, &[&*self.signals.first, &self.stop])?;
        self.go_on()?;
        Ok(dones)
    }

    /// As [`Run::side_by_side`], with halts of the caller's.
    pub(super) fn all_at_once(&self, calls: &[Call], halts: &[&Halt]) -> Result<Vec<Done>, Error> {
        for call in calls {
            self.note(What::CommandStarts(call.intent.clone()))?;
        }
        let results: Vec<Result<Done, Error>> = thread::scope(|scope| {
            let threads: Vec<_> =
                calls.iter().map(|call| scope.spawn(|| self.execute(call, &mut io::sink(), halts))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(panicked()))).collect()
        });
        let mut dones = Vec::with_capacity(calls.len());
        for result in results {
            let done = result?;
            self.note(What::CommandEnded(done.outcome.clone()))?;
            dones.push(done);
        }
        Ok(dones)
    }

    /// Writes down what follows from what a command printed.
    pub(super) fn take_in(&self, done: &Done) -> Result<(), Error> {
        let (stdout, stderr) = done.needed(&self.tree)?;
        let printed = Printed { outcome: &done.outcome, stdout: &stdout, stderr: &stderr };
        let events = self.ledger.read(|record| reading::events(record, &printed))?;
        events.into_iter().try_for_each(|what| self.note(what))
    }

    fn execute(&self, call: &Call, tee: &mut dyn Write, halts: &[&Halt]) -> Result<Done, Error> {
        let means = Means {
            programs: &self.programs,
            tree: &self.tree,
            kubeconfig: &self.kubeconfig,
            paths: &self.paths,
            key: self.job.inputs.api_key.as_ref(),
            clock: &self.ledger.clock,
            hurry: &self.signals.second,
        };
        perform(call, &means, call.step.limit.deadline(self.job.rollout_timeout), tee, halts)
    }

    fn variable(&self, name: &str, extra: &[(&str, &str)]) -> Option<String> {
        self.ledger.read(|record| verdict::variable_or(&record.began.as_ref()?.1, extra, name))
    }
}

/// Whether a command was ended because the run was told to stop, so that nothing follows from it.
pub(super) fn was_halted(done: &Done) -> bool {
    done.outcome.ended_by == EndedBy::StagingDryRun
}

fn panicked() -> Error {
    Error::Setup { what: "internal error", cause: "a thread of ours panicked".to_owned() }
}
