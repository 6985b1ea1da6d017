//! Passes the output of a command to the sinks.
//!
//! A sink that failed gets no more bytes, but its pipe is still read, so the command does not block.

use std::io::{self, PipeReader, Read as _, Write};

/// The size of the read buffer, in bytes: the capacity of a pipe on Linux.
const BUFFER: usize = 64 * 1024;

/// The standard output and the standard error of a command, each with its sink.
pub(super) struct Outputs<'a> {
    both: [Output<'a>; 2],
    buffer: Vec<u8>,
    /// The first error; `None` if nothing failed.
    error: Option<io::Error>,
}

struct Output<'a> {
    /// The pipe; `None` when all writers have closed it.
    pipe: Option<PipeReader>,
    /// The sink; `None` after an error. The pipe is still read, so its writers don't block.
    sink: Option<&'a mut dyn Write>,
}

impl<'a> Outputs<'a> {
    pub(super) fn new(outputs: [(PipeReader, &'a mut dyn Write); 2]) -> Self {
        let both = outputs.map(|(pipe, sink)| Output { pipe: Some(pipe), sink: Some(sink) });
        Self { both, buffer: vec![0; BUFFER], error: None }
    }

    /// Returns whether more output may come.
    pub(super) fn are_open(&self) -> bool {
        self.both.iter().any(|output| output.pipe.is_some())
    }

    /// Returns the pipes to wait for.
    pub(super) fn pipes(&self) -> [Option<&PipeReader>; 2] {
        self.both.each_ref().map(|output| output.pipe.as_ref())
    }

    /// Reads the `ready` pipes once, without waiting, and writes to the sinks; records the first error.
    pub(super) fn pass_on(&mut self, ready: [bool; 2]) -> Result<(), Failed> {
        let mut result = Ok(());
        for (output, ready) in self.both.iter_mut().zip(ready) {
            if ready && let Err(error) = output.pass_on(&mut self.buffer) {
                self.error.get_or_insert(error);
                result = Err(Failed);
            }
        }
        result
    }

    /// Records `error`, unless there is an earlier one.
    pub(super) fn fail(&mut self, error: io::Error) {
        self.error.get_or_insert(error);
    }

    pub(super) fn have_failed(&self) -> bool {
        self.error.is_some()
    }

    pub(super) fn into_error(self) -> Option<io::Error> {
        self.error
    }
}

/// The error for output that could not be stored; the cause is in [`Outputs`].
pub(super) struct Failed;

impl Output<'_> {
    fn pass_on(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        let Some(pipe) = &mut self.pipe else { return Ok(()) };
        match pipe.read(buffer) {
            Ok(0) => self.pipe = None,
            Ok(read) => {
                if let Some(sink) = &mut self.sink
                    && let Err(error) = sink.write_all(&buffer[..read])
                {
                    self.sink = None;
                    return Err(error);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                self.pipe = None;
                return Err(error);
            }
        }
        Ok(())
    }
}
