//! Runs subprocesses: the only module that uses duct.
//!
//! [`run`] starts the stages of a [`Command`], passes on their output as it comes, and returns how they ended
//! ([`Ended`]). It waits in one place: a `poll` over both outputs, the [`Cancel`]s, and the pipe on which
//! threads report the end of stages. Nothing sleeps, and no thread reads output.
//!
//! A command that must end gets TERM (and CONT, for stopped processes) in each stage's process group, then a
//! grace period, then KILL.

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

use crate::events::{EndedBy, Note};
use outputs::Outputs;
use stages::Stages;
use termination::Termination;

/// The time between TERM and KILL for a command that must end.
pub const GRACE: Duration = Duration::from_secs(10);

/// The programs that commands may name: the name in a command line, and the absolute path.
pub type Programs = BTreeMap<String, PathBuf>;

/// A pipeline to run.
#[derive(Debug, Clone, Copy)]
pub struct Command<'a> {
    /// The arguments of each stage, with the program's name first; each standard output is the next standard
    /// input.
    pub stages: &'a [Vec<String>],
    /// The programs that may be started.
    pub programs: &'a Programs,
    /// The working directory of every stage.
    pub dir: &'a Path,
    /// The variables to set (or with `None` to remove) in addition to the program's own environment.
    pub env: &'a [(OsString, Option<OsString>)],
    /// The standard input of the first stage, at most the capacity of a pipe (64 KiB on Linux); `None` is
    /// `/dev/null`.
    ///
    /// The pipe is filled before the stage starts, so a secret takes no other path, and no thread writes it.
    pub stdin: Option<&'a [u8]>,
    /// The time limit, from the start of the command.
    pub deadline: Duration,
    /// The time between TERM and KILL, usually [`GRACE`].
    pub grace: Duration,
    /// A cancel that ends the grace period; `None` if nothing can.
    pub kill_now: Option<&'a Cancel>,
}

/// The result of a command.
#[derive(Debug)]
pub struct Ended {
    /// The exit code of each stage, as in bash's `PIPESTATUS`.
    ///
    /// It is the code, or 128 plus the signal that killed the stage, or -1 if it could not be read. The list
    /// is empty if nothing was started because a [`Cancel`] was already requested.
    pub exit: Vec<i32>,
    /// How the command ended.
    pub by: EndedBy,
    /// The time from before the first start until all stages had ended and the outputs were closed.
    pub duration: Duration,
    /// A remark, as a sentence, if a process outlived the end or output may be incomplete; else `None`.
    pub note: Option<Note>,
    /// Why output could not be stored: the first error of a sink or of reading; else `None`.
    pub sink_error: Option<io::Error>,
}

/// The error for a command that did not start; none of its stages runs.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// There is no stage, or a stage has no program.
    #[error("there is no program to run")]
    NoProgram,
    /// The program is not in [`Command::programs`].
    #[error("{program} is not among the programs that were looked up")]
    NotLookedUp {
        /// The program, as the command names it.
        program: String,
    },
    /// The system did not start the program; stages that were already running were ended.
    #[error("{program} ({}) could not be started: {cause}", path.display())]
    NotStarted {
        /// The program, as the command names it.
        program: String,
        /// Its path.
        path: PathBuf,
        /// The system's error.
        cause: io::Error,
    },
    /// A pipe could not be created or filled.
    #[error("could not create a pipe for {purpose}: {cause}")]
    NoPipe {
        /// The purpose of the pipe.
        purpose: &'static str,
        /// The system's error.
        cause: io::Error,
    },
    /// The standard input is larger than a pipe's capacity.
    #[error("{bytes} bytes of standard input are more than fit into a pipe")]
    StdinTooLong {
        /// The size of the input, in bytes.
        bytes: usize,
    },
}

/// Runs a command to its end, and passes on the last stage's standard output and all stages' standard error.
///
/// The command is ended early if its deadline passes, one of `cancels` is requested, it asks for the
/// terminal, or a sink fails. A failed sink gets no more bytes; the other one still does. The sinks are not
/// flushed.
///
/// # Errors
/// When a stage can't be started. Later failures are in [`Ended`].
pub fn run(
    command: &Command<'_>,
    stdout: &mut dyn Write,
    stderr: &mut dyn Write,
    cancels: &[&Cancel],
) -> Result<Ended, SpawnError> {
    let started = Instant::now();
    if cancels.iter().any(|cancel| cancel.is_cancelled()) {
        let note = Some(Note::NotStarted);
        let by = EndedBy::StagingDryRun(0);
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
        // After the sinks, which may have been slow, and before anything that ends the command: a command
        // that has ended by itself meanwhile must not be reported as ended by this program.
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
        // A process that ignored TERM and held no output was not waited for.
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

/// The sources that became ready.
struct Ready {
    outputs: [bool; 2],
    cancel: bool,
}

/// Waits until a source is ready, or until `until`.
fn wait(stages: &Stages, outputs: &Outputs<'_>, cancels: &[&Cancel], until: Instant) -> io::Result<Ready> {
    let pipes = outputs.pipes();
    let mut fds = vec![PollFd::new(stages.wakeup(), PollFlags::IN)];
    fds.extend(pipes.into_iter().flatten().map(|pipe| PollFd::new(pipe, PollFlags::IN)));
    fds.extend(cancels.iter().map(|cancel| PollFd::new(cancel.pipe(), PollFlags::IN)));
    poll(&mut fds, until)?;
    // The wakeup pipe is skipped: it only had to end the wait.
    let mut ready = fds.iter().skip(1).map(|fd| !fd.revents().is_empty());
    Ok(Ready {
        outputs: pipes.map(|pipe| pipe.is_some() && ready.next() == Some(true)),
        cancel: ready.any(|ready| ready),
    })
}

/// Polls until `until`, but at most for an hour or until a signal comes; then nothing is ready.
fn poll(fds: &mut [PollFd<'_>], until: Instant) -> io::Result<()> {
    // Some systems refuse a timeout of more than 2^31 ms.
    let left = until.saturating_duration_since(Instant::now()).min(Duration::from_hours(1));
    match rustix::event::poll(fds, Timespec::try_from(left).ok().as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Returns `start` plus `duration`, which is capped at a century so that the sum can't overflow.
fn after(start: Instant, duration: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_hours(100 * 365 * 24);
    start + duration.min(CENTURY)
}

/// Creates a pipe that no child inherits.
fn pipe() -> io::Result<(PipeReader, PipeWriter)> {
    let _alone = not_while_starting();
    io::pipe()
}

/// Prevents a process from starting while another thread creates a pipe, and the reverse.
///
/// On macOS, a new pipe is inheritable for a moment, and a child started in that moment would keep the pipe
/// open.
fn not_while_starting() -> Option<MutexGuard<'static, ()>> {
    static STARTING: Mutex<()> = Mutex::new(());
    cfg!(target_vendor = "apple").then(|| STARTING.lock().unwrap_or_else(PoisonError::into_inner))
}
