use serde::{Deserialize, Serialize};

use super::{Lens, can_judge_body, checks_passed, expected_version, passes};
use crate::facts::endpoints::{Assignment, ServiceEndpoints};
use crate::facts::pods::Pod;
use crate::facts::rollout::Ending;
use crate::run_state::RunState;
use crate::runbook::{BODY_CHECKS, CHECKS, DEPLOYMENTS, EVIDENCE_FILES, check_id};

/// A row: a line of the runbook's Success Criteria.
pub struct Criterion {
    /// Its id.
    pub id: &'static str,
    /// The runbook's words.
    pub text: &'static str,
    evaluate: fn(&RunState, Lens) -> Evaluation,
}

/// Whether a criterion holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// It holds.
    #[serde(rename = "met")]
    Met,
    /// It does not.
    #[serde(rename = "not met")]
    NotMet,
    /// There is nothing to judge it by.
    #[serde(rename = "not evaluated")]
    NotEvaluated,
}

/// A criterion as judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct CriterionResult {
    pub id: String,
    pub text: String,
    pub state: State,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub observed: Option<String>,
    /// Why it was not evaluated.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub why: Option<String>,
    /// The commands it is judged by.
    pub commands: Vec<String>,
}

struct Evaluation {
    state: State,
    text: String,
    commands: Vec<String>,
}

/// The runbook's Success Criteria, in its order.
pub static CRITERIA: &[Criterion] = &[
    Criterion {
        id: "rollout",
        text: "`kubectl rollout status` exits 0 for all deployments (API, Worker, Reaper)",
        evaluate: rollout,
    },
    Criterion {
        id: "pods-running",
        text: "All pods in `Running` state (0 restarts preferred)",
        evaluate: pods,
    },
    Criterion { id: "endpoints", text: "Services have endpoints assigned", evaluate: endpoints },
    Criterion { id: "smoke-10-of-10", text: "10/10 checks PASS", evaluate: ten_of_ten },
    Criterion {
        id: "health-body",
        text: "`/health` returns `{\"status\": \"healthy\", \"version\": \"0.4.2.2\"}`",
        evaluate: |run, _| body(run, "body.health"),
    },
    Criterion {
        id: "readyz-body",
        text: "`/readyz` returns `{\"status\": \"ready\", ...}` with all services \"up\"",
        evaluate: |run, _| body(run, "body.readyz"),
    },
    Criterion { id: "no-5xx", text: "No 5xx errors in smoke tests", evaluate: no_5xx },
    Criterion {
        id: "manifest",
        text: "`manifest.json` has `deploy.ok: true` and `smoke.ok: true`",
        evaluate: manifest_ok,
    },
    Criterion {
        id: "files",
        text: "All required files in `evidence/staging/YYYYMMDD/` present",
        evaluate: files,
    },
];

pub(super) fn judge(run: &RunState, lens: Lens) -> Vec<CriterionResult> {
    CRITERIA
        .iter()
        .map(|row| {
            let Evaluation { state, text, commands } = (row.evaluate)(run, lens);
            let state = match state {
                State::NotEvaluated => state,
                _ if lens(row.id, state == State::Met) => State::Met,
                _ => State::NotMet,
            };
            let (observed, why) =
                if state == State::NotEvaluated { (None, Some(text)) } else { (Some(text), None) };
            CriterionResult {
                id: row.id.to_owned(),
                text: row.text.to_owned(),
                state,
                observed,
                why,
                commands,
            }
        })
        .collect()
}

/// `deploy.ok`: every rollout succeeded and no pod stopped the run.
pub(super) fn deploy_ok(run: &RunState, lens: Lens) -> bool {
    let failing = super::stop_rules::first(run, lens).is_some_and(|stop| stop.rule <= 2);
    rolled_out(run) == DEPLOYMENTS.len() && !failing
}

/// `smoke.ok`: ten of ten.
pub(super) fn smoke_ok(run: &RunState, lens: Lens) -> bool {
    run.checks.len() == CHECKS.len() && checks_passed(run, lens) == CHECKS.len()
}

fn rolled_out(run: &RunState) -> usize {
    run.rollouts.iter().filter(|rollout| rollout.ending == Ending::RolledOut).count()
}

fn rollout(run: &RunState, _lens: Lens) -> Evaluation {
    let ids: Vec<String> =
        DEPLOYMENTS.iter().map(|d| format!("rollout.{}", d.key)).filter(|id| was_run(run, id)).collect();
    if ids.is_empty() {
        return not_evaluated("the run ended before the rollout");
    }
    let ended = DEPLOYMENTS.iter().map(|deployment| {
        let ending = run.rollouts.iter().find(|rollout| rollout.deployment == deployment.name);
        match ending {
            Some(rollout) => format!("{}: {}", deployment.name, rollout.ending.says()),
            None if was_run(run, &format!("rollout.{}", deployment.key)) => {
                format!("{}: ended when the run stopped", deployment.name)
            }
            None => format!("{}: not run", deployment.name),
        }
    });
    judged(rolled_out(run) == DEPLOYMENTS.len(), ended.collect::<Vec<_>>().join("; "), ids)
}

