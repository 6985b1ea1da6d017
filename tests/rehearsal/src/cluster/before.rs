//! What is there before anything is deployed: an older version, running for three days.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::json::{list, text};
use super::{STAGING, World, apply, deployments, kinds, pods, rollouts};
use crate::scenarios::{When, With};

/// What was applied then, with `${IMAGE_TAG}` and `${AWS_ACCOUNT_ID}` in it.
const APPLIED: &str = include_str!("../../fixtures/before.json");

/// The tag that ran before, unless the scenario names another.
pub(crate) const RUNNING_TAG: &str = "v0.4.2.1";

/// The account in the images' names.
pub(crate) const ACCOUNT: &str = "123456789012";

/// Three days, four and a half hours: `3d4h` for as long as a test runs.
const AGE: SignedDuration = SignedDuration::from_secs(((3 * 24 + 4) * 60 + 30) * 60);

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
    if !no_namespace {
        let tag = world
            .scenario
            .last(|with| if let With::RunningTag(tag) = with { Some(tag.to_string()) } else { None });
        let applied = APPLIED
            .replace("${IMAGE_TAG}", tag.as_deref().unwrap_or(RUNNING_TAG))
            .replace("${AWS_ACCOUNT_ID}", ACCOUNT);
        let applied: Value = serde_json::from_str(&applied).unwrap_or_default();
        for object in applied.as_array().into_iter().flatten() {
            existing(world, object);
        }
        default_account(world, STAGING);
    }
    let others: Vec<String> = world
        .scenario
        .with
        .iter()
        .filter_map(|with| if let With::Object(object) = with { Some(object.to_string()) } else { None })
        .collect();
    for object in others {
        if let Ok(object) = serde_json::from_str::<Value>(&object) {
            existing(world, &object);
        }
    }
    meet_old_fates(world);
    world.past = None;
    world.rollouts.clear();
}

fn default_account(world: &mut World, namespace: &str) {
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}});
    apply::created(world, account, namespace);
}

fn existing(world: &mut World, object: &Value) {
    let mut object = object.clone();
    object["metadata"]["annotations"] = json!({});
    let applied = format!("{}\n", sorted(&object));
    object["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = json!(applied);
    let namespace = text(&object, "/metadata/namespace").to_owned();
    let object = apply::created(world, object, &namespace);
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

fn meet_old_fates(world: &mut World) {
    let (Some(pod_kind), Some(deployment_kind)) = (kinds::by_name("Pod"), kinds::by_name("Deployment"))
    else {
        return;
    };
    for with in world.scenario.with.clone() {
        let With::Old { deployment, pod, fate } = with else { continue };
        let all = world.store.list(pod_kind, Some(STAGING));
        let mut mine = all.into_iter().filter(|pod| {
            list(pod, "/spec/containers").iter().any(|container| container["name"] == *deployment)
        });
        if let Some(pod) = mine.nth(pod) {
            let mut pod = Value::clone(&pod);
            pods::not_ready(&mut pod);
            rollouts::meets(world, pod, &fate);
        }
        if let Some(deployment) = world.store.get(deployment_kind, STAGING, &deployment) {
            deployments::update_statuses(world, &deployment);
        }
    }
}
