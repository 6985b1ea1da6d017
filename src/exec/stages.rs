//! The processes of a command: starting them, signaling them, and learning how they end.
//!
//! Each stage leads its own process group, so a signal reaches also the processes that it started. No stage
//! is reaped before the command is over, so a process id stays valid for signals.

use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process_group, waitid};

use super::termination::AFTER_KILL;
use super::{Command, SpawnError, after, not_while_starting, pipe};

/// The exit code of a process whose status could not be read.
const UNKNOWN: i32 = -1;

/// The processes of a command, each the leader of its own process group.
///
/// Dropping this ends the processes that still run. They are reaped only then: until then no other process
/// can get one of their ids, so a signal reaches its target.
pub(super) struct Stages {
    all: Vec<Stage>,
    changes: Receiver<Change>,
    /// A byte for each change, to wait for with `poll`.
    wakeup: PipeReader,
    grace: Duration,
    /// Whether KILL was sent; nothing more can be done then.
    killed: bool,
}

struct Stage {
    program: String,
    pid: Pid,
    /// The exit code; `None` while the process runs.
    exit: Option<i32>,
    /// The handle that reaps the process at the end.
    handle: duct::Handle,
}

/// A change of one stage, given by its index.
struct Change {
    stage: usize,
    what: ChangeKind,
}

#[derive(Clone, Copy)]
enum ChangeKind {
    /// The stage was stopped because it tried to read from the terminal or to configure it.
    AskedForTerminal,
    /// The stage ended with this exit code.
    Ended(i32),
}

/// The sender of one stage's changes, used by the thread that watches it.
struct Teller {
    stage: usize,
    changes: Sender<Change>,
    wakeup: PipeWriter,
}

impl Teller {
    fn tell(&mut self, what: ChangeKind) {
        // Fails if the receiver is gone, because the command was given up.
        let _ = self.changes.send(Change { stage: self.stage, what });
        let _ = self.wakeup.write_all(&[0]);
    }
}

impl Stages {
    /// Starts all stages in order, and returns the pipes of the last stage's standard output and of all
    /// standard errors.
    ///
    /// If a stage can't be started, the earlier ones are ended.
    pub(super) fn start(command: &Command<'_>) -> Result<(Self, [PipeReader; 2]), SpawnError> {
        keep_exit_statuses();
        let no_pipe = |purpose| move |cause| SpawnError::NoPipe { purpose, cause };
        let (stdout_reader, stdout) = pipe().map_err(no_pipe("its output"))?;
        let (stderr_reader, stderr) = pipe().map_err(no_pipe("its errors"))?;
        let (wakeup, ringer) = pipe().map_err(no_pipe("its end"))?;
        rustix::io::ioctl_fionbio(&wakeup, true).map_err(|errno| no_pipe("its end")(errno.into()))?;
        let (sender, changes) = mpsc::channel();
        let mut stages = Self { all: Vec::new(), changes, wakeup, grace: command.grace, killed: false };

        let mut input = command.stdin.map(filled_pipe).transpose()?;
        let last = command.stages.len().checked_sub(1).ok_or(SpawnError::NoProgram)?;
        for (stage, argv) in command.stages.iter().enumerate() {
            let (output, next_input) = if stage == last {
                (stdout.try_clone().map_err(no_pipe("its output"))?, None)
            } else {
                let (reader, writer) = pipe().map_err(no_pipe("its next stage"))?;
                (writer, Some(reader))
            };
            let errors = stderr.try_clone().map_err(no_pipe("its errors"))?;
            let wakeup = ringer.try_clone().map_err(no_pipe("its end"))?;
            let teller = Teller { stage, changes: sender.clone(), wakeup };
            stages.all.push(start(command, argv, input, [output, errors], teller)?);
            input = next_input;
        }
        Ok((stages, [stdout_reader, stderr_reader]))
    }

    pub(super) fn are_running(&self) -> bool {
        self.first_running().is_some()
    }

    /// Returns the program of the first stage that still runs; `None` if all have ended.
    pub(super) fn first_running(&self) -> Option<&str> {
        self.all.iter().find(|stage| stage.exit.is_none()).map(|stage| stage.program.as_str())
    }

    /// Returns the exit code of each stage.
    pub(super) fn exits(&self) -> Vec<i32> {
        self.all.iter().map(|stage| stage.exit.unwrap_or(UNKNOWN)).collect()
    }

    /// Returns the pipe that is readable when there are changes to [`learn`](Self::learn).
    pub(super) fn wakeup(&self) -> &PipeReader {
        &self.wakeup
    }

    /// Records the changes of the stages, and returns whether one asked for the terminal.
    pub(super) fn learn(&mut self) -> bool {
        // Empties the wakeup pipe. A byte that stays only causes one more wakeup; an empty pipe is no error.
        let _ = self.wakeup.read(&mut [0; 16]);
        let mut asked = false;
        while let Ok(change) = self.changes.try_recv() {
            asked |= self.record_facts(&change);
        }
        asked
    }

    fn record_facts(&mut self, change: &Change) -> bool {
        match change.what {
            ChangeKind::AskedForTerminal => return true,
            ChangeKind::Ended(exit) => {
                if let Some(stage) = self.all.get_mut(change.stage) {
                    stage.exit = Some(exit);
                }
            }
        }
        false
    }

    /// Sends TERM to the stages and to the processes in their groups.
    pub(super) fn terminate(&self) {
        self.signal(Signal::TERM);
        // A stopped process would not react to TERM.
        self.signal(Signal::CONT);
    }

