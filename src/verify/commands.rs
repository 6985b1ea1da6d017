//! Verifies that each recorded command is a command of the recorded runbook, with the run's own values filled
//! in.

use std::collections::BTreeMap;

use super::{Evidence, Kind, Point};
use crate::events::{Began, ByteRange, Intent, Outcome};
use crate::inputs;
use crate::moment::go_duration;
use crate::runbook::{Runbook, Step, StepId};
use crate::verdict::{self, count};

pub(super) fn check(evidence: &Evidence) -> Point {
    let run = &evidence.run;
    let Some((_, began)) = &run.began else { return Point::undecided(Kind::Truth, "no run was begun") };
    let strange = run.commands.iter().filter_map(|command| {
        let intent = &command.intent;
        match (row_of(&run.runbook, began, intent), &command.outcome) {
            (None, _) => Some(format!("{} is not a command of the runbook: {}", intent.id, intent.text)),
            (Some(row), Some(outcome)) => is_strange(row, began, outcome),
            (Some(_), None) => None,
        }
    });
    let found = strange.chain(strange_values(began)).collect();
    let what = format!("{} commands are the runbook's, with the run's own values", run.commands.len());
    Point::new(Kind::Truth, what, found)
}

/// Returns a finding if the recorded end of a command is impossible.
fn is_strange(row: &Step, began: &Began, outcome: &Outcome) -> Option<String> {
    let (stdout, stderr) = row.files();
    let is_kept_in = |range: &Option<ByteRange>, file: Option<&String>| {
        range.as_ref().is_none_or(|range| Some(&range.file) == file)
    };
    if !is_kept_in(&outcome.stdout, stdout.as_ref()) || !is_kept_in(&outcome.stderr, Some(&stderr)) {
        return Some(format!("{}: its output is not in its file", row.id));
    }
    let stages = row.line(began.with_key).stages.len();
    // A command that was ended before it started has no exit code.
    let fits = outcome.exit.len() == stages || outcome.exit.is_empty() && outcome.ended_by.is_our_doing();
    (!fits).then(|| {
        format!(
            "{}: it has {}, but {}",
            row.id,
            count(outcome.exit.len(), "exit code"),
            count(stages, "stage")
        )
    })
}

/// Returns problems of values that no run can have been given; they would change the runbook's commands.
fn strange_values(began: &Began) -> Vec<String> {
    let refused = inputs::of_run(&began.target, |_| None).err();
    let problems = refused.into_iter().flat_map(|refused| refused.problems);
    let timeout = &began.options.rollout_timeout;
    problems
        .map(|problem| format!("no run accepts this: {} {}", problem.name, problem.fault))
        .chain(
            go_duration(timeout)
                .is_none()
                .then(|| format!("no run accepts this: --rollout-timeout {timeout}")),
        )
        .collect()
}

/// Returns the row of the runbook for a recorded command, or `None` if it is not a command of this runbook.
pub fn row_of<'r>(runbook: &'r Runbook, began: &Began, intent: &Intent) -> Option<&'r Step> {
    runbook.step(&intent.id).filter(|row| is_of(row, intent, began))
}

/// Returns whether a recorded command is the command of this row.
fn is_of(row: &Step, intent: &Intent, began: &Began) -> bool {
    let value = |name: &str| intent.met.get(name).cloned().or_else(|| verdict::variable(began, name));
    let Ok(asked) = row.line(began.with_key).expand(value) else { return false };
    // The text is exact: it has no redirection, no comment and no other spelling besides the command.
    asked.to_shell() == intent.text
        && asked.reads_header() == intent.reads_key
        && row.phase == intent.phase
        && row.effect == intent.effect
        && has_met(&row.id, &intent.met)
}

/// Returns whether the names that the command was given are the ones its step takes, each a possible name.
fn has_met(step: &StepId, met: &BTreeMap<String, String>) -> bool {
    let names: &[&str] = match step {
        StepId::ConfirmPod | StepId::DumpLogs => &["POD"],
        StepId::DumpPrevious => &["CONTAINER", "POD"],
        _ => &[],
    };
    met.keys().eq(names) && met.values().all(|name| is_name(name))
}

/// Returns whether a word may be the name of a pod or a container (Kubernetes: at most 253 bytes).
fn is_name(word: &str) -> bool {
    !word.is_empty() && word.len() <= 253 && !word.chars().any(char::is_control)
}
