//! What the API server fills in, and the status it derives.

use std::sync::Arc;

use serde_json::{Value, json};

use super::World;
use super::deployments::without_zeros;
use super::json::{default, fnv32, list, number, text};
use super::{kinds, pods};
use crate::scenarios::Fate;
use crate::time::stamp;

/// Fills in the defaults of an object of this kind.
pub(crate) fn fill(object: &mut Value) {
    match text(object, "/kind") {
        "Deployment" => deployment(&mut object["spec"]),
        "Service" => {
            let address = 10 + fnv32(text(object, "/metadata/name").as_bytes()) % 200;
            service(&mut object["spec"], &format!("10.100.37.{address}"));
            default(object, "status", json!({"loadBalancer": {}}));
        }
        "HorizontalPodAutoscaler" => {
            default(&mut object["spec"], "minReplicas", json!(1));
            if object["spec"].get("behavior").is_some() {
                behavior(&mut object["spec"]["behavior"]);
            }
            default(object, "status", json!({"currentMetrics": null, "desiredReplicas": 0}));
        }
        "Namespace" => {
            let name = object["metadata"]["name"].clone();
            default(&mut object["metadata"], "labels", json!({}));
            object["metadata"]["labels"]["kubernetes.io/metadata.name"] = name;
            default(&mut object["spec"], "finalizers", json!(["kubernetes"]));
            default(object, "status", json!({"phase": "Active"}));
        }
        "Secret" => default(object, "type", json!("Opaque")),
        _ => {}
    }
}

fn deployment(spec: &mut Value) {
    default(spec, "progressDeadlineSeconds", json!(600));
    default(spec, "replicas", json!(1));
    default(spec, "revisionHistoryLimit", json!(10));
    default(spec, "strategy", json!({}));
    default(&mut spec["strategy"], "type", json!("RollingUpdate"));
    if spec["strategy"]["type"] == "RollingUpdate" {
        default(&mut spec["strategy"], "rollingUpdate", json!({}));
        default(&mut spec["strategy"]["rollingUpdate"], "maxSurge", json!("25%"));
        default(&mut spec["strategy"]["rollingUpdate"], "maxUnavailable", json!("25%"));
    }
    pod(&mut spec["template"]["spec"]);
}

fn pod(spec: &mut Value) {
    for lists in ["containers", "initContainers"] {
        for container in spec[lists].as_array_mut().into_iter().flatten() {
            fill_container(container);
        }
    }
    if spec["initContainers"].is_null()
        && let Some(spec) = spec.as_object_mut()
    {
        spec.remove("initContainers");
    }
    default(spec, "dnsPolicy", json!("ClusterFirst"));
    default(spec, "restartPolicy", json!("Always"));
    default(spec, "schedulerName", json!("default-scheduler"));
    default(spec, "securityContext", json!({}));
    default(spec, "terminationGracePeriodSeconds", json!(30));
    if let Some(account) = spec.get("serviceAccountName").cloned() {
        default(spec, "serviceAccount", account);
    }
    for volume in spec.get_mut("volumes").and_then(Value::as_array_mut).into_iter().flatten() {
        for source in ["configMap", "secret"] {
            if volume.get(source).is_some() {
                default(&mut volume[source], "defaultMode", json!(420));
            }
        }
    }
}

fn fill_container(container: &mut Value) {
    let latest = text(container, "/image").rsplit_once(':').is_none_or(|(_, tag)| tag == "latest");
    default(container, "imagePullPolicy", json!(if latest { "Always" } else { "IfNotPresent" }));
    default(container, "resources", json!({}));
    default(container, "terminationMessagePath", json!("/dev/termination-log"));
    default(container, "terminationMessagePolicy", json!("File"));
    for port in container.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        default(port, "protocol", json!("TCP"));
    }
    for variable in container.get_mut("env").and_then(Value::as_array_mut).into_iter().flatten() {
        if variable.pointer("/valueFrom/fieldRef").is_some() {
            default(&mut variable["valueFrom"]["fieldRef"], "apiVersion", json!("v1"));
        }
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let Some(probe) = container.get_mut(name) else { continue };
        default(probe, "failureThreshold", json!(3));
        default(probe, "periodSeconds", json!(10));
        default(probe, "successThreshold", json!(1));
        default(probe, "timeoutSeconds", json!(1));
        if probe.get("httpGet").is_some() {
            default(&mut probe["httpGet"], "path", json!("/"));
            default(&mut probe["httpGet"], "scheme", json!("HTTP"));
        }
    }
}

