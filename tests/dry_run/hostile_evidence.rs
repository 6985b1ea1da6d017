//! Evidence that somebody made up to have an auditor's machine do something: it holds nowhere, and `replay` does nothing.

use std::net::TcpListener;

use super::staging::replayed::replayed;
use super::staging::{Ran, Staging, scenario_ran};
use super::verified::{Moved, forged};

const KEY: &str = "sk_an_auditors_k3y";

/// Evidence whose every text says something else.
fn rewritten(ran: &Ran, edit: impl Fn(&str) -> String) -> Moved {
    let moved = Moved::of(ran);
    let files = ["journal.jsonl", "manifest.json", "preflight/cmd.txt", "deploy/cmd.txt", "smoke/cmd.txt"];
    for file in files {
        let text = std::fs::read_to_string(moved.path(file)).unwrap();
        std::fs::write(moved.path(file), edit(&text)).unwrap();
    }
    moved.with_the_sums_mended();
    moved
}

#[test]
fn a_value_that_no_input_takes_reaches_neither_sed_nor_curl() {
    let ran = scenario_ran("healthy");
    let began = r#""event":"run-began""#;
    let marker = tempfile::tempdir().unwrap();
    let touched = marker.path().join("touched");
    let command = format!("x/;e touch {} #", touched.display());
    let account = |line: &str| {
        line.replace(r#""aws_account_id":"123456789012""#, &format!(r#""aws_account_id":"{command}""#))
    };
    let metrics = |line: &str| {
        let (before, rest) = line.split_once(r#""metrics_url":""#).unwrap();
        format!(r#"{before}"metrics_url":"-K.{}"#, &rest[rest.find('"').unwrap()..])
    };
    let older = |line: String| line.replace(r#""version":"0.1.0""#, r#""version":"0.0.9""#);
    let staging = Staging::of("healthy");
    let is_refused = |name: &str, edit: &dyn Fn(&str) -> String| {
        let moved = forged(ran, began, edit);
        moved.does_not_hold(&format!("no run is given this: {name} "));
        let _told = replayed(&staging, &moved.path("."), &[]).exits(2).says("is not as its run left it");
        // Of another version's evidence the commands are not compared.
        let moved = forged(ran, began, |line| older(edit(line)));
        let _told = replayed(&staging, &moved.path("."), &[]).exits(2);
    };
    is_refused("AWS_ACCOUNT_ID", &account);
    is_refused("STAGING_METRICS_URL", &metrics);
    let url = &ran.staging.environment["STAGING_METRICS_URL"];
    let version = |text: &str| text.replace(r#""version": "0.1.0""#, r#""version": "0.0.9""#);
    let moved = rewritten(ran, |text| version(&older(text.replace(url, "-K."))));
    let _told = replayed(&staging, &moved.path("."), &[]).exits(2).says("STAGING_METRICS_URL is ");
    assert!(!touched.exists());
    assert!(staging.cluster.requests().is_empty());
}

#[test]
fn the_key_is_sent_nowhere_else_whatever_the_journal_says_of_it() {
    let ran = Staging::of("healthy").with("STAGING_API_KEY", KEY).run().exits(0);
    let ours = TcpListener::bind("127.0.0.1:0").unwrap();
    let catcher = format!("http://{}", ours.local_addr().unwrap());
    let url = ran.staging.environment["STAGING_BASE_URL"].clone();
    let moved = rewritten(&ran, |text| text.replace(&url, &catcher).replace(r#","reads_key":true"#, ""));
    moved.does_not_hold("check.10 is no command of the runbook");
    let told = replayed(&ran.staging, &moved.path("."), &[]).exits(2);
    ours.set_nonblocking(true).unwrap();
    assert!(ours.accept().is_err(), "nobody came: {}", told.said);
}

#[test]
fn a_kubeconfig_that_names_the_cluster_and_its_user_otherwise_will_do() {
    let ran = Staging::of("healthy").run().exits(0);
    let kubeconfig = ran.staging.environment["KUBECONFIG"].clone();
    let text = std::fs::read_to_string(&kubeconfig).unwrap();
    let auditors = text.replace(rehearsal::USER, "an-auditor");
    assert_ne!(auditors, text);
    std::fs::write(&kubeconfig, auditors).unwrap();
    let _told = replayed(&ran.staging, &ran.evidence(), &[]).exits(0).says("\nagain on http://127.0.0.1:");
    std::fs::write(&kubeconfig, "apiVersion: v1\nkind: Config\n").unwrap();
    let _told = replayed(&ran.staging, &ran.evidence(), &[])
        .exits(2)
        .says("the run's context \"team's staging\" is not in the kubeconfig here")
        .says("kubectl config get-contexts -o name");
}

#[test]
fn what_would_land_elsewhere_is_not_applied_and_nothing_after_a_failure() {
    let ran = Staging::of("healthy").run().exits(0);
    let changes = ["--include-changes", "--context", "team's staging"];
    let evidence = ran.evidence();
    let elsewhere = r#"if [[ "$*" == *dry-run=server* ]]; then "$REAL" "$@" | sed 's/dpp-staging\tdpp-worker/default\tdpp-worker/'; exit "${PIPESTATUS[0]}"; fi
        exec "$REAL" "$@""#;
    let staging = ran.staging.in_place_of("kubectl", elsewhere);
    let told = replayed(&staging, &evidence, &changes).exits(1);
    assert!(
        told.of("guard.worker").contains("+ Deployment dpp-worker would land in default"),
        "{}",
        told.said
    );
    let told = told.says(
        "left out  apply.worker: guard.worker did not show that all of it lands in the run's namespace",
    );
    assert!(
        told.of("apply.api").starts_with("drift ") || told.of("apply.api").starts_with("same "),
        "{}",
        told.said
    );

    let fails = r#"if [[ "$*" == "apply -f -" ]]; then cat >/dev/null; echo 'error: no' >&2; exit 1; fi
        exec "$REAL" "$@""#;
    let staging = staging.in_place_of("kubectl", fails);
    let told =
        replayed(&staging, &evidence, &changes).exits(1).says("left out  apply.worker: apply.api failed");
    assert_eq!(told.of("apply.api"), "CHANGED   apply.api\n- exit 0 0 0 0\n+ exit 0 0 0 1\n+ error: no");
}

#[test]
fn what_the_run_took_out_is_taken_out_again_or_nothing_is_run() {
    let staging = Staging::of("healthy").with("STAGING_REDACT", "DB_PASSWORD");
    let ran = staging.with("DB_PASSWORD", "application/json").run();
    let evidence = ran.evidence();
    ran.staging.cluster.forget_requests();
    let staging = ran.staging.with("STAGING_REDACT", "");
    let _told = replayed(&staging, &evidence, &[])
        .exits(2)
        .says("the run took the value of DB_PASSWORD out of what it kept")
        .says("name it in STAGING_REDACT");
    assert!(staging.cluster.requests().is_empty());
    let staging = staging.with("STAGING_REDACT", "DB_PASSWORD");
    let told = replayed(&staging, &evidence, &[]);
    let answer =
        std::fs::read_to_string(told.folder.path().join("new/now/smoke/responses/01-health.http")).unwrap();
    assert!(answer.contains("[redacted:DB_PASSWORD]") && !answer.contains("application/json"), "{answer}");
}
