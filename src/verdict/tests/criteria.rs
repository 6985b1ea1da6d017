//! For each criterion the run that meets it, and for each judgement the nearest run that comes to it.

use std::collections::{BTreeMap, BTreeSet};

use super::super::criteria::CRITERIA;
use super::super::{CriterionResult, CriterionState, criteria, judge};
use crate::events::EventKind;
use crate::facts::endpoints::{Assignment, ServiceEndpoints};
use crate::facts::pods::State;
use crate::facts::rollout::Ending;
use crate::fixture::{self, Build, Events, events, nothing_yet, runbook};
use crate::runbook::{CheckNumber, StepId};
use CriterionState::{Met, NotEvaluated, NotMet};

/// A run, and what is judged by one of its criteria.
struct Row {
    id: &'static str,
    /// Where it starts from: a run that meets all of them, or one that has just begun.
    from: fn() -> Events,
    change: Build,
    state: CriterionState,
    says: &'static str,
    commands: &'static [&'static str],
}

const PASSING: fn() -> Events = Events::passing;

fn judged(events: &Events, id: &str) -> CriterionResult {
    let all = judge(&events.run()).criteria;
    all.into_iter().find(|criterion| criterion.id == id).unwrap()
}

fn ending<'e>(run: &'e mut Events, name: &str, to: &Ending) -> &'e mut Events {
    run.change(|kind| match kind {
        EventKind::RolloutEnded { deployment, ending } if deployment == name => {
            *ending = to.clone();
            true
        }
        _ => false,
    })
}

/// Without a rollout's ending, and without its command if that was not run either.
fn no_rollout<'e>(run: &'e mut Events, deployment: &str, id: Option<&str>) -> &'e mut Events {
    let name = deployment.to_owned();
    let id = id.map(fixture::step);
    run.without(move |kind| match kind {
        EventKind::RolloutEnded { deployment, .. } => *deployment == name,
        EventKind::CommandStarts(intent) => Some(&intent.id) == id.as_ref(),
        _ => false,
    })
}

fn pods(run: &mut Events, change: impl Fn(&mut Vec<crate::facts::pods::Pod>)) -> &mut Events {
    run.change(|kind| match kind {
        EventKind::PodsAfter { pods } => {
            change(pods);
            true
        }
        _ => false,
    })
}

fn services<'e>(run: &'e mut Events, states: &[(&str, usize, Assignment)]) -> &'e mut Events {
    let service = |(service, ready_endpoints, state): &(&str, usize, Assignment)| ServiceEndpoints {
        service: (*service).to_owned(),
        ready_endpoints: *ready_endpoints,
        state: state.clone(),
    };
    run.change(|kind| match kind {
        EventKind::Endpoints { services } => {
            *services = states.iter().map(service).collect();
            true
        }
        _ => false,
    })
}

fn not_assigned() -> Assignment {
    Assignment::NotAssigned { why: "no endpoint is ready".into() }
}

fn no_selector() -> Assignment {
    Assignment::NotEvaluated { why: "it has no selector".into() }
}

fn answer<'e>(run: &'e mut Events, number: u8, status: &str, exit: i32) -> &'e mut Events {
    run.change(|kind| match kind {
        EventKind::CheckAnswered { check, transfer, .. } if check.get() == number => {
            status.clone_into(&mut transfer.http_status);
            transfer.exit_code = exit;
            true
        }
        _ => false,
    })
}

fn without_check(run: &mut Events, number: u8) -> &mut Events {
    run.without(move |kind| matches!(kind, EventKind::CheckAnswered { check, .. } if check.get() == number))
}

fn latest(run: &mut Events) -> &mut Events {
    run.began(|began| began.target.image_tag = "latest".into())
}

fn files<'e>(run: &'e mut Events, but: &str) -> &'e mut Events {
    run.change(|kind| match kind {
        EventKind::FilesListed { files } => {
            files.retain(|file| file != but);
            true
        }
        _ => false,
    })
}

const ROLLOUTS: &[&str] = &["rollout.api", "rollout.worker", "rollout.reaper"];
const CHECKS: &[&str] = &[
    "check.01", "check.02", "check.03", "check.04", "check.05", "check.06", "check.07", "check.08",
    "check.09", "check.10",
];
const OBJECTS: &[&str] = &["objects.after"];

/// A row that starts from a run that meets every criterion.
const fn row(
    id: &'static str,
    state: CriterionState,
    change: Build,
    says: &'static str,
    commands: &'static [&'static str],
) -> Row {
    Row { id, from: PASSING, change, state, says, commands }
}

/// A row of a run that has just begun.
const fn begun(id: &'static str, says: &'static str) -> Row {
    Row { id, from: events, change: |run| run, state: NotEvaluated, says, commands: &[] }
}

