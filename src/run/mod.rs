//! The procedure, one file a phase. `Run::procedure` is its table of contents.

mod begin;
mod commands;
mod deploy;
mod dump;
mod end;
mod lines;
mod plan;
mod preflight;
mod recorder;
mod smoke;
mod watch;

use std::ffi::OsString;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;

use crate::error::Error;
use crate::events::{EventKind, Options, Scope};
use crate::evidence::{Lock, Reserve, Tree};
use crate::exec::{Cancel, Programs};
use crate::inputs::Inputs;
use crate::moment::millis;
use crate::report::Verbosity;
use crate::session::{HostEnvironment, Kubeconfig, Signals};
use crate::verdict;
use recorder::Recorder;

pub use plan::plan;

/// What is to be done.
pub struct Job {
    /// How much of the runbook.
    pub scope: Scope,
    /// The inputs, as they were read and found good.
    pub inputs: Inputs,
    /// What is done otherwise than by default.
    pub options: Options,
    /// [`Options::rollout_timeout`] as a duration.
    pub rollout_timeout: Duration,
    /// The repository.
    pub root: Utf8PathBuf,
    /// The folder of the manifests.
    pub manifests: Utf8PathBuf,
    /// The folder of the dated evidence folders.
    pub evidence: Utf8PathBuf,
    /// What stood on the command line.
    pub argv: Vec<String>,
    /// How much is shown.
    pub verbosity: Verbosity,
}

/// How a run came to be over before it began.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Something is refused; nothing was run and nothing written.
    #[error("{0}")]
    Refused(String),
    /// A signal came before.
    #[error("Ended by signal {0}. Nothing was run.")]
    Interrupted(i32),
    /// The tool's own failure.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// Why a run does not go on.
#[derive(Debug)]
enum Interruption {
    /// What follows from the record: a guard refuses, or a stop rule fired.
    CriterionResult,
    /// A signal.
    Interrupted(i32),
    /// The tool's own failure.
    Failed(Error),
}

impl From<Error> for Interruption {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// A run under way.
struct Run {
    job: Job,
    programs: Programs,
    /// Variables that name a file by a path relative to our current folder, made absolute for the children.
    paths: Vec<(OsString, OsString)>,
    kubeconfig: Kubeconfig,
    tree: Tree,
    recorder: Recorder,
    signals: Signals,
    /// Pulled when what the watch saw stops the run.
    stop: Cancel,
    /// Pulled when the watch is no longer needed.
    stop_watching: Cancel,
    turns: commands::StepLocks,
    /// Held for as long as the run writes evidence.
    _lock: Option<Lock>,
    /// For what has to be written at the end.
    reserve: Option<Reserve>,
}

/// Does a job, and returns the exit status.
///
/// # Errors
/// [`StartError`] when nothing was run; what goes wrong later is told and is in the exit status.
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

    /// Whether the run goes on, by what was recorded so far.
    fn check_may_continue(&self) -> Result<(), Interruption> {
        if let Some(signal) = self.signals.number() {
            return Err(Interruption::Interrupted(signal));
        }
        let over = self.recorder.read(|run| {
            let judgement = verdict::judge(run);
            let refused = !judgement.findings.is_empty();
            refused || judgement.stop.is_some() || verdict::undecided_command(run).is_some()
        });
        if over { Err(Interruption::CriterionResult) } else { Ok(()) }
    }

    fn step_ended(&self, step: u8, start: Instant) -> Result<(), Interruption> {
        self.note(EventKind::StepEnded { step, duration_ms: millis(start.elapsed()) })?;
        self.save()?;
        Ok(())
    }
}
