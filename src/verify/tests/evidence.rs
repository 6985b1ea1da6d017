//! The small run whose evidence the tables alter.

use std::sync::OnceLock;

use super::super::VerifyOutcome;
use super::folder::{Folder, RAN, Ran, assert_found};
use crate::events::{Conclusion as Came, EndedBy, EventKind, ManifestFile, Sighting};
use crate::evidence::sha256_of_bytes;
use crate::facts::context::Context;
use crate::fixture::{at, step};

pub(super) const MANIFEST: &str = "kind: Deployment\nimage: ${AWS_ACCOUNT_ID}/dpp:${IMAGE_TAG}\n";
pub(super) const RENDERED: &str = "kind: Deployment\nimage: 123456789012/dpp:v0.4.2.2\n";
pub(super) const FAILS: &str = "MODIFIED   dpp-api-1   0/1   Error         0   5s";
pub(super) const GOES: &str = "MODIFIED   dpp-api-2   1/1   Terminating   0   5s";
pub(super) const ENDS: &str = "MODIFIED   dpp-api-2   0/1   Error         0   6s";
pub(super) const HEALTHY: &str = "HTTP/1.1 200 OK\r\n\r\n{\"status\":\"healthy\",\"version\":\"0.4.2.2\"}";
pub(super) const READY: &str = "HTTP/1.1 200 OK\r\n\r\n{\"status\":\"ready\",\"services\":{\"db\":\"up\"}}";
pub(super) const FIGURES: &str = "{\"http_code\":200,\"time_total\":0.004,\"exitcode\":0}\n";
pub(super) const NO_OBJECTS: &str = "{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[]}\n";
pub(super) const GONE: &str = "Error from server (NotFound): pods \"dpp-api-1\" not found\n";

pub(super) fn sighting(pod: &str, line: &str) -> Sighting {
    let (pod, status, line) = (pod.to_owned(), "Error".to_owned(), line.to_owned());
    Sighting { pod, status, line, command: step("watch.pods"), n: 1, to: 0, seen_at: at(100) }
}

pub(super) fn judged(sighting: Sighting, because: &str) -> EventKind {
    EventKind::PodJudged { sighting, conclusion: Came::RuledOut(because.to_owned()), container: None }
}

fn manifest_read(folder: &mut Folder) {
    let (file, bytes) = ("k8s/api-deployment.yaml".to_owned(), MANIFEST.as_bytes().to_vec());
    let read = ManifestFile {
        found_at: file.clone(),
        file,
        unreadable: None,
        sha256: Some(sha256_of_bytes(&bytes)),
        blank: false,
        holds_secret: false,
        holds_named: Vec::new(),
        placeholders: vec!["AWS_ACCOUNT_ID".to_owned(), "IMAGE_TAG".to_owned()],
    };
    folder.files.insert("inputs/k8s/api-deployment.yaml".to_owned(), bytes);
    folder.events.add(EventKind::ManifestRead(read));
}

fn preflight(folder: &mut Folder) {
    manifest_read(folder);
    let version = "{\"clientVersion\":{\"major\":\"1\",\"minor\":\"32\",\"gitVersion\":\"v1.32.0\"}}";
    folder.runs("version.kubectl", &Ran { stdout: version, ..RAN }).runs("context", &RAN);
    let (cluster, user, server) = ("c".into(), "u".into(), Some("https://10.0.0.1".to_owned()));
    folder.events.add(EventKind::ContextRead(Context { cluster, user, namespace: None, server }));
    let uids = "kube-system 11-11\ndpp-staging 22-22\n";
    folder.runs("uids", &Ran { stdout: uids, ..RAN });
    folder.runs("can-i.get-pods", &Ran { stdout: "yes\n", ..RAN });
    folder.runs("render.api", &Ran { exit: &[0, 0, 0], stdout: RENDERED, ..RAN });
    let lands = "apps/v1\tDeployment\tdpp-staging\tdpp-api\t2\n";
    folder.runs("guard.api", &Ran { exit: &[0, 0, 0, 0], stdout: lands, stderr: "Warning: old\n", ..RAN });
    folder.runs("objects.before", &Ran { stdout: NO_OBJECTS, ..RAN });
    folder.events.step(1, 0);
}

