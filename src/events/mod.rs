//! The events of a run: each is one line of `journal.jsonl`.
//!
//! Everything else that a run states follows from its events. `docs/formats.md` describes the same fields for
//! readers of the files.

mod began;
mod commands;
mod form;
mod note;

use serde::{Deserialize, Serialize};

pub use crate::command::Effect;
pub use began::{Began, Ci, Git, Options, PreviousRun, Program, RunbookId, Target, Who};
pub use commands::{ByteRange, EndedBy, Intent, Outcome, Redaction};
pub use form::FORM;
pub use note::Note;

use crate::facts::apply::Applied;
use crate::facts::context::Context;
use crate::facts::curl::Transfer;
use crate::facts::deployments::DeploymentStatus;
use crate::facts::dry_run::Landing;
use crate::facts::endpoints::ServiceEndpoints;
use crate::facts::pods::{Failing, Pod};
use crate::facts::rollout::Ending;
use crate::moment::Moment;
use crate::runbook::{CheckNumber, StepId};

/// The part of the runbook that is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// All steps, with evidence.
    Whole,
    /// Step 1, without evidence.
    Preflight,
    /// The ten smoke checks, without evidence.
    Smoke,
}

/// An event with its number and its time: one line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its number in the journal, from 1 without gaps.
    pub seq: u64,
    /// When it was recorded.
    pub at: Moment,
    /// The kind of the event, with its fields.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// The kind of an event, with its fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum EventKind {
    /// The run began: the inputs, the options, the person and the program.
    RunBegan(Box<Began>),
    /// The runbook that the run carries out was read.
    RunbookRead {
        /// The document's id.
        id: String,
        /// The SHA-256 of the document's bytes.
        sha256: String,
        /// The whole document, as stored in `inputs/RUNBOOK.md`.
        text: String,
    },
    /// A manifest was read.
    ///
    /// It is copied into `inputs/`, unless it contains a value to redact, or a Secret without
    /// `--keep-secrets`.
    ManifestRead(ManifestFile),
    /// A program was found on PATH.
    ToolFound(Tool),
    /// A program printed its version.
    ToolVersion(ToolVersion),
    /// A command is about to start; without a later [`EventKind::CommandEnded`], its effect is unknown.
    CommandStarts(Intent),
    /// A command ended.
    CommandEnded(Outcome),
    /// The cluster, user and namespace of the context were read.
    ContextRead(Context),
    /// The version of the API server was read.
    ServerVersion {
        /// The version, such as `v1.34.4`; `None` if it could not be read.
        version: Option<String>,
    },
    /// The user name that the cluster reports was read.
    ClusterUser {
        /// The user name; `None` if it could not be read.
        name: Option<String>,
    },
    /// The UID of a Namespace was read.
    NamespaceUid {
        /// The Namespace.
        namespace: String,
        /// Its UID; `None` if it could not be read.
        uid: Option<String>,
    },
    /// `kubectl auth can-i` answered.
    PermissionAnswered {
        /// The step that asked.
        id: StepId,
        /// The question: the words after `can-i`.
        question: String,
        /// The part of the run that needs the permission.
        needed_for: String,
        /// The answer; `None` if neither `yes` nor `no` was printed.
        answer: Option<bool>,
    },
    /// A manifest was rendered: its placeholders were replaced.
    Rendered {
        /// The manifest.
        file: String,
        /// The names in `${…}` that are left.
        left: Vec<String>,
    },
    /// The server-side dry run of a manifest placed its objects.
    WouldLand {
        /// The manifest.
        file: String,
        /// The objects.
        objects: Vec<Landing>,
        /// The server's `Warning:` lines.
        warnings: Vec<String>,
    },
    /// The pods before any change were read.
    PodsBefore {
        /// The number of pods.
        total: usize,
        /// The failing pods.
        failing: Vec<FailingPod>,
    },
    /// The generations of the Deployments were read.
    Generations {
        /// Whether they were read after the apply.
        applied: bool,
        /// The name and the `metadata.generation` of each Deployment.
        generations: Vec<(String, i64)>,
    },
    /// A manifest was applied.
    Applied {
        /// The manifest.
        file: String,
        /// The result of each object.
        objects: Vec<Applied>,
    },
    /// `kubectl rollout status` ended.
    RolloutEnded {
        /// The Deployment.
        deployment: String,
        /// How it ended.
        ending: Ending,
    },
    /// The watch has shown the pods that exist, or 5 s have passed; only then anything is changed.
    FirstSight {
        /// The number of rows that the watch had shown.
        rows: usize,
        /// The number of pods before any change.
        of: usize,
    },
    /// A pod was seen in a state that stops a run.
    PodSeen(Sighting),
    /// A sighting was judged.
    PodJudged {
        /// The sighting.
        sighting: Sighting,
        /// Whether it counts, and why.
        conclusion: Conclusion,
        /// The failing container; `None` if the pod showed none.
        container: Option<Failing>,
    },
    /// The pods after the rollouts were read, without the pods that are being deleted.
    PodsAfter {
        /// The pods.
        pods: Vec<Pod>,
    },
    /// The Deployments after the rollouts, or at a STOP, were read.
    DeploymentsAfter {
        /// The Deployments.
        deployments: Vec<DeploymentStatus>,
    },
    /// The Services of the manifests and their endpoints were read.
    Endpoints {
        /// The Services.
        services: Vec<ServiceEndpoints>,
    },
    /// `/health` or `/readyz` was requested until it answered 200 or the time limit passed.
    HealthAsked {
        /// The step that asked.
        id: StepId,
        /// The path.
        path: String,
        /// The number of requests.
        asks: u32,
        /// The HTTP status of the last answer; `000` if there was none.
        http_status: String,
        /// The time from the first request to the last answer, in ms.
        waited_ms: u64,
        /// The time limit, in ms.
        limit_ms: u64,
    },
    /// A smoke check was answered.
    CheckAnswered {
        /// The check's number.
        check: CheckNumber,
        /// The requested URL.
        url: String,
        /// The figures that curl printed.
        transfer: Transfer,
    },
    /// The latency of a group of paths was measured.
    LatencySampled {
        /// The step that measured it.
        id: StepId,
        /// The number of timed answers.
        samples: usize,
        /// The 95th percentile, in ms; `None` without samples.
        p95_ms: Option<u64>,
    },
    /// A step of the runbook ended.
    StepEnded {
        /// Its number in the runbook.
        step: u8,
        /// How long it took, in ms.
        duration_ms: u64,
    },
    /// The dump was completed.
    Dumped {
        /// How long it took, in ms.
        duration_ms: u64,
        /// The end of the failing container's log; `None` if there is none.
        last_words: Option<String>,
    },
    /// The files of the evidence tree, as the run leaves them.
    FilesListed {
        /// Their paths.
        files: Vec<String>,
    },
    /// The system's clock was changed during the run, or the machine slept; the run's own clock was not
    /// affected.
    ClockMoved {
        /// How far the system's clock is ahead of the run's, in ms; negative: behind.
        by_ms: i64,
    },
    /// A signal came; the commands under way are ended.
    Signal {
        /// Its number.
        signal: i32,
    },
    /// A signal ended the run.
    Interrupted {
        /// Its number.
        signal: i32,
    },
    /// The program itself failed.
    Failed {
        /// The error message.
        error: String,
    },
    /// The run ended; only `manifest.json` and the sums follow.
    RunEnded,
}

