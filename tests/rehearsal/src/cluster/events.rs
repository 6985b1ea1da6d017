//! Events, in the words of the components that write them.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::World;
use super::json::{list, text, uid};
use crate::time::stamp;

/// A real server keeps an event for an hour, and kubelets repeat those of a pod that goes on failing.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

struct Event<'e> {
    kind: &'e str,
    reason: &'e str,
    message: &'e str,
    component: &'e str,
    host: &'e str,
    field: &'e str,
    count: u32,
}

fn put(world: &mut World, about: &Value, event: &Event<'_>) {
    if world.past.is_some_and(|past| Timestamp::now() - past > KEPT) {
        return;
    }
    let at = stamp(world.now());
    let (name, place) = (text(about, "/metadata/name"), text(about, "/metadata/namespace"));
    let number = world.store.revision();
    let event_name = format!("{name}.18{:014x}", 0x7a_3c10_0000_0000_u64 + number);
    let mut involved = json!({
        "kind": about["kind"], "namespace": place, "name": name, "uid": about["metadata"]["uid"],
        "apiVersion": about["apiVersion"], "resourceVersion": about["metadata"]["resourceVersion"],
    });
    if !event.field.is_empty() {
        involved["fieldPath"] = json!(event.field);
    }
    let mut source = json!({"component": event.component});
    if !event.host.is_empty() {
        source["host"] = json!(event.host);
    }
    world.store.put(json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": event_name, "namespace": place, "uid": uid(&event_name), "creationTimestamp": at,
        },
        "involvedObject": involved,
        "reason": event.reason,
        "message": event.message,
        "source": source,
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": event.count,
        "type": event.kind,
        "eventTime": null,
        "reportingComponent": event.component,
        "reportingInstance": event.host,
    }));
}

/// An event of type `Normal`.
pub(crate) fn normal(
    world: &mut World,
    about: &Value,
    reason: &str,
    message: &str,
    component: &str,
    host: &str,
) {
    put(world, about, &Event { kind: "Normal", reason, message, component, host, field: "", count: 1 });
}

/// An event of type `Warning`.
pub(crate) fn warning(world: &mut World, about: &Value, reason: &str, message: &str, component: &str) {
    put(world, about, &Event { kind: "Warning", reason, message, component, host: "", field: "", count: 1 });
}

/// What the kubelet says of a container.
pub(crate) fn of_container(
    world: &mut World,
    pod: &Value,
    container: &Value,
    kind: &str,
    reason: &str,
    message: &str,
) {
    counted(world, pod, container, kind, (reason, message), 1);
}

fn counted(
    world: &mut World,
    pod: &Value,
    container: &Value,
    kind: &str,
    (reason, message): (&str, &str),
    count: u32,
) {
    let field = format!("spec.containers{{{}}}", text(container, "/name"));
    let host = text(pod, "/spec/nodeName");
    put(world, pod, &Event { kind, reason, message, component: "kubelet", host, field: &field, count });
}

/// Image there, container created and started.
pub(crate) fn started(world: &mut World, pod: &Value) {
    for container in list(pod, "/spec/containers") {
        let (name, image) = (text(container, "/name"), text(container, "/image"));
        let pulled = format!("Container image \"{image}\" already present on machine");
        of_container(world, pod, container, "Normal", "Pulled", &pulled);
        of_container(world, pod, container, "Normal", "Created", &format!("Created container: {name}"));
        of_container(world, pod, container, "Normal", "Started", &format!("Started container {name}"));
    }
}

/// The container ended and is held back.
pub(crate) fn crash_loop(world: &mut World, pod: &Value, restarts: u32) {
    for container in list(pod, "/spec/containers") {
        let message = format!(
            "Back-off restarting failed container {} in pod {}_{}({})",
            text(container, "/name"),
            text(pod, "/metadata/name"),
            text(pod, "/metadata/namespace"),
            text(pod, "/metadata/uid")
        );
        counted(world, pod, container, "Warning", ("BackOff", &message), restarts);
    }
}

/// The image can't be pulled; gives what the runtime said.
pub(crate) fn image_pull(world: &mut World, pod: &Value, image: &str) -> String {
    let said = format!(
        "rpc error: code = NotFound desc = failed to pull and unpack image \"{image}\": failed to resolve \
         reference \"{image}\": {image}: not found"
    );
    let container = pod["spec"]["containers"][0].clone();
    for (kind, reason, message) in [
        ("Normal", "Pulling", format!("Pulling image \"{image}\"")),
        ("Warning", "Failed", format!("Failed to pull image \"{image}\": {said}")),
        ("Warning", "Failed", "Error: ErrImagePull".to_owned()),
        ("Normal", "BackOff", format!("Back-off pulling image \"{image}\"")),
        ("Warning", "Failed", "Error: ImagePullBackOff".to_owned()),
    ] {
        of_container(world, pod, &container, kind, reason, &message);
    }
    said
}

/// The readiness probe fails.
pub(crate) fn unhealthy(world: &mut World, pod: &Value) {
    for container in list(pod, "/spec/containers") {
        let message = "Readiness probe failed: HTTP probe failed with statuscode: 503";
        of_container(world, pod, container, "Warning", "Unhealthy", message);
    }
}
