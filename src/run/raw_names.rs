//! The real names of pods whose recorded names are redacted.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use super::lines::Lines;
use crate::evidence::redaction::SecretPatterns;
use crate::facts::pod_table::{self, WatchRow};

/// The real names of pods whose names contain a secret.
///
/// Evidence, facts and screen have the names redacted, but kubectl needs the real name. No decision depends
/// on the real names, and they are never written.
#[derive(Default)]
pub(super) struct RawNames(Mutex<BTreeMap<String, String>>);

impl RawNames {
    /// Returns the real name of the pod with this recorded name.
    pub(super) fn of(&self, recorded: &str) -> String {
        let names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.get(recorded).map_or_else(|| recorded.to_owned(), Clone::clone)
    }

    /// Returns a writer that collects names from the rows of pods that kubectl prints, from a watch or a
    /// list.
    pub(super) fn writer<'a>(&'a self, patterns: &'a SecretPatterns) -> impl Write + 'a {
        Lines::new(move |line: &str, _| {
            if patterns.is_empty() {
                return Ok(());
            }
            let row = match pod_table::watch_row(line) {
                WatchRow::Pod(row) => Some(row),
                _ => pod_table::list_row(line),
            };
            if let Some(row) = row {
                let recorded = patterns.redact_str(&row.name);
                if recorded != row.name {
                    self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(recorded, row.name);
                }
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_with_a_secret_are_kept_and_found_by_their_recorded_form() {
        let patterns = SecretPatterns::of(&[("KEY", "secret-name")]).unwrap();
        let names = RawNames::default();
        let rows = b"ADDED   dpp-secret-name-1   1/1   Running   0   1s\nADDED   dpp-api-1   1/1   Running   0   1s\n";
        names.writer(&patterns).write_all(rows).unwrap();
        assert_eq!(names.of("dpp-[redacted:KEY]-1"), "dpp-secret-name-1");
        assert_eq!(names.of("dpp-api-1"), "dpp-api-1");
        assert_eq!(names.0.lock().unwrap().len(), 1);
    }
}
