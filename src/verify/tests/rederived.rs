//! What is found against the output of `sed` and `jq`, made again.

use super::super::VerifyOutcome;
use super::evidence::{HEALTHY, READY, RENDERED, Row, assert_rows, honest};
use super::folder::{Folder, assert_found};
use crate::events::{EndedBy, Redaction};

/// Replaces the output of a command by one of the same length.
pub(super) fn prints(folder: &mut Folder, file: &str, from: &str, to: &str) {
    assert_eq!(from.len(), to.len());
    let text = String::from_utf8(folder.files[file].clone()).unwrap();
    assert!(text.contains(from), "{file}: {text}");
    folder.files.insert(file.to_owned(), text.replacen(from, to, 1).into_bytes());
}

/// What jq printed in answer to one of its questions, and its exit status.
fn jq(folder: &mut Folder, id: &str, exit: i32, prints: &str) {
    let file = format!("smoke/out/{id}.out");
    folder.files.remove(&file);
    folder.events.outcome(id, |outcome| {
        outcome.exit = vec![exit];
        let range = outcome.stdout.take();
        outcome.stdout = range.filter(|_| !prints.is_empty());
        outcome.stdout.iter_mut().for_each(|range| range.to = prints.len() as u64);
    });
    if !prints.is_empty() {
        folder.files.insert(file, prints.as_bytes().to_vec());
    }
}

const RENDER_OUT: &str = "preflight/out/render.api.out";
const HEALTH: &str = "smoke/responses/01-health.http";
const READYZ: &str = "smoke/responses/02-readyz.http";
const FILLED_IN: &str = "the rendered manifests are those manifests, filled in";
const NOT_FILLED_IN: &[(&str, &str)] =
    &[(FILLED_IN, "render.api: it is not k8s/api-deployment.yaml with its placeholders filled in")];

#[test]
fn what_sed_did_not_make_of_a_manifest_is_found() {
    assert!(RENDERED.contains("123456789012") && RENDERED.contains("v0.4.2.2"));
    assert_rows(&[
        Row {
            case: "another account",
            alter: |folder| prints(folder, RENDER_OUT, "123456789012", "123456789013"),
            found: NOT_FILLED_IN,
        },
        Row {
            case: "another tag",
            alter: |folder| prints(folder, RENDER_OUT, "v0.4.2.2", "v0.4.2.3"),
            found: NOT_FILLED_IN,
        },
        Row {
            case: "near: a value was taken out, which refuses the run",
            alter: |folder| {
                prints(folder, RENDER_OUT, "123456789012", "[redacted:A]");
                let redaction = Redaction { file: RENDER_OUT.into(), name: "A".into(), count: 1 };
                folder.events.outcome("render.api", |outcome| outcome.redactions = vec![redaction]);
            },
            found: &[],
        },
        Row {
            case: "near: it failed",
            alter: |folder| {
                prints(folder, RENDER_OUT, "123456789012", "123456789013");
                folder.events.outcome("render.api", |outcome| outcome.exit = vec![0, 1, 0]);
            },
            found: &[],
        },
    ]);
}

#[test]
fn what_jq_did_not_find_in_an_answer_is_found() {
    assert!(HEALTHY.contains("healthy") && READY.contains("ready"));
    assert_rows(&[
        Row {
            case: "it is healthy, and jq is to have said no",
            alter: |folder| jq(folder, "body.health", 1, "false\n"),
            found: &[("body.health: the answer does not say what it should", "by its bytes it does")],
        },
        Row {
            case: "another version, and jq is to have said yes",
            alter: |folder| prints(folder, HEALTH, "0.4.2.2", "0.4.2.1"),
            found: &[("body.health: the answer does say what it should", "by its bytes it does not")],
        },
        Row {
            case: "a service is down, and jq is to have said yes",
            alter: |folder| prints(folder, READYZ, ":\"up\"", ":\"dn\""),
            found: &[("body.readyz: the answer does say what it should", "by its bytes it does not")],
        },
        Row {
            case: "near: another version, and jq said no",
            alter: |folder| {
                prints(folder, HEALTH, "0.4.2.2", "0.4.2.1");
                jq(folder, "body.health", 1, "false\n");
            },
            found: &[],
        },
        Row {
            case: "its exit status says something else than it printed",
            alter: |folder| jq(folder, "body.health", 0, "false\n"),
            found: &[("body.health: what jq found", "its output does not agree with its exit code")],
        },
        Row {
            case: "it failed, and printed",
            alter: |folder| jq(folder, "body.readyz", 5, "true\n"),
            found: &[("body.readyz: what jq found", "its output does not agree with its exit code")],
        },
        Row {
            case: "it is no JSON to be read, though it is",
            alter: |folder| jq(folder, "body.health", 5, ""),
            found: &[("body.health: the answer does not say what it should", "by its bytes it does")],
        },
        Row {
            case: "near: no JSON",
            alter: |folder| {
                prints(folder, HEALTH, "{\"status\"", "<\"status\"");
                jq(folder, "body.health", 5, "");
            },
            found: &[],
        },
        Row {
            case: "near: jq was ended by us",
            alter: |folder| {
                jq(folder, "body.health", 143, "");
                folder.events.outcome("body.health", |outcome| outcome.ended_by = EndedBy::Deadline);
            },
            found: &[],
        },
    ]);
}

#[test]
fn json_that_only_jq_reads_leaves_it_undecided() {
    let mut folder = honest();
    prints(&mut folder, HEALTH, "{\"status\"", "<\"status\"");
    jq(&mut folder, "body.health", 5, "");
    folder.close();
    assert_eq!(folder.report().conclusion(), VerifyOutcome::Holds, "jq did not read it, either");

    let mut folder = honest();
    prints(&mut folder, HEALTH, "\"version\":\"0.4.2.2\"", "\"version\":NaN      ");
    folder.close();
    let report = folder.report();
    assert_found("NaN", &report, &[]);
    assert_eq!(report.conclusion(), VerifyOutcome::Undecided);
}

#[test]
fn with_the_tag_latest_only_readyz_is_asked() {
    let mut folder = Folder::begun();
    folder.events.began(|began| began.target.image_tag = "latest".into());
    folder.close();
    assert_found("latest", &folder.report(), &[]);
}
