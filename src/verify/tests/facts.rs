//! What is found against the facts that are said to follow from the commands' output.

use super::evidence::{FIGURES, HEALTHY, MANIFEST, NO_OBJECTS, Row, assert_rows, honest};
use super::folder::{Folder, RAN, Ran, assert_found, found};
use crate::events::{EndedBy, EventKind, ManifestFile};
use crate::fixture::{step, transfer};

fn manifest(folder: &mut Folder, change: impl Fn(&mut ManifestFile)) {
    folder.events.change(|kind| match kind {
        EventKind::ManifestRead(manifest) => {
            change(manifest);
            true
        }
        _ => false,
    });
}

fn health(folder: &mut Folder, by: &[(&str, u32, u64)]) {
    let (status, times, limit) = by[0];
    folder.events.change(|kind| match kind {
        EventKind::HealthAsked { asks, http_status, limit_ms, .. } => {
            status.clone_into(http_status);
            (*asks, *limit_ms) = (times, limit);
            true
        }
        _ => false,
    });
}

fn prints_into(folder: &mut Folder, file: &str, bytes: &str) {
    assert!(folder.files.insert(file.to_owned(), bytes.as_bytes().to_vec()).is_some(), "{file}");
}

fn more(folder: &mut Folder, file: &str) {
    folder.files.get_mut(file).unwrap().extend(b"more\n");
}

fn interrupt(folder: &mut Folder) {
    folder.events.add(EventKind::Interrupted { signal: 2 });
}

const FACTS: &str = "facts follow from what the commands printed";
const BYTES: &str = "each byte of an output belongs to one command";
const MANIFESTS: &str = "the manifests are the ones that were read";
const ANSWERED: &str = "/health and /readyz answered as recorded";
const INPUT: &str = "inputs/k8s/api-deployment.yaml";

#[test]
fn a_fact_that_does_not_follow_is_found() {
    const NOT_SAID: &str = "version.kubectl: the journal lacks what follows from its output";
    assert_rows(&[
        Row {
            case: "another version",
            alter: |folder| {
                folder.events.change(|kind| match kind {
                    EventKind::ToolVersion(version) => {
                        version.version = Some("v1.33.0".into());
                        true
                    }
                    _ => false,
                });
            },
            found: &[
                (FACTS, NOT_SAID),
                (
                    FACTS,
                    "the journal has what follows from no output: {\"event\":\"tool-version\",\"name\":\"kubectl\",\"version\":\"v1.33.0\",\"numbers\":[1,32]}",
                ),
            ],
        },
        Row {
            case: "a fact is left out",
            alter: |folder| _ = folder.events.without(|kind| matches!(kind, EventKind::ToolVersion(_))),
            found: &[(FACTS, NOT_SAID)],
        },
        Row {
            case: "near: left out of a run that was interrupted",
            alter: |folder| {
                folder.events.without(|kind| matches!(kind, EventKind::ToolVersion(_)));
                interrupt(folder);
            },
            found: &[],
        },
        Row {
            case: "near: left out of a run that a stop rule ended",
            alter: |folder| {
                folder.events.without(|kind| matches!(kind, EventKind::ToolVersion(_)));
                let unavailable = FIGURES.replace("200", "503");
                folder.runs("gate.readyz", &Ran { stdout: HEALTHY, stderr: &unavailable, ..RAN });
                folder.events.healthy("/readyz", 1, "503");
            },
            found: &[],
        },
        Row {
            case: "it said something else",
            alter: |folder| {
                folder
                    .events
                    .outcome("confirm.pod", |outcome| outcome.first_error = Some("(NotFound)".into()));
            },
            found: &[(FACTS, "confirm.pod: its first error is not Some(\"(NotFound)\")")],
        },
        Row {
            case: "near: of one that succeeded nothing is told",
            alter: |folder| _ = folder.runs("list.pods", &Ran { stderr: "No resources found\n", ..RAN }),
            found: &[],
        },
    ]);
}

#[test]
fn a_run_that_was_killed_may_not_have_come_to_read_everything() {
    let mut folder = honest();
    folder.events.without(|kind| matches!(kind, EventKind::LatencySampled { .. }));
    folder.write();
    assert_found("killed", &folder.report(), &[]);
}

