//! Starting and ending subprocesses: the only user of duct.
//!
//! [`run`] starts the stages of a [`Command`], passes on what they print as it comes, and returns when all
//! have ended, each in its own way ([`Ended`]). It waits in one place, a `poll` over both outputs, the
//! [`Cancel`]s, and the threads that learn how the stages end; nothing sleeps, and no thread reads.
//!
//! A command that has to be ended gets TERM (and CONT, for what is stopped) in each stage's process group,
//! the grace to comply, then KILL.

mod cancel;
mod outputs;
mod stages;
mod termination;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, PipeReader, PipeWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

pub use cancel::Cancel;

use crate::events::EndedBy;
use outputs::Outputs;
use stages::Stages;
use termination::Termination;

/// How long a command that must end may take after TERM before it is killed.
pub const GRACE: Duration = Duration::from_secs(10);

/// Where the programs are that commands may name: from the name in a command line to the absolute path.
pub type Programs = BTreeMap<String, PathBuf>;

/// A pipeline to run.
#[derive(Debug, Clone, Copy)]
pub struct Command<'a> {
    /// The arguments of each stage, the name of its program first; standard output of one is standard input
    /// of the next.
    pub stages: &'a [Vec<String>],
    /// Where the programs are.
    pub programs: &'a Programs,
    /// The current folder of every stage.
    pub dir: &'a Path,
    /// What is set (or, with `None`, removed) on top of our own environment.
    pub env: &'a [(OsString, Option<OsString>)],
    /// Standard input of the first stage, at most what a pipe holds (64 KiB on Linux); `None` is `/dev/null`.
    ///
    /// It is in the pipe before the stage starts, so that a secret takes no other way and no thread writes
    /// it.
    pub stdin: Option<&'a [u8]>,
    /// When the command is ended, counted from its start.
    pub deadline: Duration,
    /// How long it may take after TERM before it is killed: [`GRACE`].
    pub grace: Duration,
    /// Ends the grace when it is pulled.
    pub kill_now: Option<&'a Cancel>,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit status of each stage as bash's `PIPESTATUS` has it: its code, or 128 and the signal it died
    /// of; -1 for one that could not be read. Empty where nothing was started because a [`Cancel`] was pulled
    /// already.
    pub exit: Vec<i32>,
    /// What brought it to its end.
    pub by: EndedBy,
    /// From before the first stage was started until all had ended and the outputs were closed.
    pub duration: Duration,
    /// What else one should know, as a sentence: something outlived its end, or output may be short.
    pub note: Option<String>,
    /// Why output could not be kept: the first error of a sink, or of reading.
    pub sink_error: Option<io::Error>,
}

/// Why a command did not start. Nothing of it runs.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// A stage without a program, or no stage.
    #[error("there is no program to run")]
    NoProgram,
    /// The program is not one of [`Command::programs`].
    #[error("{program} is not among the programs that were looked up")]
    NotLookedUp {
        /// As the command names it.
        program: String,
    },
    /// The system did not start the program. Earlier stages that ran already were ended.
    #[error("{program} ({}) could not be started: {cause}", path.display())]
    NotStarted {
        /// As the command names it.
        program: String,
        /// Where it was found.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// No pipe, or no room in it.
    #[error("no pipe for {purpose}: {cause}")]
    NoPipe {
        /// What it was for.
        purpose: &'static str,
        /// What the system said.
        cause: io::Error,
    },
    /// Standard input is more than a pipe holds.
    #[error("{bytes} bytes of standard input are more than a pipe holds")]
    StdinTooLong {
        /// How many there are.
        bytes: usize,
    },
}

