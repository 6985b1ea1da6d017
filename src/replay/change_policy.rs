//! Whether what is no read may be run again: on the run's namespace, and there alone.

use std::collections::BTreeSet;

use crate::events::{Began, Effect, EventKind, Outcome};
use crate::run_state::RunState;
use crate::runbook::Step;

/// What the commands so far have shown of the cluster as it is now.
pub(super) struct ChangePolicy<'a> {
    run: &'a RunState,
    began: &'a Began,
    /// Whether it was asked for.
    asked: bool,
    /// Whether the namespace is the one it was, not one that was made anew under its name.
    is_the_runs_namespace: bool,
    /// The keys of the Deployments whose manifest would land in that namespace, all of it.
    lands_there: BTreeSet<String>,
    /// The change, or what led to it, that failed.
    failed: Option<String>,
}

impl<'a> ChangePolicy<'a> {
    pub(super) fn new(run: &'a RunState, began: &'a Began, asked: bool) -> Self {
        Self { run, began, asked, is_the_runs_namespace: false, lands_there: BTreeSet::new(), failed: None }
    }

    /// Whether a row's command may be run, or why not.
    pub(super) fn allows(&self, row: &Step) -> Result<(), String> {
        match (row.effect, &self.failed) {
            (Effect::Reads, _) => Ok(()),
            (Effect::Asks, _) if !self.asked => {
                Err("it asks for a server-side dry run (--include-changes)".to_owned())
            }
            (Effect::Changes, _) if !self.asked => {
                Err("it changes the cluster (--include-changes)".to_owned())
            }
            _ if !self.is_the_runs_namespace => Err("the namespace here is not the run's".to_owned()),
            (Effect::Asks, _) => Ok(()),
            (Effect::Changes, Some(failed)) => Err(format!("{failed} failed")),
            (Effect::Changes, None) if self.lands_there.contains(key(&row.id)) => Ok(()),
            (Effect::Changes, None) => Err(format!(
                "guard.{} did not show that all of it lands in the run's namespace",
                key(&row.id)
            )),
        }
    }

    /// Learns from what a command has shown.
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
                    self.lands_there.insert(key(&row.id).to_owned());
                }
                _ => {}
            }
        }
        // An apply names no context: it goes where use-context has led.
        let leads = row.effect == Effect::Changes || row.id == "use-context";
        if leads && !outcome.succeeded() {
            self.failed = Some(row.id.to_string());
        }
    }
}

/// What stands behind the dot: `api` of `apply.api`.
fn key(id: &str) -> &str {
    id.split_once('.').map_or("", |(_, key)| key)
}
