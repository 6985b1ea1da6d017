//! What is attested of a run: to whom it may concern, in a form that other tools know.

use serde_json::{Value, json};

use super::support::{Ran, scenario_ran};

fn attested(ran: &Ran) -> Value {
    serde_json::from_slice(&std::fs::read(ran.evidence().join("attestation.json")).unwrap()).unwrap()
}

#[test]
fn a_run_is_passed_warned_or_failed_and_what_was_not_passed_is_named() {
    let table: [(&str, &str, &[&str], &[&str]); 5] = [
        ("healthy", "PASSED", &[], &[]),
        (
            "smoke-8-of-10",
            "WARNED",
            &["smoke-10-of-10", "manifest", "check.04 GET /llms.txt", "check.06 GET /redoc"],
            &[],
        ),
        ("crash-loop", "FAILED", &[], &["stop-2", "rollout", "pods-running", "manifest", "files"]),
        ("readyz-503", "FAILED", &[], &["stop-3", "manifest", "files"]),
        ("forbidden", "FAILED", &[], &["guard-accepted", "manifest", "files"]),
    ];
    for (scenario, result, warned, failed) in table {
        let said = attested(scenario_ran(scenario));
        let predicate = &said["predicate"];
        assert_eq!(predicate["result"], result, "{scenario}");
        assert_eq!(predicate["warnedTests"], json!(warned), "{scenario}");
        assert_eq!(predicate["failedTests"], json!(failed), "{scenario}");
        assert_eq!(said["subject"][0]["name"], "SHA256SUMS", "{scenario}");
    }
}

#[test]
fn the_images_that_ran_are_subjects_by_their_digests() {
    let ran = scenario_ran("healthy");
    let said = attested(ran);
    let subjects: Vec<&str> = said["subject"].as_array().unwrap()[1..]
        .iter()
        .map(|subject| subject["name"].as_str().unwrap().rsplit('/').next().unwrap())
        .collect();
    assert_eq!(subjects, ["dpp-api", "dpp-reaper", "dpp-worker"]);
    let passed = said["predicate"]["passedTests"].as_array().unwrap();
    let checks = passed.iter().filter(|name| name.as_str().unwrap().starts_with("check.")).count();
    assert_eq!(checks, 10);
    let configured: Vec<&str> = said["predicate"]["configuration"]
        .as_array()
        .unwrap()
        .iter()
        .map(|used| used["name"].as_str().unwrap())
        .collect();
    let manifests = ["k8s/api-deployment.yaml", "k8s/worker-deployment.yaml", "k8s/reaper-deployment.yaml"];
    assert_eq!(configured, [&["staging-dry-run", "RUNBOOK.md"], &manifests[..]].concat());
}
