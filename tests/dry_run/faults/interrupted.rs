//! Signals, terminals, and children that do not end when they should.

use super::super::support::Staging;
use super::super::support::under_way::{UnderWay, assert_nothing_left, left_running};
use super::{healthy, read};
use rehearsal::{Answer, Body};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::time::Duration;

/// The one command of this id.
fn command(manifest: &Value, id: &str) -> Value {
    let mut commands = manifest["commands"].as_array().unwrap().iter();
    commands.find(|command| command["id"] == id).unwrap().clone()
}

/// Where `kubectl rollout status` says which signals it gets, and ends by none of them before it has got so many.
fn rollout_that_tells(ends_at: u32) -> Staging {
    let script = format!(
        "if [[ $* != *'rollout status'* ]]; then exec \"$REAL\" \"$@\"; fi
        got=0
        for signal in INT TERM HUP; do trap \"echo got $signal; got=\\$((got + 1))\" $signal; done
        echo waiting
        # A signal may come between the question and the wait.
        while ((got < {ends_at})); do sleep 0.1 & wait; done
        exit 7"
    );
    Staging::of("healthy").remembering().in_place_of("kubectl", &script)
}

#[test]
fn an_interrupted_run_says_so_and_leaves_no_child() {
    for (signal, number) in [(Signal::INT, 2), (Signal::TERM, 15), (Signal::HUP, 1)] {
        let run = UnderWay::start(Staging::of("rollout-timeout").remembering(), &["run", "-v"])
            .until("> rollout.api ");
        let folder = run.staging.folder.path().to_owned();
        assert!(cfg!(not(target_os = "linux")) || !left_running(&folder).is_empty());
        let ran = run.signal(signal).ends().exits(128 + number);
        assert_nothing_left(&folder);
        let manifest = ran.manifest();
        assert_eq!(
            (&manifest["verdict"], &manifest["exit_code"], &manifest["incomplete"]),
            (&json!("incomplete"), &json!(128 + number), &json!(format!("ended by signal {number}")))
        );
        assert!(
            command(&manifest, "rollout.api")["ended_by"]["staging-dry-run"].is_u64(),
            "it names the signal's event"
        );
        assert_eq!((&manifest["stop"], ran.stdout.lines().count()), (&Value::Null, 4), "{}", ran.stdout);
        assert!(!ran.evidence().join("dump_logs").exists(), "it is no STOP");
    }
}

#[test]
fn an_interrupted_preflight_or_smoke_is_no_success() {
    let hangs = || Staging::on(healthy().answer("/readyz", Answer::new(200, Body::Hang))).remembering();
    let ran = |staging: Staging, subcommand: &str, words: &str| {
        let run = UnderWay::start(staging, &[subcommand, "-v"]).until(words);
        let ran = run.signal(Signal::INT).ends().exits(130).wrote_nothing();
        assert_nothing_left(ran.staging.folder.path());
        ran
    };
    let staging = ran(hangs(), "preflight", "> version.kubectl ").staging;
    ran(staging, "smoke", "> gate.readyz ");

    // All ten checks are answered by then.
    let slow = Answer { takes: Duration::from_millis(400), ..Answer::new(200, Body::Usual) };
    ran(Staging::on(healthy().answer("/health", slow)).remembering(), "smoke", "> latency.health ");
}

#[test]
fn ctrl_c_at_a_terminal_reaches_the_children_once() {
    let run = UnderWay::at_a_terminal(rollout_that_tells(1), &["run", "-v"]).until("waiting");
    let folder = run.staging.folder.path().to_owned();
    let ran = run.ctrl_c().ends().exits(130).says("INCOMPLETE").says("ended by signal 2");
    assert_nothing_left(&folder);
    let said = read(&ran, "deploy/stdout.log");
    assert!(said.ends_with("waiting\ngot TERM\n"), "{said}");
    let rollout = command(&ran.manifest(), "rollout.api");
    assert_eq!(rollout["exit"], json!([7]));
    assert!(rollout["ended_by"]["staging-dry-run"].is_u64(), "{rollout}");
}

#[test]
fn a_second_ctrl_c_ends_at_once_what_ignores_the_first() {
    let run = UnderWay::at_a_terminal(rollout_that_tells(9), &["run", "-v"]).until("waiting");
    let folder = run.staging.folder.path().to_owned();
    let ran = run.ctrl_c().until("got TERM").ctrl_c().ends().exits(130);
    assert_nothing_left(&folder);
    let manifest = ran.manifest();
    let rollout = command(&manifest, "rollout.api");
    assert_eq!((&rollout["exit"], &manifest["incomplete"]), (&json!([137]), &json!("ended by signal 2")));
    assert!(rollout["duration_ms"].as_u64().unwrap() < 10_000, "the grace was waited for: {rollout}");
}

#[test]
fn what_ignores_term_is_killed_after_the_grace() {
    let run = UnderWay::start(rollout_that_tells(9), &["run", "-v"]).until("waiting");
    let folder = run.staging.folder.path().to_owned();
    let ran = run.signal(Signal::TERM).ends().exits(143);
    assert_nothing_left(&folder);
    let rollout = command(&ran.manifest(), "rollout.api");
    assert_eq!(rollout["exit"], json!([137]));
    assert!(rollout["duration_ms"].as_u64().unwrap() >= 10_000, "{rollout}");
}

#[test]
fn a_terminal_that_is_closed_ends_the_run_in_order() {
    let run = UnderWay::at_a_terminal(rollout_that_tells(1), &["run", "-v"]).until("waiting");
    let folder = run.staging.folder.path().to_owned();
    let ran = run.hangs_up().exits(129);
    assert_nothing_left(&folder);
    assert_eq!(ran.manifest()["incomplete"], "ended by signal 1");
}
