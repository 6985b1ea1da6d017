//! Sightings of failing pods, the looks, and the conclusions.

use super::sample::{Row, Sample, assert_rows, name};
use crate::events::{Conclusion, EventKind, Sighting};
use crate::fixture::step;

const WATCH: &str = "deploy/out/watch.pods.out";

fn seen(sample: &mut Sample, change: impl FnOnce(&mut Sighting)) {
    match sample.kind("pod-seen") {
        EventKind::PodSeen(sighting) => change(sighting),
        other => panic!("{other:?}"),
    }
}

fn concluded(sample: &mut Sample, to: Conclusion) {
    match sample.kind("pod-judged") {
        EventKind::PodJudged { conclusion, .. } => *conclusion = to,
        other => panic!("{other:?}"),
    }
}

fn ruled_out(because: &str) -> Conclusion {
    Conclusion::RuledOut(because.to_owned())
}

/// Replaces the word STATUS in each row of the first pod that was sighted by one of the same length.
fn shows_of_the_first(sample: &mut Sample, from: &str, to: &str) {
    let mut pod = String::new();
    seen(sample, |sighting| pod.clone_from(&sighting.pod));
    let text = String::from_utf8(sample.bytes(WATCH)).unwrap();
    let changed: String = text
        .split_inclusive('\n')
        .map(|line| if line.contains(&pod) { line.replace(from, to) } else { line.to_owned() })
        .collect();
    assert_ne!(text, changed);
    sample.prints(WATCH, &text, &changed);
}

#[test]
fn a_sighting_that_was_not_shown_departs() {
    let rows: &[Row] = &[
        (
            "another pod",
            "pass",
            |s| seen(s, |sighting| sighting.pod = "other".into()),
            Some(("pod-seen", "watch.pods did not print")),
        ),
        (
            "another word",
            "pass",
            |s| seen(s, |sighting| sighting.status = "Evicted".into()),
            Some(("pod-seen", "watch.pods did not print")),
        ),
        (
            "another line",
            "pass",
            |s| seen(s, |sighting| sighting.line.push('x')),
            Some(("pod-seen", "watch.pods did not print")),
        ),
        (
            "another place",
            "pass",
            |s| seen(s, |sighting| sighting.to -= 1),
            Some(("pod-seen", "watch.pods did not print")),
        ),
        (
            "another command",
            "pass",
            |s| seen(s, |sighting| sighting.command = step("list.pods")),
            Some(("pod-seen", "is not list.pods")),
        ),
        (
            "another number",
            "pass",
            |s| seen(s, |sighting| sighting.n += 1),
            Some(("pod-seen", "it was not due")),
        ),
    ];
    assert_rows(rows);
}

#[test]
fn a_pod_that_nobody_looked_into_departs() {
    let mut sample = Sample::of("pass");
    sample.without("pod-seen");
    sample.without("pod-judged");
    let (_, why) = sample.departs().unwrap();
    assert!(why.contains("was printed, but no event judges it"), "{why}");

    let mut sample = Sample::of("stop-2");
    for event in ["pod-seen", "command-starts confirm.pod", "command-ended confirm.pod", "pod-judged"] {
        sample.without(event);
    }
    let (event, _) = sample.departs().unwrap();
    assert_eq!(event, "command-ended rollout.api", "nothing explains that the run ended it");
}

#[test]
fn a_word_that_the_run_was_told_to_stop_on_counts() {
    fn stop_on(sample: &mut Sample, word: &str) {
        match &mut sample.events[0].kind {
            EventKind::RunBegan(began) => began.options.stop_on = vec![word.to_owned()],
            other => panic!("{other:?}"),
        }
    }
    for (word, departs) in [("ImagePullBackOff", false), ("ContainerCreating", true)] {
        let mut sample = Sample::of("pass");
        stop_on(&mut sample, word);
        let why = sample.departs().map(|(_, why)| why);
        assert_eq!(why.is_some(), departs, "{word}: {why:?}");
        assert!(why.is_none_or(|why| why.contains("was printed, but no event judges it")));
    }
}

#[test]
fn a_row_that_no_run_goes_on_after_departs() {
    let mut sample = Sample::of("pass");
    shows_of_the_first(&mut sample, "Terminating", "[redacted:]");
    let (event, why) = sample.departs().unwrap();
    assert_eq!(event, "pod-seen");
    assert!(why.contains("\"[redacted:]\" is in a word that a rule reads"), "{why}");
}

#[test]
fn a_conclusion_that_does_not_follow_departs() {
    let rows: &[Row] = &[
        (
            "for another reason",
            "pass",
            |s| concluded(s, ruled_out("the pod is gone")),
            Some(("pod-judged", "conclusion.")),
        ),
        (
            "it stands",
            "pass",
            |s| concluded(s, Conclusion::Stands),
            Some(("pod-judged", "conclusion.is is \"stands\", not \"ruled-out\"")),
        ),
        (
            "it is ruled out",
            "stop-2",
            |s| concluded(s, ruled_out("the pod is gone")),
            Some(("pod-judged", "conclusion.")),
        ),
        (
            "without the container",
            "stop-2",
            |s| match s.kind("pod-judged") {
                EventKind::PodJudged { container, .. } => *container = None,
                other => panic!("{other:?}"),
            },
            Some(("pod-judged", "container is null, not ")),
        ),
        (
            "without a look",
            "stop-2",
            |s| {
                s.without("command-starts confirm.pod");
                s.without("command-ended confirm.pod");
            },
            Some(("pod-judged", "it was not due")),
        ),
        (
            "the look is at another pod",
            "stop-2",
            |s| s.intent("confirm.pod", |i| _ = i.met.insert("POD".into(), "other".into())),
            Some(("command-starts confirm.pod", "confirm.pod is not a command of the runbook")),
        ),
        (
            "the look has another reason",
            "stop-2",
            |s| s.intent("confirm.pod", |i| i.because = Some(1)),
            Some(("command-starts confirm.pod", "because of event 1")),
        ),
    ];
    assert_rows(rows);
}

#[test]
fn a_pod_that_was_shown_going_only_afterwards_is_looked_into() {
    let mut sample = Sample::of("pass");
    shows_of_the_first(&mut sample, "Terminating", "Running    ");
    let place = sample.events.iter().position(|event| name(event) == "pod-judged").unwrap();
    assert_eq!(sample.departs().unwrap(), ("pod-judged".to_owned(), "it was not due".to_owned()));
    assert_eq!(name(&sample.events[place - 1]), "pod-seen");
}
