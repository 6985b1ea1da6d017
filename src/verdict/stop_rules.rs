//! The runbook's four stop rules, each a pure function of the [`RunState`].
//!
//! If several rules fire, the one with the earliest observation counts.

use serde::{Deserialize, Serialize};

use super::checks_passed;
use crate::events::{Conclusion, Sighting};
use crate::facts::pods::{Failing, Pod};
use crate::facts::rollout::Ending;
use crate::moment::Moment;
use crate::run_state::RunState;
use crate::runbook::{Runbook, ShownBy, StepId};

/// A stop rule: one of the runbook's four.
#[derive(Debug, Clone, Copy)]
pub struct StopRule {
    /// Its id for `explain`.
    pub id: &'static str,
    /// Its number in the runbook.
    pub number: u8,
    observe: fn(&RunState) -> Option<Observation>,
}

/// The observation that made a stop rule fire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// The observation in words.
    pub observed: String,
    /// The limit that was violated, in words.
    pub limit: String,
    /// The time of the observation.
    pub seen_at: Moment,
    /// The command that showed it, or the first and the last such command.
    pub command: ShownBy,
    /// The line of output that showed it; `None` if no single line did.
    pub line: Option<String>,
    /// The command that confirmed it; `None` if the rule needs no confirmation, or the confirmation failed.
    pub confirmed_by: Option<StepId>,
    /// The reason why the confirmation failed; `None` if it did not fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unconfirmed: Option<String>,
    /// The name of the pod; `None` if the rule is not about a pod.
    pub pod: Option<String>,
    /// The failing container; `None` if none is known.
    pub container: Option<Failing>,
}

/// The stop rule that fired, and its observation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// The number of the rule in the runbook.
    pub rule: u8,
    /// The runbook's words.
    pub text: String,
    /// The observation.
    #[serde(flatten)]
    pub saw: Observation,
}

/// The four stop rules, in the runbook's order.
pub static STOP_RULES: &[StopRule] = &[
    StopRule { id: "stop-1", number: 1, observe: rollout_failed },
    StopRule { id: "stop-2", number: 2, observe: pod_failing },
    StopRule { id: "stop-3", number: 3, observe: not_healthy },
    StopRule { id: "stop-4", number: 4, observe: too_few_passed },
];

impl StopRule {
    /// Returns the runbook's words.
    pub fn text(self, runbook: &Runbook) -> &str {
        runbook.stop_rules.get(usize::from(self.number).wrapping_sub(1)).map_or("", String::as_str)
    }
}

/// Returns the stop rule that fired first.
pub(super) fn first(run: &RunState) -> Option<Stop> {
    STOP_RULES
        .iter()
        .filter_map(|rule| {
            let saw = (rule.observe)(run);
            Some(Stop { rule: rule.number, text: rule.text(&run.runbook).to_owned(), saw: saw? })
        })
        .min_by_key(|stop| stop.saw.seen_at)
}

impl Observation {
    fn at(seen_at: Moment, command: ShownBy, observed: impl Into<String>, limit: &str) -> Self {
        Self {
            observed: observed.into(),
            limit: limit.to_owned(),
            seen_at,
            command,
            line: None,
            confirmed_by: None,
            unconfirmed: None,
            pod: None,
            container: None,
        }
    }
}

/// Evaluates rule 1, which also fires if an apply failed: a manifest that was not applied can't converge.
fn rollout_failed(run: &RunState) -> Option<Observation> {
    let apply = run.runbook.deployments.iter().find_map(|deployment| {
        let outcome = run.outcome(&StepId::Apply(deployment.id.clone()))?;
        if outcome.succeeded() || outcome.ended_by.is_our_doing() {
            return None;
        }
        let said = outcome.first_error.as_deref().unwrap_or("it printed no error");
        let (stage, exit) = outcome.failed_stage().unwrap_or_default();
        let step = run.runbook.step(&outcome.id);
        let program = step.and_then(|step| step.line.programs().nth(stage)).unwrap_or_default();
        let seen_at = ended(run, outcome.started, outcome.duration_ms);
        let observed = match program {
            "kubectl" => format!("kubectl apply of {} exited {exit}: {said}", deployment.manifest),
            other => format!("the apply of {}: {other} exited {exit}: {said}", deployment.manifest),
        };
        Some(Observation {
            line: outcome.first_error.clone(),
            ..Observation::at(seen_at, ShownBy::Step(outcome.id.clone()), observed, "every apply exits 0")
        })
    });
    let rollout =
        run.rollouts.iter().find(|rollout| rollout.ending != Ending::RolledOut).and_then(|rollout| {
            let deployment = run.runbook.deployments.iter().find(|d| d.name == rollout.deployment)?;
            let id = StepId::Rollout(deployment.id.clone());
            let outcome = run.outcome(&id)?;
            if outcome.ended_by.is_our_doing() {
                return None;
            }
            let exit = outcome.exit.last().copied().unwrap_or_default();
            let why =
                refused_pods(run, &rollout.deployment).map(|why| format!("; {why}")).unwrap_or_default();
            let observed =
                format!("deployment/{}: {} (exit {exit}){why}", rollout.deployment, rollout.ending.says());
            Some(Observation {
                line: outcome.first_error.clone(),
                ..Observation::at(rollout.at, ShownBy::Step(id), observed, "exit 0 for every Deployment")
            })
        });
    apply.or(rollout)
}

