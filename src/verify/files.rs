//! Verifies that the files are the ones that were sealed: their checksums, their set, and the attestation.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use camino::Utf8Path;
use serde_json::{Value, json};

use super::{Evidence, Kind, Point};
use crate::evidence::{ABOVE_THE_SUMS, ATTESTATION, LARGEST_READ, SUMS, sha256_of_file};
use crate::{documents, verdict};

/// The content of a directory.
pub(super) struct FolderContents {
    /// The paths of its files, sorted.
    pub(super) files: Vec<String>,
    /// A finding for each other entry, sorted: links, sockets, names that are not UTF-8, and files that are too
    /// large to be read into memory.
    pub(super) others: Vec<String>,
    /// A finding for each directory without an entry, sorted; a run that was killed or failed may leave one.
    pub(super) empty: Vec<String>,
}

/// Lists a directory and its subdirectories without following links.
pub(super) fn find(folder: &Utf8Path) -> io::Result<FolderContents> {
    let mut found = FolderContents { files: Vec::new(), others: Vec::new(), empty: Vec::new() };
    let mut folders = vec![folder.to_owned().into_std_path_buf()];
    while let Some(at) = folders.pop() {
        let mut is_empty = true;
        for entry in fs_err::read_dir(&at)? {
            let entry = entry?;
            is_empty = false;
            let (path, kind) = (entry.path(), entry.file_type()?);
            let below = path.strip_prefix(folder).unwrap_or(&path).to_owned();
            match below.to_str() {
                Some(_) if kind.is_dir() => folders.push(path),
                Some(name) if kind.is_file() => match entry.metadata()?.len() {
                    ..=LARGEST_READ => found.files.push(name.to_owned()),
                    bytes => found.others.push(format!(
                        "{name} has {bytes} bytes, and verify reads files of at most {} MiB",
                        LARGEST_READ / (1024 * 1024)
                    )),
                },
                _ => found.others.push(format!("{} is not a regular file", below.to_string_lossy())),
            }
        }
        if is_empty {
            let below = at.strip_prefix(folder).unwrap_or(&at);
            found.empty.push(format!("{} is a directory without files", below.to_string_lossy()));
        }
    }
    found.empty.sort_unstable();
    found.files.sort_unstable();
    found.others.sort_unstable();
    Ok(found)
}

pub(super) fn checks(evidence: &Evidence, others: &[String], empty: &[String]) -> io::Result<Vec<Point>> {
    let others = others.iter().cloned();
    if !evidence.has(SUMS) {
        let above = ABOVE_THE_SUMS.into_iter().filter(|file| evidence.has(file));
        // The attestation is written just before the checksums, by a run that ended or failed.
        let was_closing = evidence.run.ended.is_some() || evidence.run.failed.is_some();
        let above = above.filter(|file| *file != ATTESTATION || !was_closing);
        let above = above.map(|file| format!("{file} is there, but {SUMS} is missing"));
        let what = "there are only files, and only of the run";
        let found = others.chain(above).collect();
        return Ok(vec![unsealed(evidence), Point::new(Kind::Integrity, what, found)]);
    }
    let (listed, malformed) = sums(evidence)?;
    let mut differing = malformed;
    // A file that was not found is reported below. It is not opened, because its name may lead out of the
    // directory.
    for (file, sum) in listed.iter().filter(|(file, _)| evidence.has(file)) {
        match sha256_of_file(&evidence.tree.path(file)) {
            Ok(is) if is == *sum => {}
            Ok(_) => differing.push(format!("{file} was altered")),
            Err(error) => differing.push(format!("{file} can't be read: {error}")),
        }
    }
    let there: BTreeSet<&String> =
        evidence.files.iter().filter(|file| !ABOVE_THE_SUMS.contains(&file.as_str())).collect();
    let summed: BTreeSet<&String> = listed.keys().collect();
    let missing = summed.difference(&there).map(|file| format!("{file} is missing"));
    let more = there.difference(&summed).map(|file| format!("{file} was added after the run was sealed"));
    // A run that failed may have made a directory for a file that the full disk did not take.
    let empty = empty.iter().filter(|_| evidence.run.failed.is_none()).cloned();
    let set = missing.chain(more).chain(others).chain(empty).collect();
    Ok(vec![
        Point::new(Kind::Integrity, format!("{} files are what {SUMS} says", listed.len()), differing),
        Point::new(Kind::Integrity, "no file is missing or added, and there is no link", set),
        Point::new(Kind::Integrity, format!("{ATTESTATION} is about these {SUMS}"), attested(evidence)?),
    ])
}

fn unsealed(evidence: &Evidence) -> Point {
    if evidence.run.ended.is_some() {
        let found = format!(
            "{SUMS} is missing, though the run ended: it was removed, or the run was killed just before it wrote them"
        );
        Point::new(Kind::Integrity, "the run was sealed", vec![found])
    } else {
        let what = format!("not sealed: the run ended before it wrote {SUMS}");
        Point::open(Kind::Integrity, what)
    }
}

/// Checks that the attestation is about the seal and contains the verdict of the run, whatever version wrote
/// it.
fn attested(evidence: &Evidence) -> io::Result<Vec<String>> {
    let statement = match json(evidence, ATTESTATION) {
        Ok(statement) => statement,
        Err(why) => return Ok(vec![why]),
    };
    let seal = evidence.seal()?;
    let verdict = verdict::judge(&evidence.run).verdict;
    let told = [
        ("/subject/0/digest/sha256", json!(seal)),
        ("/subject/0/annotations/verdict", json!(verdict)),
        ("/predicate/result", json!(documents::result(verdict))),
    ];
    let differing = told.iter().filter(|(pointer, is)| statement.pointer(pointer) != Some(is));
    Ok(differing.map(|(pointer, is)| format!("{ATTESTATION}: {pointer} is not {is}")).collect())
}

/// Reads a file as JSON; the error is the reason why it can't be.
pub(super) fn json(evidence: &Evidence, file: &str) -> Result<Value, String> {
    if !evidence.has(file) {
        return Err(format!("{file} is missing"));
    }
    let bytes = fs_err::read(evidence.tree.path(file)).map_err(|error| error.to_string())?;
    serde_json::from_slice(&bytes).map_err(|error| format!("{file} can't be read: {error}"))
}

/// Returns the checksums by file, and a finding for each malformed line.
fn sums(evidence: &Evidence) -> io::Result<(BTreeMap<String, String>, Vec<String>)> {
    let bytes = fs_err::read(evidence.tree.path(SUMS))?;
    let (mut listed, mut malformed) = (BTreeMap::new(), Vec::new());
    for line in String::from_utf8_lossy(&bytes).split_terminator('\n') {
        let is_sum =
            |sum: &str| sum.len() == 64 && sum.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        match line.split_once("  ").filter(|(sum, _)| is_sum(sum)) {
            Some((sum, file)) if listed.insert(file.to_owned(), sum.to_owned()).is_none() => {}
            _ => malformed.push(format!("{SUMS} contains the malformed line {line:?}")),
        }
    }
    if !bytes.ends_with(b"\n") {
        malformed.push(format!("{SUMS} does not end with a line"));
    }
    Ok((listed, malformed))
}
