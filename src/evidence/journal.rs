use std::io::{self, Write};

use camino::Utf8Path;
use fs_err::{File, OpenOptions};

use super::redaction::Forms;
use crate::events::Event;

/// `journal.jsonl`: events, one line each, append-only.
pub struct Journal {
    file: File,
}

impl Journal {
    /// Begins a journal at `path`.
    ///
    /// # Errors
    /// When there is one already, or it can't be written.
    pub fn create(path: &Utf8Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create_new(true).open(path)?;
        Ok(Self { file })
    }

    /// Writes an event as one line with one `write`, so that a crash tears at most the last one.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn append(&mut self, event: &Event, forms: &Forms) -> io::Result<()> {
        let mut line = forms.redact_str(&serde_json::to_string(event)?);
        line.push('\n');
        self.file.write_all(line.as_bytes())
    }

    /// Waits until what was appended is on the disk.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}
