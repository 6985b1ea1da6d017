//! Roles as objects, less something.

use serde_json::{Value, json};

/// A verb that the rules of a role grant on a resource.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The API group; the core group is `""`.
    pub group: String,
    /// `pods`, or `pods/log`.
    pub resource: String,
    /// `get`, `list`, …
    pub verb: String,
    /// The one object it is for; empty: any.
    pub name: String,
}

/// The role without this grant; as it was, if it does not have it.
pub fn without(role: &Value, grant: &Grant) -> Value {
    let lists = |list: &Value, word: &str| list.as_array().is_some_and(|list| list.contains(&json!(word)));
    let mut role = role.clone();
    let Some(rules) = role["rules"].as_array_mut() else { return role };
    for rule in rules.iter_mut() {
        let is_its = lists(&rule["apiGroups"], &grant.group)
            && lists(&rule["resources"], &grant.resource)
            && lists(&rule["verbs"], &grant.verb);
        let (list, word) = match grant.name.as_str() {
            "" => ("verbs", grant.verb.as_str()),
            name if lists(&rule["resourceNames"], name) => ("resourceNames", name),
            _ => continue,
        };
        if let Some(list) = rule[list].as_array_mut().filter(|_| is_its) {
            list.retain(|other| *other != *word);
        }
    }
    // A rule that names no object any more would be one for all of them.
    let empty = |list: &Value| list.as_array().is_some_and(Vec::is_empty);
    rules.retain(|rule| !empty(&rule["verbs"]) && !empty(&rule["resourceNames"]));
    role
}
