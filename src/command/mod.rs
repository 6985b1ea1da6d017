//! The runbook's command lines: text → [`CommandLine`] → [`Pipeline`] → shell text.
//!
//! A row of the runbook holds its command as the text that stands in the document. [`parse`] reads that
//! text as bash would, or refuses it; [`CommandLine::expand`] puts the inputs in place of the variables;
//! [`Pipeline::to_shell`] writes the result so that a person can paste it. No shell runs in between, and
//! the tests hold both directions against bash itself.
//!
//! In one thing we differ from bash on purpose: a variable always becomes exactly one word, as if it stood
//! in double quotes. The runbook quotes nearly everywhere, and where it doesn't, splitting an input into
//! several words is never what was meant.

use std::collections::BTreeSet;
use std::fmt;

mod lexer;
mod shell;
#[cfg(test)]
mod tests;

pub use lexer::{SyntaxError, parse, parse_block};
pub use shell::{Pipeline, quote};

/// One command of the runbook: programs joined by pipes, with the variables still in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// What runs, left to right; each stage begins with the name of its program.
    pub stages: Vec<Vec<Word>>,
    /// The file after `>`, which takes what the last stage prints.
    pub redirect: Option<Word>,
}

/// One argument, in pieces. Adjacent literals are one piece, and the empty word has none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Word(Vec<Piece>);

/// A part of a [`Word`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Text that stands for itself; quotes and backslashes are gone.
    Literal(String),
    /// `$NAME` or `${NAME}`: the name.
    Variable(String),
    /// `$(…)`, verbatim. It is never run.
    Substitution(String),
}

/// A variable, or a `$(…)`, that nothing was given for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not set")]
pub struct UnsetVariable(pub String);

impl CommandLine {
    /// The names of the variables that have to be set before this can run.
    pub fn variables(&self) -> BTreeSet<&str> {
        self.words()
            .flat_map(Word::pieces)
            .filter_map(|piece| match piece {
                Piece::Variable(name) => Some(name.as_str()),
                Piece::Literal(_) | Piece::Substitution(_) => None,
            })
            .collect()
    }

    /// The program of each stage, left to right.
    pub fn programs(&self) -> impl Iterator<Item = &str> {
        self.stages.iter().filter_map(|stage| stage.first()?.as_literal())
    }

    /// Puts a value in place of every variable of the stages. The redirection is not part of the result:
    /// where output goes is the caller's to say, who may [`expand`](Word::expand) that word too.
    ///
    /// # Errors
    /// When `value` knows nothing of a variable.
    pub fn expand(&self, value: impl Fn(&str) -> Option<String>) -> Result<Pipeline, UnsetVariable> {
        let expand_stage = |stage: &Vec<Word>| stage.iter().map(|word| word.expand(&value)).collect();
        Ok(Pipeline { stages: self.stages.iter().map(expand_stage).collect::<Result<_, _>>()? })
    }

    fn words(&self) -> impl Iterator<Item = &Word> {
        self.stages.iter().flatten().chain(&self.redirect)
    }
}

/// The command with its variables, as a person could type it: `get namespace "$STAGING_NAMESPACE"`.
/// Parsed again it gives the same command.
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
    /// The parts of this word, left to right.
    pub fn pieces(&self) -> &[Piece] {
        &self.0
    }

    /// The text of a word that holds nothing to expand.
    pub fn as_literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Puts a value in place of every variable, which `value` is asked for by name. What would stand in
    /// place of a `$(…)` it is asked for by the whole text, `$(date +%Y%m%d)`, since nothing here runs it.
    ///
    /// # Errors
    /// When `value` knows nothing of a variable.
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

/// Whether the text after a variable would be read as part of its name.
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
