//! The server's refusals, as `Status` objects in its own words.

use serde_json::{Value, json};

use super::kinds::Kind;

/// A refusal: the HTTP status and the object.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: u16,
    pub(crate) status: Value,
}

fn refusal(code: u16, reason: &str, message: &str, details: &Value) -> Refusal {
    Refusal {
        code,
        status: json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": reason, "details": details, "code": code,
        }),
    }
}

fn details(kind: &Kind, name: &str) -> Value {
    let mut details = json!({});
    if !name.is_empty() {
        details["name"] = json!(name);
    }
    if !kind.group.is_empty() {
        details["group"] = json!(kind.group);
    }
    details["kind"] = json!(kind.plural);
    details
}

pub(crate) fn not_found(kind: &Kind, name: &str) -> Refusal {
    let message = format!("{} \"{name}\" not found", kind.qualified());
    refusal(404, "NotFound", &message, &details(kind, name))
}

pub(crate) fn already_exists(kind: &Kind, name: &str) -> Refusal {
    let message = format!("{} \"{name}\" already exists", kind.qualified());
    refusal(409, "AlreadyExists", &message, &details(kind, name))
}

pub(crate) fn bad_request(message: &str) -> Refusal {
    refusal(400, "BadRequest", message, &json!({}))
}

/// An object or patch whose field is refused.
pub(crate) fn invalid(kind: Option<&Kind>, name: &str, cause: &str, field: &str, problem: &str) -> Refusal {
    let (group, word) = kind.map_or(("", ""), |kind| (kind.group, kind.kind));
    let qualified = if group.is_empty() { word.to_owned() } else { format!("{word}.{group}") };
    let message = format!("{qualified} \"{name}\" is invalid: {field}: {problem}");
    let mut details = json!({"causes": [{"reason": cause, "message": problem, "field": field}]});
    if let Some(kind) = kind {
        details["name"] = json!(name);
        details["group"] = json!(kind.group);
        details["kind"] = json!(kind.kind);
    }
    refusal(422, "Invalid", &message, &details)
}

/// What is asked, as far as permissions go.
#[derive(Clone, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) verb: &'a str,
    pub(crate) kind: &'static Kind,
    pub(crate) subresource: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
}

pub(crate) fn forbidden(user: &str, asked: &Asked<'_>) -> Refusal {
    let Asked { verb, kind, subresource, namespace, name } = asked;
    let qualified = kind.qualified();
    let what = if name.is_empty() { qualified } else { format!("{qualified} \"{name}\"") };
    let resource = if subresource.is_empty() {
        kind.plural.to_owned()
    } else {
        format!("{}/{subresource}", kind.plural)
    };
    let at = if namespace.is_empty() {
        "at the cluster scope".to_owned()
    } else {
        format!("in the namespace \"{namespace}\"")
    };
    let message = format!(
        "{what} is forbidden: User \"{user}\" cannot {verb} resource \"{resource}\" in API group \"{}\" {at}",
        kind.group
    );
    refusal(403, "Forbidden", &message, &details(kind, name))
}

/// What an admission plugin does not let in.
pub(crate) fn not_admitted(kind: &Kind, name: &str, why: &str) -> Refusal {
    let message = format!("{} \"{name}\" is forbidden: {why}", kind.qualified());
    refusal(403, "Forbidden", &message, &details(kind, name))
}

/// What this server can't do: a test that meets it must fail.
pub(crate) fn unknown(method: &str, path: &str) -> Refusal {
    let message = format!("the rehearsal does not know {method} {path}");
    refusal(501, "NotImplemented", &message, &json!({}))
}
