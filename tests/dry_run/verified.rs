//! What `verify` finds in the evidence of real runs, as they are and as somebody may have altered them.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rustix::process::Signal;
use serde_json::{Value, json};
use staging_dry_run::documents;
use staging_dry_run::documents::cmd_txt;
use staging_dry_run::events::{Event, EventKind, RunbookId};
use staging_dry_run::evidence::redaction::SecretPatterns;
use staging_dry_run::evidence::{Tree, events_of, seal, sha256_of_bytes};
use staging_dry_run::facts::body::{is_healthy, is_ready};
use staging_dry_run::manifest::Manifest;
use staging_dry_run::run_state::RunState;
use staging_dry_run::runbook::{Document, Phase};

use super::support::under_way::UnderWay;
use super::support::{Ran, Staging, copy_folder, scenario_ran};

pub(super) fn verify(folder: &Path, more: &[&str]) -> (Option<i32>, String) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_staging-dry-run"));
    // By a path that is relative, as people type it.
    let (parent, name) = (folder.parent().unwrap(), folder.file_name().unwrap());
    program.current_dir(parent).arg("verify").arg(name).args(more);
    let Output { status, stdout, stderr } = program.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout) + &text(stderr))
}

/// The evidence of a run, moved elsewhere.
pub(super) struct Moved {
    folder: tempfile::TempDir,
}

impl Moved {
    pub(super) fn of(ran: &Ran) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy_folder(&ran.evidence(), folder.path());
        Self { folder }
    }

    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    pub(super) fn edit(&self, file: &str, edit: impl FnOnce(String) -> String) -> &Self {
        let text = std::fs::read_to_string(self.path(file)).unwrap();
        let edited = edit(text.clone());
        assert!(edited != text, "{file} is as it was");
        std::fs::write(self.path(file), edited).unwrap();
        self
    }

    /// Makes the sums and what is attested of them anew, as whoever alters evidence would.
    pub(super) fn with_the_sums_mended(&self) -> &Self {
        let events = events_of(&std::fs::read(self.path("journal.jsonl")).unwrap()).unwrap();
        let tree = Tree::new(self.path("").try_into().unwrap(), SecretPatterns::of(&[]).unwrap());
        seal(&tree, &RunState::of(&events)).unwrap();
        self
    }

    fn manifest(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.path("manifest.json")).unwrap()).unwrap()
    }

    #[track_caller]
    pub(super) fn holds(&self) {
        let (status, said) = verify(self.folder.path(), &[]);
        assert_eq!(status, Some(0), "{said}");
    }

    #[track_caller]
    pub(super) fn does_not_hold(&self, why: &str) {
        let (status, said) = verify(self.folder.path(), &[]);
        assert!(status == Some(1) && said.contains(why), "not found: {why}\n{said}");
    }
}

#[test]
fn the_evidence_of_every_scenario_holds_wherever_it_is() {
    for scenario in rehearsal::SCENARIOS {
        let ran = scenario_ran(scenario.name);
        let seal = ran.stdout.lines().find_map(|line| line.strip_prefix("Seal: ")).unwrap();
        let (status, said) = verify(&ran.evidence(), &["--seal", &seal[..64]]);
        assert!(status == Some(0) && said.ends_with("\nHOLDS\n"), "{}: {said}", scenario.name);
        Moved::of(ran).holds();
    }
}

#[test]
fn the_evidence_of_an_interrupted_run_holds() {
    let run =
        UnderWay::start(Staging::of("rollout-timeout").remembering(), &["run", "-v"]).until("> rollout.api ");
    let ran = run.signal(Signal::INT).ends().exits(130);
    Moved::of(&ran).holds();
}

#[test]
fn that_of_a_killed_run_is_not_sealed_and_holds_but_for_that() {
    let run =
        UnderWay::start(Staging::of("rollout-timeout").remembering(), &["run", "-v"]).until("> rollout.api ");
    let ran = run.signal(Signal::KILL).ends();
    let (status, said) = verify(&ran.evidence(), &[]);
    assert!(status == Some(0) && said.contains("not sealed: the run ended before"), "{said}");
    let (status, said) = verify(&ran.evidence(), &["--seal", &"0".repeat(64)]);
    assert!(status == Some(1) && said.contains("SHA256SUMS is missing"), "{said}");
    let moved = Moved::of(&ran);
    moved.edit("preflight/cmd.txt", |text| text + "touch somewhere\n");
    moved.does_not_hold("preflight/cmd.txt differs from the journal");
    let moved = Moved::of(&ran);
    std::fs::write(moved.path("attestation.json"), "{}").unwrap();
    moved.does_not_hold("attestation.json is there, but SHA256SUMS is missing");
}

