//! Verifies that the values of a run are ones that a run accepts; others would change the runbook's commands.

use camino::Utf8Path;

use super::{Evidence, Kind, Point};
use crate::events::{Began, Scope};
use crate::inputs;
use crate::interpret::is_redacted;
use crate::moment::{Moment, go_duration};

pub(super) fn check(evidence: &Evidence) -> Point {
    let Some((at, began)) = &evidence.run.began else {
        return Point::undecided(Kind::Truth, "no run was begun");
    };
    let found = strange_values(began).into_iter().chain(strange_beginning(*at, began)).collect();
    Point::new(Kind::Truth, "a run accepts the values of this one", found)
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

/// Returns how the first event contradicts itself; a name that contains a redacted value is not compared.
fn strange_beginning(at: Moment, began: &Began) -> Vec<String> {
    let mut found = Vec::new();
    // A preflight and the smoke checks alone leave no evidence.
    if began.scope != Scope::Whole {
        found.push("only a run of the whole runbook leaves evidence, and this one says otherwise".to_owned());
    }
    let named = began.run_id.split_once('-').and_then(|(time, _)| Moment::of_compact(time));
    if !named.is_some_and(|named| named <= at && at.millis_since(named) < A_DAY_MS)
        && !is_redacted(&began.run_id)
    {
        found.push(format!("the run {} did not begin at {at}", began.run_id));
    }
    found.extend(unlike_the_command_line(began));
    let dir = Utf8Path::new(&began.evidence_dir);
    let date = dir.file_name().and_then(|name| Moment::of_compact(&format!("{name}T120000Z")));
    // In the time zone of the machine, which is at most 14 hours from UTC.
    let is_near =
        |date: Moment| date.millis_since(at) <= 2 * A_DAY_MS && at.millis_since(date) <= 2 * A_DAY_MS;
    let is_its_own = dir.is_absolute() && date.is_some_and(is_near);
    if !is_its_own && !is_redacted(&began.evidence_dir) {
        found.push(format!("a run that began at {at} does not write its evidence to {dir}"));
    }
    found
}

/// Compares the subcommand, and the options without a value, with the command line, where each is a word of its own.
fn unlike_the_command_line(began: &Began) -> Vec<String> {
    let (argv, options) = (&began.program.argv, &began.options);
    if argv.iter().any(|word| is_redacted(word)) {
        return Vec::new();
    }
    let subcommand = argv.first().map_or("", String::as_str);
    let other = (subcommand != "run")
        .then(|| format!("its command line begins with {subcommand:?}, and only `run` leaves evidence"));
    let flags = [
        ("--strict", options.strict),
        ("--no-apply", !options.apply),
        ("--keep-secrets", options.keep_secrets),
    ];
    let wrong = flags.into_iter().filter(|(flag, is_set)| argv.iter().any(|word| word == flag) != *is_set);
    let wrong = wrong.map(|(flag, is_set)| {
        let (options, line) = if is_set { ("has", "has not") } else { ("has not", "has") };
        format!("by its options the run {options} {flag}, and its command line {line}")
    });
    other.into_iter().chain(wrong).collect()
}

/// A day, in ms.
const A_DAY_MS: u64 = 24 * 60 * 60 * 1000;
