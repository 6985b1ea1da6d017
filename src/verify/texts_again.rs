//! Whether `cmd.txt` and the other texts say what the journal does: they are made from it again.

use std::collections::BTreeMap;
use std::io;

use super::{Check, Evidence, Kind};
use crate::evidence::{ATTESTATION, cmd_txt};
use crate::record::Record;
use crate::runbook::Phase;
use crate::texts;

/// Of a run that did not close its folder, a text is of the moment when it was last written.
pub(super) fn check(evidence: &Evidence) -> io::Result<Check> {
    let record = &evidence.record;
    let version = record.began.as_ref().map_or("", |(_, began)| began.program.version.as_str());
    if version != env!("CARGO_PKG_VERSION") {
        let what = "cmd.txt and other texts were not made again: another version made them";
        return Ok(Check::not_possible(Kind::Completeness, what));
    }
    let mut unlike = BTreeMap::new();
    for file in made(evidence, record)?.into_keys().filter(|file| evidence.has(file)) {
        let bytes = fs_err::read(evidence.tree.path(&file))?;
        unlike.insert(file, bytes);
    }
    let number = unlike.len();
    for moment in moments(evidence) {
        let made = made(evidence, &moment)?;
        unlike.retain(|file, bytes| made.get(file).is_none_or(|text| text.as_bytes() != *bytes));
        if unlike.is_empty() {
            break;
        }
    }
    let found = unlike.into_keys().map(|file| format!("{file} does not say what the journal does"));
    let what = format!("cmd.txt and {number} texts in all say what the journal does");
    Ok(Check::new(Kind::Completeness, what, found.collect()))
}

/// The record as it was when texts may have been written last: its end, if the folder was closed.
fn moments(evidence: &Evidence) -> Box<dyn Iterator<Item = Record> + '_> {
    if evidence.is_closed() {
        return Box::new(std::iter::once(evidence.record.clone()));
    }
    Box::new(evidence.moments())
}

/// The texts, by their files.
fn made(evidence: &Evidence, record: &Record) -> io::Result<BTreeMap<String, String>> {
    let overlay = texts::overlay_of(record).unwrap_or_default();
    let commands = Phase::ALL.into_iter().filter_map(|phase| {
        Some((format!("{}/cmd.txt", phase.folder()), cmd_txt::render(record, phase, &overlay)?))
    });
    let answer = |outcome: &crate::events::Outcome| super::facts::printed(evidence, outcome.stdout.as_ref());
    let mut made: BTreeMap<String, String> = commands.collect();
    made.extend([
        ("preflight/versions.txt".to_owned(), texts::versions(record)),
        ("preflight/target.txt".to_owned(), texts::target(record)),
        ("smoke/results.json".to_owned(), texts::results(record)),
        ("smoke/http_samples.log".to_owned(), texts::http_samples(record, answer)?),
    ]);
    if let Some(seal) = evidence.seal()? {
        made.insert(ATTESTATION.to_owned(), texts::attestation(record, &seal));
    }
    Ok(made)
}