/// The pods while it deploys: one fails and is gone, another one ends as it is deleted.
pub(super) fn watch(folder: &mut Folder) {
    let rows = format!("{FAILS}\n{GOES}\n{ENDS}\n");
    let watch = Ran { exit: &[143], by: EndedBy::StagingDryRun(1), stdout: &rows, ..RAN };
    folder.runs("watch.pods", &watch);
    let fails = sighting("dpp-api-1", FAILS);
    folder.events.add(EventKind::PodSeen(fails.clone()));
    folder.runs("confirm.pod", &Ran { exit: &[1], stderr: GONE, met: &[("POD", "dpp-api-1")], ..RAN });
    folder.events.add(judged(fails, "the pod is gone"));
    let ends = sighting("dpp-api-2", ENDS);
    folder.events.add(EventKind::PodSeen(ends.clone()));
    folder.events.add(judged(ends, "watch.pods had shown it Terminating before"));
}

fn deploy(folder: &mut Folder) {
    folder.runs("use-context", &Ran { stdout: "Switched to context \"staging-cluster\".\n", ..RAN });
    let configured = "deployment.apps/dpp-api configured\n";
    folder
        .runs("apply.api", &Ran { exit: &[0, 0, 0, 0], stdout: configured, stderr: "Warning: old\n", ..RAN });
    watch(folder);
    folder.runs("rollout.api", &Ran { stdout: "deployment \"dpp-api\" successfully rolled out\n", ..RAN });
    folder.runs("objects.after", &Ran { stdout: NO_OBJECTS, ..RAN });
}

fn smoke(folder: &mut Folder) {
    let answered = |stdout| Ran { stdout, stderr: FIGURES, ..RAN };
    // It is asked again until it answers 200.
    let unavailable = FIGURES.replace("200", "503");
    let not_yet = HEALTHY.replace("200 OK", "503 Not Yet");
    folder.runs("gate.health", &Ran { stdout: &not_yet, stderr: &unavailable, ..RAN });
    folder.runs("gate.health", &answered(HEALTHY));
    folder.events.healthy("/health", 2, "200");
    folder.runs("check.01", &answered(HEALTHY)).runs("check.02", &answered(READY));
    folder.runs("check.10", &answered("HTTP/1.1 200 OK\r\n\r\n[]"));
    let yes = Ran { stdout: "true\n", ..RAN };
    folder.runs("body.health", &yes).runs("body.readyz", &yes);
    folder.runs("latency.health", &Ran { stderr: &FIGURES.repeat(20), ..RAN });
    folder.events.step(5, 0);
}

/// The small run, which has not ended yet.
pub(super) fn honest() -> Folder {
    static HONEST: OnceLock<Folder> = OnceLock::new();
    let honest = HONEST.get_or_init(|| {
        let mut folder = Folder::begun();
        preflight(&mut folder);
        deploy(&mut folder);
        smoke(&mut folder);
        folder
    });
    honest.again()
}

/// An alteration of the small run before its folder was closed, so that all of it fits together again; and what is found:
/// a part of the check's name, and the message.
pub(super) struct Row {
    pub(super) case: &'static str,
    pub(super) alter: fn(&mut Folder),
    pub(super) found: &'static [(&'static str, &'static str)],
}

/// Asserts that each row's alteration is found so.
pub(super) fn assert_rows(rows: &[Row]) {
    for row in rows {
        let mut folder = honest();
        (row.alter)(&mut folder);
        folder.close();
        assert_found(row.case, &folder.report(), row.found);
    }
}

#[test]
fn honest_evidence_holds() {
    let mut folder = honest();
    folder.close();
    let report = folder.report();
    assert_found("honest", &report, &[]);
    assert_eq!(report.conclusion(), VerifyOutcome::Holds);
    assert!(report.checks.len() > 15, "{}", report.checks.len());
}
