//! Runs the commands of the runbook, one by one or in parallel, and records their outcomes.
//!
//! Every command is recorded before it starts and after it has ended.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::lines::Lines;
use super::{Interruption, Run};
use crate::error::Error;
use crate::events::{EndedBy, EventKind};
use crate::exec::Cancel;
use crate::interpret::{self, CommandOutput};
use crate::runbook::StepId;
use crate::session::{CommandContext, Completed, Copies, Invocation, Met, perform};

/// One lock per step.
///
/// The journal assigns the end of a command to its start by the id of the step. A step that both the watch
/// and the periodic listing need therefore runs only once at a time.
#[derive(Default)]
pub(super) struct StepLocks(Mutex<BTreeMap<StepId, Arc<Mutex<()>>>>);

impl StepLocks {
    pub(super) fn of(&self, id: &StepId) -> Arc<Mutex<()>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(id.clone()).or_default())
    }
}

impl Run {
    /// Returns a step's command with its variables filled in.
    pub(super) fn invocation(&self, id: &StepId) -> Result<Invocation, Error> {
        self.invocation_about(id, &[])
    }

    /// Returns the command of a step about a pod or container; `met` contains each variable with the name as
    /// the evidence has it.
    pub(super) fn invocation_about(
        &self,
        id: &StepId,
        met: &[(&'static str, &str)],
    ) -> Result<Invocation, Error> {
        let missing = |why: &str| Error::Row { id: id.clone(), why: why.to_owned() };
        let step = self.job.runbook.step(id).ok_or_else(|| missing("the runbook has no such step"))?;
        let began = self.recorder.read(|run| run.began.as_ref().map(|(_, began)| began.clone()));
        let began = began.ok_or_else(|| missing("the run has not begun"))?;
        let names: Vec<String> = met.iter().map(|(_, recorded)| self.raw_names.of(recorded)).collect();
        let met: Vec<Met<'_>> = met
            .iter()
            .zip(&names)
            .map(|((variable, recorded), name)| Met { variable, recorded, name })
            .collect();
        Invocation::new(step, &began, &met, self.tree.patterns())
    }

    /// Runs a step's command to its end, and checks whether the run may continue.
    pub(super) fn perform(&self, step: &StepId) -> Result<Completed, Interruption> {
        let done = self.perform_live(step)?;
        self.check_may_continue()?;
        Ok(done)
    }

    /// Runs a step's command to its end without checking whether the run may continue.
    pub(super) fn perform_live(&self, step: &StepId) -> Result<Completed, Error> {
        let mut live = Lines::new(|line: &str| {
            self.recorder.screen(|screen, _| screen.child_line(line));
            Ok(())
        });
        let copies = Copies { redacted: &mut live, raw: &mut io::sink() };
        self.perform_invocation(&self.invocation(step)?, copies, &[&*self.signals.first, &self.stop])
    }

    /// Runs a command to its end.
    pub(super) fn perform_invocation(
        &self,
        invocation: &Invocation,
        copies: Copies<'_>,
        cancels: &[&Cancel],
    ) -> Result<Completed, Error> {
        let turn = self.step_locks.of(&invocation.intent.id);
        let _mine = turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.note(EventKind::CommandStarts(invocation.intent.clone()))?;
        let done = self.execute(invocation, copies, cancels)?;
        self.note(EventKind::CommandEnded(done.outcome.clone()))?;
        Ok(done)
    }

    /// Runs commands in parallel, and checks whether the run may continue.
    ///
    /// All of them are recorded before the first one starts. Their outcomes are recorded in the order of the
    /// list.
    pub(super) fn side_by_side(&self, invocations: &[Invocation]) -> Result<Vec<Completed>, Interruption> {
        let completed = self.all_at_once(invocations, &[&*self.signals.first, &self.stop])?;
        self.check_may_continue()?;
        Ok(completed)
    }

    /// Runs commands in parallel like [`Run::side_by_side`], but with the caller's cancels and without the
    /// check.
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
                .map(|invocation| {
                    scope.spawn(|| {
                        self.execute(
                            invocation,
                            Copies { redacted: &mut io::sink(), raw: &mut io::sink() },
                            cancels,
                        )
                    })
                })
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

    /// Records the events that follow from a command's output.
    pub(super) fn record_facts(&self, done: &Completed) -> Result<(), Error> {
        let (stdout, stderr) = done.needed(&self.tree)?;
        let printed = CommandOutput { outcome: &done.outcome, stdout: &stdout, stderr: &stderr };
        let events = self.recorder.read(|run| interpret::events(run, &printed))?;
        events.into_iter().try_for_each(|what| self.note(what))
    }

    fn execute(
        &self,
        invocation: &Invocation,
        copies: Copies<'_>,
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
        perform(invocation, &means, invocation.step.limit.deadline(self.job.rollout_timeout), copies, cancels)
    }
}

/// Returns whether a command was ended because the run was told to stop, so that its outcome means nothing.
pub(super) fn was_halted(done: &Completed) -> bool {
    done.outcome.ended_by == EndedBy::StagingDryRun
}

fn panicked() -> Error {
    Error::Setup { what: "internal error", cause: "a thread of ours panicked".to_owned() }
}
