//! The sample evidence that older runs left, read with today's code.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails here")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use staging_dry_run::events::Event;
use staging_dry_run::manifest::Manifest;
use staging_dry_run::record::Record;
use staging_dry_run::verdict;

/// Each sample, and the stop rule it shows.
const SAMPLES: [(&str, Option<u8>); 5] =
    [("pass", None), ("stop-1", Some(1)), ("stop-2", Some(2)), ("stop-3", Some(3)), ("stop-4", Some(4))];

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("evidence/samples")
}

fn events(folder: &Path) -> Vec<Event> {
    let journal = std::fs::read_to_string(folder.join("journal.jsonl")).unwrap();
    journal.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn manifest(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("manifest.json")).unwrap()).unwrap()
}

fn bash(folder: &Path, script: &str) -> Output {
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", script]).current_dir(folder).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn todays_code_comes_to_each_samples_verdict() {
    for (sample, rule) in SAMPLES {
        let folder = samples().join(sample);
        let events = events(&folder);
        let judgement = verdict::judge(&Record::of(&events));
        assert_eq!(judgement.stop.map(|stop| stop.rule), rule, "{sample}");
        let (kept, again) = (manifest(&folder), serde_json::to_value(Manifest::fold(&events)).unwrap());
        for (field, value) in kept.as_object().unwrap() {
            assert_eq!(&again[field], value, "{sample}: {field}");
        }
    }
}

#[test]
fn each_sample_is_as_it_was_sealed() {
    for (sample, _) in SAMPLES {
        let folder = samples().join(sample);
        let seal = format!("grep -F \"$(sha256sum SHA256SUMS | cut -c1-64)  {sample}/SHA256SUMS\" ../SEALS");
        for script in [seal.as_str(), "sha256sum -c --quiet SHA256SUMS"] {
            let output = bash(&folder, script);
            assert!(output.status.success(), "{sample}: {script}: {output:?}");
        }
    }
    let folders =
        std::fs::read_dir(samples()).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir());
    assert_eq!(folders.count(), SAMPLES.len());
}

#[test]
fn each_command_of_the_walk_answers() {
    let readme = std::fs::read_to_string(samples().join("README.md")).unwrap();
    let blocks = readme.split("```bash\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let commands: Vec<&str> = blocks.flat_map(str::lines).collect();
    assert_eq!(commands.len(), 12);
    for command in commands {
        let output = bash(&samples().join("stop-2"), command);
        assert!(output.status.success(), "{command}: {output:?}");
        assert_eq!(output.stdout.is_empty(), command.contains("--quiet"), "{command}: {output:?}");
    }
}
