//! What a command output then and now, and whether a run is judged by the difference.

use camino::Utf8Path;
use serde_json::json;

use super::super::Difference::{self, Changed, Drift, Same};
use super::super::compare::{Side, compare};
use super::super::{Compared, Line};
use crate::events::{ByteRange, EndedBy, Outcome};
use crate::evidence::Tree;
use crate::evidence::redaction::SecretPatterns;
use crate::fixture::{at, events, runbook, step};
use crate::interpret;

/// How a command ended, and its output.
#[derive(Clone, Copy)]
struct Ran<'a> {
    exit: i32,
    by: EndedBy,
    stdout: &'a str,
    stderr: &'a str,
}

const RAN: Ran<'static> = Ran { exit: 0, by: EndedBy::Itself, stdout: "", stderr: "" };

fn out(stdout: &str) -> Ran<'_> {
    Ran { stdout, ..RAN }
}

fn fails(stderr: &str) -> Ran<'_> {
    Ran { exit: 1, stderr, ..RAN }
}

fn outcome(folder: &Utf8Path, side: &str, id: &str, ran: Ran<'_>) -> Outcome {
    let keep = |end: &str, text: &str| {
        let file = format!("{side}.{end}");
        fs_err::write(folder.join(&file), text).unwrap();
        (!text.is_empty()).then_some(ByteRange { file, from: 0, to: text.len() as u64 })
    };
    Outcome {
        n: 1,
        id: step(id),
        started: at(0),
        duration_ms: 1,
        exit: vec![ran.exit],
        ended_by: ran.by,
        note: None,
        stdout: keep("out", ran.stdout),
        stderr: keep("err", ran.stderr),
        first_error: interpret::first_error(ran.stderr.as_bytes()).filter(|_| ran.exit != 0),
        redactions: Vec::new(),
    }
}

fn compared(id: &str, then: Ran<'_>, now: Ran<'_>) -> Compared {
    let folder = tempfile::tempdir().unwrap();
    let folder = Utf8Path::from_path(folder.path()).unwrap();
    let (then, now) = (outcome(folder, "then", id, then), outcome(folder, "now", id, now));
    let tree = &Tree::new(folder.to_owned(), SecretPatterns::none());
    let [then, now] = [&then, &now].map(|outcome| Side { outcome, tree });
    let runbook = runbook();
    compare(id.to_owned(), runbook.step(&step(id)).unwrap(), &run(), &then, &now).unwrap()
}

/// A run that applies nothing: every Service of the namespace counts.
fn run() -> crate::run_state::RunState {
    events().began(|began| began.options.apply = false).run()
}

/// The lines that differ, those of then with `-` and those of now with `+`.
fn lines(compared: &Compared) -> Vec<String> {
    let line = |line: &Line| format!("{} {}", if line.now { '+' } else { '-' }, line.text);
    compared.lines.iter().map(line).collect()
}

fn assert_came(id: &str, then: Ran<'_>, now: Ran<'_>, came: Difference, differing: &[&str]) {
    let compared = compared(id, then, now);
    assert_eq!(
        (compared.came, lines(&compared)),
        (came, differing.iter().map(|&l| l.to_owned()).collect()),
        "{id}"
    );
    assert_eq!(compared.id, id);
}

/// A command whose output shows a fact: then; now with the same fact, and now with another one.
fn assert_fact(id: &str, [then, drifted, changed]: [&str; 3], differing: &[&str]) {
    assert_came(id, out(then), out(then), Same, &[]);
    let drift = compared(id, out(then), out(drifted));
    assert_eq!((drift.came, drift.why, drift.lines.is_empty()), (Drift, None, false), "{id}");
    assert_came(id, out(then), out(changed), Changed, differing);
}

#[test]
fn a_fact_of_each_kind_that_is_another_one_changed() {
    let version = |version: &str, built: &str| {
        json!({"serverVersion": {"major": "1", "minor": "34", "gitVersion": version, "buildDate": built}})
            .to_string()
    };
    assert_fact(
        "server",
        [&version("v1.34.4", "1"), &version("v1.34.4", "2"), &version("v1.35.0", "1")],
        &["- the API server is v1.34.4", "+ the API server is v1.35.0"],
    );
    assert_fact(
        "uids",
        [
            "kube-system 1\ndpp-staging 2\n",
            "dpp-staging 2\nkube-system 1\n",
            "kube-system 1\ndpp-staging 3\n",
        ],
        &["- dpp-staging has the UID 2", "+ dpp-staging has the UID 3"],
    );
    assert_fact(
        "can-i.get-pods",
        ["yes\n", "\nyes\n", "no\n"],
        &["- get pods -n dpp-staging: Some(true)", "+ get pods -n dpp-staging: Some(false)"],
    );
    let landing =
        |namespace: &str, generation: &str| format!("v1\tService\t{namespace}\tdpp-api\t{generation}\n");
    assert_fact(
        "guard.api",
        [&landing("dpp-staging", "2"), &landing("dpp-staging", "3"), &landing("", "2")],
        &["- Service dpp-api would land in dpp-staging", "+ Service dpp-api would land in no namespace"],
    );
}

