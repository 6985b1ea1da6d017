//! The state of a run: a fold over its events.
//!
//! A verdict depends on nothing else. `run` folds each event as it records it, and `verify` folds the
//! journal, so both judge the same state.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::events::{
    Began, Conclusion, Event, EventKind, FailingPod, Intent, ManifestFile, Outcome, Redaction, Sighting,
    Tool, ToolVersion,
};
use crate::facts::apply::Applied;
use crate::facts::context::Context;
use crate::facts::curl::Transfer;
use crate::facts::deployments::DeploymentStatus;
use crate::facts::dry_run::Landing;
use crate::facts::endpoints::ServiceEndpoints;
use crate::facts::pods::{Failing, Pod};
use crate::facts::rollout::Ending;
use crate::moment::Moment;
use crate::runbook::{CheckNumber, Document, NotARunbook, Runbook, StepId};

/// The state of a run, built from its events.
#[derive(Debug, Clone, Default)]
pub struct RunState {
    /// When the run started, and its inputs; `None` before the `run-began` event.
    pub began: Option<(Moment, Began)>,
    /// The runbook that is carried out and judged by; it has no steps until the journal contains the
    /// document.
    pub runbook: Arc<Runbook>,
    /// Why the journal's document is not a runbook; `None` if it is one, or was not read.
    pub not_a_runbook: Option<NotARunbook>,
    /// The Kubernetes manifests that were read.
    pub manifests: Vec<ManifestFile>,
    /// The programs that were found on PATH.
    pub tools: Vec<Tool>,
    /// The versions that the programs printed.
    pub versions: Vec<ToolVersion>,
    /// Every command, in the journal's order; a repeated command occurs once for each repetition.
    pub commands: Vec<CommandRecord>,
    /// The kubeconfig context; `None` before it was read.
    pub context: Option<Context>,
    /// The version of the API server; `None` if it was not read.
    pub server_version: Option<String>,
    /// The user name that the cluster reports; `None` if it was not read.
    pub cluster_user: Option<String>,
    /// The UID of each Namespace that was asked for; `None` if it could not be read.
    pub uids: BTreeMap<String, Option<String>>,
    /// The answers of `kubectl auth can-i`.
    pub permissions: Vec<PermissionAnswer>,
    /// For each rendered manifest, the names of the placeholders that are left.
    pub placeholders_left: Vec<(String, Vec<String>)>,
    /// The results of the server-side dry runs.
    pub landings: Vec<Landed>,
    /// The number of pods and the failing pods before any change; `None` if the pods were not read.
    pub pods_before: Option<(usize, Vec<FailingPod>)>,
    /// Each Deployment's `metadata.generation` before the apply.
    pub generations_before: BTreeMap<String, i64>,
    /// Each Deployment's `metadata.generation` after the apply.
    pub generations_applied: BTreeMap<String, i64>,
    /// For each applied manifest, the result of each object.
    pub applied: Vec<(String, Vec<Applied>)>,
    /// The rollouts that ended.
    pub rollouts: Vec<Rollout>,
    /// The sightings with their conclusions.
    pub sightings: Vec<JudgedSighting>,
    /// When the pods were read after the rollouts, and the pods; `None` if they were not read.
    pub pods_after: Option<(Moment, Vec<Pod>)>,
    /// The Deployments after the rollouts, or at a STOP; `None` if they were not read.
    pub deployments_after: Option<Vec<DeploymentStatus>>,
    /// The Services of the manifests with their endpoints; `None` if they were not read.
    pub endpoints: Option<Vec<ServiceEndpoints>>,
    /// The answers of the health gate.
    pub health: Vec<Health>,
    /// The answers to the smoke checks.
    pub checks: Vec<CheckRecord>,
    /// The latency of each group of paths.
    pub latency: Vec<Latency>,
    /// The steps that ended: the number in the runbook, and the duration in ms.
    pub steps: Vec<(u8, u64)>,
    /// How long the dump took, in ms; `None` if it was not completed.
    pub dump_ms: Option<u64>,
    /// The end of the failing container's log; `None` if there is no dump or no log.
    pub last_words: Option<String>,
    /// The files of the evidence as the run left them; `None` before they were listed.
    pub files: Option<Vec<String>>,
    /// The number of the signal that ended the run; `None` if no signal did.
    pub interrupted: Option<i32>,
    /// How far the system's clock moved ahead of the run's own, in ms (negative: behind); `None` if it did
    /// not move.
    pub clock_moved_ms: Option<i64>,
    /// The program's own failure; `None` if there is none.
    pub failed: Option<String>,
    /// When the run ended; `None` if it did not reach its end.
    pub ended: Option<Moment>,
}

