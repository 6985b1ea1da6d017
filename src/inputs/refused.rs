//! The message for inputs that can't be used.
//!
//! It contains no secret: the value of a secret input is never quoted, and passwords and queries are removed
//! from URLs.

use std::fmt;

use super::{InputRow, Reading, SecretValues, TABLE};
use crate::command::quote;

/// All problems of the inputs, in the order of the table; its `Display` is the whole message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The inputs that can't be used.
    pub problems: Vec<InputProblem>,
    /// The inputs that can be used; with the value if the input has a default, to show which value applies.
    pub fine: Vec<String>,
}

/// An input that can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputProblem {
    /// The environment variable.
    pub name: &'static str,
    /// The problem, worded to follow the name: `is not set`.
    pub fault: String,
    /// An example value.
    pub example: &'static str,
    /// Where to find the value, with the valid inputs filled in.
    pub find_it: String,
}

impl Refused {
    pub(super) fn new(readings: &[Reading; TABLE.len()], secrets: &SecretValues) -> Self {
        let rows = || TABLE.iter().zip(readings);
        let values = rows().filter_map(|(row, reading)| match reading {
            Reading::Given(value) | Reading::Default(value) if !row.secret => {
                Some((format!("\"${}\"", row.name), quote(&secrets.hide(value))))
            }
            _ => None,
        });
        let values = values.collect::<Vec<_>>();
        let fill_in = |text: &str| {
            values.iter().fold(text.to_owned(), |text, (variable, value)| text.replace(variable, value))
        };
        let problem = |(row, reading): (&InputRow, &Reading)| match reading {
            Reading::Refused(fault) => Some(InputProblem {
                name: row.name,
                fault: fault.clone(),
                example: row.example,
                find_it: fill_in(row.find_it),
            }),
            _ => None,
        };
        let fine = |(row, reading): (&InputRow, &Reading)| match reading {
            Reading::Given(value) if row.default.is_some() => {
                Some(format!("{} ({})", row.name, secrets.hide(value)))
            }
            Reading::Given(_) => Some(row.name.into()),
            Reading::Default(value) => Some(format!("{} ({value}, the default)", row.name)),
            Reading::Unset | Reading::Refused(_) => None,
        };
        Self { problems: rows().filter_map(problem).collect(), fine: rows().filter_map(fine).collect() }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inputs = match self.problems.len() {
            1 => "1 input".into(),
            count => format!("{count} inputs"),
        };
        writeln!(f, "Refused: {inputs} can't be used. Nothing was run and nothing was written.")?;
        for InputProblem { name, fault, example, find_it } in &self.problems {
            write!(f, "\n  {name} {fault}")?;
            write!(f, "\n      for example   export {name}=\"{example}\"")?;
            write!(f, "\n      find it       {find_it}")?;
        }
        match self.fine.as_slice() {
            [] => Ok(()),
            fine => write!(f, "\n\nThe other inputs are fine: {}.", fine.join(", ")),
        }
    }
}

impl std::error::Error for Refused {}

/// Formats a value for a message: in quotes, on one line, limited in length, without the password and query
/// of a URL.
pub(super) fn shown(value: &str) -> String {
    let mut safe = without_password(value);
    if let Some(query) = safe.find(['?', '#']).filter(|_| safe.contains("://")) {
        safe.replace_range(query + 1.., "…");
    }
    match safe.char_indices().nth(80) {
        Some((end, _)) => format!("{:?}… ({} characters)", &safe[..end], safe.chars().count()),
        None => format!("{safe:?}"),
    }
}

/// Hides a password: `https://user:secret@host` → `https://user:…@host`.
///
/// A lone word before the `@` of a URL is hidden too, because tokens are written there. Elsewhere, as in
/// `admin@cluster`, it is part of a name.
fn without_password(value: &str) -> String {
    let begin = value.find("://").map_or(0, |scheme| scheme + "://".len());
    let Some((before, host)) = value[begin..].rsplit_once('@') else { return value.into() };
    let user = match before.split_once(':') {
        Some((user, _)) => format!("{user}:"),
        None if begin > 0 => String::new(),
        None => return value.into(),
    };
    format!("{}{user}…@{host}", &value[..begin])
}
