use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::lines::Lines;
use super::{Interruption, Run};
use crate::error::Error;
use crate::events::{EndedBy, EventKind};
use crate::exec::Cancel;
use crate::interpret::{self, CommandOutput};
use crate::runbook::Step;
use crate::session::{CommandContext, Completed, Invocation, perform};
use crate::verdict;

/// Whose turn it is to run a step: the journal tells the end of a command by the step's id, so a step that the watch
/// and the listing beside it both need is done one after the other.
#[derive(Default)]
pub(super) struct StepLocks(Mutex<BTreeMap<String, Arc<Mutex<()>>>>);

impl StepLocks {
    pub(super) fn of(&self, id: &str) -> Arc<Mutex<()>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(id.to_owned()).or_default())
    }
}

impl Run {
    /// A row with its variables filled in; `extra` are those that are no input.
    pub(super) fn invocation(&self, step: &Step, extra: &[(&str, &str)]) -> Result<Invocation, Error> {
        Invocation::filled_in(step, self.tree.patterns(), |name| self.variable(name, extra))
    }

    /// Runs a row's command to its end.
    pub(super) fn perform(&self, step: &Step) -> Result<Completed, Interruption> {
        let done = self.perform_live(step)?;
        self.check_may_continue()?;
        Ok(done)
    }

    /// As [`Run::perform`], before it is judged whether the run goes on.
    pub(super) fn perform_live(&self, step: &Step) -> Result<Completed, Error> {
        let mut live = Lines::new(|line: &str| {
            self.recorder.screen(|screen, _| screen.child_line(line));
            Ok(())
        });
        self.perform_call(&self.invocation(step, &[])?, &mut live, &[&*self.signals.first, &self.stop])
    }

    /// Runs a command to its end; `tee` gets its standard output too, after it was kept.
    pub(super) fn perform_call(
        &self,
        invocation: &Invocation,
        tee: &mut dyn Write,
        cancels: &[&Cancel],
    ) -> Result<Completed, Error> {
        let turn = self.turns.of(&invocation.intent.id);
        let _mine = turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.note(EventKind::CommandStarts(invocation.intent.clone()))?;
        let done = self.execute(invocation, tee, cancels)?;
        self.note(EventKind::CommandEnded(done.outcome.clone()))?;
        Ok(done)
    }

    /// Runs commands side by side. All are announced before the first one starts, and what came of them is
    /// written down in their own order.
    pub(super) fn side_by_side(&self, invocations: &[Invocation]) -> Result<Vec<Completed>, Interruption> {
        let completed = self.all_at_once(invocations, &[&*self.signals.first, &self.stop])?;
        self.check_may_continue()?;
        Ok(completed)
    }

    /// As [`Run::side_by_side`], with halts of the caller's.
    pub(super) fn all_at_once(
        &self,
        invocations: &[Invocation],
        cancels: &[&Cancel],
    ) -> Result<Vec<Completed>, Error> {
        for invocation in invocations {
            self.note(EventKind::CommandStarts(invocation.intent.clone()))?;
        }
        let results: Vec<Result<Completed, Error>> = thread::scope(|scope| {
            let threads: Vec<_> = invocations
                .iter()
                .map(|invocation| scope.spawn(|| self.execute(invocation, &mut io::sink(), cancels)))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(panicked()))).collect()
        });
        let mut completed = Vec::with_capacity(invocations.len());
        for result in results {
            let done = result?;
            self.note(EventKind::CommandEnded(done.outcome.clone()))?;
            completed.push(done);
        }
        Ok(completed)
    }

    /// Writes down what follows from what a command printed.
    pub(super) fn record_facts(&self, done: &Completed) -> Result<(), Error> {
        let (stdout, stderr) = done.needed(&self.tree)?;
        let printed = CommandOutput { outcome: &done.outcome, stdout: &stdout, stderr: &stderr };
        let events = self.recorder.read(|run| interpret::events(run, &printed))?;
        events.into_iter().try_for_each(|what| self.note(what))
    }

    fn execute(
        &self,
        invocation: &Invocation,
        tee: &mut dyn Write,
        cancels: &[&Cancel],
    ) -> Result<Completed, Error> {
        let means = CommandContext {
            programs: &self.programs,
            tree: &self.tree,
            kubeconfig: &self.kubeconfig,
            paths: &self.paths,
            key: self.job.inputs.api_key.as_ref(),
            clock: &self.recorder.clock,
            kill_now: &self.signals.second,
        };
        perform(invocation, &means, invocation.step.limit.deadline(self.job.rollout_timeout), tee, cancels)
    }

    fn variable(&self, name: &str, extra: &[(&str, &str)]) -> Option<String> {
        self.recorder.read(|run| verdict::variable_or(&run.began.as_ref()?.1, extra, name))
    }
}

/// Whether a command was ended because the run was told to stop, so that nothing follows from it.
pub(super) fn was_halted(done: &Completed) -> bool {
    done.outcome.ended_by == EndedBy::StagingDryRun
}

fn panicked() -> Error {
    Error::Setup { what: "internal error", cause: "a thread of ours panicked".to_owned() }
}