#[test]
fn a_fact_of_each_kind_that_nothing_printed_is_found() {
    let (file, name) = ("k8s/worker-deployment.yaml".to_owned(), "dpp-worker".to_owned());
    let health = step("latency.docs");
    let kinds = [
        EventKind::ServerVersion { version: None },
        EventKind::ClusterUser { name: None },
        EventKind::NamespaceUid { namespace: "other".into(), uid: None },
        EventKind::PermissionAnswered {
            id: step("can-i.list-events"),
            question: String::new(),
            needed_for: String::new(),
            answer: Some(true),
        },
        EventKind::Rendered { file: file.clone(), left: Vec::new() },
        EventKind::WouldLand { file: file.clone(), objects: Vec::new(), warnings: Vec::new() },
        EventKind::PodsBefore { total: 7, failing: Vec::new() },
        EventKind::Generations { applied: true, generations: Vec::new() },
        EventKind::Applied { file, objects: Vec::new() },
        EventKind::RolloutEnded { deployment: name, ending: crate::facts::rollout::Ending::RolledOut },
        EventKind::DeploymentsAfter { deployments: vec![crate::fixture::deployment("a", 1, 1)] },
        EventKind::Endpoints {
            services: vec![crate::facts::endpoints::ServiceEndpoints {
                service: "a".into(),
                ready_endpoints: 1,
                state: crate::facts::endpoints::Assignment::Assigned,
            }],
        },
        EventKind::PodsAfter { pods: vec![crate::fixture::pod("a", crate::facts::pods::State::Running)] },
        EventKind::CheckAnswered {
            check: crate::runbook::CheckNumber::new(3).unwrap(),
            url: String::new(),
            transfer: transfer("200"),
        },
        EventKind::LatencySampled { id: health, samples: 20, p95_ms: Some(1) },
    ];
    for kind in kinds {
        let mut folder = honest();
        folder.events.add(kind.clone());
        folder.close();
        let found = found(&folder.report());
        assert_eq!(found.len(), 1, "{kind:?}: {found:?}");
        assert!(
            found[0].1.starts_with("the journal has what follows from no output: {\"event\":\""),
            "{found:?}"
        );
    }
}

#[test]
fn output_that_can_not_be_read_is_found_unless_the_run_failed_by_it() {
    let garbage = "[".repeat(NO_OBJECTS.len());
    let mut folder = honest();
    folder
        .events
        .without(|kind| matches!(kind, EventKind::PodsBefore { .. } | EventKind::Generations { .. }));
    prints_into(&mut folder, "preflight/out/objects.before.out", &garbage);
    let mut failed = folder.again();
    folder.close();
    let found = found(&folder.report());
    assert_eq!(found.len(), 1, "{found:?}");
    let why = found[0].1.strip_prefix("objects.before: ").unwrap().to_owned();
    failed.events.add(EventKind::Failed { error: format!("INCOMPLETE: {why}") });
    failed.close();
    assert_found("near: the run failed by it", &failed.report(), &[]);
}

#[test]
fn bytes_that_belong_to_no_command_are_found() {
    let length = "Switched to context \"staging-cluster\".\n".len();
    assert_eq!(length, 39);
    assert_rows(&[
        Row {
            case: "a gap",
            alter: |folder| {
                folder.events.outcome("use-context", |outcome| outcome.stdout.as_mut().unwrap().from = 1);
            },
            found: &[(BYTES, "deploy/stdout.log: bytes 1 to 39 do not follow on byte 0")],
        },
        Row {
            case: "a range without bytes",
            alter: |folder| {
                folder.events.outcome("use-context", |outcome| outcome.stdout.as_mut().unwrap().to = 0);
            },
            found: &[
                (BYTES, "deploy/stdout.log: bytes 0 to 0 do not follow on byte 0"),
                (BYTES, "deploy/stdout.log: bytes 39 to 74 do not follow on byte 0"),
            ],
        },
        Row {
            case: "the file is gone",
            alter: |folder| _ = folder.files.remove("deploy/stderr.log"),
            found: &[(BYTES, "deploy/stderr.log is missing, but commands printed into it")],
        },
        Row {
            case: "more bytes",
            alter: |folder| more(folder, "deploy/stderr.log"),
            found: &[(BYTES, "deploy/stderr.log has 18 bytes, and the commands printed 13")],
        },
        Row {
            case: "near: more bytes, of a command that was ended with the run",
            alter: |folder| {
                more(folder, "deploy/stderr.log");
                interrupt(folder);
            },
            found: &[],
        },
        Row {
            case: "fewer bytes, of a run that was interrupted",
            alter: |folder| {
                folder.files.get_mut("deploy/stderr.log").unwrap().truncate(12);
                interrupt(folder);
            },
            found: &[(BYTES, "deploy/stderr.log has 12 bytes, and the commands printed 13")],
        },
    ]);
}

