//! The sample evidence that older runs left, read with today's code.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails here")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use staging_dry_run::events::Event;
use staging_dry_run::manifest::Manifest;
use staging_dry_run::run_state::RunState;
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
        let judgement = verdict::judge(&RunState::of(&events));
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
fn each_of_the_ten_questions_is_answered_by_its_command() {
    let answers = [
        "ci\nrunner\nci-deployer\n",
        " KST\n",
        "staging-cluster\ndpp-staging\nhttp://",
        "\nv1.34.4\n",
        "5 of dpp-worker: 123456789012.dkr.ecr.us-east-1.amazonaws.com/dpp-worker@sha256:",
        "\nmain\nfalse\n",
        "\ncurl ",
        "k8s/reaper-deployment.yaml\n  serviceaccount/dpp-reaper unchanged\n  deployment.apps/dpp-reaper configured\n",
        "rule 2: Any pod in `CrashLoopBackOff` or `Error` state\npod dpp-api-",
        "stop-2/SHA256SUMS: OK\n",
    ];
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/verify-and-replay.md"))
            .unwrap();
    let (_, walk) = page.split_once("```bash\ncd evidence/samples/stop-2\n").unwrap();
    let walk = walk.split("```").next().unwrap();
    let (questions, commands): (Vec<&str>, Vec<&str>) = walk.lines().partition(|line| line.starts_with("# "));
    assert_eq!((questions.len(), commands.len()), (10, 10));
    for (command, answer) in commands.into_iter().zip(answers) {
        let output = bash(&samples().join("stop-2"), command);
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && said.contains(answer), "{command}: {said}");
    }
}
