//! Permissions: `kubectl auth can-i` and `kubectl auth whoami`.

use serde_json::{Value, json};

use super::errors::Asked;
use super::json::text;
use super::kinds;
use super::{STAGING, World};
use crate::USER;
use crate::scenarios::With;
use crate::time::stamp;

/// Whether the user may do this.
pub(crate) fn allowed(world: &World, asked: &Asked<'_>) -> bool {
    allows(world, asked.verb, asked.kind.group, (asked.kind.plural, asked.subresource), asked.namespace)
}

fn allows(world: &World, verb: &str, group: &str, (resource, sub): (&str, &str), namespace: &str) -> bool {
    let fits = |word: &str, asked: &str| word.is_empty() || word == asked;
    let granted = |with: &With| matches!(with, With::AlsoGrantedIn(other) if other == namespace);
    // Whoever deploys is bound in the one namespace, and may read two by name (k8s/rbac.yaml).
    let by_name = namespace == "kube-system" && resource == "namespaces" && verb == "get";
    let elsewhere = !["", STAGING].contains(&namespace) && !by_name;
    if elsewhere && !world.scenario.with.iter().any(granted) {
        return false;
    }
    !world.scenario.denied_list().any(|denied| {
        fits(&denied.verb, verb)
            && (denied.group == "*" || denied.group == group)
            && fits(&denied.resource, resource)
            && denied.subresource == sub
            && fits(&denied.namespace, namespace)
    })
}

/// Answers a review.
pub(crate) fn answer(world: &World, mut review: Value) -> Value {
    review["metadata"] = json!({"creationTimestamp": null});
    if text(&review, "/kind") == "SelfSubjectAccessReview" {
        let at = |field: &str| text(&review, &format!("/spec/resourceAttributes/{field}")).to_owned();
        let resource = (at("resource"), at("subresource"));
        let allowed = allows(world, &at("verb"), &at("group"), (&resource.0, &resource.1), &at("namespace"));
        review["status"] = if allowed {
            json!({"allowed": true, "reason": "RBAC: allowed by RoleBinding \"ci-deployer/dpp-staging\""})
        } else {
            json!({"allowed": false})
        };
    } else {
        review["metadata"]["creationTimestamp"] = json!(stamp(world.now()));
        review["status"] = json!({"userInfo": {"username": USER, "uid": "2", "groups": ["deployers", "system:authenticated"]}});
    }
    review
}

/// Whether a path of this group and version takes reviews.
pub(crate) fn takes(kind: &kinds::Kind) -> bool {
    kind.review
}
