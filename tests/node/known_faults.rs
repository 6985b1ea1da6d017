//! Where the program is wrong on a real node today. Each test demands the right behavior, and `should_panic` marks it
//! as an expected failure, with the message of today's; the change that repairs it takes the mark away.

use std::thread;
use std::time::{Duration, Instant};

use super::cluster::{CLUSTER_IP, NODE_PORT, Node, OLD_TAG, alone, run, script_ran};

/// kubelet has started the next life of the container by the time its log is read, or, some times, not yet.
#[test]
#[ignore = "needs a real node"]
#[should_panic(expected = "does not contain ConnectionRefusedError")]
fn by_hand_the_reason_of_a_crash_2_s_after_the_start_is_kept() {
    let _alone = alone();
    let _node = Node::start();
    Node::deploy(OLD_TAG);
    run("v0.4.2.3-exit-2s", CLUSTER_IP, &[])
        .exits(1)
        .stops_by(2)
        .recorded("dump_logs/app_logs_tail.txt", "ConnectionRefusedError");
}

/// The word is shown for 1 s, 3 s to 14 s before `CrashLoopBackOff`.
#[test]
#[ignore = "needs a real node"]
#[should_panic(expected = "not printed: : OOMKilled (limit: no pod)")]
fn out_of_memory_stops_by_its_first_word() {
    let _alone = alone();
    let _node = Node::start();
    run("v0.4.2.3-memory", CLUSTER_IP, &[]).exits(1).stops_by(2).prints(": OOMKilled (limit: no pod)");
}

/// Waits for a pod that kubelet has evicted, and that ended with 0.
fn await_evicted() {
    let until = Instant::now() + Duration::from_mins(2);
    let evicted = || {
        let pods = ["get", "pods", "-n", "dpp-staging", "-l", "app=dpp-api", "--no-headers"];
        Node::kubectl(&pods).lines().any(|line| line.contains("Completed"))
    };
    while !evicted() {
        assert!(Instant::now() < until, "no pod was evicted");
        thread::sleep(Duration::from_millis(500));
    }
}

/// Evicted pods stay as objects until somebody removes them.
#[test]
#[ignore = "needs a real node"]
#[should_panic(expected = "not printed: PASS in ")]
fn evicted_pods_that_ended_with_0_are_no_shortfall() {
    let _alone = alone();
    let _node = Node::start();
    Node::deploy("v0.4.2.3-disk");
    await_evicted();
    run(OLD_TAG, NODE_PORT, &[]).exits(0).prints("PASS in ");
}

/// Sends a signal to a program of the node.
fn signal(program: &str, signal: &str) {
    let status = String::from_utf8(script_ran(&["status"]).stdout).unwrap();
    let line = status.lines().find(|line| line.starts_with(program)).unwrap();
    let process = line.rsplit(' ').next().unwrap();
    let sent = std::process::Command::new("kill").args(["-s", signal, process]).status().unwrap();
    assert!(sent.success(), "{line}");
}

/// The logs are asked for one after another, 10 s each.
#[test]
#[ignore = "takes a minute and a half"]
#[should_panic(expected = "from the end of the rollout to the end of the run")]
fn by_hand_a_kubelet_that_hangs_does_not_delay_the_dump() {
    let _alone = alone();
    let _node = Node::start();
    Node::deploy(OLD_TAG);
    let began = Instant::now();
    let hangs = thread::spawn(|| {
        thread::sleep(Duration::from_secs(12));
        signal("kubelet", "STOP");
    });
    run("v0.4.2.3-never-ready", CLUSTER_IP, &["--rollout-timeout=15s"]).exits(1).stops_by(1);
    let took = began.elapsed();
    hangs.join().unwrap();
    signal("kubelet", "CONT");
    assert!(took < Duration::from_secs(40), "{took:?}: from the end of the rollout to the end of the run");
}

/// Upgrades from the old tag to another that works: kube-proxy follows a second or two after the last rollout.
/// `NODE_UPGRADES=36` has shown 13 wrong verdicts before; one is not enough to tell, so CI leaves it out.
#[test]
#[ignore = "takes a quarter of an hour"]
#[should_panic(expected = "healthy upgrades were judged wrongly")]
fn by_hand_healthy_upgrades_pass() {
    let _alone = alone();
    let _node = Node::start();
    let upgrades = std::env::var("NODE_UPGRADES").map_or(12, |number| number.parse().unwrap());
    let mut wrong = Vec::new();
    for upgrade in 0..upgrades {
        Node::deploy(OLD_TAG);
        thread::sleep(Duration::from_secs(5));
        let ran = run("v0.4.2.3", NODE_PORT, &[]);
        if ran.manifest()["verdict"] != "pass" {
            wrong.push(format!("{upgrade}: {}", ran.manifest()["verdict"]));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {upgrades} healthy upgrades were judged wrongly: {wrong:?}",
        wrong.len()
    );
}
