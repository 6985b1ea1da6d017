//! What a `HorizontalPodAutoscaler` without metrics does: keep the replicas between its limits.

use std::sync::Arc;

use serde_json::{Value, json};

use super::json::{number, text};
use super::{World, deployments, kinds};

/// Looks at every autoscaler of a namespace.
pub(crate) fn settle(world: &mut World, place: &str) {
    let (Some(autoscalers), Some(deployments)) =
        (kinds::by_name("HorizontalPodAutoscaler"), kinds::by_name("Deployment"))
    else {
        return;
    };
    for autoscaler in world.store.list(autoscalers, Some(place)) {
        let name = text(&autoscaler, "/spec/scaleTargetRef/name");
        let Some(deployment) = world.store.get(deployments, place, name) else { continue };
        let now = number(&deployment, "/spec/replicas");
        let least = number(&autoscaler, "/spec/minReplicas");
        let wanted = now.clamp(least, number(&autoscaler, "/spec/maxReplicas").max(least));
        if wanted != now {
            let mut deployment = Arc::unwrap_or_clone(deployment);
            deployment["spec"]["replicas"] = json!(wanted);
            deployment["metadata"]["generation"] = json!(number(&deployment, "/metadata/generation") + 1);
            world.store.put(deployment);
            deployments::written(world, place, name);
        }
        let mut autoscaler = Value::clone(&autoscaler);
        autoscaler["status"] =
            json!({"currentMetrics": null, "currentReplicas": wanted, "desiredReplicas": wanted});
        world.store.put(autoscaler);
    }
}
