//! Whether the files are those that were sealed.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use camino::Utf8Path;
use serde_json::Value;

use super::{Check, Evidence, Kind};
use crate::evidence::{ABOVE_THE_SUMS, ATTESTATION, SUMS, sha256_of_file};

/// What stands in a folder.
pub(super) struct Found {
    /// The paths of its files, sorted.
    pub(super) files: Vec<String>,
    /// What is there and is no file: a link, a socket, a name that is no text.
    others: Vec<String>,
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

pub(super) fn checks(evidence: &Evidence, found: &Found, seal: Option<&str>) -> io::Result<Vec<Check>> {
    let integrity = |what: String, found| Check::new(Kind::Integrity, what, found);
    let no_others: Vec<String> = found.others.iter().map(|other| format!("{other} is no file")).collect();
    let Some(sums) = found.files.iter().any(|file| file == SUMS).then(|| sums(evidence)).transpose()? else {
        let unsealed = if evidence.record.ended.is_some() {
            integrity(
                "the run was sealed".to_owned(),
                vec![format!("{SUMS} is missing, though the run ended")],
            )
        } else {
            let what = format!("not sealed: the run was ended before it could write {SUMS}");
            Check::not_possible(Kind::Integrity, what)
        };
        let no_seal = seal
            .map(|_| integrity("the seal".to_owned(), vec![format!("there is no {SUMS} it could be of")]));
        return Ok([unsealed, integrity("there are only files".to_owned(), no_others)]
            .into_iter()
            .chain(no_seal)
            .collect());
    };
    let (listed, malformed) = sums;
    let mut differing = malformed;
    // One that was not found is told below, and not opened: its name may lead elsewhere.
    for (file, sum) in listed.iter().filter(|(file, _)| found.files.contains(file)) {
        match sha256_of_file(&evidence.tree.path(file)) {
            Ok(is) if is == *sum => {}
            Ok(_) => differing.push(format!("{file} is not what it was")),
            Err(error) => differing.push(format!("{file} can't be read: {error}")),
        }
    }
    let there: BTreeSet<&String> =
        found.files.iter().filter(|file| !ABOVE_THE_SUMS.contains(&file.as_str())).collect();
    let summed: BTreeSet<&String> = listed.keys().collect();
    let missing = summed.difference(&there).map(|file| format!("{file} is missing"));
    let more = there.difference(&summed).map(|file| format!("{file} was not there when the run was sealed"));
    let set = missing.chain(more).chain(no_others).collect();
    let number = listed.len();
    let mut checks = vec![
        integrity(format!("{number} files are what {SUMS} says"), differing),
        integrity("no file is missing, none is more, there is no link".to_owned(), set),
    ];
    let is = sha256_of_file(&evidence.tree.path(SUMS))?;
    checks.push(integrity(
        format!("{ATTESTATION} is about these {SUMS}"),
        attested(evidence, &is).err().into_iter().collect(),
    ));
    checks.push(match seal {
        Some(seal) if seal.eq_ignore_ascii_case(&is) => integrity(format!("the seal is {is}"), Vec::new()),
        Some(seal) => {
            integrity("the seal".to_owned(), vec![format!("{SUMS} has the hash {is}, and not {seal}")])
        }
        None => {
            let what = format!("the seal is {is}: compare it with the run's log, or give it with --seal");
            Check::not_possible(Kind::Integrity, what)
        }
    });
    Ok(checks)
}

/// Whether the first subject of the attestation is the seal.
fn attested(evidence: &Evidence, seal: &str) -> Result<(), String> {
    if !evidence.files.iter().any(|file| file == ATTESTATION) {
        return Err(format!("{ATTESTATION} is missing, though the run was sealed"));
    }
    let statement: Value =
        fs_err::read(evidence.tree.path(ATTESTATION)).map_err(|error| error.to_string()).and_then(
            |bytes| serde_json::from_slice(&bytes).map_err(|error| format!("{ATTESTATION}: {error}")),
        )?;
    let about = &statement["subject"][0]["digest"]["sha256"];
    if about == seal {
        Ok(())
    } else {
        Err(format!("{ATTESTATION} is about {about}, and {SUMS} has the hash {seal}"))
    }
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
