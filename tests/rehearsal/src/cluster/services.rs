//! `EndpointSlice`s: which pods stand behind a Service.

use serde_json::{Value, json};

use super::json::{labels_match, list, number, object, suffix, text};
use super::store::uid_of;
use super::{World, kinds, pods};
use crate::time::stamp;

/// Writes the `EndpointSlice` of every Service with a selector in a namespace.
pub(crate) fn update_endpoints(world: &mut World, place: &str) {
    let (Some(services), Some(pod_kind)) = (kinds::by_name("Service"), kinds::by_name("Pod")) else { return };
    let all_pods = world.store.list(pod_kind, Some(place));
    for service in world.store.list(services, Some(place)) {
        let selector = object(&service, "/spec/selector");
        let behind: Vec<_> = all_pods
            .iter()
            .filter(|pod| labels_match(selector, object(pod, "/metadata/labels")))
            .filter(|pod| !text(pod, "/status/podIP").is_empty() && text(pod, "/status/phase") == "Running")
            .collect();
        if selector.is_none_or(serde_json::Map::is_empty) {
            continue;
        }
        let slice = slice(world, &service, &behind);
        world.store.put(slice);
    }
}

fn endpoint(pod: &Value, place: &str) -> Value {
    let (ready, going) = (pods::is_ready(pod), pods::is_going(pod));
    json!({
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": ready && !going, "serving": ready, "terminating": going},
        "nodeName": pod["spec"]["nodeName"],
        "targetRef": {
            "kind": "Pod", "name": pod["metadata"]["name"], "namespace": place, "uid": pod["metadata"]["uid"],
        },
    })
}

fn slice(world: &World, service: &Value, behind: &[&std::sync::Arc<Value>]) -> Value {
    let name = text(service, "/metadata/name");
    let slice_name = format!("{name}-{}", suffix(text(service, "/metadata/uid")));
    let place = text(service, "/metadata/namespace");
    let before = kinds::by_name("EndpointSlice").and_then(|kind| world.store.get(kind, place, &slice_name));
    let mut labels = service["metadata"]["labels"].clone();
    if labels.is_null() {
        labels = json!({});
    }
    labels["endpointslice.kubernetes.io/managed-by"] = json!("endpointslice-controller.k8s.io");
    labels["kubernetes.io/service-name"] = json!(name);
    let endpoints: Vec<Value> = behind.iter().map(|pod| endpoint(pod, place)).collect();
    let ports: Vec<Value> = list(service, "/spec/ports")
        .iter()
        .filter_map(|port| {
            let number = port_number(port, behind.first().map(|pod| &***pod))?;
            Some(json!({"name": text(port, "/name"), "port": number, "protocol": port["protocol"]}))
        })
        .collect();
    let mut slice = json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": slice_name, "generateName": format!("{name}-"), "namespace": place, "uid": "",
            "generation": 1,
            "creationTimestamp": before.as_ref().map_or_else(
                || stamp(world.now()),
                |before| text(before, "/metadata/creationTimestamp").to_owned(),
            ),
            "labels": labels,
            "ownerReferences": [{
                "apiVersion": "v1", "kind": "Service", "name": name, "uid": service["metadata"]["uid"],
                "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "addressType": "IPv4",
        "endpoints": if endpoints.is_empty() { Value::Null } else { json!(endpoints) },
        "ports": if ports.is_empty() { Value::Null } else { json!(ports) },
    });
    slice["metadata"]["uid"] = json!(uid_of(&slice));
    if let Some(before) = before {
        let same = before["endpoints"] == slice["endpoints"] && before["ports"] == slice["ports"];
        let generation = number(&before, "/metadata/generation");
        slice["metadata"]["generation"] = json!(if same { generation } else { generation + 1 });
    }
    slice
}

fn port_number(port: &Value, pod: Option<&Value>) -> Option<i64> {
    match &port["targetPort"] {
        Value::String(name) => list(pod?, "/spec/containers")
            .iter()
            .flat_map(|container| list(container, "/ports"))
            .find(|port| port["name"] == *name)
            .and_then(|port| port["containerPort"].as_i64()),
        number => number.as_i64().or_else(|| port["port"].as_i64()),
    }
}
