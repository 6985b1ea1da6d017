//! What is found against the sightings of failing pods.

use super::evidence::{ENDS, FAILS, Row, assert_rows, honest, judged, sighting};
use super::folder::{Folder, RAN, Ran, assert_found, found};
use crate::events::{Conclusion, EndedBy, EventKind, Sighting};
use crate::fixture::step;

const CHECK: &str = "are in the output, no other is, and each conclusion follows";
const NOT_SO: &str = "dpp-api-1: the conclusion does not follow from the read of the pod";
const NOT_PRINTED: &str = "watch.pods did not print \"MODIFIED   dpp-api-1   0/1   Error         0   5s\"";

/// Changes what is told of the sighting of the first pod.
fn seen(folder: &mut Folder, change: impl Fn(&mut Sighting)) {
    folder.events.change(|kind| match kind {
        EventKind::PodJudged { sighting, .. } if sighting.pod == "dpp-api-1" => {
            change(sighting);
            true
        }
        _ => false,
    });
}

fn concluded(folder: &mut Folder, to: &Conclusion) {
    folder.events.change(|kind| match kind {
        EventKind::PodJudged { sighting, conclusion, .. } if sighting.pod == "dpp-api-1" => {
            *conclusion = to.clone();
            true
        }
        _ => false,
    });
}

/// Of a pod the journal says nothing.
fn nothing_of<'f>(folder: &'f mut Folder, pod: &str) -> &'f mut Folder {
    let pod = pod.to_owned();
    folder.events.without(move |kind| match kind {
        EventKind::PodSeen(sighting) | EventKind::PodJudged { sighting, .. } => sighting.pod == pod,
        _ => false,
    });
    folder
}

#[test]
fn a_sighting_that_was_not_shown_is_found() {
    assert_rows(&[
        Row {
            case: "another pod",
            alter: |folder| seen(folder, |sighting| sighting.pod = "dpp-api-3".into()),
            found: &[(CHECK, NOT_PRINTED)],
        },
        Row {
            case: "another word",
            alter: |folder| seen(folder, |sighting| sighting.status = "CrashLoopBackOff".into()),
            found: &[(CHECK, NOT_PRINTED)],
        },
        Row {
            case: "another line",
            alter: |folder| seen(folder, |sighting| sighting.line = "dpp-api-1 Error".into()),
            found: &[(CHECK, "watch.pods did not print \"dpp-api-1 Error\"")],
        },
        Row {
            case: "another command",
            alter: |folder| seen(folder, |sighting| sighting.command = step("list.pods")),
            found: &[(
                CHECK,
                "list.pods did not print \"MODIFIED   dpp-api-1   0/1   Error         0   5s\"",
            )],
        },
    ]);
}

#[test]
fn a_pod_that_nobody_looked_into_is_found() {
    let shown = format!("watch.pods printed {FAILS:?}, but no event judges it");
    let mut folder = honest();
    nothing_of(&mut folder, "dpp-api-1").close();
    assert_found("of one nothing is said", &folder.report(), &[(CHECK, &shown)]);

    let mut folder = honest();
    let shown = format!("watch.pods printed {ENDS:?}, but no event judges it");
    nothing_of(&mut folder, "dpp-api-2").close();
    assert_found("of one that was shown going nothing is said", &folder.report(), &[(CHECK, &shown)]);

    let mut folder = honest();
    let row = "dpp-worker-1   0/1   Init:Error   0   5s";
    folder.runs("list.pods", &Ran { stdout: &format!("{row}\n"), ..RAN }).close();
    let shown = format!("list.pods printed {row:?}, but no event judges it");
    assert_found("a list shows one more", &folder.report(), &[(CHECK, &shown)]);
}

#[test]
fn what_nobody_needs_to_look_into_is_accepted() {
    let listed = |rows: &str| {
        let mut folder = honest();
        folder.runs("list.pods", &Ran { stdout: rows, ..RAN }).close();
        folder.report()
    };
    assert_found("a pod that runs", &listed("dpp-worker-1   1/1   Running   0   5s\n"), &[]);
    assert_found("a line without its end", &listed("dpp-worker-1   0/1   Error   0   5s"), &[]);
    assert_found("one that was looked into", &listed("dpp-api-1   0/1   Error   0   5s\n"), &[]);
    // A run that was killed had no time to.
    let mut folder = honest();
    nothing_of(&mut folder, "dpp-api-1").write();
    assert_found("a run that did not end", &folder.report(), &[]);
}