/// Alters a copy of the evidence of a healthy run: it does not hold, and this is why.
#[track_caller]
fn altered(alter: &dyn Fn(&Moved), why: &str) {
    let moved = Moved::of(scenario_ran("healthy"));
    alter(&moved);
    moved.does_not_hold(why);
}

#[test]
fn a_file_that_is_altered_added_missing_renamed_emptied_or_a_link_is_found() {
    let file = "smoke/responses/01-health.http";
    altered(&|moved| _ = moved.edit(file, |text| text.replace("200", "201")), "01-health.http was altered");
    altered(
        &|moved| std::fs::write(moved.path("more.txt"), "").unwrap(),
        "more.txt was added after the run was sealed",
    );
    altered(&|moved| std::fs::remove_file(moved.path(file)).unwrap(), "01-health.http is missing");
    altered(
        &|moved| std::fs::rename(moved.path(file), moved.path("smoke/other.http")).unwrap(),
        "smoke/other.http was added",
    );
    altered(&|moved| std::fs::write(moved.path(file), "").unwrap(), "01-health.http was altered");
    altered(
        &|moved| {
            std::fs::rename(moved.path(file), moved.path("../elsewhere.http")).unwrap();
            symlink(moved.path("../elsewhere.http"), moved.path(file)).unwrap();
        },
        "01-health.http is not a regular file",
    );
    altered(
        &|moved| _ = moved.edit("SHA256SUMS", |sums| sums + &"0".repeat(64) + "  /dev/zero\n"),
        "/dev/zero is missing",
    );
    let (status, said) = verify(&scenario_ran("healthy").evidence(), &["--seal", &"0".repeat(64)]);
    assert!(status == Some(1) && said.contains(", not 0000"), "{said}");
}

#[test]
fn a_document_that_is_altered_missing_emptied_or_a_pipe_is_found() {
    altered(&|moved| std::fs::remove_file(moved.path("SHA256SUMS")).unwrap(), "SHA256SUMS is missing");
    altered(&|moved| std::fs::remove_file(moved.path("journal.jsonl")).unwrap(), "journal.jsonl");
    altered(&|moved| std::fs::remove_file(moved.path("manifest.json")).unwrap(), "manifest.json is missing");
    altered(
        &|moved| {
            std::fs::write(moved.path("journal.jsonl"), "").unwrap();
            moved.with_the_sums_mended();
        },
        "manifest.json describes a run, but journal.jsonl is empty",
    );
    for file in ["journal.jsonl", "manifest.json"] {
        altered(
            &|moved| {
                std::fs::remove_file(moved.path(file)).unwrap();
                assert!(Command::new("mkfifo").arg(moved.path(file)).status().unwrap().success());
            },
            &format!("{file} is missing"),
        );
    }
    altered(
        &|moved| std::fs::write(moved.path("SHA256SUMS"), "no sum\n").unwrap(),
        "contains the malformed line \"no sum\"",
    );
    altered(
        &|moved| std::fs::remove_file(moved.path("attestation.json")).unwrap(),
        "attestation.json is missing",
    );
    altered(
        &|moved| _ = moved.edit("attestation.json", |text| text.replace("PASSED", "WARNED")),
        "attestation.json differs from the journal",
    );
    altered(
        &|moved| _ = moved.edit("attestation.json", set("/subject/0/digest/sha256", json!("0"))),
        "attestation.json: /subject/0/digest/sha256 is not ",
    );
}

/// The value at a JSON pointer becomes another one.
fn set(pointer: &str, value: Value) -> impl Fn(String) -> String {
    let pointer = pointer.to_owned();
    move |text| {
        let mut json: Value = serde_json::from_str(&text).unwrap();
        *json.pointer_mut(&pointer).unwrap() = value.clone();
        serde_json::to_string_pretty(&json).unwrap() + "\n"
    }
}

