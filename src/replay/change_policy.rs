//! Decides whether a command that does more than read may be re-run.
//!
//! A dry run or a change is allowed only if it was requested and the namespace has the same UID as in the
//! run. An apply also needs a dry run that placed every object in that namespace, and no earlier change that
//! failed.

use std::collections::BTreeSet;

use crate::events::{Began, Effect, EventKind, Outcome};
use crate::run_state::RunState;
use crate::runbook::{DeploymentId, Step, StepId};

/// The state of the cluster, as the re-run commands have shown it so far.
pub(super) struct ChangePolicy<'a> {
    run: &'a RunState,
    began: &'a Began,
    /// Whether dry runs and changes were requested.
    asked: bool,
    /// Whether the namespace has the UID that it had in the run, so that it is not a new one with the same
    /// name.
    is_the_runs_namespace: bool,
    /// The Deployments whose manifest places every object in that namespace, by the dry run.
    lands_there: BTreeSet<DeploymentId>,
    /// The change, or `use-context`, that failed; `None` if none did.
    failed: Option<StepId>,
}

impl<'a> ChangePolicy<'a> {
    pub(super) fn new(run: &'a RunState, began: &'a Began, asked: bool) -> Self {
        Self { run, began, asked, is_the_runs_namespace: false, lands_there: BTreeSet::new(), failed: None }
    }

    /// Returns whether the command of a step may be re-run.
    ///
    /// # Errors
    /// When it may not; the text is the reason.
    pub(super) fn allows(&self, row: &Step) -> Result<(), String> {
        match (row.effect, &self.failed) {
            (Effect::Reads, _) => Ok(()),
            (Effect::DryRun, _) if !self.asked => {
                Err("it asks for a server-side dry run (--include-changes)".to_owned())
            }
            (Effect::Changes, _) if !self.asked => {
                Err("it changes the cluster (--include-changes)".to_owned())
            }
            _ if !self.is_the_runs_namespace => Err("the namespace here is not the run's".to_owned()),
            (Effect::DryRun, _) => Ok(()),
            (Effect::Changes, Some(failed)) => Err(format!("{failed} failed")),
            (Effect::Changes, None)
                if row.id.deployment().is_some_and(|id| self.lands_there.contains(id)) =>
            {
                Ok(())
            }
            (Effect::Changes, None) => {
                let guard = row.id.deployment().map(|id| StepId::Guard(id.clone()).to_string());
                let guard = guard.unwrap_or_else(|| "no guard".to_owned());
                Err(format!("{guard} did not show that all of it lands in the run's namespace"))
            }
        }
    }

    /// Updates the state with the output of a command.
    pub(super) fn learn(&mut self, row: &Step, outcome: &Outcome, events: &[EventKind]) {
        let ours = &self.began.target.namespace;
        let its_uid = self.run.uids.get(ours).and_then(Option::as_ref);
        for what in events {
            match what {
                EventKind::NamespaceUid { namespace, uid: Some(uid) } if namespace == ours => {
                    self.is_the_runs_namespace = its_uid == Some(uid);
                }
                EventKind::WouldLand { objects, .. }
                    if objects.iter().all(|object| object.namespace.as_ref() == Some(ours)) =>
                {
                    self.lands_there.extend(row.id.deployment().cloned());
                }
                _ => {}
            }
        }
        // An apply names no context: it uses the one that `use-context` selected.
        let leads = row.effect == Effect::Changes || row.id == StepId::UseContext;
        if leads && !outcome.succeeded() {
            self.failed = Some(row.id.clone());
        }
    }
}
