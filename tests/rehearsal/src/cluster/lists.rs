//! Which objects a request means: selectors, and the list around the objects.

use serde_json::{Value, json};

use super::json::text;
use super::kinds::Kind;

/// The label and field selectors of a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    labels: Vec<Requirement>,
    fields: Vec<(String, bool, String)>,
}

#[derive(Clone, Debug)]
enum Requirement {
    In(String, Vec<String>, bool),
    Exists(String, bool),
}

impl Selection {
    /// Reads both selectors.
    pub(crate) fn new(labels: &str, fields: &str) -> Selection {
        Selection {
            labels: split(labels).iter().map(|part| requirement(part)).collect(),
            fields: parse_fields(fields),
        }
    }

    /// The name a field selector asks for.
    pub(crate) fn name(&self) -> Option<&str> {
        self.fields
            .iter()
            .find(|(field, equal, _)| field == "metadata.name" && *equal)
            .map(|(.., name)| name.as_str())
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.labels.iter().all(|requirement| {
            let label = |key: &str| object["metadata"]["labels"].get(key).and_then(Value::as_str);
            match requirement {
                Requirement::In(key, values, wanted) => {
                    label(key).is_some_and(|value| values.iter().any(|v| v == value)) == *wanted
                }
                Requirement::Exists(key, wanted) => label(key).is_some() == *wanted,
            }
        }) && self.fields.iter().all(|(field, equal, value)| {
            let pointer = format!("/{}", field.replace('.', "/"));
            (text(object, &pointer) == value) == *equal
        })
    }
}

fn parse_fields(fields: &str) -> Vec<(String, bool, String)> {
    fields
        .split(',')
        .filter(|part| !part.is_empty())
        .filter_map(|part| {
            if let Some((field, value)) = part.split_once("!=") {
                return Some((field.to_owned(), false, value.to_owned()));
            }
            let (field, value) = part.split_once('=')?;
            Some((field.to_owned(), true, value.trim_start_matches('=').to_owned()))
        })
        .collect()
}

/// At commas outside parentheses.
fn split(labels: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0;
    for letter in labels.chars() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if letter == ',' && depth == 0 {
            parts.push(String::new());
        } else if let Some(last) = parts.last_mut() {
            last.push(letter);
        }
    }
    parts.retain(|part| !part.trim().is_empty());
    parts
}

fn requirement(part: &str) -> Requirement {
    let part = part.trim();
    for (word, wanted) in [(" notin ", false), (" in ", true)] {
        if let Some((key, values)) = part.split_once(word) {
            let values = values.trim().trim_matches(|c| c == '(' || c == ')');
            let values = values.split(',').map(|value| value.trim().to_owned()).collect();
            return Requirement::In(key.trim().to_owned(), values, wanted);
        }
    }
    if let Some((key, value)) = part.split_once("!=") {
        return Requirement::In(key.to_owned(), vec![value.to_owned()], false);
    }
    if let Some((key, value)) = part.split_once('=') {
        return Requirement::In(key.to_owned(), vec![value.trim_start_matches('=').to_owned()], true);
    }
    match part.strip_prefix('!') {
        Some(key) => Requirement::Exists(key.to_owned(), false),
        None => Requirement::Exists(part.to_owned(), true),
    }
}

/// `PodList` and the like.
pub(crate) fn list(kind: &Kind, objects: &[Value], revision: u64) -> Value {
    json!({
        "kind": format!("{}List", kind.kind), "apiVersion": kind.api_version(),
        "metadata": {"resourceVersion": revision.to_string()}, "items": objects,
    })
}
