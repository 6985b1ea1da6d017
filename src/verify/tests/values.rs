//! What is found against the values of a run.

use super::folder::{Folder, found};

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
