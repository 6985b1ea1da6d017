//! Splits the output of a command into lines while it is printed.

use std::io::{self, Write};

use crate::error::Error;

/// A writer that splits a command's output into lines.
///
/// kubectl writes a table cell by cell, so only a newline ends a line.
pub(super) struct Lines<F> {
    rest: Vec<u8>,
    take: F,
}

impl<F: FnMut(&str) -> Result<(), Error>> Lines<F> {
    pub(super) fn new(take: F) -> Self {
        Self { rest: Vec::new(), take }
    }
}

impl<F: FnMut(&str) -> Result<(), Error>> Write for Lines<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.rest.extend_from_slice(bytes);
        while let Some(end) = self.rest.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            (self.take)(String::from_utf8_lossy(&line).trim_end()).map_err(io::Error::other)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
