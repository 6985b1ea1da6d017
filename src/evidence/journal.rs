use std::io::{self, Write};

use camino::Utf8Path;
use fs_err::{File, OpenOptions};

use super::redaction::SecretPatterns;
use crate::events::Event;

/// `journal.jsonl`: events, one line each, append-only.
pub struct Journal {
    file: File,
    /// How many bytes of whole lines it holds.
    length: u64,
}

impl Journal {
    /// Begins a journal at `path`.
    ///
    /// # Errors
    /// When there is one already, or it can't be written.
    pub fn create(path: &Utf8Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create_new(true).open(path)?;
        Ok(Self { file, length: 0 })
    }

    /// Writes an event as one line with one `write`, so that a crash tears at most the last one; a `lasting` one is on
    /// the disk when this returns.
    ///
    /// # Errors
    /// When the disk does not take it. Then nothing of it is left, and later events may still be written.
    pub fn append(&mut self, event: &Event, patterns: &SecretPatterns, lasting: bool) -> io::Result<()> {
        let mut line = patterns.redact_str(&serde_json::to_string(event)?);
        line.push('\n');
        let kept = self.file.write_all(line.as_bytes());
        let kept = kept.and_then(|()| if lasting { self.file.sync_data() } else { Ok(()) });
        match kept {
            Ok(()) => self.length += line.len() as u64,
            Err(_) => self.file.set_len(self.length)?,
        }
        kept
    }

    /// The events of a journal. A last line that a crash tore off is left out.
    ///
    /// # Errors
    /// When it can't be read, or another line is no event of ours.
    pub fn read(path: &Utf8Path) -> io::Result<Vec<Event>> {
        Ok(events_of(&fs_err::read(path)?)?)
    }
}

/// The events that stand in a journal's bytes. A last line that a crash tore off is left out.
///
/// # Errors
/// When another line is no event of ours.
pub fn events_of(journal: &[u8]) -> serde_json::Result<Vec<Event>> {
    let mut lines = journal.split_inclusive(|byte| *byte == b'\n').peekable();
    let mut events = Vec::new();
    while let Some(line) = lines.next() {
        match serde_json::from_slice(line) {
            Ok(event) => events.push(event),
            Err(_) if lines.peek().is_none() && !line.ends_with(b"\n") => {}
            Err(error) => return Err(error),
        }
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"{"seq":1,"at":"2026-11-26T03:13:42Z","event":"run-ended"}"#;

    fn read(text: &str) -> io::Result<usize> {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap().join("journal.jsonl");
        fs_err::write(&path, text).unwrap();
        Journal::read(&path).map(|events| events.len())
    }

    #[test]
    fn a_last_line_that_a_crash_tore_off_is_left_out() {
        assert_eq!(read(&format!("{WHOLE}\n{WHOLE}\n{}", &WHOLE[..20])).unwrap(), 2);
        assert_eq!(read("").unwrap(), 0);
    }

    #[test]
    fn any_other_line_that_is_no_event_is_an_error() {
        read(&format!("{WHOLE}\n{}\n{WHOLE}\n", &WHOLE[..20])).unwrap_err();
        read(&format!("{WHOLE}\n{}\n", &WHOLE[..20])).unwrap_err();
    }
}
