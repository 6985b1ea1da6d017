//! What is found against the chain of the runs of an evidence root.

use camino::Utf8Path;
use serde_json::json;

use super::super::{CannotRead, VerifyOutcome, chain};
use super::folder::put;
use crate::evidence::sha256_of_file;

/// Writes a run's manifest, which names the one before by its directory and hash, and returns its hash.
fn run(root: &Utf8Path, dir: &str, previous: Option<(&str, Option<&str>)>) -> String {
    let previous =
        previous.map(|(dir, sha256)| json!({"run_id": "before", "dir": dir, "manifest_sha256": sha256}));
    let manifest = json!({"run_id": format!("run-{dir}"), "previous_run": previous});
    put(root, &format!("{dir}/manifest.json"), manifest.to_string().as_bytes());
    sha256_of_file(&root.join(dir).join("manifest.json")).unwrap()
}

/// The checks of a root, each with what was found.
fn checks(root: &Utf8Path) -> Vec<(String, String)> {
    let report = chain(root).unwrap();
    report.checks.into_iter().map(|check| (check.what, check.found.concat())).collect()
}

fn assert_checks(root: &Utf8Path, expected: &[(&str, &str)]) {
    let expected: Vec<(String, String)> =
        expected.iter().map(|&(what, found)| (what.to_owned(), found.to_owned())).collect();
    assert_eq!(checks(root), expected);
}

const FIRST: (&str, &str) = ("20261123 · run run-20261123 is the first one", "");

#[test]
fn each_run_names_the_one_before() {
    let root = tempfile::tempdir().unwrap();
    let root = Utf8Path::from_path(root.path()).unwrap();
    let first = run(root, "20261123", None);
    let second = run(root, "20261124", Some(("20261123", Some(&first))));
    run(root, "20261124.2", Some(("20261124", Some(&second))));
    let middle = ("20261124 · run run-20261124 names 20261123 as the one before", "");
    let last = ("20261124.2 · run run-20261124.2 names 20261124 as the one before", "");
    assert_checks(root, &[FIRST, middle, last]);
    assert_eq!(chain(root).unwrap().conclusion(), VerifyOutcome::Holds);

    // One that was taken away leaves a gap, and one that was there before it has no successor.
    fs_err::remove_dir_all(root.join("20261124")).unwrap();
    let gap = format!("a gap: it names run before, but no directory has the manifest with the hash {second}");
    let orphan = ("20261123", "no run names it as the one before");
    assert_checks(root, &[("20261124.2 · run run-20261124.2", &gap), orphan]);
    assert_eq!(chain(root).unwrap().conclusion(), VerifyOutcome::DoesNotHold);
}

#[test]
fn a_run_without_a_manifest_begins_the_chain_anew() {
    let root = tempfile::tempdir().unwrap();
    let root = Utf8Path::from_path(root.path()).unwrap();
    run(root, "20261124", Some(("20261123", None)));
    let what =
        "20261124 · run run-20261124 came after 20261123, which had no manifest: the chain begins here";
    assert_checks(root, &[(what, "")]);
}

#[test]
fn a_manifest_that_was_altered_or_copied_is_found() {
    let root = tempfile::tempdir().unwrap();
    let root = Utf8Path::from_path(root.path()).unwrap();
    let first = run(root, "20261123", None);
    run(root, "20261124", Some(("20261123", Some(&first))));
    put(root, "20261123/manifest.json", b"{\"run_id\":\"other\"}");
    let gap = format!("a gap: it names run before, but no directory has the manifest with the hash {first}");
    let orphan = ("20261123", "no run names it as the one before");
    assert_checks(root, &[("20261124 · run run-20261124", &gap), orphan]);

    run(root, "20261123", None);
    let bytes = fs_err::read(root.join("20261123/manifest.json")).unwrap();
    put(root, "20261122/manifest.json", &bytes);
    let found: Vec<_> = checks(root).into_iter().filter(|(_, found)| !found.is_empty()).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].1.ends_with(" has the same manifest"), "{found:?}");
}

#[test]
fn a_root_without_runs_is_no_chain() {
    let root = tempfile::tempdir().unwrap();
    let root = Utf8Path::from_path(root.path()).unwrap();
    assert!(matches!(chain(root), Err(CannotRead::NoRuns(_))));
    assert!(matches!(chain(&root.join("nowhere")), Err(CannotRead::NoFolder(_))));
}
