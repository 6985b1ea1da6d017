use super::super::{hostile, pod_table};
use super::*;

/// A pod in a crash loop, with the fields that a real cluster writes.
const CRASHING: &str = r#"{"apiVersion":"v1","kind":"List","metadata":{"resourceVersion":""},"items":[{
  "apiVersion":"v1","kind":"Pod",
  "metadata":{"creationTimestamp":"2026-11-23T16:20:01Z","generateName":"dpp-api-6984f9c886-",
    "labels":{"app":"dpp-api","pod-template-hash":"6984f9c886"},"name":"dpp-api-6984f9c886-vbg9t","namespace":"dpp-staging",
    "ownerReferences":[{"apiVersion":"apps/v1","blockOwnerDeletion":true,"controller":true,"kind":"ReplicaSet",
      "name":"dpp-api-6984f9c886","uid":"1d"}],"uid":"7e0e2b2a-52a0-4d53-9d0a-b9a5f8a3f001"},
  "spec":{"containers":[{"image":"dpp-api:v0.4.2.3","name":"dpp-api"}],"nodeName":"node-0"},
  "status":{"conditions":[{"status":"True","type":"Initialized"},{"status":"False","type":"Ready"}],
    "containerStatuses":[{"containerID":"x","image":"docker.io/library/dpp-api:v0.4.2.3","imageID":"dpp-api@sha256:11",
      "lastState":{"terminated":{"exitCode":1,"reason":"Error","startedAt":"2026-11-23T16:20:02Z"}},"name":"dpp-api",
      "ready":false,"restartCount":2,"started":false,
      "state":{"waiting":{"message":"back-off 20s restarting failed container","reason":"CrashLoopBackOff"}}}],
    "phase":"Running"}}]}"#;

fn crashing() -> Pod {
    pods(CRASHING.as_bytes()).unwrap().remove(0)
}

/// Returns a pod of containers c0, c1, …, with these states, these init containers, and additional fields.
fn pod_with(states: &[&str], init_states: &[&str], more_status: &str, more_metadata: &str) -> Pod {
    let named = |prefix: &str, states: &[&str], form: &dyn Fn(String, &str) -> String| {
        let all: Vec<_> = states.iter().enumerate().map(|(i, it)| form(format!("{prefix}{i}"), it)).collect();
        all.join(",")
    };
    let spec = |name: String, state: &str| {
        let policy = if state.contains("sidecar") { "Always" } else { "" };
        format!(r#"{{"name":"{name}","image":"img:1","restartPolicy":"{policy}"}}"#)
    };
    let stat = |name: String, state: &str| {
        let ready = state.contains("running") && !state.contains("unready");
        format!(
            r#"{{"name":"{name}","ready":{ready},"started":{},"restartCount":1,"state":{{{state}}}}}"#,
            state.contains("started")
        )
    };
    let json = format!(
        r#"{{"kind":"Pod","metadata":{{"name":"p"{more_metadata}}},
        "spec":{{"containers":[{}],"initContainers":[{}]}},
        "status":{{"containerStatuses":[{}],"initContainerStatuses":[{}]{more_status}}}}}"#,
        named("c", states, &spec),
        named("i", init_states, &spec),
        named("c", states, &stat),
        named("i", init_states, &stat),
    );
    pods(json.as_bytes()).unwrap_or_else(|error| panic!("{error} in {json}")).remove(0)
}

