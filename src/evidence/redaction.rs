//! Removes secrets from children's output before it reaches the disk.
//!
//! The rule: every byte that belongs to any occurrence of any [pattern](SecretPatterns) of a secret is
//! removed. A connected run of such bytes becomes one marker, `[redacted:NAME]`. Occurrences may therefore
//! overlap, touch and contain each other, and nothing of them remains.
//!
//! The name is the one of the occurrence that begins the run; if several begin there, of the longest.
//!
//! The output does not depend on how the input is split into writes.

mod secret_patterns;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{self, Write};

use aho_corasick::Input;

pub use secret_patterns::{SecretPatterns, TooLong};

/// Returns the marker that replaces the value of this name.
pub fn marker(name: &str) -> String {
    format!("[redacted:{name}]")
}

/// The number of markers written, by the secret's name; names that never occurred are absent.
pub type Counts = BTreeMap<String, u64>;

/// A writer that passes everything on to `inner`, except secrets.
///
/// It holds back as little as possible: the end of the input, if a pattern could begin there.
/// [`Self::finish`] passes this on; a writer that is dropped without it loses the end. After an error, the
/// writer must not be used again, since a part of the input may have been passed on.
pub struct Redactor<'a, W: Write> {
    patterns: &'a SecretPatterns,
    inner: W,
    /// The end of the input, from the first byte that could begin a pattern.
    held: Vec<u8>,
    /// The run of secret bytes that reaches up to the held bytes or into them; `None` if the last byte was
    /// not secret.
    ///
    /// Its marker is already written and covers this many of the held bytes.
    run: Option<usize>,
    counts: Counts,
}

impl<'a, W: Write> Redactor<'a, W> {
    /// Returns a writer that redacts `patterns` and writes to `inner`.
    pub fn new(patterns: &'a SecretPatterns, inner: W) -> Self {
        Self { patterns, inner, held: Vec::new(), run: None, counts: Counts::new() }
    }

    /// Passes on the held bytes, flushes `inner`, and returns it with the number of markers written.
    ///
    /// # Errors
    /// When `inner` fails.
    pub fn finish(mut self) -> io::Result<(W, Counts)> {
        let held = std::mem::take(&mut self.held);
        self.pass_on(&held, held.len())?;
        self.inner.flush()?;
        Ok((self.inner, self.counts))
    }

    /// Passes on `text[..until]`, of which only the marker of `self.run` was passed on so far.
    ///
    /// `until` must be decided: the end of `text` cuts off no pattern that begins before `until`.
    fn pass_on(&mut self, text: &[u8], until: usize) -> io::Result<()> {
        let mut in_run = self.run.is_some();
        let mut done = self.run.unwrap_or(0);
        let mut search_from = 0;
        while let Some((found, name)) = self.patterns.find(Input::new(text).range(search_from..)) {
            if found.start >= until {
                break;
            }
            let connected = in_run && found.start <= done;
            if !connected {
                self.inner.write_all(&text[done..found.start])?;
                self.inner.write_all(marker(name).as_bytes())?;
                count(&mut self.counts, name);
                in_run = true;
            }
            done = done.max(found.end);
            // Not from the end of the match: another pattern may begin inside it and reach beyond it.
            search_from = found.start + 1;
        }
        if done < until {
            self.inner.write_all(&text[done..until])?;
            in_run = false;
        }
        self.run = in_run.then(|| done - until);
        Ok(())
    }
}

impl<W: Write> Write for Redactor<'_, W> {
    /// Accepts all of `bytes`, or fails.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.patterns.is_empty() {
            self.inner.write_all(bytes)?;
        } else if self.held.is_empty() {
            // The usual case: only the few held bytes are copied.
            let until = self.patterns.first_undecided(bytes);
            self.pass_on(bytes, until)?;
            self.held.extend_from_slice(&bytes[until..]);
        } else {
            let mut text = std::mem::take(&mut self.held);
            text.extend_from_slice(bytes);
            let until = self.patterns.first_undecided(&text);
            self.pass_on(&text, until)?;
            text.drain(..until);
            self.held = text;
        }
        Ok(bytes.len())
    }

    /// Flushes `inner`; bytes that could begin a secret stay held back.
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Counts one more marker with this name.
fn count(counts: &mut Counts, name: &str) {
    // Looked up first, so the name is copied only when it is new.
    match counts.get_mut(name) {
        Some(markers) => *markers += 1,
        None => {
            counts.insert(name.to_owned(), 1);
        }
    }
}
