//! Verifies that the journal, the manifest and the documents agree, and that the recorded files are all
//! there.

use std::io;

use serde_json::Value;

use super::{Evidence, Kind, Point, clipped, documents_check};
use crate::events::EventKind;
use crate::evidence::{ABOVE_THE_SUMS, SUMS, torn_bytes};
use crate::manifest::Manifest;
use crate::run_state::RunState;
use crate::runbook::StepId;
use crate::verdict;

pub(super) fn checks(evidence: &Evidence) -> io::Result<Vec<Point>> {
    let judgement = verdict::judge(&evidence.run);
    let criteria = judgement.criteria.len();
    let what = format!("verdict, stop rule, {criteria} criteria and checks are what manifest.json says");
    let number = evidence.events.len();
    let mut checks = vec![
        Point::new(Kind::Truth, what, manifest(evidence)?),
        Point::new(
            Kind::Completeness,
            format!("the journal's {number} events are numbered and in order"),
            order(evidence).into_iter().chain(torn(evidence)?).collect(),
        ),
    ];
    checks.push(listed_files(evidence));
    checks.push(documents_check::check(evidence)?);
    Ok(checks)
}

/// Checks an empty journal: the run was ended before it began, so the manifest must not claim more.
pub(super) fn nothing_begun(evidence: &Evidence) -> io::Result<Point> {
    let claims = match super::files::json(evidence, "manifest.json") {
        Ok(kept) => kept["verdict"] != "incomplete" || kept["commands"] != Value::Array(Vec::new()),
        Err(_) => evidence.has("manifest.json"),
    };
    let found = claims.then(|| "manifest.json describes a run, but journal.jsonl is empty".to_owned());
    let found = found.into_iter().chain(torn(evidence)?).collect();
    Ok(Point::new(Kind::Truth, "nothing was run: the journal is empty", found))
}

/// Compares the manifest with the journal folded again.
///
/// The manifest of a run that was killed may match an earlier moment of the journal.
fn manifest(evidence: &Evidence) -> io::Result<Vec<String>> {
    let kept = match super::files::json(evidence, "manifest.json") {
        Ok(kept) => kept,
        Err(why) => return Ok(vec![why]),
    };
    let again = folded(&evidence.run)?;
    if kept == again || !evidence.is_closed() && is_of_an_earlier_moment(&kept, evidence)? {
        return Ok(Vec::new());
    }
    Ok(differences(&kept, &again))
}

/// Returns whether the manifest matches an earlier moment of a run that did not close its directory.
///
/// The field `incomplete` is ignored: with a full disk, the journal may lack the reason why the run did not
/// finish.
fn is_of_an_earlier_moment(kept: &Value, evidence: &Evidence) -> io::Result<bool> {
    let without_why = |mut manifest: Value| {
        manifest.as_object_mut().map(|fields| fields.remove("incomplete"));
        manifest
    };
    let kept = without_why(kept.clone());
    for run in evidence.moments() {
        if without_why(folded(&run)?) == kept {
            return Ok(true);
        }
    }
    Ok(false)
}

fn folded(run: &RunState) -> io::Result<Value> {
    // Compared through the text that a run writes, so that the same serialization applies to both.
    Ok(serde_json::from_str(&serde_json::to_string_pretty(&Manifest::of(run, &verdict::judge(run)))?)?)
}

/// Returns the fields in which two manifests differ.
fn differences(kept: &Value, again: &Value) -> Vec<String> {
    let none = serde_json::Map::new();
    let (kept, again) = (kept.as_object().unwrap_or(&none), again.as_object().unwrap_or(&none));
    let names = kept.keys().chain(again.keys().filter(|name| !kept.contains_key(*name)));
    let differing = names.filter(|name| kept.get(*name) != again.get(*name));
    let in_short =
        |value: Option<&Value>| clipped(value.map_or_else(|| "nothing".to_owned(), Value::to_string), 80);
    differing
        .map(|name| {
            let (kept, again) = (in_short(kept.get(name)), in_short(again.get(name)));
            format!("manifest.json: {name} is {kept}, but {again} follows from the journal")
        })
        .collect()
}

fn order(evidence: &Evidence) -> Vec<String> {
    let gap = evidence.events.iter().zip(1..).find(|(event, number)| event.seq != *number);
    let back = evidence.events.windows(2).find(|pair| matches!(pair, [one, next] if next.at < one.at));
    let gap =
        gap.map(|(event, number)| format!("journal.jsonl: the event after {} is {}", number - 1, event.seq));
    let back = back
        .and_then(|pair| pair.last())
        .map(|event| format!("journal.jsonl: event {} is older than the one before", event.seq));
    gap.into_iter().chain(back).chain(starts_and_ends(evidence)).collect()
}

/// Checks that the journal of a sealed run ends with a complete line, since only a crash tears a line.
fn torn(evidence: &Evidence) -> io::Result<Option<String>> {
    if !evidence.has(SUMS) {
        return Ok(None);
    }
    let bytes = torn_bytes(&fs_err::read(evidence.tree.path("journal.jsonl"))?);
    Ok((bytes > 0).then(|| format!("journal.jsonl: there are {bytes} bytes after its last line")))
}

/// Checks that each command that ended had begun, and, if the run reached its end, that each that began has
/// ended.
fn starts_and_ends(evidence: &Evidence) -> Vec<String> {
    let (mut open, mut found) = (Vec::<&StepId>::new(), Vec::new());
    for event in &evidence.events {
        match &event.kind {
            EventKind::CommandStarts(intent) => open.push(&intent.id),
            EventKind::CommandEnded(outcome) => match open.iter().position(|id| **id == outcome.id) {
                Some(at) => drop(open.remove(at)),
                None => found.push(format!("journal.jsonl: {} ended, and never began", outcome.id)),
            },
            _ => {}
        }
    }
    if evidence.is_whole() {
        found.extend(open.into_iter().map(|id| format!("journal.jsonl: {id} began, and never ended")));
    }
    found
}

/// Checks that the files are the ones that the run listed at its end.
fn listed_files(evidence: &Evidence) -> Point {
    let Some(listed) = &evidence.run.files else {
        return Point::open(Kind::Completeness, "its files were not listed: the run ended before");
    };
    // A file that was to replace another one when the run was killed.
    let is_half_written = |file: &str| {
        !evidence.is_closed() && file.rsplit('/').next().is_some_and(|name| name.starts_with('.'))
    };
    let there = |file: &&String| !ABOVE_THE_SUMS.contains(&file.as_str()) && !is_half_written(file);
    let more = evidence.files.iter().filter(there).filter(|file| !listed.contains(file));
    let missing = listed.iter().filter(|file| !evidence.has(file));
    let found = more
        .map(|file| format!("{file} was not listed by the run"))
        .chain(missing.map(|file| format!("{file} is missing")));
    Point::new(
        Kind::Completeness,
        format!("the {} files that the run listed are there", listed.len()),
        found.collect(),
    )
}
