//! Remarks about commands: a closed list, so that no other text can be put into the evidence as one.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{EndedBy, Outcome};

/// A remark about a command's processes and output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Note {
    /// It was not started: the run was being ended.
    NotStarted,
    /// A stage with this program is stuck in the kernel, although it was killed.
    StillRunning(String),
    /// A process of another process group kept its output open, so the recorded output may be incomplete.
    OutputIncomplete,
    /// A process that it left running kept its output open and was ended.
    LeftOneRunning,
}

/// What follows the program's name in [`Note::StillRunning`].
const STILL_RUNNING: &str = " has not ended, although it was killed";

impl Note {
    /// The notes without a program's name, as the journal has them.
    const FIXED: [(Self, &str); 3] = [
        (Self::NotStarted, "not started: the run was being ended"),
        (
            Self::OutputIncomplete,
            "a process that it started left its process group and keeps its output open: the recorded output may be incomplete",
        ),
        (
            Self::LeftOneRunning,
            "it left a process running that kept its output open, and that process was ended",
        ),
    ];

    /// Returns the words of every note; a value to redact must not contain them.
    pub fn words() -> String {
        Self::FIXED.map(|(_, text)| text).join("\n") + STILL_RUNNING
    }

    /// Returns whether a command that ended so can have this note.
    pub fn fits(&self, outcome: &Outcome) -> bool {
        let by = outcome.ended_by;
        match self {
            Self::NotStarted => outcome.exit.is_empty() && by.is_cancelled(),
            Self::StillRunning(_) => by.is_our_doing(),
            Self::OutputIncomplete => by != EndedBy::Itself,
            // An output that could not be stored takes precedence over one that was held open.
            Self::LeftOneRunning => matches!(by, EndedBy::HeldPipes | EndedBy::OutputNotKept),
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StillRunning(program) => write!(f, "{program}{STILL_RUNNING}"),
            fixed => Self::FIXED
                .iter()
                .filter(|(note, _)| note == fixed)
                .try_for_each(|(_, text)| f.write_str(text)),
        }
    }
}

impl From<Note> for String {
    fn from(note: Note) -> Self {
        note.to_string()
    }
}

impl TryFrom<String> for Note {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let fixed = Self::FIXED.into_iter().find(|(_, fixed)| *fixed == text).map(|(note, _)| note);
        let running =
            || text.strip_suffix(STILL_RUNNING).map(|program| Self::StillRunning(program.to_owned()));
        fixed.or_else(running).ok_or_else(|| format!("{text:?} is not a remark about a command"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::outcome;

    #[test]
    fn a_note_is_read_as_it_was_written_and_no_other_text_is_one() {
        let notes =
            Note::FIXED.map(|(note, _)| note).into_iter().chain([Note::StillRunning("jq".to_owned())]);
        for note in notes {
            let text = serde_json::to_string(&note).unwrap();
            assert_eq!(serde_json::from_str::<Note>(&text).unwrap(), note);
        }
        for text in ["", "it went well", "not started: the run was being ended."] {
            assert!(Note::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn the_formats_name_each_note() {
        let formats = include_str!("../../docs/formats.md");
        for note in
            Note::FIXED.map(|(note, _)| note).into_iter().chain([Note::StillRunning("PROGRAM".into())])
        {
            assert!(formats.contains(&format!("`{note}`")), "{note}");
        }
    }

    #[test]
    fn a_note_fits_only_its_endings() {
        let ended = |exit: &[i32], ended_by| Outcome { ended_by, ..outcome("check.01", exit) };
        let running = || Note::StillRunning("curl".to_owned());
        for (note, exit, ended_by, fits) in [
            (Note::NotStarted, &[][..], EndedBy::StagingDryRun(9), true),
            (Note::NotStarted, &[0], EndedBy::StagingDryRun(9), false),
            (Note::NotStarted, &[], EndedBy::Deadline, false),
            (running(), &[137], EndedBy::Deadline, true),
            (running(), &[0], EndedBy::Itself, false),
            (Note::OutputIncomplete, &[0], EndedBy::HeldPipes, true),
            (Note::OutputIncomplete, &[137], EndedBy::Deadline, true),
            (Note::OutputIncomplete, &[0], EndedBy::Itself, false),
            (Note::LeftOneRunning, &[0], EndedBy::HeldPipes, true),
            (Note::LeftOneRunning, &[0], EndedBy::Itself, false),
        ] {
            assert_eq!(note.fits(&ended(exit, ended_by)), fits, "{note} {exit:?} {ended_by:?}");
        }
    }
}
