//! For each step that has a reader the events of its output, when it succeeded and when it did not.

use serde_json::{Value, json};

use super::readers;
use super::{CommandOutput, events, first_error, look, needed_stdout, needs_stdout, transfer};
use crate::events::{ByteRange, EndedBy, Outcome};
use crate::facts::pods::Pod;
use crate::fixture::{self, Build, at, runbook, step};

fn outcome(id: &str, exit: i32, by: EndedBy, stderr: &str) -> Outcome {
    Outcome {
        n: 1,
        id: step(id),
        started: at(0),
        duration_ms: 7,
        exit: vec![exit],
        ended_by: by,
        note: None,
        stdout: None,
        stderr: None,
        first_error: first_error(stderr.as_bytes()).filter(|_| exit != 0),
        redactions: Vec::new(),
    }
}

/// The events, as the journal has them.
fn read(id: &str, exit: i32, [stdout, stderr]: [&str; 2]) -> Value {
    read_in(|run| run, id, exit, EndedBy::Itself, [stdout, stderr])
}

fn read_in(build: Build, id: &str, exit: i32, by: EndedBy, [stdout, stderr]: [&str; 2]) -> Value {
    let mut run = fixture::events();
    build(&mut run);
    let outcome = outcome(id, exit, by, stderr);
    let (stdout, stderr) = (stdout.as_bytes(), stderr.as_bytes());
    let events = events(&run.run(), &CommandOutput { outcome: &outcome, stdout, stderr });
    serde_json::to_value(events.unwrap()).unwrap()
}

const FIGURES: &str = "{\"http_code\":200,\"time_total\":0.009,\"exitcode\":0}\n";

#[test]
fn the_preflight_s_commands_are_read() {
    let version =
        json!({"clientVersion": {"major": "1", "minor": "32", "gitVersion": "v1.32.1"}}).to_string();
    for (id, stdout, event) in [
        (
            "version.kubectl",
            &*version,
            json!({"event": "tool-version", "name": "kubectl", "version": "v1.32.1", "numbers": [1, 32]}),
        ),
        (
            "version.kubectl",
            "",
            json!({"event": "tool-version", "name": "kubectl", "version": null, "numbers": null}),
        ),
        (
            "version.curl",
            "curl 8.5.0 (x86_64-pc-linux-gnu) libcurl/8.5.0\n",
            json!({"event": "tool-version", "name": "curl", "version": "8.5.0", "numbers": [8, 5]}),
        ),
        (
            "version.jq",
            "jq-1.7.1\n",
            json!({"event": "tool-version", "name": "jq", "version": "1.7.1", "numbers": [1, 7]}),
        ),
        (
            "server",
            "{\"serverVersion\":{\"major\":\"1\",\"minor\":\"34\",\"gitVersion\":\"v1.34.4\"}}",
            json!({"event": "server-version", "version": "v1.34.4"}),
        ),
        ("server", "", json!({"event": "server-version", "version": null})),
        (
            "whoami",
            "{\"status\":{\"userInfo\":{\"username\":\"ci\"}}}",
            json!({"event": "cluster-user", "name": "ci"}),
        ),
        ("whoami", "", json!({"event": "cluster-user", "name": null})),
        (
            "can-i.get-pods",
            "yes\n",
            json!({"event": "permission-answered", "id": "can-i.get-pods", "question": "get pods -n dpp-staging", "needed_for": "confirming a failing pod (stop rule 2)", "answer": true}),
        ),
        (
            "render.api",
            "image: ${HOST}/${TAG}/${HOST}\n",
            json!({"event": "rendered", "file": "k8s/api-deployment.yaml", "left": ["HOST", "TAG"]}),
        ),
    ] {
        assert_eq!(read(id, 0, [stdout, ""]), json!([event]), "{id}");
    }
    assert_eq!(read("can-i.unheard-of", 0, ["yes\n", ""]), json!([]));
    assert_eq!(read("render.unheard-of", 0, ["", ""]), json!([]));
    assert_eq!(read("context", 1, ["", "no"]), json!([]));
    let uid =
        |namespace: &str, uid: Value| json!({"event": "namespace-uid", "namespace": namespace, "uid": uid});
    assert_eq!(
        read("uids", 0, ["dpp-staging 22\nother 33\n", ""]),
        json!([uid("kube-system", Value::Null), uid("dpp-staging", json!("22"))])
    );
    for (printed, is_one) in [
        ("8b7a3c1e-0f5d-4f6e-9a55-2f3b1c9d7e10", true),
        ("x'; touch ran; echo '", false),
        ("a@UID@", false),
        ("a b", false),
        ("", false),
    ] {
        let told = if is_one { json!(printed) } else { Value::Null };
        let events = read("uids", 0, [&format!("dpp-staging {printed}\n"), ""]);
        assert_eq!(events[1], uid("dpp-staging", told), "{printed}");
    }
    let lands =
        json!({"api_version": "v1", "kind": "Service", "namespace": "a", "name": "b", "generation": null});
    assert_eq!(
        read("guard.api", 0, ["v1\tService\ta\tb\t\n", "Warning: old\n"]),
        json!([{"event": "would-land", "file": "k8s/api-deployment.yaml", "objects": [lands], "warnings": ["old"]}])
    );
    assert_eq!(read("guard.api", 1, ["v1\tService\ta\tb\t\n", "no"]), json!([]));
}

