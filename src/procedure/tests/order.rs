//! The order of events, and what ends a journal.

use super::sample::{Row, Sample, assert_rows};
use crate::events::EventKind;
use crate::moment::Moment;

#[test]
fn events_that_are_not_in_order_depart() {
    let rows: &[Row] = &[
        (
            "a gap",
            "pass",
            |s| s.event("tool-version jq").seq += 1,
            Some(("tool-version jq", "the event after ")),
        ),
        (
            "older",
            "pass",
            |s| s.event("tool-version jq").at = Moment::default(),
            Some(("tool-version jq", "it is older than the event before")),
        ),
        (
            "near: at the same moment",
            "pass",
            |s| {
                let before = s.events[s.place("tool-version jq") - 1].at;
                s.event("tool-version jq").at = before;
            },
            None,
        ),
        (
            "a command that never began",
            "pass",
            |s| s.without("command-starts use-context"),
            Some(("command-ended use-context", "it was not due")),
        ),
        (
            "a command that never ended",
            "pass",
            |s| s.without("command-ended use-context"),
            Some(("command-starts apply.api", "it was not due")),
        ),
        (
            "the watch had not shown its pods",
            "pass",
            |s| match s.kind("first-sight") {
                EventKind::FirstSight { rows, .. } => *rows = 0,
                other => panic!("{other:?}"),
            },
            Some(("first-sight", "the watch had shown 0 of ")),
        ),
        (
            "a step that took longer",
            "pass",
            |s| match s.kind("step-ended 2") {
                EventKind::StepEnded { duration_ms, .. } => *duration_ms += 1,
                other => panic!("{other:?}"),
            },
            Some(("step-ended 2", "it took ")),
        ),
        (
            "a second beginning",
            "pass",
            |s| {
                let began = s.events[0].kind.clone();
                s.insert(5, began);
            },
            Some(("run-began", "it was not due")),
        ),
        (
            "a signal before the runbook",
            "pass",
            |s| s.insert(1, EventKind::Signal { signal: 2 }),
            Some(("signal", "it was not due")),
        ),
        (
            "an interruption without a signal",
            "pass",
            |s| {
                let last = s.place("files-listed");
                s.insert(last, EventKind::Interrupted { signal: 2 });
            },
            Some(("interrupted", "it was not due")),
        ),
        (
            "more after the end",
            "pass",
            |s| {
                let (ended, at) = (EventKind::RunEnded, s.events.last().unwrap().at);
                let seq = s.events.len() as u64 + 1;
                s.events.push(crate::events::Event { seq, at, kind: ended });
            },
            Some(("run-ended", "it was not due")),
        ),
    ];
    assert_rows(rows);
}

#[test]
fn a_journal_that_is_cut_is_not_whole_and_does_not_depart() {
    let whole = Sample::of("pass");
    for length in (1..whole.events.len()).step_by(7).chain([whole.events.len() - 1]) {
        let mut cut = Sample::of("pass");
        cut.events.truncate(length);
        assert_eq!(cut.departs(), None, "{length}");
        assert!(!cut.is_whole(), "{length}");
    }
    assert!(whole.is_whole());
}
