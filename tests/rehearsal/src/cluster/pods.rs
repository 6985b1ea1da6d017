//! A pod's life: what its object says at each stage.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::World;
use super::json::{list, suffix, text};
use super::kinds;
use super::store::uid_of;
use crate::time::stamp;

/// The nodes pods are placed on, in turn.
const NODES: &[(&str, &str)] = &[
    ("ip-10-0-11-21.ec2.internal", "10.0.11.21"),
    ("ip-10-0-12-22.ec2.internal", "10.0.12.22"),
    ("ip-10-0-13-23.ec2.internal", "10.0.13.23"),
];

/// A new pod of a `ReplicaSet`, not placed yet.
pub(crate) fn born(replica_set: &Value, ordinal: u32, now: Timestamp) -> Value {
    let owner = text(replica_set, "/metadata/name");
    let mut spec = replica_set["spec"]["template"]["spec"].clone();
    spec["enableServiceLinks"] = json!(true);
    spec["preemptionPolicy"] = json!("PreemptLowerPriority");
    spec["priority"] = json!(0);
    spec["tolerations"] = json!([
        {"effect": "NoExecute", "key": "node.kubernetes.io/not-ready", "operator": "Exists", "tolerationSeconds": 300},
        {"effect": "NoExecute", "key": "node.kubernetes.io/unreachable", "operator": "Exists", "tolerationSeconds": 300},
    ]);
    let mut pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": format!("{owner}-{}", suffix(&format!("{owner}/{ordinal}"))),
            "generateName": format!("{owner}-"),
            "namespace": replica_set["metadata"]["namespace"],
            "uid": "",
            "creationTimestamp": stamp(now),
            "labels": replica_set["spec"]["template"]["metadata"]["labels"],
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": owner,
                "uid": replica_set["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "spec": spec,
        "status": {"phase": "Pending", "qosClass": qos(&replica_set["spec"]["template"]["spec"])},
    });
    if let Some(annotations) = replica_set.pointer("/spec/template/metadata/annotations") {
        pod["metadata"]["annotations"] = annotations.clone();
    }
    pod["metadata"]["uid"] = json!(uid_of(&pod));
    pod
}

fn qos(spec: &Value) -> &'static str {
    let containers = list(spec, "/containers");
    let any = containers.iter().any(|c| c.pointer("/resources/requests").is_some());
    let all_equal = containers.iter().all(|c| {
        c.pointer("/resources/limits").is_some()
            && c.pointer("/resources/limits") == c.pointer("/resources/requests")
    });
    match (any, all_equal) {
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
        (false, _) => "BestEffort",
    }
}

fn condition(kind: &str, holds: bool, why: Option<(&str, &str)>, now: &str) -> Value {
    let mut condition = json!({
        "type": kind, "status": if holds { "True" } else { "False" },
        "lastProbeTime": null, "lastTransitionTime": now,
    });
    if let Some((reason, message)) = why {
        condition["reason"] = json!(reason);
        condition["message"] = json!(message);
    }
    condition
}

fn conditions(pod: &Value, started: bool, ready: bool, now: &str) -> Value {
    let names: Vec<&str> = list(pod, "/spec/containers").iter().map(|c| text(c, "/name")).collect();
    let message = format!("containers with unready status: [{}]", names.join(" "));
    let why = (!ready).then_some(("ContainersNotReady", message.as_str()));
    json!([
        condition("PodReadyToStartContainers", started, None, now),
        condition("Initialized", true, None, now),
        condition("Ready", ready, why, now),
        condition("ContainersReady", ready, why, now),
        condition("PodScheduled", true, None, now),
    ])
}

/// Placed on a node.
pub(crate) fn schedule(pod: &mut Value, turn: usize, now: Timestamp) -> &'static str {
    let (node, _) = NODES[turn % NODES.len()];
    pod["spec"]["nodeName"] = json!(node);
    pod["status"]["conditions"] = json!([condition("PodScheduled", true, None, &stamp(now))]);
    node
}

fn host_ip(pod: &Value) -> &'static str {
    let node = text(pod, "/spec/nodeName");
    NODES.iter().find(|(name, _)| *name == node).map_or("", |(_, ip)| ip)
}

fn container_statuses(pod: &Value, each: impl Fn(&str) -> Value) -> Value {
    list(pod, "/spec/containers")
        .iter()
        .map(|container| {
            let name = text(container, "/name");
            let mut status = json!({
                "name": name, "image": container["image"], "imageID": "", "ready": false, "started": false,
                "restartCount": 0, "lastState": {}, "state": {},
            });
            if let (Some(status), Value::Object(given)) = (status.as_object_mut(), each(name)) {
                status.extend(given);
            }
            status
        })
        .collect()
}

