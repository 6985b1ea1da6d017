//! Renders literal arguments as text for bash.
//!
//! Bash parses the text back to exactly the same arguments.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// A command with nothing left to expand: the arguments of each of its processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pipeline {
    /// The arguments of each stage, left to right, with the program first.
    pub stages: Vec<Vec<String>>,
}

impl Pipeline {
    /// Returns whether curl reads a header from standard input (`-H @-`): the header with the key.
    pub fn reads_header(&self) -> bool {
        self.stages.iter().flatten().any(|argument| argument == "@-")
    }

    /// Returns whether curl prints the headers of a response (`-i`).
    pub fn prints_headers(&self) -> bool {
        let of_curl = |stage: &&Vec<String>| stage.first().is_some_and(|program| program == "curl");
        self.stages.iter().filter(of_curl).flatten().any(|argument| argument == "-i")
    }

    /// Returns the command with each word replaced by the result of `word`.
    #[must_use]
    pub fn map_words(&self, word: impl Fn(&str) -> String) -> Self {
        let of_a_stage = |stage: &Vec<String>| stage.iter().map(|as_it_is| word(as_it_is)).collect();
        Self { stages: self.stages.iter().map(of_a_stage).collect() }
    }

    /// Returns the command as text for bash, which runs it with exactly these arguments.
    pub fn to_shell(&self) -> String {
        let stage_text =
            |stage: &Vec<String>| stage.iter().map(|word| quote_argument(word)).collect::<Vec<_>>().join(" ");
        self.stages.iter().map(stage_text).collect::<Vec<_>>().join(" | ")
    }
}

/// Quotes one word for bash, if it needs quotes.
pub fn quote(word: &str) -> String {
    // shlex also quotes a comma, which matters only inside braces: `get deploy,po,svc` is easier to read
    // bare.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-+./:@,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.into();
    }
    // Between single quotes, bash changes nothing, so the text stays readable, including backslashes.
    if !word.is_empty() && !word.contains(['\'', '\0']) {
        return format!("'{word}'");
    }
    // shlex refuses only NUL, which no argument of a process can contain.
    let quoted = shlex::Quoter::new().allow_nul(true).quote(word);
    quoted.unwrap_or(Cow::Borrowed(word)).into_owned()
}

/// Quotes a word like [`quote`], but only the value of `--option=value`: `--context="team's staging"`.
pub(super) fn quote_argument(word: &str) -> String {
    match split_option(word) {
        ("", _) => quote(word),
        (option, "") => option.into(),
        (option, value) => format!("{option}{}", quote(value)),
    }
}

/// Splits `--option=value` after the `=`; the first part is empty for any other word.
pub(super) fn split_option(word: &str) -> (&str, &str) {
    let is_option = |name: &str| {
        name.strip_prefix("--").is_some_and(|name| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        })
    };
    match word.find('=') {
        Some(equals) if is_option(&word[..equals]) => word.split_at(equals + 1),
        _ => ("", word),
    }
}