fn pods(run: &RunState, _lens: Lens) -> Evaluation {
    let Some((_, pods)) = &run.pods_after else {
        return not_evaluated("the run ended before the pods were read");
    };
    let restarts: u64 = pods.iter().map(Pod::restarts).sum();
    let other: Vec<String> =
        pods.iter().filter(|pod| !pod.running()).map(|pod| format!("{}: {}", pod.name, pod.status)).collect();
    let observed = if other.is_empty() {
        format!("{} pods Running, {restarts} restarts", pods.len())
    } else {
        format!("{} of {} pods not Running: {}", other.len(), pods.len(), other.join(", "))
    };
    judged(other.is_empty() && !pods.is_empty(), observed, vec!["objects.after".to_owned()])
}

fn endpoints(run: &RunState, _lens: Lens) -> Evaluation {
    let Some(services) = &run.endpoints else {
        return not_evaluated("the run ended before the Services were read");
    };
    let commands = vec!["objects.after".to_owned()];
    let told: Vec<String> = services.iter().map(told_of_service).collect();
    let judged_services: Vec<_> =
        services.iter().filter(|s| !matches!(s.state, Assignment::NotEvaluated { .. })).collect();
    if judged_services.is_empty() {
        let why = if told.is_empty() {
            "no Service of the manifests was found".to_owned()
        } else {
            told.join("; ")
        };
        return Evaluation { state: State::NotEvaluated, text: why, commands };
    }
    let all = judged_services.iter().all(|service| service.state == Assignment::Assigned);
    judged(all, told.join("; "), commands)
}

fn told_of_service(service: &ServiceEndpoints) -> String {
    match &service.state {
        Assignment::Assigned => format!("{}: {} endpoints", service.service, service.ready_endpoints),
        Assignment::NotAssigned { why } | Assignment::NotEvaluated { why } => {
            format!("{}: {why}", service.service)
        }
    }
}

fn ten_of_ten(run: &RunState, lens: Lens) -> Evaluation {
    if run.checks.len() < CHECKS.len() {
        return not_evaluated("the run ended before the checks");
    }
    let failed: Vec<String> = run
        .checks
        .iter()
        .filter(|answer| !passes(run, answer, lens))
        .map(|answer| check_id(answer.number))
        .collect();
    let observed = format!("{}/{} PASS", run.checks.len() - failed.len(), CHECKS.len());
    let commands = if failed.is_empty() { check_ids() } else { failed.clone() };
    judged(failed.is_empty(), observed, commands)
}

fn body(run: &RunState, id: &str) -> Evaluation {
    let Some(row) = BODY_CHECKS.iter().find(|row| row.id == id) else {
        return not_evaluated("no such check");
    };
    let Some((_, began)) = &run.began else { return not_evaluated("the run did not begin") };
    if !can_judge_body(row, &began.target.image_tag) {
        return not_evaluated("the tag `latest` names no version to compare with: set IMAGE_TAG");
    }
    let Some(outcome) = run.outcome(id) else { return not_evaluated("the run ended before the checks") };
    let wanted = match (row.needs_version, expected_version(&began.target.image_tag)) {
        (true, Some(version)) => format!("status healthy, version {version}"),
        _ => "status ready, every service up".to_owned(),
    };
    let observed = match outcome.exit.last() {
        Some(0) => wanted,
        Some(1) => format!("another answer than: {wanted}"),
        _ => "no JSON to judge".to_owned(),
    };
    judged(outcome.succeeded(), observed, vec![id.to_owned()])
}

fn no_5xx(run: &RunState, _lens: Lens) -> Evaluation {
    if run.checks.len() < CHECKS.len() {
        return not_evaluated("the run ended before the checks");
    }
    let errors: Vec<_> =
        run.checks.iter().filter(|answer| answer.transfer.http_status.starts_with('5')).collect();
    let told: Vec<String> =
        errors.iter().map(|a| format!("{}: {}", check_id(a.number), a.transfer.http_status)).collect();
    let observed = if told.is_empty() { "none".to_owned() } else { told.join(", ") };
    judged(errors.is_empty(), observed, check_ids())
}

fn manifest_ok(run: &RunState, lens: Lens) -> Evaluation {
    let (deploy, smoke) = (deploy_ok(run, lens), smoke_ok(run, lens));
    judged(deploy && smoke, format!("deploy.ok: {deploy}, smoke.ok: {smoke}"), Vec::new())
}

fn files(run: &RunState, _lens: Lens) -> Evaluation {
    let Some(files) = &run.files else { return not_evaluated("the run did not come to its end") };
    let missing: Vec<&str> = EVIDENCE_FILES
        .iter()
        .filter(|file| !file.only_on_stop && !files.iter().any(|there| there == file.path))
        .map(|file| file.path)
        .collect();
    let observed = if missing.is_empty() {
        "all present".to_owned()
    } else {
        format!("missing: {}", missing.join(", "))
    };
    judged(missing.is_empty(), observed, Vec::new())
}

fn check_ids() -> Vec<String> {
    CHECKS.iter().map(crate::runbook::Check::id).collect()
}

fn was_run(run: &RunState, id: &str) -> bool {
    run.commands.iter().any(|command| command.intent.id == id)
}

fn judged(met: bool, text: String, commands: Vec<String>) -> Evaluation {
    Evaluation { state: if met { State::Met } else { State::NotMet }, text, commands }
}

fn not_evaluated(why: &str) -> Evaluation {
    Evaluation { state: State::NotEvaluated, text: why.to_owned(), commands: Vec::new() }
}
