//! What the Deployment and `ReplicaSet` controllers, the scheduler and the kubelets do, in one thread and without
//! a clock.

use std::sync::Arc;

use serde_json::{Value, json};

use super::json::{fnv32, list, number, safe_encode, text};
use super::store::uid_of;
use super::{Rollout, World, events, kinds, pod_security, pods, quotas, rollouts, services};
use crate::scenarios::{Fate, When};
use crate::time::stamp;

pub(super) fn kind(name: &str) -> &'static kinds::Kind {
    kinds::by_name(name).unwrap_or(&kinds::KINDS[0])
}

/// A Deployment's new `ReplicaSet`, its old ones, and their pods that aren't being deleted.
pub(super) struct View {
    pub(super) new: Arc<Value>,
    pub(super) old: Vec<Arc<Value>>,
    pub(super) new_pods: Vec<Arc<Value>>,
    pub(super) old_pods: Vec<Arc<Value>>,
}

fn pods_of(world: &World, replica_set: &Value) -> Vec<Arc<Value>> {
    let mut pods = pods::of(world, replica_set);
    pods.retain(|pod| !pods::is_going(pod) && !pods::has_failed(pod));
    pods
}

pub(super) fn view(world: &World, deployment: &Value) -> Option<View> {
    let place = text(deployment, "/metadata/namespace");
    let owned = world.store.list(kind("ReplicaSet"), Some(place)).into_iter().filter(|replica_set| {
        replica_set["metadata"]["ownerReferences"][0]["uid"] == deployment["metadata"]["uid"]
    });
    let name = replica_set_name(deployment);
    let (new, old): (Vec<_>, Vec<_>) = owned.partition(|set| text(set, "/metadata/name") == name);
    let new = new.into_iter().next()?;
    let new_pods = pods_of(world, &new);
    let old_pods = old.iter().flat_map(|set| pods_of(world, set)).collect();
    Some(View { new, old, new_pods, old_pods })
}

fn template_hash(deployment: &Value) -> String {
    safe_encode(fnv32(deployment["spec"]["template"].to_string().as_bytes()))
}

fn replica_set_name(deployment: &Value) -> String {
    format!("{}-{}", text(deployment, "/metadata/name"), template_hash(deployment))
}

fn ready(pods: &[Arc<Value>]) -> i64 {
    pods.iter().filter(|pod| pods::is_ready(pod)).map(|_| 1).sum()
}

fn len(pods: &[Arc<Value>]) -> i64 {
    i64::try_from(pods.len()).unwrap_or(i64::MAX)
}

/// `25%` of the replicas, or a number.
fn share(of: &Value, replicas: i64, up: bool) -> i64 {
    match of {
        Value::String(percent) => {
            let percent: i64 = percent.trim_end_matches('%').parse().unwrap_or(25);
            let product = percent * replicas;
            if up { (product + 99) / 100 } else { product / 100 }
        }
        number => number.as_i64().unwrap_or(0),
    }
}

