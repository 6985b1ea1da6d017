//! Splits the output of a command into lines while it is printed.

use std::io::{self, Write};

use crate::error::Error;

/// A writer that splits a command's output into lines, and passes on each with the offset behind it.
///
/// kubectl writes a table cell by cell, so only a newline ends a line.
pub(super) struct Lines<F> {
    rest: Vec<u8>,
    passed: u64,
    take: F,
}

impl<F: FnMut(&str, u64) -> Result<(), Error>> Lines<F> {
    pub(super) fn new(take: F) -> Self {
        Self { rest: Vec::new(), passed: 0, take }
    }
}

impl<F: FnMut(&str, u64) -> Result<(), Error>> Write for Lines<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // What is left of earlier writes has no newline.
        let mut searched = self.rest.len();
        self.rest.extend_from_slice(bytes);
        while let Some(end) = self.rest[searched..].iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=searched + end).collect();
            searched = 0;
            self.passed += line.len() as u64;
            (self.take)(String::from_utf8_lossy(&line).trim_end(), self.passed).map_err(io::Error::other)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_whole_with_the_offset_behind_it() {
        let mut lines = Vec::new();
        let mut writer = Lines::new(|line: &str, to| {
            lines.push((line.to_owned(), to));
            Ok(())
        });
        for part in ["AD", "DED  a\nMOD", "IFIED  b\n\nlast"] {
            writer.write_all(part.as_bytes()).unwrap();
        }
        let expected = [("ADDED  a", 9), ("MODIFIED  b", 21), ("", 22)];
        assert_eq!(lines, expected.map(|(line, to)| (line.to_owned(), to)));
    }
}
