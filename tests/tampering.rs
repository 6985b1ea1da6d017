//! The samples with one byte altered at a time: all of it is found; and with the sums mended, what is found from the bytes
//! alone.
//!
//! `#[ignore]`d, since it takes minutes: `cargo test --test tampering -- --ignored --nocapture`.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails here")]

#[path = "support/two_threads.rs"]
mod two_threads;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use camino::Utf8Path;
use staging_dry_run::documents;
use staging_dry_run::evidence::redaction::SecretPatterns;
use staging_dry_run::evidence::{ATTESTATION, Tree, events_of, seal, sha256_of_bytes};
use staging_dry_run::run_state::RunState;
use staging_dry_run::verify::{TrustAnchors, VerifyOutcome, verify};
use two_threads::each_on_two_threads;

const SAMPLES: [&str; 5] = ["pass", "stop-1", "stop-2", "stop-3", "stop-4"];

/// Files longer than this are altered in one byte of each block.
const LONG: usize = 64 * 1024;

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("evidence/samples")
}

fn sums(sample: &str) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(samples().join(sample).join("SHA256SUMS")).unwrap();
    let lines = text.lines().map(|line| line.split_once("  ").unwrap());
    lines.map(|(sum, file)| (file.to_owned(), sum.to_owned())).collect()
}

/// Where the bytes of a file are altered: at each, or once a block.
fn places(length: usize, block: usize) -> impl Iterator<Item = usize> {
    (0..length).step_by(if length > LONG { block.max(64) } else { block })
}

#[test]
#[ignore = "minutes"]
fn any_byte_that_is_altered_is_found() {
    let tried = Mutex::new(0);
    each_on_two_threads(SAMPLES.into_iter(), |sample| {
        let folder = samples().join(sample);
        let mut all = sums(sample);
        let seals = std::fs::read_to_string(samples().join("SEALS")).unwrap();
        let sealed = seals.lines().find(|line| line.ends_with(&format!("  {sample}/SHA256SUMS"))).unwrap();
        all.insert("SHA256SUMS".to_owned(), sealed[..64].to_owned());
        for (file, sum) in all {
            let mut bytes = std::fs::read(folder.join(&file)).unwrap();
            for at in places(bytes.len(), 1) {
                bytes[at] ^= 1;
                assert_ne!(sha256_of_bytes(&bytes), sum, "{sample}/{file}: byte {at}");
                bytes[at] ^= 1;
                *tried.lock().unwrap() += 1;
            }
            assert_eq!(sha256_of_bytes(&bytes), sum, "{sample}/{file}");
        }
        // It has no sum: `verify` makes it again, and takes no other byte for it.
        let attested = std::fs::read_to_string(folder.join(ATTESTATION)).unwrap();
        assert_eq!(attested, documents::attestation(&record(&folder).unwrap(), &sealed[..64]), "{sample}");
        *tried.lock().unwrap() += attested.len();
    });
    println!("altered {} bytes, one at a time", tried.into_inner().unwrap());
}

/// What the journal of a folder tells, if it can be read.
fn record(folder: &Path) -> Option<RunState> {
    let events = events_of(&std::fs::read(folder.join("journal.jsonl")).unwrap()).ok()?;
    Some(RunState::of(&events))
}

/// A copy of a sample, to be altered.
fn copy(sample: &str) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in sums(sample).keys() {
        let to = copy.path().join(file);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(samples().join(sample).join(file), to).unwrap();
    }
    copy
}

/// Where a file of a run belongs in the table of docs/verify-and-replay.md.
fn row(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap();
    match name {
        "cmd.txt" => "*/cmd.txt".to_owned(),
        _ if file.starts_with("smoke/responses/") => "smoke/responses/*".to_owned(),
        _ if file.starts_with("inputs/k8s/") => "inputs/k8s/*".to_owned(),
        _ if file.contains("/out/") => {
            let (phase, _) = file.split_once("/out/").unwrap();
            let (stem, end) = name.rsplit_once('.').unwrap();
            let family = ["can-i", "render", "guard", "check", "latency", "gate", "version", "body"];
            let stem = family
                .into_iter()
                .find(|family| stem.starts_with(&format!("{family}.")))
                .map_or(stem.to_owned(), |family| format!("{family}.*"));
            format!("{phase}/out/{stem}.{end}")
        }
        _ => file.to_owned(),
    }
}

#[test]
#[ignore = "minutes"]
fn with_the_sums_mended_what_decides_is_found_from_the_bytes_alone() {
    let found = Mutex::new(BTreeMap::<String, (u32, u32)>::new());
    each_on_two_threads(SAMPLES.into_iter(), |sample| {
        let copy = copy(sample);
        let folder: &Utf8Path = copy.path().try_into().unwrap();
        let tree = Tree::new(folder.to_owned(), SecretPatterns::of(&[]).unwrap());
        for file in sums(sample).into_keys() {
            let bytes = std::fs::read(copy.path().join(&file)).unwrap();
            for at in places(bytes.len(), 512) {
                let mut altered = bytes.clone();
                altered[at] ^= 1;
                std::fs::write(copy.path().join(&file), &altered).unwrap();
                if let Some(record) = record(copy.path()) {
                    seal(&tree, &record).unwrap();
                }
                // A byte of the schema's number makes it another format: named, and not judged.
                let report = verify(folder, &TrustAnchors::default());
                let holds = report.is_ok_and(|report| report.conclusion() == VerifyOutcome::Holds);
                let mut found = found.lock().unwrap();
                let (of_it, in_all) = found.entry(row(&file)).or_default();
                *of_it += u32::from(!holds);
                *in_all += 1;
            }
            std::fs::write(copy.path().join(&file), &bytes).unwrap();
        }
        seal(&tree, &record(copy.path()).unwrap()).unwrap();
        let report = verify(folder, &TrustAnchors::default()).unwrap();
        assert_eq!(report.conclusion(), VerifyOutcome::Holds);
    });
    let found = found.into_inner().unwrap();
    let each: Vec<&str> =
        found.iter().filter(|(_, (of_it, in_all))| of_it == in_all).map(|(file, _)| file.as_str()).collect();
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/verify-and-replay.md"))
            .unwrap();
    let (_, row) = page.split_once("| each byte of | ").unwrap();
    let told: Vec<&str> = row.lines().next().unwrap().split('`').skip(1).step_by(2).collect();
    assert!(told.iter().all(|file| each.contains(file)), "the page names {told:?}, and it is {each:?}");
    for (file, (of_it, in_all)) in &found {
        println!("{file:40} {of_it:6} of {in_all:6}");
    }
}
