//! Real kubectls, of every version there is, on the simulated API server.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bench;

use std::borrow::Cow;
use std::time::Duration;

use bench::{bench, kubectls, named, next_version, rows};
use rehearsal::{Denied, Fate, When, With, scenario};

#[test]
fn each_kubectl_does_the_whole_runbook() {
    for kubectl in kubectls() {
        let bench = named("healthy").using(&kubectl);
        assert!(bench.kubectl("version -o json").ok().contains("\"gitVersion\": \"v1.34.4\""));
        assert!(bench.kubectl("get namespaces").ok().contains("dpp-staging       Active   3d4h"));
        let before = bench.kubectl("get deploy,po,svc -n dpp-staging -o wide").ok();
        assert_eq!(before.matches("v0.4.2.1").count(), 3, "{before}");
        assert_eq!(before.matches("1/1     Running   0          3d4h").count(), 10, "{before}");
        assert_eq!(bench.kubectl("auth can-i patch deployments.apps -n dpp-staging").out, "yes\n");
        assert_eq!(bench.kubectl("auth can-i get pods --subresource=log -n dpp-staging").out, "yes\n");

        let dry = bench.apply(&next_version("dpp-api"), "--dry-run=server -o json").ok();
        assert!(dry.contains("\"generation\": 2"), "{dry}");
        assert!(bench.cluster.writes().is_empty());

        for name in ["dpp-api", "dpp-worker", "dpp-reaper"] {
            let out = bench.deploy(name).ok();
            assert_eq!(out.matches("configured").count(), 1, "{out}");
        }
        assert_eq!(bench.cluster.writes().len(), 3);
        for name in ["dpp-api", "dpp-worker", "dpp-reaper"] {
            let out = bench.rollout(name, "10s").ok();
            assert!(out.ends_with(&format!("deployment \"{name}\" successfully rolled out\n")), "{out}");
            let again = bench.deploy(name).ok();
            assert_eq!(again.matches("unchanged").count(), again.lines().count(), "{again}");
        }
        let after = bench.kubectl("get deploy,po,svc -n dpp-staging -o wide").ok();
        assert_eq!(after.matches("1/1     Running").count(), 10, "{after}");
        assert!(!after.contains("v0.4.2.1"), "{after}");
        let slices = "get endpointslices.discovery.k8s.io -n dpp-staging -l kubernetes.io/service-name=dpp-api -o json";
        assert_eq!(bench.kubectl(slices).ok().matches("\"ready\": true").count(), 3);
        let described = bench.kubectl("describe deployments,pods -n dpp-staging --show-events=true").ok();
        assert!(described.contains("ScalingReplicaSet"), "{kubectl}: {described}");
        assert!(
            bench.kubectl("get events -n dpp-staging --sort-by=.lastTimestamp").ok().contains("Scheduled")
        );
        assert!(bench.kubectl("logs -n dpp-staging deployment/dpp-api").ok().contains("startup complete"));
        assert_eq!(bench.cluster.unknown_requests(), []);
    }
}

#[test]
fn crash_loop_shows_on_the_watch_when_the_rollout_is_watched() {
    let mut seen = Vec::new();
    for _ in 0..2 {
        let wait = With::WritesAwaitPodsWatch(Duration::from_secs(5));
        let bench = bench(scenario("crash-loop").unwrap().with(wait));
        let mut watch = bench.watch();
        bench.deploy("dpp-api").ok();
        assert!(bench.cluster.instants().is_empty());
        let rollout = bench.rollout("dpp-api", "3s");
        assert_eq!((rollout.code, &*rollout.err), (Some(1), "error: timed out waiting for the condition\n"));
        let text = watch.until("CrashLoopBackOff").to_owned();
        let last = text.lines().last().unwrap();
        let pod = last.split_whitespace().nth(1).unwrap();
        assert_eq!(bench.cluster.instants()[0].0, format!("CrashLoopBackOff {pod}"));
        let object = bench.kubectl(&format!("get pod {pod} -n dpp-staging -o json")).ok();
        let object: serde_json::Value = serde_json::from_str(&object).unwrap();
        let status = &object["status"]["containerStatuses"][0];
        assert_eq!(status["lastState"]["terminated"]["exitCode"], 1);
        let logs = bench.kubectl(&format!("logs {pod} -n dpp-staging --previous")).ok();
        assert!(logs.ends_with("KeyError: 'DATABASE_URL'\n"), "{logs}");
        let ready = bench.kubectl("get pods -n dpp-staging -l app=dpp-api").ok();
        assert_eq!(ready.matches("1/1     Running").count(), 3, "{ready}");
        seen.push((rows(&text), rollout.out));
    }
    assert_eq!(seen[0], seen[1]);
}