fn limits(deployment: &Value) -> (i64, i64, i64) {
    let replicas = number(deployment, "/spec/replicas");
    if text(deployment, "/spec/strategy/type") == "Recreate" {
        return (replicas, 0, replicas);
    }
    let surge = share(&deployment["spec"]["strategy"]["rollingUpdate"]["maxSurge"], replicas, true);
    let unavailable =
        share(&deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"], replicas, false);
    if surge == 0 && unavailable == 0 { (replicas, 0, 1) } else { (replicas, surge, unavailable) }
}

/// A Deployment was written: its controller takes it up.
pub(crate) fn written(world: &mut World, place: &str, name: &str) {
    let Some(deployment) = world.store.get(kind("Deployment"), place, name) else { return };
    if view(world, &deployment).is_none() {
        let deployment = new_replica_set(world, &deployment);
        world.rollouts.insert((place.to_owned(), name.to_owned()), Rollout::default());
        scale(world, &deployment);
    } else {
        scale(world, &deployment);
    }
}

fn new_replica_set(world: &mut World, deployment: &Value) -> Arc<Value> {
    let mut deployment = deployment.clone();
    let revision = 1 + deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"]
        .as_str()
        .and_then(|revision| revision.parse::<i64>().ok())
        .unwrap_or(0);
    let hash = template_hash(&deployment);
    let mut template = deployment["spec"]["template"].clone();
    template["metadata"]["labels"]["pod-template-hash"] = json!(hash);
    let mut selector = deployment["spec"]["selector"].clone();
    selector["matchLabels"]["pod-template-hash"] = json!(hash);
    let (replicas, surge, _) = limits(&deployment);
    let mut set = json!({
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": replica_set_name(&deployment),
            "namespace": deployment["metadata"]["namespace"],
            "uid": "",
            "generation": 1,
            "creationTimestamp": stamp(world.now()),
            "labels": template["metadata"]["labels"],
            "annotations": {
                "deployment.kubernetes.io/desired-replicas": replicas.to_string(),
                "deployment.kubernetes.io/max-replicas": (replicas + surge).to_string(),
                "deployment.kubernetes.io/revision": revision.to_string(),
            },
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "Deployment", "name": deployment["metadata"]["name"],
                "uid": deployment["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "spec": {"replicas": 0, "selector": selector, "template": template},
        "status": {"replicas": 0, "observedGeneration": 1},
    });
    set["metadata"]["uid"] = json!(uid_of(&set));
    world.store.put(set);
    deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!(revision.to_string());
    world.store.put(deployment)
}

/// Brings the numbers of pods as near to what is wanted as the strategy allows now, and says so in the statuses.
pub(super) fn scale(world: &mut World, deployment: &Value) {
    for _ in 0..100 {
        let Some(view) = view(world, deployment) else { return };
        let (replicas, surge, unavailable) = limits(deployment);
        let total = len(&view.new_pods) + len(&view.old_pods);
        let missing = (replicas - len(&view.new_pods)).min(replicas + surge - total);
        let refused = refusal(world, deployment, &view.new);
        if missing > 0 && refused.is_none() {
            let to = len(&view.new_pods) + missing;
            scaled(world, deployment, &view.new, to, "up");
            for _ in 0..missing {
                let set =
                    world.store.get(kind("ReplicaSet"), place(deployment), text(&view.new, "/metadata/name"));
                create_pod(world, deployment, &set.unwrap_or_else(|| Arc::clone(&view.new)));
            }
            continue;
        }
        if let Some(message) = refused.filter(|_| missing > 0) {
            refuse_pods(world, deployment, &view.new, missing, &message);
        }
        let available = ready(&view.new_pods) + ready(&view.old_pods);
        let least = replicas - unavailable;
        let starting = len(&view.new_pods) - ready(&view.new_pods);
        let mut may_go = (total - least - starting).min(len(&view.old_pods));
        let mut goes: Vec<Arc<Value>> = Vec::new();
        let (healthy, failing): (Vec<_>, Vec<_>) = view.old_pods.iter().partition(|pod| pods::is_ready(pod));
        for pod in failing {
            if may_go > 0 {
                goes.push(Arc::clone(pod));
                may_go -= 1;
            }
        }
        let mut spare = may_go.min(available - least);
        for pod in healthy {
            if spare > 0 {
                goes.push(Arc::clone(pod));
                spare -= 1;
            }
        }
        if goes.is_empty() {
            break;
        }
        for set in &view.old {
            let (mine, stays): (Vec<_>, Vec<_>) =
                pods_of(world, set).into_iter().partition(|pod| goes.iter().any(|go| go == pod));
            if !mine.is_empty() {
                scaled(world, deployment, set, len(&stays), "down");
            }
            for pod in mine {
                delete_pod(world, set, &pod);
            }
        }
    }
    update_statuses(world, deployment);
}

/// Why the server would not take one more pod of this `ReplicaSet`.
fn refusal(world: &World, deployment: &Value, set: &Value) -> Option<String> {
    if let Fate::NotCreated { message } = fate_of(world, deployment).0 {
        return Some(message.into_owned());
    }
    if world.past.is_some() {
        return None;
    }
    let place = place(deployment);
    pod_security::refusal(world, place, &set["spec"]["template"])
        .or_else(|| quotas::exceeded(world, kind("Pod"), place))
}

fn place(object: &Value) -> &str {
    text(object, "/metadata/namespace")
}

fn scaled(world: &mut World, deployment: &Value, set: &Value, to: i64, direction: &str) {
    let Some(set) = world.store.get(kind("ReplicaSet"), place(set), text(set, "/metadata/name")) else {
        return;
    };
    let mut set = Arc::unwrap_or_clone(set);
    let from = number(&set, "/spec/replicas");
    if from == to {
        return;
    }
    set["spec"]["replicas"] = json!(to);
    set["metadata"]["generation"] = json!(number(&set, "/metadata/generation") + 1);
    set["status"]["observedGeneration"] = set["metadata"]["generation"].clone();
    let set = world.store.put(set);
    let message =
        format!("Scaled {direction} replica set {} from {from} to {to}", text(&set, "/metadata/name"));
    events::normal(world, deployment, "ScalingReplicaSet", &message, "deployment-controller", "");
}

fn create_pod(world: &mut World, deployment: &Value, set: &Value) {
    let ordinal = u32::try_from(pods::of(world, set).len()).unwrap_or(0);
    let now = world.now();
    let mut pod = pods::born(set, ordinal, now);
    let name = text(&pod, "/metadata/name").to_owned();
    pod = Arc::unwrap_or_clone(world.store.put(pod));
    events::normal(
        world,
        set,
        "SuccessfulCreate",
        &format!("Created pod: {name}"),
        "replicaset-controller",
        "",
    );
    let node = pods::schedule(&mut pod, world.placed, now);
    world.placed += 1;
    let ip = format!("10.244.{}.{}", world.placed % 3 + 1, world.placed + 10);
    pod = Arc::unwrap_or_clone(world.store.put(pod));
    let message = format!("Successfully assigned {}/{name} to {node}", place(&pod));
    events::normal(world, &pod, "Scheduled", &message, "default-scheduler", "");
    pods::creating(&mut pod, now);
    pod = Arc::unwrap_or_clone(world.store.put(pod));
    let (fate, when) = fate_of(world, deployment);
    if fate != Fate::ImagePull {
        events::started(world, &pod);
        pods::running(&mut pod, &ip, false, now);
        world.store.put(pod);
    }
    if let (When::After(delay), None) = (when, world.past) {
        rollouts::go_on_later(world, place(deployment), text(deployment, "/metadata/name"), when, delay);
    }
}

fn delete_pod(world: &mut World, set: &Value, pod: &Value) {
    let mut pod = pod.clone();
    let now = world.now();
    pods::terminating(&mut pod, now);
    let pod = world.store.put(pod);
    let name = text(&pod, "/metadata/name");
    events::normal(
        world,
        set,
        "SuccessfulDelete",
        &format!("Deleted pod: {name}"),
        "replicaset-controller",
        "",
    );
    for container in list(&pod, "/spec/containers") {
        let message = format!("Stopping container {}", text(container, "/name"));
        events::of_container(world, &pod, container, "Normal", "Killing", &message);
    }
}

fn refuse_pods(world: &mut World, deployment: &Value, set: &Value, missing: i64, message: &str) {
    let (replicas, _, _) = limits(deployment);
    scaled(world, deployment, set, missing.min(replicas), "up");
    let name = text(set, "/metadata/name");
    let message = format!("pods \"{name}-{}\" is forbidden: {message}", super::json::suffix(name));
    let Some(set) = world.store.get(kind("ReplicaSet"), place(set), name) else { return };
    let mut set = Arc::unwrap_or_clone(set);
    if list(&set, "/status/conditions").is_empty() {
        events::warning(
            world,
            &set,
            "FailedCreate",
            &format!("Error creating: {message}"),
            "replicaset-controller",
        );
        set["status"]["conditions"] = json!([{
            "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message,
            "lastTransitionTime": stamp(world.now()),
        }]);
        world.store.put(set);
    }
}

pub(super) fn fate_of(world: &World, deployment: &Value) -> (Fate, When) {
    if world.past.is_some() {
        return (Fate::Ready, When::RolloutWatched);
    }
    world.scenario.new_fate(text(deployment, "/metadata/name"))
}

/// Writes what the numbers of pods come to into the `ReplicaSet`s, the Deployment and the `EndpointSlice`s.
pub(crate) fn update_statuses(world: &mut World, deployment: &Value) {
    let (place, name) = (place(deployment).to_owned(), text(deployment, "/metadata/name").to_owned());
    let Some(deployment) = world.store.get(kind("Deployment"), &place, &name) else { return };
    let Some(view) = view(world, &deployment) else { return };
    for set in view.old.iter().chain([&view.new]) {
        let Some(set) = world.store.get(kind("ReplicaSet"), &place, text(set, "/metadata/name")) else {
            continue;
        };
        let pods = pods_of(world, &set);
        let mut set = Arc::unwrap_or_clone(set);
        let mut status = json!({
            "observedGeneration": set["metadata"]["generation"],
            "replicas": len(&pods),
            "fullyLabeledReplicas": len(&pods),
            "readyReplicas": ready(&pods),
            "availableReplicas": ready(&pods),
        });
        if let Some(conditions) = set.pointer("/status/conditions") {
            status["conditions"] = conditions.clone();
        }
        without_zeros(&mut status, "replicas");
        set["status"] = status;
        world.store.put(set);
    }
    let status =
        super::defaults::deployment_status(world, &deployment, &view.new, &view.new_pods, &view.old_pods);
    let mut deployment = Arc::unwrap_or_clone(deployment);
    deployment["status"] = status;
    world.store.put(deployment);
    services::update_endpoints(world, &place);
}

/// Go leaves numbers that are 0 out, save the one.
pub(crate) fn without_zeros(status: &mut Value, but: &str) {
    if let Some(status) = status.as_object_mut() {
        status.retain(|key, value| key == but || *value != json!(0));
    }
}

/// The image that serves: the Deployment's own if a ready pod runs it, else that of any ready pod.
pub(crate) fn running_image(world: &World, place: &str, name: &str) -> String {
    let Some(deployment) = world.store.get(kind("Deployment"), place, name) else { return String::new() };
    let Some(view) = view(world, &deployment) else { return String::new() };
    let serving = view.new_pods.iter().chain(&view.old_pods).find(|pod| pods::is_ready(pod));
    serving.map_or(String::new(), |pod| text(pod, "/spec/containers/0/image").to_owned())
}
