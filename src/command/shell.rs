//! Literal arguments → text for bash.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// A command with nothing left to expand: what each of its processes is started with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pipeline {
    /// The arguments of each stage, left to right, its program first.
    pub stages: Vec<Vec<String>>,
}

impl Pipeline {
    /// Whether curl reads a header from standard input (`-H @-`): the one with the key.
    pub fn reads_header(&self) -> bool {
        self.stages.iter().flatten().any(|argument| argument == "@-")
    }

    /// The command with other words.
    #[must_use]
    pub fn map_words(&self, word: impl Fn(&str) -> String) -> Self {
        let of_a_stage = |stage: &Vec<String>| stage.iter().map(|as_it_is| word(as_it_is)).collect();
        Self { stages: self.stages.iter().map(of_a_stage).collect() }
    }

    /// The command as text that can be pasted into bash and runs exactly these arguments.
    pub fn to_shell(&self) -> String {
        let stage_text =
            |stage: &Vec<String>| stage.iter().map(|word| quote_argument(word)).collect::<Vec<_>>().join(" ");
        self.stages.iter().map(stage_text).collect::<Vec<_>>().join(" | ")
    }
}

/// One word, quoted for bash if it has to be.
pub fn quote(word: &str) -> String {
    // shlex quotes a comma too, which matters inside braces alone: `get deploy,po,svc` reads better bare.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-+./:@,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.into();
    }
    // Between single quotes bash changes nothing: the text reads as it is, backslashes and all.
    if !word.is_empty() && !word.contains(['\'', '\0']) {
        return format!("'{word}'");
    }
    // A NUL is the only thing shlex objects to, and no argument of a process can hold one.
    let quoted = shlex::Quoter::new().allow_nul(true).quote(word);
    quoted.unwrap_or(Cow::Borrowed(word)).into_owned()
}

/// Like [`quote`], but of `--option=value` the value alone: `--context="team's staging"`.
pub(super) fn quote_argument(word: &str) -> String {
    match split_option(word) {
        ("", _) => quote(word),
        (option, "") => option.into(),
        (option, value) => format!("{option}{}", quote(value)),
    }
}

/// Splits `--option=value` after the `=`; the first part is empty for anything else.
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