#[test]
fn replaced_pods_print_error_after_the_rollout_succeeded() {
    let bench = named("healthy");
    let mut watch = bench.watch();
    bench.deploy("dpp-api").ok();
    bench.rollout("dpp-api", "10s").ok();
    bench.curl(&[], "/v1/runs").ok();
    let rows = rows(watch.until("DELETED"));
    let ready = rows.iter().rposition(|row| row.ends_with("Running")).unwrap();
    let error = rows.iter().position(|row| row.ends_with("Error")).unwrap();
    assert!(ready < error, "{rows:#?}");
    assert!(rows.last().unwrap().starts_with("DELETED"), "{rows:#?}");
    assert!(rows.last().unwrap().ends_with("Error"), "{rows:#?}");
}

#[test]
fn a_cut_watch_ends_silently_with_exit_0_and_the_crash_shows_on_the_next() {
    let bench = named("watch-cut");
    let first = bench.watch();
    bench.deploy("dpp-api").ok();
    let rollout = std::thread::scope(|scope| {
        let rollout = scope.spawn(|| bench.rollout("dpp-api", "3s"));
        let began = std::time::Instant::now();
        let (code, text) = first.end();
        assert_eq!(code, Some(0));
        assert!(began.elapsed() < Duration::from_secs(15), "it ended by its own timeout");
        assert!(!text.contains("CrashLoopBackOff"), "{text}");
        let mut second = bench.watch();
        second.until("CrashLoopBackOff");
        rollout.join().unwrap()
    });
    assert_eq!(rollout.code, Some(1));
}

#[test]
fn a_crash_may_come_a_time_after_scheduling() {
    let fate = Fate::CrashLoop { exit_code: 3, restarts: 5 };
    let when = When::After(Duration::from_millis(300));
    let bench = bench(scenario("healthy").unwrap().new_pods("dpp-api", fate, when));
    let mut watch = bench.watch();
    bench.deploy("dpp-api").ok();
    let text = watch.until("CrashLoopBackOff");
    assert!(text.lines().last().unwrap().contains(" 5 ("), "{text}");
}

#[test]
fn a_pod_that_crashed_before_is_replaced() {
    let bench = named("already-crashing-and-fixed");
    let before = bench.kubectl("get pods -n dpp-staging").ok();
    assert_eq!(before.matches("CrashLoopBackOff   9 (").count(), 1, "{before}");
    bench.deploy("dpp-api").ok();
    bench.rollout("dpp-api", "10s").ok();
    let after = bench.kubectl("get pods -n dpp-staging").ok();
    assert_eq!(after.matches("1/1     Running").count(), 10, "{after}");
}

#[test]
fn rollouts_that_do_not_end_say_why() {
    let bench_of = |fate| bench(scenario("healthy").unwrap().new_pods("dpp-api", fate, When::RolloutWatched));
    let bench = bench_of(Fate::PastDeadline);
    bench.deploy("dpp-api").ok();
    let rollout = bench.rollout("dpp-api", "10s");
    assert_eq!(rollout.err, "error: deployment \"dpp-api\" exceeded its progress deadline\n");

    let bench = bench_of(Fate::NotCreated { message: Cow::Borrowed("exceeded quota: pods") });
    bench.deploy("dpp-api").ok();
    assert_eq!(bench.rollout("dpp-api", "1s").err, "error: timed out waiting for the condition\n");
    let conditions =
        bench.kubectl("get deployment dpp-api -n dpp-staging -o jsonpath={.status.conditions[*].reason}");
    assert!(conditions.ok().ends_with("FailedCreate"));

    let bench = named("image-pull");
    bench.deploy("dpp-api").ok();
    assert_eq!(bench.rollout("dpp-api", "1s").code, Some(1));
    assert!(bench.kubectl("get pods -n dpp-staging").ok().contains("ImagePullBackOff"));
    let described = bench.kubectl("describe pods -n dpp-staging -l app=dpp-api").ok();
    assert!(described.contains("Back-off pulling image"), "{described}");
}

