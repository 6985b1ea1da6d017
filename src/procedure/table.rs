//! The table: what is due, in the order of the runbook.
//!
//! Each function below is a part of the runbook, and each line something that is due. [`Due::Judge`] stands
//! where the run decides whether it may go on.

use std::collections::BTreeSet;

use super::due::{Due, NextCommand};
use super::{Procedure, RecordedOutput, dump, health, pods};
use crate::events::Scope;
use crate::run_state::RunState;
use crate::runbook::{Check, HealthPath, LatencyGroupId, Runbook, StepId, VersionedTool};
use crate::verdict;

/// The programs that sign the checksums and verify a signature.
pub const SIGNING_PROGRAMS: [&str; 2] = ["cat", "ssh-keygen"];

/// What is due before the runbook is known.
pub(super) fn beginning() -> Vec<Due> {
    vec![Due::RunBegan, Due::RunbookRead, Due::then(of_this_run)]
}

#[allow(clippy::unnecessary_wraps, reason = "it is a `Decide`")]
fn of_this_run(procedure: &mut Procedure, _: &dyn RecordedOutput) -> Result<Vec<Due>, String> {
    let run = procedure.state();
    Ok(of_scope(&run.runbook, procedure.scope(), run.applies()))
}

/// Returns the steps of a run in the order in which they are due, with those that only some runs need, and those of
/// the action on STOP at the end.
pub fn steps(runbook: &Runbook, scope: Scope, applies: bool) -> Vec<StepId> {
    let due = of_scope(runbook, scope, applies);
    let on_stop = if scope == Scope::Whole { dump::STEPS } else { &[] };
    due.iter().flat_map(Due::steps).chain(on_stop.iter().cloned()).collect()
}

fn of_scope(runbook: &Runbook, scope: Scope, applies: bool) -> Vec<Due> {
    match scope {
        Scope::Preflight => [preflight(runbook, applies), vec![Due::Over]].concat(),
        Scope::Smoke => [smoke(runbook), vec![Due::Over]].concat(),
        Scope::Whole => whole(runbook, applies),
    }
}

fn whole(runbook: &Runbook, applies: bool) -> Vec<Due> {
    let deploy = if applies { deploy(runbook) } else { Vec::new() };
    let end = vec![Due::then(pods::last_look), Due::Judge, Due::Over];
    [preflight(runbook, applies), watch(), deploy, rollouts(runbook), after(), smoke(runbook), end].concat()
}

/// Step 1: the inputs, and every guard.
fn preflight(runbook: &Runbook, applies: bool) -> Vec<Due> {
    let manifests = runbook.deployments.iter().filter(|_| applies);
    let mut due = vec![Due::StepBegins];
    due.extend(manifests.map(|deployment| Due::Manifest(deployment.manifest.clone())));
    due.extend([
        Due::Judge,
        Due::starts(questions(runbook, applies).into_iter().map(NextCommand::of)),
        Due::then(|procedure, _| Ok(vec![Due::Tools(programs(procedure.state()).into_iter().collect())])),
        Due::Facts,
        Due::Judge,
        Due::StepEnds(1),
    ]);
    due
}

/// The questions of the preflight; none of them changes anything.
fn questions(runbook: &Runbook, applies: bool) -> Vec<StepId> {
    let mut ids: Vec<StepId> = VersionedTool::ALL.into_iter().map(StepId::Version).collect();
    ids.extend([
        StepId::Context,
        StepId::Namespaces,
        StepId::Namespace,
        StepId::StatusBefore,
        StepId::Server,
        StepId::Whoami,
        StepId::Uids,
        StepId::ObjectsBefore,
    ]);
    ids.extend(runbook.permissions.iter().map(|permission| StepId::CanI(permission.id.clone())));
    for deployment in runbook.deployments.iter().filter(|_| applies) {
        ids.extend([StepId::Render(deployment.id.clone()), StepId::Guard(deployment.id.clone())]);
    }
    ids
}

/// The programs of a run, in the order of their names.
fn programs(run: &RunState) -> BTreeSet<String> {
    let signs = run.began.as_ref().is_some_and(|(_, began)| began.options.sign_with.is_some());
    let signing = SIGNING_PROGRAMS.into_iter().filter(|_| signs);
    let of_steps = run.runbook.steps.iter().flat_map(|step| step.line.programs());
    of_steps.chain(signing).map(str::to_owned).collect()
}

