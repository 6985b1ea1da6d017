//! Whether a recorded command is a command of the runbook, and whether its recorded end is possible.

use crate::events::{Began, ByteRange, Intent, Outcome};
use crate::runbook::Step;
use crate::verdict::{self, count};

/// Returns whether a recorded command is the command of this step, with the run's own values.
pub fn is_of(step: &Step, intent: &Intent, began: &Began) -> bool {
    let value = |name: &str| intent.met.get(name).cloned().or_else(|| verdict::variable(began, name));
    let Ok(asked) = step.line(began.with_key).expand(value) else { return false };
    // The text is exact: it has no redirection, no comment and no other spelling besides the command.
    asked.to_shell() == intent.text
        && asked.reads_header() == intent.reads_key
        && step.phase == intent.phase
        && step.effect == intent.effect
}

/// Checks that the recorded end of a command is possible: its output is in its files, and each stage has an exit
/// code.
///
/// # Errors
/// When it is not; the text is the reason.
pub fn is_possible(step: &Step, began: &Began, outcome: &Outcome) -> Result<(), String> {
    let (stdout, stderr) = step.files();
    let is_kept_in = |range: &Option<ByteRange>, file: Option<&String>| {
        range.as_ref().is_none_or(|range| Some(&range.file) == file)
    };
    if !is_kept_in(&outcome.stdout, stdout.as_ref()) || !is_kept_in(&outcome.stderr, Some(&stderr)) {
        return Err(format!("{}: its output is not in its file", step.id));
    }
    let stages = step.line(began.with_key).stages.len();
    // A command that was ended before it started has no exit code.
    if outcome.exit.len() == stages || outcome.exit.is_empty() && outcome.ended_by.is_our_doing() {
        return Ok(());
    }
    let (codes, stages) = (count(outcome.exit.len(), "exit code"), count(stages, "stage"));
    Err(format!("{}: it has {codes}, but {stages}", step.id))
}
