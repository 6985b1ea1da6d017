//! The runbook's command lines: from text to [`CommandLine`], to [`Pipeline`], and back to shell text.
//!
//! A step of the runbook contains its command as text of the document. [`parse`] parses that text as bash
//! would, or refuses it. [`CommandLine::expand`] replaces the variables by the inputs. [`Pipeline::to_shell`]
//! renders the result so that a user can paste it. No shell runs in between, and the tests compare both
//! directions with bash itself.
//!
//! One difference from bash is deliberate: a variable always becomes exactly one word, as if it were in
//! double quotes. The runbook quotes nearly everywhere, and elsewhere splitting an input into words is never
//! intended.

use std::collections::BTreeSet;
use std::fmt;

mod arguments;
mod effect;
mod lexer;
mod shell;
#[cfg(test)]
mod tests;

pub use arguments::{FILLED_IN, filled_in};
pub use effect::{Effect, NotUnderstood};
pub use lexer::{SyntaxError, parse, parse_block};
pub use shell::{Pipeline, quote};

/// A command of the runbook: programs that are joined by pipes, with the variables still in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// The stages, left to right; each begins with the name of its program.
    pub stages: Vec<Vec<Word>>,
    /// The file after `>`, which receives the output of the last stage; `None` without a redirection.
    pub redirect: Option<Word>,
}

/// One argument, in pieces.
///
/// Adjacent literals are one piece, and the empty word has no piece.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Word(Vec<Piece>);

/// A part of a [`Word`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Literal text, without quotes and backslashes.
    Literal(String),
    /// The name of `$NAME` or `${NAME}`.
    Variable(String),
    /// The text of `$(…)`, verbatim; it never runs.
    Substitution(String),
}

/// The error for a variable, or a `$(…)`, without a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not set")]
pub struct UnsetVariable(pub String);

/// The error for a command of one stage, from which no other command can be derived.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no command can be derived from one that has a single stage: {0}")]
pub struct CannotDerive(pub String);

impl CommandLine {
    /// Returns the names of the variables that need a value before the command can run.
    pub fn variables(&self) -> BTreeSet<&str> {
        self.words()
            .flat_map(Word::pieces)
            .filter_map(|piece| match piece {
                Piece::Variable(name) => Some(name.as_str()),
                Piece::Literal(_) | Piece::Substitution(_) => None,
            })
            .collect()
    }

    /// Returns the command without its last stage and its redirection: the input of that stage.
    ///
    /// # Errors
    /// When the command has only one stage.
    pub fn without_last(&self) -> Result<Self, CannotDerive> {
        match self.stages.split_last() {
            Some((_, stages @ [_, ..])) => Ok(Self { stages: stages.to_vec(), redirect: None }),
            _ => Err(CannotDerive(self.to_string())),
        }
    }

    /// Returns the command with another last stage and without a redirection.
    ///
    /// # Errors
    /// When the command has only one stage, so nothing of it would remain.
    pub fn with_last(&self, last: Vec<Word>) -> Result<Self, CannotDerive> {
        let mut line = self.without_last()?;
        line.stages.push(last);
        Ok(line)
    }

    /// Returns the program of each stage, left to right.
    pub fn programs(&self) -> impl Iterator<Item = &str> {
        self.stages.iter().filter_map(|stage| stage.first()?.as_literal())
    }

    /// Replaces every variable of the stages by its value.
    ///
    /// The redirection is not part of the result: the caller decides where the output goes, and may
    /// [`expand`](Word::expand) that word too.
    ///
    /// # Errors
    /// When `value` has no value for a variable.
    pub fn expand(&self, value: impl Fn(&str) -> Option<String>) -> Result<Pipeline, UnsetVariable> {
        let expand_stage = |stage: &Vec<Word>| stage.iter().map(|word| word.expand(&value)).collect();
        Ok(Pipeline { stages: self.stages.iter().map(expand_stage).collect::<Result<_, _>>()? })
    }

    fn words(&self) -> impl Iterator<Item = &Word> {
        self.stages.iter().flatten().chain(&self.redirect)
    }
}

/// Prints the command with its variables, as a user could type it: `get namespace "$STAGING_NAMESPACE"`.
///
/// Parsing the text returns the same command.
impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, stage) in self.stages.iter().enumerate() {
            f.write_str(if number == 0 { "" } else { " | " })?;
            for (position, word) in stage.iter().enumerate() {
                f.write_str(if position == 0 { "" } else { " " })?;
                word.fmt(f)?;
            }
        }
        self.redirect.as_ref().map_or(Ok(()), |file| write!(f, " > {file}"))
    }
}

impl Word {
    /// Returns a word of literal text.
    pub fn literal(text: impl Into<String>) -> Self {
        let text = text.into();
        Self(if text.is_empty() { Vec::new() } else { vec![Piece::Literal(text)] })
    }

    /// Returns a word of these pieces.
    pub fn of(pieces: impl IntoIterator<Item = Piece>) -> Self {
        let mut word = Self::default();
        pieces.into_iter().for_each(|piece| word.push(piece));
        word
    }

    /// Returns the pieces of the word, left to right.
    pub fn pieces(&self) -> &[Piece] {
        &self.0
    }

    /// Returns the text of a word without variables; `None` if there is something to expand.
    pub fn as_literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Replaces every variable by the result of `value`, which receives its name.
    ///
    /// For a `$(…)`, `value` receives the whole text, such as `$(date +%Y%m%d)`, since nothing here runs it.
    ///
    /// # Errors
    /// When `value` has no value for a variable.
    pub fn expand(&self, value: impl Fn(&str) -> Option<String>) -> Result<String, UnsetVariable> {
        let expanded = self.0.iter().map(|piece| match piece {
            Piece::Literal(text) => Ok(text.clone()),
            Piece::Variable(name) | Piece::Substitution(name) => {
                value(name).ok_or_else(|| UnsetVariable(name.clone()))
            }
        });
        expanded.collect()
    }

    fn push(&mut self, piece: Piece) {
        match (self.0.last_mut(), piece) {
            (Some(Piece::Literal(text)), Piece::Literal(more)) => text.push_str(&more),
            (_, Piece::Literal(text)) if text.is_empty() => {}
            (_, piece) => self.0.push(piece),
        }
    }

    fn push_char(&mut self, c: char) {
        if let Some(Piece::Literal(text)) = self.0.last_mut() {
            text.push(c);
        } else {
            self.0.push(Piece::Literal(c.into()));
        }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = self.as_literal() {
            return f.write_str(&shell::quote_argument(text));
        }
        let mut pieces = self.0.clone();
        if let Some(Piece::Literal(text)) = pieces.first_mut() {
            let (option, rest) = shell::split_option(text);
            f.write_str(option)?;
            *text = rest.into();
        }
        f.write_str("\"")?;
        for (position, piece) in pieces.iter().enumerate() {
            match piece {
                Piece::Literal(text) => f.write_str(&escape_in_double_quotes(text))?,
                Piece::Variable(name) if goes_on_like_a_name(&pieces[position + 1..]) => {
                    write!(f, "${{{name}}}")?;
                }
                Piece::Variable(name) => write!(f, "${name}")?,
                Piece::Substitution(text) => f.write_str(text)?,
            }
        }
        f.write_str("\"")
    }
}

/// Returns whether bash would parse the text after a variable as part of the variable's name.
fn goes_on_like_a_name(rest: &[Piece]) -> bool {
    matches!(rest.first(), Some(Piece::Literal(text)) if text.starts_with(lexer::is_name_char))
}

fn escape_in_double_quotes(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '$' | '"' | '\\' | '`') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
