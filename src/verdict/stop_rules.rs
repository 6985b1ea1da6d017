use serde::{Deserialize, Serialize};

use super::{Lens, checks_passed};
use crate::events::{Conclusion, Sighting};
use crate::facts::pods::{Failing, Pod};
use crate::facts::rollout::Ending;
use crate::moment::Moment;
use crate::run_state::RunState;
use crate::runbook::{CHECKS, DEPLOYMENTS, SMOKE_THRESHOLD};

/// A row: one of the runbook's four stop rules.
pub struct StopRule {
    /// Its id for `explain`.
    pub id: &'static str,
    /// The runbook's number.
    pub number: u8,
    /// The runbook's words.
    pub text: &'static str,
    observe: fn(&RunState, Lens) -> Option<Observation>,
}

/// What a stop rule saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Observation {
    pub observed: String,
    pub limit: String,
    pub seen_at: Moment,
    /// The id of the command that showed it, or of the first and the last one.
    pub command: String,
    /// The line that showed it.
    pub line: Option<String>,
    pub confirmed_by: Option<String>,
    /// Why the confirmation failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unconfirmed: Option<String>,
    pub pod: Option<String>,
    pub container: Option<Failing>,
}

/// The stop rule that fired, and what it saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// The runbook's number.
    pub rule: u8,
    /// The runbook's words.
    pub text: String,
    /// What it saw.
    #[serde(flatten)]
    pub saw: Observation,
}

/// The four stop rules.
pub static STOP_RULES: &[StopRule] = &[
    StopRule {
        id: "stop-1",
        number: 1,
        text: "`kubectl rollout status` fails (deployment did not converge)",
        observe: rollout_failed,
    },
    StopRule {
        id: "stop-2",
        number: 2,
        text: "Any pod in `CrashLoopBackOff` or `Error` state",
        observe: pod_failing,
    },
    StopRule {
        id: "stop-3",
        number: 3,
        text: "Health check (`/health` or `/readyz`) returns non-200 after 2 minutes",
        observe: not_healthy,
    },
    StopRule {
        id: "stop-4",
        number: 4,
        text: "Smoke tests: < 8/10 PASS (80% threshold)",
        observe: too_few_passed,
    },
];

/// The rule that fired first.
pub(super) fn first(run: &RunState, lens: Lens) -> Option<Stop> {
    STOP_RULES
        .iter()
        .filter_map(|rule| {
            let saw = (rule.observe)(run, lens);
            let holds = lens(rule.id, saw.is_none());
            let saw = match (holds, saw) {
                (true, _) => return None,
                (false, Some(saw)) => saw,
                (false, None) => Observation::at(run.ended?, "", "not so", rule.text),
            };
            Some(Stop { rule: rule.number, text: rule.text.to_owned(), saw })
        })
        .min_by_key(|stop| stop.saw.seen_at)
}

impl Observation {
    fn at(seen_at: Moment, command: &str, observed: impl Into<String>, limit: &str) -> Self {
        Self {
            observed: observed.into(),
            limit: limit.to_owned(),
            seen_at,
            command: command.to_owned(),
            line: None,
            confirmed_by: None,
            unconfirmed: None,
            pod: None,
            container: None,
        }
    }
}

/// Rule 1, and an apply that failed: what was not applied can't converge.
fn rollout_failed(run: &RunState, _lens: Lens) -> Option<Observation> {
    let apply = DEPLOYMENTS.iter().find_map(|deployment| {
        let outcome = run.outcome(&format!("apply.{}", deployment.key))?;
        if outcome.succeeded() || outcome.ended_by.is_our_doing() {
            return None;
        }
        let said = outcome.first_error.as_deref().unwrap_or("it said nothing");
        let exit = outcome.exit.last().copied().unwrap_or_default();
        let seen_at = ended(run, outcome.started, outcome.duration_ms);
        let observed = format!("kubectl apply of {} exited {exit}: {said}", deployment.manifest);
        Some(Observation {
            line: outcome.first_error.clone(),
            ..Observation::at(seen_at, &outcome.id, observed, "every apply exits 0")
        })
    });
    let rollout =
        run.rollouts.iter().find(|rollout| rollout.ending != Ending::RolledOut).and_then(|rollout| {
            let deployment = DEPLOYMENTS.iter().find(|deployment| deployment.name == rollout.deployment)?;
            let id = format!("rollout.{}", deployment.key);
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
                ..Observation::at(rollout.at, &id, observed, "exit 0 for every Deployment")
            })
        });
    apply.or(rollout)
}

