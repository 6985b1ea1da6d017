//! Writes: what `kubectl apply` creates and patches, for real or as a server-side dry run.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::errors::{self, Refusal};
use super::json::{number, text};
use super::kinds::{self, Kind};
use super::store::uid_of;
use super::{World, autoscalers, defaults, deployments, quotas, schemas, services};
use crate::time::stamp;

const LAST_APPLIED: &str = "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration";

/// How a write is meant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    pub(crate) dry_run: bool,
    pub(crate) strict: bool,
}

/// Creates an object of the past, or one that is known to be good.
pub(crate) fn created(world: &mut World, object: Value, namespace: &str) -> Value {
    let object = complete(world, object, namespace);
    stored(world, object)
}

fn complete(world: &World, mut object: Value, namespace: &str) -> Value {
    if !namespace.is_empty() {
        object["metadata"]["namespace"] = json!(namespace);
    }
    object["metadata"]["creationTimestamp"] = json!(stamp(world.now()));
    object["metadata"]["uid"] = json!(uid_of(&object));
    if matches!(text(&object, "/kind"), "Deployment" | "Ingress" | "NetworkPolicy" | "PodDisruptionBudget") {
        object["metadata"]["generation"] = json!(1);
    }
    defaults::fill(&mut object);
    if object["kind"] == "Deployment" {
        object["status"] = json!({});
    }
    object
}

fn stored(world: &mut World, object: Value) -> Value {
    let object = world.store.put(object);
    let (place, name) = (text(&object, "/metadata/namespace"), text(&object, "/metadata/name"));
    match text(&object, "/kind") {
        "Deployment" => {
            autoscalers::settle(world, place);
            deployments::written(world, place, name);
        }
        "HorizontalPodAutoscaler" => autoscalers::settle(world, place),
        "Service" => services::update_endpoints(world, place),
        "Namespace" => {}
        _ => return Arc::unwrap_or_clone(object),
    }
    Arc::unwrap_or_clone(object)
}

fn missing_namespace(world: &World, kind: &Kind, namespace: &str) -> Option<Refusal> {
    let namespaces = kinds::by_name("Namespace")?;
    (kind.namespaced && world.store.get(namespaces, "", namespace).is_none())
        .then(|| errors::not_found(namespaces, namespace))
}

/// POST.
pub(crate) fn create(
    world: &mut World,
    kind: &'static Kind,
    namespace: &str,
    object: Value,
    manner: Manner,
) -> Result<Value, Refusal> {
    if let Some(refusal) = missing_namespace(world, kind, namespace) {
        return Err(refusal);
    }
    let unknown = schemas::unknown_fields(&object);
    if manner.strict && !unknown.is_empty() {
        return Err(errors::bad_request(&format!(
            "{} in version \"{}\" cannot be handled as a {}: {}",
            kind.kind,
            kind.version,
            kind.kind,
            strict_error(&unknown)
        )));
    }
    let name = text(&object, "/metadata/name").to_owned();
    if let Some((field, problem)) = required(kind, &object) {
        return Err(errors::invalid(Some(kind), &name, "FieldValueRequired", field, problem));
    }
    if world.store.get(kind, namespace, &name).is_some() {
        return Err(errors::already_exists(kind, &name));
    }
    if let Some(why) = quotas::exceeded(world, kind, namespace) {
        return Err(errors::not_admitted(kind, &name, &why));
    }
    let object = complete(world, object, namespace);
    if manner.dry_run { Ok(object) } else { Ok(stored(world, object)) }
}

/// The few required values whose lack is likely.
fn required(kind: &Kind, object: &Value) -> Option<(&'static str, &'static str)> {
    let lacks = |pointer: &str| object.pointer(pointer).is_none_or(Value::is_null);
    match kind.kind {
        "Deployment" if lacks("/spec/selector") => Some(("spec.selector", "Required value")),
        "Deployment" if lacks("/spec/template/spec/containers") => {
            Some(("spec.template.spec.containers", "Required value"))
        }
        "Service"
            if lacks("/spec/ports")
                && lacks("/spec/externalName")
                && object["spec"]["clusterIP"] != "None" =>
        {
            Some(("spec.ports", "Required value"))
        }
        _ => None,
    }
}

fn strict_error(unknown: &[String]) -> String {
    let fields: Vec<String> = unknown.iter().map(|field| format!("unknown field \"{field}\"")).collect();
    format!("strict decoding error: {}", fields.join(", "))
}

