//! The identity of a step: a type in the code, and text only in files, on the screen and on the command line.
//!
//! [`Display`](fmt::Display) prints it and [`FromStr`] parses it, both only in this file. They are inverse to
//! each other, so every step has exactly one text.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The id of a step: one command of the run, which may run several times.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum StepId {
    /// `version.TOOL`: prints the version of a program.
    Version(VersionedTool),
    /// `context`: prints the cluster, the user and the namespace of the context.
    Context,
    /// `namespaces`: lists the namespaces (the runbook's step 1).
    Namespaces,
    /// `namespace`: reads the run's namespace (the runbook's step 1).
    Namespace,
    /// `status.before`: lists Deployments, pods and Services before any change (the runbook's step 1).
    StatusBefore,
    /// `server`: prints the version of the API server.
    Server,
    /// `whoami`: prints the user that the cluster authenticated.
    Whoami,
    /// `uids`: prints the UIDs of `kube-system` and of the run's namespace.
    Uids,
    /// `objects.before`: reads Deployments and pods before any change.
    ObjectsBefore,
    /// `can-i.PERMISSION`: asks whether a permission is granted.
    CanI(PermissionId),
    /// `render.DEPLOYMENT`: prints the manifest with its placeholders replaced.
    Render(DeploymentId),
    /// `guard.DEPLOYMENT`: applies the manifest as a server-side dry run.
    Guard(DeploymentId),
    /// `watch.pods`: watches the pods during steps 2 to 5.
    WatchPods,
    /// `confirm.pod`: reads a pod to confirm a sighting.
    ConfirmPod,
    /// `list.pods`: lists the pods every 10 s, in case the watch missed one.
    ListPods,
    /// `list.last`: lists the pods once more as the run ends.
    ListLast,
    /// `use-context`: selects the context in the run's own kubeconfig.
    UseContext,
    /// `apply.DEPLOYMENT`: applies the manifest.
    Apply(DeploymentId),
    /// `objects.applied`: reads the Deployments after the apply.
    ObjectsApplied,
    /// `rollout.DEPLOYMENT`: waits for the rollout.
    Rollout(DeploymentId),
    /// `status.after`: lists Deployments, pods and Services after the rollouts (the runbook's step 4).
    StatusAfter,
    /// `objects.after`: reads the objects that the criteria are judged by.
    ObjectsAfter,
    /// `gate.PATH`: requests a health path until it answers 200 (stop rule 3).
    Gate(HealthPath),
    /// `check.NUMBER`: requests the path of a smoke check.
    Check(CheckNumber),
    /// `body.PATH`: decides the criterion about the body of a health path.
    Body(HealthPath),
    /// `latency.GROUP`: measures the latency of a group of paths.
    Latency(LatencyGroupId),
    /// `dump.describe`: describes Deployments and pods on STOP.
    DumpDescribe,
    /// `dump.events`: lists the events on STOP.
    DumpEvents,
    /// `dump.logs`: prints the logs of the failing pod on STOP.
    DumpLogs,
    /// `dump.previous`: prints the log of the failing container's previous run on STOP.
    DumpPrevious,
}

/// The error for a text that is not the id of a step, or not a part of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the id of a step")]
pub struct UnknownStep(pub String);

/// A program whose version is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VersionedTool {
    /// kubectl.
    Kubectl,
    /// curl.
    Curl,
    /// jq.
    Jq,
}

/// A path that stop rule 3 requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HealthPath {
    /// `/health`.
    Health,
    /// `/readyz`.
    Readyz,
}

/// A group of paths with one latency limit in the runbook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LatencyGroupId {
    /// `/health` and `/readyz`.
    Health,
    /// The `OpenAPI` document and the API documentation.
    Docs,
}

/// The second part of the ids of a Deployment's steps: `api` in `apply.api`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeploymentId(String);

/// The second part of the id of a permission's step: `get-pods-log` in `can-i.get-pods-log`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PermissionId(String);

/// The runbook's number of a check, from 1 to 99: `check.01`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub struct CheckNumber(u8);

impl VersionedTool {
    /// Every program, in the order of their steps.
    pub const ALL: [Self; 3] = [Self::Kubectl, Self::Curl, Self::Jq];

    /// Returns its name on PATH.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kubectl => "kubectl",
            Self::Curl => "curl",
            Self::Jq => "jq",
        }
    }
}