#[test]
fn what_is_denied_is_refused_in_the_servers_words() {
    let bench = named("forbidden");
    let can = bench.kubectl("auth can-i patch deployments.apps -n dpp-staging");
    assert_eq!((can.code, &*can.out), (Some(1), "no\n"));
    let refused = bench.deploy("dpp-api");
    assert_eq!(refused.code, Some(1));
    let words = "deployments.apps \"dpp-api\" is forbidden: User \"ci-deployer\" cannot patch resource \
                 \"deployments\" in API group \"apps\" in the namespace \"dpp-staging\"";
    assert!(refused.err.contains(words), "{}", refused.err);
    assert_eq!(bench.cluster.writes().iter().map(|write| write.status).collect::<Vec<_>>(), [403]);

    let denied = Denied { subresource: Cow::Borrowed("log"), ..Denied::new("get", "", "pods") };
    let bench = bench::bench(scenario("healthy").unwrap().denied(denied));
    assert_eq!(bench.kubectl("auth can-i get pods --subresource=log -n dpp-staging").out, "no\n");
    assert_eq!(bench.kubectl("auth can-i get pods -n dpp-staging").out, "yes\n");
    assert!(bench.kubectl("logs deployment/dpp-api -n dpp-staging").err.contains("resource \"pods/log\""));
}

#[test]
fn strict_validation_names_unknown_fields() {
    let bench = named("healthy");
    let manifest = next_version("dpp-api").replace("\"replicas\"", "\"replicaz\":1,\"replicas\"");
    let patched = bench.apply(&manifest, "--dry-run=server");
    assert!(
        patched.err.contains("strict decoding error: unknown field \"spec.replicaz\""),
        "{}",
        patched.err
    );
    let created = bench.apply(&manifest.replace("\"name\":\"dpp-api\"", "\"name\":\"other\""), "");
    let words = "Deployment in version \"v1\" cannot be handled as a Deployment: strict decoding error: unknown field";
    assert!(created.err.contains(words), "{}", created.err);
}

#[test]
fn an_object_without_a_namespace_lands_in_the_contexts() {
    let elsewhere = With::ContextNamespace("default".into());
    let granted = ["default", "nowhere"].map(|namespace| With::AlsoGrantedIn(namespace.into()));
    let healthy = granted.into_iter().fold(scenario("healthy").unwrap(), rehearsal::Scenario::with);
    let bench = bench::bench(healthy.with(elsewhere));
    let manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n";
    let landed = bench.apply(manifest, "--dry-run=server -o jsonpath={.metadata.namespace}").ok();
    assert_eq!(landed, "default");
    let nowhere = bench.apply(manifest, "-n nowhere");
    assert!(nowhere.err.contains("namespaces \"nowhere\" not found"), "{}", nowhere.err);

    let bench = bench::bench(scenario("healthy").unwrap().with(With::NoNamespace));
    let gone = bench.kubectl("get namespace dpp-staging");
    assert_eq!(gone.err, "Error from server (NotFound): namespaces \"dpp-staging\" not found\n");
    let empty = bench.kubectl("get deploy,po,svc -n dpp-staging");
    assert_eq!((empty.code, &*empty.err), (Some(0), "No resources found in dpp-staging namespace.\n"));
}

#[test]
fn logs_may_be_long() {
    let bench = bench(scenario("healthy").unwrap().with(With::LogBytes(20_000_000)));
    assert_eq!(bench.kubectl("logs deployment/dpp-api -n dpp-staging").ok().len(), 20_000_000);
}
