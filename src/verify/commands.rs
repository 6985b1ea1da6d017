//! Whether the commands are the runbook's, with the run's own values in them.

use super::{Check, Evidence, Kind};
use crate::command;
use crate::events::{Began, ByteRange, Intent, Outcome};
use crate::inputs;
use crate::moment::go_duration;
use crate::runbook::{self, Step};
use crate::verdict;

/// Variables that name what the run met on the cluster: any name will do.
const MET: [&str; 2] = ["POD", "CONTAINER"];

pub(super) fn check(evidence: &Evidence) -> Check {
    let run = &evidence.run;
    let Some((_, began)) = &run.began else { return Check::not_possible(Kind::Truth, "no run was begun") };
    if began.program.version != env!("CARGO_PKG_VERSION") {
        return Check::not_possible(
            Kind::Truth,
            "the commands were not compared: another version of the rows made them",
        );
    }
    let strange = run.commands.iter().filter_map(|command| {
        let intent = &command.intent;
        match (row_of(began, intent), &command.outcome) {
            (None, _) => Some(format!("{} is no command of the runbook: {}", intent.id, intent.text)),
            (Some(row), Some(outcome)) => is_strange(&row, outcome),
            (Some(_), None) => None,
        }
    });
    let found = strange.chain(strange_values(began)).collect();
    let what = format!("{} commands are the runbook's, with the run's own values", run.commands.len());
    Check::new(Kind::Truth, what, found)
}

/// What is told of how a row's command ended and can't be.
fn is_strange(row: &Step, outcome: &Outcome) -> Option<String> {
    let (stdout, stderr) = row.files();
    let is_kept_in = |range: &Option<ByteRange>, file: Option<&String>| {
        range.as_ref().is_none_or(|range| Some(&range.file) == file)
    };
    if !is_kept_in(&outcome.stdout, stdout.as_ref()) || !is_kept_in(&outcome.stderr, Some(&stderr)) {
        return Some(format!("{}: what it printed is not where it is kept", row.id));
    }
    let stages = command::parse(&row.text).map_or(0, |line| line.stages.len());
    // One that was not started any more has none.
    let fits = outcome.exit.len() == stages || outcome.exit.is_empty() && outcome.ended_by.is_our_doing();
    (!fits).then(|| format!("{}: it has {} exit statuses, and {stages} stages", row.id, outcome.exit.len()))
}

/// Values that no run is given: the runbook's commands would be others with them.
fn strange_values(began: &Began) -> Vec<String> {
    let refused = inputs::of_run(&began.target, |_| None).err();
    let problems = refused.into_iter().flat_map(|refused| refused.problems);
    let timeout = &began.options.rollout_timeout;
    problems
        .map(|problem| format!("no run is given this: {} {}", problem.name, problem.fault))
        .chain(
            go_duration(timeout)
                .is_none()
                .then(|| format!("no run is given this: --rollout-timeout {timeout}")),
        )
        .collect()
}

/// The row whose command it is, with a run's values; `None`: it is no command of this program's runbook.
pub fn row_of(began: &Began, intent: &Intent) -> Option<Step> {
    runbook::in_order(began.with_key).into_iter().find(|row| row.id == intent.id && is_of(row, intent, began))
}

/// Whether it is this row's command.
fn is_of(row: &Step, intent: &Intent, began: &Began) -> bool {
    let value =
        |name: &str| if MET.contains(&name) { Some(met(name)) } else { verdict::variable(began, name) };
    let asked = command::parse(&row.text).ok().and_then(|line| line.expand(value).ok());
    let done = command::parse(&intent.text).ok().and_then(|line| line.expand(|_| None).ok());
    let Some((asked, done)) = asked.zip(done) else { return false };
    // Nothing stands beside the command: no redirection, no comment, no other way to write it.
    let same_text = done.to_shell() == intent.text && done.reads_header() == intent.reads_key;
    let (asked, done) = (asked.stages, done.stages);
    let same = |asked: &Vec<String>, done: &Vec<String>| {
        let is_met = |word: &String| MET.iter().any(|name| *word == met(name));
        asked.len() == done.len()
            && asked.iter().zip(done).all(|(asked, done)| asked == done || is_met(asked) && is_name(done))
    };
    let same_words =
        asked.len() == done.len() && asked.iter().zip(&done).all(|(asked, done)| same(asked, done));
    same_words && same_text && row.phase == intent.phase && row.effect == intent.effect
}

/// Whether it may be the name of a pod or a container (Kubernetes: at most 253 bytes).
fn is_name(word: &str) -> bool {
    !word.is_empty() && word.len() <= 253 && !word.chars().any(char::is_control)
}

/// Stands for a value that is not known before; no argument of a program can hold its first byte.
fn met(name: &str) -> String {
    format!("\0{name}")
}
