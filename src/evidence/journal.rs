//! `journal.jsonl`: the append-only file of a run's events.
//!
//! A crash can tear at most the last line, and reading ignores a torn last line. Every other line must be
//! exactly as the format writes it, so no two readers can understand it differently.

use std::io::{self, Write};

use camino::Utf8Path;
use fs_err::{File, OpenOptions};

use serde_json::Value;

use crate::events::Event;
use crate::schema::{self, OtherSchema, check_readable};

/// An open journal: one line for each event, append-only.
pub struct Journal {
    file: File,
    /// The length of the complete lines, in bytes.
    length: u64,
}

impl Journal {
    /// Creates a journal at `path`.
    ///
    /// # Errors
    /// When the file exists already, or can't be written.
    pub fn create(path: &Utf8Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create_new(true).open(path)?;
        Ok(Self { file, length: 0 })
    }

    /// Appends an event as one line with one `write`, so a crash tears at most the last line.
    ///
    /// A `lasting` event is on the disk when this returns.
    ///
    /// # Errors
    /// When the disk does not accept the line. The partial line is then removed, and later events can still
    /// be written.
    pub fn append(&mut self, event: &Event, lasting: bool) -> io::Result<()> {
        let mut line = serde_json::to_string(event)?;
        line.push('\n');
        let kept = self.file.write_all(line.as_bytes());
        let kept = kept.and_then(|()| if lasting { self.file.sync_data() } else { Ok(()) });
        match kept {
            Ok(()) => self.length += line.len() as u64,
            Err(_) => self.file.set_len(self.length)?,
        }
        kept
    }

    /// Reads the events of a journal, without a last line that a crash tore.
    ///
    /// # Errors
    /// When the file can't be read, or another line is not an event.
    pub fn read(path: &Utf8Path) -> io::Result<Vec<Event>> {
        Ok(events_of(&fs_err::read(path)?)?)
    }
}

/// Why a journal can't be read.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableJournal {
    /// The format number is not one that this program judges.
    #[error(transparent)]
    Schema(#[from] OtherSchema),
    /// A line is not an event of the format.
    #[error("line {line} is not an event of the format: {why}")]
    Line {
        /// The number of the line, from 1.
        line: usize,
        /// The reason.
        why: String,
    },
}

