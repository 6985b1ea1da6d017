//! `kubectl get pods -o json`: every container's state, which the one word of STATUS can hide.

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
    /// `metadata.uid`: what a pod is known by from one look to the next.
    pub uid: String,
    /// The controller that made it, as kind/name: `ReplicaSet/dpp-api-6984f9c886`.
    pub owner: Option<String>,
    /// The Deployment behind that `ReplicaSet`, by its name less the template's hash.
    pub deployment: Option<String>,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// Whether it is being deleted. What its containers do then says nothing about the deploy.
    pub deleting: bool,
    /// `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
    pub phase: String,
    /// The word `kubectl get pods` shows under STATUS, by the rule of the server's `printPod`.
    pub status: String,
    /// What is the matter with the pod itself: no node takes it (`Unschedulable`), or it was `Evicted`.
    pub itself: Option<Trouble>,
    /// Its containers, those that initialise first, each in the spec's order.
    pub containers: Vec<Container>,
}

/// A container of a pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Its name in the pod.
    pub name: String,
    /// Whether it is an init container (a sidecar is one, too).
    pub init: bool,
    /// The image its spec asks for.
    pub image: String,
    /// The image it runs, by digest; not known before it was pulled.
    pub image_id: Option<String>,
    /// Whether its readiness probe passes.
    pub ready: bool,
    /// How often it was started again.
    pub restarts: u32,
    /// What it does now.
    pub state: State,
    /// How it ended the last time, if it was started again.
    pub last: Option<Terminated>,
}

/// What a container does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It doesn't run yet, or not again yet.
    Waiting {
        /// One word: `ContainerCreating`, `CrashLoopBackOff`, `ImagePullBackOff`.
        reason: Option<String>,
        /// A sentence.
        message: Option<String>,
    },
    /// It runs.
    Running,
    /// It ended.
    Terminated(Terminated),
}

/// How a container ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terminated {
    /// Its exit code; 128+n when it died of signal n.
    pub exit_code: i64,
    /// The signal, where the runtime tells it.
    pub signal: Option<i64>,
    /// One word: `Completed`, `Error`, `OOMKilled`.
    pub reason: Option<String>,
}

/// A container that fails in the sense of stop rule 2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    /// Its name.
    pub container: String,
    /// The word for it, one of [`super::pod_table::STOP_WORDS`]. STATUS may show another container's.
    pub word: String,
    /// Why it ended: mostly `Error`, in a crash loop also `OOMKilled` or even `Completed`.
    pub reason: Option<String>,
    /// With which exit code it ended.
    pub exit_code: Option<i64>,
    /// How often it was started again.
    pub restarts: u32,
    /// Its image.
    pub image: String,
}

/// What keeps a pod from running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// The container it concerns; `None` for the pod as a whole.
    pub container: Option<String>,
    /// One word: `ImagePullBackOff`, `CreateContainerConfigError`, `Unschedulable`, `Evicted`.
    pub reason: String,
    /// The sentence with it.
    pub message: Option<String>,
}

/// An image that runs, and in how many pods.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Image {
    /// The container's name.
    pub container: String,
    /// The image as the spec asks for it.
    pub image: String,
    /// The image by digest; `None` before it was pulled.
    pub image_id: Option<String>,
    /// How many pods have it.
    pub pods: usize,
}

/// Reads a list of pods, or a single one.
///
/// # Errors
/// When the bytes are neither.
pub fn pods(stdout: &[u8]) -> Result<Vec<Pod>, Unreadable> {
    let found: Vec<wire::Pod> = objects("kubectl get pods -o json", "Pod", stdout)?;
    Ok(found.into_iter().map(Pod::from).collect())
}

/// The images of these pods' containers, each once, by container.
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
    /// The first container that crashes again and again or ended with `Error`, whatever STATUS shows.
    pub fn failing(&self) -> Option<Failing> {
        self.containers.iter().find_map(Container::failing)
    }

    /// How often its containers were started again, all of them together. The column RESTARTS leaves out
    /// init containers once they are done.
    pub fn restarts(&self) -> u64 {
        self.containers.iter().map(|container| u64::from(container.restarts)).sum()
    }

    /// Whether it is in the `Running` state: every container runs, or has done its part of initialising.
    pub fn running(&self) -> bool {
        self.phase == "Running"
            && self.containers.iter().all(|container| match &container.state {
                State::Running => true,
                State::Terminated(end) => container.init && end.exit_code == 0,
                State::Waiting { .. } => false,
            })
    }

    /// What keeps it from running: of its containers the first with a word for it, else of the pod itself.
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
            // These two are the ordinary way to start.
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
