//! What can go wrong with the tool itself.

use std::io;

use crate::exec::SpawnError;

/// The tool's own failure: exit 4.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Evidence could not be written or read back.
    #[error("evidence could not be kept: {0}")]
    Evidence(#[from] io::Error),
    /// A program that was found could not be started.
    #[error(transparent)]
    Start(#[from] SpawnError),
    /// What a program printed is not what it prints.
    #[error(transparent)]
    Unreadable(#[from] crate::facts::Unreadable),
    /// A row's command could not be made into one.
    #[error("the command of {id} can't be run: {why}")]
    Row {
        /// The row.
        id: String,
        /// Why.
        why: String,
    },
    /// The sums could not be signed.
    #[error(transparent)]
    Signature(#[from] crate::signature::SignatureError),
    /// Something of ours that can't be set up.
    #[error("{what}: {cause}")]
    Setup {
        /// What.
        what: &'static str,
        /// What the system said.
        cause: String,
    },
}
