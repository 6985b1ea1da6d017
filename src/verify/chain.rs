//! Whether the runs of an evidence root follow on each other: each names the manifest of the one before.

use std::collections::BTreeMap;

use camino::Utf8Path;
use serde::Deserialize;

use super::{CannotRead, Check, Kind, Report};
use crate::events::PreviousRun;
use crate::evidence::{is_of_a_run, sha256_of_file};

/// What of a manifest is a link of the chain.
#[derive(Deserialize)]
struct Named {
    run_id: Option<String>,
    previous_run: Option<PreviousRun>,
}

/// A run, as its manifest names it.
struct Link {
    dir: String,
    sha256: String,
    named: Option<Named>,
}

/// Walks the chain from the latest run of an evidence root to the first one, over days.
///
/// # Errors
/// When the root can't be read, or holds no run.
pub fn chain(root: &Utf8Path) -> Result<Report, CannotRead> {
    if !root.is_dir() {
        return Err(CannotRead::NoFolder(root.to_owned()));
    }
    let mut links = links(root)?;
    // The date is the day's latest run; what stands beside it with a number came before it.
    let latest = links.values().filter(|link| !link.dir.contains('.')).max_by(|a, b| a.dir.cmp(&b.dir));
    let Some(mut at) = latest.map(|link| link.sha256.clone()) else {
        return Err(CannotRead::NoRun(root.to_owned()));
    };
    let mut checks = Vec::new();
    while let Some(link) = links.remove(&at) {
        let (check, before) = follow(&link, &links);
        checks.push(check);
        let Some(before) = before else { break };
        at = before;
    }
    checks.reverse();
    let left_out = |link: Link| {
        let found = vec!["no run names it as the one before".to_owned()];
        Check::new(Kind::Chain, link.dir, found)
    };
    checks.extend(links.into_values().map(left_out));
    Ok(Report { folder: root.to_owned(), record: None, checks })
}

/// The runs, by the hash of their manifests.
fn links(root: &Utf8Path) -> Result<BTreeMap<String, Link>, CannotRead> {
    let mut links = BTreeMap::new();
    for entry in root.read_dir_utf8()? {
        let dir = entry?.file_name().to_owned();
        let manifest = root.join(&dir).join("manifest.json");
        if is_of_a_run(&dir) && manifest.is_file() {
            let (sha256, bytes) = (sha256_of_file(&manifest)?, fs_err::read(&manifest)?);
            links.insert(sha256.clone(), Link { dir, sha256, named: serde_json::from_slice(&bytes).ok() });
        }
    }
    Ok(links)
}

/// What a run says of the one before, and the hash of that one's manifest if it is there.
fn follow(link: &Link, others: &BTreeMap<String, Link>) -> (Check, Option<String>) {
    let check = |what: String, found| Check::new(Kind::Chain, what, found);
    let Some(named) = &link.named else {
        return (check(link.dir.clone(), vec!["its manifest can't be read".to_owned()]), None);
    };
    let run = format!("{} · run {}", link.dir, named.run_id.as_deref().unwrap_or("of no name"));
    let Some(previous) = &named.previous_run else {
        return (check(format!("{run} is the first one"), Vec::new()), None);
    };
    let id = previous.run_id.as_deref().unwrap_or("of no name");
    let Some(sha256) = &previous.manifest_sha256 else {
        let what = format!("{run} came after {}, which had no manifest: the chain begins here", previous.dir);
        return (check(what, Vec::new()), None);
    };
    let Some(before) = others.get(sha256) else {
        let gap = format!("a gap: it names run {id}, and no folder has the manifest with the hash {sha256}");
        return (check(run, vec![gap]), None);
    };
    (check(format!("{run} names {} as the one before", before.dir), Vec::new()), Some(sha256.clone()))
}
