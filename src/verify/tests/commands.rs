//! What is found against the commands: they are the runbook's, with the run's own values.

use super::evidence::{Row, assert_rows, honest};
use super::folder::{Folder, RAN, Ran, assert_found, found};
use crate::events::{Effect, EventKind, Intent};
use crate::fixture::step;
use crate::runbook::Phase;

const OURS: &str = "commands are the runbook's, with the run's own values";
const NO_COMMAND: &str =
    "use-context is not a command of the runbook: kubectl config use-context staging-cluster";

fn intent(folder: &mut Folder, id: &str, change: impl Fn(&mut Intent)) {
    let id = step(id);
    folder.events.change(|kind| match kind {
        EventKind::CommandStarts(intent) if intent.id == id => {
            change(intent);
            true
        }
        _ => false,
    });
}

#[test]
fn a_command_that_is_not_the_runbook_s_is_found() {
    assert_rows(&[
        Row {
            case: "another text",
            alter: |folder| intent(folder, "use-context", |intent| intent.text.push_str(" # or not")),
            found: &[(
                OURS,
                "use-context is not a command of the runbook: kubectl config use-context staging-cluster # or not",
            )],
        },
        Row {
            case: "another effect",
            alter: |folder| intent(folder, "use-context", |intent| intent.effect = Effect::DryRun),
            found: &[(OURS, NO_COMMAND)],
        },
        Row {
            case: "another phase",
            alter: |folder| intent(folder, "use-context", |intent| intent.phase = Phase::Smoke),
            found: &[(OURS, NO_COMMAND)],
        },
        Row {
            case: "a key where none is read",
            alter: |folder| intent(folder, "use-context", |intent| intent.reads_key = true),
            found: &[(OURS, NO_COMMAND)],
        },
        Row {
            case: "it met what it is not about",
            alter: |folder| {
                intent(folder, "use-context", |intent| _ = intent.met.insert("POD".into(), "a".into()));
            },
            found: &[(OURS, NO_COMMAND)],
        },
        Row {
            case: "more exit statuses than stages",
            alter: |folder| _ = folder.events.outcome("use-context", |outcome| outcome.exit = vec![0, 0]),
            found: &[(OURS, "use-context: it has 2 exit codes, but 1 stage")],
        },
        Row {
            case: "no exit status, though it ended by itself",
            alter: |folder| _ = folder.events.outcome("latency.health", |outcome| outcome.exit.clear()),
            found: &[(OURS, "latency.health: it has 0 exit codes, but 1 stage")],
        },
        Row {
            case: "near: none of one that we ended",
            alter: |folder| _ = folder.events.outcome("watch.pods", |outcome| outcome.exit.clear()),
            found: &[],
        },
    ]);
}

#[test]
fn output_that_is_kept_elsewhere_is_found() {
    let moved = |folder: &mut Folder, id: &str, is_stdout: bool, from: &str| {
        folder.events.outcome(id, |outcome| {
            let range = if is_stdout { &mut outcome.stdout } else { &mut outcome.stderr };
            range.as_mut().unwrap().file = "preflight/out/other".into();
        });
        let bytes = folder.files.remove(from).unwrap();
        folder.files.insert("preflight/out/other".into(), bytes);
    };
    for (id, is_stdout, from) in [
        ("can-i.get-pods", true, "preflight/out/can-i.get-pods.out"),
        ("guard.api", false, "preflight/out/guard.api.err"),
    ] {
        let mut folder = honest();
        moved(&mut folder, id, is_stdout, from);
        folder.close();
        let message = format!("{id}: its output is not in its file");
        assert_found(id, &folder.report(), &[(OURS, &message)]);
    }
}

/// A name of a pod that a command met, and whether it may be one.
#[test]
fn a_name_that_no_pod_has_is_found() {
    let long = "a".repeat(253);
    for (name, may_be) in
        [("a", true), (&*long, true), (&*format!("{long}a"), false), ("", false), ("a\u{7}", false)]
    {
        let mut folder = honest();
        folder.runs("dump.logs", &Ran { met: &[("POD", name)], ..RAN });
        folder.close();
        let found = found(&folder.report());
        assert_eq!(found.is_empty(), may_be, "{name:?}: {found:?}");
        assert!(
            found.iter().all(|(_, found)| found.starts_with("dump.logs is not a command of the runbook: "))
        );
    }
}

#[test]
fn values_that_no_run_is_given_are_found() {
    let begun = |change: fn(&mut Folder)| {
        let mut folder = Folder::begun();
        change(&mut folder);
        folder.close();
        found(&folder.report()).into_iter().map(|(_, found)| found).collect::<Vec<_>>()
    };
    assert_eq!(begun(|_| ()), [""; 0]);
    let timeout =
        begun(|folder| _ = folder.events.began(|began| began.options.rollout_timeout = "soon".into()));
    assert_eq!(timeout, ["no run accepts this: --rollout-timeout soon"]);
    let namespace =
        begun(|folder| _ = folder.events.began(|began| began.target.namespace = "Bad_Name".into()));
    assert_eq!(namespace.len(), 1);
    assert!(namespace[0].starts_with("no run accepts this: STAGING_NAMESPACE "), "{namespace:?}");
}
