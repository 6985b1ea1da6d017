//! The runbook as a value: its steps, its checks, its stop rules and its success criteria.
//!
//! A [`Runbook`] is read from a [`Document`], and from nothing else. A run reads it once, stores the
//! document's text as evidence, and decides by it. `verify` and `replay` read it again from that evidence. A
//! step contains the runbook's command *with its variables*; `run`, `plan`, `explain` and every `cmd.txt` use
//! these steps.
//!
//! Invariants: each step's [`Effect`](crate::command::Effect) is computed from its own words, and a step that
//! is derived from an apply only reads or is a server-side dry run. A document that violates them is refused.

use std::sync::{Arc, LazyLock};

mod checks;
mod derived;
mod document;
mod evidence_files;
mod exit_codes;
mod own_steps;
mod permissions;
mod procedure;
mod reader;
mod sentences;
mod step;
mod step_id;
#[cfg(test)]
mod tests;
mod troubleshooting;

pub use checks::Check;
pub use document::{BUILT_IN, Document};
pub use evidence_files::EvidenceFile;
pub use exit_codes::{ENDING_SIGNALS, EXIT_CODES, ExitCode, exit_of_signal};
pub use permissions::Permission;
pub use procedure::Deployment;
pub use reader::{DocumentProblem, NotARunbook};
pub use sentences::LatencyGroup;
pub use step::{DEPLOY_LOGS, Keep, Limit, Phase, Step};
pub use step_id::{
    CheckNumber, DeploymentId, HealthPath, LatencyGroupId, PermissionId, ShownBy, StepId, UnknownStep,
    VersionedTool,
};
pub use troubleshooting::{TROUBLESHOOTING, TroubleshootingEntry};

/// A runbook that can be carried out.
///
/// The default one has no steps: it belongs to a run whose document is not recorded yet.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Runbook {
    /// The document that it was read from.
    pub document: Document,
    /// The Deployments that are applied and waited for, in the document's order.
    pub deployments: Vec<Deployment>,
    /// The timeout of each rollout, as kubectl parses it: `5m`.
    pub rollout_timeout: String,
    /// The time limit for `/health` and `/readyz` to answer 200, in ms (stop rule 3).
    pub health_timeout_ms: u64,
    /// The smoke checks, in the document's order.
    pub checks: Vec<Check>,
    /// The number of checks that must pass; with fewer, stop rule 4 fires.
    pub smoke_threshold: usize,
    /// The latency limits.
    pub latency_groups: Vec<LatencyGroup>,
    /// The words of the four stop rules.
    pub stop_rules: Vec<String>,
    /// The words of the success criteria.
    pub criteria: Vec<String>,
    /// The files of the Evidence Checklist.
    pub evidence_files: Vec<EvidenceFile>,
    /// The permissions that a run needs.
    pub permissions: Vec<Permission>,
    /// Every command of a run, in its order.
    pub steps: Vec<Step>,
}

impl Runbook {
    /// Reads the runbook of a document.
    ///
    /// # Errors
    /// When a part is not understood, or would change the cluster where it must not.
    pub fn read(document: &Document) -> Result<Self, NotARunbook> {
        reader::read(document)
    }

    /// Reads the runbook of a document; the built-in one is read once for all.
    ///
    /// # Errors
    /// As in [`read`](Self::read).
    pub fn shared(document: &Document) -> Result<Arc<Self>, NotARunbook> {
        static BUILT_IN_RUNBOOK: LazyLock<Result<Arc<Runbook>, NotARunbook>> =
            LazyLock::new(|| Runbook::built_in().map(Arc::new));
        if document.text() == BUILT_IN {
            return BUILT_IN_RUNBOOK.clone();
        }
        Self::read(document).map(Arc::new)
    }

    /// Reads the built-in runbook.
    ///
    /// # Errors
    /// As in [`read`](Self::read): an error in an edited document is reported at the next start.
    pub fn built_in() -> Result<Self, NotARunbook> {
        Self::read(&Document::new(BUILT_IN))
    }

    /// Returns a step by its id; `None` if this runbook has no such step.
    pub fn step(&self, id: &StepId) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == *id)
    }

    /// Returns the paths of the files that exist only if the run stopped.
    pub fn files_on_stop(&self) -> impl Iterator<Item = &str> {
        self.evidence_files.iter().filter(|file| file.only_on_stop).map(|file| file.path.as_str())
    }

    /// Returns the position of a step among all steps; `usize::MAX` if this runbook has no such step.
    pub fn place(&self, id: &StepId) -> usize {
        self.steps.iter().position(|step| step.id == *id).unwrap_or(usize::MAX)
    }

    /// Returns the check with this number.
    pub fn check(&self, number: CheckNumber) -> Option<&Check> {
        self.checks.iter().find(|check| check.number == number)
    }

    /// Returns the check of this path.
    pub fn check_of(&self, path: HealthPath) -> Option<&Check> {
        self.checks.iter().find(|check| check.path == path.path())
    }

    /// Returns the Deployment with this id.
    pub fn deployment(&self, id: &DeploymentId) -> Option<&Deployment> {
        self.deployments.iter().find(|deployment| deployment.id == *id)
    }

    /// Returns the Deployment that a manifest must contain.
    pub fn deployment_in(&self, manifest: &str) -> Option<&Deployment> {
        self.deployments.iter().find(|deployment| deployment.manifest == manifest)
    }

    /// Returns the steps of all checks; `None` without checks.
    pub fn all_checks(&self) -> Option<ShownBy> {
        Some(ShownBy::Steps(self.checks.first()?.id(), self.checks.last()?.id()))
    }
}
