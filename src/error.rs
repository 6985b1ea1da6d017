//! The program's own failures.
//!
//! Each of them ends the run with exit code 4; a result of the run is never one of them.

use std::io;

use crate::exec::SpawnError;
use crate::runbook::StepId;

/// A failure of the program itself: exit code 4.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Evidence could not be written or read back.
    #[error("evidence could not be written or read: {0}")]
    Evidence(#[from] io::Error),
    /// A program that was found on PATH could not be started.
    #[error(transparent)]
    Start(#[from] SpawnError),
    /// A program printed output that its format does not allow.
    #[error(transparent)]
    Unreadable(#[from] crate::facts::Unreadable),
    /// The recorded output of a command can't be read; the text is the reason.
    #[error("{0}")]
    Output(String),
    /// The command of a step could not be expanded.
    #[error("the command of {id} can't be run: {why}")]
    Row {
        /// The step.
        id: StepId,
        /// Why.
        why: String,
    },
    /// A value to redact occurs in a word that decides the verdict.
    #[error("a redacted value is in a word that a rule reads, so the run can't be judged: {0}")]
    Redacted(String),
    /// The sums could not be signed.
    #[error(transparent)]
    Signature(#[from] crate::signature::SignatureError),
    /// A part of the program could not be set up.
    #[error("{what}: {cause}")]
    Setup {
        /// The part that failed.
        what: &'static str,
        /// The system's error.
        cause: String,
    },
}
