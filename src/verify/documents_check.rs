//! Verifies `cmd.txt` and the other documents by rendering them again from the journal.

use std::collections::BTreeMap;
use std::io;

use super::outputs::printed;
use super::{Evidence, Kind, Point};
use crate::documents;
use crate::events::ByteRange;
use crate::evidence::ATTESTATION;

/// Compares each document with the journal.
///
/// If the run did not close its directory, a document may match an earlier moment at which it was written.
pub(super) fn check(evidence: &Evidence) -> io::Result<Point> {
    let mut unlike = BTreeMap::new();
    let seal = evidence.seal()?;
    let attestation = seal.is_some().then(|| ATTESTATION.to_owned());
    for file in documents::paths().chain(attestation).filter(|file| evidence.has(file)) {
        let bytes = fs_err::read(evidence.tree.path(&file))?;
        unlike.insert(file, bytes);
    }
    let number = unlike.len();
    for run in evidence.saved() {
        let mut texts = documents::of(&run, |range: &ByteRange| printed(evidence, Some(range)))?;
        texts.extend(seal.as_ref().map(|seal| (ATTESTATION.to_owned(), documents::attestation(&run, seal))));
        unlike.retain(|file, bytes| texts.get(file).is_none_or(|text| text.as_bytes() != *bytes));
        if unlike.is_empty() {
            break;
        }
    }
    let found = unlike.into_keys().map(|file| format!("{file} differs from the journal"));
    let what = format!("cmd.txt and {number} documents agree with the journal");
    Ok(Point::new(Kind::Completeness, what, found.collect()))
}
