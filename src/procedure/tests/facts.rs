//! Events that follow from what commands printed.

use std::collections::BTreeSet;

use super::sample::{Row, Sample, assert_rows, name};
use crate::events::{Event, EventKind};
use crate::procedure::Procedure;

const NOT_DUE: &str = "it was not due";
const HEALTH: &str = "health-asked gate.health";

fn health(sample: &mut Sample, change: impl FnOnce(&mut u32, &mut String, &mut u64, &mut u64)) {
    match sample.kind(HEALTH) {
        EventKind::HealthAsked { asks, http_status, waited_ms, limit_ms, .. } => {
            change(asks, http_status, waited_ms, limit_ms);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_fact_that_does_not_follow_departs() {
    let rows: &[Row] = &[
        (
            "another version",
            "pass",
            |s| match s.kind("tool-version kubectl") {
                EventKind::ToolVersion(version) => version.version = Some("v1.0.0".into()),
                other => panic!("{other:?}"),
            },
            Some(("tool-version kubectl", "version is \"v1.0.0\", not \"v1.")),
        ),
        (
            "left out",
            "pass",
            |s| s.without("tool-version kubectl"),
            Some(("tool-version curl", "name is \"curl\", not \"kubectl\" and version is")),
        ),
        (
            "another answer",
            "pass",
            |s| s.prints("preflight/out/can-i.get-pods.out", "yes\n", "no\n\n"),
            Some(("permission-answered can-i.get-pods", "answer is true, not false")),
        ),
        (
            "health: another status",
            "pass",
            |s| health(s, |_, status, _, _| "503".clone_into(status)),
            Some((HEALTH, "http_status is \"503\", not \"200\"")),
        ),
        (
            "health: asked more often",
            "pass",
            |s| health(s, |asks, _, _, _| *asks += 1),
            Some((HEALTH, "asks is 2, not 1")),
        ),
        (
            "health: another limit",
            "pass",
            |s| health(s, |_, _, _, limit| *limit += 1),
            Some((HEALTH, "limit_ms is ")),
        ),
        (
            "health: it waited longer",
            "pass",
            |s| health(s, |_, _, waited, _| *waited += 1),
            Some((HEALTH, "waited_ms is ")),
        ),
        (
            "health: it answered something else",
            "pass",
            |s| s.prints("smoke/out/gate.health.err", "\"http_code\":200", "\"http_code\":503"),
            Some((HEALTH, "path is \"/health\", not \"/readyz\"")),
        ),
        (
            "what was applied is left out",
            "pass",
            |s| s.without("applied k8s/worker-deployment.yaml"),
            Some(("command-starts apply.reaper", NOT_DUE)),
        ),
        (
            "the end of a rollout is left out",
            "pass",
            |s| s.without("rollout-ended dpp-worker"),
            Some(("command-starts rollout.reaper", NOT_DUE)),
        ),
        (
            "the last words of the failing container",
            "stop-2",
            |s| match s.kind("dumped") {
                EventKind::Dumped { last_words, .. } => *last_words = Some("all is well".into()),
                other => panic!("{other:?}"),
            },
            Some(("dumped", NOT_DUE)),
        ),
    ];
    assert_rows(rows);
}

#[test]
fn a_fact_that_nothing_printed_departs() {
    let whole = Sample::of("pass");
    let is_fact = |event: &&Event| {
        let kind = name(event);
        !["command-", "run-", "runbook-read", "pod-seen"].iter().any(|no| kind.starts_with(no))
    };
    let last = whole.events.last().unwrap();
    let mut procedure = Procedure::default();
    whole
        .events
        .iter()
        .filter(|event| *event != last)
        .for_each(|event| procedure.fold(event, &whole).unwrap());
    let mut kinds = BTreeSet::new();
    for fact in whole.events.iter().filter(is_fact).filter(|fact| kinds.insert(name(fact))) {
        let again = Event { kind: fact.kind.clone(), ..last.clone() };
        let departure = procedure.check(&again, &whole).unwrap_err();
        assert_eq!((&*departure.why, &*departure.due), (NOT_DUE, &["run-ended".to_owned()][..]), "{again:?}");
    }
    assert!(kinds.len() > 40, "{kinds:?}");
}

#[test]
fn output_that_can_not_be_read_departs_unless_the_run_failed_by_it() {
    let file = "preflight/out/objects.before.out";
    let mut altered = Sample::of("pass");
    let text = String::from_utf8(altered.bytes(file)).unwrap();
    altered.prints(file, &text, &"[".repeat(text.len()));
    let (event, why) = altered.departs().unwrap();
    assert_eq!((&*event, &*why), ("tool-version kubectl", NOT_DUE), "no fact of these commands is due");
    let place = altered.place("tool-version kubectl");
    altered.events.truncate(place + 1);
    *altered.kind("tool-version kubectl") = EventKind::Failed { error: "INCOMPLETE: no JSON".into() };
    assert_eq!(altered.departs(), None, "near: the run failed by it");
}
