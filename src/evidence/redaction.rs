//! Takes secrets out of what children print, before it reaches the disk.
//!
//! The rule: every byte that belongs to any occurrence of any [form](SecretPatterns) of a secret is left out, and a
//! connected run of such bytes becomes one marker, `[redacted:NAME]`. So occurrences may overlap, touch and
//! contain each other, and still nothing of them is left. The name is that of the occurrence that begins the
//! run (the longest, where several begin there).
//!
//! What comes out does not depend on how the input was cut into writes.

mod secret_patterns;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{self, Write};

use aho_corasick::Input;

pub use secret_patterns::{SecretPatterns, TooLong};

/// What stands in the place of a value of this name.
pub fn marker(name: &str) -> String {
    format!("[redacted:{name}]")
}

/// How many markers were written, by the secret's name. Names that never occurred are not in it.
pub type Counts = BTreeMap<String, u64>;

/// A writer that passes everything on to `inner`, but for secrets.
///
/// It holds back as little as it must: the end of what was written so far, if a form could begin there.
/// [`Self::finish`] passes that on; dropped without it, the end is lost. After an error it is of no further
/// use, since a part of what was given may have been passed on.
pub struct Redactor<'a, W: Write> {
    patterns: &'a SecretPatterns,
    inner: W,
    /// The end of the input so far, from the first byte on that could begin a form.
    held: Vec<u8>,
    /// The run of secret bytes that reaches up to the held bytes or into them: its marker is written already,
    /// and stands for this many of them. `None` where the byte before was no secret.
    run: Option<usize>,
    counts: Counts,
}

impl<'a, W: Write> Redactor<'a, W> {
    /// Redacts `forms` from what goes to `inner`.
    pub fn new(patterns: &'a SecretPatterns, inner: W) -> Self {
        Self { patterns, inner, held: Vec::new(), run: None, counts: Counts::new() }
    }

    /// Passes on what was held back, flushes `inner`, and gives it back with the number of markers written.
    ///
    /// # Errors
    /// What `inner` answers.
    pub fn finish(mut self) -> io::Result<(W, Counts)> {
        let held = std::mem::take(&mut self.held);
        self.pass_on(&held, held.len())?;
        self.inner.flush()?;
        Ok((self.inner, self.counts))
    }

    /// Passes on `text[..until]`, of which nothing was passed on yet but the marker of `self.run`.
    ///
    /// `until` must be where nothing is left to wait for: no form that begins before it is cut short by the end
    /// of `text`.
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
            // Not from its end: another form may begin within this one and reach beyond it.
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
    /// Takes all of `bytes`, or fails.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.patterns.is_empty() {
            self.inner.write_all(bytes)?;
        } else if self.held.is_empty() {
            // Nearly always: nothing is copied but the few bytes to hold back.
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

    /// Flushes `inner`. What could be the beginning of a secret stays held back.
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// One more marker with this name.
fn count(counts: &mut Counts, name: &str) {
    // Looked up first, so that a name is only copied when it is new.
    match counts.get_mut(name) {
        Some(markers) => *markers += 1,
        None => {
            counts.insert(name.to_owned(), 1);
        }
    }
}