#[test]
fn a_manifest_that_was_not_read_so_is_found() {
    const OTHER: &[(&str, &str)] =
        &[(MANIFESTS, "inputs/k8s/api-deployment.yaml is not the manifest that was read")];
    const MISSING: &[(&str, &str)] = &[(MANIFESTS, "inputs/k8s/api-deployment.yaml is missing")];
    assert!(MANIFEST.contains("${"));
    assert_rows(&[
        Row {
            case: "blank",
            alter: |folder| manifest(folder, |manifest| manifest.blank = true),
            found: OTHER,
        },
        Row {
            case: "a Secret",
            alter: |folder| manifest(folder, |manifest| manifest.holds_secret = true),
            found: OTHER,
        },
        Row {
            case: "another hash",
            alter: |folder| manifest(folder, |manifest| manifest.sha256 = None),
            found: OTHER,
        },
        Row {
            case: "no placeholder",
            alter: |folder| manifest(folder, |manifest| manifest.placeholders.clear()),
            found: OTHER,
        },
        Row { case: "missing", alter: |folder| _ = folder.files.remove(INPUT), found: MISSING },
        Row {
            case: "near: not kept, since it holds a Secret",
            alter: |folder| {
                folder.files.remove(INPUT);
                manifest(folder, |manifest| manifest.holds_secret = true);
            },
            found: &[],
        },
        Row {
            case: "near: not kept, since it could not be read",
            alter: |folder| {
                folder.files.remove(INPUT);
                manifest(folder, |manifest| manifest.unreadable = Some("no such file".into()));
            },
            found: &[],
        },
        Row {
            case: "near: not kept, since it holds a named value",
            alter: |folder| {
                folder.files.remove(INPUT);
                manifest(folder, |manifest| manifest.holds_named = vec!["TOKEN".into()]);
            },
            found: &[],
        },
    ]);
}

#[test]
fn what_is_said_of_health_is_compared_with_the_answers() {
    assert_rows(&[
        Row {
            case: "another status",
            alter: |folder| health(folder, &[("503", 2, 120_000)]),
            found: &[(ANSWERED, "gate.health: it answered 200, not 503")],
        },
        Row {
            case: "asked more often",
            alter: |folder| health(folder, &[("200", 3, 120_000)]),
            found: &[(ANSWERED, "gate.health: it was requested 2 times, not 3")],
        },
        Row {
            case: "another limit",
            alter: |folder| health(folder, &[("200", 2, 240_000)]),
            found: &[(ANSWERED, "gate.health: the run's limit is 120000 ms, not 240000 ms")],
        },
        Row {
            case: "never asked",
            alter: |folder| _ = folder.events.healthy("/readyz", 1, "200"),
            found: &[
                (ANSWERED, "gate.readyz: it answered nothing, not 200"),
                (ANSWERED, "gate.readyz: it was requested 0 times, not 1"),
            ],
        },
        Row {
            case: "near: no answer that curl could report",
            alter: |folder| {
                folder.runs("gate.readyz", &Ran { exit: &[143], by: EndedBy::Deadline, ..RAN });
                folder.events.healthy("/readyz", 1, "000");
            },
            found: &[],
        },
    ]);
}
