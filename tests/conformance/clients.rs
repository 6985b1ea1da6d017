//! The whole runbook with each promised kubectl, on both clusters.

use std::path::Path;

use real_cluster::Real;
use rehearsal::Rehearsal;
use serde_json::Value;

use super::kubectls::{Kubectl, kubectls};
use super::support::{Cluster, Ran, shortened};

/// A folder with this kubectl alone, to stand first on PATH.
fn first_on_path(folder: &Path, kubectl: &Kubectl) -> String {
    let bin = folder.join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(&kubectl.path, bin.join("kubectl")).unwrap();
    format!("{}:{}", bin.display(), std::env::var("PATH").unwrap())
}

fn ran_with<C: Cluster>(scenario: &str, kubectl: &Kubectl) -> Ran<C> {
    let staging = shortened::<C>(scenario);
    let path = first_on_path(staging.folder.path(), kubectl);
    staging.with("PATH", &path).run()
}

/// What must not depend on the client: the verdict, the rule that fired, and each criterion.
fn outcome(manifest: &Value) -> Value {
    let states = manifest["criteria"].as_array().unwrap().iter().map(|one| one["state"].clone());
    serde_json::json!([manifest["verdict"], manifest["stop"]["rule"], states.collect::<Vec<_>>()])
}

fn every_client<C: Cluster>(scenario: &str, status: i32) {
    let kubectls = kubectls();
    let ran: Vec<Ran<C>> = kubectls.iter().map(|kubectl| ran_with(scenario, kubectl).exits(status)).collect();
    for (kubectl, stopped) in kubectls.iter().zip(&ran).filter(|_| status == 1) {
        let described =
            std::fs::read_to_string(stopped.evidence().join("dump_logs/k8s_describe.txt")).unwrap();
        assert!(
            described.contains("ScalingReplicaSet"),
            "kubectl {} describes without events",
            kubectl.minor
        );
    }
    let newest = outcome(&ran.last().unwrap().manifest());
    for (kubectl, ran) in kubectls.iter().zip(&ran) {
        let manifest = ran.manifest();
        assert_eq!(outcome(&manifest), newest, "kubectl {}: {}", kubectl.minor, ran.stderr);
        let tools = manifest["tools"].as_array().unwrap();
        let version =
            tools.iter().find(|tool| tool["name"] == "kubectl").unwrap()["version"].as_str().unwrap();
        assert!(version.starts_with(&format!("v{}.", kubectl.minor)), "{version} is not {}", kubectl.minor);
    }
}

#[test]
fn each_client_passes_on_the_rehearsal() {
    every_client::<Rehearsal>("healthy", 0);
}

#[test]
fn each_client_sees_the_crash_loop_on_the_rehearsal() {
    every_client::<Rehearsal>("crash-loop", 1);
}

#[test]
#[ignore = "needs a real control plane"]
fn each_client_passes_on_the_real_cluster() {
    every_client::<Real>("healthy", 0);
}

#[test]
#[ignore = "needs a real control plane"]
fn each_client_sees_the_crash_loop_on_the_real_cluster() {
    every_client::<Real>("crash-loop", 1);
}
