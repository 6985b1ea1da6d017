//! For each stop rule the nearest run that goes on, and the run that it stops.

use std::collections::BTreeSet;

use super::super::{Observation, STOP_RULES, Stop, judge};
use crate::events::{Conclusion, Effect, EndedBy, EventKind, FailingPod};
use crate::facts::deployments::DeploymentCondition;
use crate::facts::pods::{Failing, Pod, State};
use crate::facts::rollout::Ending;
use crate::fixture::{self, Build, Events, at, events, runbook, step};
use crate::runbook::ShownBy;

/// Two runs that differ in one event.
struct Row {
    rule: u8,
    goes_on: Build,
    stops: Build,
    saw: fn() -> Observation,
}

fn record(build: Build) -> Events {
    let mut record = events();
    build(&mut record);
    record
}

fn stop(events: &Events) -> Option<Stop> {
    judge(&events.run()).stop
}

/// Returns an observation with nothing beside what every rule tells.
fn saw(millis: u64, id: &str, observed: &str, limit: &str) -> Observation {
    Observation {
        observed: observed.to_owned(),
        limit: limit.to_owned(),
        seen_at: at(millis),
        command: ShownBy::Step(step(id)),
        line: None,
        confirmed_by: None,
        unconfirmed: None,
        pod: None,
        container: None,
    }
}

const EVERY_APPLY: &str = "every apply exits 0";
const EVERY_ROLLOUT: &str = "exit 0 for every Deployment";

fn applies<'e>(run: &'e mut Events, exit: &[i32], by: EndedBy, said: Option<&str>) -> &'e mut Events {
    run.starts("apply.api", Effect::Changes).ends("apply.api", exit, said);
    run.outcome("apply.api", |outcome| outcome.ended_by = by)
}

fn rolls_out(run: &mut Events, exit: i32, by: EndedBy, ending: Ending) -> &mut Events {
    run.starts("rollout.worker", Effect::Reads).ends(
        "rollout.worker",
        &[exit],
        (exit != 0).then_some("error: x"),
    );
    run.outcome("rollout.worker", |outcome| outcome.ended_by = by);
    run.add(EventKind::RolloutEnded { deployment: "dpp-worker".into(), ending })
}

/// The Deployments after it, the one at `index` without pods since it may make none.
fn no_pods_made(run: &mut Events, index: usize) -> &mut Events {
    let names = ["dpp-api", "dpp-worker"];
    let mut deployments: Vec<_> = names.iter().map(|name| fixture::deployment(name, 3, 3)).collect();
    let [kind, status, reason] = ["ReplicaFailure", "True", "FailedCreate"].map(str::to_owned);
    deployments[index].conditions.push(DeploymentCondition {
        kind,
        status,
        reason,
        message: "exceeded quota".into(),
    });
    run.add(EventKind::DeploymentsAfter { deployments })
}

const ROLLOUT_ROWS: &[Row] = &[
    Row {
        rule: 1,
        goes_on: |run| applies(run, &[0, 0, 0, 0], EndedBy::Itself, None),
        stops: |run| applies(run, &[0, 0, 0, 1], EndedBy::Itself, Some("error: conflict")),
        saw: || Observation {
            line: Some("error: conflict".into()),
            ..saw(
                300,
                "apply.api",
                "kubectl apply of k8s/api-deployment.yaml exited 1: error: conflict",
                EVERY_APPLY,
            )
        },
    },
    Row {
        rule: 1,
        goes_on: |run| applies(run, &[1, 0, 0, 0], EndedBy::StagingDryRun(1), None),
        stops: |run| applies(run, &[1, 0, 0, 0], EndedBy::Itself, Some("cat: Permission denied")),
        saw: || Observation {
            line: Some("cat: Permission denied".into()),
            ..saw(
                300,
                "apply.api",
                "the apply of k8s/api-deployment.yaml: cat exited 1: cat: Permission denied",
                EVERY_APPLY,
            )
        },
    },
    Row {
        rule: 1,
        goes_on: |run| applies(run, &[0, 0, 0, 1], EndedBy::Deadline, None),
        stops: |run| applies(run, &[0, 0, 0, 1], EndedBy::HeldPipes, None),
        saw: || {
            saw(
                300,
                "apply.api",
                "kubectl apply of k8s/api-deployment.yaml exited 1: it printed no error",
                EVERY_APPLY,
            )
        },
    },
    Row {
        rule: 1,
        goes_on: |run| rolls_out(run, 0, EndedBy::Itself, Ending::RolledOut),
        stops: |run| rolls_out(run, 1, EndedBy::Itself, Ending::TimedOut),
        saw: || Observation {
            line: Some("error: x".into()),
            ..saw(
                400,
                "rollout.worker",
                "deployment/dpp-worker: did not finish in time (exit 1)",
                EVERY_ROLLOUT,
            )
        },
    },
    Row {
        rule: 1,
        goes_on: |run| no_pods_made(rolls_out(run, 143, EndedBy::StagingDryRun(1), Ending::Silent), 1),
        stops: |run| no_pods_made(rolls_out(run, 1, EndedBy::Itself, Ending::ProgressDeadline), 1),
        saw: || Observation {
            line: Some("error: x".into()),
            ..saw(
                400,
                "rollout.worker",
                "deployment/dpp-worker: exceeded its progress deadline (exit 1); ReplicaFailure (FailedCreate): exceeded quota",
                EVERY_ROLLOUT,
            )
        },
    },
    Row {
        // What another Deployment may not make explains nothing.
        rule: 1,
        goes_on: |run| no_pods_made(rolls_out(run, 0, EndedBy::Itself, Ending::RolledOut), 0),
        stops: |run| no_pods_made(rolls_out(run, 1, EndedBy::Itself, Ending::Deleted), 0),
        saw: || Observation {
            line: Some("error: x".into()),
            ..saw(
                400,
                "rollout.worker",
                "deployment/dpp-worker: was deleted during the rollout (exit 1)",
                EVERY_ROLLOUT,
            )
        },
    },
];

