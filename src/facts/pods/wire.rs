//! A pod as the API encodes it (`core/v1`), and its conversion to facts.
//!
//! STATUS is computed here by the rules of `kubectl get pods`, so both views of a pod agree.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::super::json::{non_empty, null_as_default};
use super::{Container, State, Terminated, Trouble};

#[derive(Deserialize)]
pub(super) struct WirePod {
    metadata: WireMetadata,
    #[serde(default)]
    spec: WireSpec,
    #[serde(default)]
    status: WireStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireMetadata {
    name: String,
    #[serde(default)]
    uid: String,
    #[serde(default, deserialize_with = "null_as_default")]
    labels: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "null_as_default")]
    owner_references: Vec<Owner>,
    deletion_timestamp: Option<String>,
}

#[derive(Deserialize)]
struct Owner {
    kind: String,
    name: String,
    #[serde(default, deserialize_with = "null_as_default")]
    controller: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WireSpec {
    #[serde(deserialize_with = "null_as_default")]
    init_containers: Vec<ContainerSpec>,
    #[serde(deserialize_with = "null_as_default")]
    containers: Vec<ContainerSpec>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ContainerSpec {
    name: String,
    image: String,
    #[serde(deserialize_with = "null_as_default")]
    restart_policy: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WireStatus {
    phase: String,
    reason: String,
    message: String,
    #[serde(deserialize_with = "null_as_default")]
    conditions: Vec<WireCondition>,
    #[serde(deserialize_with = "null_as_default")]
    init_container_statuses: Vec<ContainerStatus>,
    #[serde(deserialize_with = "null_as_default")]
    container_statuses: Vec<ContainerStatus>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireCondition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    reason: String,
    message: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ContainerStatus {
    name: String,
    image: String,
    #[serde(rename = "imageID")]
    image_id: String,
    ready: bool,
    #[serde(deserialize_with = "null_as_default")]
    started: bool,
    restart_count: u32,
    #[serde(deserialize_with = "null_as_default")]
    state: ContainerState,
    #[serde(deserialize_with = "null_as_default")]
    last_state: ContainerState,
}

/// The state of a container; at most one of the three fields is present.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ContainerState {
    waiting: Option<Waiting>,
    running: Option<IgnoredAny>,
    terminated: Option<End>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Waiting {
    reason: String,
    message: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct End {
    exit_code: i64,
    signal: i64,
    reason: String,
}

impl End {
    /// Returns the word for the end, as `printPod` prints it.
    fn word(&self) -> String {
        match self {
            Self { reason, .. } if !reason.is_empty() => reason.clone(),
            Self { signal, .. } if *signal != 0 => format!("Signal:{signal}"),
            Self { exit_code, .. } => format!("ExitCode:{exit_code}"),
        }
    }
}

impl WirePod {
    /// Returns the word in the column STATUS, rule for rule as `printPod` computes it.
    ///
    /// The source is `pkg/printers/internalversion/printers.go` of Kubernetes 1.34.
    fn printed_status(&self) -> String {
        let status = &self.status;
        let mut word = if status.reason.is_empty() { status.phase.clone() } else { status.reason.clone() };
        if status.conditions.iter().any(|it| it.kind == "PodScheduled" && it.reason == "SchedulingGated") {
            "SchedulingGated".clone_into(&mut word);
        }

        let initializing = self.printed_initialization();
        let not_initializing = initializing.is_none();
        if let Some(initializing) = initializing {
            word = initializing;
        }
        if not_initializing || status.has("Initialized") {
            // From the last to the first, so the first container with a word decides.
            for container in status.container_statuses.iter().rev() {
                match &container.state {
                    ContainerState { waiting: Some(Waiting { reason, .. }), .. } if !reason.is_empty() => {
                        word.clone_from(reason);
                    }
                    ContainerState { terminated: Some(end), .. } => word = end.word(),
                    _ => {}
                }
            }
            let some_run = status.container_statuses.iter().any(|it| it.ready && it.state.running.is_some());
            if word == "Completed" && some_run {
                (if status.has("Ready") { "Running" } else { "NotReady" }).clone_into(&mut word);
            }
        }

        if self.metadata.deletion_timestamp.is_some() {
            if status.reason == "NodeLost" {
                return "Unknown".to_owned();
            } else if !matches!(&*status.phase, "Succeeded" | "Failed") {
                return "Terminating".to_owned();
            }
        }
        word
    }

    /// Returns the word of the first init container that is not done; `None` if all are done.
    fn printed_initialization(&self) -> Option<String> {
        let statuses = &self.status.init_container_statuses;
        let (index, pending) = statuses.iter().enumerate().find(|(_, it)| !self.is_done(it))?;
        Some(match &pending.state {
            ContainerState { terminated: Some(end), .. } => format!("Init:{}", end.word()),
            ContainerState { waiting: Some(Waiting { reason, .. }), .. }
                if !reason.is_empty() && reason != "PodInitializing" =>
            {
                format!("Init:{reason}")
            }
            _ => format!("Init:{index}/{}", self.spec.init_containers.len()),
        })
    }

    /// Returns whether an init container is done: it succeeded, or it is a sidecar that has started.
    fn is_done(&self, container: &ContainerStatus) -> bool {
        let mut specs = self.spec.init_containers.iter();
        let sidecar = specs.any(|it| it.name == container.name && it.restart_policy == "Always");
        container.state.terminated.as_ref().is_some_and(|end| end.exit_code == 0)
            || (sidecar && container.started)
    }

    /// Returns the trouble in the pod's own status and conditions.
    fn itself(&self) -> Option<Trouble> {
        let status = &self.status;
        let unscheduled =
            |it: &&WireCondition| it.kind == "PodScheduled" && it.status == "False" && !it.reason.is_empty();
        let (reason, message) = if status.reason.is_empty() {
            let condition = status.conditions.iter().find(unscheduled)?;
            (&condition.reason, &condition.message)
        } else {
            (&status.reason, &status.message)
        };
        Some(Trouble { container: None, reason: reason.clone(), message: non_empty(message.clone()) })
    }
}

impl WireStatus {
    fn has(&self, condition: &str) -> bool {
        self.conditions.iter().any(|it| it.kind == condition && it.status == "True")
    }
}

impl From<WirePod> for super::Pod {
    fn from(pod: WirePod) -> Self {
        let status = pod.printed_status();
        let itself = pod.itself();
        let WirePod { metadata, spec, status: own } = pod;
        let owner = metadata.owner_references.into_iter().find(|owner| owner.controller);
        let hash = metadata.labels.get("pod-template-hash");
        Self {
            deployment: owner.as_ref().and_then(|owner| deployment(owner, hash)),
            owner: owner.map(|owner| format!("{}/{}", owner.kind, owner.name)),
            name: metadata.name,
            uid: metadata.uid,
            labels: metadata.labels,
            deleting: metadata.deletion_timestamp.is_some(),
            phase: own.phase,
            status,
            itself,
            containers: containers(true, spec.init_containers, own.init_container_statuses)
                .chain(containers(false, spec.containers, own.container_statuses))
                .collect(),
        }
    }
}

/// Returns the name of the Deployment that owns a `ReplicaSet`.
///
/// A Deployment names each `ReplicaSet` `NAME-HASH`, and puts the same hash on its pods.
fn deployment(owner: &Owner, hash: Option<&String>) -> Option<String> {
    if owner.kind != "ReplicaSet" {
        return None;
    }
    let named = match hash {
        Some(hash) => owner.name.strip_suffix(hash.as_str())?.strip_suffix('-'),
        None => owner.name.rsplit_once('-').map(|(name, _)| name),
    };
    named.map(str::to_owned)
}

/// Returns the containers of the spec with their status; by the API, one without a status is waiting.
fn containers(
    init: bool,
    specs: Vec<ContainerSpec>,
    statuses: Vec<ContainerStatus>,
) -> impl Iterator<Item = Container> {
    let mut statuses: BTreeMap<_, _> =
        statuses.into_iter().map(|status| (status.name.clone(), status)).collect();
    specs.into_iter().map(move |spec| {
        let status = statuses.remove(&spec.name).unwrap_or_default();
        Container {
            name: spec.name,
            init,
            image: non_empty(spec.image).unwrap_or(status.image),
            image_id: non_empty(status.image_id),
            ready: status.ready,
            restarts: status.restart_count,
            last: status.last_state.terminated.map(Terminated::from),
            state: status.state.into(),
        }
    })
}

impl From<ContainerState> for State {
    fn from(state: ContainerState) -> Self {
        match state {
            ContainerState { terminated: Some(end), .. } => Self::Terminated(end.into()),
            ContainerState { running: Some(_), .. } => Self::Running,
            ContainerState { waiting, .. } => {
                let Waiting { reason, message } = waiting.unwrap_or_default();
                Self::Waiting { reason: non_empty(reason), message: non_empty(message) }
            }
        }
    }
}

impl From<End> for Terminated {
    fn from(end: End) -> Self {
        Self {
            exit_code: end.exit_code,
            signal: (end.signal != 0).then_some(end.signal),
            reason: non_empty(end.reason),
        }
    }
}