/// Runs `command` to its end, and passes on what its last stage prints and what all stages print on stderr.
///
/// It is ended early when its deadline passes, any of `halts` is pulled, it asks for the terminal, or a sink
/// fails (which is not written to any more then; the other one still is). The sinks are not flushed.
///
/// # Errors
/// When a stage can't be started. What happens later is in [`Ended`].
pub fn run(
    command: &Command<'_>,
    stdout: &mut dyn Write,
    stderr: &mut dyn Write,
    cancels: &[&Cancel],
) -> Result<Ended, SpawnError> {
    let started = Instant::now();
    if cancels.iter().any(|cancel| cancel.is_cancelled()) {
        let note = Some("not started: the run was being ended".to_owned());
        let by = EndedBy::StagingDryRun;
        return Ok(Ended { exit: Vec::new(), by, duration: Duration::ZERO, note, sink_error: None });
    }
    let (mut stages, [output, errors]) = Stages::start(command)?;
    let mut outputs = Outputs::new([(output, stdout), (errors, stderr)]);
    let mut termination = Termination::new(started, command);

    while stages.are_running() || outputs.are_open() {
        let ready = match wait(
            &stages,
            &outputs,
            termination.watched_cancels(cancels, command.kill_now.as_slice()),
            termination.until(),
        ) {
            Ok(ready) => ready,
            Err(error) => {
                outputs.fail(error);
                stages.end();
                break;
            }
        };
        if outputs.pass_on(ready.outputs).is_err() {
            termination.end(&mut stages, EndedBy::OutputNotKept);
        }
        // After the sinks, which may have taken their time, and before anything that ends the command: of one
        // that has ended by itself meanwhile we should not say that we ended it.
        if stages.learn() {
            termination.end(&mut stages, EndedBy::AskedForTerminal);
        }
        if ready.cancel {
            termination.heed(&mut stages);
        }
        if termination.is_over(&mut stages, ready.outputs.contains(&true)) {
            break;
        }
    }
    if termination.was_ended() {
        // What ignored TERM and held no output was not waited for.
        stages.kill();
    }
    Ok(Ended {
        exit: stages.exits(),
        by: termination.by(&outputs),
        duration: started.elapsed(),
        note: termination.note(&stages, &outputs),
        sink_error: outputs.into_error(),
    })
}

/// What there is to do.
struct Ready {
    outputs: [bool; 2],
    cancel: bool,
}

/// Waits until there is something to do, or `until`.
fn wait(stages: &Stages, outputs: &Outputs<'_>, cancels: &[&Cancel], until: Instant) -> io::Result<Ready> {
    let pipes = outputs.pipes();
    let mut fds = vec![PollFd::new(stages.wakeup(), PollFlags::IN)];
    fds.extend(pipes.into_iter().flatten().map(|pipe| PollFd::new(pipe, PollFlags::IN)));
    fds.extend(cancels.iter().map(|cancel| PollFd::new(cancel.pipe(), PollFlags::IN)));
    poll(&mut fds, until)?;
    // The bell has done what it is for: it woke us.
    let mut ready = fds.iter().skip(1).map(|fd| !fd.revents().is_empty());
    Ok(Ready {
        outputs: pipes.map(|pipe| pipe.is_some() && ready.next() == Some(true)),
        cancel: ready.any(|ready| ready),
    })
}

/// Polls until `until`, or for an hour, or until a signal comes; then nothing is ready.
fn poll(fds: &mut [PollFd<'_>], until: Instant) -> io::Result<()> {
    // Some systems refuse a timeout of more than 2^31 ms.
    let left = until.saturating_duration_since(Instant::now()).min(Duration::from_hours(1));
    match rustix::event::poll(fds, Timespec::try_from(left).ok().as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// This long after `start`; a century, where the clock ends before.
fn after(start: Instant, duration: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_hours(100 * 365 * 24);
    start + duration.min(CENTURY)
}

/// A pipe that no child inherits.
fn pipe() -> io::Result<(PipeReader, PipeWriter)> {
    let _alone = not_while_starting();
    io::pipe()
}

/// Keeps a process from being started while another thread makes a pipe, and the other way round.
///
/// On macOS a new pipe is inheritable for a moment; a child started in it would hold the pipe open.
fn not_while_starting() -> Option<MutexGuard<'static, ()>> {
    static STARTING: Mutex<()> = Mutex::new(());
    cfg!(target_vendor = "apple").then(|| STARTING.lock().unwrap_or_else(PoisonError::into_inner))
}