impl From<UnreadableJournal> for io::Error {
    fn from(error: UnreadableJournal) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

/// Parses the events of a journal's bytes, without a last line that a crash tore.
///
/// Each line must be byte for byte as the format writes its event. An unknown field, a repeated field,
/// another order or another spelling of a number is an error.
///
/// # Errors
/// When the journal's schema is not readable, or a line is not an event.
pub fn events_of(journal: &[u8]) -> Result<Vec<Event>, UnreadableJournal> {
    let mut lines = journal.split_inclusive(|byte| *byte == b'\n').zip(1..).peekable();
    if let Some((first, _)) = lines.peek()
        && let Ok(value) = serde_json::from_slice::<Value>(first)
    {
        let schema = value.get("schema").and_then(Value::as_str);
        // Format 1 had no schema; its journals began with the same event.
        let of_the_first_number =
            value.get("schema").is_none() && value.get("event") == Some(&Value::from("run-began"));
        let schema = if of_the_first_number { Some("staging-dry-run/journal/1") } else { schema };
        check_readable(schema.unwrap_or_default(), schema::File::Journal)?;
    }
    let mut events = Vec::new();
    while let Some((line, number)) = lines.next() {
        match event_of(line) {
            Ok(event) => events.push(event),
            Err(_) if lines.peek().is_none() && !line.ends_with(b"\n") => {}
            Err(why) => return Err(UnreadableJournal::Line { line: number, why }),
        }
    }
    Ok(events)
}

/// Returns the number of bytes after the last complete line of a journal.
pub fn torn_bytes(journal: &[u8]) -> usize {
    journal.rsplit(|byte| *byte == b'\n').next().map_or(0, <[u8]>::len)
}

fn event_of(line: &[u8]) -> Result<Event, String> {
    let event: Event = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let again = serde_json::to_string(&event).map_err(|error| error.to_string())?;
    if line.strip_suffix(b"\n") == Some(again.as_bytes()) {
        return Ok(event);
    }
    let (line, again) = (
        serde_json::from_slice(line).unwrap_or(Value::Null),
        serde_json::from_str(&again).unwrap_or(Value::Null),
    );
    Err(match unknown_field(&line, &again) {
        Some(field) => format!("it has a field {field:?}, which is unknown"),
        None => "it is not written as the format writes it".to_owned(),
    })
}

/// Returns the first field of `line` that `again` does not have.
fn unknown_field(line: &Value, again: &Value) -> Option<String> {
    match (line, again) {
        (Value::Object(line), Value::Object(again)) => {
            line.iter().find_map(|(name, value)| match again.get(name) {
                None => Some(name.clone()),
                Some(other) => unknown_field(value, other),
            })
        }
        (Value::Array(line), Value::Array(again)) => {
            line.iter().zip(again).find_map(|(value, other)| unknown_field(value, other))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::EventKind;
    use crate::fixture;

    const WHOLE: &str = r#"{"seq":1,"at":"2026-11-26T03:13:42.000Z","event":"run-ended"}"#;

    fn events(lines: &[&str]) -> Result<usize, String> {
        let text = lines.join("\n");
        events_of(text.as_bytes()).map(|events| events.len()).map_err(|error| error.to_string())
    }

    /// Returns the first line of a journal, with one text replaced.
    fn first(from: &str, to: &str) -> String {
        let began = EventKind::RunBegan(Box::new(fixture::began()));
        let line = serde_json::to_string(&Event { seq: 1, at: fixture::at(0), kind: began }).unwrap();
        assert!(line.contains(from), "{line}");
        line.replacen(from, to, 1)
    }

    #[test]
    fn a_last_line_that_a_crash_tore_off_is_left_out() {
        let began = first("", "");
        assert_eq!(events(&[&began, WHOLE, &WHOLE[..20]]), Ok(2));
        assert_eq!(events(&[&began, WHOLE, ""]), Ok(2));
        assert_eq!(events(&[""]), Ok(0));
        // The line may be complete except for its line end.
        assert_eq!(events(&[&began, WHOLE]), Ok(1));
        assert_eq!(["", "{}\n", "{}", "{}\n{\"s"].map(|text| torn_bytes(text.as_bytes())), [0, 0, 2, 3]);
    }

    #[test]
    fn any_other_line_that_is_no_event_is_named() {
        let began = first("", "");
        let whole = |line: &str| events(&[&began, line, WHOLE, ""]).unwrap_err();
        assert!(whole(&WHOLE[..20]).starts_with("line 2 is not an event of the format: "));
        assert!(whole(&WHOLE.replace("run-ended", "run-paused")).contains("unknown variant `run-paused`"));
        let more = WHOLE.replace("\"event\"", "\"extra\":1,\"event\"");
        assert_eq!(
            whole(&more),
            "line 2 is not an event of the format: it has a field \"extra\", which is unknown"
        );
        for line in [
            WHOLE.replace("\"seq\":1", "\"seq\":1,\"seq\":1"),
            WHOLE.replace("\"seq\":1", "\"seq\": 1"),
            WHOLE.replace(".000Z", "Z"),
            format!("\u{feff}{WHOLE}"),
            format!("{WHOLE} "),
            format!("{WHOLE}\t"),
            format!("{WHOLE}\r"),
            format!(" {WHOLE}"),
        ] {
            assert!(whole(&line).starts_with("line 2 is not an event of the format: "), "{line}");
        }
        let inner = first("\"target\":{", "\"target\":{\"cluster\":\"x\",");
        assert!(events(&[&inner, ""]).unwrap_err().contains("a field \"cluster\", which is unknown"));
    }

    #[test]
    fn a_journal_of_another_number_is_named_and_not_read() {
        let told = |to: &str| {
            events(&[&first("\"schema\":\"staging-dry-run/journal/2\",", to), WHOLE, ""]).unwrap_err()
        };
        let of_the_first = "made by format 1 (0.1.0): verify it with that version";
        assert_eq!(told(""), of_the_first);
        assert_eq!(told("\"schema\":\"staging-dry-run/journal/1\","), of_the_first);
        assert!(
            told("\"schema\":\"staging-dry-run/journal/3\",").starts_with("made by format 3, which is newer")
        );
        assert!(told("\"schema\":2,").contains("the schema \"\" is not one"));
        assert!(told("\"schema\":\"staging-dry-run/manifest/2\",").contains("is not one of staging-dry-run"));
    }
}
