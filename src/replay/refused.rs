//! The reasons why nothing is re-run.

use std::io;

use camino::Utf8PathBuf;

use crate::error::Error;
use crate::evidence::SECRET_FIELDS;
use crate::inputs::{Inputs, Refused};
use crate::run_state::RunState;
use crate::tools::Missing;
use crate::verify::CannotRead;

/// The reason why nothing was re-run: what was found, and what to do next.
#[derive(Debug, thiserror::Error)]
pub enum CannotReplay {
    /// The evidence can't be read.
    #[error(transparent)]
    Unreadable(#[from] CannotRead),
    /// The evidence does not hold, or that could not be decided, so there is nothing to compare with.
    #[error("`verify` does not report HOLDS for {0}.\nSee why: staging-dry-run verify {0}")]
    DoesNotHold(Utf8PathBuf),
    /// The run ran no command, so there is nothing to re-run.
    #[error("{0} is the evidence of a run that ran no command.\nGive the directory of another run.")]
    NothingRun(Utf8PathBuf),
    /// Changes were requested on another context than the run's.
    #[error(
        "the run used the context {of_the_run:?}, not {given:?}.\nIf it is the same cluster, give the run's name for it: --context {of_the_run:?}."
    )]
    OtherContext {
        /// The context of the run.
        of_the_run: String,
        /// The given context.
        given: String,
    },
    /// The current kubeconfig does not contain the run's context, or can't be read.
    #[error(
        "the run's context {name:?} could not be read from this kubeconfig: {said}\nList its contexts: kubectl config get-contexts -o name; or set KUBECONFIG."
    )]
    NoContext {
        /// The context of the run.
        name: String,
        /// The error that kubectl printed.
        said: String,
    },
    /// A signal ended the replay before anything was compared.
    #[error("Ended by signal {0}. Nothing was compared.")]
    Interrupted(i32),
    /// The cluster answered the run, and does not answer now.
    #[error(
        "the cluster of context {context:?} does not answer: {said}\nTry again where it does, or verify offline: staging-dry-run verify {evidence}"
    )]
    NoAnswer {
        /// The evidence directory.
        evidence: Utf8PathBuf,
        /// The context of the run.
        context: String,
        /// The error that kubectl printed.
        said: String,
    },
    /// A value in the evidence or in the environment is not valid as an input of a run.
    #[error(
        "{0}.\nIf the value is from your environment, correct it; if it is from the evidence, no run of this version wrote it."
    )]
    Inputs(String),
    /// A value that the run redacted would be stored now, because it is not known here.
    #[error(
        "the run redacted the value of {0}, which is not known here.\nExport {0}, and name it in STAGING_REDACT (except the API key), so that it is redacted again."
    )]
    NotTakenOut(String),
    /// A program is missing.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// The directory for the new output can't be created.
    #[error("{0}.\nGive a directory that does not exist yet, outside the evidence.")]
    Folder(String),
    /// A failure of the tool itself.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl CannotReplay {
    pub(super) fn inputs(refused: &Refused) -> Self {
        let told = refused.problems.iter().map(|problem| format!("{} {}", problem.name, problem.fault));
        Self::Inputs(told.collect::<Vec<_>>().join("; "))
    }
}

impl From<io::Error> for CannotReplay {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// Refuses a run that redacted values which are not known here: its commands print them again, so they have
/// to be redacted again.
pub(super) fn unless_all_is_taken_out(run: &RunState, inputs: &Inputs) -> Result<(), CannotReplay> {
    let is_known = |name: &str| {
        name == "STAGING_API_KEY" && inputs.api_key.is_some()
            || inputs.redact.iter().any(|(known, _)| known == name)
    };
    let redactions = run.redactions();
    let mut names = redactions.iter().map(|redaction| redaction.name.as_str());
    match names.find(|name| !SECRET_FIELDS.contains(name) && !is_known(name)) {
        Some(name) => Err(CannotReplay::NotTakenOut(name.to_owned())),
        None => Ok(()),
    }
}