/// A command: its intent and its outcome.
#[derive(Debug, Clone)]
pub struct CommandRecord {
    /// The record that was written before the command started.
    pub intent: Intent,
    /// The record of its end; `None` if the command never ended in the journal, so its effect is unknown.
    pub outcome: Option<Outcome>,
}

/// An answer of `kubectl auth can-i`.
#[derive(Debug, Clone)]
pub struct PermissionAnswer {
    /// The step that asked.
    pub id: StepId,
    /// The question: the words after `can-i`.
    pub question: String,
    /// The part of the run that needs the permission.
    pub needed_for: String,
    /// The answer; `None` if neither `yes` nor `no` was printed.
    pub granted: Option<bool>,
}

/// The result of a manifest's server-side dry run.
#[derive(Debug, Clone)]
pub struct Landed {
    /// The manifest.
    pub file: String,
    /// The objects, with the namespace in which each would be placed.
    pub objects: Vec<Landing>,
    /// The server's `Warning:` lines.
    pub warnings: Vec<String>,
}

/// The end of a rollout.
#[derive(Debug, Clone)]
pub struct Rollout {
    /// The Deployment.
    pub deployment: String,
    /// How it ended.
    pub ending: Ending,
    /// When it ended.
    pub at: Moment,
}

/// A sighting and its conclusion.
#[derive(Debug, Clone)]
pub struct JudgedSighting {
    /// The sighting.
    pub sighting: Sighting,
    /// Whether it counts, and why.
    pub conclusion: Conclusion,
    /// The failing container; `None` if the pod showed none.
    pub container: Option<Failing>,
}

/// The answers of `/health` or `/readyz` before the checks.
#[derive(Debug, Clone)]
pub struct Health {
    /// The step that asked.
    pub id: StepId,
    /// The path.
    pub path: String,
    /// The number of requests.
    pub asks: u32,
    /// The HTTP status of the last answer; `000` if there was none.
    pub http_status: String,
    /// The time from the first request to the last answer, in ms.
    pub waited_ms: u64,
    /// The time limit for an answer of 200, in ms.
    pub limit_ms: u64,
    /// When the last answer was recorded.
    pub at: Moment,
}

/// The answer to a smoke check.
#[derive(Debug, Clone)]
pub struct CheckRecord {
    /// The number of the check.
    pub number: CheckNumber,
    /// The requested URL.
    pub url: String,
    /// The figures that curl printed.
    pub transfer: Transfer,
    /// When the answer was recorded.
    pub at: Moment,
}

/// The latency of a group of paths.
#[derive(Debug, Clone)]
pub struct Latency {
    /// The step that measured the group.
    pub id: StepId,
    /// The number of timed answers.
    pub samples: usize,
    /// The 95th percentile, in ms; `None` without samples.
    pub p95_ms: Option<u64>,
}

