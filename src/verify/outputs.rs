//! Verifies that each recorded file is what the commands printed or the run read: every byte belongs to one
//! command, and the manifests are the ones that the journal describes.

use std::collections::BTreeMap;
use std::io;

use super::{Evidence, Kind, Point, walk};
use crate::events::{ByteRange, Event, EventKind, ManifestFile, Outcome};
use crate::evidence::sha256_of_bytes;
use crate::facts::manifest_text;

pub(super) fn checks(evidence: &Evidence) -> io::Result<Vec<Point>> {
    Ok(vec![
        Point::new(Kind::Truth, "each byte of an output belongs to one command", ranges(evidence)),
        Point::new(Kind::Truth, "the manifests are the ones that were read", manifests(evidence)?),
    ])
}

/// Returns the recorded output of a command; empty if there is none.
pub(super) fn printed(evidence: &Evidence, range: Option<&ByteRange>) -> io::Result<Vec<u8>> {
    walk::printed(&evidence.tree, &evidence.files, range)
}

/// Returns the outcomes in the journal, in its order.
pub(super) fn outcomes(events: &[Event]) -> impl Iterator<Item = &Outcome> {
    events.iter().filter_map(|event| match &event.kind {
        EventKind::CommandEnded(outcome) => Some(outcome),
        _ => None,
    })
}

/// Checks that the byte ranges of the commands cover each file without a gap, and that the file contains
/// nothing else.
fn ranges(evidence: &Evidence) -> Vec<String> {
    let mut of_files = BTreeMap::<&str, Vec<&ByteRange>>::new();
    for outcome in outcomes(&evidence.events) {
        for range in outcome.stdout.iter().chain(&outcome.stderr) {
            of_files.entry(&range.file).or_default().push(range);
        }
    }
    let mut found = Vec::new();
    for (file, mut ranges) in of_files {
        ranges.sort_by_key(|range| range.from);
        let mut end = 0;
        for range in ranges {
            if range.from != end || range.to <= range.from {
                found.push(format!(
                    "{file}: bytes {} to {} do not follow on byte {end}",
                    range.from, range.to
                ));
            }
            end = range.to;
        }
        if !evidence.has(file) {
            found.push(format!("{file} is missing, but commands printed into it"));
            continue;
        }
        let length = evidence.tree.path(file).symlink_metadata().map_or(0, |metadata| metadata.len());
        // The output of a command that was ended with the run is in the file, but its range is not in the
        // journal.
        let fits = if evidence.is_whole() { length == end } else { length >= end };
        if !fits {
            found.push(format!("{file} has {length} bytes, and the commands printed {end}"));
        }
    }
    found
}

/// Compares the recorded manifests with the facts recorded about them.
fn manifests(evidence: &Evidence) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for manifest in &evidence.run.manifests {
        let file = format!("inputs/{}", manifest.file);
        if !evidence.has(&file) {
            // The list of the files says which are missing.
            continue;
        }
        let bytes = fs_err::read(evidence.tree.path(&file))?;
        let again = ManifestFile {
            sha256: Some(sha256_of_bytes(&bytes)),
            blank: manifest_text::is_blank(&bytes),
            holds_secret: manifest_text::holds_secret(&bytes),
            placeholders: manifest_text::placeholders(&bytes).into_iter().collect(),
            ..manifest.clone()
        };
        if again != *manifest {
            found.push(format!("{file} is not the manifest that was read"));
        }
    }
    Ok(found)
}
