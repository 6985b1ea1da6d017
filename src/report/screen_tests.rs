use super::super::layout::plain;
use super::*;
use crate::events::{Effect, FailingPod};
use crate::facts::apply;
use crate::fixture::{self, Events, events};

/// Returns the text on the screen after these events.
fn shown(events: &Events, verbosity: Verbosity) -> String {
    let mut screen = Screen::new(verbosity);
    let mut run = fixture::nothing_yet();
    let mut text = String::new();
    for event in &events.0 {
        run.add(event);
        text.push_str(&screen.told(event, &run));
    }
    plain(&text)
}

/// Removes the spaces before a duration.
fn squeezed(text: &str) -> String {
    let squeeze = |line: &str| match line.rsplit_once("   ") {
        Some((start, time)) if time.ends_with(" s") => {
            format!("{}   {}", start.trim_end(), time.trim_start())
        }
        _ => line.to_owned(),
    };
    text.lines().map(squeeze).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_run_that_passes() {
    let mut events = events();
    events.preflight().step(1, 900).deploy().rolled_out().after().smoke(&[]).end();
    let shown = shown(&events, Verbosity::Normal);
    assert_eq!(
        squeezed(&shown),
        "\
staging-dry-run 0.2.0 · run 20261123T161952Z-106f58
staging-cluster (https://10.0.0.1:6443, v1.34.4) as ci-deployer · namespace dpp-staging
https://staging-api.decisionproof.ai with a key · image tag v0.4.2.2

1 Preflight    kubectl 1.32, curl 7.88, jq 1.6 · 1 permission · 3 manifests accepted by the server   0.9 s
2 Deploy       3 objects: 3 configured   0.7 s
3 Rollout      dpp-api, dpp-worker, dpp-reaper rolled out   41.2 s
4 After        dpp-api 3/3 · dpp-worker 3/3 · dpp-reaper 3/3 · 1 pod Running, 0 restarts
               service dpp-api has 3 endpoints   0.2 s
5 Smoke        /health and /readyz answered 200 at once
   ok   GET /health                     200     9 ms
   ok   GET /readyz                     200     9 ms
   ok   GET /.well-known/openapi.json   200     9 ms
   ok   GET /llms.txt                   200     9 ms
   ok   GET /api-docs                   200     9 ms
   ok   GET /redoc                      200     9 ms
   ok   GET /metrics                    200     9 ms
   ok   GET /pricing/ssot.json          200     9 ms
   ok   GET /docs/quickstart.md         200     9 ms
   ok   GET /v1/runs                    200     9 ms
   p95  health, readyz 18 ms (limit 500) · openapi, docs 1044 ms (over the limit of 1000)   1.1 s"
    );
    assert!(
        shown.lines().filter(|line| line.ends_with(" s")).all(|line| line.chars().count() >= 108),
        "{shown}"
    );
}

#[test]
fn the_default_tag_and_no_apply_are_announced() {
    let mut events = Events::default();
    let mut began = fixture::began();
    began.target.image_tag = "latest".into();
    began.options.apply = false;
    began.with_key = false;
    events.add(EventKind::RunBegan(Box::new(began))).add(EventKind::ClusterUser { name: None });
    assert_eq!(
        shown(&events, Verbosity::Normal).lines().nth(2).unwrap(),
        "https://staging-api.decisionproof.ai without a key · image tag latest (the default of IMAGE_TAG) \
         · nothing will be applied (--no-apply)"
    );
}

#[test]
fn preflight_tells_warnings_and_pods_that_fail_already() {
    let mut events = events();
    events.preflight();
    for event in &mut events.0 {
        if let EventKind::WouldLand { file, warnings, .. } = &mut event.kind
            && file.contains("api")
        {
            warnings.push("would violate PodSecurity \x1b[31m".to_owned());
        }
    }
    let pod = |pod: &str, deployment: Option<&str>, word: &str| FailingPod {
        pod: pod.into(),
        uid: pod.into(),
        deployment: deployment.map(str::to_owned),
        failing: crate::facts::pods::Failing { word: word.into(), ..fixture::failing() },
    };
    let failing = vec![
        pod("dpp-api-1", Some("dpp-api"), "CrashLoopBackOff"),
        pod("dpp-api-0", Some("dpp-api"), "Error"),
        pod("other-1", None, "CrashLoopBackOff"),
    ];
    events.add(EventKind::PodsBefore { total: 3, failing }).step(1, 900);
    let shown = shown(&events, Verbosity::Normal);
    let notes: Vec<&str> = shown.lines().skip(5).collect();
    assert_eq!(
        notes,
        [
            "   warning for k8s/api-deployment.yaml: would violate PodSecurity ␛[31m",
            "   pod dpp-api-1   CrashLoopBackOff, already before the deploy",
            "       the rollout may fix it; if it still fails at the end, that is a STOP",
            "   pod dpp-api-0   Error, already before the deploy",
            "       if it is still there at the end, that is a STOP",
            "       remove it   kubectl --context=staging-cluster delete pod dpp-api-0 -n dpp-staging",
            "   pod other-1   CrashLoopBackOff, already before the deploy",
            "       this run changes nothing about it; if it still fails at the end, that is a STOP",
        ]
    );
}

#[test]
fn what_is_the_matter_stands_there_at_once() {
    let mut events = events();
    events.preflight().step(1, 900).deploy().starts("rollout.api", Effect::Reads);
    events.seen("dpp-api-0", "Error", Conclusion::RuledOut("the pod is gone".into()));
    events.seen("dpp-api-1", "Error", Conclusion::Excused("it was failing before".into()));
    events.seen("dpp-api-2", "CrashLoopBackOff", Conclusion::Stands);
    events.add(EventKind::Dumped { duration_ms: 600, last_words: None });
    let shown = squeezed(&shown(&events, Verbosity::Normal));
    let tail: Vec<&str> = shown.lines().skip(6).collect();
    assert_eq!(
        tail,
        [
            "3 Rollout      waiting …",
            "   pod dpp-api-1   Error   0.1 s after the rollout began · does not count yet: it was failing before",
            "   pod dpp-api-2   CrashLoopBackOff   0.2 s after the rollout began",
            "  Captured describe, events and logs   0.6 s",
        ]
    );
}

#[test]
fn a_rollout_and_a_gate_that_fail_are_told() {
    let mut events = events();
    events.preflight().starts("rollout.api", Effect::Reads);
    events.add(EventKind::RolloutEnded { deployment: "dpp-api".into(), ending: Ending::TimedOut });
    events.healthy("/health", 1, "200").healthy("/readyz", 121, "503").healthy("/readyz", 121, "000");
    let shown = shown(&events, Verbosity::Normal);
    let tail: Vec<&str> = shown.lines().skip(4).collect();
    assert_eq!(
        tail,
        [
            "3 Rollout      waiting …",
            "   deployment/dpp-api: did not finish in time",
            "5 Smoke        /readyz answered 503 for 120 s (asked 121 times, limit 120 s)",
            "               /readyz gave no answer for 120 s (asked 121 times, limit 120 s)",
        ]
    );
}

#[test]
fn a_check_that_fails_says_what_was_expected() {
    let mut run = fixture::begun();
    let answer = |number, transfer| crate::run_state::CheckRecord {
        number: crate::runbook::CheckNumber::new(number).unwrap(),
        url: String::new(),
        transfer,
        at: fixture::at(0),
    };
    run.checks = vec![
        answer(2, fixture::transfer("503")),
        answer(
            3,
            crate::facts::curl::Transfer {
                exit_code: 6,
                error: Some("Could not resolve host: x\x1b".into()),
                ..fixture::transfer("000")
            },
        ),
        answer(
            5,
            crate::facts::curl::Transfer {
                redirect_url: Some("https://x/login".into()),
                ..fixture::transfer("302")
            },
        ),
        answer(
            6,
            crate::facts::curl::Transfer {
                exit_code: 18,
                error: Some("short".into()),
                ..fixture::transfer("200")
            },
        ),
    ];
    let lines: Vec<String> = run.checks.iter().map(|check| plain(&step_lines::check(check, &run))).collect();
    assert_eq!(
        lines.concat(),
        "   \
   FAIL GET /readyz                     503     9 ms   expected 200
   FAIL GET /.well-known/openapi.json   000     9 ms   no answer, expected 200: Could not resolve host: x␛ (curl 6)
   FAIL GET /api-docs                   302     9 ms   expected 200, redirected to https://x/login
   FAIL GET /redoc                      200     9 ms   the answer was incomplete: short (curl 18)
"
        .trim_start_matches(' ')
        .replacen("FAIL", "   FAIL", 1)
    );
}

#[test]
fn live_shows_commands_and_quiet_shows_nothing() {
    let mut events = events();
    events.starts("apply.api", Effect::Changes).ends("apply.api", &[0, 0, 0, 1], Some("error: no\x1b"));
    assert_eq!(
        shown(&events, Verbosity::Live),
        "  > apply.api   kubectl apply.api\n  < apply.api   exit 0 0 0 1, 0.1 s · error: no␛\n"
    );
    let mut screen = Screen::new(Verbosity::Quiet);
    for event in &events.0 {
        screen.show(event, &events.run());
    }
    assert!(!screen.headed);
}

#[test]
fn objects_are_counted_by_what_became_of_them() {
    let mut events = events();
    let objects = [
        ("a/b", apply::ApplyOutcome::Unchanged),
        ("a/c", apply::ApplyOutcome::Created),
        ("a/d", apply::ApplyOutcome::Unchanged),
    ];
    events.applied("k8s/api-deployment.yaml", &objects);
    events.applied("k8s/worker-deployment.yaml", &[("a/e", apply::ApplyOutcome::Other("pruned".into()))]);
    assert_eq!(step_lines::of_step(2, &events.run()), ["4 objects: 1 created, 2 unchanged, 1 pruned"]);
}