impl HealthPath {
    /// Both paths, in the order of their steps.
    pub const ALL: [Self; 2] = [Self::Health, Self::Readyz];

    /// Returns the path, which follows the base URL.
    pub fn path(self) -> &'static str {
        match self {
            Self::Health => "/health",
            Self::Readyz => "/readyz",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Readyz => "readyz",
        }
    }
}

impl LatencyGroupId {
    /// Every group, in the order of their steps.
    pub const ALL: [Self; 2] = [Self::Health, Self::Docs];

    fn name(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Docs => "docs",
        }
    }
}

impl DeploymentId {
    /// Creates an id of lower-case letters, digits and inner `-`, at most 63 characters.
    ///
    /// # Errors
    /// When the text is not such an id.
    pub fn new(text: &str) -> Result<Self, UnknownStep> {
        is_label(text).then(|| Self(text.to_owned())).ok_or_else(|| UnknownStep(text.to_owned()))
    }

    /// Returns the text of the id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PermissionId {
    /// Creates an id with the same characters as [`DeploymentId::new`].
    ///
    /// # Errors
    /// When the text is not such an id.
    pub fn new(text: &str) -> Result<Self, UnknownStep> {
        is_label(text).then(|| Self(text.to_owned())).ok_or_else(|| UnknownStep(text.to_owned()))
    }
}

impl CheckNumber {
    /// Creates a number from 1 to 99.
    ///
    /// # Errors
    /// When the number is out of this range.
    pub fn new(number: u8) -> Result<Self, UnknownStep> {
        (1..=99)
            .contains(&number)
            .then_some(Self(number))
            .ok_or_else(|| UnknownStep(format!("check {number}")))
    }

    /// Returns the number.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl From<CheckNumber> for u8 {
    fn from(number: CheckNumber) -> Self {
        number.0
    }
}

impl TryFrom<u8> for CheckNumber {
    type Error = UnknownStep;

    fn try_from(number: u8) -> Result<Self, UnknownStep> {
        Self::new(number)
    }
}

/// Returns whether a text has only lower-case letters, digits and inner `-`, and is short enough for a file
/// name.
fn is_label(text: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(inside)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// The steps without a variable part.
const NAMED: [(StepId, &str); 20] = [
    (StepId::Context, "context"),
    (StepId::Namespaces, "namespaces"),
    (StepId::Namespace, "namespace"),
    (StepId::StatusBefore, "status.before"),
    (StepId::Server, "server"),
    (StepId::Whoami, "whoami"),
    (StepId::Uids, "uids"),
    (StepId::ObjectsBefore, "objects.before"),
    (StepId::WatchPods, "watch.pods"),
    (StepId::ConfirmPod, "confirm.pod"),
    (StepId::ListPods, "list.pods"),
    (StepId::ListLast, "list.last"),
    (StepId::UseContext, "use-context"),
    (StepId::ObjectsApplied, "objects.applied"),
    (StepId::StatusAfter, "status.after"),
    (StepId::ObjectsAfter, "objects.after"),
    (StepId::DumpDescribe, "dump.describe"),
    (StepId::DumpEvents, "dump.events"),
    (StepId::DumpLogs, "dump.logs"),
    (StepId::DumpPrevious, "dump.previous"),
];

impl StepId {
    /// Returns the Deployment that the step is about; `None` for a step of the whole run.
    pub fn deployment(&self) -> Option<&DeploymentId> {
        match self {
            Self::Render(id) | Self::Guard(id) | Self::Apply(id) | Self::Rollout(id) => Some(id),
            _ => None,
        }
    }

    /// Returns the texts before and after the dot; `None` for a step without a variable part.
    fn parts(&self) -> Option<(&'static str, String)> {
        Some(match self {
            Self::Version(tool) => ("version", tool.name().to_owned()),
            Self::CanI(permission) => ("can-i", permission.0.clone()),
            Self::Render(deployment) => ("render", deployment.0.clone()),
            Self::Guard(deployment) => ("guard", deployment.0.clone()),
            Self::Apply(deployment) => ("apply", deployment.0.clone()),
            Self::Rollout(deployment) => ("rollout", deployment.0.clone()),
            Self::Gate(path) => ("gate", path.name().to_owned()),
            Self::Check(number) => ("check", format!("{:02}", number.0)),
            Self::Body(path) => ("body", path.name().to_owned()),
            Self::Latency(group) => ("latency", group.name().to_owned()),
            _ => return None,
        })
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts() {
            Some((kind, part)) => f.pad(&format!("{kind}.{part}")),
            None => f.pad(NAMED.iter().find(|(step, _)| step == self).map_or("", |(_, text)| text)),
        }
    }
}

impl FromStr for StepId {
    type Err = UnknownStep;

    fn from_str(text: &str) -> Result<Self, UnknownStep> {
        if let Some((step, _)) = NAMED.iter().find(|(_, named)| *named == text) {
            return Ok(step.clone());
        }
        let unknown = || UnknownStep(text.to_owned());
        let (kind, part) = text.split_once('.').ok_or_else(unknown)?;
        let health = || HealthPath::ALL.into_iter().find(|path| path.name() == part).ok_or_else(unknown);
        let step = match kind {
            "version" => {
                let tool = VersionedTool::ALL.into_iter().find(|tool| tool.name() == part);
                Self::Version(tool.ok_or_else(unknown)?)
            }
            "can-i" => Self::CanI(PermissionId::new(part)?),
            "render" => Self::Render(DeploymentId::new(part)?),
            "guard" => Self::Guard(DeploymentId::new(part)?),
            "apply" => Self::Apply(DeploymentId::new(part)?),
            "rollout" => Self::Rollout(DeploymentId::new(part)?),
            "gate" => Self::Gate(health()?),
            "check" => Self::Check(CheckNumber::new(part.parse().map_err(|_| unknown())?)?),
            "body" => Self::Body(health()?),
            "latency" => {
                let group = LatencyGroupId::ALL.into_iter().find(|group| group.name() == part);
                Self::Latency(group.ok_or_else(unknown)?)
            }
            _ => return Err(unknown()),
        };
        // `check.1` and `check.+1` would be other texts for the same step.
        if step.to_string() == text { Ok(step) } else { Err(unknown()) }
    }
}

impl From<StepId> for String {
    fn from(step: StepId) -> Self {
        step.to_string()
    }
}

impl TryFrom<String> for StepId {
    type Error = UnknownStep;

    fn try_from(text: String) -> Result<Self, UnknownStep> {
        text.parse()
    }
}

/// The steps that show an observation: one step, or a sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum ShownBy {
    /// One step.
    Step(StepId),
    /// Every step from the first to the last, in the runbook's order.
    Steps(StepId, StepId),
}

