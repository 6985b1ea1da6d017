//! Parses `kubectl get deploy -o json`: the progress of each Deployment.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Unreadable;
use super::json::{null_as_default, objects};

/// The fields of a Deployment (`apps/v1`) that concern a rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentStatus {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`; a different one means that the Deployment was deleted and created again.
    pub uid: String,
    /// `metadata.generation`, which counts the changes of its spec.
    pub generation: i64,
    /// The generation that the controller has processed; the counts below belong to it.
    pub observed_generation: i64,
    /// The number of pods that the spec requests.
    pub wanted: u32,
    /// The number of pods of any `ReplicaSet`.
    pub replicas: u32,
    /// The number of pods of the newest template.
    pub updated: u32,
    /// The number of ready pods.
    pub ready: u32,
    /// The number of pods that have been ready for `minReadySeconds`.
    pub available: u32,
    /// The annotation `deployment.kubernetes.io/revision`, as `kubectl rollout undo --to-revision` takes it;
    /// `None` without one.
    pub revision: Option<String>,
    /// `spec.selector.matchLabels`.
    pub selector: BTreeMap<String, String>,
    /// `status.conditions`.
    pub conditions: Vec<DeploymentCondition>,
}

/// A condition of a Deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeploymentCondition {
    /// `Available`, `Progressing` or `ReplicaFailure`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// One word for programs.
    pub reason: String,
    /// A sentence for people.
    pub message: String,
}

impl DeploymentStatus {
    /// Returns why its pods could not even be created (a quota, Pod Security); `None` if they could.
    ///
    /// In this case, the rollout waits without a message, and only this condition and the events show the
    /// reason.
    pub fn failed_create(&self) -> Option<&str> {
        let refused = self.conditions.iter().find(|condition| {
            (&*condition.kind, &*condition.status, &*condition.reason)
                == ("ReplicaFailure", "True", "FailedCreate")
        });
        refused.map(|condition| condition.message.as_str())
    }
}

/// Parses a list of Deployments, or a single one.
///
/// # Errors
/// When the bytes are neither.
pub fn deployments(stdout: &[u8]) -> Result<Vec<DeploymentStatus>, Unreadable> {
    let found: Vec<Wire> = objects("kubectl get deploy -o json", "Deployment", stdout)?;
    Ok(found.into_iter().map(DeploymentStatus::from).collect())
}

#[derive(Deserialize)]
struct Wire {
    metadata: DeploymentMetadata,
    #[serde(default)]
    spec: DeploymentSpec,
    #[serde(default)]
    status: ReplicaCounts,
}

#[derive(Deserialize)]
struct DeploymentMetadata {
    name: String,
    #[serde(default)]
    uid: String,
    #[serde(default)]
    generation: i64,
    #[serde(default, deserialize_with = "null_as_default")]
    annotations: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
struct DeploymentSpec {
    replicas: Option<u32>,
    #[serde(default)]
    selector: Selector,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Selector {
    #[serde(default, deserialize_with = "null_as_default")]
    match_labels: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ReplicaCounts {
    observed_generation: i64,
    replicas: u32,
    updated_replicas: u32,
    ready_replicas: u32,
    available_replicas: u32,
    #[serde(deserialize_with = "null_as_default")]
    conditions: Vec<DeploymentCondition>,
}

impl From<Wire> for DeploymentStatus {
    fn from(wire: Wire) -> Self {
        let Wire { mut metadata, spec, status } = wire;
        Self {
            name: metadata.name,
            uid: metadata.uid,
            generation: metadata.generation,
            observed_generation: status.observed_generation,
            wanted: spec.replicas.unwrap_or(1), // the API's default
            replicas: status.replicas,
            updated: status.updated_replicas,
            ready: status.ready_replicas,
            available: status.available_replicas,
            revision: metadata.annotations.remove("deployment.kubernetes.io/revision"),
            selector: spec.selector.match_labels,
            conditions: status.conditions,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::hostile;
    use super::*;

    const REFUSED: &str = r#"{"apiVersion":"v1","kind":"List","metadata":{"resourceVersion":""},"items":[
  {"apiVersion":"apps/v1","kind":"Deployment",
   "metadata":{"annotations":{"deployment.kubernetes.io/revision":"2"},"generation":2,"name":"dpp-api",
     "namespace":"dpp-staging","uid":"0c1f6a1e-6f8d-4a3e-9d0a-1d6f2f9b7f11"},
   "spec":{"replicas":3,"selector":{"matchLabels":{"app":"dpp-api","tier":"web"}},"template":{}},
   "status":{"availableReplicas":3,"conditions":[
     {"lastTransitionTime":"2026-11-23T16:19:58Z","message":"DeploymentStatus has minimum availability.",
      "reason":"MinimumReplicasAvailable","status":"True","type":"Available"},
     {"message":"pods \"dpp-api-7d9c-\" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=3, limited: pods=3",
      "reason":"FailedCreate","status":"True","type":"ReplicaFailure"}],
    "observedGeneration":2,"readyReplicas":3,"replicas":3,"unavailableReplicas":1}}]}"#;

    fn refused() -> DeploymentStatus {
        deployments(REFUSED.as_bytes()).unwrap().remove(0)
    }

    #[test]
    fn a_list_is_read() {
        let found = refused();
        assert_eq!((found.name.as_str(), found.generation, found.observed_generation), ("dpp-api", 2, 2));
        assert_eq!(
            (found.wanted, found.replicas, found.updated, found.ready, found.available),
            (3, 3, 0, 3, 3)
        );
        assert_eq!(found.revision.as_deref(), Some("2"));
        assert_eq!(found.conditions.len(), 2);
    }

    #[test]
    fn pods_that_could_not_be_made_are_told() {
        assert!(refused().failed_create().unwrap().contains("exceeded quota"));
        let mut over = refused();
        over.conditions[1].status = "False".to_owned();
        assert_eq!(over.failed_create(), None);
    }

    #[test]
    fn a_deployment_just_made_has_nothing_yet() {
        let made =
            br#"{"kind":"Deployment","metadata":{"name":"a","generation":1,"annotations":null},"status":{}}"#;
        let made = deployments(made).unwrap().remove(0);
        assert_eq!((made.wanted, made.revision), (1, None));
    }

    #[test]
    fn facts_survive_the_journal() {
        let json = serde_json::to_string(&refused()).unwrap();
        assert_eq!(serde_json::from_str::<DeploymentStatus>(&json).unwrap(), refused());
    }

    #[test]
    fn no_bytes_panic() {
        hostile::survives(REFUSED, |bytes| {
            for found in deployments(bytes).into_iter().flatten() {
                let _ = found.failed_create();
            }
        });
    }
}
