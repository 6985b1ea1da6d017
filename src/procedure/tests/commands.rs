//! Starts and ends of commands.

use super::sample::{Row, assert_rows};
use crate::events::{Effect, EndedBy};
use crate::moment::Moment;
use crate::runbook::Phase;

const STARTS: &str = "command-starts use-context";
const ENDED: &str = "command-ended use-context";
const NOT_OURS: Option<(&str, &str)> =
    Some((STARTS, "use-context is not a command of the runbook: kubectl config"));

#[test]
fn a_start_that_was_not_due_departs() {
    let rows: &[Row] = &[
        ("another text", "pass", |s| s.intent("use-context", |i| i.text.push_str(" # or not")), NOT_OURS),
        ("another effect", "pass", |s| s.intent("use-context", |i| i.effect = Effect::DryRun), NOT_OURS),
        ("another phase", "pass", |s| s.intent("use-context", |i| i.phase = Phase::Smoke), NOT_OURS),
        ("a key", "pass", |s| s.intent("use-context", |i| i.reads_key = true), NOT_OURS),
        (
            "about something",
            "pass",
            |s| s.intent("use-context", |i| _ = i.met.insert("POD".into(), "a".into())),
            Some((STARTS, "use-context is about nothing, not about POD \"a\"")),
        ),
        (
            "because of an event",
            "pass",
            |s| s.intent("use-context", |i| i.because = Some(3)),
            Some((STARTS, "use-context is about nothing, not about nothing because of event 3")),
        ),
        (
            "another time limit",
            "pass",
            |s| s.intent("use-context", |i| i.deadline_ms = 1),
            Some((STARTS, "ms, not 1 ms")),
        ),
        (
            "another number",
            "pass",
            |s| s.intent("use-context", |i| i.n += 1),
            Some((STARTS, "the next command has the number")),
        ),
        (
            "too early",
            "stop-2",
            |s| {
                let place = s.place("command-starts list.pods");
                s.events[place].at = s.events[place - 1].at;
            },
            Some(("command-starts list.pods", "list.pods starts too early")),
        ),
    ];
    assert_rows(rows);
}

#[test]
fn an_end_that_was_not_possible_departs() {
    fn ended_by(sample: &mut super::sample::Sample, by: EndedBy) {
        sample.outcome("use-context", |outcome| outcome.ended_by = by);
    }
    let rows: &[Row] = &[
        (
            "more exit codes than stages",
            "pass",
            |s| s.outcome("use-context", |o| o.exit = vec![0, 0]),
            Some((ENDED, "use-context: it has 2 exit codes, but 1 stage")),
        ),
        (
            "no exit code, though it ended by itself",
            "pass",
            |s| s.outcome("use-context", |o| o.exit.clear()),
            Some((ENDED, "use-context: it has 0 exit codes, but 1 stage")),
        ),
        ("near: none of one that we ended", "pass", |s| s.outcome("watch.pods", |o| o.exit.clear()), None),
        (
            "output is elsewhere",
            "pass",
            |s| {
                s.outcome("can-i.get-pods", |o| {
                    o.stdout.as_mut().unwrap().file = "preflight/out/other".into();
                });
            },
            Some(("command-ended can-i.get-pods", "can-i.get-pods: its output is not in its file")),
        ),
        (
            "it took longer than there was time",
            "pass",
            |s| s.outcome("use-context", |o| o.duration_ms += 60_000),
            Some((ENDED, "use-context: its time is not between its two events")),
        ),
        (
            "it started before it began",
            "pass",
            |s| s.outcome("use-context", |o| o.started = Moment::default()),
            Some((ENDED, "use-context: its time is not between its two events")),
        ),
        (
            "by its deadline, too early",
            "pass",
            |s| ended_by(s, EndedBy::Deadline),
            Some((ENDED, "use-context: it was ended at its deadline of")),
        ),
        (
            "by an event that is no reason",
            "pass",
            |s| ended_by(s, EndedBy::StagingDryRun(9)),
            Some((ENDED, "use-context: event 9 is no reason for the run to end it")),
        ),
        (
            "by its question at the terminal, and it succeeded",
            "pass",
            |s| ended_by(s, EndedBy::AskedForTerminal),
            Some((ENDED, "use-context: it asked for the terminal, and every stage exited 0")),
        ),
        (
            "with output that was not kept",
            "pass",
            |s| ended_by(s, EndedBy::OutputNotKept),
            Some((ENDED, "use-context: its output could not be kept, so the run failed")),
        ),
        ("near: a process of it held its output open", "pass", |s| ended_by(s, EndedBy::HeldPipes), None),
    ];
    assert_rows(rows);
}
