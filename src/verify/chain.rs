//! Verifies the chain of runs of an evidence root: each run names the manifest of the previous one by its
//! hash.

use std::collections::BTreeMap;

use camino::Utf8Path;

use super::{CannotRead, Kind, Point, Report};
use crate::evidence::{RunFolder, latest, run_folders};

/// Verifies the chain from the latest run of an evidence root back to the first one, across days.
///
/// # Errors
/// When the root can't be read, or contains no run.
pub fn chain(root: &Utf8Path) -> Result<Report, CannotRead> {
    if !root.is_dir() {
        return Err(CannotRead::NoFolder(root.to_owned()));
    }
    let run_folders = run_folders(root)?;
    let latest = latest(&run_folders).ok_or_else(|| CannotRead::NoRuns(root.to_owned()))?;
    let mut at = latest.sha256.clone();
    let (mut others, mut apart) = by_their_manifests(run_folders);
    let mut checks = Vec::new();
    while let Some(run_folder) = at.and_then(|sha256| others.remove(&sha256)) {
        let (check, before) = follow(&run_folder, &others);
        checks.push(check);
        at = before;
    }
    checks.reverse();
    apart.extend(
        others.into_values().map(|run_folder| found(run_folder.dir, "no run names it as the one before")),
    );
    checks.extend(apart);
    Ok(Report { folder: root.to_owned(), run: None, checks })
}

/// Returns the runs by the hashes of their manifests, and a check for each run that has no hash or shares it.
fn by_their_manifests(run_folders: Vec<RunFolder>) -> (BTreeMap<String, RunFolder>, Vec<Point>) {
    let (mut by_hash, mut apart) = (BTreeMap::new(), Vec::new());
    for run_folder in run_folders {
        match run_folder.sha256.clone() {
            None => apart.push(found(run_folder.dir, "its manifest can't be read")),
            Some(sha256) => {
                let why = format!("{} has the same manifest", run_folder.dir);
                let same = by_hash.insert(sha256, run_folder);
                apart.extend(same.map(|same: RunFolder| found(same.dir, &why)));
            }
        }
    }
    (by_hash, apart)
}

fn found(dir: String, why: &str) -> Point {
    Point::new(Kind::Chain, dir, vec![why.to_owned()])
}

/// Returns the check of a run's link to the previous run, and the manifest hash of that run if it exists.
fn follow(run_folder: &RunFolder, others: &BTreeMap<String, RunFolder>) -> (Point, Option<String>) {
    let check = |what: String, found| Point::new(Kind::Chain, what, found);
    let Some(told) = &run_folder.told else {
        return (found(run_folder.dir.clone(), "its manifest can't be read"), None);
    };
    let run = format!("{} · run {}", run_folder.dir, told.run_id.as_deref().unwrap_or("without a name"));
    let Some(previous) = &told.previous_run else {
        return (check(format!("{run} is the first one"), Vec::new()), None);
    };
    let id = previous.run_id.as_deref().unwrap_or("without a name");
    let Some(sha256) = &previous.manifest_sha256 else {
        let what = format!("{run} came after {}, which had no manifest: the chain begins here", previous.dir);
        return (check(what, Vec::new()), None);
    };
    let Some(before) = others.get(sha256) else {
        let gap =
            format!("a gap: it names run {id}, but no directory has the manifest with the hash {sha256}");
        return (check(run, vec![gap]), None);
    };
    (check(format!("{run} names {} as the one before", before.dir), Vec::new()), Some(sha256.clone()))
}
