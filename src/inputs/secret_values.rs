//! The values that a message about the inputs must not contain.
//!
//! They are read from the environment without their grammars, because a message is needed exactly when an
//! input is malformed.

use super::{REDACT, TABLE};
use std::ffi::OsString;

/// The length in characters from which a value is looked for; a shorter one occurs in words by accident.
const SHORTEST: usize = 4;

/// The secret values, each with the name of its variable, the longest first.
pub(super) struct SecretValues(Vec<(String, String)>);

impl SecretValues {
    /// Reads the key, and each variable that `STAGING_REDACT` names.
    pub(super) fn of(lookup: impl Fn(&str) -> Option<OsString>) -> Self {
        let value = |name: &str| lookup(name).map(|value| value.to_string_lossy().trim().to_owned());
        let list = value(REDACT).unwrap_or_default();
        let secret = TABLE.iter().filter(|row| row.secret).map(|row| row.name);
        let named = list.split(',').map(str::trim).filter(|name| !name.is_empty());
        let mut values: Vec<(String, String)> = secret
            .chain(named)
            .filter_map(|name| Some((value(name)?, name.to_owned())))
            .filter(|(value, _)| value.chars().count() >= SHORTEST)
            .collect();
        values.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        Self(values)
    }

    /// Returns the text with each secret value replaced by a marker.
    pub(super) fn hide(&self, text: &str) -> String {
        self.0
            .iter()
            .fold(text.to_owned(), |text, (value, name)| text.replace(value.as_str(), &redacted(name)))
    }

    /// Returns the marker of a secret that the text contains, if any.
    pub(super) fn marker_of_one_in(&self, text: &str) -> Option<String> {
        self.0.iter().find(|(value, _)| text.contains(value.as_str())).map(|(_, name)| redacted(name))
    }
}

/// Returns the marker of a value, as in the evidence.
fn redacted(name: &str) -> String {
    format!("[redacted:{name}]")
}
