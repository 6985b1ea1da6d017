//! Whether the files are those that were sealed.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use camino::Utf8Path;
use serde_json::{Value, json};

use super::{Check, Evidence, Kind};
use crate::evidence::{ABOVE_THE_SUMS, ATTESTATION, SUMS, sha256_of_file};
use crate::{documents, verdict};

/// What stands in a folder.
pub(super) struct Found {
    /// The paths of its files, sorted.
    pub(super) files: Vec<String>,
    /// What is there and is no file: a link, a socket, a name that is no text.
    pub(super) others: Vec<String>,
}

/// Looks into a folder and those below, through no link.
pub(super) fn find(folder: &Utf8Path) -> io::Result<Found> {
    let mut found = Found { files: Vec::new(), others: Vec::new() };
    let mut folders = vec![folder.to_owned().into_std_path_buf()];
    while let Some(at) = folders.pop() {
        for entry in fs_err::read_dir(at)? {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            let below = path.strip_prefix(folder).unwrap_or(&path).to_owned();
            match below.to_str() {
                Some(_) if kind.is_dir() => folders.push(path),
                Some(name) if kind.is_file() => found.files.push(name.to_owned()),
                _ => found.others.push(below.to_string_lossy().into_owned()),
            }
        }
    }
    found.files.sort_unstable();
    found.others.sort_unstable();
    Ok(found)
}

pub(super) fn checks(evidence: &Evidence, others: &[String]) -> io::Result<Vec<Check>> {
    let others = others.iter().map(|other| format!("{other} is no file"));
    if !evidence.has(SUMS) {
        let above = ABOVE_THE_SUMS.into_iter().filter(|file| evidence.has(file));
        // The attestation is written just before the sums, by a run that ended or could not.
        let was_closing = evidence.run.ended.is_some() || evidence.run.failed.is_some();
        let above = above.filter(|file| *file != ATTESTATION || !was_closing);
        let above = above.map(|file| format!("{file} is there, and no {SUMS} that it could be of"));
        let what = "there are only files, and only of the run";
        let found = others.chain(above).collect();
        return Ok(vec![unsealed(evidence), Check::new(Kind::Integrity, what, found)]);
    }
    let (listed, malformed) = sums(evidence)?;
    let mut differing = malformed;
    // One that was not found is told below, and not opened: its name may lead elsewhere.
    for (file, sum) in listed.iter().filter(|(file, _)| evidence.has(file)) {
        match sha256_of_file(&evidence.tree.path(file)) {
            Ok(is) if is == *sum => {}
            Ok(_) => differing.push(format!("{file} is not what it was")),
            Err(error) => differing.push(format!("{file} can't be read: {error}")),
        }
    }
    let there: BTreeSet<&String> =
        evidence.files.iter().filter(|file| !ABOVE_THE_SUMS.contains(&file.as_str())).collect();
    let summed: BTreeSet<&String> = listed.keys().collect();
    let missing = summed.difference(&there).map(|file| format!("{file} is missing"));
    let more = there.difference(&summed).map(|file| format!("{file} was not there when the run was sealed"));
    let set = missing.chain(more).chain(others).collect();
    Ok(vec![
        Check::new(Kind::Integrity, format!("{} files are what {SUMS} says", listed.len()), differing),
        Check::new(Kind::Integrity, "no file is missing, none is more, there is no link", set),
        Check::new(Kind::Integrity, format!("{ATTESTATION} is about these {SUMS}"), attested(evidence)?),
    ])
}

fn unsealed(evidence: &Evidence) -> Check {
    if evidence.run.ended.is_some() {
        let found =
            format!("{SUMS} is missing, though the run ended: taken away, or it was killed just before");
        Check::new(Kind::Integrity, "the run was sealed", vec![found])
    } else {
        let what = format!("not sealed: the run was ended before it could write {SUMS}");
        Check::not_possible(Kind::Integrity, what)
    }
}

/// Whether the attestation is about the seal, and says of the run what it came to; whatever version wrote it.
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

/// A file as JSON, or why it is none.
pub(super) fn json(evidence: &Evidence, file: &str) -> Result<Value, String> {
    if !evidence.has(file) {
        return Err(format!("{file} is missing"));
    }
    let bytes = fs_err::read(evidence.tree.path(file)).map_err(|error| error.to_string())?;
    serde_json::from_slice(&bytes).map_err(|error| format!("{file} can't be read: {error}"))
}

/// The sums, by file, and the lines that are none.
fn sums(evidence: &Evidence) -> io::Result<(BTreeMap<String, String>, Vec<String>)> {
    let bytes = fs_err::read(evidence.tree.path(SUMS))?;
    let (mut listed, mut malformed) = (BTreeMap::new(), Vec::new());
    for line in String::from_utf8_lossy(&bytes).split_terminator('\n') {
        let is_sum =
            |sum: &str| sum.len() == 64 && sum.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        match line.split_once("  ").filter(|(sum, _)| is_sum(sum)) {
            Some((sum, file)) if listed.insert(file.to_owned(), sum.to_owned()).is_none() => {}
            _ => malformed.push(format!("{SUMS} holds the line {line:?}")),
        }
    }
    if !bytes.ends_with(b"\n") {
        malformed.push(format!("{SUMS} does not end with a line"));
    }
    Ok((listed, malformed))
}
