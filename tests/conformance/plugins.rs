//! Credential plugins, which kubectl starts and which are not ours. kubectl asks them only where it speaks TLS.

use real_cluster::Real;
use rehearsal::scenario;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::support::executable::executable;
use super::support::under_way::{UnderWay, assert_nothing_left, left_running};
use super::support::{Ran, Staging};

/// A staging whose user gets a token from this script, as cloud providers' plugins do.
fn with_a_plugin(script: &str) -> Staging<Real> {
    let staging = Staging::with_cluster(scenario("healthy").unwrap());
    let path = staging.folder.path().join("kubeconfig");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let credential = json!({
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": config["users"][0]["user"]["token"]},
    });
    let plugin = staging.folder.path().join("plugin");
    executable(&plugin, format!("#!/bin/bash\n{script}\necho '{credential}'\n"));
    config["users"][0]["user"] = json!({"exec": {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": plugin,
        "interactiveMode": "IfAvailable",
    }});
    std::fs::write(&path, config.to_string()).unwrap();
    staging
}

/// What the manifest notes of the commands that did not simply end.
fn notes(ran: &Ran<Real>) -> Vec<String> {
    let manifest = ran.manifest();
    let notes =
        manifest["commands"].as_array().unwrap().iter().filter_map(|command| command["note"].as_str());
    notes.map(str::to_owned).collect()
}

#[test]
#[ignore = "needs a real control plane"]
fn a_plugin_that_leaves_something_running_is_ended_with_its_command() {
    let ran = with_a_plugin("sleep 1000 >/dev/null &").run().exits(0);
    assert_nothing_left(ran.staging.folder.path());
    assert!(notes(&ran).iter().any(|note| note.contains("left a process running")), "{:?}", notes(&ran));
}

#[test]
#[ignore = "needs a real control plane"]
fn a_plugin_that_left_its_group_is_told_and_not_waited_for() {
    // Once: each command that is left so takes the grace.
    let staging = with_a_plugin("if mkdir \"$0.ran\" 2>/dev/null; then setsid sleep 1000 >/dev/null & fi");
    let ran = staging.run().exits(0);
    let left = left_running(ran.staging.folder.path());
    let [(id, sleep)] = &left[..] else { panic!("{left:?}") };
    assert_eq!(sleep, "sleep 1000 ");
    rustix::process::kill_process(*id, Signal::KILL).unwrap();
    assert!(notes(&ran).iter().any(|note| note.contains("left its process group")), "{:?}", notes(&ran));
}

#[test]
#[ignore = "needs a real control plane"]
fn a_plugin_that_hangs_and_ignores_term_is_ended_with_the_run() {
    let staging = with_a_plugin("trap '' TERM INT; echo hangs >\"$0.hangs\"; while :; do sleep 1000; done");
    let hangs = staging.folder.path().join("plugin.hangs");
    mknodat(CWD, &hangs, FileType::Fifo, Mode::RWXU, 0).unwrap();
    let run = UnderWay::start(staging, &["run", "-v"]);
    assert_eq!(std::fs::read_to_string(&hangs).unwrap().lines().next(), Some("hangs"));
    let folder = run.staging.folder.path().to_owned();
    let ran = run.signal(Signal::TERM).signal(Signal::TERM).ends().exits(143).changed_nothing();
    assert_nothing_left(&folder);
    assert_eq!(ran.manifest()["incomplete"], "ended by signal 15");
}

#[test]
#[ignore = "needs a real control plane"]
fn a_plugin_that_asks_for_the_terminal_is_told_to_log_in_first() {
    let staging = with_a_plugin("read -r -p 'Password: ' password </dev/tty");
    let run = UnderWay::at_a_terminal(staging, &["run"]);
    let folder = run.staging.folder.path().to_owned();
    let ran = run.ends().exits(2).changed_nothing();
    assert_nothing_left(&folder);
    ran.says("it asked for the terminal: log in first, then run again");
}