#[test]
fn a_row_that_no_run_goes_on_after_is_found() {
    let listed = |row: &str| {
        let mut folder = honest();
        folder.runs("list.pods", &Ran { stdout: &format!("{row}\n"), ..RAN }).close();
        folder.report()
    };
    let why = "list.pods printed a line that no run goes on after: the output of kubectl get pods";
    for row in ["dpp-worker-1   [redacted:KEY]   0   5s", "dpp-worker-1   0/1   [redacted:KEY]   0   5s"] {
        let found = found(&listed(row));
        let [(check, message)] = &found[..] else { panic!("{row}: {found:?}") };
        assert!(check.contains(CHECK) && message.starts_with(why), "{row}: {message}");
    }
    assert_found("near: in a name", &listed("dpp-[redacted:KEY]   1/1   Running   0   5s"), &[]);
}

#[test]
fn a_word_that_the_run_was_told_to_stop_on_counts() {
    let row = "dpp-worker-1   0/1   ImagePullBackOff   0   5s";
    for (stop_on, found) in [(None, false), (Some("ErrImagePull"), false), (Some("ImagePullBackOff"), true)] {
        let mut folder = honest();
        folder.events.began(|began| began.options.stop_on = stop_on.into_iter().map(str::to_owned).collect());
        folder.runs("list.pods", &Ran { stdout: &format!("{row}\n"), ..RAN }).close();
        let message = format!("list.pods printed {row:?}, but no event judges it");
        let expected = [(CHECK, &*message)];
        assert_found(&format!("{stop_on:?}"), &folder.report(), if found { &expected } else { &[] });
    }
}

#[test]
fn a_conclusion_that_does_not_follow_is_found() {
    assert_rows(&[
        Row {
            case: "for another reason",
            alter: |folder| concluded(folder, &Conclusion::RuledOut("the pod is being deleted".into())),
            found: &[(CHECK, NOT_SO)],
        },
        Row {
            case: "it stands",
            alter: |folder| concluded(folder, &Conclusion::Stands),
            found: &[(CHECK, NOT_SO)],
        },
        Row {
            case: "it was not shown going",
            alter: |folder| {
                let because = "watch.pods had shown it Terminating before";
                concluded(folder, &Conclusion::RuledOut(because.into()));
            },
            found: &[(CHECK, "dpp-api-1: it was not shown Terminating before")],
        },
        Row {
            case: "a second one, without a look of its own",
            alter: |folder| _ = folder.events.add(judged(sighting("dpp-api-1", FAILS), "the pod is gone")),
            found: &[(CHECK, NOT_SO)],
        },
        Row {
            case: "with a container, where none was seen",
            alter: |folder| {
                folder.events.change(|kind| match kind {
                    EventKind::PodJudged { container, .. } if container.is_none() => {
                        *container = Some(crate::fixture::failing());
                        true
                    }
                    _ => false,
                });
            },
            found: &[(CHECK, NOT_SO)],
        },
        Row {
            case: "near: the look failed, and the sighting stands",
            alter: |folder| {
                folder.events.add(EventKind::PodSeen(sighting("dpp-api-1", FAILS)));
                let met = &[("POD", "dpp-api-1")];
                folder.runs("confirm.pod", &Ran { exit: &[143], by: EndedBy::Deadline, met, ..RAN });
                let why = EndedBy::Deadline.says().unwrap().to_owned();
                let (sighting, conclusion) = (sighting("dpp-api-1", FAILS), Conclusion::Unconfirmed(why));
                folder.events.add(EventKind::PodJudged { sighting, conclusion, container: None });
            },
            found: &[],
        },
    ]);
}

/// The watch shows one row more, after all others.
fn watch_shows(folder: &mut Folder, row: &str) {
    let bytes = folder.files.get_mut("deploy/out/watch.pods.out").unwrap();
    bytes.extend(format!("{row}\n").as_bytes());
    let to = bytes.len() as u64;
    folder.events.outcome("watch.pods", |outcome| outcome.stdout.as_mut().unwrap().to = to);
}

#[test]
fn a_pod_that_was_shown_going_only_afterwards_is_found() {
    let because = Conclusion::RuledOut("watch.pods had shown it Terminating before".into());
    let mut folder = honest();
    watch_shows(&mut folder, "MODIFIED   dpp-api-1   0/1   Terminating   0   6s");
    concluded(&mut folder, &because);
    folder.close();
    let message = "dpp-api-1: it was not shown Terminating before";
    assert_found("by the same command", &folder.report(), &[(CHECK, message)]);

    let mut folder = honest();
    concluded(&mut folder, &because);
    folder.runs("list.pods", &Ran { stdout: "dpp-api-1   0/1   Terminating   0   6s\n", ..RAN }).close();
    assert_found("near: by a list, which may have been earlier", &folder.report(), &[]);

    let mut folder = honest();
    watch_shows(&mut folder, FAILS);
    watch_shows(&mut folder, ENDS);
    folder.close();
    assert_found("near: its row was printed again later", &folder.report(), &[]);
}
