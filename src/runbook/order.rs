use std::sync::LazyLock;

use super::{CHECKS, DEPLOYMENTS, Permission, STEPS, Step, check_step, guard_step, render_step, step_for};

/// Every command a run would run, in the runbook's order: [`STEPS`], with the permissions and guards at the end
/// of the preflight and the checks behind the health gate.
pub fn in_order(with_key: bool) -> Vec<Step> {
    let mut rows = Vec::new();
    for step in STEPS.iter() {
        match &*step.id {
            "watch.pods" => {
                rows.extend(Permission::required().iter().map(step_for));
                rows.extend(
                    DEPLOYMENTS
                        .iter()
                        .flat_map(|deployment| [render_step(deployment), guard_step(deployment)]),
                );
            }
            "body.health" => rows.extend(CHECKS.iter().map(|check| check_step(check, with_key))),
            _ => {}
        }
        rows.push(step.clone());
    }
    rows
}

/// Where a command stands among all of them.
pub fn place(id: &str) -> usize {
    static IDS: LazyLock<Vec<String>> =
        LazyLock::new(|| in_order(false).into_iter().map(|step| step.id.into_owned()).collect());
    IDS.iter().position(|other| other == id).unwrap_or(usize::MAX)
}
