//! Pods, watches, rollouts and applies.

use super::super::support::{Staging, scenario_ran};
use super::{applied, files_below, healthy, ids, lone_pod, old_api_pod_crashes, read, statuses, times};
use rehearsal::{Answer, Fate, When, With};
use serde_json::{Value, json};
use staging_dry_run::events::{EndedBy, EventKind};
use staging_dry_run::facts::apply::ApplyOutcome;
use staging_dry_run::run_state::RunState;
use staging_dry_run::verdict::{self, Verdict};

#[test]
fn a_replaced_pod_prints_error_after_the_success_and_is_no_stop() {
    let ran = scenario_ran("healthy");
    let watched = read(ran, "deploy/out/watch.pods.out");
    assert!(statuses(&watched, "DELETED").contains(&"Error"), "{watched}");
    let manifest = ran.manifest();
    assert_eq!((ran.status, &manifest["verdict"]), (Some(0), &json!("pass")));
    for excused in manifest["excused"].as_array().unwrap() {
        let why = excused["why"].as_str().unwrap();
        assert_eq!(why, "watch.pods had shown it Terminating before", "{excused}");
    }
}

#[test]
fn a_status_that_only_contains_error_is_no_stop_but_stop_on_makes_it_one() {
    let waiting = |reason: &str| json!({"waiting": {"reason": reason}});
    let staging = || {
        let scenario = healthy()
            .with(lone_pod("dpp-one", "Pending", &waiting("CreateContainerError")))
            .with(lone_pod("dpp-two", "Pending", &waiting("error")))
            .with(lone_pod("dpp-three", "Pending", &waiting("crashloopbackoff")));
        Staging::on(scenario)
    };
    let ran = staging().run().exits(0);
    let watched = read(&ran, "deploy/out/watch.pods.out");
    for status in ["CreateContainerError", "error", "crashloopbackoff"] {
        assert!(statuses(&watched, "ADDED").contains(&status), "{watched}");
    }
    let manifest = ran.manifest();
    assert_eq!((&manifest["stop"], &manifest["verdict"]), (&Value::Null, &json!("shortfall")));
    assert_eq!(ran.criterion("pods-running"), "not met");

    let ran = staging().option("--stop-on=Evicted,CreateContainerError").run().exits(1);
    let stop = &ran.manifest()["stop"];
    assert_eq!(
        (&stop["rule"], &stop["observed"]),
        (&json!(2), &json!("pod dpp-one: CreateContainerError")),
        "{stop}"
    );
}

#[test]
fn a_pod_that_was_failing_stops_at_once_when_the_apply_changes_nothing_about_its_deployment() {
    let staging =
        Staging::on(healthy().with(old_api_pod_crashes()).with(With::RunningTag("v0.4.2.2".into())))
            .manifest("api-deployment.yaml", |text| {
                // `configured`, but not the spec: only the generation tells.
                text.replacen(
                    "labels:\n    app: dpp-api\n",
                    "labels:\n    app: dpp-api\n    team: staging\n",
                    2,
                )
            });
    let ran = staging.run().exits(1);
    assert_eq!(applied(&ran.events(), "deployment.apps/dpp-api"), Some(ApplyOutcome::Configured));
    let manifest = ran.manifest();
    let stop = &manifest["stop"];
    assert_eq!((&stop["rule"], times(&manifest, "rollout.api")), (&json!(2), 0), "{stop}");
    assert!(stop["observed"].as_str().unwrap().ends_with(": CrashLoopBackOff"), "{stop}");
}

#[test]
fn a_pod_that_was_failing_is_excused_while_the_rollout_may_mend_it() {
    let ran = scenario_ran("already-crashing-and-fixed");
    let manifest = ran.manifest();
    assert_eq!((ran.status, &manifest["verdict"]), (Some(0), &json!("pass")));
    let excused = manifest["excused"].as_array().unwrap();
    let why = "it was failing before the deploy, which may fix it";
    assert!(
        excused.iter().any(|pod| pod["status"] == "CrashLoopBackOff" && pod["why"] == why),
        "{excused:?}"
    );
}

#[test]
fn a_left_over_failed_pod_no_rollout_mends_is_a_stop_at_the_end() {
    let ended = json!({"terminated": {"exitCode": 1, "reason": "Error"}});
    let ran =
        Staging::on(healthy().with(lone_pod("dpp-migrate", "Failed", &ended))).remembering().run().exits(1);
    let manifest = ran.manifest();
    let stop = &manifest["stop"];
    assert_eq!(
        (&stop["rule"], &stop["command"], &stop["observed"]),
        (&json!(2), &json!("objects.after"), &json!("pod dpp-migrate: Error, as before the deploy")),
    );
    assert_eq!(times(&manifest, "rollout.reaper"), 1);
}

#[test]
fn without_an_apply_nothing_mends_a_failing_pod() {
    let ran = Staging::of("already-crashing-and-fixed")
        .remembering()
        .option("--no-apply")
        .run()
        .exits(1)
        .changed_nothing();
    let manifest = ran.manifest();
    assert_eq!(manifest["stop"]["rule"], 2);
    assert_eq!(manifest["excused"], json!([]), "no deploy may mend it");
}