/// `objects.after`: a Deployment with so many ready replicas, a Service, and a pod that runs this image.
fn objects(age: &str, ready: u32, endpoint_ready: bool, image: &str) -> String {
    let port = json!([{"name": "http"}]);
    let deployment = json!({"kind": "Deployment", "metadata": {"name": "dpp-api", "age": age},
        "spec": {"replicas": 3}, "status": {"readyReplicas": ready, "updatedReplicas": 3, "availableReplicas": 3}});
    let service = json!({"kind": "Service", "metadata": {"name": "dpp-api"},
        "spec": {"selector": {"app": "dpp-api"}, "ports": port}});
    let slice = json!({"kind": "EndpointSlice", "ports": port,
        "metadata": {"name": "s", "labels": {"kubernetes.io/service-name": "dpp-api"}},
        "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": endpoint_ready}}]});
    let pod = json!({"kind": "Pod", "metadata": {"name": "dpp-api-1", "uid": "1"},
        "spec": {"containers": [{"name": "api", "image": image}]},
        "status": {"phase": "Running", "containerStatuses": [{"name": "api", "image": image, "imageID": "sha256:1",
            "ready": true, "restartCount": 0, "state": {"running": {}}}]}});
    json!({"kind": "List", "apiVersion": "v1", "items": [deployment, service, slice, pod]}).to_string()
}

#[test]
fn each_kind_of_object_after_the_deploy_is_compared() {
    let then = objects("1s", 3, true, "dpp:1");
    let drift = compared("objects.after", out(&then), out(&objects("9s", 3, true, "dpp:1")));
    assert_eq!((drift.came, drift.why), (Drift, None));
    for (now, differing) in [
        (
            objects("1s", 2, true, "dpp:1"),
            [
                "- dpp-api: 3 wanted, 3 ready, 3 updated, 3 available",
                "+ dpp-api: 3 wanted, 2 ready, 3 updated, 3 available",
            ],
        ),
        (
            objects("1s", 3, false, "dpp:1"),
            ["- service dpp-api has endpoints", "+ service dpp-api has no endpoints: no endpoint is ready"],
        ),
        (objects("1s", 3, true, "dpp:2"), ["- api runs dpp:1 (sha256:1)", "+ api runs dpp:2 (sha256:1)"]),
    ] {
        assert_came("objects.after", out(&then), out(&now), Changed, &differing);
    }
    let without = then.replace("\"selector\":{\"app\":\"dpp-api\"}", "\"selector\":{}");
    let differing = ["- service dpp-api has endpoints", "+ service dpp-api: it has no selector"];
    assert_came("objects.after", out(&then), out(&without), Changed, &differing);
}

#[test]
fn what_can_not_be_read_now_changed() {
    let then = objects("1s", 3, true, "dpp:1");
    let compared = compared("objects.after", out(&then), out("<html>"));
    assert_eq!((compared.came, compared.lines.len()), (Changed, 4));
    assert!(lines(&compared)[3].contains("could not be read"), "{:?}", lines(&compared));
}

#[test]
fn a_command_that_ended_otherwise_changed() {
    let refused = "The connection to the server was refused\n";
    let differing = ["- exit 0", "+ exit 1", "+ The connection to the server was refused"];
    assert_came("status.after", out("a\n"), fails(refused), Changed, &differing);
    // It failed then, too: what it said is no reason.
    assert_came("status.after", fails("no\n"), fails("not\n"), Drift, &["- no", "+ not"]);
    let ended = Ran { exit: 143, by: EndedBy::Deadline, ..RAN };
    assert_came("status.after", RAN, ended, Changed, &["- exit 0", "+ ended by the program"]);
    assert_came("status.after", ended, Ran { exit: 137, ..ended }, Same, &[]);
    let held = Ran { by: EndedBy::HeldPipes, ..RAN };
    assert_came("status.after", RAN, held, Same, &[]);
    let timed_out = "error: timed out waiting for the condition\n";
    let differing = [
        "- exit 0",
        "- dpp-api successfully rolled out",
        "+ exit 1",
        "+ dpp-api did not finish in time",
        "+ error: timed out waiting for the condition",
    ];
    assert_came("rollout.api", RAN, fails(timed_out), Changed, &differing);
    // It ended so then, too: what it says of it stands in the fact.
    let deleted = "error: object has been deleted\n";
    let differing = ["- dpp-api did not finish in time", "+ dpp-api was deleted during the rollout"];
    assert_came("rollout.api", fails(timed_out), fails(deleted), Changed, &differing);
}

