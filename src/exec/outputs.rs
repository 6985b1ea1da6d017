//! What a command prints, on its way to the sinks.

use std::io::{self, PipeReader, Read as _, Write};

/// As much as a pipe holds on Linux.
const BUFFER: usize = 64 * 1024;

/// Standard output and standard error of a command, and where they go.
pub(super) struct Outputs<'a> {
    both: [Output<'a>; 2],
    buffer: Vec<u8>,
    /// The first error.
    error: Option<io::Error>,
}

struct Output<'a> {
    /// `None` when everybody has closed it.
    pipe: Option<PipeReader>,
    /// `None` after an error. The pipe is still read, so that its writers don't block.
    sink: Option<&'a mut dyn Write>,
}

impl<'a> Outputs<'a> {
    pub(super) fn new(outputs: [(PipeReader, &'a mut dyn Write); 2]) -> Self {
        let both = outputs.map(|(pipe, sink)| Output { pipe: Some(pipe), sink: Some(sink) });
        Self { both, buffer: vec![0; BUFFER], error: None }
    }

    /// Whether more may come.
    pub(super) fn are_open(&self) -> bool {
        self.both.iter().any(|output| output.pipe.is_some())
    }

    /// The pipes to wait for.
    pub(super) fn pipes(&self) -> [Option<&PipeReader>; 2] {
        self.both.each_ref().map(|output| output.pipe.as_ref())
    }

    /// Passes on what is in the pipes that are `ready`; without waiting, where they are. The error is kept.
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

    /// Keeps `error`, unless one came before.
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

/// Some output could not be kept; why is in the outputs.
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
