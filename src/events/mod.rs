//! The events of a run: one line of `journal.jsonl` each.

mod began;
mod commands;

use serde::{Deserialize, Serialize};

pub use began::{Began, Ci, Git, Options, PreviousRun, Program, RunbookId, Target, Who};
pub use commands::{ByteRange, Effect, EndedBy, Intent, Outcome, Redaction};

use crate::facts::apply::Applied;
use crate::facts::context::Context;
use crate::facts::curl::Transfer;
use crate::facts::deployments::Deployment;
use crate::facts::dry_run::Landing;
use crate::facts::endpoints::ServiceEndpoints;
use crate::facts::pods::{Failing, Pod};
use crate::facts::rollout::Ending;
use crate::moment::Moment;

/// How much of the runbook is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All of it, with evidence.
    Whole,
    /// Step 1, without evidence.
    Preflight,
    /// The ten checks, without evidence.
    Smoke,
}

/// One event: what happened, when, and as the how many-th. A line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its number in the journal, from 1 without gaps.
    pub seq: u64,
    /// When it was written.
    pub at: Moment,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum EventKind {
    /// The run began: who runs what, on what.
    RunBegan(Box<Began>),
    /// A manifest was looked at, and copied into `inputs/` unless it holds a value that is to be kept out of the evidence,
    /// or a Secret that nobody said to keep.
    ManifestRead(ManifestFile),
    /// A program was found on PATH.
    ToolFound(Tool),
    /// A program told its version.
    ToolVersion(ToolVersion),
    /// A command is about to start. Without a [`EventKind::CommandEnded`] after it, its effect is unknown.
    CommandStarts(Intent),
    /// A command ended.
    CommandEnded(Outcome),
    /// The context's cluster, user and namespace.
    ContextRead(Context),
    /// The API server's version.
    ServerVersion {
        /// e.g. `v1.34.4`
        version: Option<String>,
    },
    /// Who the cluster takes us for.
    ClusterUser {
        /// The user name.
        name: Option<String>,
    },
    /// A Namespace's UID.
    NamespaceUid {
        /// The Namespace.
        namespace: String,
        /// Its UID; `None` when it could not be read.
        uid: Option<String>,
    },
    /// An answer to `kubectl auth can-i`.
    PermissionAnswered {
        /// The permission's id.
        id: String,
        /// What was asked: the words after `can-i`.
        question: String,
        /// What needs it.
        needed_for: String,
        /// `None`: neither `yes` nor `no` was printed.
        answer: Option<bool>,
    },
    /// What is left of placeholders in the text that would be applied.
    Rendered {
        /// The manifest.
        file: String,
        /// The names in `${…}` that are left.
        left: Vec<String>,
    },
    /// Where the objects of a manifest would land (server-side dry run).
    WouldLand {
        /// The manifest.
        file: String,
        /// The objects.
        objects: Vec<Landing>,
        /// The server's `Warning:` lines.
        warnings: Vec<String>,
    },
    /// The pods before anything was changed.
    PodsBefore {
        /// How many there are.
        total: usize,
        /// Those that are failing.
        failing: Vec<FailingPod>,
    },
    /// The Deployments' generations.
    Generations {
        /// Whether this is after the apply.
        applied: bool,
        /// Name and `metadata.generation`.
        generations: Vec<(String, i64)>,
    },
    /// A manifest was applied.
    Applied {
        /// The manifest.
        file: String,
        /// What became of each object.
        objects: Vec<Applied>,
    },
    /// `kubectl rollout status` ended.
    RolloutEnded {
        /// The Deployment.
        deployment: String,
        /// How.
        ending: Ending,
    },
    /// A pod was seen in a state that stops a run.
    PodSeen(Sighting),
    /// What became of a sighting.
    PodJudged {
        /// The sighting it is about.
        sighting: Sighting,
        /// What was found.
        conclusion: Conclusion,
        /// The failing container.
        container: Option<Failing>,
    },
    /// The pods after the rollouts, without those being deleted.
    PodsAfter {
        /// The pods.
        pods: Vec<Pod>,
    },
    /// The Deployments after the rollouts, or at a STOP.
    DeploymentsAfter {
        /// The Deployments.
        deployments: Vec<Deployment>,
    },
    /// The Services of the manifests and their endpoints.
    Endpoints {
        /// The Services.
        services: Vec<ServiceEndpoints>,
    },
    /// `/health` or `/readyz` was asked until it answered 200 or the time was over.
    HealthAsked {
        /// The id of the command that asked.
        id: String,
        /// The path.
        path: String,
        /// How often it was asked.
        asks: u32,
        /// The last answer's status; `000` when there was none.
        http_status: String,
        /// From the first question to the last answer, in ms.
        waited_ms: u64,
        /// How long it may take, in ms.
        limit_ms: u64,
    },
    /// A smoke check was answered.
    CheckAnswered {
        /// The check's number.
        check: u8,
        /// The URL asked.
        url: String,
        /// curl's numbers.
        transfer: Transfer,
    },
    /// The latency of a group of paths.
    LatencySampled {
        /// The group's id.
        id: String,
        /// How many answers were timed.
        samples: usize,
        /// The 95th percentile, in ms.
        p95_ms: Option<u64>,
    },
    /// A step of the runbook is over.
    StepEnded {
        /// Its number in the runbook.
        step: u8,
        /// How long it took, in ms.
        duration_ms: u64,
    },
    /// The dump is complete.
    Dumped {
        /// How long it took, in ms.
        duration_ms: u64,
        /// The end of the failing container's log.
        last_words: Option<String>,
    },
    /// The files of the evidence tree as the run leaves them.
    FilesListed {
        /// Their paths.
        files: Vec<String>,
    },
    /// The system's clock was moved while the run went on, or the machine slept; the run's own went on.
    ClockMoved {
        /// By how much it is ahead of the run's, in ms; negative: behind.
        by_ms: i64,
    },
    /// A signal ended the run.
    Interrupted {
        /// Its number.
        signal: i32,
    },
    /// The tool itself failed.
    Failed {
        /// How.
        error: String,
    },
    /// The run is over; what follows is `manifest.json` and the sums.
    RunEnded,
}