#[rustfmt::skip]
const DEPLOY_ROWS: &[Row] = &[
    row("rollout", Met, |run| run, "dpp-api: successfully rolled out; dpp-worker: successfully rolled out; dpp-reaper: successfully rolled out", ROLLOUTS),
    row("rollout", NotMet, |run| ending(run, "dpp-worker", &Ending::TimedOut), "dpp-api: successfully rolled out; dpp-worker: did not finish in time; dpp-reaper: successfully rolled out", ROLLOUTS),
    row("rollout", NotMet, |run| no_rollout(run, "dpp-reaper", None), "dpp-api: successfully rolled out; dpp-worker: successfully rolled out; dpp-reaper: ended when the run stopped", ROLLOUTS),
    row("rollout", NotMet, |run| no_rollout(run, "dpp-reaper", Some("rollout.reaper")), "dpp-api: successfully rolled out; dpp-worker: successfully rolled out; dpp-reaper: not run", &["rollout.api", "rollout.worker"]),
    begun("rollout", "the run ended before the rollout"),
    row("pods-running", Met, |run| run, "1 pod Running, 0 restarts", OBJECTS),
    row("pods-running", Met, |run| pods(run, |pods| pods[0].containers[0].restarts = 2), "1 pod Running, 2 restarts", OBJECTS),
    row("pods-running", NotMet, |run| pods(run, |pods| pods.push(fixture::pod("b", State::Waiting { reason: Some("ContainerCreating".into()), message: None }))), "1 of 2 pods not Running: b: ContainerCreating", OBJECTS),
    row("pods-running", NotMet, |run| pods(run, Vec::clear), "0 pods Running, 0 restarts", OBJECTS),
    begun("pods-running", "the run ended before the pods were read"),
    row("endpoints", Met, |run| run, "dpp-api: 3 endpoints", OBJECTS),
    row("endpoints", NotMet, |run| services(run, &[("dpp-api", 3, Assignment::Assigned), ("b", 0, not_assigned())]), "dpp-api: 3 endpoints; b: no endpoint is ready", OBJECTS),
    row("endpoints", Met, |run| services(run, &[("dpp-api", 3, Assignment::Assigned), ("b", 0, no_selector())]), "dpp-api: 3 endpoints; b: it has no selector", OBJECTS),
    row("endpoints", NotEvaluated, |run| services(run, &[("b", 0, no_selector())]), "b: it has no selector", OBJECTS),
    row("endpoints", NotEvaluated, |run| services(run, &[]), "no Service of the manifests was found", OBJECTS),
    begun("endpoints", "the run ended before the Services were read"),
];

#[rustfmt::skip]
const SMOKE_ROWS: &[Row] = &[
    row("smoke-10-of-10", Met, |run| run, "10/10 PASS", CHECKS),
    row("smoke-10-of-10", NotMet, |run| answer(run, 4, "404", 0), "9/10 PASS", &["check.04"]),
    row("smoke-10-of-10", NotMet, |run| answer(run, 4, "200", 18), "9/10 PASS", &["check.04"]),
    row("smoke-10-of-10", NotEvaluated, |run| without_check(run, 4), "the run ended before the checks were done", &[]),
    begun("smoke-10-of-10", "the run ended before the checks were done"),
    row("health-body", Met, |run| run, "status healthy, version 0.4.2.2", &["body.health"]),
    row("health-body", NotMet, |run| run.outcome("body.health", |outcome| outcome.exit = vec![1]), "the answer differs from: status healthy, version 0.4.2.2", &["body.health"]),
    row("health-body", NotMet, |run| run.outcome("body.health", |outcome| outcome.exit = vec![5]), "the answer is not JSON", &["body.health"]),
    row("health-body", NotEvaluated, latest, "the image tag `latest` is not a version that can be compared: set IMAGE_TAG", &[]),
    begun("health-body", "the run ended before the checks were done"),
    row("readyz-body", Met, |run| run, "status ready, every service up", &["body.readyz"]),
    row("readyz-body", Met, latest, "status ready, every service up", &["body.readyz"]),
    row("readyz-body", NotMet, |run| run.outcome("body.readyz", |outcome| outcome.exit = vec![1]), "the answer differs from: status ready, every service up", &["body.readyz"]),
    begun("readyz-body", "the run ended before the checks were done"),
    row("no-5xx", Met, |run| run, "none", CHECKS),
    row("no-5xx", Met, |run| answer(run, 4, "499", 0), "none", CHECKS),
    row("no-5xx", NotMet, |run| answer(run, 4, "500", 0), "check.04: 500", CHECKS),
    row("no-5xx", NotEvaluated, |run| without_check(run, 4), "the run ended before the checks were done", &[]),
    begun("no-5xx", "the run ended before the checks were done"),
];

