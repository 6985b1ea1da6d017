//! Verifies that the values of a run are ones that a run accepts; others would change the runbook's commands.

use super::{Evidence, Kind, Point};
use crate::events::Began;
use crate::inputs;
use crate::moment::go_duration;

pub(super) fn check(evidence: &Evidence) -> Point {
    let Some((_, began)) = &evidence.run.began else {
        return Point::undecided(Kind::Truth, "no run was begun");
    };
    Point::new(Kind::Truth, "a run accepts the values of this one", strange_values(began))
}

/// Returns problems of values that no run can have been given; they would change the runbook's commands.
fn strange_values(began: &Began) -> Vec<String> {
    let refused = inputs::of_run(&began.target, |_| None).err();
    let problems = refused.into_iter().flat_map(|refused| refused.problems);
    let timeout = &began.options.rollout_timeout;
    problems
        .map(|problem| format!("no run accepts this: {} {}", problem.name, problem.fault))
        .chain(
            go_duration(timeout)
                .is_none()
                .then(|| format!("no run accepts this: --rollout-timeout {timeout}")),
        )
        .collect()
}
