//! The format number of evidence: one number for the format of its files, the procedure and the rules that
//! judge it.
//!
//! `journal.jsonl` contains the number in its first line, and every JSON file contains it in the key
//! `schema`. `verify` and `replay` judge only evidence whose number is readable in [`KNOWN`].
//!
//! Number 2 may change until it is released. From then on, every released number stays in the table, with a
//! fixture in the tests.

/// The format number that this program writes.
pub const NUMBER: u32 = 2;

/// A released format number, and whether this program can judge its evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The format number.
    pub number: u32,
    /// The first version of the program that wrote it.
    pub since: &'static str,
    /// Whether this program can verify and replay it.
    pub readable: bool,
}

/// Every format number so far, in ascending order.
pub const KNOWN: [Known; 2] = [
    Known { number: 1, since: "0.1.0", readable: false },
    Known { number: NUMBER, since: "0.2.0", readable: true },
];

/// A file that contains a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum File {
    /// `journal.jsonl`; the schema is in its first line.
    Journal,
    /// `manifest.json`.
    Manifest,
    /// `smoke/results.json`.
    Results,
    /// `attestation.json`; the schema is an annotation, since the file itself has in-toto's format.
    Attestation,
}

impl File {
    fn name(self) -> &'static str {
        match self {
            Self::Journal => "journal",
            Self::Manifest => "manifest",
            Self::Results => "results",
            Self::Attestation => "attestation",
        }
    }

    /// Returns the schema that this program writes into the file, such as `staging-dry-run/journal/2`.
    pub fn schema(self) -> String {
        format!("staging-dry-run/{}/{NUMBER}", self.name())
    }
}

/// The error for evidence that this program cannot judge, because of its schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OtherSchema {
    /// The number is older or newer than the readable ones.
    #[error("made by format {number}{}", advice(*.number))]
    Number {
        /// The format number of the evidence.
        number: u32,
    },
    /// The schema is missing, or is not a schema of this program for this file.
    #[error("the schema {0} is not one of staging-dry-run")]
    Unknown(String),
}

fn advice(number: u32) -> String {
    let version = env!("CARGO_PKG_VERSION");
    match KNOWN.iter().find(|known| known.number == number) {
        Some(known) => format!(" ({}): verify it with that version", known.since),
        None => format!(", which is newer than this program ({version}): install a newer staging-dry-run"),
    }
}

/// Checks that this program can judge the evidence with this schema.
///
/// # Errors
/// When the schema is not one of this file, or its number is not readable in [`KNOWN`].
pub fn check_readable(schema: &str, file: File) -> Result<(), OtherSchema> {
    let unknown = || OtherSchema::Unknown(format!("{schema:?}"));
    let number = schema.strip_prefix(&format!("staging-dry-run/{}/", file.name())).ok_or_else(unknown)?;
    let is_plain = !number.starts_with('0') && number.bytes().all(|byte| byte.is_ascii_digit());
    let number = number.parse().ok().filter(|_| is_plain).ok_or_else(unknown)?;
    match KNOWN.iter().find(|known| known.number == number) {
        Some(known) if known.readable => Ok(()),
        _ => Err(OtherSchema::Number { number }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_number_is_judged() {
        assert_eq!(check_readable(&File::Journal.schema(), File::Journal), Ok(()));
        let told = |schema: &str| check_readable(schema, File::Journal).unwrap_err().to_string();
        assert_eq!(
            told("staging-dry-run/journal/1"),
            "made by format 1 (0.1.0): verify it with that version"
        );
        let newer = told("staging-dry-run/journal/3");
        assert!(newer.starts_with("made by format 3, which is newer than this program ("), "{newer}");
        assert!(newer.ends_with("): install a newer staging-dry-run"), "{newer}");
        for other in [
            "",
            "staging-dry-run/journal/",
            "staging-dry-run/journal/02",
            "staging-dry-run/journal/+2",
            "staging-dry-run/manifest/2",
            "staging-dry-run/journal/2 ",
        ] {
            assert!(told(other).contains("is not one of staging-dry-run"), "{other:?}");
        }
    }

    #[test]
    fn each_number_is_known_once_and_the_last_is_written() {
        assert!(KNOWN.windows(2).all(|pair| pair[0].number < pair[1].number));
        assert_eq!(KNOWN.last().map(|known| (known.number, known.readable)), Some((NUMBER, true)));
    }
}
