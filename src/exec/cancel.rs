//! Cancels commands from another thread or from a signal handler.
//!
//! Once canceled, it stays canceled: every command that runs with it ends, now and later.

use std::io::{self, PipeReader, PipeWriter, Write as _};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

/// How long one `poll` of a wait without an end takes.
const LONG: Duration = Duration::from_hours(1);

/// A request to end commands, which another thread or a signal handler can make.
///
/// It is a pipe, so a command can wait for it and for its output at once.
#[derive(Debug)]
pub struct Cancel {
    reader: PipeReader,
    writer: PipeWriter,
}

impl Cancel {
    /// Creates a cancel that is not requested yet.
    ///
    /// # Errors
    /// When no file descriptors are left.
    pub fn new() -> io::Result<Self> {
        let (reader, writer) = super::pipe()?;
        // A full pipe must not block the caller: one byte is enough to cancel.
        rustix::io::ioctl_fionbio(&writer, true)?;
        Ok(Self { reader, writer })
    }

    /// Ends every command that runs with this cancel, now and later.
    pub fn cancel(&self) {
        // Fails only if the pipe is full, so it is already canceled.
        let _ = (&self.writer).write_all(&[0]);
    }

    /// Returns whether it was canceled.
    pub fn is_cancelled(&self) -> bool {
        self.wait(Duration::ZERO)
    }

    /// Waits until it is canceled, at most for `timeout`, and returns whether it was canceled.
    ///
    /// All waiting in a run uses this. If the system can't wait, the result is true, because a run that can't
    /// wait must end.
    pub fn wait(&self, timeout: Duration) -> bool {
        let until = super::after(Instant::now(), timeout);
        loop {
            let mut fds = [PollFd::new(&self.reader, PollFlags::IN)];
            if super::poll(&mut fds, until).is_err() || !fds[0].revents().is_empty() {
                return true;
            }
            if Instant::now() >= until {
                return false;
            }
        }
    }

    /// Waits until one of these is canceled.
    pub fn wait_for_one(cancels: &[&Self]) {
        loop {
            let mut fds: Vec<PollFd<'_>> =
                cancels.iter().map(|cancel| PollFd::new(&cancel.reader, PollFlags::IN)).collect();
            let failed = super::poll(&mut fds, super::after(Instant::now(), LONG)).is_err();
            if failed || fds.iter().any(|fd| !fd.revents().is_empty()) {
                return;
            }
        }
    }

    /// Returns the pipe, which is readable once canceled.
    pub(super) fn pipe(&self) -> &PipeReader {
        &self.reader
    }
}