fn pod(name: &str, reason: &str, deleting: bool) -> Value {
    let deleted = deleting.then_some("2026-11-23T16:19:52Z");
    json!({"kind": "Pod", "metadata": {"name": name, "uid": "1", "deletionTimestamp": deleted},
        "spec": {"containers": [{"name": "api", "image": "dpp:1"}]},
        "status": {"phase": "Pending", "containerStatuses": [{"name": "api", "image": "dpp:1", "imageID": "",
            "ready": false, "restartCount": 0, "state": {"waiting": {"reason": reason}}}]}})
}

fn list(items: &[Value]) -> String {
    json!({"kind": "List", "apiVersion": "v1", "items": items}).to_string()
}

#[test]
fn the_objects_are_read_when_they_were_listed() {
    let deployment = json!({"kind": "Deployment", "metadata": {"name": "dpp-api", "generation": 3}});
    let failing = pod("a", "CrashLoopBackOff", false);
    let objects =
        list(&[deployment, failing, pod("b", "CrashLoopBackOff", true), pod("c", "Pulling", false)]);
    let before = read("objects.before", 0, [&objects, ""]);
    assert_eq!((&before[0]["event"], &before[0]["total"]), (&json!("pods-before"), &json!(3)));
    let failing = before[0]["failing"].as_array().unwrap();
    assert_eq!(failing.len(), 1);
    assert_eq!((&failing[0]["pod"], &failing[0]["uid"]), (&json!("a"), &json!("1")));
    let generations =
        |applied: bool| json!({"event": "generations", "applied": applied, "generations": [["dpp-api", 3]]});
    assert_eq!(before[1], generations(false));
    assert_eq!(read("objects.applied", 0, [&objects, ""]), json!([generations(true)]));
    let after = read("objects.after", 0, [&objects, ""]);
    let events: Vec<&Value> = after.as_array().unwrap().iter().map(|event| &event["event"]).collect();
    assert_eq!(events, ["deployments-after", "endpoints", "pods-after"]);
    let names: Vec<&Value> = after[2]["pods"].as_array().unwrap().iter().map(|pod| &pod["name"]).collect();
    assert_eq!(names, ["a", "c"], "those that are being deleted are left out");
    for id in ["objects.before", "objects.applied", "objects.after"] {
        assert_eq!(read(id, 1, [&objects, "no"]), json!([]), "{id}");
        let outcome = outcome(id, 0, EndedBy::Itself, "");
        let output = CommandOutput { outcome: &outcome, stdout: b"<html>", stderr: b"" };
        assert!(events_of(&output).is_err(), "{id}");
    }
}

