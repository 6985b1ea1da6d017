//! Verifies that the manifest and the documents are what follows from the journal, and that all files are there.

use std::io;

use serde_json::Value;

use super::{Evidence, Kind, Point, clipped, documents_check, file_list};
use crate::evidence::{SUMS, torn_bytes};
use crate::manifest::Manifest;
use crate::verdict;

pub(super) fn checks(evidence: &Evidence) -> io::Result<Vec<Point>> {
    let judgement = verdict::judge(&evidence.run);
    let criteria = judgement.criteria.len();
    let what = format!("verdict, stop rule, {criteria} criteria and checks are what manifest.json says");
    Ok(vec![
        Point::new(Kind::Truth, what, manifest(evidence)?),
        Point::new(
            Kind::Completeness,
            "the journal ends with a whole line",
            torn(evidence)?.into_iter().collect(),
        ),
        file_list::check(evidence)?,
        documents_check::check(evidence)?,
    ])
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

/// Compares the manifest, byte for byte, with the one that follows from the journal.
///
/// The manifest of a run that was killed may match an earlier moment of the journal. The field `incomplete` is
/// ignored then: with a full disk, the journal may lack the reason why the run did not finish.
fn manifest(evidence: &Evidence) -> io::Result<Vec<String>> {
    // A long manifest takes much more memory as JSON than as text.
    let text = Manifest::text(&evidence.run)?;
    let path = evidence.tree.path("manifest.json");
    if evidence.has("manifest.json") && fs_err::read(path)? == text.as_bytes() {
        return Ok(Vec::new());
    }
    let kept = match super::files::json(evidence, "manifest.json") {
        Ok(kept) => kept,
        Err(why) => return Ok(vec![why]),
    };
    if !evidence.is_closed() {
        for run in evidence.saved() {
            if without_why(serde_json::from_str(&Manifest::text(&run)?)?) == without_why(kept.clone()) {
                return Ok(Vec::new());
            }
        }
    }
    let found = differences(&kept, &serde_json::from_str(&text)?);
    let other_bytes = "manifest.json says the same in other bytes than a run writes".to_owned();
    Ok(if found.is_empty() { vec![other_bytes] } else { found })
}

fn without_why(mut manifest: Value) -> Value {
    manifest.as_object_mut().map(|fields| fields.remove("incomplete"));
    manifest
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

/// Checks that the journal of a sealed run ends with a complete line, since only a crash tears a line.
fn torn(evidence: &Evidence) -> io::Result<Option<String>> {
    if !evidence.has(SUMS) {
        return Ok(None);
    }
    let bytes = torn_bytes(&fs_err::read(evidence.tree.path("journal.jsonl"))?);
    Ok((bytes > 0).then(|| format!("journal.jsonl: there are {bytes} bytes after its last line")))
}
