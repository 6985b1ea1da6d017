//! `scripts/real-cluster.sh` as a person uses it.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails here")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/real-cluster.sh");

const PROGRAMS: [&str; 5] = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"];

fn script(what: &str, folder: &Path) -> Output {
    Command::new("bash").arg(SCRIPT).arg(what).arg(folder).stdin(Stdio::null()).output().unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap().trim_end().to_owned()
}

fn pid(folder: &Path, program: &str) -> String {
    std::fs::read_to_string(folder.join(format!("{program}.pid"))).unwrap().trim().to_owned()
}

/// Whether a process of that number runs the program in that folder.
fn runs(folder: &Path, program: &str, pid: &str) -> bool {
    let output = Command::new("ps").args(["-ww", "-o", "args=", "-p", pid]).output().unwrap();
    let line = String::from_utf8(output.stdout).unwrap();
    line.contains(&format!("/{program} ")) && line.contains(folder.to_str().unwrap())
}

fn pods(kubeconfig: &str) -> bool {
    Command::new("kubectl")
        .args(["--kubeconfig", kubeconfig, "get", "pods", "-A"])
        .output()
        .unwrap()
        .status
        .success()
}

#[test]
#[ignore = "needs a real control plane"]
fn two_run_side_by_side_and_each_ends_its_own() {
    let parent = tempfile::Builder::new().prefix("team's clusters ").tempdir().unwrap();
    let [one, two] = ["one", "two"].map(|name| parent.path().join(name));
    real_cluster::build().unwrap();
    let [config_one, config_two] = [&one, &two].map(|folder| stdout(&script("up", folder)));
    assert!(pods(&config_one) && pods(&config_two));
    assert_eq!(script("status", &one).status.code(), Some(0));

    let pids: Vec<String> = PROGRAMS.iter().map(|program| pid(&one, program)).collect();
    stdout(&script("down", &one));
    for (program, pid) in PROGRAMS.iter().zip(&pids) {
        assert!(!runs(&one, program, pid), "{program} still runs");
    }
    assert_eq!(script("status", &one).status.code(), Some(1));
    assert!(pods(&config_two), "the other one ended too");

    // A program that crashed is started again by the next up, on the same data and address; the others stay.
    let etcd = pid(&two, "etcd");
    let killed = Command::new("kill").args(["-KILL", &pid(&two, "kube-apiserver")]).status().unwrap();
    assert!(killed.success());
    assert_eq!(stdout(&script("up", &two)), config_two);
    assert!(pods(&config_two) && pid(&two, "etcd") == etcd);
    stdout(&script("down", &two));
    assert_eq!(script("status", &two).status.code(), Some(1));
}

#[test]
#[ignore = "needs a real control plane"]
fn what_a_killed_script_left_running_is_ended_by_down() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("cluster");
    real_cluster::build().unwrap();
    let mut hold = Command::new("bash");
    let hold = hold.arg(SCRIPT).arg("hold").arg(&folder).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut hold = hold.stderr(Stdio::null()).spawn().unwrap();
    let mut kubeconfig = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(hold.stdout.take().unwrap()), &mut kubeconfig)
        .unwrap();
    hold.kill().unwrap();
    hold.wait().unwrap();
    assert!(pods(kubeconfig.trim_end()), "it runs on");
    stdout(&script("down", &folder));
    assert_eq!(script("status", &folder).status.code(), Some(1));
}

#[test]
fn what_it_does_not_know_is_a_usage_error() {
    let nowhere = Path::new("/nowhere");
    assert_eq!(script("restart", nowhere).status.code(), Some(2));
    assert_eq!(script("status", nowhere).status.code(), Some(1));
    let env = script("env", nowhere);
    assert_eq!(env.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&env.stderr).contains("there is no cluster in /nowhere"));
}