#[test]
fn a_manifest_that_claims_more_is_found_though_the_sums_are_mended() {
    let crashed = scenario_ran("crash-loop");
    for (pointer, value) in
        [("/deploy/ok", json!(true)), ("/verdict", json!("pass")), ("/exit_code", json!(0))]
    {
        let field = pointer.split('/').nth(1).unwrap();
        let moved = Moved::of(crashed);
        moved.edit("manifest.json", set(pointer, value)).with_the_sums_mended();
        moved.does_not_hold(&format!("manifest.json: {field} is "));
    }
    let moved = Moved::of(scenario_ran("smoke-7-of-10"));
    moved.edit("manifest.json", set("/smoke/checks_passed", json!(8))).with_the_sums_mended();
    moved.does_not_hold("manifest.json: smoke is ");
}

/// One event of the journal is edited, and the manifest is folded from it again: a forgery without a loose end. The
/// event is the first one that contains all of some words, between ` & `.
pub(super) fn forged(ran: &Ran, event: &str, edit: impl Fn(&str) -> String) -> Moved {
    let moved = Moved::of(ran);
    moved.edit("journal.jsonl", |text| {
        let is_it = |line: &&str| event.split(" & ").all(|words| line.contains(words));
        let line = text.lines().find(is_it).unwrap_or_else(|| panic!("no {event}"));
        text.replacen(line, &edit(line), 1)
    });
    let journal = std::fs::read(moved.path("journal.jsonl")).unwrap();
    let events = events_of(&journal).unwrap();
    let manifest = Manifest::text(&RunState::of(&events)).unwrap();
    std::fs::write(moved.path("manifest.json"), manifest).unwrap();
    moved.with_the_sums_mended();
    moved
}

