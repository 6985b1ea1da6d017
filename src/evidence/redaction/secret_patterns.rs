//! The patterns of secrets: every encoding in which a secret's value is searched for.
//!
//! A message never contains a value: `Debug` prints names only.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::ops::Range;

use aho_corasick::{AhoCorasick, BuildError, Input, MatchKind};
use serde_json::Value;

use super::Redactor;

/// All patterns of some named secrets, searched for in one pass.
///
/// The patterns of a value are:
///
/// - the value itself;
/// - hex;
/// - percent-encoding, by the usual rules for the characters that stay, and of every byte;
/// - the inside of a JSON string, as the libraries of the usual languages escape it;
/// - HTML, with the usual entities for quotes;
/// - base64, standard and URL-safe, for each of the three alignments of the value: the characters that depend
///   on the value alone.
///
/// These are not found:
///
/// - the character at either end of a base64 text that the value shares with its neighbors;
/// - base64 that is broken into lines;
/// - hex digits of mixed case;
/// - nested encodings.
pub struct SecretPatterns {
    /// The name of the secret, for each pattern of the automaton.
    names: Vec<String>,
    /// The patterns themselves, to decide whether the end of a text could begin one.
    patterns: Vec<Vec<u8>>,
    /// Whether a pattern begins with this byte.
    begins: [bool; 256],
    /// The search automaton; `None` without patterns.
    automaton: Option<AhoCorasick>,
}

/// The error for values that are together too long for one automaton.
#[derive(Debug, thiserror::Error)]
#[error("the values to redact are too long to be searched for: {0}")]
pub struct TooLong(BuildError);

impl SecretPatterns {
    /// Builds the patterns of secrets, each given as a name and a value.
    ///
    /// An empty value has no pattern. A short value (under 8 characters) occurs by accident and destroys
    /// evidence, so the caller must refuse it. If two secrets share a pattern, the first one gives the name.
    ///
    /// # Errors
    /// When the values are too long for one automaton (some hundred megabytes).
    pub fn of(secrets: &[(&str, &str)]) -> Result<Self, TooLong> {
        let mut seen = BTreeSet::new();
        let (mut names, mut patterns) = (Vec::new(), Vec::new());
        for (name, value) in secrets {
            for form in all_forms(value) {
                if !form.is_empty() && seen.insert(form.clone()) {
                    names.push((*name).to_owned());
                    patterns.push(form);
                }
            }
        }
        let automaton = if patterns.is_empty() {
            None
        } else {
            let builder = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&patterns);
            Some(builder.map_err(TooLong)?)
        };
        let mut begins = [false; 256];
        for first in patterns.iter().filter_map(|pattern| pattern.first()) {
            begins[usize::from(*first)] = true;
        }
        Ok(Self { names, patterns, begins, automaton })
    }

    /// Returns the patterns of no secret, for reading evidence that is already redacted.
    pub fn none() -> Self {
        Self { names: Vec::new(), patterns: Vec::new(), begins: [false; 256], automaton: None }
    }

    /// Returns whether there is nothing to redact.
    pub fn is_empty(&self) -> bool {
        self.automaton.is_none()
    }

    /// Returns the names of the secrets that occur in `bytes`, in any encoding.
    pub fn secrets_in(&self, bytes: &[u8]) -> Vec<String> {
        let mut redactor = Redactor::new(self, std::io::sink());
        // The output is discarded, so nothing can fail.
        let counts = redactor.write_all(bytes).and_then(|()| redactor.finish());
        counts.map(|(_, counts)| counts.into_keys().collect()).unwrap_or_default()
    }

    /// Returns `text` with its secrets redacted.
    pub fn redact_str(&self, text: &str) -> String {
        let mut redacted = Vec::with_capacity(text.len());
        let mut redactor = Redactor::new(self, &mut redacted);
        // Writing to memory does not fail. If it did, missing text would be better than a leaked secret.
        let _ = redactor.write_all(text.as_bytes()).and_then(|()| redactor.finish().map(drop));
        // A pattern is UTF-8, and a match in UTF-8 starts and ends at characters, so nothing is replaced
        // here.
        String::from_utf8_lossy(&redacted).into_owned()
    }

    /// Returns `value` with the secrets in its strings redacted; its numbers and its structure stay.
    pub fn redact_value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.redact_str(&text)),
            Value::Array(values) => values.into_iter().map(|value| self.redact_value(value)).collect(),
            Value::Object(fields) => fields
                .into_iter()
                .map(|(name, value)| (self.redact_str(&name), self.redact_value(value)))
                .collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) => value,
        }
    }

    /// Returns the leftmost occurrence with its name; if several begin there, the longest.
    pub(super) fn find(&self, input: Input<'_>) -> Option<(Range<usize>, &str)> {
        let found = self.automaton.as_ref()?.find(input)?;
        Some((found.range(), self.names[found.pattern().as_usize()].as_str()))
    }

    /// Returns where the longest end of `text` begins that could still become a pattern, or the length of
    /// `text`.
    pub(super) fn first_undecided(&self, text: &[u8]) -> usize {
        let longest = self.patterns.iter().map(Vec::len).max().unwrap_or(0);
        let earliest = (text.len() + 1).saturating_sub(longest);
        (earliest..text.len())
            .find(|&start| self.begins[usize::from(text[start])] && self.could_begin_with(&text[start..]))
            .unwrap_or(text.len())
    }

    fn could_begin_with(&self, end: &[u8]) -> bool {
        self.patterns.iter().any(|pattern| pattern.len() > end.len() && pattern.starts_with(end))
    }

    #[cfg(test)]
    pub(super) fn patterns(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.names.iter().map(String::as_str).zip(self.patterns.iter().map(Vec::as_slice))
    }
}

