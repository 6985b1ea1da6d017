//! Carries out the procedure of the runbook, one file per phase; `Run::procedure` lists the phases.
//!
//! Nothing on the cluster is changed before every guard holds. After each command the recorded state decides
//! whether the run may continue, so the run and `verify` come to the same verdict.

mod begin;
mod commands;
mod deploy;
mod dump;
mod end;
mod lines;
mod preflight;
mod raw_names;
mod recorder;
mod smoke;
mod watch;

use std::ffi::OsString;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;

use crate::error::Error;
use crate::events::{EventKind, Options, Scope};
use crate::evidence::{Lock, Reserve, Tree};
use crate::exec::{Cancel, Programs};
use crate::inputs::Inputs;
use crate::moment::millis;
use crate::report::Verbosity;
use crate::runbook::Runbook;
use crate::session::{HostEnvironment, Kubeconfig, Signals};
use crate::verdict;
use raw_names::RawNames;
use recorder::Recorder;

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
    /// [`Options::rollout_timeout`] as a duration.
    pub rollout_timeout: Duration,
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

/// The reason why a run does not continue.
#[derive(Debug)]
enum Interruption {
    /// The recorded state: a guard refuses, or a stop rule fired.
    Judged,
    /// A signal.
    Interrupted(i32),
    /// A failure of the tool itself.
    Failed(Error),
}

impl From<Error> for Interruption {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// A run in progress.
struct Run {
    job: Job,
    programs: Programs,
    /// Variables that name a file, with paths made absolute, because child processes have another current
    /// directory.
    paths: Vec<(OsString, OsString)>,
    kubeconfig: Kubeconfig,
    tree: Tree,
    recorder: Recorder,
    /// The real names of pods whose names in the evidence have a secret redacted.
    raw_names: RawNames,
    signals: Signals,
    /// Cancelled when an observation of the watch stops the run.
    stop: Cancel,
    /// Cancelled when the watch is no longer needed.
    stop_watching: Cancel,
    step_locks: commands::StepLocks,
    /// Held from reading a pod until its conclusion is recorded, so that sightings are judged one at a time.
    looks: Mutex<()>,
    /// Held for as long as the run writes evidence.
    _lock: Option<Lock>,
    /// Disk space for the files that are written at the end.
    reserve: Option<Reserve>,
}

/// Carries out a run, and returns the exit code.
///
/// # Errors
/// [`StartError`] when nothing was run; a later failure is printed and is in the exit code.
pub fn run(job: Job, host: &HostEnvironment) -> Result<u8, StartError> {
    let run = Run::begin(job, host)?;
    let result = run.procedure();
    Ok(run.end(result))
}

impl Run {
    fn procedure(&self) -> Result<(), Interruption> {
        match self.job.scope {
            Scope::Preflight => self.preflight(),
            Scope::Smoke => self.smoke(),
            Scope::Whole => {
                self.preflight()?;
                self.under_watch(|| {
                    if self.job.options.apply {
                        self.deploy()?;
                    }
                    self.rollout()?;
                    self.after()?;
                    self.smoke()
                })
            }
        }
    }

    fn note(&self, what: EventKind) -> Result<(), Error> {
        self.recorder.note(&self.tree, what)
    }

    /// Checks whether the run may continue, by the state recorded so far.
    fn check_may_continue(&self) -> Result<(), Interruption> {
        if let Some(signal) = self.signals.number() {
            return Err(Interruption::Interrupted(signal));
        }
        let over = self.recorder.read(|run| {
            let judgement = verdict::judge(run);
            let refused = !judgement.findings.is_empty();
            refused || judgement.stop.is_some() || verdict::undecided_command(run).is_some()
        });
        if over { Err(Interruption::Judged) } else { Ok(()) }
    }

    fn step_ended(&self, step: u8, start: Instant) -> Result<(), Interruption> {
        self.note(EventKind::StepEnded { step, duration_ms: millis(start.elapsed()) })?;
        self.save()?;
        Ok(())
    }
}