/// Returns why a quota or an admission plugin refused pods: without a pod, only the Deployment shows the
/// reason.
fn refused_pods(run: &RunState, name: &str) -> Option<String> {
    let deployments = run.deployments_after.as_ref()?;
    let message = deployments.iter().find(|deployment| deployment.name == name)?.failed_create()?;
    Some(format!("ReplicaFailure (FailedCreate): {message}"))
}

fn pod_failing(run: &RunState) -> Option<Observation> {
    let seen = run.sightings.iter().find(|judged| judged.conclusion.stops()).map(|judged| {
        let Sighting { pod, status, line, command, seen_at, .. } = &judged.sighting;
        let unconfirmed = match &judged.conclusion {
            Conclusion::Unconfirmed(why) => Some(why.clone()),
            _ => None,
        };
        Observation {
            line: Some(line.clone()),
            confirmed_by: unconfirmed.is_none().then_some(StepId::ConfirmPod),
            unconfirmed,
            pod: Some(pod.clone()),
            container: judged.container.clone(),
            ..Observation::at(
                *seen_at,
                ShownBy::Step(command.clone()),
                format!("pod {pod}: {status}"),
                "no pod",
            )
        }
    });
    seen.or_else(|| {
        let (at, pods) = run.pods_after.as_ref()?;
        let (pod, failing) =
            pods.iter().filter(|pod| !pod.deleting).find_map(|pod| Some((pod, pod.failing()?)))?;
        let stale =
            run.pods_before.as_ref().is_some_and(|(_, before)| before.iter().any(|b| b.uid == pod.uid));
        let since = if stale { ", as before the deploy" } else { "" };
        let observed = format!("pod {}: {}{since}", pod.name, failing.word);
        Some(Observation {
            pod: Some(pod.name.clone()),
            container: Some(failing),
            ..Observation::at(*at, ShownBy::Step(StepId::ObjectsAfter), observed, "no pod")
        })
    })
}

fn not_healthy(run: &RunState) -> Option<Observation> {
    let health = run.health.iter().find(|health| health.http_status != "200")?;
    let status = if health.http_status == "000" { "no answer" } else { &health.http_status };
    let times = if health.asks == 1 { "once".to_owned() } else { format!("{} times", health.asks) };
    Some(Observation::at(
        health.at,
        ShownBy::Step(health.id.clone()),
        format!("{}: {status} after {} s, asked {times}", health.path, health.waited_ms / 1000),
        &format!("200 within {} s", health.limit_ms / 1000),
    ))
}

fn too_few_passed(run: &RunState) -> Option<Observation> {
    let (all, threshold) = (run.runbook.checks.len(), run.runbook.smoke_threshold);
    if run.checks.len() < all {
        return None;
    }
    let passed = checks_passed(run);
    let last = run.checks.last()?;
    let shown_by = run.runbook.all_checks()?;
    (passed < threshold).then(|| {
        let limit = format!("at least {threshold}/{all}");
        Observation::at(last.at, shown_by, format!("{passed}/{all} PASS"), &limit)
    })
}

/// Returns the conclusion about a sighting, by the read of the pod that followed it.
///
/// A pod that is being deleted does not count: it shows `Error` when its containers exit non-zero on TERM,
/// after the rollout has succeeded. A pod that runs again meanwhile does count, and its last state is quoted.
/// If the pod could not be read, the sighting is unconfirmed and counts.
///
/// A pod that was failing before the deploy is excused until the rollouts have ended, because the rollout may
/// fix it. It is not excused if nothing is applied, or the apply changed nothing about its Deployment.
pub fn conclude(
    run: &RunState,
    sighting: &Sighting,
    look: Result<Option<Pod>, String>,
) -> (Conclusion, Option<Failing>) {
    let pod = match look {
        Err(why) => return (Conclusion::Unconfirmed(why), None),
        Ok(None) => return (Conclusion::RuledOut("the pod is gone".to_owned()), None),
        Ok(Some(pod)) if pod.deleting => {
            return (Conclusion::RuledOut("the pod is being deleted".to_owned()), None);
        }
        Ok(Some(pod)) => pod,
    };
    let container = pod.failing().or_else(|| failed_last(&pod));
    match excuse(run, &sighting.pod, &pod.uid) {
        Some(why) => (Conclusion::Excused(why), container),
        None => (Conclusion::Stands, container),
    }
}

/// Returns the last state of a container that failed and runs again meanwhile.
fn failed_last(pod: &Pod) -> Option<Failing> {
    pod.containers.iter().find_map(|container| {
        let last = container.last.as_ref()?;
        Some(Failing {
            container: container.name.clone(),
            word: "Error".to_owned(),
            reason: last.reason.clone(),
            exit_code: Some(last.exit_code),
            restarts: container.restarts,
            image: container.image.clone(),
        })
    })
}

fn excuse(run: &RunState, name: &str, uid: &str) -> Option<String> {
    let (_, failing) = run.pods_before.as_ref()?;
    let before = failing.iter().find(|before| before.pod == name && before.uid == uid)?;
    let applies = run.applies();
    if !applies || run.rollouts.len() == run.runbook.deployments.len() {
        return None;
    }
    let unchanged = before.deployment.as_ref().is_some_and(|deployment| {
        let generation = run.generations_applied.get(deployment);
        generation.is_some() && generation == run.generations_before.get(deployment)
    });
    (!unchanged).then(|| "it was failing before the deploy, which may fix it".to_owned())
}

fn ended(run: &RunState, started: Moment, duration_ms: u64) -> Moment {
    let duration = jiff::SignedDuration::from_millis(i64::try_from(duration_ms).unwrap_or(0));
    started.0.checked_add(duration).map_or_else(|_| run.ended.unwrap_or(started), Moment)
}
