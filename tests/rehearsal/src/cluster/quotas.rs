//! Quotas of objects (not of what they request): how many of a kind a namespace may hold.

use serde_json::Value;

use super::World;
use super::deployments::kind as kind_named;
use super::json::{object, text};
use super::kinds::Kind;

/// What a `ResourceQuota` of the namespace has against one more object of this kind, in the server's words.
pub(crate) fn exceeded(world: &World, kind: &'static Kind, namespace: &str) -> Option<String> {
    world.store.list(kind_named("ResourceQuota"), Some(namespace)).iter().find_map(|quota| {
        let hard = object(quota, "/spec/hard")?;
        let counted = [format!("count/{}", kind.qualified()), kind.qualified()];
        let (resource, limit) = hard.iter().find(|(resource, _)| counted.contains(resource))?;
        let limit = limit.as_str().map_or_else(|| limit.to_string(), str::to_owned);
        let used = world.store.list(kind, Some(namespace)).iter().filter(|object| counts(object)).count();
        let room = limit.parse::<usize>().is_ok_and(|limit| used < limit);
        (!room).then(|| {
            format!(
                "exceeded quota: {}, requested: {resource}=1, used: {resource}={used}, limited: {resource}={limit}",
                text(quota, "/metadata/name")
            )
        })
    })
}

/// A pod that has ended takes no room.
fn counts(object: &Value) -> bool {
    text(object, "/kind") != "Pod" || !matches!(text(object, "/status/phase"), "Failed" | "Succeeded")
}