/// Stop rule 2: the pods are watched from here on, and nothing is changed before the watch has shown them.
fn watch() -> Vec<Due> {
    let first_sight = |procedure: &mut Procedure, _: &dyn RecordedOutput| {
        let there = procedure.state().pods_before.as_ref().map_or(0, |(total, _)| *total);
        Ok(vec![Due::FirstSight(there)])
    };
    vec![Due::Watch, Due::then(first_sight)]
}

/// Step 2: the context, then each manifest.
fn deploy(runbook: &Runbook) -> Vec<Due> {
    let mut due = vec![Due::StepBegins, Due::run(StepId::UseContext), Due::Judge];
    for deployment in &runbook.deployments {
        due.extend([Due::run(StepId::Apply(deployment.id.clone())), Due::Facts, Due::Judge]);
    }
    due.extend([Due::StepEnds(2), Due::then_maybe(pods::reconsider, &[StepId::ObjectsApplied])]);
    due
}

/// Step 3: one rollout after the other.
fn rollouts(runbook: &Runbook) -> Vec<Due> {
    let mut due = vec![Due::StepBegins];
    for deployment in &runbook.deployments {
        due.extend([Due::run(StepId::Rollout(deployment.id.clone())), Due::Judge, Due::Facts, Due::Judge]);
    }
    due.push(Due::StepEnds(3));
    due
}

/// Step 4: the state of the cluster.
fn after() -> Vec<Due> {
    let states = [StepId::StatusAfter, StepId::ObjectsAfter].map(NextCommand::of);
    vec![Due::StepBegins, Due::starts(states), Due::Judge, Due::Facts, Due::Judge, Due::StepEnds(4)]
}

/// Step 5: the gate of stop rule 3, the checks, the criteria about their bodies, and the latency.
fn smoke(runbook: &Runbook) -> Vec<Due> {
    let checks = runbook.checks.iter().map(|check: &Check| NextCommand::of(check.id()));
    let latency = LatencyGroupId::ALL.map(|group| NextCommand::of(StepId::Latency(group)));
    vec![
        Due::StepBegins,
        Due::then_maybe(health::ask, health::STEPS),
        Due::starts(checks),
        Due::Judge,
        Due::Facts,
        Due::then_maybe(|procedure, _| Ok(bodies(procedure.state())), BODIES),
        Due::Judge,
        Due::starts(latency),
        Due::Judge,
        Due::Facts,
        Due::StepEnds(5),
    ]
}

const BODIES: &[StepId] = &[StepId::Body(HealthPath::Health), StepId::Body(HealthPath::Readyz)];

/// The bodies that jq evaluates: of the checks that were answered, if the criterion can be evaluated.
fn bodies(run: &RunState) -> Vec<Due> {
    let Some((_, began)) = &run.began else { return Vec::new() };
    let answered = |path: &HealthPath| {
        let number = run.runbook.check_of(*path).map(|check| check.number);
        let answer = run.checks.iter().find(|answer| Some(answer.number) == number);
        answer.is_some_and(|answer| answer.transfer.http_status != "000")
    };
    let paths = HealthPath::ALL.into_iter();
    let judged = paths
        .filter(|path| verdict::can_judge_body(*path, &began.target.image_tag))
        .filter(answered)
        .map(|path| NextCommand::of(StepId::Body(path)));
    let judged: Vec<NextCommand> = judged.collect();
    if judged.is_empty() { Vec::new() } else { vec![Due::starts(judged)] }
}

/// The end of a run: the action on STOP, then the last events.
pub(super) fn closing(procedure: &Procedure) -> Vec<Due> {
    let run = procedure.state();
    let (whole, signal) = (procedure.scope() == Scope::Whole, procedure.interrupts());
    let mut due = Vec::new();
    if whole && run.failed.is_none() && signal.is_none() && verdict::judge(run).stop.is_some() {
        due.extend(dump::dump(run));
    }
    due.extend(last(run, whole, signal));
    due
}

/// The last events, also of a run that fails in its end.
pub(super) fn last(run: &RunState, whole: bool, signal: Option<i32>) -> Vec<Due> {
    let interrupted = signal.filter(|_| run.failed.is_none()).map(Due::Interrupted);
    let files = whole.then_some(Due::FilesListed);
    interrupted.into_iter().chain(files).chain([Due::RunEnded]).collect()
}