fn pod(states: &[&str], init_states: &[&str]) -> Pod {
    pod_with(states, init_states, r#","phase":"Running""#, "")
}

const RUNNING: &str = r#""running":{"startedAt":"x"}"#;
const UNREADY: &str = r#""running":{"unready":1}"#;
const CRASH: &str = r#""waiting":{"reason":"CrashLoopBackOff"}"#;
const PULL: &str = r#""waiting":{"reason":"ImagePullBackOff","message":"Back-off pulling image"}"#;
const CREATING: &str = r#""waiting":{"reason":"ContainerCreating"}"#;
const INITIALIZING: &str = r#""waiting":{"reason":"PodInitializing"}"#;
const ERROR: &str = r#""terminated":{"exitCode":1,"reason":"Error"}"#;
const OOM: &str = r#""terminated":{"exitCode":137,"reason":"OOMKilled"}"#;
const DONE: &str = r#""terminated":{"exitCode":0,"reason":"Completed"}"#;
const SIDECAR: &str = r#""running":{"sidecar":"started"}"#;
const DELETED: &str = r#","deletionTimestamp":"2026-11-23T16:20:01Z""#;

#[test]
fn a_crash_loop_is_read() {
    let pod = crashing();
    assert_eq!(pod.owner.as_deref(), Some("ReplicaSet/dpp-api-6984f9c886"));
    assert_eq!(pod.deployment.as_deref(), Some("dpp-api"));
    assert_eq!((pod.status.as_str(), pod.deleting, pod.running()), ("CrashLoopBackOff", false, false));
    let expected = Failing {
        container: "dpp-api".to_owned(),
        word: "CrashLoopBackOff".to_owned(),
        reason: Some("Error".to_owned()),
        exit_code: Some(1),
        restarts: 2,
        image: "dpp-api:v0.4.2.3".to_owned(),
    };
    assert_eq!(pod.failing(), Some(expected));
    assert_eq!(pod.containers[0].image_id.as_deref(), Some("dpp-api@sha256:11"));
}

#[test]
fn status_is_the_word_of_the_table() {
    for (states, init, expected) in [
        (&[RUNNING][..], &[][..], "Running"),
        (&[CREATING], &[], "ContainerCreating"),
        (&[ERROR], &[], "Error"),
        (&[r#""terminated":{"exitCode":3}"#], &[], "ExitCode:3"),
        (&[r#""terminated":{"exitCode":137,"signal":9}"#], &[], "Signal:9"),
        (&[PULL, CRASH], &[], "ImagePullBackOff"),
        (&[RUNNING, CRASH], &[], "CrashLoopBackOff"),
        (&[DONE, CRASH], &[], "Completed"),
        (&[OOM, ERROR], &[], "OOMKilled"),
        (&[DONE, RUNNING], &[], "NotReady"),
        (&[DONE, UNREADY], &[], "Completed"),
        (&[INITIALIZING], &[UNREADY], "Init:0/1"),
        (&[INITIALIZING], &[DONE, UNREADY], "Init:1/2"),
        (&[INITIALIZING], &[DONE, ERROR], "Init:Error"),
        (&[INITIALIZING], &[CRASH, INITIALIZING], "Init:CrashLoopBackOff"),
        (&[INITIALIZING], &[r#""terminated":{"exitCode":3}"#], "Init:ExitCode:3"),
        (&[INITIALIZING], &[r#""terminated":{"exitCode":137,"signal":9}"#], "Init:Signal:9"),
        (&[INITIALIZING], &[INITIALIZING], "Init:0/1"),
        (&[INITIALIZING], &[DONE], "PodInitializing"),
        (&[RUNNING], &[SIDECAR, DONE], "Running"),
    ] {
        assert_eq!(pod(states, init).status, expected, "{states:?} {init:?}");
    }
}

#[test]
fn conditions_and_reasons_change_the_status() {
    let of = |states: &[&str], init: &[&str], status: &str| pod_with(states, init, status, "").status;
    let ready = r#","phase":"Running","conditions":[{"type":"Ready","status":"True"}]"#;
    assert_eq!(of(&[DONE, RUNNING], &[], ready), "Running");
    let initialized = r#","phase":"Running","conditions":[{"type":"Initialized","status":"True"}]"#;
    assert_eq!(of(&[PULL], &[CRASH], initialized), "ImagePullBackOff");
    assert_eq!(of(&[RUNNING], &[CRASH], initialized), "Init:CrashLoopBackOff");
    assert_eq!(of(&[], &[], r#","phase":"Failed","reason":"Evicted""#), "Evicted");
    assert_eq!(of(&[ERROR], &[], r#","phase":"Failed","reason":"Evicted""#), "Error");
    let gated = r#","phase":"Pending","conditions":[{"type":"PodScheduled","status":"False","reason":"SchedulingGated"}]"#;
    assert_eq!(of(&[], &[], gated), "SchedulingGated");
}

#[test]
fn a_pod_being_deleted_prints_error_only_once_it_failed() {
    let of = |state: &str, status: &str| pod_with(&[state], &[], status, DELETED);
    assert_eq!(of(RUNNING, r#","phase":"Running""#).status, "Terminating");
    assert_eq!(of(ERROR, r#","phase":"Failed""#).status, "Error");
    assert_eq!(of(RUNNING, r#","phase":"Running","reason":"NodeLost""#).status, "Unknown");
    assert!(of(RUNNING, r#","phase":"Running""#).deleting);
}

#[test]
fn a_crash_loop_behind_another_word_is_found() {
    for (states, init, word) in [
        (&[PULL, CRASH][..], &[][..], "CrashLoopBackOff"),
        (&[DONE, CRASH], &[], "CrashLoopBackOff"),
        (&[OOM, ERROR], &[], "Error"),
        (&[INITIALIZING], &[DONE, CRASH], "Init:CrashLoopBackOff"),
        (&[INITIALIZING], &[ERROR], "Init:Error"),
    ] {
        let failing = pod(states, init).failing().unwrap();
        assert_eq!(failing.word, word, "{states:?} {init:?}");
        assert!(pod_table::stops(&failing.word, &[]));
    }
}

#[test]
fn what_is_well_or_another_matter_does_not_fail() {
    for (states, init) in [
        (&[RUNNING][..], &[DONE][..]),
        (&[RUNNING], &[SIDECAR]),
        (&[PULL], &[]),
        (&[OOM], &[]),
        (&[DONE], &[]),
    ] {
        assert_eq!(pod(states, init).failing(), None, "{states:?} {init:?}");
    }
}

#[test]
fn running_means_every_container() {
    assert!(pod(&[RUNNING, UNREADY], &[DONE, SIDECAR]).running());
    for (states, init) in
        [(&[RUNNING, DONE][..], &[][..]), (&[RUNNING, CREATING], &[]), (&[RUNNING], &[CRASH])]
    {
        assert!(!pod(states, init).running(), "{states:?} {init:?}");
    }
    assert!(!pod_with(&[RUNNING], &[], r#","phase":"Pending""#, "").running());
}

#[test]
fn restarts_are_those_of_all_containers() {
    assert_eq!(pod(&[RUNNING, RUNNING], &[DONE]).restarts(), 3);
}

#[test]
fn trouble_names_the_first_thing_worth_showing() {
    let found = pod(&[RUNNING, PULL], &[DONE]).trouble().unwrap();
    assert_eq!((found.container.as_deref(), found.reason.as_str()), (Some("c1"), "ImagePullBackOff"));
    assert_eq!(found.message.as_deref(), Some("Back-off pulling image"));
    assert_eq!(pod(&[OOM], &[]).trouble().unwrap().reason, "OOMKilled");
    assert_eq!(pod(&[CREATING], &[]).trouble(), None);
    assert_eq!(pod(&[INITIALIZING], &[UNREADY]).trouble(), None);

    let unschedulable = r#","phase":"Pending","conditions":[{"type":"PodScheduled","status":"False",
        "reason":"Unschedulable","message":"0/3 nodes are available: 3 Insufficient cpu."}]"#;
    let found = pod_with(&[], &[], unschedulable, "").trouble().unwrap();
    assert_eq!((found.container, found.reason.as_str()), (None, "Unschedulable"));
    assert!(found.message.unwrap().contains("Insufficient cpu"));
}

#[test]
fn a_pod_nobody_has_scheduled_has_containers_that_wait() {
    let json = br#"{"kind":"Pod","metadata":{"name":"p","ownerReferences":null},
        "spec":{"containers":[{"name":"a","image":"i"}]},"status":{"phase":"Pending","containerStatuses":null}}"#;
    let pod = pods(json).unwrap().remove(0);
    assert_eq!((pod.status.as_str(), pod.running(), pod.trouble()), ("Pending", false, None));
    assert_eq!(pod.containers[0].state, State::Waiting { reason: None, message: None });
    assert_eq!((pod.owner, pod.deployment), (None, None));
}

#[test]
fn the_deployment_is_the_replica_sets_name_less_its_hash() {
    let owned = |kind: &str, name: &str| {
        let owner = format!(r#","ownerReferences":[{{"kind":"{kind}","name":"{name}","controller":true}}]"#);
        pod_with(&[], &[], "", &owner).deployment
    };
    assert_eq!(owned("ReplicaSet", "dpp-api-6984f9c886").as_deref(), Some("dpp-api"));
    assert_eq!(owned("ReplicaSet", "alone"), None);
    assert_eq!(owned("Job", "dpp-migrate-1"), None);
}

#[test]
fn images_are_counted_by_pod() {
    let pods = [crashing(), crashing(), pod(&[RUNNING], &[])];
    let found = images(&pods);
    let found: Vec<_> =
        found.iter().map(|it| (it.container.as_str(), it.image_id.as_deref(), it.pods)).collect();
    assert_eq!(found, [("c0", None, 1), ("dpp-api", Some("dpp-api@sha256:11"), 2)]);
}

#[test]
fn facts_survive_the_journal() {
    for pod in [crashing(), pod(&[RUNNING, ERROR], &[DONE])] {
        let json = serde_json::to_string(&pod).unwrap();
        assert_eq!(serde_json::from_str::<Pod>(&json).unwrap(), pod);
    }
}

#[test]
fn no_bytes_panic() {
    hostile::survives(CRASHING, |bytes| {
        let found = pods(bytes).unwrap_or_default();
        let _ = images(&found);
        for pod in found {
            let _ = (pod.failing(), pod.restarts(), pod.running(), pod.trouble());
        }
    });
}