/// PATCH. A strategic merge patch of `kubectl apply` carries the whole new configuration in its annotation: that
/// is taken, and what the server owns is kept. Others must be merge patches.
pub(crate) fn patch(
    world: &mut World,
    (kind, namespace, name): (&'static Kind, &str, &str),
    patch: &Value,
    media_type: &str,
    manner: Manner,
) -> Result<Value, Refusal> {
    let Some(before) = world.store.get(kind, namespace, name) else {
        return Err(errors::not_found(kind, name));
    };
    let applied = text(patch, LAST_APPLIED);
    let mut after = if applied.is_empty() {
        if !media_type.starts_with("application/merge-patch+json") && media_type_matters(patch) {
            return Err(errors::unknown("PATCH", &format!("with {media_type}: {patch}")));
        }
        let mut merged = Value::clone(&before);
        merge(&mut merged, patch);
        merged
    } else {
        let applied_object: Value = serde_json::from_str(applied)
            .map_err(|error| errors::bad_request(&format!("last-applied-configuration: {error}")))?;
        let unknown = schemas::unknown_fields(&applied_object);
        if manner.strict && !unknown.is_empty() {
            let problem = format!("Invalid value: \"{}\": {}", go_map(patch), strict_error(&unknown));
            return Err(errors::invalid(None, "", "FieldValueInvalid", "patch", &problem));
        }
        configured(&before, applied_object, applied)
    };
    defaults::fill(&mut after);
    if kind.kind == "Deployment" && after["spec"]["selector"] != before["spec"]["selector"] {
        let problem = format!("Invalid value: {}: field is immutable", after["spec"]["selector"]);
        return Err(errors::invalid(Some(kind), name, "FieldValueInvalid", "spec.selector", &problem));
    }
    if after["spec"] != before["spec"] && before.pointer("/metadata/generation").is_some() {
        after["metadata"]["generation"] = json!(number(&before, "/metadata/generation") + 1);
    }
    if manner.dry_run { Ok(after) } else { Ok(stored(world, after)) }
}

fn media_type_matters(patch: &Value) -> bool {
    match patch {
        Value::Object(map) => map.values().any(media_type_matters),
        Value::Array(_) => true,
        _ => false,
    }
}

/// RFC 7386.
fn merge(into: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = Value::Object(Map::new());
    }
    for (key, value) in patch {
        if value.is_null() {
            if let Some(map) = into.as_object_mut() {
                map.remove(key);
            }
        } else {
            merge(&mut into[key], value);
        }
    }
}

/// The object as this configuration wants it, keeping what the server owns and what was never applied.
fn configured(before: &Value, applied: Value, text_of_it: &str) -> Value {
    let earlier: Value = serde_json::from_str(text(before, LAST_APPLIED)).unwrap_or_default();
    let mut after = before.clone();
    let Value::Object(applied) = applied else { return after };
    for (key, value) in applied {
        match key.as_str() {
            "apiVersion" | "kind" | "status" => {}
            "metadata" => {
                for part in ["labels", "annotations"] {
                    let old = earlier["metadata"][part].as_object().cloned().unwrap_or_default();
                    let new = value[part].as_object().cloned().unwrap_or_default();
                    if old.is_empty() && new.is_empty() {
                        continue;
                    }
                    let mut now = after["metadata"][part].as_object().cloned().unwrap_or_default();
                    now.retain(|key, _| !old.contains_key(key) || new.contains_key(key));
                    now.extend(new);
                    after["metadata"][part] = Value::Object(now);
                }
                after["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] =
                    json!(text_of_it);
            }
            "spec" => {
                let mut spec = value;
                let kept: &[&str] = match text(before, "/kind") {
                    "Service" => &["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"],
                    "Deployment" => &["replicas"],
                    _ => &[],
                };
                for field in kept {
                    if earlier["spec"].get(field).is_none()
                        && let Some(value) = before["spec"].get(field)
                    {
                        super::json::default(&mut spec, field, value.clone());
                    }
                }
                after["spec"] = spec;
            }
            _ => after[key] = value,
        }
    }
    after
}

/// A map as Go prints it with `%+v`.
fn go_map(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            let inner: Vec<String> =
                entries.into_iter().map(|(key, value)| format!("{key}:{}", go_map(value))).collect();
            format!("map[{}]", inner.join(" "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(go_map).collect::<Vec<_>>().join(" ")),
        Value::String(text) => text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"),
        Value::Null => "<nil>".to_owned(),
        other => other.to_string(),
    }
}

/// DELETE: the object is gone at once, and with it what it owns is left.
pub(crate) fn delete(
    world: &mut World,
    kind: &'static Kind,
    namespace: &str,
    name: &str,
    dry_run: bool,
) -> Result<Value, Refusal> {
    let Some(object) = world.store.get(kind, namespace, name) else {
        return Err(errors::not_found(kind, name));
    };
    if !dry_run {
        world.store.remove(kind, namespace, name);
    }
    Ok(Arc::unwrap_or_clone(object))
}
