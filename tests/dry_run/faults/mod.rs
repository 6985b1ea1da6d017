//! How kubectl, curl and the system really behave: each fault that concerns the whole program, by its name.

mod api;
mod clock;
mod cluster;
mod disk;
mod host_environment;
mod hostile;
mod interrupted;
mod secrets;

use super::support::{Ran, Staging, files_below};
use rehearsal::{Fate, Scenario, With, scenario};
use serde_json::{Value, json};
use staging_dry_run::events::{Event, EventKind};
use staging_dry_run::facts::apply::ApplyOutcome;
use std::collections::BTreeSet;
use std::process::{Command, Output, Stdio};

const API_KEY: &str = "sk_test_51N0tReallyAKey";
const PROGRAM: &str = env!("CARGO_BIN_EXE_staging-dry-run");

fn healthy() -> Scenario {
    scenario("healthy").unwrap()
}

fn read(ran: &Ran, file: &str) -> String {
    std::fs::read_to_string(ran.evidence().join(file)).unwrap()
}

/// How often a command was started.
fn times(manifest: &Value, id: &str) -> usize {
    manifest["commands"].as_array().unwrap().iter().filter(|command| command["id"] == id).count()
}

fn ids(manifest: &Value) -> BTreeSet<String> {
    let commands = manifest["commands"].as_array().unwrap().iter();
    commands.map(|command| command["id"].as_str().unwrap().to_owned()).collect()
}

/// What `kubectl apply` said of an object.
fn applied(events: &[Event], object: &str) -> Option<ApplyOutcome> {
    let all = events.iter().filter_map(|event| match &event.kind {
        EventKind::Applied { objects, .. } => Some(objects),
        _ => None,
    });
    all.flatten().find(|applied| applied.object == object).map(|applied| applied.outcome.clone())
}

/// The STATUS words of a watch's rows of this event.
fn statuses<'t>(watched: &'t str, event: &str) -> Vec<&'t str> {
    let rows = watched.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row.first() == Some(&event)).map(|row| row[3]).collect()
}

/// A pod nobody's Deployment made, with a container in this state.
fn lone_pod(name: &str, phase: &str, state: &Value) -> With {
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "dpp-staging"},
        "spec": {"containers": [{"name": "migrate", "image": "dpp-migrate:1"}], "restartPolicy": "Never"},
        "status": {"phase": phase, "containerStatuses": [{
            "name": "migrate", "image": "dpp-migrate:1", "imageID": "", "ready": false, "restartCount": 0,
            "started": false, "state": state,
        }]},
    });
    With::Object(pod.to_string().into())
}

fn old_api_pod_crashes() -> With {
    With::Old { deployment: "dpp-api".into(), pod: 0, fate: Fate::CrashLoop { exit_code: 1, restarts: 9 } }
}

/// The program, run through bash so that a pipe or a closed descriptor is bash's own; the program is `$0`.
fn through_bash(staging: &Staging, script: &str) -> Output {
    let plain = staging.command(&[]);
    let mut bash = Command::new("bash");
    bash.args(["-c", script, PROGRAM]).current_dir(plain.get_current_dir().unwrap()).env_clear();
    bash.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    bash.stdin(Stdio::null()).output().unwrap()
}

fn holds(bytes: &[u8], part: &str) -> bool {
    bytes.windows(part.len()).any(|window| window == part.as_bytes())
}

// Stop rule 2.
