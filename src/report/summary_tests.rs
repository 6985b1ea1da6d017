use super::*;
use crate::events::{Conclusion, EventKind};
use crate::facts::apply;
use crate::facts::pods::State as ContainerState;
use crate::facts::rollout::Ending;
use crate::fixture::{self, Events, events};
use crate::verdict::judge;

const EVIDENCE: &str = "/repo/evidence/staging/20261123";

fn place() -> EvidenceLocation {
    EvidenceLocation { evidence: EVIDENCE.to_owned(), seal: Some("0ade8032".to_owned()) }
}

fn closed(events: &Events) -> String {
    let run = events.run();
    plain(&block(&run, &judge(&run), Scope::Whole, Some(&place())))
}

fn deployed() -> Events {
    let mut events = events();
    events.preflight().step(1, 900).deploy();
    events
}

#[test]
fn pass() {
    let mut events = deployed();
    events.rolled_out().after().smoke(&[]).end();
    let run = events.run();
    let judgement = judge(&run);
    assert_eq!(
        plain(&block(&run, &judgement, Scope::Whole, Some(&place()))),
        format!("\nPASS in {}: every success criterion is met (9 of 9)\n\n", took(&run).unwrap())
    );
    assert_eq!(
        last_lines(&run, &judgement, Some(&place())),
        format!(
            "Smoke: 10/10 PASS\nEvidence: {EVIDENCE}\nManifest: {EVIDENCE}/manifest.json\n\
             Seal: 0ade8032  (SHA-256 of SHA256SUMS)\n"
        )
    );
    assert_eq!(last_lines(&run, &judgement, None), "Smoke: 10/10 PASS\n");
}

#[test]
fn shortfall_lists_what_was_missed_and_what_was_not_judged() {
    let mut events = deployed();
    events.rolled_out().after().smoke(&[4]).end();
    let Some(EventKind::RunBegan(began)) = events.0.first_mut().map(|event| &mut event.kind) else {
        panic!()
    };
    began.target.image_tag = "latest".into();
    let text = closed(&events);
    let (first, rest) = text.trim_start().split_once('\n').unwrap();
    assert!(first.starts_with("SHORTFALL in "), "{first}");
    assert!(first.ends_with(": no stop rule fired, but 2 of 9 success criteria are not met"), "{first}");
    assert_eq!(
        rest.trim_end(),
        "  10/10 checks PASS
      saw   9/10 PASS
            check.04 GET /llms.txt: 404, expected 200
  `manifest.json` has `deploy.ok: true` and `smoke.ok: true`
      saw   deploy.ok: true, smoke.ok: false
  not evaluated: `/health` returns `{\"status\": \"healthy\", \"version\": \"0.4.2.2\"}`
      why   the image tag `latest` is not a version that can be compared: set IMAGE_TAG"
    );
    let run = events.run();
    assert_eq!(last_lines(&run, &judge(&run), None), "Smoke: 9/10 FAIL\n");
}

