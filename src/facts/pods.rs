//! Parses `kubectl get pods -o json`: the state of every container, which the one word of STATUS can hide.

mod wire;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Unreadable;
use super::json::objects;

/// A pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pod {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`, which identifies the pod across reads.
    pub uid: String,
    /// The controller that created it, as kind/name: `ReplicaSet/dpp-api-6984f9c886`; `None` without one.
    pub owner: Option<String>,
    /// The Deployment of that `ReplicaSet`, by its name without the template's hash; `None` without one.
    pub deployment: Option<String>,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// Whether it is being deleted; the states of its containers then do not concern the deployment.
    pub deleting: bool,
    /// `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
    pub phase: String,
    /// The word in the column STATUS of `kubectl get pods`, by the rules of the server's `printPod`.
    pub status: String,
    /// The trouble of the pod itself: no node accepts it (`Unschedulable`), or it was `Evicted`; `None`
    /// without trouble.
    pub itself: Option<Trouble>,
    /// Its containers: first the init containers, each group in the spec's order.
    pub containers: Vec<Container>,
}

/// A container of a pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Its name in the pod.
    pub name: String,
    /// Whether it is an init container; a sidecar is one, too.
    pub init: bool,
    /// The image that its spec requests.
    pub image: String,
    /// The image that it runs, by digest; `None` before it was pulled.
    pub image_id: Option<String>,
    /// Whether its readiness probe succeeds.
    pub ready: bool,
    /// The number of its restarts.
    pub restarts: u32,
    /// Its current state.
    pub state: State,
    /// How it ended the last time; `None` if it was never restarted.
    pub last: Option<Terminated>,
}

/// The state of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It does not run yet, or not again yet.
    Waiting {
        /// One word: `ContainerCreating`, `CrashLoopBackOff`, `ImagePullBackOff`; `None` without one.
        reason: Option<String>,
        /// A sentence; `None` without one.
        message: Option<String>,
    },
    /// It runs.
    Running,
    /// It ended.
    Terminated(Terminated),
}

/// The end of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terminated {
    /// Its exit code; 128+n if signal n killed it.
    pub exit_code: i64,
    /// The signal; `None` if the runtime reports none.
    pub signal: Option<i64>,
    /// One word: `Completed`, `Error`, `OOMKilled`; `None` without one.
    pub reason: Option<String>,
}

/// A container that fails in the sense of stop rule 2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    /// The container's name.
    pub container: String,
    /// The word that stops the run, one of [`super::pod_table::STOP_WORDS`]; STATUS may show another
    /// container's word.
    pub word: String,
    /// Why it ended: usually `Error`, in a crash loop also `OOMKilled` or even `Completed`; `None` if
    /// unknown.
    pub reason: Option<String>,
    /// Its exit code; `None` if unknown.
    pub exit_code: Option<i64>,
    /// The number of its restarts.
    pub restarts: u32,
    /// Its image.
    pub image: String,
}

/// A reason why a pod does not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// The container that it concerns; `None` for the whole pod.
    pub container: Option<String>,
    /// One word: `ImagePullBackOff`, `CreateContainerConfigError`, `Unschedulable`, `Evicted`.
    pub reason: String,
    /// The sentence for it; `None` without one.
    pub message: Option<String>,
}

/// A running image, with the number of its pods.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Image {
    /// The container's name.
    pub container: String,
    /// The image that the spec requests.
    pub image: String,
    /// The image by digest; `None` before it was pulled.
    pub image_id: Option<String>,
    /// The number of pods with this image.
    pub pods: usize,
}

/// Parses a list of pods, or a single one.
///
/// # Errors
/// When the bytes are neither.
pub fn pods(stdout: &[u8]) -> Result<Vec<Pod>, Unreadable> {
    let found: Vec<wire::WirePod> = objects("kubectl get pods -o json", "Pod", stdout)?;
    Ok(found.into_iter().map(Pod::from).collect())
}

/// Returns the images of the pods' containers, each once, ordered by container.
pub fn images(pods: &[Pod]) -> Vec<Image> {
    let mut counts = BTreeMap::new();
    for container in pods.iter().flat_map(|pod| &pod.containers) {
        *counts.entry((&container.name, &container.image, &container.image_id)).or_insert(0) += 1;
    }
    let mut images = Vec::new();
    for ((container, image, image_id), pods) in counts {
        let (container, image, image_id) = (container.clone(), image.clone(), image_id.clone());
        images.push(Image { container, image, image_id, pods });
    }
    images
}

impl Pod {
    /// Returns the first container that crashes repeatedly or ended with `Error`, regardless of STATUS.
    pub fn failing(&self) -> Option<Failing> {
        self.containers.iter().find_map(Container::failing)
    }

    /// Returns the total restarts of its containers.
    ///
    /// The column RESTARTS omits init containers once they are done.
    pub fn restarts(&self) -> u64 {
        self.containers.iter().map(|container| u64::from(container.restarts)).sum()
    }

    /// Returns whether it is in the `Running` state: every container runs, or is an init container that
    /// succeeded.
    pub fn running(&self) -> bool {
        self.phase == "Running"
            && self.containers.iter().all(|container| match &container.state {
                State::Running => true,
                State::Terminated(end) => container.init && end.exit_code == 0,
                State::Waiting { .. } => false,
            })
    }

    /// Returns why it does not run: the first container's reason, else the pod's own.
    pub fn trouble(&self) -> Option<Trouble> {
        self.containers.iter().find_map(Container::trouble).or_else(|| self.itself.clone())
    }
}

impl Container {
    fn failing(&self) -> Option<Failing> {
        let (word, end) = match &self.state {
            State::Waiting { reason: Some(reason), .. } if reason == "CrashLoopBackOff" => {
                (reason, self.last.as_ref())
            }
            State::Terminated(end) => (end.reason.as_ref().filter(|reason| *reason == "Error")?, Some(end)),
            _ => return None,
        };
        Some(Failing {
            container: self.name.clone(),
            word: if self.init { format!("Init:{word}") } else { word.clone() },
            reason: end.and_then(|end| end.reason.clone()),
            exit_code: end.map(|end| end.exit_code),
            restarts: self.restarts,
            image: self.image.clone(),
        })
    }

    fn trouble(&self) -> Option<Trouble> {
        let (reason, message) = match &self.state {
            // These two are part of every normal start.
            State::Waiting { reason: Some(reason), .. }
                if matches!(&**reason, "ContainerCreating" | "PodInitializing") =>
            {
                return None;
            }
            State::Waiting { reason: Some(reason), message } => (reason.clone(), message.clone()),
            State::Terminated(end) if end.exit_code != 0 => {
                (end.reason.clone().unwrap_or_else(|| format!("ExitCode:{}", end.exit_code)), None)
            }
            _ => return None,
        };
        Some(Trouble { container: Some(self.name.clone()), reason, message })
    }
}

#[cfg(test)]
mod tests;