fn behavior(behavior: &mut Value) {
    let policy = |kind: &str, value: u32| json!({"type": kind, "value": value, "periodSeconds": 15});
    default(behavior, "scaleUp", json!({}));
    default(&mut behavior["scaleUp"], "stabilizationWindowSeconds", json!(0));
    default(&mut behavior["scaleUp"], "policies", json!([policy("Pods", 4), policy("Percent", 100)]));
    default(behavior, "scaleDown", json!({}));
    default(&mut behavior["scaleDown"], "policies", json!([policy("Percent", 100)]));
    for direction in ["scaleUp", "scaleDown"] {
        default(&mut behavior[direction], "selectPolicy", json!("Max"));
    }
}

fn service(spec: &mut Value, address: &str) {
    default(spec, "type", json!("ClusterIP"));
    default(spec, "sessionAffinity", json!("None"));
    if spec["type"] != "ExternalName" {
        default(spec, "clusterIP", json!(address));
        let address = spec["clusterIP"].clone();
        default(spec, "clusterIPs", json!([address]));
        default(spec, "internalTrafficPolicy", json!("Cluster"));
        default(spec, "ipFamilies", json!(["IPv4"]));
        default(spec, "ipFamilyPolicy", json!("SingleStack"));
    }
    for port in spec["ports"].as_array_mut().into_iter().flatten() {
        default(port, "protocol", json!("TCP"));
        let number = port["port"].clone();
        default(port, "targetPort", number);
    }
}

/// The status of a Deployment with these pods.
pub(crate) fn deployment_status(
    world: &World,
    deployment: &Value,
    new_set: &Value,
    new_pods: &[Arc<Value>],
    old_pods: &[Arc<Value>],
) -> Value {
    let replicas = number(deployment, "/spec/replicas");
    let total = new_pods.len() + old_pods.len();
    let available = new_pods.iter().chain(old_pods).filter(|pod| pods::is_ready(pod)).count();
    let updated = new_pods.len();
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let complete = [total, available, updated].iter().all(|n| count(*n) == replicas);
    let set_name = text(new_set, "/metadata/name");
    let unavailable = match &deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] {
        Value::String(percent) => percent.trim_end_matches('%').parse::<i64>().unwrap_or(25) * replicas / 100,
        number => number.as_i64().unwrap_or(0),
    };
    let serves = count(available) >= replicas - unavailable;
    let name = text(deployment, "/metadata/name");
    let watched = world.rollouts.iter().any(|((_, of), rollout)| rollout.watched && of == name);
    let overdue = !complete
        && (world.scenario.old_pods_past_deadline(name)
            || watched && world.past.is_none() && world.scenario.new_fate(name).0 == Fate::PastDeadline);
    let progress = if complete {
        ("True", "NewReplicaSetAvailable", format!("ReplicaSet \"{set_name}\" has successfully progressed."))
    } else if overdue {
        ("False", "ProgressDeadlineExceeded", format!("ReplicaSet \"{set_name}\" has timed out progressing."))
    } else {
        ("True", "ReplicaSetUpdated", format!("ReplicaSet \"{set_name}\" is progressing."))
    };
    let serving = if serves {
        ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.".to_owned())
    } else {
        ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.".to_owned())
    };
    let now = stamp(world.now());
    let mut conditions = vec![
        condition(deployment, "Available", &serving, &now),
        condition(deployment, "Progressing", &progress, &now),
    ];
    let failure = kinds::by_name("ReplicaSet")
        .and_then(|kind| world.store.get(kind, text(deployment, "/metadata/namespace"), set_name));
    for failure in failure.iter().flat_map(|set| list(set, "/status/conditions")) {
        let said = ("True", text(failure, "/reason"), text(failure, "/message").to_owned());
        conditions.push(condition(deployment, "ReplicaFailure", &said, &now));
    }
    let mut status = json!({
        "observedGeneration": deployment["metadata"]["generation"],
        "replicas": total,
        "updatedReplicas": updated,
        "readyReplicas": available,
        "availableReplicas": available,
        "unavailableReplicas": (count(total).max(replicas) - count(available)).max(0),
        "conditions": conditions,
    });
    without_zeros(&mut status, "observedGeneration");
    status
}

fn condition(
    deployment: &Value,
    kind: &str,
    (status, reason, message): &(&str, &str, String),
    now: &str,
) -> Value {
    let before = list(deployment, "/status/conditions").iter().find(|condition| condition["type"] == kind);
    let same = before.filter(|before| before["status"] == *status);
    let wholly_same = same.filter(|before| before["reason"] == *reason && before["message"] == *message);
    let at = |field: &str, from: Option<&Value>| from.map_or(json!(now), |from| from[field].clone());
    json!({
        "type": kind, "status": status, "reason": reason, "message": message,
        "lastUpdateTime": at("lastUpdateTime", wholly_same),
        "lastTransitionTime": at("lastTransitionTime", same),
    })
}
