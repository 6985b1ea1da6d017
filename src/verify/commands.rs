//! Verifies that each recorded command is a command of the recorded runbook, with the run's own values filled
//! in.

use std::collections::BTreeMap;

use super::{Evidence, Kind, Point};
use crate::events::{Began, Intent};
use crate::inputs;
use crate::moment::go_duration;
use crate::procedure;
use crate::runbook::{Runbook, Step, StepId};

pub(super) fn check(evidence: &Evidence) -> Point {
    let run = &evidence.run;
    let Some((_, began)) = &run.began else { return Point::undecided(Kind::Truth, "no run was begun") };
    let strange = run.commands.iter().filter_map(|command| {
        let intent = &command.intent;
        match (row_of(&run.runbook, began, intent), &command.outcome) {
            (None, _) => Some(format!("{} is not a command of the runbook: {}", intent.id, intent.text)),
            (Some(row), Some(outcome)) => procedure::is_possible(row, began, outcome).err(),
            (Some(_), None) => None,
        }
    });
    let found = strange.chain(strange_values(began)).collect();
    let what = format!("{} commands are the runbook's, with the run's own values", run.commands.len());
    Point::new(Kind::Truth, what, found)
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
    let is_of = |row: &&Step| procedure::is_of(row, intent, began) && has_met(&row.id, &intent.met);
    runbook.step(&intent.id).filter(is_of)
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