/// Prints names only: a secret must not reach a message.
impl fmt::Debug for SecretPatterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: BTreeSet<&String> = self.names.iter().collect();
        f.debug_struct("SecretPatterns").field("names", &names).finish_non_exhaustive()
    }
}

/// The characters that percent-encoding keeps, in addition to letters and digits.
///
/// The rules are: RFC 3986 (and Go's query), Python's `quote`, JavaScript's `encodeURIComponent`, Go's path
/// segment, Go's user name and password, Go's path, JavaScript's `encodeURI`, HTML forms (and Java's
/// `URLEncoder`), and PHP's `urlencode`.
const LEFT_ALONE: [&str; 9] = [
    "-._~",
    "-._~/",
    "-._~!*'()",
    "-._~$&+=:@",
    "-._~$&+,;=",
    "-._~$&+,/:;=@",
    "-._~!*'();,/?:@&=+$#",
    "*-._",
    "-._",
];

/// The way a library writes a JSON string.
struct JsonEscapes {
    /// Whether a character is written as `\u` and hex digits, in addition to control characters.
    as_hex: fn(char) -> bool,
    /// Whether `/` is written as `\/`.
    slash: bool,
}

/// The ways are: RFC 8259's shortest, Go's `encoding/json`, ASCII only (Python), the first and the third with
/// `\/` (PHP), Gson's, and .NET's `System.Text.Json`.
const JSON: [JsonEscapes; 7] = [
    JsonEscapes { as_hex: |_| false, slash: false },
    JsonEscapes { as_hex: |c| matches!(c, '&' | '<' | '>' | '\u{2028}' | '\u{2029}'), slash: false },
    JsonEscapes { as_hex: |c| !c.is_ascii(), slash: false },
    JsonEscapes { as_hex: |_| false, slash: true },
    JsonEscapes { as_hex: |c| !c.is_ascii(), slash: true },
    JsonEscapes {
        as_hex: |c| matches!(c, '&' | '<' | '>' | '=' | '\'' | '\u{2028}' | '\u{2029}'),
        slash: false,
    },
    JsonEscapes {
        as_hex: |c| !c.is_ascii() || matches!(c, '&' | '<' | '>' | '+' | '\'' | '"' | '`'),
        slash: false,
    },
];

/// The ways to write a double quote in HTML.
const HTML_QUOTES: [&str; 3] = ["\"", "&quot;", "&#34;"];

