//! What is there before anything is deployed: an older version, running for three days.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::json::{default, list, text};
use super::{STAGING, World, apply, deployments, pods, rollouts};
use crate::scenarios::{FATE, Fate, When, With};

/// Three days, four and a half hours: `3d4h` for as long as a test runs.
const AGE: SignedDuration = SignedDuration::from_secs(((3 * 24 + 4) * 60 + 30) * 60);

/// Twelve and a half hours: what came over an old pod was `12h` ago for as long as a test runs.
const SINCE_OLD_FATES: SignedDuration = SignedDuration::from_secs((12 * 60 + 30) * 60);

/// Builds the initial state.
pub(crate) fn build(world: &mut World) {
    world.past = Some(Timestamp::now() - AGE);
    let no_namespace = world.scenario.with.contains(&With::NoNamespace);
    let names = ["default", "kube-node-lease", "kube-public", "kube-system"];
    for name in names {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        apply::created(world, namespace, "");
        if name != "kube-node-lease" && name != "kube-public" && name != "kube-system" {
            let account =
                json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}});
            apply::created(world, account, name);
        }
    }
    apply::created(world, kubernetes_service(), "default");
    for object in world.scenario.objects_before() {
        existing(world, &object);
    }
    if !no_namespace {
        default_account(world, STAGING);
    }
    meet_old_fates(world);
    world.past = None;
    world.rollouts.clear();
}

/// How pods reach the API server; every cluster has it.
fn kubernetes_service() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "kubernetes", "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {"ports": [{"name": "https", "port": 443, "targetPort": 6443}]},
    })
}

fn default_account(world: &mut World, namespace: &str) {
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}});
    apply::created(world, account, namespace);
}

fn existing(world: &mut World, object: &Value) {
    let mut object = object.clone();
    default(&mut object["metadata"], "annotations", json!({}));
    let applied = format!("{}\n", sorted(&object));
    object["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = json!(applied);
    let namespace = text(&object, "/metadata/namespace").to_owned();
    let object = apply::created(world, object, &namespace);
    if object["kind"] == "Pod" {
        meets_its_annotation(world, object);
        return;
    }
    let target = text(&object, "/spec/scaleTargetRef/name");
    let deployment = if object["kind"] == "Deployment" { text(&object, "/metadata/name") } else { target };
    rollouts::go_on(world, &namespace, deployment, When::RolloutWatched);
}

/// JSON as kubectl writes it into the annotation: keys in order.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            entries.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect()
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

/// A pod that nobody's Deployment made, and what its annotation says has become of it.
fn meets_its_annotation(world: &mut World, mut pod: Value) {
    if pod.pointer("/metadata/annotations").and_then(|all| all.get(FATE))
        != Fate::Hidden.word().map(Value::from).as_ref()
    {
        return;
    }
    let now = world.now();
    pods::schedule(&mut pod, world.placed, now);
    world.placed += 1;
    pods::running(&mut pod, &format!("10.244.3.{}", world.placed + 10), false, now);
    rollouts::meets(world, pod, &Fate::Hidden);
}

fn meet_old_fates(world: &mut World) {
    for with in world.scenario.with.clone() {
        let (deployment, chosen, fate) = match with {
            With::Old { deployment, pod, fate } => (deployment, Some(pod), fate),
            With::OldEvery { deployment, fate } => (deployment, None, fate),
            _ => continue,
        };
        let of_deployment = |pod: &Value| {
            list(pod, "/spec/containers").iter().any(|container| container["name"] == *deployment)
        };
        let mut old = world.store.list(deployments::kind("Pod"), Some(STAGING));
        old.retain(|pod| of_deployment(pod));
        let met =
            old.into_iter().enumerate().filter(|(index, _)| chosen.is_none_or(|chosen| chosen == *index));
        for (_, pod) in met {
            let mut pod = Value::clone(&pod);
            pods::not_ready(&mut pod);
            let past = world.past.replace(Timestamp::now() - SINCE_OLD_FATES);
            rollouts::meets(world, pod, &fate);
            world.past = past;
        }
        let kind = deployments::kind("Deployment");
        if let Some(deployment) = world.store.get(kind, STAGING, &deployment) {
            if fate == Fate::Evicted {
                deployments::scale(world, &deployment);
                rollouts::go_on(world, STAGING, text(&deployment, "/metadata/name"), When::RolloutWatched);
            }
            deployments::update_statuses(world, &deployment);
        }
    }
}
