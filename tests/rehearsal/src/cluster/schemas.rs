//! The schemas of Kubernetes 1.34.4 (its published `OpenAPI`, less descriptions), and what strict decoding finds.

use std::sync::OnceLock;

use serde_json::{Map, Value};

use super::json::text;

const TEXT: &str = include_str!("../../fixtures/openapi-schemas.json");

fn all() -> &'static Map<String, Value> {
    static ALL: OnceLock<Map<String, Value>> = OnceLock::new();
    ALL.get_or_init(|| serde_json::from_str(TEXT).unwrap_or_default())
}

fn of_kind(kind: &str) -> Option<&'static str> {
    all()
        .iter()
        .find(|(name, schema)| {
            name.rsplit('.').next() == Some(kind) && schema.get("x-kubernetes-group-version-kind").is_some()
        })
        .map(|(name, _)| name.as_str())
}

fn target(reference: &str) -> &str {
    reference.trim_start_matches("#/components/schemas/")
}

/// The schemas of these kinds, and all they refer to.
pub(crate) fn closure(kinds: &[&str]) -> Map<String, Value> {
    let mut found = Map::new();
    let mut wanted: Vec<String> =
        kinds.iter().filter_map(|kind| of_kind(kind)).map(ToOwned::to_owned).collect();
    while let Some(name) = wanted.pop() {
        if found.contains_key(&name) {
            continue;
        }
        if let Some(schema) = all().get(&name) {
            references(schema, &mut wanted);
            found.insert(name, schema.clone());
        }
    }
    found.sort_keys();
    found
}

fn references(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(reference)) = map.get("$ref") {
                into.push(target(reference).to_owned());
            }
            map.values().for_each(|value| references(value, into));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, into)),
        _ => {}
    }
}

/// The fields of an object its schema does not know, as strict decoding names them: `spec.template.foo`.
pub(crate) fn unknown_fields(object: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(schema) = of_kind(text(object, "/kind")).and_then(|name| all().get(name)) {
        walk(object, schema, "", &mut found);
    }
    found
}

fn walk(value: &Value, schema: &Value, path: &str, found: &mut Vec<String>) {
    let reference = schema.get("$ref").or_else(|| schema.pointer("/allOf/0/$ref")).and_then(Value::as_str);
    if let Some(schema) = reference.and_then(|reference| all().get(target(reference))) {
        return walk(value, schema, path, found);
    }
    match value {
        Value::Object(map) => {
            let properties = schema.get("properties").and_then(Value::as_object);
            for (key, value) in map {
                let at = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                if let Some(schema) = properties.and_then(|properties| properties.get(key)) {
                    walk(value, schema, &at, found);
                } else if let Some(schema) = schema.get("additionalProperties") {
                    walk(value, schema, &at, found);
                } else if properties.is_some() {
                    found.push(at);
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = schema.get("items") {
                for (index, value) in items.iter().enumerate() {
                    walk(value, schema, &format!("{path}[{index}]"), found);
                }
            }
        }
        _ => {}
    }
}
