//! The cells of a row, as `pkg/printers/internalversion` of Kubernetes 1.34 computes them.

use serde_json::{Value, json};

use super::json::{list, number, object, text};
use super::kinds::Kind;
use crate::time::age;

/// All cells of an object, the wide ones too.
pub(crate) fn cells(kind: &Kind, object: &Value) -> Vec<Value> {
    let name = object["metadata"]["name"].clone();
    let old = json!(age(text(object, "/metadata/creationTimestamp")));
    match kind.kind {
        "Pod" => pod(object),
        "Deployment" => {
            let status = |field: &str| number(&object["status"], &format!("/{field}"));
            let ready = format!("{}/{}", status("readyReplicas"), number(object, "/spec/replicas"));
            let (updated, available) = (status("updatedReplicas"), status("availableReplicas"));
            let mut row = vec![name, json!(ready), json!(updated), json!(available), old];
            row.extend(template(object));
            row
        }
        "ReplicaSet" => {
            let counts = ["/spec/replicas", "/status/replicas", "/status/readyReplicas"];
            let mut row = vec![name];
            row.extend(counts.iter().map(|pointer| json!(number(object, pointer))));
            row.push(old);
            row.extend(template(object));
            row
        }
        "Service" => service(object),
        "EndpointSlice" => {
            let ports =
                list(object, "/ports").iter().map(|port| port["port"].to_string()).collect::<Vec<_>>();
            let addresses =
                list(object, "/endpoints").iter().flat_map(|endpoint| list(endpoint, "/addresses"));
            let addresses = addresses.filter_map(Value::as_str).map(ToOwned::to_owned).collect::<Vec<_>>();
            let family = object["addressType"].clone();
            vec![name, family, json!(some_of(&ports)), json!(some_of(&addresses)), old]
        }
        "Namespace" => vec![name, object["status"]["phase"].clone(), old],
        "ServiceAccount" => vec![name, json!(list(object, "/secrets").len()), old],
        "ConfigMap" => vec![name, json!(entries(object)), old],
        "Secret" => vec![name, object["type"].clone(), json!(entries(object)), old],
        "Role" | "ClusterRole" => vec![name, object["metadata"]["creationTimestamp"].clone()],
        "HorizontalPodAutoscaler" => autoscaler(object),
        "Event" => event(object),
        _ => vec![name, old],
    }
}

fn entries(of: &Value) -> usize {
    object(of, "/data").map_or(0, serde_json::Map::len)
}

/// Up to three, then how many more.
fn some_of(items: &[String]) -> String {
    match items.len() {
        0 => "<unset>".to_owned(),
        1..=3 => items.join(","),
        all => format!("{} + {} more...", items[..3].join(","), all - 3),
    }
}

fn labels(of: Option<&serde_json::Map<String, Value>>) -> String {
    let mut pairs: Vec<String> = of
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    pairs.sort();
    if pairs.is_empty() { "<none>".to_owned() } else { pairs.join(",") }
}

fn template(owner: &Value) -> [Value; 3] {
    let containers = list(owner, "/spec/template/spec/containers");
    let all = |field: &str| containers.iter().map(|c| text(c, field)).collect::<Vec<_>>().join(",");
    [json!(all("/name")), json!(all("/image")), json!(labels(object(owner, "/spec/selector/matchLabels")))]
}

fn service(service: &Value) -> Vec<Value> {
    let kind = text(service, "/spec/type");
    let internal = match text(service, "/spec/clusterIPs/0") {
        "" => "<none>",
        address => address,
    };
    let external = match kind {
        "ExternalName" => text(service, "/spec/externalName").to_owned(),
        "LoadBalancer" => match list(service, "/status/loadBalancer/ingress").first() {
            Some(ingress) if !text(ingress, "/ip").is_empty() => text(ingress, "/ip").to_owned(),
            Some(ingress) => text(ingress, "/hostname").to_owned(),
            None => "<pending>".to_owned(),
        },
        _ => "<none>".to_owned(),
    };
    let ports: Vec<String> = list(service, "/spec/ports")
        .iter()
        .map(|port| match port["nodePort"].as_i64() {
            Some(node) => format!("{}:{node}/{}", port["port"], text(port, "/protocol")),
            None => format!("{}/{}", port["port"], text(port, "/protocol")),
        })
        .collect();
    let ports = if ports.is_empty() { "<none>".to_owned() } else { ports.join(",") };
    vec![
        service["metadata"]["name"].clone(),
        json!(kind),
        json!(internal),
        json!(external),
        json!(ports),
        json!(age(text(service, "/metadata/creationTimestamp"))),
        json!(labels(object(service, "/spec/selector"))),
    ]
}