#[test]
fn a_watch_that_is_cut_silently_is_started_again_and_still_stops() {
    let ran = scenario_ran("watch-cut");
    let manifest = ran.manifest();
    assert_eq!(times(&manifest, "watch.pods"), 2);
    let commands = manifest["commands"].as_array().unwrap();
    let cut = commands.iter().find(|command| command["id"] == "watch.pods").unwrap();
    assert_eq!((&cut["exit"], &cut["ended_by"]), (&json!([0]), &json!("itself")));
    let stop = &manifest["stop"];
    assert_eq!((ran.status, &stop["rule"], &stop["command"]), (Some(1), &json!(2), &json!("watch.pods")));
    assert_eq!(stop["confirmed_by"], "confirm.pod");
}

#[test]
fn a_command_that_a_stop_ended_refuses_nothing() {
    // A pod may fail while `config use-context` is under way.
    let mut events = scenario_ran("crash-loop").events();
    let ended = events.iter_mut().find_map(|event| match &mut event.kind {
        EventKind::CommandEnded(outcome) if outcome.id.to_string() == "use-context" => Some(outcome),
        _ => None,
    });
    let outcome = ended.unwrap();
    (outcome.exit, outcome.ended_by) = (vec![143], EndedBy::StagingDryRun(1));
    let judgement = verdict::judge(&RunState::of(&events));
    assert_eq!((judgement.verdict, judgement.findings, judgement.exit_code), (Verdict::Stop, vec![], 1));
}

#[test]
fn a_pods_hostile_name_is_no_path() {
    let ended = json!({"terminated": {"exitCode": 1, "reason": "Error"}});
    let ran = Staging::on(healthy().with(lone_pod("../../../../escaped", "Failed", &ended)))
        .remembering()
        .run()
        .exits(1);
    assert_eq!(ran.manifest()["stop"]["rule"], 2);
    let found = files_below(ran.staging.folder.path());
    assert!(found.keys().all(|name| !name.contains("escaped")), "{:?}", found.keys());
}

// Rollouts and applies.

#[test]
fn pods_that_are_never_created_are_named_by_the_deployments_condition() {
    let refused = "exceeded quota: pods, requested: pods=1, used: pods=10, limited: pods=10";
    let scenario =
        healthy().new_pods("dpp-worker", Fate::NotCreated { message: refused.into() }, When::RolloutWatched);
    let ran = Staging::on(scenario).remembering().option("--rollout-timeout=5s").run().exits(1);
    let stop = &ran.manifest()["stop"];
    assert_eq!((&stop["rule"], &stop["command"]), (&json!(1), &json!("rollout.worker")));
    let observed = stop["observed"].as_str().unwrap();
    for words in ["did not finish in time (exit 1)", "ReplicaFailure (FailedCreate)", refused] {
        assert!(observed.contains(words), "{observed}");
    }
}

#[test]
fn a_progress_deadline_that_passed_is_told_from_a_timeout() {
    let scenario = healthy().new_pods("dpp-api", Fate::PastDeadline, When::RolloutWatched);
    let ran = Staging::on(scenario).remembering().run().exits(1).says("exceeded its progress deadline");
    let stop = &ran.manifest()["stop"];
    assert_eq!((&stop["rule"], &stop["command"]), (&json!(1), &json!("rollout.api")));
    assert!(stop["observed"].as_str().unwrap().contains("exceeded its progress deadline"), "{stop}");
}

#[test]
fn an_apply_is_not_atomic_within_its_file() {
    // The server's dry run takes each alone; applied, the second changes the first one's selector.
    let extra = |app: &str| {
        format!(
            "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: dpp-extra\n  namespace: dpp-staging\n\
             spec:\n  selector:\n    matchLabels: {{app: {app}}}\n  template:\n    metadata:\n      \
             labels: {{app: {app}}}\n    spec:\n      containers:\n        - {{name: extra, image: \"extra:1\"}}\n"
        )
    };
    let staging = Staging::of("healthy")
        .remembering()
        .manifest("worker-deployment.yaml", |text| text + &extra("one") + &extra("two"));
    let ran =
        staging.run().exits(1).says("field is immutable").says("its apply failed, but had already changed");
    let manifest = ran.manifest();
    let stop = &manifest["stop"];
    assert_eq!((&stop["rule"], &stop["command"]), (&json!(1), &json!("apply.worker")), "{stop}");
    assert_eq!(applied(&ran.events(), "deployment.apps/dpp-extra"), Some(ApplyOutcome::Created));
    assert_eq!((times(&manifest, "apply.reaper"), times(&manifest, "rollout.api")), (0, 0));
}

#[test]
fn no_apply_applies_nothing_and_still_judges() {
    let ran = Staging::of("healthy")
        .remembering()
        .with("IMAGE_TAG", "v0.4.2.1")
        .option("--no-apply")
        .run()
        .exits(0)
        .changed_nothing();
    let manifest = ran.manifest();
    assert_eq!((&manifest["verdict"], &manifest["deploy"]["ok"]), (&json!("pass"), &json!(true)));
    assert_eq!((times(&manifest, "rollout.reaper"), times(&manifest, "check.10")), (1, 1));
    assert!(ids(&manifest).iter().all(|id| !id.starts_with("apply.") && !id.starts_with("guard.")));

    let broken = healthy().answer("/readyz", Answer::text(503, "{}"));
    Staging::on(broken)
        .remembering()
        .option("--no-apply")
        .option("--health-timeout=1s")
        .run()
        .exits(1)
        .changed_nothing()
        .says("STOP by rule 3");
}

// The API key.
