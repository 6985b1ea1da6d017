//! What is found against the values of a run.

use super::folder::{Folder, found};
use crate::events::{Began, Scope};

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
    let changed = |change: fn(&mut Began)| {
        let mut folder = Folder::begun();
        folder.events.began(change);
        folder.close();
        found(&folder.report()).into_iter().map(|(_, found)| found).collect::<Vec<_>>()
    };
    for (change, expected) in [
        (
            (|began| began.scope = Scope::Preflight) as fn(&mut Began),
            "only a run of the whole runbook leaves evidence, and this one says otherwise",
        ),
        (
            |began| began.run_id = "20190101T000000Z-8f3a1c".into(),
            "the run 20190101T000000Z-8f3a1c did not begin at ",
        ),
        (|began| began.run_id = "later".into(), "the run later did not begin at "),
        (|began| began.evidence_dir = "evidence/staging/20261124".into(), "a run that began at "),
        (|began| began.evidence_dir = "/srv/evidence/20190101".into(), "a run that began at "),
        (
            |began| began.program.argv = vec!["preflight".into()],
            "its command line begins with \"preflight\", and only `run` leaves evidence",
        ),
        (
            |began| began.options.strict = true,
            "by its options the run has --strict, and its command line has not",
        ),
        (
            |began| began.program.argv.push("--no-apply".into()),
            "by its options the run has not --no-apply, and its command line has",
        ),
        (|began| began.evidence_dir = "/srv/evidence/20261124.1".into(), "a run that began at "),
    ] {
        let found = changed(change);
        assert!(found.len() == 1 && found[0].starts_with(expected), "{found:?}");
    }
    for near in [(|began| began.run_id = "[redacted:A]-8f3a1c".into()) as fn(&mut Began), |began| {
        began.evidence_dir = "/srv/[redacted:A]".into();
    }] {
        assert_eq!(changed(near), [""; 0]);
    }
}
