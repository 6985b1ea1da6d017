//! Carries out the procedure of the runbook: does what [`crate::procedure`] says is due.
//!
//! Nothing on the cluster is changed before every guard holds. The procedure decides by the recorded events
//! alone, so the run and `verify` come to the same verdict.

mod begin;
mod children;
mod driver;
mod end;
mod lines;
mod raw_names;
mod real_world;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use camino::Utf8PathBuf;

use crate::error::Error;
use crate::events::{Options, Scope};
use crate::evidence::Lock;
use crate::exec::Cancel;
use crate::inputs::Inputs;
use crate::report::Verbosity;
use crate::runbook::Runbook;
use crate::session::{HostEnvironment, Session};
use begin::Start;
use children::Children;
use driver::{Driver, Message};
use raw_names::RawNames;
use real_world::RealWorld;

/// The request for a run.
pub struct Job {
    /// The runbook to carry out.
    pub runbook: Arc<Runbook>,
    /// The part of the runbook to carry out.
    pub scope: Scope,
    /// The inputs, which are valid.
    pub inputs: Inputs,
    /// The options.
    pub options: Options,
    /// The root directory of the repository.
    pub root: Utf8PathBuf,
    /// The directory of the manifests.
    pub manifests: Utf8PathBuf,
    /// The directory that contains the dated evidence directories.
    pub evidence: Utf8PathBuf,
    /// The arguments on the command line.
    pub argv: Vec<String>,
    /// How much is printed.
    pub verbosity: Verbosity,
}

/// The reason why a run ended before it began.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The run is refused; nothing was run and nothing was written.
    #[error("{0}")]
    Refused(String),
    /// The value of a secret can't be redacted; the text names the secret, and words of it may equal the value.
    #[error("{0}")]
    NotRedactable(String),
    /// A signal arrived first.
    #[error("Ended by signal {0}. Nothing was run.")]
    Interrupted(i32),
    /// A failure of the tool itself.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// What the commands of a run have in common.
struct Equipment {
    job: Job,
    session: Session,
    /// The real names of pods whose names in the evidence have a secret redacted.
    raw_names: RawNames,
    /// Cancelled when no signal needs to be reported any more.
    finished: Cancel,
    /// Held for as long as the run writes evidence.
    _lock: Option<Lock>,
}

/// What the threads of a run tell the one that decides.
enum Heard {
    /// A line that a command printed, for the screen.
    Line(String),
    /// Anything that is recorded.
    Message(Message),
}

/// Carries out a run, and returns the exit code.
///
/// # Errors
/// [`StartError`] when nothing was run; a later failure is printed and is in the exit code.
pub fn run(job: Job, host: &HostEnvironment) -> Result<u8, StartError> {
    let Start { equipment, journal, screen, began, reserve } = Start::new(job, host)?;
    thread::scope(|scope| {
        let (tell, heard) = mpsc::channel();
        let children = Children::new(scope, &equipment, tell);
        children.report_the_signal();
        let world = RealWorld {
            equipment: &equipment,
            children,
            heard,
            journal,
            screen,
            began: Some(began),
            reserve,
        };
        let mut driver = Driver::new(world);
        driver.begin()?;
        let result = driver.drive();
        Ok(end::end(driver, result))
    })
}
