//! The records of a command: its intent, written before it starts, and its outcome, written after it ended.
//!
//! An intent without an outcome means that the effect of the command is unknown.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Note;
use crate::command::Effect;
use crate::moment::Moment;
use crate::runbook::{Phase, StepId};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndedBy {
    /// Every stage ended by itself.
    Itself,
    /// The command's deadline passed, and the program ended it.
    Deadline,
    /// The program ended it, because of the event with this number: a signal, a sighting that stops the run,
    /// or the last event before the run no longer needed it.
    StagingDryRun(u64),
    /// It was stopped and ended, because it or its credential plugin tried to use the terminal.
    AskedForTerminal,
    /// It ended, but left a process running that kept its output open.
    HeldPipes,
    /// Its output could not be stored, so the program ended it.
    OutputNotKept,
}

impl EndedBy {
    /// Returns whether the program caused the exit code; no rule judges such an exit code.
    pub fn is_our_doing(self) -> bool {
        !matches!(self, Self::Itself | Self::HeldPipes)
    }

    /// Returns whether the program ended the command because the run was over or to be stopped; its outcome then
    /// means nothing.
    pub fn is_cancelled(self) -> bool {
        matches!(self, Self::StagingDryRun(_))
    }

    /// Returns the message for the user; `None` if the command ended by itself.
    pub fn says(self) -> Option<&'static str> {
        match self {
            Self::Itself | Self::HeldPipes => None,
            Self::Deadline => Some("it gave no answer in time and was ended"),
            Self::StagingDryRun(_) => Some("it was ended because the run no longer needed it"),
            Self::AskedForTerminal => Some("it asked for the terminal: log in first, then run again"),
            Self::OutputNotKept => Some("its output could not be stored"),
        }
    }
}

/// The record that is written before a command starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// The number of the command in the run, from 1; its end and its sightings name it.
    pub n: u64,
    /// The step; a repeated step has an intent for each repetition.
    pub id: StepId,
    /// The phase, which is the directory of its output.
    pub phase: Phase,
    /// The effect on the cluster.
    pub effect: Effect,
    /// The command, fully expanded, as a user can paste it into a shell.
    pub text: String,
    /// The objects of the cluster that the command is about, by variable: `POD`, `CONTAINER`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub met: BTreeMap<String, String>,
    /// The number of the event that made the run look: the sighting of a pod; `None` for other commands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<u64>,
    /// The time limit, after which the program ends the command, in ms.
    pub deadline_ms: u64,
    /// Whether the header with the API key is on its standard input.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reads_key: bool,
}

impl Intent {
    /// Returns whether another intent is a repetition of the same command.
    pub fn is_same_command(&self, other: &Self) -> bool {
        self.id == other.id && self.text == other.text && self.met == other.met
    }
}

/// The exit code of a stage that died of SIGPIPE, as bash counts it: 128 + 13.
const BROKEN_PIPE: i32 = 141;

/// The record that is written when a command has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The number of the command, as in its [`Intent`].
    pub n: u64,
    /// The step.
    pub id: StepId,
    /// When it started.
    pub started: Moment,
    /// How long it took, in ms.
    pub duration_ms: u64,
    /// One exit code for each stage, as in bash's `PIPESTATUS`.
    pub exit: Vec<i32>,
    /// How it ended.
    pub ended_by: EndedBy,
    /// A remark about its output, such as a missing part; `None` if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
    /// Where its standard output is stored; `None` if it printed nothing or nothing was stored.
    pub stdout: Option<ByteRange>,
    /// Where its standard error is stored; `None` if it printed nothing or nothing was stored.
    pub stderr: Option<ByteRange>,
    /// The first line of its error message; `None` if it printed none.
    #[serde(rename = "said", default, skip_serializing_if = "Option::is_none")]
    pub first_error: Option<String>,
    /// The number of redacted values in its output, for each file and name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redactions: Vec<Redaction>,
}

impl Outcome {
    /// Returns whether the command ended by itself with exit code 0 in every stage.
    pub fn succeeded(&self) -> bool {
        !self.ended_by.is_our_doing() && !self.exit.is_empty() && self.exit.iter().all(|&status| status == 0)
    }

    /// Returns the stage that made the command fail, from 0, with its exit code; `None` if every stage exited 0.
    ///
    /// Of several failing stages it is the rightmost that did not die of SIGPIPE: a stage that fails closes the
    /// pipe of the stages before it.
    pub fn failed_stage(&self) -> Option<(usize, i32)> {
        let failed = || self.exit.iter().copied().enumerate().rev().filter(|(_, status)| *status != 0);
        failed().find(|(_, status)| *status != BROKEN_PIPE).or_else(|| failed().next())
    }

    /// Returns whether the server reported that the requested object does not exist.
    pub fn found_nothing(&self) -> bool {
        self.first_error.as_deref().is_some_and(|said| said.contains("(NotFound)"))
    }

    /// Returns why the command gave no answer: the program ended it, or its own error message.
    pub fn why(&self) -> &str {
        self.ended_by.says().or(self.first_error.as_deref()).unwrap_or("it failed without an error message")
    }
}

/// A range of bytes in an evidence file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByteRange {
    /// The file's path, relative to the evidence directory.
    pub file: String,
    /// The offset of the first byte.
    pub from: u64,
    /// The offset after the last byte.
    pub to: u64,
}

impl ByteRange {
    /// Returns the number of bytes in the range.
    pub fn length(&self) -> u64 {
        self.to.saturating_sub(self.from)
    }
}

/// The number of times that a named value was redacted from a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redaction {
    /// The file's path, relative to the evidence directory.
    pub file: String,
    /// The name of the value: a variable, or an HTTP header field.
    pub name: String,
    /// The number of redactions.
    pub count: u64,
}

#[cfg(test)]
mod tests {
    use crate::fixture::outcome;

    #[test]
    fn the_stage_that_fails_is_the_cause_and_not_the_ones_that_lost_their_reader() {
        let failed = |exit: &[i32]| outcome("apply.api", exit).failed_stage();
        assert_eq!(failed(&[0, 0, 0]), None);
        assert_eq!(failed(&[1, 0, 1]), Some((2, 1)));
        assert_eq!(failed(&[1, 0, 0]), Some((0, 1)));
        assert_eq!(failed(&[0, 2, 141]), Some((1, 2)));
        assert_eq!(failed(&[141, 0, 0]), Some((0, 141)));
        assert_eq!(failed(&[]), None);
    }
}