#[test]
fn stop_by_a_pod() {
    let mut events = deployed();
    events.starts("rollout.api", Effect::Reads);
    events.seen("dpp-api-6984f9c886-vbg9t", "CrashLoopBackOff", Conclusion::Stands);
    let deployments = vec![fixture::deployment("dpp-api", 3, 1), fixture::deployment("dpp-worker", 3, 3)];
    events.add(EventKind::DeploymentsAfter { deployments });
    let last_words = Some("Traceback\n\n\x1b[31mKeyError: 'DATABASE_URL'\n".to_owned());
    events.add(EventKind::Dumped { duration_ms: 600, last_words }).end();
    assert_eq!(
        closed(&events),
        "
STOP by rule 2: Any pod in `CrashLoopBackOff` or `Error` state
  saw       pod dpp-api-6984f9c886-vbg9t: CrashLoopBackOff (limit: no pod)
  shown by  watch.pods: MODIFIED   dpp-api-6984f9c886-vbg9t   0/1   CrashLoopBackOff   2 (0s ago)   2s
  because   container dpp-api ended with exit code 1 (Error), 2 restarts, image dpp-api:v0.4.2.3
  its last words (dump_logs/app_logs_tail.txt):
            | Traceback
            | ␛[31mKeyError: 'DATABASE_URL'
  left as   staging now has this deploy. Nothing was rolled back.
            k8s/api-deployment.yaml was applied
            k8s/worker-deployment.yaml was applied
            k8s/reaper-deployment.yaml was applied
            pods of dpp-api 3 of 3 ready, 1 updated · dpp-worker 3 of 3 ready, 3 updated
  not run   rollout of dpp-worker and dpp-reaper, all smoke checks
  look at   dump_logs/k8s_describe.txt  dump_logs/k8s_events.txt  dump_logs/app_logs_tail.txt
  runbook   Troubleshooting, Rollout Timeout: image pull errors (ImagePullBackOff), insufficient resources (Pending), probe failures. Check:
            kubectl --context=staging-cluster get pods -n dpp-staging
            kubectl --context=staging-cluster describe pod dpp-api-6984f9c886-vbg9t -n dpp-staging
            kubectl --context=staging-cluster get events -n dpp-staging --sort-by=.lastTimestamp | tail -20

"
    );
    let run = events.run();
    assert_eq!(last_lines(&run, &judge(&run), None), "Smoke: not run\n");
}

#[test]
fn stop_by_a_rollout_names_the_cause_that_is_seen() {
    let mut events = deployed();
    events.starts("rollout.api", Effect::Reads).ends(
        "rollout.api",
        &[1],
        Some("error: timed out waiting for the condition"),
    );
    events.add(EventKind::RolloutEnded { deployment: "dpp-api".into(), ending: Ending::TimedOut });
    let waiting = |reason: &str| ContainerState::Waiting {
        reason: Some(reason.to_owned()),
        message: Some("Back-off pulling image".to_owned()),
    };
    let mut other = fixture::pod("dpp-worker-1", waiting("CreateContainerConfigError"));
    other.deployment = Some("dpp-worker".into());
    let mut unready = fixture::pod("dpp-api-2", ContainerState::Running);
    unready.containers[0].ready = false;
    let pods = vec![other, fixture::pod("dpp-api-1", waiting("ImagePullBackOff")), unready];
    events.add(EventKind::PodsAfter { pods }).end();
    let text = closed(&events);
    for line in [
        "  because   pod dpp-api-1: ImagePullBackOff, container dpp-api: Back-off pulling image",
        "            pod dpp-api-2: runs, but is not ready (its readiness probe)",
        "            pod dpp-worker-1: CreateContainerConfigError, container dpp-api: Back-off pulling image",
        "            Seen here: ImagePullBackOff, CreateContainerConfigError. Check:",
        "            kubectl --context=staging-cluster describe pod dpp-api-1 -n dpp-staging",
        "  shown by  rollout.api: error: timed out waiting for the condition",
        "  look at   deploy/stderr.log",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
    }
}

#[test]
fn stop_by_an_apply_says_what_it_had_done() {
    let mut events = events();
    events.preflight().step(1, 900).command("apply.api", Effect::Changes, &[0, 0, 0, 0]);
    events.starts("apply.worker", Effect::Changes).ends("apply.worker", &[0, 0, 0, 1], Some("error: denied"));
    let objects = [
        ("serviceaccount/dpp-worker", apply::ApplyOutcome::Created),
        ("service/x", apply::ApplyOutcome::Unchanged),
    ];
    events.applied("k8s/worker-deployment.yaml", &objects).end();
    let text = closed(&events);
    let rest = text.split_once("  left as").unwrap().1;
    assert_eq!(
        rest,
        "   staging now has a part of this deploy. Nothing was rolled back.
            k8s/api-deployment.yaml was applied
            k8s/worker-deployment.yaml: its apply failed, but had already changed serviceaccount/dpp-worker
  not run   apply of dpp-reaper, rollout of dpp-api, dpp-worker and dpp-reaper, all smoke checks
  look at   deploy/stderr.log

"
    );
    assert!(text.contains("  shown by  apply.worker\n"), "{text}");
}

#[test]
fn stop_by_the_checks_shows_them_and_the_runbooks_command() {
    let mut events = deployed();
    events
        .rolled_out()
        .after()
        .healthy("/health", 1, "200")
        .healthy("/readyz", 1, "200")
        .checks(&[4, 5, 6])
        .end();
    let text = closed(&events);
    for line in [
        "STOP by rule 4: Smoke tests: < 8/10 PASS (80% threshold)",
        "  because   check.04 GET /llms.txt: 404, expected 200",
        "            check.06 GET /redoc: 404, expected 200",
        "  look at   smoke/results.json",
        "            cat /repo/evidence/staging/20261123/smoke/results.json | jq '.checks[] | select(.pass == false)'",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
    }
    assert!(!text.contains("not run"), "{text}");
}

#[test]
fn a_gate_that_stays_shut_without_an_apply() {
    let mut events = Events::default();
    let mut began = fixture::began();
    began.options.apply = false;
    events.add(EventKind::RunBegan(Box::new(began))).rolled_out().healthy("/readyz", 121, "503").end();
    let text = closed(&events);
    for line in [
        "  saw       /readyz: 503 after 120 s, asked 121 times (limit: 200 within 120 s)",
        "  left as   nothing was applied by this run (--no-apply)",
        "  not run   all smoke checks",
        "            curl https://staging-api.decisionproof.ai/health | jq .services",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
    }
}

#[test]
fn refused() {
    let findings = [
        Finding {
            guard: "g".into(),
            found: "${X} is left in k8s/a.yaml\x07".into(),
            next: "replace it".into(),
        },
        Finding { guard: "h".into(), found: "b".into(), next: String::new() },
    ];
    assert_eq!(
        plain(&super::refused(&findings)),
        "\
Refused: 2 findings before anything was changed.

  ${X} is left in k8s/a.yaml␇
      do this   replace it

  b
"
    );
}

#[test]
fn incomplete_says_what_is_unknown() {
    let mut events = events();
    events.preflight().step(1, 900).command("apply.api", Effect::Changes, &[0, 0, 0, 0]);
    events
        .starts("apply.worker", Effect::Changes)
        .add(EventKind::Interrupted { signal: 15 })
        .add(EventKind::RunEnded);
    let text = closed(&events);
    let rest = text.trim_start().split_once(": ").unwrap().1;
    assert_eq!(
        rest,
        "ended by signal 15
  left as   staging now has a part of this deploy. Nothing was rolled back.
            k8s/api-deployment.yaml was applied
            k8s/worker-deployment.yaml: its apply was started, and its end was not recorded
  unknown   apply.worker was started, but its end was not recorded; it may have changed the cluster: kubectl apply.worker
  not run   apply of dpp-reaper, rollout of dpp-api, dpp-worker and dpp-reaper, all smoke checks
  look at   /repo/evidence/staging/20261123/journal.jsonl

"
    );
}

#[test]
fn a_part_of_a_run_is_judged_by_that_part() {
    let mut events = events();
    events.preflight().end();
    let run = events.run();
    let text = plain(&block(&run, &judge(&run), Scope::Preflight, None));
    assert!(text.ends_with(": every guard passed, and nothing was changed\n\n"), "{text}");

    let mut events = self::events();
    events.smoke(&[]).end();
    let run = events.run();
    let text = plain(&block(&run, &judge(&run), Scope::Smoke, None));
    assert!(text.ends_with(": every success criterion is met (4 of 4)\n\n"), "{text}");
}