/// The ways to write an apostrophe in HTML and XML.
const HTML_APOSTROPHES: [&str; 5] = ["'", "&#39;", "&#039;", "&#x27;", "&apos;"];

fn all_forms(value: &str) -> Vec<Vec<u8>> {
    let every_byte = percent_encoded(value, |_| false);
    let hex = every_byte.replace('%', "");
    let mut patterns =
        vec![value.to_owned(), hex.to_ascii_lowercase(), hex, lower_percents(&every_byte), every_byte];
    for escapes in &JSON {
        patterns.extend([in_json(value, escapes, false), in_json(value, escapes, true)]);
    }
    for quote in HTML_QUOTES {
        patterns.extend(HTML_APOSTROPHES.map(|apostrophe| in_html(value, quote, apostrophe)));
    }
    for left_alone in LEFT_ALONE {
        let leave = |byte: u8| byte.is_ascii_alphanumeric() || left_alone.contains(char::from(byte));
        let encoded = percent_encoded(value, leave);
        // In a form field, a plus sign encodes a space.
        let in_a_form = encoded.replace("%20", "+");
        patterns.extend([lower_percents(&in_a_form), in_a_form, lower_percents(&encoded), encoded]);
    }
    for alphabet in [BASE64, BASE64_URL] {
        patterns.extend((0..3).map(|before| inner_base64(value.as_bytes(), before, alphabet)));
    }
    patterns.into_iter().map(String::into_bytes).collect()
}

/// Returns the inside of a JSON string; `upper` selects the case of its hex digits.
fn in_json(value: &str, escapes: &JsonEscapes, upper: bool) -> String {
    let mut inside = String::new();
    for character in value.chars() {
        let named = match character {
            _ if (escapes.as_hex)(character) => None,
            '"' => Some("\\\""),
            '\\' => Some("\\\\"),
            '/' if escapes.slash => Some("\\/"),
            '\n' => Some("\\n"),
            '\r' => Some("\\r"),
            '\t' => Some("\\t"),
            '\u{8}' => Some("\\b"),
            '\u{c}' => Some("\\f"),
            _ if character < ' ' => None,
            _ => {
                inside.push(character);
                continue;
            }
        };
        match named {
            Some(escape) => inside.push_str(escape),
            None => character.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                // Writing to a string does not fail.
                let _ = if upper { write!(inside, "\\u{unit:04X}") } else { write!(inside, "\\u{unit:04x}") };
            }),
        }
    }
    inside
}

/// Returns the text as HTML, with these entities for quotes.
fn in_html(value: &str, quote: &str, apostrophe: &str) -> String {
    let escaped = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    // An entity for a quote contains no apostrophe, so the order does not matter.
    escaped.replace('"', quote).replace('\'', apostrophe)
}

fn percent_encoded(value: &str, leave: impl Fn(u8) -> bool) -> String {
    let encode = |byte: u8| if leave(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    value.bytes().map(encode).collect()
}

/// Returns the text with the two hex digits after each percent sign in lower case.
fn lower_percents(encoded: &str) -> String {
    let mut pieces = encoded.split('%');
    let mut lower = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2).unwrap_or((piece, ""));
        lower.push('%');
        lower.push_str(&digits.to_ascii_lowercase());
        lower.push_str(rest);
    }
    lower
}

/// The standard alphabet: RFC 4648, section 4.
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// The URL-safe alphabet: RFC 4648, section 5.
const BASE64_URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Returns the base64 characters that depend on `bytes` alone, after a multiple of three plus `before` bytes.
fn inner_base64(bytes: &[u8], before: usize, alphabet: &[u8; 64]) -> String {
    let characters = (8 * before).div_ceil(6)..8 * (before + bytes.len()) / 6;
    characters
        .map(|character| {
            let bit = 6 * character - 8 * before;
            let two = [bit / 8, bit / 8 + 1].map(|byte| bytes.get(byte).copied().unwrap_or(0));
            let six = u16::from_be_bytes(two) >> (10 - bit % 8) & 0b11_1111;
            char::from(alphabet[usize::from(six)])
        })
        .collect()
}
