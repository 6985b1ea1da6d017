//! The forms in which a secret may appear.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::ops::Range;

use aho_corasick::{AhoCorasick, BuildError, Input, MatchKind};

use super::Redactor;

/// All forms of some named secrets, ready to be searched for in one pass.
///
/// Of each value: itself; hex; percent-encoded (by the usual rules of what is left alone, and every byte);
/// as the inside of a JSON string, also as Go writes it and in ASCII only; and base64, standard and URL-safe, for
/// each of the three ways in which the value can be aligned in what was encoded: the characters that the value
/// alone decides.
///
/// Not found: the character at either end of a base64 text that the value shares with its neighbours, base64
/// broken into lines, hex digits of mixed case, and one encoding within another.
pub struct SecretPatterns {
    /// The name that each pattern of the automaton stands for.
    names: Vec<String>,
    /// The patterns themselves, to see what the end of a text could be the beginning of.
    patterns: Vec<Vec<u8>>,
    /// Whether a pattern begins with this byte.
    begins: [bool; 256],
    /// `None` without patterns.
    automaton: Option<AhoCorasick>,
}

/// The values together are too long for one automaton.
#[derive(Debug, thiserror::Error)]
#[error("the values to redact are too long to be searched for: {0}")]
pub struct TooLong(BuildError);

impl SecretPatterns {
    /// The forms of these secrets, each a name and a value.
    ///
    /// An empty value has none. A short one (say, under 8 characters) will be found where it is not meant and
    /// destroy evidence: refuse it before. Of two secrets with a form in common the first gives the name.
    ///
    /// # Errors
    /// When the values are absurdly long, some hundred megabytes.
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

    /// Those of no secret: for what is only read, since what was taken out of it is out.
    pub fn none() -> Self {
        Self { names: Vec::new(), patterns: Vec::new(), begins: [false; 256], automaton: None }
    }

    /// Whether there is nothing to redact.
    pub fn is_empty(&self) -> bool {
        self.automaton.is_none()
    }

    /// The names of the secrets that are in `bytes`, in whatever form.
    pub fn secrets_in(&self, bytes: &[u8]) -> Vec<String> {
        let mut redactor = Redactor::new(self, std::io::sink());
        // Nothing is kept, so nothing fails.
        let counts = redactor.write_all(bytes).and_then(|()| redactor.finish());
        counts.map(|(_, counts)| counts.into_keys().collect()).unwrap_or_default()
    }

    /// `text` with its secrets taken out.
    pub fn redact_str(&self, text: &str) -> String {
        let mut redacted = Vec::with_capacity(text.len());
        let mut redactor = Redactor::new(self, &mut redacted);
        // Writing to memory does not fail; were it to, what is missing is better than what is too much.
        let _ = redactor.write_all(text.as_bytes()).and_then(|()| redactor.finish().map(drop));
        // A form is UTF-8, and UTF-8 in UTF-8 begins and ends where characters do: nothing is replaced here.
        String::from_utf8_lossy(&redacted).into_owned()
    }

    /// The leftmost occurrence, of those the longest, and its name.
    pub(super) fn find(&self, input: Input<'_>) -> Option<(Range<usize>, &str)> {
        let found = self.automaton.as_ref()?.find(input)?;
        Some((found.range(), self.names[found.pattern().as_usize()].as_str()))
    }

    /// Where the longest end of `text` begins that more text could turn into a form; its length if there is none.
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

/// Names only: a secret must not reach a message.
impl fmt::Debug for SecretPatterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: BTreeSet<&String> = self.names.iter().collect();
        f.debug_struct("SecretPatterns").field("names", &names).finish_non_exhaustive()
    }
}

/// What percent-encoding leaves as it is, beside letters and digits: RFC 3986 (and Go's query), Python's `quote`,
/// JavaScript's `encodeURIComponent`, a segment of a path (Go).
const LEFT_ALONE: [&str; 4] = ["-._~", "-._~/", "-._~!*'()", "-._~$&+=:@"];

fn all_forms(value: &str) -> Vec<Vec<u8>> {
    let every_byte = percent_encoded(value, |_| false);
    let hex = every_byte.replace('%', "");
    let mut patterns = vec![
        value.to_owned(),
        hex.to_ascii_lowercase(),
        hex,
        in_json(value, |_| false),
        in_json(value, |character| matches!(character, '&' | '<' | '>' | '\u{2028}' | '\u{2029}')),
        in_json(value, |character| !character.is_ascii()),
        lower_percents(&every_byte),
        every_byte,
    ];
    for left_alone in LEFT_ALONE {
        let leave = |byte: u8| byte.is_ascii_alphanumeric() || left_alone.contains(char::from(byte));
        let encoded = percent_encoded(value, leave);
        // A form's field has a plus sign for a space.
        let in_a_form = encoded.replace("%20", "+");
        patterns.extend([lower_percents(&in_a_form), in_a_form, lower_percents(&encoded), encoded]);
    }
    for alphabet in [BASE64, BASE64_URL] {
        patterns.extend((0..3).map(|before| inner_base64(value.as_bytes(), before, alphabet)));
    }
    patterns.into_iter().map(String::into_bytes).collect()
}

/// The inside of a JSON string: what must be escaped is, and what `more` says is written as `\u` and hex digits.
fn in_json(value: &str, more: impl Fn(char) -> bool) -> String {
    let mut inside = String::new();
    for character in value.chars() {
        match character {
            '"' => inside.push_str("\\\""),
            '\\' => inside.push_str("\\\\"),
            '\n' => inside.push_str("\\n"),
            '\r' => inside.push_str("\\r"),
            '\t' => inside.push_str("\\t"),
            '\u{8}' => inside.push_str("\\b"),
            '\u{c}' => inside.push_str("\\f"),
            _ if character < ' ' || more(character) => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    // Writing to a string does not fail.
                    let _ = write!(inside, "\\u{unit:04x}");
                }
            }
            _ => inside.push(character),
        }
    }
    inside
}

fn percent_encoded(value: &str, leave: impl Fn(u8) -> bool) -> String {
    let encode = |byte: u8| if leave(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    value.bytes().map(encode).collect()
}

/// The same with hex digits in lower case: those two behind each percent sign.
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

/// RFC 4648, section 4.
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// RFC 4648, section 5.
const BASE64_URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The characters of base64 that `bytes` alone decides, where a multiple of three and `before` bytes come before.
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