/// The image's digest: made of its name, so that it is the same in every run.
fn image_id(image: &str) -> String {
    let repository = image.rsplit_once(':').map_or(image, |(repository, _)| repository);
    let digest: String =
        (0..4).map(|part| super::json::uid(&format!("{part}{image}")).replace('-', "")).collect();
    format!("{repository}@sha256:{}", &digest[..64])
}

fn container_id(pod: &Value, name: &str, start: u32) -> String {
    let of = |part: u32| super::json::uid(&format!("{}{name}{start}{part}", text(pod, "/metadata/uid")));
    format!("containerd://{}{}", of(0).replace('-', ""), of(1).replace('-', ""))
}

/// The kubelet has taken it up; nothing runs yet.
pub(crate) fn creating(pod: &mut Value, now: Timestamp) {
    waiting(pod, "ContainerCreating", None, now);
    pod["status"]["startTime"] = json!(stamp(now));
}

/// Its containers wait for this reason, and never ran.
pub(crate) fn waiting(pod: &mut Value, reason: &str, message: Option<&str>, now: Timestamp) {
    let mut state = json!({"waiting": {"reason": reason}});
    if let Some(message) = message {
        state["waiting"]["message"] = json!(message);
    }
    let host = host_ip(pod);
    pod["status"]["conditions"] = conditions(pod, false, false, &stamp(now));
    pod["status"]["hostIP"] = json!(host);
    pod["status"]["hostIPs"] = json!([{"ip": host}]);
    pod["status"]["containerStatuses"] = container_statuses(pod, |_| json!({"state": state}));
}

/// Its containers run.
pub(crate) fn running(pod: &mut Value, ip: &str, ready: bool, now: Timestamp) {
    let at = stamp(now);
    pod["status"]["phase"] = json!("Running");
    pod["status"]["podIP"] = json!(ip);
    pod["status"]["podIPs"] = json!([{"ip": ip}]);
    pod["status"]["conditions"] = conditions(pod, true, ready, &at);
    let started = text(pod, "/status/containerStatuses/0/state/running/startedAt");
    let started = if started.is_empty() { at } else { started.to_owned() };
    pod["status"]["containerStatuses"] = container_statuses(pod, |name| {
        json!({
            "ready": ready, "started": true, "state": {"running": {"startedAt": started}},
            "imageID": image_id(image_of(pod, name)), "containerID": container_id(pod, name, 0),
        })
    });
}

fn image_of<'p>(pod: &'p Value, container: &str) -> &'p str {
    list(pod, "/spec/containers").iter().find(|c| c["name"] == container).map_or("", |c| text(c, "/image"))
}

fn terminated(pod: &Value, name: &str, exit_code: i32, start: u32, now: &str) -> Value {
    json!({"terminated": {
        "exitCode": exit_code, "reason": if exit_code == 0 { "Completed" } else { "Error" },
        "startedAt": now, "finishedAt": now, "containerID": container_id(pod, name, start),
    }})
}

/// Its container has ended, and will be started again.
pub(crate) fn error(pod: &mut Value, exit_code: i32, now: Timestamp) {
    let at = stamp(now);
    pod["status"]["conditions"] = conditions(pod, true, false, &at);
    pod["status"]["containerStatuses"] = container_statuses(pod, |name| {
        json!({
            "state": terminated(pod, name, exit_code, 0, &at),
            "imageID": image_id(image_of(pod, name)), "containerID": container_id(pod, name, 0),
        })
    });
}

/// Its container has ended again and again, and waits to be started again.
pub(crate) fn crash_loop(pod: &mut Value, exit_code: i32, restarts: u32, now: Timestamp) {
    let at = stamp(now);
    let (name, place) = (text(pod, "/metadata/name").to_owned(), text(pod, "/metadata/namespace").to_owned());
    let uid = text(pod, "/metadata/uid").to_owned();
    let seconds = (10_u32 << restarts.saturating_sub(1).min(5)).min(300);
    let wait =
        if seconds < 60 { format!("{seconds}s") } else { format!("{}m{}s", seconds / 60, seconds % 60) };
    pod["status"]["conditions"] = conditions(pod, true, false, &at);
    pod["status"]["containerStatuses"] = container_statuses(pod, |container| {
        json!({
            "restartCount": restarts,
            "state": {"waiting": {
                "reason": "CrashLoopBackOff",
                "message": format!(
                    "back-off {wait} restarting failed container={container} pod={name}_{place}({uid})"
                ),
            }},
            "lastState": terminated(pod, container, exit_code, restarts, &at),
            "imageID": image_id(image_of(pod, container)), "containerID": container_id(pod, container, restarts),
        })
    });
}