#[test]
fn a_journal_that_says_what_nothing_printed_is_found_though_all_the_rest_fits() {
    let failed = scenario_ran("smoke-7-of-10");
    let answered = r#""event":"check-answered","check":4"#;
    let better = |line: &str| line.replace(r#""http_status":"404""#, r#""http_status":"200""#);
    forged(failed, answered, better)
        .does_not_hold("check-answered: transfer.http_status is \"200\", not \"404\"");

    let crashed = scenario_ran("crash-loop");
    let gone =
        |line: &str| line.replace(r#"{"is":"stands"}"#, r#"{"is":"ruled-out","because":"the pod is gone"}"#);
    forged(crashed, r#""event":"pod-judged""#, gone).does_not_hold("pod-judged: conclusion.");
    let going =
        |line: &str| gone(line).replace("the pod is gone", "watch.pods had shown it Terminating before");
    forged(crashed, r#""event":"pod-judged""#, going)
        .does_not_hold("watch.pods had shown it Terminating before");

    let older = |line: &str| line.replace("v0.4.2.2", "v0.4.2.1");
    let passed = scenario_ran("healthy");
    forged(passed, r#""event":"command-starts" & "id":"apply.api""#, older)
        .does_not_hold("apply.api is not a command of the runbook");
    let comment = |line: &str| line.replace(r#"get namespaces""#, r#"get namespaces > elsewhere""#);
    forged(passed, r#""event":"command-starts" & "id":"namespaces""#, comment)
        .does_not_hold("namespaces is not a command of the runbook");
    let none = |line: &str| line.replace(r#""exit":[0]"#, r#""exit":[]"#);
    forged(passed, r#""event":"command-ended" & "id":"namespaces""#, none)
        .does_not_hold("namespaces: it has 0 exit codes, but 1 stage");
    let hidden = |line: &str| line.replace("objects.after", "objects.applied");
    forged(passed, r#""event":"command-starts" & "id":"objects.after""#, hidden)
        .does_not_hold("command-starts: it was not due; what was due: the start of objects.after");
    let other = |line: &str| line.replace("watch.pods.out", "watched.out");
    forged(passed, r#""event":"command-ended" & "id":"watch.pods""#, other)
        .does_not_hold("watch.pods: its output is not in its file");
    let elsewhere = |line: &str| line.replace("preflight/out/namespaces.out", "/etc/hostname");
    forged(passed, r#""event":"command-ended" & "id":"namespaces""#, elsewhere)
        .does_not_hold("/etc/hostname is missing");
}

#[test]
fn what_the_evidence_says_of_the_programs_version_changes_no_check() {
    let newer = |line: &str| line.replace(r#""version":"0.2.0""#, r#""version":"9.9.9""#);
    let passed = scenario_ran("healthy");
    let moved = forged(passed, r#""event":"run-began""#, newer);
    moved.does_not_hold("preflight/versions.txt differs from the journal");
    // The nearest honest one: made by that version, and folded from that journal.
    let moved = folded_again(passed, |text| newer(&text));
    moved.holds();
    let replaced =
        |text: String| newer(&text).replace("get namespace dpp-staging", "get namespace kube-system");
    folded_again(passed, replaced).does_not_hold("namespace is not a command of the runbook");
}

#[test]
fn evidence_is_judged_by_its_own_runbook() {
    let passed = scenario_ran("healthy");
    let moved = folded_again(passed, |text| {
        with_another_document(&text, |document| {
            document.replace("p95 < 500ms", "p95 < 600ms").replace("v0.4\n", "v0.5\n")
        })
    });
    let document = std::fs::read_to_string(moved.path("inputs/RUNBOOK.md")).unwrap();
    assert!(document.contains("p95 < 600ms") && moved.manifest()["latency"][0]["limit_ms"] == 600);
    let (status, said) = verify(&moved.path(""), &[]);
    assert!(status == Some(0) && said.contains("HOLDS"), "{said}");
    assert!(said.contains("DP-STAGING-DRY-RUN-v0.5 is not the runbook built into this program"), "{said}");
}

#[test]
fn a_document_that_is_not_the_journals_is_found() {
    let passed = scenario_ran("healthy");
    let moved = Moved::of(passed);
    moved.edit("inputs/RUNBOOK.md", |text| text.replace("< 8/10 PASS", "< 1/10 PASS")).with_the_sums_mended();
    moved.does_not_hold("inputs/RUNBOOK.md is not the document of the journal");
    let moved =
        forged(passed, r#""event":"runbook-read""#, |line| line.replace("< 8/10 PASS", "< 1/10 PASS"));
    moved.does_not_hold("journal.jsonl: the document has the SHA-256 ");
    let unread =
        |text: String| with_another_document(&text, |document| document.replace("| GET |", "| PUT |"));
    folded_again(passed, unread).does_not_hold("PUT: the method must be GET");
    let without = |text: String| {
        text.lines().filter(|line| !line.contains("runbook-read")).collect::<Vec<_>>().join("\n") + "\n"
    };
    folded_again(passed, without).does_not_hold("journal.jsonl: the second event is not the runbook");
}

/// A run's evidence with another journal, and everything that follows from it made again by our own code.
fn folded_again(ran: &Ran, edit: impl FnOnce(String) -> String) -> Moved {
    let moved = Moved::of(ran);
    let text = edit(std::fs::read_to_string(moved.path("journal.jsonl")).unwrap());
    let numbered = text.lines().zip(1..).map(|(line, number)| {
        let (_, rest) = line.split_once(',').unwrap();
        format!("{{\"seq\":{number},{rest}\n")
    });
    std::fs::write(moved.path("journal.jsonl"), numbered.collect::<String>()).unwrap();
    let events = events_of(&std::fs::read(moved.path("journal.jsonl")).unwrap()).unwrap();
    let run = RunState::of(&events);
    let document = events.iter().find_map(|event| match &event.kind {
        EventKind::RunbookRead { text, .. } => Some(text.clone()),
        _ => None,
    });
    std::fs::write(moved.path("inputs/RUNBOOK.md"), document.unwrap_or_default()).unwrap();
    std::fs::write(moved.path("manifest.json"), Manifest::text(&run).unwrap()).unwrap();
    let overlay = documents::overlay_of(&run).unwrap();
    for phase in Phase::ALL {
        if let Some(text) = cmd_txt::render(&run, phase, &overlay) {
            std::fs::write(moved.path(&format!("{}/cmd.txt", phase.folder())), text).unwrap();
        }
    }
    std::fs::write(moved.path("preflight/versions.txt"), documents::versions(&run)).unwrap();
    std::fs::write(moved.path("preflight/target.txt"), documents::target(&run)).unwrap();
    std::fs::write(moved.path("smoke/results.json"), documents::results(&run)).unwrap();
    moved.with_the_sums_mended();
    moved
}

/// A journal whose run has carried out another document.
fn with_another_document(journal: &str, edit: impl Fn(&str) -> String) -> String {
    let event = |line: &str| serde_json::from_str::<Event>(line).unwrap();
    let text = journal.lines().map(event).find_map(|event| match event.kind {
        EventKind::RunbookRead { text, .. } => Some(text),
        _ => None,
    });
    let text = edit(&text.unwrap());
    let (id, sha256) = (Document::new(&*text).id().to_owned(), sha256_of_bytes(text.as_bytes()));
    let edited = journal.lines().map(|line| {
        let mut event = event(line);
        match &mut event.kind {
            EventKind::RunBegan(began) => {
                began.program.runbook = RunbookId { id: id.clone(), sha256: sha256.clone() }
            }
            EventKind::RunbookRead { id: of, sha256: sum, text: document } => {
                (*of, *sum, *document) = (id.clone(), sha256.clone(), text.clone());
            }
            _ => {}
        }
        serde_json::to_string(&event).unwrap() + "\n"
    });
    edited.collect()
}

#[test]
fn what_sed_and_jq_made_of_kept_bytes_is_made_again() {
    let passed = scenario_ran("healthy");
    let other_version = |text: String| text.replacen("0.4.2.2", "0.4.2.9", 1);
    let moved = Moved::of(passed);
    moved.edit("smoke/responses/01-health.http", other_version).with_the_sums_mended();
    moved.does_not_hold("body.health: the answer does say what it should");
    let moved = Moved::of(passed);
    moved.edit("smoke/out/body.readyz.out", |text| text.replace("true", "True")).with_the_sums_mended();
    moved.does_not_hold("body.readyz: what jq found");
    let moved = Moved::of(passed);
    moved.edit("preflight/out/render.api.out", other_version).with_the_sums_mended();
    moved.does_not_hold("render.api: it is not k8s/api-deployment.yaml with its placeholders filled in");
}

/// jq's own answer to the question of a row.
fn jq_finds(row: &str, answer: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let runbook = staging_dry_run::runbook::Runbook::built_in().unwrap();
    let step = runbook.step(&row.parse().unwrap()).unwrap();
    let pipeline = step.line.expand(|_| Some("1.2".to_owned())).unwrap();
    let words = &pipeline.stages[0];
    let file = folder.path().join(words.last().unwrap().replace("../", ""));
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::create_dir_all(folder.path().join("inputs")).unwrap();
    std::fs::write(file, answer).unwrap();
    let mut jq = Command::new(&words[0]);
    jq.args(&words[1..]).current_dir(folder.path().join("inputs")).output().unwrap().status.success()
}

#[test]
fn a_body_is_read_as_jq_reads_it() {
    let bodies = [
        r#"{"status":"healthy","version":"1.2"}"#,
        r#"{"status":"healthy","version":"1.3"}"#,
        r#"{"status":"healthy","version":1.2}"#,
        r#"{"status":"sick","version":"1.2"}"#,
        r#"{"version":"1.2"}"#,
        r#"{"status":"ready","services":{"db":"up","queue":{"status":"up"}}}"#,
        r#"{"status":"ready","services":["up",{"status":"up","since":1}]}"#,
        r#"{"status":"ready","services":{"db":"up","queue":{"status":"down"}}}"#,
        r#"{"status":"ready","services":{"db":"up","queue":{}}}"#,
        r#"{"status":"ready","services":{"db":null}}"#,
        r#"{"status":"ready","services":{}}"#,
        r#"{"status":"ready","services":"up"}"#,
        r#"{"status":"ready"}"#,
        "\u{feff}{\"status\":\"healthy\",\"version\":\"1.2\"}",
        "[]",
        "\"ready\"",
        "<html>ready</html>",
        "",
    ];
    let mut found = [0, 0];
    for body in bodies {
        for answer in [format!("HTTP/1.1 200 OK\r\nA: b\r\n\r\n{body}"), body.to_owned()] {
            let (healthy, ready) = (is_healthy(answer.as_bytes(), "1.2"), is_ready(answer.as_bytes()));
            assert_eq!(healthy == Some(true), jq_finds("body.health", &answer), "{answer}");
            assert_eq!(ready == Some(true), jq_finds("body.readyz", &answer), "{answer}");
            found = [found[0] + u32::from(healthy == Some(true)), found[1] + u32::from(ready == Some(true))];
        }
    }
    assert_eq!(found, [2, 2]);
}

#[test]
fn what_can_not_be_read_is_refused_with_exit_2() {
    let empty = tempfile::tempdir().unwrap();
    let (status, said) = verify(empty.path(), &[]);
    assert!(status == Some(2) && said.contains("it is not the evidence of a run"), "{said}");
    let (status, said) = verify(&empty.path().join("none"), &[]);
    assert!(status == Some(2) && said.contains("is not a directory"), "{said}");
    let (status, said) = verify(&scenario_ran("healthy").evidence(), &["--seal", "12"]);
    assert!(status == Some(2) && said.contains("64 hexadecimal digits"), "{said}");
}
