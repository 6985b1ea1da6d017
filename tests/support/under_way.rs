//! A run under way: waited for by what it says, signalled, and at a terminal of its own.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::OpenptFlags;

use super::{Cluster, Ran, Staging};

/// A run under way, and what it has said so far: on standard error, or at its terminal.
pub(crate) struct UnderWay<C> {
    pub(crate) staging: Staging<C>,
    child: Child,
    /// Of what it says; at a terminal, the terminal.
    ear: BufReader<File>,
    said: String,
}

impl<C: Cluster> UnderWay<C> {
    /// Starts a subcommand.
    pub(crate) fn start(staging: Staging<C>, arguments: &[&str]) -> Self {
        let mut child =
            staging.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let ear = std::os::fd::OwnedFd::from(child.stderr.take().unwrap());
        Self { staging, child, ear: BufReader::new(ear.into()), said: String::new() }
    }

    /// Starts a subcommand at a terminal of its own, in its foreground.
    pub(crate) fn at_a_terminal(staging: Staging<C>, arguments: &[&str]) -> Self {
        let terminal =
            rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        rustix::pty::grantpt(&terminal).unwrap();
        rustix::pty::unlockpt(&terminal).unwrap();
        let name = rustix::pty::ptsname(&terminal, Vec::new()).unwrap();
        let end = || File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        let plain = staging.command(arguments);
        // A session of its own, whose terminal this is: nothing but the shell's part of it.
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg(plain.get_program()).args(plain.get_args());
        command.current_dir(plain.get_current_dir().unwrap()).env_clear();
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        Self { staging, child, ear: BufReader::new(terminal.into()), said: String::new() }
    }

    /// Reads on until it says this.
    #[track_caller]
    pub(crate) fn until(mut self, words: &str) -> Self {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            let read = self.ear.read_line(&mut line).unwrap_or_default();
            assert!(read > 0, "it never said {words}:\n{}", self.said);
            self.said += &line;
        }
        self
    }

    pub(crate) fn signal(self, signal: Signal) -> Self {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        self
    }

    /// Presses Ctrl-C at its terminal.
    pub(crate) fn ctrl_c(mut self) -> Self {
        self.ear.get_mut().write_all(b"\x03").unwrap();
        self
    }

    /// Closes its terminal, and waits for its end.
    pub(crate) fn hangs_up(mut self) -> Ran<C> {
        drop(self.ear);
        let status = self.child.wait().unwrap();
        self.staging.ran(Output { status, stdout: Vec::new(), stderr: self.said.into_bytes() })
    }

    pub(crate) fn ends(mut self) -> Ran<C> {
        let mut rest = Vec::new();
        let read = self.ear.read_to_end(&mut rest).map_err(|error| Errno::from_io_error(&error));
        // So ends a terminal that nobody has open any more.
        assert!(matches!(read, Ok(_) | Err(Some(Errno::IO))), "{read:?}");
        self.said += &String::from_utf8_lossy(&rest);
        let mut output = self.child.wait_with_output().unwrap();
        output.stderr = self.said.into_bytes();
        self.staging.ran(output)
    }
}

/// The processes that a run in this folder has started and that still run: they have it in their environment, or
/// as their current folder. Known by `/proc`, so on Linux alone.
pub(crate) fn left_running(folder: &Path) -> Vec<(Pid, String)> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let left = processes.flatten().filter_map(|entry| {
        let (id, path) = (entry.file_name().to_str()?.parse().ok()?, entry.path());
        // Processes of others, and those that end meanwhile, can't be read.
        let environment = std::fs::read(path.join("environ")).unwrap_or_default();
        let of_ours = String::from_utf8_lossy(&environment).contains(folder.to_str()?)
            || std::fs::read_link(path.join("cwd")).is_ok_and(|current| current.starts_with(folder));
        let arguments = std::fs::read(path.join("cmdline")).unwrap_or_default();
        of_ours.then(|| (Pid::from_raw(id), String::from_utf8_lossy(&arguments).replace('\0', " ")))
    });
    left.filter_map(|(id, arguments)| Some((id?, arguments))).collect()
}

/// Nothing that a run in this folder has started still runs.
#[track_caller]
pub(crate) fn assert_nothing_left(folder: &Path) {
    let left = left_running(folder);
    assert!(left.is_empty(), "{left:?}");
}
