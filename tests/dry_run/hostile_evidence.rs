//! Evidence that somebody made up to have an auditor's machine do something: it holds nowhere, and `replay` does nothing.

use std::net::TcpListener;

use staging_dry_run::documents;
use staging_dry_run::events::{Event, EventKind};
use staging_dry_run::evidence::redaction::SecretPatterns;
use staging_dry_run::evidence::{Tree, events_of};
use staging_dry_run::manifest::Manifest;
use staging_dry_run::run_state::RunState;

use super::support::replayed::replayed;
use super::support::{Ran, Staging, scenario_ran};
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
    let older = |line: String| line.replace(r#""version":"0.2.0""#, r#""version":"0.0.9""#);
    let staging = Staging::of("healthy").remembering();
    let is_refused = |name: &str, edit: &dyn Fn(&str) -> String| {
        let moved = forged(ran, began, edit);
        moved.does_not_hold(&format!("no run accepts this: {name} "));
        let _told =
            replayed(&staging, &moved.path("."), &[]).exits(2).says("`verify` does not report HOLDS for ");
        // What the evidence says of the program's version changes nothing about that.
        let moved = forged(ran, began, |line| older(edit(line)));
        moved.does_not_hold(&format!("no run accepts this: {name} "));
        let _told = replayed(&staging, &moved.path("."), &[]).exits(2);
    };
    is_refused("AWS_ACCOUNT_ID", &account);
    is_refused("STAGING_METRICS_URL", &metrics);
    let url = &ran.staging.environment["STAGING_METRICS_URL"];
    let version = |text: &str| text.replace(r#""version": "0.2.0""#, r#""version": "0.0.9""#);
    let moved = rewritten(ran, |text| version(&older(text.replace(url, "-K."))));
    let _told =
        replayed(&staging, &moved.path("."), &[]).exits(2).says("`verify` does not report HOLDS for ");
    assert!(!touched.exists());
    assert!(staging.cluster.requests().is_empty());
}

#[test]
fn the_key_is_sent_nowhere_else_whatever_the_journal_says_of_it() {
    let ran = Staging::of("healthy").remembering().with("STAGING_API_KEY", KEY).run().exits(0);
    let ours = TcpListener::bind("127.0.0.1:0").unwrap();
    let catcher = format!("http://{}", ours.local_addr().unwrap());
    let url = ran.staging.environment["STAGING_BASE_URL"].clone();
    let moved = rewritten(&ran, |text| text.replace(&url, &catcher).replace(r#","reads_key":true"#, ""));
    moved.does_not_hold("check.10 is not a command of the runbook");
    let told = replayed(&ran.staging, &moved.path("."), &[]).exits(2);
    ours.set_nonblocking(true).unwrap();
    assert!(ours.accept().is_err(), "nobody came: {}", told.said);
}

#[test]
fn a_kubeconfig_that_names_the_cluster_and_its_user_otherwise_will_do() {
    let ran = Staging::of("healthy").remembering().run().exits(0);
    let kubeconfig = ran.staging.environment["KUBECONFIG"].clone();
    let text = std::fs::read_to_string(&kubeconfig).unwrap();
    let auditors = text.replace(rehearsal::USER, "an-auditor");
    assert_ne!(auditors, text);
    std::fs::write(&kubeconfig, auditors).unwrap();
    let _told = replayed(&ran.staging, &ran.evidence(), &[]).exits(0).says("\nagain on http://127.0.0.1:");
    std::fs::write(&kubeconfig, "apiVersion: v1\nkind: Config\n").unwrap();
    let _told = replayed(&ran.staging, &ran.evidence(), &[])
        .exits(2)
        .says("the run's context \"team's staging\" could not be read from this kubeconfig: error: cannot locate context team's staging")
        .says("kubectl config get-contexts -o name");
}

#[test]
fn a_context_whose_cluster_has_a_named_value_in_its_name_is_replayed() {
    let staging = Staging::of("healthy").remembering().with("TENANT", "tenant-4711");
    let staging = staging.with("STAGING_REDACT", "TENANT");
    let kubeconfig = staging.environment["KUBECONFIG"].clone();
    let text = std::fs::read_to_string(&kubeconfig).unwrap();
    let named = text.replace(r#""staging""#, r#""of-tenant-4711""#);
    assert_ne!(named, text);
    std::fs::write(&kubeconfig, named).unwrap();
    let ran = staging.run().exits(0);
    let _told = replayed(&ran.staging, &ran.evidence(), &[]).exits(0).says("\nagain on http://127.0.0.1:");
}

/// Evidence whose events are others, and all that follows from them is made by our own code: nothing contradicts.
fn made_up(ran: &Ran, edit: impl FnOnce(&mut Vec<Event>)) -> Moved {
    let moved = Moved::of(ran);
    let mut events = events_of(&std::fs::read(moved.path("journal.jsonl")).unwrap()).unwrap();
    edit(&mut events);
    for (event, number) in events.iter_mut().zip(1..) {
        event.seq = number;
    }
    let lines: Vec<String> =
        events.iter().map(|event| serde_json::to_string(event).unwrap() + "\n").collect();
    std::fs::write(moved.path("journal.jsonl"), lines.concat()).unwrap();
    let record = RunState::of(&events);
    std::fs::write(moved.path("manifest.json"), Manifest::text(&record).unwrap()).unwrap();
    let tree = Tree::new(moved.path(".").try_into().unwrap(), SecretPatterns::none());
    for (file, text) in documents::of(&record, |range| tree.read(Some(range))).unwrap() {
        std::fs::write(moved.path(&file), text).unwrap();
    }
    moved.with_the_sums_mended();
    moved
}

#[test]
fn a_journal_without_the_context_is_found_and_leads_no_apply_to_another_cluster() {
    let ran = Staging::of("healthy").remembering().run().exits(0);
    let moved = made_up(&ran, |events| {
        events.retain(|event| match &event.kind {
            EventKind::CommandStarts(intent) => intent.id.to_string() != "context",
            EventKind::CommandEnded(outcome) => outcome.id.to_string() != "context",
            _ => true,
        });
    });
    moved.does_not_hold("what was due: the start of context");
    let options = ["--include-changes", "--context", "team's staging"];
    replayed(&ran.staging, &moved.path("."), &options).exits(2).says("does not report HOLDS");
    let changes = ran.staging.cluster.writes().len();
    assert_eq!(changes, 3, "those of the run: {:?}", ran.staging.cluster.writes());
}

#[test]
fn what_stands_in_a_comment_of_cmd_txt_stays_there() {
    let ran = scenario_ran("healthy");
    let marker = tempfile::tempdir().unwrap();
    let touched = marker.path().join("touched");
    let moved = made_up(ran, |events| {
        let context = events.iter_mut().find_map(|event| match &mut event.kind {
            EventKind::ContextRead(context) => Some(context),
            _ => None,
        });
        context.unwrap().server = Some(format!("https://10.0.0.1\ntouch {}", touched.display()));
    });
    moved.holds();
    let mut bash = std::process::Command::new("bash");
    bash.arg(moved.path("preflight/cmd.txt")).env("KUBECONFIG", "/nonexistent").output().unwrap();
    assert!(!touched.exists());
}

#[test]
fn what_would_land_elsewhere_is_not_applied_and_nothing_after_a_failure() {
    let ran = Staging::of("healthy").remembering().run().exits(0);
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
    let staging = Staging::of("healthy").remembering().with("STAGING_REDACT", "DB_PASSWORD");
    let ran = staging.with("DB_PASSWORD", "application/json").run();
    let evidence = ran.evidence();
    ran.staging.cluster.forget_requests();
    let staging = ran.staging.with("STAGING_REDACT", "");
    let _told = replayed(&staging, &evidence, &[])
        .exits(2)
        .says("the run redacted the value of DB_PASSWORD, which is not known here")
        .says("name it in STAGING_REDACT");
    assert!(staging.cluster.requests().is_empty());
    let staging = staging.with("STAGING_REDACT", "DB_PASSWORD");
    let told = replayed(&staging, &evidence, &[]);
    let answer =
        std::fs::read_to_string(told.folder.path().join("new/now/smoke/responses/01-health.http")).unwrap();
    assert!(answer.contains("[redacted:DB_PASSWORD]") && !answer.contains("application/json"), "{answer}");
}
