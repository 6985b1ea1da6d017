//! A run under strace, which injects what a disk or an operator may do.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rehearsal::{Answer, Body, scenario};
use serde_json::Value;
use staging_dry_run::events::{Event, EventKind};
use staging_dry_run::run_state::RunState;
use staging_dry_run::verify::{TrustAnchors, verify};

use super::support::zone::{noon, today};
use super::support::{Staging, files_below};

/// A key that no file may hold.
const KEY: &str = "sk_test_51N0tReallyAKey";

/// A healthy staging with a key, which the API sends back in a header and in a body.
pub(super) fn healthy() -> Staging {
    let scenario = scenario("healthy").unwrap().answer("/v1/runs", Answer::new(200, Body::Echo));
    Staging::on(scenario).remembering().with("STAGING_API_KEY", KEY)
}

/// The evidence root of a repository.
pub(super) fn root(staging: &Staging) -> PathBuf {
    staging.repository().join("evidence/staging")
}

/// The folder of the latest run, and the one before it.
pub(super) fn folder(staging: &Staging, before: bool) -> PathBuf {
    let folders = std::fs::read_dir(root(staging)).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> = folders.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders.into_iter().find(|folder| folder.extension().is_some() == before).unwrap()
}

/// Where the journal of a run that is started today will be.
pub(super) fn journal(staging: &Staging) -> PathBuf {
    root(staging).join(today(noon())).join("journal.jsonl")
}

/// `run` under strace with these arguments.
pub(super) fn strace(staging: &Staging, arguments: &[&str]) -> Output {
    let plain = staging.command(&["run"]);
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq"]).args(arguments).arg(plain.get_program()).args(plain.get_args());
    strace.current_dir(plain.get_current_dir().unwrap()).env_clear();
    strace.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    strace.stdin(Stdio::null()).output().expect("strace is needed")
}

pub(super) fn events(folder: &Path) -> Vec<Event> {
    let path = folder.join("journal.jsonl");
    staging_dry_run::evidence::Journal::read(path.as_path().try_into().unwrap()).unwrap()
}

/// The manifest is there and says `incomplete`, all that the journal says was printed is there, and the key is nowhere.
#[track_caller]
pub(super) fn is_true_as_far_as_it_goes(folder: &Path) -> RunState {
    let manifest: Value =
        serde_json::from_slice(&std::fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["verdict"], "incomplete", "{manifest}");
    let events = events(folder);
    for event in &events {
        let EventKind::CommandEnded(outcome) = &event.kind else { continue };
        for stretch in outcome.stdout.iter().chain(&outcome.stderr) {
            let length = std::fs::metadata(folder.join(&stretch.file)).unwrap().len();
            assert!(stretch.to <= length, "{}: {} of {length} bytes", stretch.file, stretch.to);
        }
    }
    for (file, bytes) in files_below(folder) {
        assert!(!bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes()), "{file} holds the key");
    }
    let verified = verify(folder.try_into().unwrap(), &TrustAnchors::default()).unwrap();
    assert!(verified.conclusion() == staging_dry_run::verify::VerifyOutcome::Holds, "{:#?}", verified.checks);
    RunState::of(&events)
}

/// Nothing was changed on the cluster that the journal had not announced.
#[track_caller]
pub(super) fn announced_what_it_changed(staging: &Staging, record: &RunState) {
    for write in staging.cluster.writes() {
        let name = ["api", "worker", "reaper"]
            .into_iter()
            .find(|name| write.path_and_query.contains(&format!("dpp-{name}")));
        let id = format!("apply.{}", name.unwrap_or_else(|| panic!("an unexpected write: {write:?}")));
        assert!(
            record.commands.iter().any(|command| command.intent.id.to_string() == id),
            "{write:?} without {id}"
        );
    }
}
