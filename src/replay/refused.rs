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
    /// The evidence was altered or contradicts itself, so there is nothing to compare with.
    #[error("{0} is not as its run left it.\nSee where: staging-dry-run verify {0}")]
    DoesNotHold(Utf8PathBuf),
    /// The run ran no command, so there is nothing to re-run.
    #[error("{0} is of a run that ran no command.\nGive the folder of another run.")]
    NothingRun(Utf8PathBuf),
    /// Changes were requested on another context than the run's.
    #[error(
        "the run was on the context {of_the_run:?}, and not on {given:?}.\nGive --context the name that the run had, if it is the same cluster here."
    )]
    OtherContext {
        /// The context of the run.
        of_the_run: String,
        /// The given context.
        given: String,
    },
    /// The current kubeconfig does not contain the run's context, or can't be read.
    #[error(
        "the run's context {name:?} could not be read in the kubeconfig here: {said}\nSee which ones are in it: kubectl config get-contexts -o name; or set KUBECONFIG."
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
        "the cluster of context {context:?} gives no answer here: {said}\nTry where it does, or without it: staging-dry-run verify {evidence}"
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
        "{0}.\nCorrect what is of your environment; if it is the evidence's, no run of this version left it."
    )]
    Inputs(String),
    /// A value that the run redacted would be stored now, because it is not known here.
    #[error(
        "the run took the value of {0} out of what it kept, and it is not known here.\nExport {0}, and name it in STAGING_REDACT (but for the API key), so that it is taken out again."
    )]
    NotTakenOut(String),
    /// A program is missing.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// The directory for the new output can't be created.
    #[error("{0}.\nGive a folder that is not there yet, outside of the evidence.")]
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