/// Pods that a quota or an admission plugin refuses leave no pod to look at; only the Deployment says why.
fn refused_pods(run: &RunState, name: &str) -> Option<String> {
    let deployments = run.deployments_after.as_ref()?;
    let message = deployments.iter().find(|deployment| deployment.name == name)?.failed_create()?;
    Some(format!("ReplicaFailure (FailedCreate): {message}"))
}

fn pod_failing(run: &RunState, _lens: Lens) -> Option<Observation> {
    let seen = run.sightings.iter().find(|judged| judged.conclusion.stops()).map(|judged| {
        let Sighting { pod, status, line, command, seen_at } = &judged.sighting;
        let unconfirmed = match &judged.conclusion {
            Conclusion::Unconfirmed(why) => Some(why.clone()),
            _ => None,
        };
        Observation {
            line: Some(line.clone()),
            confirmed_by: unconfirmed.is_none().then(|| "confirm.pod".to_owned()),
            unconfirmed,
            pod: Some(pod.clone()),
            container: judged.container.clone(),
            ..Observation::at(*seen_at, command, format!("pod {pod}: {status}"), "no pod")
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
            ..Observation::at(*at, "objects.after", observed, "no pod")
        })
    })
}

fn not_healthy(run: &RunState, _lens: Lens) -> Option<Observation> {
    let health = run.health.iter().find(|health| health.http_status != "200")?;
    let status = if health.http_status == "000" { "no answer" } else { &health.http_status };
    let times = if health.asks == 1 { "once".to_owned() } else { format!("{} times", health.asks) };
    Some(Observation::at(
        health.at,
        &health.id,
        format!("{}: {status} after {} s, asked {times}", health.path, health.waited_ms / 1000),
        &format!("200 within {} s", health.limit_ms / 1000),
    ))
}

fn too_few_passed(run: &RunState, lens: Lens) -> Option<Observation> {
    if run.checks.len() < CHECKS.len() {
        return None;
    }
    let passed = checks_passed(run, lens);
    let last = run.checks.last()?;
    (passed < SMOKE_THRESHOLD).then(|| {
        let observed = format!("{passed}/{} PASS", CHECKS.len());
        let limit = format!("at least {SMOKE_THRESHOLD}/{}", CHECKS.len());
        Observation::at(last.at, "check.01 to check.10", observed, &limit)
    })
}

/// What a sighting comes to, by the one look at the pod that followed it.
///
/// A pod that is being deleted prints `Error` when its containers end non-zero on TERM, after the rollout has
/// succeeded: it does not count. One that runs again meanwhile does: its last state is quoted. A pod that was
/// failing before the deploy may be what the rollout mends: it is excused until the rollouts have ended, but
/// not when nothing is applied, or the apply changed nothing about its Deployment.
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

/// How a container ended that runs again meanwhile.
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
    if !applies || run.rollouts.len() == DEPLOYMENTS.len() {
        return None;
    }
    let unchanged = before.deployment.as_ref().is_some_and(|deployment| {
        let generation = run.generations_applied.get(deployment);
        generation.is_some() && generation == run.generations_before.get(deployment)
    });
    (!unchanged).then(|| "it was failing before the deploy, which may mend it".to_owned())
}

fn ended(run: &RunState, started: Moment, duration_ms: u64) -> Moment {
    let duration = jiff::SignedDuration::from_millis(i64::try_from(duration_ms).unwrap_or(0));
    started.0.checked_add(duration).map_or_else(|_| run.ended.unwrap_or(started), Moment)
}
