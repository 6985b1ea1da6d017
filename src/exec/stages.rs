//! The processes of a command.

use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process_group, waitid};

use super::termination::AFTER_KILL;
use super::{Command, SpawnError, after, not_while_starting, pipe};

/// The exit status of a process that could not be read.
const UNKNOWN: i32 = -1;

/// The processes of a command, each the leader of its own process group. Dropped while some still run, it
/// ends them.
///
/// They are reaped when this is dropped and not before: until then no other process can get one of their
/// numbers, and a signal reaches what it is meant for.
pub(super) struct Stages {
    all: Vec<Stage>,
    changes: Receiver<Change>,
    /// A byte for each change, to wait for with `poll`.
    wakeup: PipeReader,
    grace: Duration,
    /// Whether KILL was sent: more can't be done.
    killed: bool,
}

struct Stage {
    program: String,
    pid: Pid,
    /// `None` while it runs.
    exit: Option<i32>,
    /// To reap it, in the end.
    handle: duct::Handle,
}

/// What happened to the stage of this number.
struct Change {
    stage: usize,
    what: ChangeKind,
}

#[derive(Clone, Copy)]
enum ChangeKind {
    /// It was stopped because it wanted to read the terminal, or to set it up.
    AskedForTerminal,
    /// It has ended, with this exit status.
    Ended(i32),
}

/// Tells of the changes of one stage.
struct Teller {
    stage: usize,
    changes: Sender<Change>,
    wakeup: PipeWriter,
}

impl Teller {
    fn tell(&mut self, what: ChangeKind) {
        // Fails when nobody wants to know any more, since the command was given up.
        let _ = self.changes.send(Change { stage: self.stage, what });
        let _ = self.wakeup.write_all(&[0]);
    }
}

impl Stages {
    /// Starts all stages, the first one first, and returns what they print: standard output of the last,
    /// standard error of all. When one can't be started the earlier ones are ended.
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

    /// The program of the first stage that still runs.
    pub(super) fn first_running(&self) -> Option<&str> {
        self.all.iter().find(|stage| stage.exit.is_none()).map(|stage| stage.program.as_str())
    }

    /// The exit status of each stage.
    pub(super) fn exits(&self) -> Vec<i32> {
        self.all.iter().map(|stage| stage.exit.unwrap_or(UNKNOWN)).collect()
    }

    /// Readable when there is something to [`learn`](Self::learn).
    pub(super) fn wakeup(&self) -> &PipeReader {
        &self.wakeup
    }

    /// Takes in what has happened to the stages; true when one asked for the terminal.
    pub(super) fn learn(&mut self) -> bool {
        // Silences the bell. A byte left over only means to be called once in vain; none is no news.
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

    /// Asks the stages, and what they have started in their groups, to end.
    pub(super) fn terminate(&self) {
        self.signal(Signal::TERM);
        // What is stopped would not notice.
        self.signal(Signal::CONT);
    }

    /// Ends the stages, and what they have started in their groups.
    pub(super) fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.killed = true;
    }

    fn signal(&self, signal: Signal) {
        for stage in &self.all {
            // Fails where nobody is left to hear it, and where a program runs with another user's rights.
            let _ = kill_process_group(stage.pid, signal);
        }
    }

    /// Ends what still runs, and waits for it.
    pub(super) fn end(&mut self) {
        if self.are_running() && !self.killed {
            self.terminate();
            self.wait(self.grace);
            self.kill();
            self.wait(AFTER_KILL);
        }
    }

    /// Waits until all have ended, but no longer than `timeout`.
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
    /// Ends what still runs: a later stage was not started, or a sink panicked.
    fn drop(&mut self) {
        self.end();
        for stage in &self.all {
            // Reaps it. One that can't be killed is left to duct, which tries again when it starts the next.
            let _ = stage.handle.try_wait();
        }
    }
}

/// Starts one stage. Our copies of its pipe ends are closed when this returns.
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
            // Its own group, to be ended with what it starts; its name as a shell would give it.
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
            // It runs, but nobody would learn of its end.
            let _ = handle.kill();
            let _ = handle.wait();
            Err(not_started(cause))
        }
    }
}

/// A pipe that holds `bytes` and then ends.
fn filled_pipe(bytes: &[u8]) -> Result<PipeReader, SpawnError> {
    let no_pipe = |cause| SpawnError::NoPipe { purpose: "its input", cause };
    let (reader, mut writer) = pipe().map_err(no_pipe)?;
    // There is no one yet to read: what does not fit must fail rather than wait.
    rustix::io::ioctl_fionbio(&writer, true).map_err(|errno| no_pipe(errno.into()))?;
    match writer.write_all(bytes) {
        Ok(()) => Ok(reader),
        Err(full) if full.kind() == io::ErrorKind::WouldBlock => {
            Err(SpawnError::StdinTooLong { bytes: bytes.len() })
        }
        Err(cause) => Err(no_pipe(cause)),
    }
}

/// Sets a thread to tell how a process fares.
fn watch(handle: &duct::Handle, mut teller: Teller) -> io::Result<Pid> {
    let pid = handle.pids().first().and_then(|&pid| Pid::from_raw(i32::try_from(pid).ok()?));
    let pid = pid.ok_or_else(|| io::Error::other("it has no process number"))?;
    // Not reaped yet: until the command is over its number must stay its own.
    let ended_or_stopped = WaitIdOptions::EXITED | WaitIdOptions::STOPPED | WaitIdOptions::NOWAIT;
    std::thread::Builder::new().name(format!("wait for {pid:?}")).spawn(move || {
        loop {
            match waitid(WaitId::Pid(pid), ended_or_stopped) {
                Ok(Some(status)) if status.stopped() => {
                    // Noted, so that the next wait does not find the same stop again. This reaps nothing.
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

/// As bash has it in `PIPESTATUS`.
fn exit_status(status: WaitIdStatus) -> i32 {
    let signal = status.terminating_signal().map(|signal| 128 + signal);
    status.exit_status().or(signal).unwrap_or(UNKNOWN)
}

/// Has the system keep exit statuses for us. One who starts us with SIGCHLD ignored (some runners do) would
/// otherwise take them all away.
fn keep_exit_statuses() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Any handler will do. It can only fail for signals that can't be handled.
        let _ = signal_hook::flag::register(signal_hook::consts::SIGCHLD, Arc::default());
    });
}
