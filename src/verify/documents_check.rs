//! Verifies `cmd.txt` and the other documents by rendering them again from the journal.

use std::collections::BTreeMap;
use std::io;

use super::{Evidence, Kind, Point};
use crate::documents::{self, cmd_txt};
use crate::events::ByteRange;
use crate::evidence::ATTESTATION;
use crate::run_state::RunState;
use crate::runbook::Phase;

/// Compares each document with the journal.
///
/// If the run did not close its directory, a document may match any earlier moment of the journal.
pub(super) fn check(evidence: &Evidence) -> io::Result<Point> {
    let run = &evidence.run;
    let mut unlike = BTreeMap::new();
    for file in made(evidence, run)?.into_keys().filter(|file| evidence.has(file)) {
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
    let found = unlike.into_keys().map(|file| format!("{file} differs from the journal"));
    let what = format!("cmd.txt and {number} documents agree with the journal");
    Ok(Point::new(Kind::Completeness, what, found.collect()))
}

/// Returns the states at which documents may have been written last: only the final state, if the directory
/// was closed.
fn moments(evidence: &Evidence) -> Box<dyn Iterator<Item = RunState> + '_> {
    if evidence.is_closed() {
        return Box::new(std::iter::once(evidence.run.clone()));
    }
    Box::new(evidence.moments())
}

/// Renders the documents, by their file names.
pub(super) fn made(evidence: &Evidence, run: &RunState) -> io::Result<BTreeMap<String, String>> {
    let overlay = documents::overlay_of(run).unwrap_or_default();
    let commands = Phase::ALL.into_iter().filter_map(|phase| {
        Some((format!("{}/cmd.txt", phase.folder()), cmd_txt::render(run, phase, &overlay)?))
    });
    let answer = |range: &ByteRange| super::facts::printed(evidence, Some(range));
    let mut made: BTreeMap<String, String> = commands.collect();
    made.extend([
        ("preflight/versions.txt".to_owned(), documents::versions(run)),
        ("preflight/target.txt".to_owned(), documents::target(run)),
        ("smoke/results.json".to_owned(), documents::results(run)),
        ("smoke/http_samples.log".to_owned(), documents::http_samples(run, answer)?),
    ]);
    if let Some(seal) = evidence.seal()? {
        made.insert(ATTESTATION.to_owned(), documents::attestation(run, &seal));
    }
    Ok(made)
}
