//! The success criteria: one row per line of the runbook's section, each a pure function of the [`RunState`].
//!
//! A criterion without data is not evaluated; it is never counted as met.

use serde::{Deserialize, Serialize};

use super::{can_judge_body, checks_passed, count, expected_version, passes};
use crate::facts::endpoints::{Assignment, ServiceEndpoints};
use crate::facts::pods::Pod;
use crate::facts::rollout::Ending;
use crate::run_state::RunState;
use crate::runbook::{Check, Deployment, HealthPath, Runbook, StepId};

/// A success criterion: a line of the runbook's Success Criteria.
pub struct Criterion {
    name: &'static str,
    evaluate: fn(&RunState) -> Evaluation,
}

/// The result of evaluating a criterion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CriterionState {
    /// The criterion is met.
    #[serde(rename = "met")]
    Met,
    /// The criterion is not met.
    #[serde(rename = "not met")]
    NotMet,
    /// There is no data to evaluate it by.
    #[serde(rename = "not evaluated")]
    NotEvaluated,
}

/// A criterion and its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CriterionResult {
    /// Its id for `explain`.
    pub id: String,
    /// The runbook's words.
    pub text: String,
    /// Whether it is met.
    pub state: CriterionState,
    /// The observation in words; `None` if it was not evaluated.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub observed: Option<String>,
    /// The reason why it was not evaluated; `None` if it was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub why: Option<String>,
    /// The commands by which it is evaluated.
    pub commands: Vec<StepId>,
}

impl CriterionResult {
    /// Returns whether this is the criterion that counts the passed checks.
    pub fn is_about_all_checks(&self) -> bool {
        self.id.starts_with("smoke-")
    }
}

struct Evaluation {
    state: CriterionState,
    text: String,
    commands: Vec<StepId>,
}

/// All success criteria, in the runbook's order.
pub static CRITERIA: &[Criterion] = &[
    Criterion { name: "rollout", evaluate: rollout },
    Criterion { name: "pods-running", evaluate: pods },
    Criterion { name: "endpoints", evaluate: endpoints },
    Criterion { name: "smoke-N-of-N", evaluate: all_of_all },
    Criterion { name: "health-body", evaluate: |run| body_says(run, HealthPath::Health) },
    Criterion { name: "readyz-body", evaluate: |run| body_says(run, HealthPath::Readyz) },
    Criterion { name: "no-5xx", evaluate: no_5xx },
    Criterion { name: "manifest", evaluate: manifest_ok },
    Criterion { name: "files", evaluate: files },
];

impl Criterion {
    /// Returns its id, in which the `N` of the name is replaced with the number of checks.
    pub fn id(&self, runbook: &Runbook) -> String {
        self.name.replace('N', &runbook.checks.len().to_string())
    }
}

/// Returns each criterion with the runbook's words.
pub fn criteria(runbook: &Runbook) -> impl Iterator<Item = (&'static Criterion, &str)> {
    CRITERIA.iter().zip(runbook.criteria.iter().map(String::as_str))
}

pub(super) fn judge(run: &RunState) -> Vec<CriterionResult> {
    criteria(&run.runbook)
        .map(|(row, text)| {
            let Evaluation { state, text: seen, commands } = (row.evaluate)(run);
            let (observed, why) =
                if state == CriterionState::NotEvaluated { (None, Some(seen)) } else { (Some(seen), None) };
            CriterionResult {
                id: row.id(&run.runbook),
                text: text.to_owned(),
                state,
                observed,
                why,
                commands,
            }
        })
        .collect()
}

/// Returns `deploy.ok`: every rollout succeeded, and neither stop rule 1 nor stop rule 2 stopped the run.
pub(super) fn deploy_ok(run: &RunState) -> bool {
    let failing = super::stop_rules::first(run).is_some_and(|stop| stop.rule <= 2);
    all_rolled_out(run) && !failing
}

/// Returns `smoke.ok`: every check of the runbook passed.
pub(super) fn smoke_ok(run: &RunState) -> bool {
    all_checks_answered(run) && checks_passed(run) == run.runbook.checks.len()
}

/// Returns whether every check of the runbook has an answer.
pub(super) fn all_checks_answered(run: &RunState) -> bool {
    !run.runbook.checks.is_empty() && run.checks.len() == run.runbook.checks.len()
}

fn all_rolled_out(run: &RunState) -> bool {
    let is_rolled_out = |name: &str| {
        let mut endings = run.rollouts.iter().filter(|rollout| rollout.deployment == name);
        endings.any(|rollout| rollout.ending == Ending::RolledOut)
    };
    let deployments = &run.runbook.deployments;
    !deployments.is_empty() && deployments.iter().all(|deployment| is_rolled_out(&deployment.name))
}

fn rollout(run: &RunState) -> Evaluation {
    let deployments = &run.runbook.deployments;
    let step = |deployment: &Deployment| StepId::Rollout(deployment.id.clone());
    let ids: Vec<StepId> = deployments.iter().map(step).filter(|id| was_run(run, id)).collect();
    if ids.is_empty() {
        return not_evaluated("the run ended before the rollout");
    }
    let ended = deployments.iter().map(|deployment| {
        let ending = run.rollouts.iter().find(|rollout| rollout.deployment == deployment.name);
        match ending {
            Some(rollout) => format!("{}: {}", deployment.name, rollout.ending.says()),
            None if was_run(run, &step(deployment)) => {
                format!("{}: ended when the run stopped", deployment.name)
            }
            None => format!("{}: not run", deployment.name),
        }
    });
    judged(all_rolled_out(run), ended.collect::<Vec<_>>().join("; "), ids)
}

