//! Whether the commands are the runbook's, with the run's own values in them.

use super::{Check, Evidence, Kind};
use crate::command;
use crate::events::{Began, Intent};
use crate::inputs;
use crate::moment::go_duration;
use crate::runbook::{self, Step};
use crate::verdict;

/// Variables that name what the run met on the cluster: any value will do.
const MET: [&str; 2] = ["POD", "CONTAINER"];

pub(super) fn check(evidence: &Evidence) -> Check {
    let record = &evidence.record;
    let Some((_, began)) = &record.began else { return Check::not_possible(Kind::Truth, "no run was begun") };
    if began.program.version != env!("CARGO_PKG_VERSION") {
        return Check::not_possible(
            Kind::Truth,
            "the commands were not compared: another version of the rows made them",
        );
    }
    let strange = record
        .commands
        .iter()
        .map(|command| &command.intent)
        .filter(|intent| row_of(began, intent).is_none());
    let found = strange
        .map(|intent| format!("{} is no command of the runbook: {}", intent.id, intent.text))
        .chain(strange_values(began))
        .collect();
    let what = format!("{} commands are the runbook's, with the run's own values", record.commands.len());
    Check::new(Kind::Truth, what, found)
}

/// Values that no run is given: the runbook's commands would be others with them. What was redacted is not known.
fn strange_values(began: &Began) -> Vec<String> {
    let refused = inputs::of_run(&began.target, |_| None).err();
    let problems = refused.into_iter().flat_map(|refused| refused.problems);
    let is_known = |name: &str| began.target.input(name).is_some_and(|value| !value.contains("[redacted:"));
    let strange = problems.filter(|problem| is_known(problem.name));
    let timeout = go_duration(&began.options.rollout_timeout).is_none();
    strange
        .map(|problem| format!("no run is given this: {} {}", problem.name, problem.fault))
        .chain(
            timeout.then(|| {
                format!("no run is given this: --rollout-timeout {}", began.options.rollout_timeout)
            }),
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
    let same_key = done.reads_header() == intent.reads_key;
    let (asked, done) = (asked.stages, done.stages);
    let same = |asked: &Vec<String>, done: &Vec<String>| {
        let is_met = |word: &String| MET.iter().any(|name| *word == met(name));
        asked.len() == done.len()
            && asked.iter().zip(done).all(|(asked, done)| is_met(asked) || asked == done)
    };
    let same_words =
        asked.len() == done.len() && asked.iter().zip(&done).all(|(asked, done)| same(asked, done));
    same_words && same_key && row.phase == intent.phase && row.effect == intent.effect
}

/// Stands for a value that is not known before; no argument of a program can hold its first byte.
fn met(name: &str) -> String {
    format!("\0{name}")
}
