//! Prints the result of a replay: one row per command while it runs, then the summary.

use super::console;
use super::escape::{clipped, printable};
use super::layout::{BAD, FAIR, GOOD, count, styled};
use super::verified::run_line;
use crate::replay::{Compared, Difference, Line, Progress, Replayed};
use crate::run_state::RunState;

/// The longest line that is shown, in characters.
const MOST: usize = 160;

/// The maximum number of differing lines that are shown per command.
const LINES: usize = 6;

/// Prints one step of a replay's progress.
pub fn replaying(told: &Progress<'_>) {
    match told {
        Progress::Begins { run, server } => {
            console::print(&format!("{}\n{}\n", run_line(run), on(run, *server)));
        }
        Progress::Starts(id) => console::status_line(&format!("  {}", printable(id))),
        Progress::Compared(compared) => console::print(&row(compared)),
    }
}

/// Prints the summary, and where to find the output.
pub fn replayed(all: &Replayed) {
    console::print(&sum(all));
    let folder = printable(all.folder.as_str());
    console::print(&format!("The new output is in {folder}, in files of the same names."));
    if let Some(signal) = all.interrupted {
        console::eprint(&format!(
            "Ended by signal {signal} before the end: the commands after these were not run."
        ));
    }
}

/// Formats the server of the replay, and the server of the run if it differs.
fn on(run: &RunState, server: Option<&str>) -> String {
    let then = run.context.as_ref().and_then(|context| context.server.as_deref());
    let line = match (server, then) {
        (None, _) => return String::new(),
        (Some(now), Some(then)) if now != then => format!("again on {now} (then {then})"),
        (Some(now), _) => format!("again on {now}"),
    };
    clipped(&line, 2 * MOST) + "\n"
}

fn row(compared: &Compared) -> String {
    let word = match compared.came {
        Difference::Same => styled(GOOD, "same    "),
        Difference::Drift => styled(FAIR, "drift   "),
        Difference::Changed => styled(BAD, "CHANGED "),
        Difference::LeftOut => styled(FAIR, "left out"),
    };
    let why = compared.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    let mut text = format!("  {word}  {}\n", clipped(&format!("{}{why}", compared.id), MOST));
    for Line { now, text: line } in compared.lines.iter().take(LINES) {
        text.push_str(&format!("              {} {}\n", if *now { '+' } else { '-' }, clipped(line, MOST)));
    }
    if let Some(more) = compared.lines.len().checked_sub(LINES).filter(|more| *more > 0) {
        text.push_str(&format!("              … and {}\n", count(more, "more line")));
    }
    text
}

fn sum(all: &Replayed) -> String {
    let number = |came: Difference| all.compared.iter().filter(|compared| compared.came == came).count();
    let (same, drift) = (number(Difference::Same), number(Difference::Drift));
    let (changed, left_out) = (number(Difference::Changed), number(Difference::LeftOut));
    let verdict = match (changed, all.interrupted) {
        (0, Some(_)) => styled(FAIR, "NOT FINISHED"),
        (0, None) if all.is_empty() => styled(FAIR, "NOTHING COMPARED"),
        (0, None) => styled(GOOD, "NOTHING CHANGED"),
        _ => styled(BAD, "CHANGED"),
    };
    format!("\n{verdict}: {same} same, {drift} drift, {changed} changed, {left_out} left out\n")
}