#[test]
fn an_answer_is_compared_by_its_status() {
    let figures = |status: u16, seconds: f64| {
        json!({"http_code": status, "time_total": seconds, "exitcode": 0}).to_string() + "\n"
    };
    let (ok, slow, unavailable) = (figures(200, 0.1), figures(200, 0.9), figures(503, 0.1));
    let answered = |stderr| Ran { stdout: "body\n", stderr, ..RAN };
    for id in ["check.01", "gate.health", "latency.health"] {
        assert_came(id, answered(&ok), answered(&slow), Same, &[]);
        let differing = ["- answered 200", "+ answered 503"];
        assert_came(id, answered(&ok), answered(&unavailable), Changed, &differing);
    }
    let other = Ran { stdout: "other\n", stderr: &ok, ..RAN };
    assert_came("check.01", answered(&ok), other, Drift, &["- body", "+ other"]);
    // Of twenty answers each status counts once.
    let (twice, both) = (format!("{ok}{ok}"), format!("{ok}{unavailable}"));
    assert_came("latency.health", answered(&ok), answered(&twice), Same, &[]);
    assert_came("latency.health", answered(&ok), answered(&both), Changed, &["+ answered 503"]);
    // Another command than a request is not compared by it.
    assert_came("version.curl", answered(&ok), answered(&unavailable), Same, &[]);
    let said = |stderr| Ran { stderr, ..RAN };
    assert_eq!(compared("body.health", said(&ok), said(&unavailable)).came, Drift);
    assert_came("status.after", said("a\n"), said("b\n"), Drift, &["- a", "+ b"]);
}

#[test]
fn a_pod_that_is_gone_is_drift() {
    let gone = "Error from server (NotFound): pods \"a\" not found\n";
    for id in ["confirm.pod", "dump.logs", "dump.previous"] {
        let drift = compared(id, out("{}"), fails(gone));
        assert_eq!(
            (drift.came, drift.why.as_deref(), drift.lines.len()),
            (Drift, Some("that pod is gone"), 0)
        );
        assert_came(id, fails(gone), fails(gone), Same, &[]);
        let back = ["- exit 1", "+ exit 0"];
        assert_came(id, fails(gone), out("{}"), Changed, &back);
        let forbidden = "Error from server (Forbidden): no\n";
        let differing = ["- exit 0", "+ exit 1", "+ Error from server (Forbidden): no"];
        assert_came(id, out("{}"), fails(forbidden), Changed, &differing);
    }
    // Any other thing that is gone is missed.
    let differing = ["- exit 0", "+ exit 1", "+ Error from server (NotFound): pods \"a\" not found"];
    assert_came("status.after", out("{}"), fails(gone), Changed, &differing);
}

#[test]
fn what_showed_the_cluster_before_the_change_is_drift() {
    let why = "it shows a state that the run changed afterwards";
    for id in ["status.before", "objects.before", "objects.applied", "watch.pods", "list.pods", "confirm.pod"]
    {
        let drift = compared(id, out("then\n"), out("now\n"));
        assert_eq!((drift.came, drift.why.as_deref()), (Drift, Some(why)), "{id}");
        assert!(drift.lines.is_empty(), "{id}");
        assert_came(id, out("then\n"), out("then\n"), Same, &[]);
        let failed = compared(id, out("then\n"), fails("no\n"));
        assert_eq!(failed.came, Changed, "{id}");
    }
    let unread = compared("objects.before", out(&objects("1s", 3, true, "dpp:1")), out("<html>"));
    assert_eq!((unread.came, unread.why.as_deref()), (Drift, Some(why)), "what it showed is not read");
    let drift = compared("status.after", out("then\n"), out("now\n"));
    assert_eq!((drift.came, drift.why), (Drift, None));
}

#[test]
fn who_asks_and_with_which_programs_is_drift() {
    let version = |version: &str| {
        json!({"clientVersion": {"major": "1", "minor": "32", "gitVersion": version}}).to_string()
    };
    let drift = compared("version.kubectl", out(&version("v1.32.0")), out(&version("v1.33.0")));
    assert_eq!((drift.came, drift.why), (Drift, None));
    let user = |name: &str| json!({"status": {"userInfo": {"username": name}}}).to_string();
    assert_eq!(compared("whoami", out(&user("a")), out(&user("b"))).came, Drift);
}
