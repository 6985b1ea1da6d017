//! Ending commands from elsewhere.

use std::io::{self, PipeReader, PipeWriter, Write as _};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

/// Ends the commands that are run with it, when it is pulled: by another thread, or by a signal.
///
/// Once pulled it stays so. It is a pipe, so that a command can wait for it and for its output at once.
#[derive(Debug)]
pub struct Cancel {
    reader: PipeReader,
    writer: PipeWriter,
}

impl Cancel {
    /// One that is not pulled.
    ///
    /// # Errors
    /// When there are no file descriptors left.
    pub fn new() -> io::Result<Self> {
        let (reader, writer) = super::pipe()?;
        // A full pipe must not block the one who pulls: it says all there is to say.
        rustix::io::ioctl_fionbio(&writer, true)?;
        Ok(Self { reader, writer })
    }

    /// Ends every command that runs with this, now and later.
    pub fn cancel(&self) {
        // Fails only when the pipe is full: then it is pulled already.
        let _ = (&self.writer).write_all(&[0]);
    }

    /// Whether it was pulled.
    pub fn is_cancelled(&self) -> bool {
        self.wait(Duration::ZERO)
    }

    /// Waits until it is pulled, but no longer than `timeout`; true when it is pulled.
    ///
    /// This is how to let time pass. Should the system be unable to wait, it is as if it were pulled: a run
    /// that can't wait has to end.
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

    /// Readable from when it is pulled.
    pub(super) fn pipe(&self) -> &PipeReader {
        &self.reader
    }
}
