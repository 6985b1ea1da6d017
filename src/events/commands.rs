use serde::{Deserialize, Serialize};

use crate::moment::Moment;
use crate::runbook::Phase;

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

impl Effect {
    /// As the journal writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Reads => "reads",
            Self::Asks => "asks",
            Self::Changes => "changes",
        }
    }
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

    /// What to tell a person of it; `None`: nothing out of the ordinary.
    pub fn says(self) -> Option<&'static str> {
        match self {
            Self::Itself | Self::HeldPipes => None,
            Self::Deadline => Some("it gave no answer in time and was ended"),
            Self::StagingDryRun => Some("it was ended because the run no longer needed it"),
            Self::AskedForTerminal => Some("it asked for the terminal: log in first, then run again"),
            Self::OutputNotKept => Some("what it printed could not be kept"),
        }
    }
}

/// What is written before a command starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// The step's id; a step that is done several times has several intents.
    pub id: String,
    /// The folder it belongs to.
    pub phase: Phase,
    /// What it does to the cluster.
    pub effect: Effect,
    /// The command, fully expanded, as a person can paste it.
    pub text: String,
    /// Whether the API key's header is on its standard input.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reads_key: bool,
}

/// What is written when a command has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The step's id.
    pub id: String,
    /// When it was started.
    pub started: Moment,
    /// How long it took, in ms.
    pub duration_ms: u64,
    /// One status a stage, as bash's `PIPESTATUS`.
    pub exit: Vec<i32>,
    /// What ended it.
    pub ended_by: EndedBy,
    /// What is to be known about its output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Where its standard output is kept; `None`: it printed nothing, or nothing is kept.
    pub stdout: Option<ByteRange>,
    /// Where its standard error is kept.
    pub stderr: Option<ByteRange>,
    /// The first line it had to say about its failure.
    #[serde(rename = "said", default, skip_serializing_if = "Option::is_none")]
    pub first_error: Option<String>,
    /// What was taken out of its output.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redactions: Vec<Redaction>,
}

impl Outcome {
    /// Whether it ended by itself and every stage with 0.
    pub fn succeeded(&self) -> bool {
        !self.ended_by.is_our_doing() && !self.exit.is_empty() && self.exit.iter().all(|&status| status == 0)
    }

    /// Whether the server said that what was asked for is not there.
    pub fn found_nothing(&self) -> bool {
        self.first_error.as_deref().is_some_and(|said| said.contains("(NotFound)"))
    }

    /// Why it gave no answer: what we did to it, else what it said.
    pub fn why(&self) -> &str {
        self.ended_by.says().or(self.first_error.as_deref()).unwrap_or("it failed without a word")
    }
}

/// A range of bytes of an evidence file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByteRange {
    /// The file's path below the evidence folder.
    pub file: String,
    /// Its first byte.
    pub from: u64,
    /// The byte behind its last.
    pub to: u64,
}

impl ByteRange {
    /// How many bytes it has.
    pub fn length(&self) -> u64 {
        self.to.saturating_sub(self.from)
    }
}

/// How often a named value was taken out of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Redaction {
    pub file: String,
    pub name: String,
    pub count: u64,
}