    /// Sends KILL to the stages and to the processes in their groups.
    pub(super) fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.killed = true;
    }

    fn signal(&self, signal: Signal) {
        for stage in &self.all {
            // Fails if the group has ended, or if its program runs with another user's rights.
            let _ = kill_process_group(stage.pid, signal);
        }
    }

    /// Ends the stages that still run, and waits for them.
    pub(super) fn end(&mut self) {
        if self.are_running() && !self.killed {
            self.terminate();
            self.wait(self.grace);
            self.kill();
            self.wait(AFTER_KILL);
        }
    }

    /// Waits until all stages have ended, at most for `timeout`.
    fn wait(&mut self, timeout: Duration) {
        let until = after(Instant::now(), timeout);
        while self.are_running()
            && let Ok(change) = self.changes.recv_timeout(until.saturating_duration_since(Instant::now()))
        {
            self.record_facts(&change);
        }
    }
}

impl Drop for Stages {
    /// Ends the stages that still run, since a later stage could not be started or a sink panicked.
    fn drop(&mut self) {
        self.end();
        for stage in &self.all {
            // Reaps it. duct retries a process that can't be killed when it starts the next one.
            let _ = stage.handle.try_wait();
        }
    }
}

/// Starts one stage; this program's copies of its pipe ends are closed when it returns.
fn start(
    command: &Command<'_>,
    argv: &[String],
    input: Option<PipeReader>,
    [output, errors]: [PipeWriter; 2],
    teller: Teller,
) -> Result<Stage, SpawnError> {
    let (program, arguments) = argv.split_first().ok_or(SpawnError::NoProgram)?;
    let Some(path) = command.programs.get(program) else {
        return Err(SpawnError::NotLookedUp { program: program.clone() });
    };
    let name = program.clone();
    let mut expression = duct::cmd(path, arguments)
        .dir(command.dir)
        .stdout_file(output)
        .stderr_file(errors)
        .unchecked()
        .before_spawn(move |process| {
            // Its own group, to signal it with its children; and its name, as a shell would pass it.
            process.process_group(0).arg0(&name);
            Ok(())
        });
    expression = match input {
        Some(input) => expression.stdin_file(input),
        None => expression.stdin_null(),
    };
    for (name, value) in command.env {
        expression = match value {
            Some(value) => expression.env(name, value),
            None => expression.env_remove(name),
        };
    }
    let not_started = |cause| SpawnError::NotStarted { program: program.clone(), path: path.clone(), cause };
    let alone = not_while_starting();
    let handle = expression.start().map_err(not_started)?;
    drop(alone);
    match watch(&handle, teller) {
        Ok(pid) => Ok(Stage { program: program.clone(), pid, exit: None, handle }),
        Err(cause) => {
            // The process runs, but nothing would notice its end.
            let _ = handle.kill();
            let _ = handle.wait();
            Err(not_started(cause))
        }
    }
}

/// Creates a pipe that contains `bytes` and then ends.
fn filled_pipe(bytes: &[u8]) -> Result<PipeReader, SpawnError> {
    let no_pipe = |cause| SpawnError::NoPipe { purpose: "its input", cause };
    let (reader, mut writer) = pipe().map_err(no_pipe)?;
    // Nothing reads yet, so bytes that don't fit must fail instead of block.
    rustix::io::ioctl_fionbio(&writer, true).map_err(|errno| no_pipe(errno.into()))?;
    match writer.write_all(bytes) {
        Ok(()) => Ok(reader),
        Err(full) if full.kind() == io::ErrorKind::WouldBlock => {
            Err(SpawnError::StdinTooLong { bytes: bytes.len() })
        }
        Err(cause) => Err(no_pipe(cause)),
    }
}

/// Starts a thread that reports the changes of a process.
fn watch(handle: &duct::Handle, mut teller: Teller) -> io::Result<Pid> {
    let pid = handle.pids().first().and_then(|&pid| Pid::from_raw(i32::try_from(pid).ok()?));
    let pid = pid.ok_or_else(|| io::Error::other("it has no process ID"))?;
    // NOWAIT does not reap: until the command is over, no other process may get this id.
    let ended_or_stopped = WaitIdOptions::EXITED | WaitIdOptions::STOPPED | WaitIdOptions::NOWAIT;
    std::thread::Builder::new().name(format!("wait for {pid:?}")).spawn(move || {
        loop {
            match waitid(WaitId::Pid(pid), ended_or_stopped) {
                Ok(Some(status)) if status.stopped() => {
                    // Consumes the stop, so the next wait does not return it again. This reaps nothing.
                    let _ = waitid(WaitId::Pid(pid), WaitIdOptions::STOPPED | WaitIdOptions::NOHANG);
                    let signal = status.stopping_signal();
                    if [Signal::TTIN, Signal::TTOU].iter().any(|asks| Some(asks.as_raw()) == signal) {
                        teller.tell(ChangeKind::AskedForTerminal);
                    }
                }
                Err(Errno::INTR) => {}
                ended => {
                    return teller.tell(ChangeKind::Ended(ended.ok().flatten().map_or(UNKNOWN, exit_status)));
                }
            }
        }
    })?;
    Ok(pid)
}

/// Returns the exit code, as in bash's `PIPESTATUS`.
fn exit_status(status: WaitIdStatus) -> i32 {
    let signal = status.terminating_signal().map(|signal| 128 + signal);
    status.exit_status().or(signal).unwrap_or(UNKNOWN)
}

/// Makes the system keep the exit statuses of children.
///
/// A parent that started this program with SIGCHLD ignored (some CI runners do) would otherwise discard them.
fn keep_exit_statuses() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Any handler works. Registering fails only for signals that can't be handled.
        let _ = signal_hook::flag::register(signal_hook::consts::SIGCHLD, Arc::default());
    });
}