/// A Kubernetes manifest as it was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ManifestFile {
    /// Its path, as the runbook's `cat` names it.
    pub file: String,
    /// The path where it was found.
    pub found_at: String,
    /// Why it could not be read; `None` if it was read.
    pub unreadable: Option<String>,
    /// The SHA-256 of its bytes; `None` if it could not be read.
    pub sha256: Option<String>,
    /// Whether it contains nothing to apply.
    pub blank: bool,
    /// Whether it contains a Secret.
    pub holds_secret: bool,
    /// The names of the values to redact that it contains.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds_named: Vec<String>,
    /// The names in its `${…}`.
    pub placeholders: Vec<String>,
}

impl ManifestFile {
    /// Returns whether its bytes become evidence: it could be read and contains no value to redact, and no Secret
    /// unless `keep_secrets` is set.
    pub fn is_kept(&self, keep_secrets: bool) -> bool {
        self.unreadable.is_none() && self.holds_named.is_empty() && (!self.holds_secret || keep_secrets)
    }
}

/// A program that the run uses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// The path where it was found.
    pub path: String,
    /// The SHA-256 of its file, with links followed; `None` if it could not be read.
    pub sha256: Option<String>,
}

/// The version that a program printed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolVersion {
    /// The program's name.
    pub name: String,
    /// The version; `None` if it printed none.
    pub version: Option<String>,
    /// The major and minor number; `None` if there is no version. A guard requires kubectl 1.27 or newer.
    pub numbers: Option<(u32, u32)>,
}

/// A pod that was failing before any change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FailingPod {
    /// Its name.
    pub pod: String,
    /// Its UID, since a later pod can have the same name.
    pub uid: String,
    /// The Deployment that it belongs to; `None` if it belongs to none.
    pub deployment: Option<String>,
    /// The reason for its failure.
    pub failing: Failing,
}

/// A line of output that shows a pod in a state that stops a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// The pod.
    pub pod: String,
    /// The word in the STATUS column.
    pub status: String,
    /// The line as kubectl printed it.
    pub line: String,
    /// The step that printed it.
    pub command: StepId,
    /// The number of the command that printed it.
    pub n: u64,
    /// The offset behind the line in the file of the command's output.
    pub to: u64,
    /// When the run read it.
    pub seen_at: Moment,
}

/// The conclusion about a sighting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", content = "because", rename_all = "kebab-case")]
pub enum Conclusion {
    /// It counts: the pod exists and is not being deleted.
    Stands,
    /// It counts, since the confirmation failed for this reason.
    Unconfirmed(String),
    /// It does not count, for this reason: the pod is being deleted or is gone.
    RuledOut(String),
    /// It does not count yet, for this reason: the pod was failing before, and the rollout may fix it.
    Excused(String),
}

impl Conclusion {
    /// Returns whether the sighting stops the run.
    pub fn stops(&self) -> bool {
        matches!(self, Self::Stands | Self::Unconfirmed(_))
    }
}