const POD: &str = "dpp-api-7d9c-aaaaa";
const LINE: &str = "MODIFIED   dpp-api-7d9c-aaaaa   0/1   Error   2 (0s ago)   2s";

fn seen(run: &mut Events, conclusion: Conclusion) -> &mut Events {
    run.seen(POD, "Error", conclusion)
}

fn waiting(reason: &str) -> State {
    State::Waiting { reason: Some(reason.into()), message: None }
}

/// A pod that runs, and beside it one in this state.
fn pods_after(run: &mut Events, state: State, deleting: bool) -> &mut Events {
    let pods = vec![
        fixture::pod("dpp-api-7d9c-bbbbb", State::Running),
        Pod { deleting, ..fixture::pod(POD, state) },
    ];
    run.add(EventKind::PodsAfter { pods })
}

/// A pod of this UID was failing before the deploy.
fn failed_before<'e>(run: &'e mut Events, uid: &str) -> &'e mut Events {
    let failing = fixture::failing();
    let before = FailingPod { pod: POD.into(), uid: uid.into(), deployment: Some("dpp-api".into()), failing };
    run.add(EventKind::PodsBefore { total: 1, failing: vec![before] })
}

fn crash_loop() -> Failing {
    Failing { reason: None, exit_code: None, restarts: 0, ..fixture::failing() }
}

fn saw_pod(millis: u64, id: &str, observed: &str, container: Failing) -> Observation {
    Observation { pod: Some(POD.into()), container: Some(container), ..saw(millis, id, observed, "no pod") }
}

const POD_ROWS: &[Row] = &[
    Row {
        rule: 2,
        goes_on: |run| seen(run, Conclusion::RuledOut("the pod is gone".into())),
        stops: |run| seen(run, Conclusion::Stands),
        saw: || Observation {
            line: Some(LINE.into()),
            confirmed_by: Some(step("confirm.pod")),
            ..saw_pod(100, "watch.pods", "pod dpp-api-7d9c-aaaaa: Error", fixture::failing())
        },
    },
    Row {
        rule: 2,
        goes_on: |run| seen(run, Conclusion::Excused("it was failing before".into())),
        stops: |run| seen(run, Conclusion::Unconfirmed("Unable to connect".into())),
        saw: || Observation {
            line: Some(LINE.into()),
            unconfirmed: Some("Unable to connect".into()),
            ..saw_pod(100, "watch.pods", "pod dpp-api-7d9c-aaaaa: Error", fixture::failing())
        },
    },
    Row {
        rule: 2,
        goes_on: |run| pods_after(run, waiting("ImagePullBackOff"), false),
        stops: |run| pods_after(run, waiting("CrashLoopBackOff"), false),
        saw: || saw_pod(200, "objects.after", "pod dpp-api-7d9c-aaaaa: CrashLoopBackOff", crash_loop()),
    },
    Row {
        rule: 2,
        goes_on: |run| pods_after(failed_before(run, POD), waiting("CrashLoopBackOff"), true),
        stops: |run| pods_after(failed_before(run, POD), waiting("CrashLoopBackOff"), false),
        saw: || {
            saw_pod(
                300,
                "objects.after",
                "pod dpp-api-7d9c-aaaaa: CrashLoopBackOff, as before the deploy",
                crash_loop(),
            )
        },
    },
    Row {
        // It has the name of one that failed before, and is another one.
        rule: 2,
        goes_on: |run| pods_after(failed_before(run, "another"), State::Running, false),
        stops: |run| pods_after(failed_before(run, "another"), waiting("CrashLoopBackOff"), false),
        saw: || saw_pod(300, "objects.after", "pod dpp-api-7d9c-aaaaa: CrashLoopBackOff", crash_loop()),
    },
];