/// Being deleted: the container still runs.
pub(crate) fn terminating(pod: &mut Value, now: Timestamp) {
    let grace = pod["spec"]["terminationGracePeriodSeconds"].as_i64().unwrap_or(30);
    pod["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
    pod["metadata"]["deletionTimestamp"] = json!(stamp(now + jiff::SignedDuration::from_secs(grace)));
}

/// Being deleted: the container has ended on TERM.
pub(crate) fn ended(pod: &mut Value, exit_code: i32, now: Timestamp) {
    let at = stamp(now);
    let phase = if exit_code == 0 { "Succeeded" } else { "Failed" };
    pod["status"]["phase"] = json!(phase);
    pod["status"]["conditions"] = conditions(pod, false, false, &at);
    let restarts = pod["status"]["containerStatuses"][0]["restartCount"].clone();
    let code = match text(pod, "/status/containerStatuses/0/state/waiting/reason") {
        "CrashLoopBackOff" => 1,
        _ => exit_code,
    };
    pod["status"]["containerStatuses"] = container_statuses(pod, |name| {
        json!({
            "restartCount": restarts, "state": terminated(pod, name, code, 0, &at),
            "imageID": image_id(image_of(pod, name)), "containerID": container_id(pod, name, 0),
        })
    });
}

/// The node was short of memory: all has ended, and the object stays.
pub(crate) fn evicted(pod: &mut Value, now: Timestamp) {
    let at = stamp(now);
    pod["status"]["phase"] = json!("Failed");
    pod["status"]["reason"] = json!("Evicted");
    pod["status"]["message"] = json!(EVICTED);
    pod["status"]["conditions"] = conditions(pod, false, false, &at);
    pod["status"]["containerStatuses"] = container_statuses(pod, |name| {
        json!({
            "state": terminated(pod, name, 137, 0, &at),
            "imageID": image_id(image_of(pod, name)), "containerID": container_id(pod, name, 0),
        })
    });
}

/// What the kubelet says of a pod that it evicts.
pub(crate) const EVICTED: &str = "The node was low on resource: memory.";

/// Its first container has completed, and its second one is in a crash loop.
pub(crate) fn hidden_crash_loop(pod: &mut Value, now: Timestamp) {
    crash_loop(pod, 1, 4, now);
    let completed = terminated(pod, text(pod, "/spec/containers/0/name"), 0, 0, &stamp(now));
    let first = &mut pod["status"]["containerStatuses"][0];
    first["state"] = completed;
    first["lastState"] = json!({});
    first["restartCount"] = json!(0);
}

/// Whether its containers have failed for good.
pub(crate) fn has_failed(pod: &Value) -> bool {
    text(pod, "/status/phase") == "Failed"
}

/// Whether the pod is ready to serve.
pub(crate) fn is_ready(pod: &Value) -> bool {
    list(pod, "/status/conditions").iter().any(|c| c["type"] == "Ready" && c["status"] == "True")
}

/// Whether the pod is being deleted.
pub(crate) fn is_going(pod: &Value) -> bool {
    pod.pointer("/metadata/deletionTimestamp").is_some()
}

/// Whether a container of it waits in a crash loop.
pub(crate) fn is_crash_looping(pod: &Value) -> bool {
    list(pod, "/status/containerStatuses")
        .iter()
        .any(|c| text(c, "/state/waiting/reason") == "CrashLoopBackOff")
}

/// The pods a `ReplicaSet` owns, by name.
pub(crate) fn of(world: &World, replica_set: &Value) -> Vec<Arc<Value>> {
    let Some(kind) = kinds::by_name("Pod") else { return Vec::new() };
    let mut pods = world.store.list(kind, Some(text(replica_set, "/metadata/namespace")));
    pods.retain(|pod| pod["metadata"]["ownerReferences"][0]["uid"] == replica_set["metadata"]["uid"]);
    pods
}

/// Its containers run, but it is not ready.
pub(crate) fn not_ready(pod: &mut Value) {
    for condition in pod["status"]["conditions"].as_array_mut().into_iter().flatten() {
        if condition["type"] == "Ready" || condition["type"] == "ContainersReady" {
            condition["status"] = json!("False");
        }
    }
    for container in pod["status"]["containerStatuses"].as_array_mut().into_iter().flatten() {
        container["ready"] = json!(false);
    }
}