impl RunState {
    /// Folds events into a run state.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut run = Self::default();
        for event in events {
            run.add(event);
        }
        run
    }

    /// Returns whether the run was to apply manifests.
    pub fn applies(&self) -> bool {
        self.began.as_ref().is_some_and(|(_, began)| began.options.apply)
    }

    /// Returns whether the run had an API key.
    pub fn with_key(&self) -> bool {
        self.began.as_ref().is_some_and(|(_, began)| began.with_key)
    }

    /// Adds an event to the state.
    pub fn add(&mut self, event: &Event) {
        let at = event.at;
        match event.kind.clone() {
            EventKind::RunBegan(began) => self.began = Some((at, *began)),
            EventKind::RunbookRead { text, .. } => self.read_runbook(text),
            EventKind::ManifestRead(manifest) => self.manifests.push(manifest),
            EventKind::ToolFound(tool) => self.tools.push(tool),
            EventKind::ToolVersion(version) => self.versions.push(version),
            EventKind::CommandStarts(intent) => self.commands.push(CommandRecord { intent, outcome: None }),
            EventKind::CommandEnded(outcome) => self.end_command(outcome),
            EventKind::ContextRead(context) => self.context = Some(context),
            EventKind::ServerVersion { version } => self.server_version = version,
            EventKind::ClusterUser { name } => self.cluster_user = name,
            EventKind::NamespaceUid { namespace, uid } => {
                self.uids.insert(namespace, uid);
            }
            EventKind::PermissionAnswered { id, question, needed_for, answer } => {
                self.permissions.push(PermissionAnswer { id, question, needed_for, granted: answer });
            }
            EventKind::Rendered { file, left } => self.placeholders_left.push((file, left)),
            EventKind::WouldLand { file, objects, warnings } => {
                self.landings.push(Landed { file, objects, warnings });
            }
            EventKind::PodsBefore { total, failing } => self.pods_before = Some((total, failing)),
            EventKind::Generations { applied, generations } => {
                let of = if applied { &mut self.generations_applied } else { &mut self.generations_before };
                of.extend(generations);
            }
            EventKind::Applied { file, objects } => self.applied.push((file, objects)),
            EventKind::RolloutEnded { deployment, ending } => {
                self.rollouts.push(Rollout { deployment, ending, at });
            }
            EventKind::PodSeen(_) | EventKind::FirstSight { .. } | EventKind::Signal { .. } => {}
            EventKind::PodJudged { sighting, conclusion, container } => {
                self.sightings.push(JudgedSighting { sighting, conclusion, container });
            }
            EventKind::PodsAfter { pods } => self.pods_after = Some((at, pods)),
            EventKind::DeploymentsAfter { deployments } => self.deployments_after = Some(deployments),
            EventKind::Endpoints { services } => self.endpoints = Some(services),
            EventKind::HealthAsked { id, path, asks, http_status, waited_ms, limit_ms } => {
                self.health.push(Health { id, path, asks, http_status, waited_ms, limit_ms, at });
            }
            EventKind::CheckAnswered { check, url, transfer } => {
                self.checks.push(CheckRecord { number: check, url, transfer, at });
            }
            EventKind::LatencySampled { id, samples, p95_ms } => {
                self.latency.push(Latency { id, samples, p95_ms });
            }
            EventKind::StepEnded { step, duration_ms } => self.steps.push((step, duration_ms)),
            EventKind::Dumped { duration_ms, last_words } => {
                self.dump_ms = Some(duration_ms);
                self.last_words = last_words;
            }
            EventKind::FilesListed { files } => self.files = Some(files),
            EventKind::ClockMoved { by_ms } => self.clock_moved_ms = Some(by_ms),
            EventKind::Interrupted { signal } => self.interrupted = Some(signal),
            EventKind::Failed { error } => self.failed = Some(error),
            EventKind::RunEnded => self.ended = Some(at),
        }
    }

    fn read_runbook(&mut self, text: String) {
        match Runbook::shared(&Document::new(text)) {
            Ok(runbook) => self.runbook = runbook,
            Err(error) => self.not_a_runbook = Some(error),
        }
    }

    /// Returns the command with this number.
    pub fn command(&self, n: u64) -> Option<&CommandRecord> {
        self.commands.get(place(n)?)
    }

    /// Returns the last outcome of a command; `None` if the command did not run or its outcome is unknown.
    pub fn outcome(&self, id: &StepId) -> Option<&Outcome> {
        self.commands.iter().rev().find(|command| command.intent.id == *id)?.outcome.as_ref()
    }

    /// Returns the commands in the runbook's order; the journal contains them in the order of time.
    pub fn in_runbook_order(&self) -> Vec<&CommandRecord> {
        let mut commands: Vec<&CommandRecord> = self.commands.iter().collect();
        commands.sort_by_key(|command| self.runbook.place(&command.intent.id));
        commands
    }

    /// Returns the sum of the redactions of each file and name.
    pub fn redactions(&self) -> Vec<Redaction> {
        let mut counts = BTreeMap::<(String, String), u64>::new();
        for redaction in self.commands.iter().filter_map(|c| c.outcome.as_ref()).flat_map(|o| &o.redactions) {
            let count = counts.entry((redaction.file.clone(), redaction.name.clone())).or_default();
            *count = count.saturating_add(redaction.count);
        }
        counts.into_iter().map(|((file, name), count)| Redaction { file, name, count }).collect()
    }

    fn end_command(&mut self, outcome: Outcome) {
        let command = place(outcome.n).and_then(|place| self.commands.get_mut(place));
        if let Some(command) = command.filter(|command| command.intent.id == outcome.id) {
            command.outcome = Some(outcome);
        }
    }
}

/// Returns the place of a command among all: they are numbered from 1 in the order of their starts.
fn place(n: u64) -> Option<usize> {
    usize::try_from(n).ok()?.checked_sub(1)
}