fn pods(run: &RunState) -> Evaluation {
    let Some((_, pods)) = &run.pods_after else {
        return not_evaluated("the run ended before the pods were read");
    };
    let restarts: u64 = pods.iter().map(Pod::restarts).sum();
    let other: Vec<String> =
        pods.iter().filter(|pod| !pod.running()).map(|pod| format!("{}: {}", pod.name, pod.status)).collect();
    let observed = if other.is_empty() {
        format!("{} Running, {}", count(pods.len(), "pod"), count(restarts, "restart"))
    } else {
        format!("{} of {} not Running: {}", other.len(), count(pods.len(), "pod"), other.join(", "))
    };
    judged(other.is_empty() && !pods.is_empty(), observed, vec![StepId::ObjectsAfter])
}

fn endpoints(run: &RunState) -> Evaluation {
    let Some(services) = &run.endpoints else {
        return not_evaluated("the run ended before the Services were read");
    };
    let commands = vec![StepId::ObjectsAfter];
    let told: Vec<String> = services.iter().map(told_of_service).collect();
    let judged_services: Vec<_> =
        services.iter().filter(|s| !matches!(s.state, Assignment::NotEvaluated { .. })).collect();
    if judged_services.is_empty() {
        let why = if told.is_empty() {
            "no Service of the manifests was found".to_owned()
        } else {
            told.join("; ")
        };
        return Evaluation { state: CriterionState::NotEvaluated, text: why, commands };
    }
    let all = judged_services.iter().all(|service| service.state == Assignment::Assigned);
    judged(all, told.join("; "), commands)
}

fn told_of_service(service: &ServiceEndpoints) -> String {
    match &service.state {
        Assignment::Assigned => {
            format!("{}: {}", service.service, count(service.ready_endpoints, "endpoint"))
        }
        Assignment::NotAssigned { why } | Assignment::NotEvaluated { why } => {
            format!("{}: {why}", service.service)
        }
    }
}

fn all_of_all(run: &RunState) -> Evaluation {
    if run.checks.len() < run.runbook.checks.len() {
        return not_evaluated("the run ended before the checks were done");
    }
    let failed: Vec<StepId> = run
        .checks
        .iter()
        .filter(|answer| !passes(run, answer))
        .map(|answer| StepId::Check(answer.number))
        .collect();
    let observed = format!("{}/{} PASS", run.checks.len() - failed.len(), run.runbook.checks.len());
    let commands = if failed.is_empty() { check_ids(run) } else { failed.clone() };
    judged(failed.is_empty(), observed, commands)
}

fn body_says(run: &RunState, path: HealthPath) -> Evaluation {
    let step = StepId::Body(path);
    let Some((_, began)) = &run.began else { return not_evaluated("the run did not begin") };
    if !can_judge_body(path, &began.target.image_tag) {
        return not_evaluated("the image tag `latest` is not a version that can be compared: set IMAGE_TAG");
    }
    let Some(outcome) = run.outcome(&step) else {
        return not_evaluated("the run ended before the checks were done");
    };
    let wanted = match (path, expected_version(&began.target.image_tag)) {
        (HealthPath::Health, Some(version)) => format!("status healthy, version {version}"),
        _ => "status ready, every service up".to_owned(),
    };
    let observed = match outcome.exit.last() {
        Some(0) => wanted,
        Some(1) => format!("the answer differs from: {wanted}"),
        _ => "the answer is not JSON".to_owned(),
    };
    judged(outcome.succeeded(), observed, vec![step])
}

fn no_5xx(run: &RunState) -> Evaluation {
    if run.checks.len() < run.runbook.checks.len() {
        return not_evaluated("the run ended before the checks were done");
    }
    let errors: Vec<_> =
        run.checks.iter().filter(|answer| answer.transfer.http_status.starts_with('5')).collect();
    let told: Vec<String> =
        errors.iter().map(|a| format!("{}: {}", StepId::Check(a.number), a.transfer.http_status)).collect();
    let observed = if told.is_empty() { "none".to_owned() } else { told.join(", ") };
    judged(errors.is_empty(), observed, check_ids(run))
}

fn manifest_ok(run: &RunState) -> Evaluation {
    let (deploy, smoke) = (deploy_ok(run), smoke_ok(run));
    judged(deploy && smoke, format!("deploy.ok: {deploy}, smoke.ok: {smoke}"), Vec::new())
}

fn files(run: &RunState) -> Evaluation {
    let Some(files) = &run.files else { return not_evaluated("the run did not finish") };
    let missing: Vec<&str> = run
        .runbook
        .evidence_files
        .iter()
        .filter(|file| !file.only_on_stop && !files.contains(&file.path))
        .map(|file| file.path.as_str())
        .collect();
    let observed = if missing.is_empty() {
        "all present".to_owned()
    } else {
        format!("missing: {}", missing.join(", "))
    };
    judged(missing.is_empty(), observed, Vec::new())
}

fn check_ids(run: &RunState) -> Vec<StepId> {
    run.runbook.checks.iter().map(Check::id).collect()
}

fn was_run(run: &RunState, id: &StepId) -> bool {
    run.commands.iter().any(|command| command.intent.id == *id)
}

fn judged(met: bool, text: String, commands: Vec<StepId>) -> Evaluation {
    Evaluation { state: if met { CriterionState::Met } else { CriterionState::NotMet }, text, commands }
}

fn not_evaluated(why: &str) -> Evaluation {
    Evaluation { state: CriterionState::NotEvaluated, text: why.to_owned(), commands: Vec::new() }
}
