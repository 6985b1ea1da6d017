//! The events of a run: one line of `journal.jsonl` each.

use serde::{Deserialize, Serialize};

/// What a command does to the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Changes nothing that is not ours. `kubectl config use-context` on our own overlay is one of these.
    Reads,
    /// A server-side dry run: the cluster is asked what it would do, and stores nothing.
    Asks,
    /// Changes the cluster.
    Changes,
}

/// How a command came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndedBy {
    /// Every stage ended by itself.
    Itself,
    /// Our own deadline passed and we ended it.
    Deadline,
    /// We ended it because the run no longer needed it, or was told to stop.
    StagingDryRun,
    /// It was stopped because it, or a credential plugin it started, wanted to read the terminal.
    AskedForTerminal,
    /// It ended, but left something running that held its output open.
    HeldPipes,
    /// What it printed could not be kept, so it was ended.
    OutputNotKept,
}

impl EndedBy {
    /// Whether the exit status was caused by us: a rule never judges such a status.
    pub fn is_our_doing(self) -> bool {
        !matches!(self, Self::Itself | Self::HeldPipes)
    }
}