fn all_checks(observed: &str) -> Observation {
    let command = ShownBy::Steps(step("check.01"), step("check.10"));
    Observation { command, ..saw(1100, "check.01", observed, "at least 8/10") }
}

const SMOKE_ROWS: &[Row] = &[
    Row {
        rule: 3,
        goes_on: |run| run.healthy("/health", 121, "200"),
        stops: |run| run.healthy("/health", 121, "503"),
        saw: || saw(200, "gate.health", "/health: 503 after 120 s, asked 121 times", "200 within 120 s"),
    },
    Row {
        rule: 3,
        goes_on: |run| run.healthy("/health", 1, "200").healthy("/readyz", 1, "200"),
        stops: |run| run.healthy("/health", 1, "200").healthy("/readyz", 1, "000"),
        saw: || saw(300, "gate.readyz", "/readyz: no answer after 0 s, asked once", "200 within 120 s"),
    },
    Row {
        rule: 4,
        goes_on: |run| run.checks(&[4, 7]),
        stops: |run| run.checks(&[4, 7, 9]),
        saw: || all_checks("7/10 PASS"),
    },
    Row {
        rule: 4,
        goes_on: |run| {
            run.checks(&[1, 2, 3, 4, 5])
                .without(|kind| matches!(kind, EventKind::CheckAnswered { check, .. } if check.get() == 10))
        },
        stops: |run| run.checks(&[1, 2, 3, 4, 5]),
        saw: || all_checks("5/10 PASS"),
    },
];

fn rows() -> impl Iterator<Item = &'static Row> {
    [ROLLOUT_ROWS, POD_ROWS, SMOKE_ROWS].into_iter().flatten()
}

#[test]
fn each_row_lets_one_run_go_on_and_stops_its_neighbor() {
    let runbook = runbook();
    for (number, row) in rows().enumerate() {
        let case = format!("row {number}, stop rule {}", row.rule);
        assert_eq!(stop(&record(row.goes_on)), None, "{case}");
        let text = runbook.stop_rules[usize::from(row.rule) - 1].clone();
        assert_eq!(stop(&record(row.stops)), Some(Stop { rule: row.rule, text, saw: (row.saw)() }), "{case}");
    }
}

#[test]
fn every_stop_rule_has_a_row_and_the_runbook_s_words() {
    let tested: BTreeSet<u8> = rows().map(|row| row.rule).collect();
    let all: BTreeSet<u8> = STOP_RULES.iter().map(|rule| rule.number).collect();
    assert_eq!((&tested, STOP_RULES.len()), (&all, all.len()));
    let runbook = runbook();
    for (rule, words) in STOP_RULES.iter().zip(&runbook.stop_rules) {
        assert_eq!((rule.text(&runbook), rule.id), (words.as_str(), &*format!("stop-{}", rule.number)));
    }
    assert_eq!(runbook.stop_rules.len(), STOP_RULES.len());
    assert_eq!(STOP_RULES[0].text(&crate::runbook::Runbook::default()), "");
}

#[test]
fn each_deployment_decides() {
    for deployment in &runbook().deployments {
        let id = deployment.id.as_str();
        let mut apply = events();
        let fails = format!("apply.{id}");
        apply.starts(&fails, Effect::Changes).ends(&fails, &[0, 0, 0, 1], None);
        assert!(stop(&apply).unwrap().saw.observed.contains(&deployment.manifest), "{id}");
        let mut rollout = events();
        rollout.command(&format!("rollout.{id}"), Effect::Reads, &[1]);
        rollout
            .add(EventKind::RolloutEnded { deployment: deployment.name.clone(), ending: Ending::NotFound });
        assert!(stop(&rollout).unwrap().saw.observed.contains(&deployment.name), "{id}");
    }
}

#[test]
fn the_rule_that_fired_first_stops_the_run() {
    let fires: [(u8, Build); 4] = [
        (1, |run| rolls_out(run, 1, EndedBy::Itself, Ending::TimedOut)),
        (2, |run| seen(run, Conclusion::Stands)),
        (3, |run| run.healthy("/health", 121, "503")),
        (4, |run| run.checks(&[4, 7, 9])),
    ];
    for (first, fires_first) in fires {
        for (then, fires_then) in fires.into_iter().filter(|(then, _)| *then != first) {
            let mut run = events();
            fires_then(fires_first(&mut run).step(9, 0));
            assert_eq!(stop(&run).map(|stop| stop.rule), Some(first), "{first} before {then}");
        }
    }
    // An apply that failed is told before a rollout that did.
    let mut run = events();
    rolls_out(&mut run, 1, EndedBy::Itself, Ending::TimedOut);
    applies(&mut run, &[0, 0, 0, 1], EndedBy::Itself, None);
    assert_eq!(stop(&run).unwrap().saw.command, ShownBy::Step(step("apply.api")));
}