impl fmt::Display for ShownBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step(step) => step.fmt(f),
            Self::Steps(first, last) => write!(f, "{first} to {last}"),
        }
    }
}

impl FromStr for ShownBy {
    type Err = UnknownStep;

    fn from_str(text: &str) -> Result<Self, UnknownStep> {
        match text.split_once(" to ") {
            Some((first, last)) => Ok(Self::Steps(first.parse()?, last.parse()?)),
            None => text.parse().map(Self::Step),
        }
    }
}

impl From<ShownBy> for String {
    fn from(shown: ShownBy) -> Self {
        shown.to_string()
    }
}

impl TryFrom<String> for ShownBy {
    type Error = UnknownStep;

    fn try_from(text: String) -> Result<Self, UnknownStep> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_id_is_parsed_as_it_is_printed() {
        let with_parts = [
            "version.jq",
            "can-i.get-pods-log",
            "render.api",
            "guard.api",
            "apply.worker-2",
            "rollout.reaper",
            "gate.readyz",
            "check.01",
            "check.99",
            "body.health",
            "latency.docs",
        ];
        for text in NAMED.iter().map(|(_, text)| *text).chain(with_parts) {
            assert_eq!(text.parse::<StepId>().unwrap().to_string(), text);
        }
        assert_eq!("check.01 to check.10".parse::<ShownBy>().unwrap().to_string(), "check.01 to check.10");
    }

    #[test]
    fn other_texts_are_no_ids() {
        let texts = [
            "",
            "apply",
            "apply.",
            "apply.API",
            "apply.a.b",
            "apply.-a",
            "check.1",
            "check.+1",
            "check.00",
            "check.100",
            "version.cat",
            "gate./health",
            "watch",
            "Context",
            " context",
            "rollout.a/b",
        ];
        for text in texts {
            assert!(text.parse::<StepId>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_two_texts_are_one_step(text in "[a-z.-]{1,9}[.][a-z0-9+.-]{0,5}") {
            if let Ok(step) = text.parse::<StepId>() {
                prop_assert_eq!(step.to_string(), text);
            }
        }
    }
}