fn events_of(output: &CommandOutput<'_>) -> Result<Vec<crate::events::EventKind>, crate::facts::Unreadable> {
    events(&fixture::begun(), output)
}

#[test]
fn of_a_run_that_applies_only_its_own_services_count() {
    let service = |name: &str| json!({"kind": "Service", "metadata": {"name": name}});
    let objects = list(&[service("dpp-api"), service("other")]);
    let names = |build: Build| {
        let after = read_in(build, "objects.after", 0, EndedBy::Itself, [&objects, ""]);
        let services = after[1]["services"].as_array().unwrap().clone();
        services.iter().map(|service| service["service"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let lands: Build =
        |run| run.lands(&[("Service", Some("dpp-staging"), "dpp-api"), ("Ingress", None, "other")]);
    assert_eq!(names(lands), ["dpp-api"]);
    assert_eq!(names(|run| run), [""; 0]);
    assert_eq!(names(|run| run.began(|began| began.options.apply = false)), ["dpp-api", "other"]);
}

#[test]
fn the_deploy_s_and_the_smoke_test_s_commands_are_read() {
    let applied = |outcome: &str| json!({"object": "deployment.apps/dpp-api", "outcome": outcome});
    let of =
        |objects: Value| json!([{"event": "applied", "file": "k8s/api-deployment.yaml", "objects": objects}]);
    assert_eq!(
        read("apply.api", 0, ["deployment.apps/dpp-api created\n", ""]),
        of(json!([applied("created")]))
    );
    assert_eq!(
        read("apply.api", 1, ["deployment.apps/dpp-api configured\n", "no"]),
        of(json!([applied("configured")]))
    );
    let ended = |ending: &str| json!([{"event": "rollout-ended", "deployment": "dpp-api", "ending": ending}]);
    let timed_out = "error: timed out waiting for the condition\n";
    assert_eq!(read("rollout.api", 0, ["", ""]), ended("rolled-out"));
    assert_eq!(read("rollout.api", 1, ["", timed_out]), ended("timed-out"));
    assert_eq!(read_in(|run| run, "rollout.api", 143, EndedBy::StagingDryRun(1), ["", ""]), json!([]));
    assert_eq!(read_in(|run| run, "rollout.api", 1, EndedBy::HeldPipes, ["", timed_out]), ended("timed-out"));
    let check = read_in(
        |run| run.began(|began| began.target.metrics_url = Some("http://metrics:9090".into())),
        "check.07",
        0,
        EndedBy::Itself,
        ["", FIGURES],
    );
    assert_eq!((&check[0]["check"], &check[0]["url"]), (&json!(7), &json!("http://metrics:9090/metrics")));
    assert_eq!(check[0]["transfer"]["http_status"], "200");
    assert_eq!(read("check.99", 0, ["", FIGURES]), json!([]));
    let failed = "{\"http_code\":0,\"time_total\":9.0,\"exitcode\":7}\n";
    let sampled = |samples: usize, p95: Option<u64>| json!([{"event": "latency-sampled", "id": "latency.docs", "samples": samples, "p95_ms": p95}]);
    assert_eq!(read("latency.docs", 7, ["", &format!("{FIGURES}{failed}{FIGURES}")]), sampled(2, Some(9)));
    assert_eq!(read("latency.docs", 7, ["", failed]), sampled(0, None));
}

/// The steps without a reader: their exit statuses count, or they are read elsewhere.
const NOT_READ: [&str; 17] = [
    "namespaces",
    "namespace",
    "status.before",
    "status.after",
    "use-context",
    "watch.pods",
    "list.pods",
    "list.last",
    "confirm.pod",
    "gate.health",
    "gate.readyz",
    "body.health",
    "body.readyz",
    "dump.describe",
    "dump.events",
    "dump.logs",
    "dump.previous",
];

#[test]
fn each_step_of_the_runbook_is_read_or_is_none_of_these() {
    for row in &runbook().steps {
        let id = row.id.to_string();
        assert_eq!(readers::reader(&row.id).is_none(), NOT_READ.contains(&&*id), "{id}");
        let kind = id.split('.').next().unwrap();
        let stderr_alone = ["rollout", "check", "latency"].contains(&kind);
        assert_eq!(needs_stdout(&row.id), !NOT_READ.contains(&&*id) && !stderr_alone, "{id}");
    }
    let range = ByteRange { file: "f".into(), from: 0, to: 1 };
    for (id, needed) in [("uids", true), ("check.01", false), ("namespaces", false)] {
        let outcome = Outcome { stdout: Some(range.clone()), ..outcome(id, 0, EndedBy::Itself, "") };
        assert_eq!(needed_stdout(&outcome), Some(&range).filter(|_| needed), "{id}");
    }
    assert_eq!(needed_stdout(&outcome("uids", 0, EndedBy::Itself, "")), None);
}

#[test]
fn the_last_transfer_counts_and_none_is_no_answer() {
    let of = |stderr: &str, exit: i32, by: EndedBy| {
        let outcome = outcome("check.01", exit, by, stderr);
        transfer(&CommandOutput { outcome: &outcome, stdout: b"", stderr: stderr.as_bytes() })
    };
    let unavailable = FIGURES.replace("200", "503");
    assert_eq!(of(&format!("{FIGURES}{unavailable}"), 0, EndedBy::Itself).http_status, "503");
    let none = of("curl: option unknown\n", 2, EndedBy::Itself);
    assert_eq!((none.http_status.as_str(), none.exit_code, none.latency_ms), ("000", 2, 7));
    assert_eq!(none.error.as_deref(), Some("curl: option unknown"));
    assert_eq!(of("", 143, EndedBy::Deadline).error.as_deref(), EndedBy::Deadline.says());
    let mut not_started = outcome("check.01", 0, EndedBy::StagingDryRun(1), "");
    not_started.exit.clear();
    let none = transfer(&CommandOutput { outcome: &not_started, stdout: b"", stderr: b"" });
    assert_eq!(none.exit_code, -1);
}

#[test]
fn the_first_error_is_told_and_what_it_announces() {
    for (stderr, said) in [
        ("", None),
        ("Warning: old\n", None),
        ("a\n", Some("a")),
        ("a\nb\n", Some("a")),
        ("a:\n", Some("a:")),
        ("a:\na:\n", Some("a:")),
        ("a:\nb\nc\n", Some("a: … c")),
    ] {
        assert_eq!(first_error(stderr.as_bytes()).as_deref(), said, "{stderr:?}");
    }
}

#[test]
fn a_look_finds_a_pod_or_that_it_is_gone_or_nothing() {
    let of = |exit: i32, by: EndedBy, [stdout, stderr]: [&str; 2]| -> Result<Option<Pod>, String> {
        let outcome = outcome("confirm.pod", exit, by, stderr);
        look(&CommandOutput { outcome: &outcome, stdout: stdout.as_bytes(), stderr: stderr.as_bytes() })
    };
    let found = of(0, EndedBy::Itself, [&pod("a", "Error", false).to_string(), ""]);
    assert_eq!(found.unwrap().unwrap().name, "a");
    assert_eq!(of(0, EndedBy::Itself, [&list(&[]), ""]), Ok(None));
    assert!(of(0, EndedBy::Itself, ["<html>", ""]).unwrap_err().contains("could not be read"));
    assert_eq!(of(1, EndedBy::Itself, ["", "Error from server (NotFound): no\n"]), Ok(None));
    assert_eq!(of(1, EndedBy::Itself, ["", "refused\n"]), Err("refused".to_owned()));
    assert_eq!(of(1, EndedBy::Itself, ["", ""]), Err(String::new()));
    let deadline = EndedBy::Deadline.says().unwrap().to_owned();
    assert_eq!(of(143, EndedBy::Deadline, ["", "refused\n"]), Err(deadline));
}