#[rustfmt::skip]
const END_ROWS: &[Row] = &[
    row("manifest", Met, |run| run, "deploy.ok: true, smoke.ok: true", &[]),
    row("manifest", NotMet, |run| answer(run, 4, "404", 0), "deploy.ok: true, smoke.ok: false", &[]),
    row("manifest", NotMet, |run| ending(run, "dpp-api", &Ending::Deleted), "deploy.ok: false, smoke.ok: true", &[]),
    row("manifest", NotMet, |run| run.seen("a", "Error", crate::events::Conclusion::Stands), "deploy.ok: false, smoke.ok: true", &[]),
    row("manifest", Met, |run| run.healthy("/health", 121, "503"), "deploy.ok: true, smoke.ok: true", &[]),
    Row { id: "manifest", from: events, change: |run| run, state: NotMet, says: "deploy.ok: false, smoke.ok: false", commands: &[] },
    row("files", Met, |run| run, "all present", &[]),
    row("files", Met, |run| files(run, "dump_logs/k8s_events.txt"), "all present", &[]),
    row("files", NotMet, |run| files(run, "deploy/status_after.txt"), "missing: deploy/status_after.txt", &[]),
    begun("files", "the run did not finish"),
];

fn rows() -> impl Iterator<Item = &'static Row> {
    [DEPLOY_ROWS, SMOKE_ROWS, END_ROWS].into_iter().flatten()
}

#[test]
fn each_row_is_judged_so() {
    for (number, row) in rows().enumerate() {
        let mut run = (row.from)();
        (row.change)(&mut run);
        let is = judged(&run, row.id);
        let says = Some(row.says.to_owned());
        let (observed, why) = if row.state == NotEvaluated { (None, says) } else { (says, None) };
        let case = format!("row {number}, {}", row.id);
        assert_eq!((is.state, is.observed, is.why), (row.state, observed, why), "{case}");
        let commands: Vec<String> = is.commands.iter().map(StepId::to_string).collect();
        assert_eq!(commands, row.commands, "{case}");
    }
}

#[test]
fn every_criterion_has_a_row_for_each_judgement() {
    let runbook = runbook();
    let mut tested = BTreeMap::<String, BTreeSet<String>>::new();
    for row in rows() {
        tested.entry(row.id.to_owned()).or_default().insert(format!("{:?}", row.state));
    }
    let all: Vec<String> = criteria(&runbook).map(|(criterion, _)| criterion.id(&runbook)).collect();
    assert_eq!((all.len(), CRITERIA.len()), (9, 9));
    for id in &all {
        let states = if id == "manifest" { 2 } else { 3 };
        assert_eq!(tested.get(id).map_or(0, BTreeSet::len), states, "{id}");
    }
    assert_eq!(tested.len(), all.len());
}

#[test]
fn each_result_has_the_runbook_s_words_in_its_order() {
    let results = judge(&Events::passing().run()).criteria;
    let texts: Vec<&str> = results.iter().map(|result| result.text.as_str()).collect();
    assert_eq!(texts, runbook().criteria);
    let about: Vec<&str> =
        results.iter().filter(|result| result.is_about_all_checks()).map(|result| &*result.id).collect();
    assert_eq!(about, ["smoke-10-of-10"]);
    let none = judge(&nothing_yet()).criteria;
    assert_eq!(none[4].why.as_deref(), Some("the run did not begin"));
}

#[test]
fn each_check_decides_with_and_without_a_key() {
    let runbook = runbook();
    assert_eq!(runbook.checks.len(), 10);
    for with_key in [true, false] {
        for check in &runbook.checks {
            let mut run = Events::passing();
            run.began(|began| began.with_key = with_key);
            let other = if check.takes_key() {
                runbook.checks[9].accepted(!with_key)[0].clone()
            } else {
                "302".into()
            };
            answer(&mut run, 10, &runbook.checks[9].accepted(with_key)[0], 0);
            assert_eq!(judge(&run.run()).checks_passed, 10, "with key: {with_key}");
            answer(&mut run, check.number.get(), &other, 0);
            let judgement = judge(&run.run());
            assert_eq!((judgement.checks_passed, judgement.smoke_ok), (9, false), "{}", check.path);
            assert_eq!(judgement.criteria[3].commands, [check.id()], "with key: {with_key}");
        }
    }
}

#[test]
fn an_answer_to_no_check_of_the_runbook_passes_nothing() {
    let mut run = Events::passing();
    run.change(|kind| match kind {
        EventKind::CheckAnswered { check, .. } if check.get() == 10 => {
            *check = CheckNumber::new(11).unwrap();
            true
        }
        _ => false,
    });
    assert_eq!(judge(&run.run()).checks_passed, 9);
}
