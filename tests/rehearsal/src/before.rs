//! What was applied before anything is deployed: an older version, as objects for either kind of cluster.

use serde_json::Value;

use crate::scenarios::{Scenario, With};

/// What was applied then, with `${IMAGE_TAG}` and `${AWS_ACCOUNT_ID}` in it.
const APPLIED: &str = include_str!("../fixtures/before.json");

/// The tag that ran before, unless the scenario names another.
pub(crate) const RUNNING_TAG: &str = "v0.4.2.1";

/// The account in the images' names.
const ACCOUNT: &str = "123456789012";

/// What a namespace has before anything is deployed to it.
const NOT_DEPLOYED: &[&str] = &["Namespace", "ConfigMap", "Secret"];

impl Scenario {
    /// The objects that someone has applied before the run, in the order in which they can be applied.
    pub fn objects_before(&self) -> Vec<Value> {
        let mut objects: Vec<Value> = Vec::new();
        if !self.with.contains(&With::NoNamespace) {
            let text =
                APPLIED.replace("${IMAGE_TAG}", self.running_tag()).replace("${AWS_ACCOUNT_ID}", ACCOUNT);
            objects = serde_json::from_str(&text).unwrap_or_default();
        }
        if self.with.contains(&With::NothingDeployed) {
            objects.retain(|object| NOT_DEPLOYED.iter().any(|kind| object["kind"] == *kind));
        }
        for with in &self.with {
            match with {
                With::Applied { kind, name, pointer, value } => {
                    let value = serde_json::from_str(value).unwrap_or_default();
                    objects
                        .iter_mut()
                        .filter(|object| object["kind"] == **kind && object["metadata"]["name"] == **name)
                        .for_each(|object| set(object, pointer, &value));
                }
                With::Object(object) => objects.extend(serde_json::from_str::<Value>(object)),
                _ => {}
            }
        }
        objects
    }
}

/// Sets a value, or takes it away.
fn set(object: &mut Value, pointer: &str, value: &Value) {
    let Some((parent, key)) = pointer.rsplit_once('/') else { return };
    let key = key.replace("~1", "/").replace("~0", "~");
    let Some(Value::Object(parent)) = object.pointer_mut(parent) else { return };
    if value.is_null() {
        parent.remove(&key);
    } else {
        parent.insert(key, value.clone());
    }
}
