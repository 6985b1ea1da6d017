//! The events of a run: one line of `journal.jsonl` each.

use serde::{Deserialize, Serialize};

use crate::facts::apply::Applied;
use crate::facts::context::Context;
use crate::facts::curl::Transfer;
use crate::facts::deployments::Deployment;
use crate::facts::dry_run::Landing;
use crate::facts::endpoints::ServiceEndpoints;
use crate::facts::pods::{Failing, Pod};
use crate::facts::rollout::Ending;
use crate::moment::Moment;
use crate::runbook::Phase;

/// What a command does to the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Changes nothing that is not ours. `kubectl config use-context` on our own overlay is one of these.
    Reads,
    /// A server-side dry run: the cluster is asked what it would do, and stores nothing.
    Asks,
    /// Changes the cluster.
    Changes,
}

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

/// How a command came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndedBy {
    /// Every stage ended by itself.
    Itself,
    /// Our own deadline passed and we ended it.
    Deadline,
    /// We ended it because the run no longer needed it, or was told to stop.
    StagingDryRun,
    /// It was stopped because it, or a credential plugin it started, wanted to read the terminal.
    AskedForTerminal,
    /// It ended, but left something running that held its output open.
    HeldPipes,
    /// What it printed could not be kept, so it was ended.
    OutputNotKept,
}

impl EndedBy {
    /// Whether the exit status was caused by us: a rule never judges such a status.
    pub fn is_our_doing(self) -> bool {
        !matches!(self, Self::Itself | Self::HeldPipes)
    }

    /// What to tell a person of it; `None`: nothing out of the ordinary.
    pub fn says(self) -> Option<&'static str> {
        match self {
            Self::Itself | Self::HeldPipes => None,
            Self::Deadline => Some("it gave no answer in time and was ended"),
            Self::StagingDryRun => Some("it was ended because the run no longer needed it"),
            Self::AskedForTerminal => Some("it asked for the terminal: log in first, then run again"),
            Self::OutputNotKept => Some("what it printed could not be kept"),
        }
    }
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
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum What {
    /// The run began: who runs what, on what.
    RunBegan(Box<Began>),
    /// A manifest was looked at, and copied into `inputs/` unless it holds a Secret.
    ManifestRead(ManifestFile),
    /// A program was found on PATH.
    ToolFound(Tool),
    /// A program told its version.
    ToolVersion(ToolVersion),
    /// A command is about to start. Without a [`What::CommandEnded`] after it, its effect is unknown.
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
        /// From the end of the rollout to the last answer, in ms.
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

/// Who runs what, on what: the first event of a journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Began {
    pub run_id: String,
    pub evidence_dir: String,
    pub target: Target,
    pub options: Options,
    pub with_key: bool,
    pub who: Who,
    pub git: Git,
    pub program: Program,
    /// The names of the variables that can change what kubectl and curl do; never their values.
    pub environment: Vec<String>,
    pub previous_run: Option<PreviousRun>,
}

/// The inputs, less the API key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Target {
    pub context: String,
    pub namespace: String,
    pub base_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics_url: Option<String>,
    pub image_tag: String,
    pub aws_account_id: Option<String>,
    pub aws_region: String,
}

/// What the run was told to do otherwise than by default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Options {
    pub apply: bool,
    pub strict: bool,
    /// STATUS words that stop a run beside the runbook's.
    pub stop_on: Vec<String>,
    /// Placeholders that may be left in a manifest.
    pub allow_placeholder: Vec<String>,
    pub keep_secrets: bool,
    /// As `kubectl rollout status` takes it, e.g. `5m`.
    pub rollout_timeout: String,
    /// How long `/health` and `/readyz` may take to answer 200, in ms.
    pub health_timeout_ms: u64,
}

/// The person and the machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Who {
    pub user: Option<String>,
    pub host: Option<String>,
    pub ci: Option<Ci>,
}

/// The CI job, by the variables its system documents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Ci {
    pub system: String,
    pub actor: Option<String>,
    pub url: Option<String>,
}

/// The repository of the manifests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Git {
    pub commit: Option<String>,
    pub branch: Option<String>,
    /// Whether the manifests differ from the commit.
    pub manifests_dirty: Option<bool>,
    /// Why the others are null.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// This program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Program {
    pub name: String,
    pub version: String,
    pub sha256: Option<String>,
    pub argv: Vec<String>,
    pub runbook: RunbookId,
}

/// The runbook this program was built with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct RunbookId {
    pub id: String,
    pub sha256: String,
}

/// The evidence of an earlier run of the same day, as it was put aside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct PreviousRun {
    pub run_id: Option<String>,
    pub dir: String,
    pub manifest_sha256: Option<String>,
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

/// What is written before a command starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// The step's id; a step that is done several times has several intents.
    pub id: String,
    /// The folder it belongs to.
    pub phase: Phase,
    /// What it does to the cluster.
    pub effect: Effect,
    /// The command, fully expanded, as a person can paste it.
    pub text: String,
    /// Whether the API key's header is on its standard input.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reads_key: bool,
}

/// What is written when a command has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The step's id.
    pub id: String,
    /// When it was started.
    pub started: Moment,
    /// How long it took, in ms.
    pub duration_ms: u64,
    /// One status a stage, as bash's `PIPESTATUS`.
    pub exit: Vec<i32>,
    /// What ended it.
    pub ended_by: EndedBy,
    /// What is to be known about its output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Where its standard output is kept; `None`: it printed nothing, or nothing is kept.
    pub stdout: Option<Stretch>,
    /// Where its standard error is kept.
    pub stderr: Option<Stretch>,
    /// The first line it had to say about its failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
    /// What was taken out of its output.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redactions: Vec<Redaction>,
}

impl Outcome {
    /// Whether it ended by itself and every stage with 0.
    pub fn succeeded(&self) -> bool {
        !self.ended_by.is_our_doing() && self.exit.iter().all(|&status| status == 0)
    }
}

/// A range of bytes of an evidence file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// The file's path below the evidence folder.
    pub file: String,
    /// Its first byte.
    pub from: u64,
    /// The byte behind its last.
    pub to: u64,
}

/// How often a named value was taken out of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Redaction {
    pub file: String,
    pub name: String,
    pub count: u64,
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
