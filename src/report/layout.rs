//! Columns, styles and words that all screens share.

use anstyle::{AnsiColor, Style};

use crate::command;
use crate::run_state::RunState;
use crate::verdict;

/// The column at which a duration at the end of a line ends.
const WIDTH: usize = 108;

/// The column at which the text after a step's name begins.
const MARGIN: usize = 15;

/// The column at which the text after a label of the verdict block begins.
const LABEL: usize = 12;

/// The style of step names and verdicts.
pub(super) const BOLD: Style = Style::new().bold();
/// The style of results that passed.
pub(super) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// The style of a STOP, a refusal or a failure.
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
/// The style of all other results.
pub(super) const FAIR: Style = AnsiColor::Yellow.on_default().bold();

/// Formats a text in a style, which the console removes if it is not supported.
pub(super) fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// Returns the text without styles, as printed without a terminal.
pub(super) fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

/// Formats a duration: `41.2 s`.
pub(super) fn seconds(millis: u64) -> String {
    let tenths = millis.saturating_add(50) / 100;
    format!("{}.{} s", tenths / 10, tenths % 10)
}

pub(super) use crate::verdict::count;

/// Joins words: `a`, `a and b`, `a, b and c`.
pub(super) fn listed(words: &[impl AsRef<str>]) -> String {
    match words {
        [] => String::new(),
        [only] => only.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}

/// Joins the parts of a step's line with dots, and starts a new line when a part does not fit.
pub(super) fn fitted(parts: &[String]) -> Vec<String> {
    let room = WIDTH - MARGIN - "  000.0 s".len();
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        match lines.last_mut() {
            Some(line) if line.chars().count() + " · ".len() + part.chars().count() <= room => {
                line.push_str(" · ");
                line.push_str(part);
            }
            _ => lines.push(part.clone()),
        }
    }
    lines
}

/// Formats the lines of a step: its name before the first line, if given, and the duration after the last.
pub(super) fn step_rows(name: Option<&str>, lines: &[String], millis: Option<u64>) -> String {
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        let name = name.filter(|_| number == 0).unwrap_or_default();
        let margin = " ".repeat(MARGIN.saturating_sub(name.chars().count()));
        let name = if name.is_empty() { String::new() } else { styled(BOLD, name) };
        let row = format!("{name}{margin}{line}");
        let millis = millis.filter(|_| number + 1 == lines.len());
        text.push_str(&timed(&row, millis));
    }
    text
}

/// Formats a line with a duration at its right end.
pub(super) fn timed(line: &str, millis: Option<u64>) -> String {
    let Some(millis) = millis else { return format!("{line}\n") };
    let (length, time) = (plain(line).chars().count(), seconds(millis));
    let gap = WIDTH.saturating_sub(length + time.len()).max(2);
    format!("{line}{:gap$}{time}\n", "")
}

/// Formats a label of the verdict block, with the text in a fixed column and further lines below it.
pub(super) fn labelled(label: &str, lines: &[impl AsRef<str>]) -> String {
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        let label = if number == 0 { format!("  {label}") } else { String::new() };
        text.push_str(&format!("{label:LABEL$}{}\n", line.as_ref()));
    }
    text
}

/// Returns a command of the runbook with this run's values, ready to paste; `None` if a value is not known.
///
/// Every `kubectl` gets the run's context, because the user's current context may differ.
pub(super) fn pasteable(text: &str, run: &RunState, extra: &[(&str, &str)]) -> Option<String> {
    let (_, began) = run.began.as_ref()?;
    let value = |name: &str| verdict::variable_or(began, extra, name);
    let mut pipeline = command::parse(text).ok()?.expand(value).ok()?;
    for stage in
        pipeline.stages.iter_mut().filter(|stage| stage.first().is_some_and(|name| name == "kubectl"))
    {
        if !stage.iter().any(|argument| argument.starts_with("--context")) {
            stage.insert(1, format!("--context={}", began.target.context));
        }
    }
    Some(super::escape::printable(&pipeline.to_shell()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn durations_stand_at_the_right_end() {
        let rows = plain(&step_rows(Some("2 Deploy"), &["first".to_owned(), "second".to_owned()], Some(712)));
        let mut lines = rows.lines();
        assert_eq!(lines.next(), Some("2 Deploy       first"));
        let last = lines.next().unwrap();
        assert!(last.starts_with("               second    ") && last.ends_with("   0.7 s"), "{last}");
        assert_eq!(last.len(), WIDTH);
        assert_eq!(timed(&"x".repeat(120), Some(41_180)), format!("{}  41.2 s\n", "x".repeat(120)));
    }

    #[test]
    fn what_does_not_fit_goes_on_below() {
        let part = "p".repeat(40);
        assert_eq!(fitted(&[part.clone(), part.clone(), part.clone()]), [format!("{part} · {part}"), part]);
    }

    #[test]
    fn words_are_listed() {
        assert_eq!(listed(&["a"]), "a");
        assert_eq!(listed(&["a", "b", "c"]), "a, b and c");
        assert_eq!((count(1, "pod"), count(0, "pod")), ("1 pod".to_owned(), "0 pods".to_owned()));
    }

    #[test]
    fn commands_carry_the_context_of_the_run() {
        let run = fixture::begun();
        let pod = [("POD", "a-1")];
        assert_eq!(
            pasteable("kubectl describe pod \"$POD\" -n \"$STAGING_NAMESPACE\"", &run, &pod).unwrap(),
            "kubectl --context=staging-cluster describe pod a-1 -n dpp-staging"
        );
        assert_eq!(pasteable("kubectl describe pod \"$POD\"", &run, &[]), None);
    }
}