/// A manifest as it was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ManifestFile {
    /// Its path as the runbook's `cat` reads it.
    pub file: String,
    /// Where it was found.
    pub found_at: String,
    /// Why it could not be read.
    pub unreadable: Option<String>,
    /// Of its bytes.
    pub sha256: Option<String>,
    /// Whether there is nothing in it to apply.
    pub blank: bool,
    /// Whether it holds a Secret.
    pub holds_secret: bool,
    /// The names of the values that evidence must not hold, and it does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds_named: Vec<String>,
    /// The names in `${…}`.
    pub placeholders: Vec<String>,
}

/// A program the run uses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// Where it was found.
    pub path: String,
    /// Of its bytes, links followed.
    pub sha256: Option<String>,
}

/// The version a program told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolVersion {
    /// Its name.
    pub name: String,
    /// What it called its version; `None` when it told none.
    pub version: Option<String>,
    /// Major and minor number, for kubectl, which must be 1.27 or newer.
    pub numbers: Option<(u32, u32)>,
}

/// A pod that was failing before anything was changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FailingPod {
    /// Its name.
    pub pod: String,
    /// Its UID: a pod of the same name may be another one.
    pub uid: String,
    /// The Deployment it belongs to.
    pub deployment: Option<String>,
    /// What it is failing with.
    pub failing: Failing,
}

/// A line that shows a pod in a state that stops a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// The pod.
    pub pod: String,
    /// The STATUS word.
    pub status: String,
    /// The line as it was printed.
    pub line: String,
    /// The command that printed it.
    pub command: String,
    /// When it was read.
    pub seen_at: Moment,
}

/// What became of a sighting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", content = "because", rename_all = "kebab-case")]
pub enum Conclusion {
    /// It stands: the pod is there and is not being deleted.
    Stands,
    /// It stands, since the confirmation failed.
    Unconfirmed(String),
    /// It does not count: the pod is being deleted or gone.
    RuledOut(String),
    /// It does not count yet: the pod was failing before, and the rollout may mend it.
    Excused(String),
}

impl Conclusion {
    /// Whether the sighting stops the run.
    pub fn stops(&self) -> bool {
        matches!(self, Self::Stands | Self::Unconfirmed(_))
    }
}