fn autoscaler(autoscaler: &Value) -> Vec<Value> {
    let targets: Vec<String> = list(autoscaler, "/spec/metrics")
        .iter()
        .map(|metric| {
            let target = &metric["resource"]["target"];
            let wanted = target["averageUtilization"]
                .as_i64()
                .map_or_else(|| text(target, "/averageValue").to_owned(), |percent| format!("{percent}%"));
            format!("{}: <unknown>/{wanted}", text(metric, "/resource/name"))
        })
        .collect();
    let reference = &autoscaler["spec"]["scaleTargetRef"];
    vec![
        autoscaler["metadata"]["name"].clone(),
        json!(format!("{}/{}", text(reference, "/kind"), text(reference, "/name"))),
        json!(if targets.is_empty() { "<none>".to_owned() } else { targets.join(", ") }),
        json!(autoscaler["spec"]["minReplicas"].to_string()),
        autoscaler["spec"]["maxReplicas"].clone(),
        json!(number(autoscaler, "/status/currentReplicas")),
        json!(age(text(autoscaler, "/metadata/creationTimestamp"))),
    ]
}

fn event(event: &Value) -> Vec<Value> {
    let source = match text(event, "/source/host") {
        "" => text(event, "/source/component").to_owned(),
        host => format!("{}, {host}", text(event, "/source/component")),
    };
    let about = format!(
        "{}/{}",
        text(event, "/involvedObject/kind").to_lowercase(),
        text(event, "/involvedObject/name")
    );
    vec![
        json!(age(text(event, "/lastTimestamp"))),
        event["type"].clone(),
        event["reason"].clone(),
        json!(about),
        json!(text(event, "/involvedObject/fieldPath")),
        json!(source),
        json!(text(event, "/message").trim()),
        json!(age(text(event, "/firstTimestamp"))),
        event["count"].clone(),
        event["metadata"]["name"].clone(),
    ]
}

fn pod(pod: &Value) -> Vec<Value> {
    let at = |pointer: &str| match text(pod, pointer) {
        "" => json!("<none>"),
        found => json!(found),
    };
    let status = status(pod);
    let restarts = match (status.restarts, status.last_restart) {
        (1.., Some(last)) => format!("{} ({} ago)", status.restarts, age(last)),
        (restarts, _) => restarts.to_string(),
    };
    vec![
        pod["metadata"]["name"].clone(),
        json!(format!("{}/{}", status.ready, list(pod, "/spec/containers").len())),
        json!(status.reason),
        json!(restarts),
        json!(age(text(pod, "/metadata/creationTimestamp"))),
        at("/status/podIP"),
        at("/spec/nodeName"),
        at("/status/nominatedNodeName"),
        json!("<none>"),
    ]
}

struct PodStatus<'p> {
    reason: String,
    ready: usize,
    restarts: i64,
    last_restart: Option<&'p str>,
}

/// `printPod`, without restartable init containers.
fn status(pod: &Value) -> PodStatus<'_> {
    let phase = text(pod, "/status/phase");
    let mut reason = match text(pod, "/status/reason") {
        "" => phase.to_owned(),
        reason => reason.to_owned(),
    };
    let (mut ready, mut restarts, mut last_restart) = (0, 0, None);
    let all_init = list(pod, "/spec/initContainers").len();
    let mut initializing = false;
    for (index, container) in list(pod, "/status/initContainerStatuses").iter().enumerate() {
        restarts += number(container, "/restartCount");
        last_restart = later(last_restart, container);
        let waiting = text(container, "/state/waiting/reason");
        if let Some(ended) = container.pointer("/state/terminated") {
            if number(ended, "/exitCode") == 0 {
                continue;
            }
            reason = format!("Init:{}", ended_word(ended));
        } else if !waiting.is_empty() && waiting != "PodInitializing" {
            reason = format!("Init:{waiting}");
        } else {
            reason = format!("Init:{index}/{all_init}");
        }
        initializing = true;
        break;
    }
    let has = |kind: &str| {
        list(pod, "/status/conditions").iter().any(|c| c["type"] == kind && c["status"] == "True")
    };
    if !initializing || has("Initialized") {
        (restarts, last_restart) = (0, None);
        let mut running = false;
        for container in list(pod, "/status/containerStatuses").iter().rev() {
            restarts += number(container, "/restartCount");
            last_restart = later(last_restart, container);
            let waiting = text(container, "/state/waiting/reason");
            if !waiting.is_empty() {
                waiting.clone_into(&mut reason);
            } else if let Some(ended) = container.pointer("/state/terminated") {
                reason = ended_word(ended);
            } else if container["ready"] == true && container.pointer("/state/running").is_some() {
                running = true;
                ready += 1;
            }
        }
        if reason == "Completed" && running {
            (if has("Ready") { "Running" } else { "NotReady" }).clone_into(&mut reason);
        }
    }
    let deleted = pod.pointer("/metadata/deletionTimestamp").is_some();
    if deleted && text(pod, "/status/reason") == "NodeLost" {
        "Unknown".clone_into(&mut reason);
    } else if deleted && phase != "Failed" && phase != "Succeeded" {
        "Terminating".clone_into(&mut reason);
    }
    PodStatus { reason, ready, restarts, last_restart }
}

fn later<'p>(last: Option<&'p str>, container: &'p Value) -> Option<&'p str> {
    let ended = container.pointer("/lastState/terminated/finishedAt").and_then(Value::as_str);
    last.max(ended)
}

fn ended_word(ended: &Value) -> String {
    match (text(ended, "/reason"), number(ended, "/signal")) {
        ("", 0) => format!("ExitCode:{}", number(ended, "/exitCode")),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}
