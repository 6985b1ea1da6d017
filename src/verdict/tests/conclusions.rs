//! What a sighting comes to by the look at its pod, for stop rule 2.

use super::super::conclude;
use crate::events::{Conclusion, EventKind, FailingPod, Sighting};
use crate::facts::pods::Container;
use crate::facts::pods::{Failing, Pod, State, Terminated};
use crate::facts::rollout::Ending;
use crate::fixture::{self, Build, at, events, runbook, step};

const POD: &str = "dpp-api-7d9c-aaaaa";
const MAY_MEND: &str = "it was failing before the deploy, which may fix it";

fn sighting() -> Sighting {
    let line = format!("{POD}   0/1   CrashLoopBackOff   2   2s");
    let (pod, status) = (POD.to_owned(), "CrashLoopBackOff".to_owned());
    Sighting { pod, status, line, command: step("list.pods"), n: 1, to: 0, seen_at: at(100) }
}

fn crashing() -> Pod {
    fixture::pod(POD, State::Waiting { reason: Some("CrashLoopBackOff".into()), message: None })
}

fn concluded(build: Build, look: Result<Option<Pod>, String>) -> (Conclusion, Option<Failing>) {
    let mut run = events();
    build(&mut run);
    conclude(&run.run(), &sighting(), look)
}

fn failing_before(pod: &str, uid: &str, deployment: Option<&str>) -> EventKind {
    let (pod, uid, deployment) = (pod.into(), uid.into(), deployment.map(str::to_owned));
    EventKind::PodsBefore {
        total: 1,
        failing: vec![FailingPod { pod, uid, deployment, failing: fixture::failing() }],
    }
}

fn generation(applied: bool, deployment: &str, number: i64) -> EventKind {
    EventKind::Generations { applied, generations: vec![(deployment.to_owned(), number)] }
}

#[test]
fn a_look_decides_what_a_sighting_comes_to() {
    let ruled_out = |why: &str| (Conclusion::RuledOut(why.to_owned()), None);
    let now = |look| concluded(|run| run, look);
    assert_eq!(now(Ok(None)), ruled_out("the pod is gone"));
    assert_eq!(now(Ok(Some(Pod { deleting: true, ..crashing() }))), ruled_out("the pod is being deleted"));
    assert_eq!(now(Err("no route".into())), (Conclusion::Unconfirmed("no route".into()), None));
    let (conclusion, container) = now(Ok(Some(crashing())));
    assert_eq!(conclusion, Conclusion::Stands);
    assert_eq!(container.unwrap().word, "CrashLoopBackOff");
}

#[test]
fn a_container_that_runs_again_is_quoted_as_it_ended() {
    let ended = Terminated { exit_code: 137, signal: None, reason: Some("OOMKilled".into()) };
    let mut pod = fixture::pod(POD, State::Running);
    assert_eq!(concluded(|run| run, Ok(Some(pod.clone()))), (Conclusion::Stands, None));
    let again = Container { restarts: 3, last: Some(ended), ..pod.containers[0].clone() };
    pod.containers.push(again);
    let container = Failing {
        container: "dpp-api".into(),
        word: "Error".into(),
        reason: Some("OOMKilled".into()),
        exit_code: Some(137),
        restarts: 3,
        image: "dpp-api:v0.4.2.3".into(),
    };
    assert_eq!(concluded(|run| run, Ok(Some(pod))), (Conclusion::Stands, Some(container)));
}

/// Runs with the same pod, and whether its sighting is excused.
const EXCUSES: &[(&str, bool, Build)] = &[
    ("it was failing before", true, |run| run.add(failing_before(POD, POD, Some("dpp-api")))),
    ("nothing is known of before", false, |run| run),
    ("another pod of its name was", false, |run| run.add(failing_before(POD, "other", Some("dpp-api")))),
    ("another pod was", false, |run| run.add(failing_before("other", POD, Some("dpp-api")))),
    ("nothing is applied", false, |run| {
        run.began(|began| began.options.apply = false).add(failing_before(POD, POD, Some("dpp-api")))
    }),
    ("its Deployment was not changed", false, |run| {
        run.add(failing_before(POD, POD, Some("dpp-api")))
            .add(generation(false, "dpp-api", 2))
            .add(generation(true, "dpp-api", 2))
    }),
    ("its Deployment was changed", true, |run| {
        run.add(failing_before(POD, POD, Some("dpp-api")))
            .add(generation(false, "dpp-api", 2))
            .add(generation(true, "dpp-api", 3))
    }),
    ("its Deployment is new", true, |run| {
        run.add(failing_before(POD, POD, Some("dpp-api"))).add(generation(true, "dpp-api", 2))
    }),
    ("what the apply did is not known yet", true, |run| {
        run.add(failing_before(POD, POD, Some("dpp-api"))).add(generation(false, "dpp-api", 2))
    }),
    ("another Deployment was not changed", true, |run| {
        run.add(failing_before(POD, POD, Some("dpp-api")))
            .add(generation(false, "dpp-worker", 2))
            .add(generation(true, "dpp-worker", 2))
    }),
    ("it belongs to none", true, |run| run.add(failing_before(POD, POD, None))),
];

#[test]
fn a_pod_that_was_failing_before_is_excused_while_the_deploy_may_mend_it() {
    for (case, excused, build) in EXCUSES {
        let (conclusion, container) = concluded(*build, Ok(Some(crashing())));
        let expected = if *excused { Conclusion::Excused(MAY_MEND.into()) } else { Conclusion::Stands };
        assert_eq!(conclusion, expected, "{case}");
        assert_eq!(container.unwrap().word, "CrashLoopBackOff", "{case}");
    }
}

#[test]
fn the_excuse_ends_with_the_last_rollout() {
    let mut run = events();
    run.add(failing_before(POD, POD, Some("dpp-api")));
    let deployments = &runbook().deployments;
    for (ended, deployment) in deployments.iter().enumerate() {
        let (conclusion, _) = conclude(&run.run(), &sighting(), Ok(Some(crashing())));
        assert_eq!(conclusion, Conclusion::Excused(MAY_MEND.into()), "{ended} rollouts have ended");
        let (deployment, ending) = (deployment.name.clone(), Ending::RolledOut);
        run.add(EventKind::RolloutEnded { deployment, ending });
    }
    let (conclusion, _) = conclude(&run.run(), &sighting(), Ok(Some(crashing())));
    assert_eq!(conclusion, Conclusion::Stands);
}
