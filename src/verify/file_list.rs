//! Verifies that the files are exactly the ones that follow from the journal, and that the run listed them.
//!
//! The walk can't see this: `files-listed` names what was on the disk.

use std::collections::BTreeSet;
use std::io;

use super::outputs::printed;
use super::{Evidence, Kind, Point};
use crate::documents;
use crate::events::{ByteRange, Outcome};
use crate::evidence::{ABOVE_THE_SUMS, RUNBOOK};
use crate::run_state::RunState;
use crate::runbook::{DEPLOY_LOGS, Step};

pub(super) fn check(evidence: &Evidence) -> io::Result<Point> {
    let Some(listed) = &evidence.run.files else { return not_listed(evidence) };
    let listed_once: BTreeSet<&String> = listed.iter().collect();
    let more = of_the_run(evidence).filter(|file| !listed_once.contains(file));
    let missing = listed.iter().filter(|file| !evidence.has(file));
    let mut found: Vec<String> = more
        .map(|file| format!("{file} was not listed by the run"))
        .chain(missing.map(|file| format!("{file} is missing")))
        .collect();
    if !listed.is_sorted_by(|a, b| a < b) {
        found.push("the run did not list its files in order, each once".to_owned());
    }
    found.extend(unlike_the_journal(evidence, listed, &listed_once)?);
    let what =
        format!("the {} files that the run listed are there, and follow from the journal", listed.len());
    Ok(Point::new(Kind::Completeness, what, found))
}

/// Checks the files of a run that was killed before it listed them: none is there that it can't have made.
fn not_listed(evidence: &Evidence) -> io::Result<Point> {
    let (made, possible) = (made(evidence)?, possible_without_an_event(&evidence.run));
    let more = of_the_run(evidence).filter(|file| !made.contains(*file) && !possible.contains(*file));
    let found: Vec<String> =
        more.map(|file| format!("{file} follows from no event of the journal")).collect();
    Ok(if found.is_empty() {
        Point::open(Kind::Completeness, "its files were not listed: the run ended before")
    } else {
        Point::new(Kind::Completeness, "the files, which were not listed, follow from the journal", found)
    })
}

/// Returns the files below the checksums, without one that was to replace another one when the run was killed.
fn of_the_run(evidence: &Evidence) -> impl Iterator<Item = &String> {
    let is_half_written = |file: &str| {
        !evidence.is_closed() && file.rsplit('/').next().is_some_and(|name| name.starts_with('.'))
    };
    evidence
        .files
        .iter()
        .filter(move |file| !ABOVE_THE_SUMS.contains(&file.as_str()) && !is_half_written(file))
}

/// Compares the list with the files that the run must have made by its journal.
fn unlike_the_journal(
    evidence: &Evidence,
    listed: &[String],
    listed_once: &BTreeSet<&String>,
) -> io::Result<Vec<String>> {
    let run = &evidence.run;
    let made = made(evidence)?;
    let possible = if run.failed.is_some() { possible_without_an_event(run) } else { BTreeSet::new() };
    let more = listed.iter().filter(|file| !made.contains(*file) && !possible.contains(*file));
    // A run that failed on a full disk may lack documents.
    let less = made.iter().filter(|file| run.failed.is_none() && !listed_once.contains(file));
    Ok(more
        .map(|file| format!("{file} follows from no event of the journal"))
        .chain(less.map(|file| format!("{file} follows from the journal, and the run did not list it")))
        .collect())
}

/// Returns the files of a run, by its journal.
fn made(evidence: &Evidence) -> io::Result<BTreeSet<String>> {
    let run = &evidence.run;
    let always = ["journal.jsonl", "manifest.json", RUNBOOK].into_iter().chain(DEPLOY_LOGS);
    let mut made: BTreeSet<String> = always.map(str::to_owned).collect();
    let keep_secrets = run.began.as_ref().is_some_and(|(_, began)| began.options.keep_secrets);
    let kept = run.manifests.iter().filter(|manifest| manifest.is_kept(keep_secrets));
    made.extend(kept.map(|manifest| format!("inputs/{}", manifest.file)));
    let ranges = |outcome: &Outcome| [outcome.stdout.clone(), outcome.stderr.clone()];
    let outcomes = run.commands.iter().filter_map(|command| command.outcome.as_ref());
    made.extend(outcomes.flat_map(ranges).flatten().map(|range| range.file));
    made.extend(documents::of(run, |range: &ByteRange| printed(evidence, Some(range)))?.into_keys());
    if run.dump_ms.is_some() {
        made.extend(run.runbook.files_on_stop().map(str::to_owned));
    }
    Ok(made)
}

/// Returns the files of a run that was killed or failed that may be there although no event says so: those of commands
/// whose ends the run never learned, and those that were written just before an event that was not recorded.
fn possible_without_an_event(run: &RunState) -> BTreeSet<String> {
    let steps = run.commands.iter().filter_map(|command| run.runbook.step(&command.intent.id));
    let printed = steps.map(Step::files).flat_map(|(stdout, stderr)| stdout.into_iter().chain([stderr]));
    let inputs = run.runbook.deployments.iter().map(|deployment| format!("inputs/{}", deployment.manifest));
    let on_stop = run.runbook.files_on_stop().map(str::to_owned);
    printed.chain(inputs).chain(on_stop).collect()
}
