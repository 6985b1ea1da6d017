//! What a run has recorded so far: a fold over its events, and all that a verdict may look at.

use std::collections::BTreeMap;

use crate::events::{
    Began, Conclusion, Event, EventKind, FailingPod, Intent, ManifestFile, Outcome, Redaction, Sighting,
    Tool, ToolVersion,
};
use crate::facts::apply::Applied;
use crate::facts::context::Context;
use crate::facts::curl::Transfer;
use crate::facts::deployments::Deployment;
use crate::facts::dry_run::Landing;
use crate::facts::endpoints::ServiceEndpoints;
use crate::facts::pods::{Failing, Pod};
use crate::facts::rollout::Ending;
use crate::moment::Moment;
use crate::runbook;

/// The fold over a run's events.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)]
pub struct RunState {
    pub began: Option<(Moment, Began)>,
    pub manifests: Vec<ManifestFile>,
    pub tools: Vec<Tool>,
    pub versions: Vec<ToolVersion>,
    /// Every command, in the journal's order; one that was done several times stands several times.
    pub commands: Vec<CommandRecord>,
    pub context: Option<Context>,
    pub server_version: Option<String>,
    pub cluster_user: Option<String>,
    pub uids: BTreeMap<String, Option<String>>,
    pub permissions: Vec<Answer>,
    pub placeholders_left: Vec<(String, Vec<String>)>,
    pub landings: Vec<Landed>,
    pub pods_before: Option<(usize, Vec<FailingPod>)>,
    pub generations_before: BTreeMap<String, i64>,
    pub generations_applied: BTreeMap<String, i64>,
    pub applied: Vec<(String, Vec<Applied>)>,
    pub rollouts: Vec<Rollout>,
    pub sightings: Vec<JudgedSighting>,
    pub pods_after: Option<(Moment, Vec<Pod>)>,
    pub deployments_after: Option<Vec<Deployment>>,
    pub endpoints: Option<Vec<ServiceEndpoints>>,
    pub health: Vec<Health>,
    pub checks: Vec<CheckRecord>,
    pub latency: Vec<Latency>,
    pub steps: Vec<(u8, u64)>,
    pub dump_ms: Option<u64>,
    pub last_words: Option<String>,
    pub files: Option<Vec<String>>,
    pub interrupted: Option<i32>,
    pub clock_moved_ms: Option<i64>,
    pub failed: Option<String>,
    pub ended: Option<Moment>,
}

/// A command: what was about to be done, and what came of it.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct CommandRecord {
    pub intent: Intent,
    /// `None`: it never ended in the journal, so its effect is unknown.
    pub outcome: Option<Outcome>,
}

/// An answer of `kubectl auth can-i`.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Answer {
    pub id: String,
    pub question: String,
    pub needed_for: String,
    pub granted: Option<bool>,
}

/// Where a manifest's objects would land.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Landed {
    pub file: String,
    pub objects: Vec<Landing>,
    pub warnings: Vec<String>,
}

/// How a rollout ended, and when.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Rollout {
    pub deployment: String,
    pub ending: Ending,
    pub at: Moment,
}

/// A sighting and what became of it.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct JudgedSighting {
    pub sighting: Sighting,
    pub conclusion: Conclusion,
    pub container: Option<Failing>,
}

/// How `/health` or `/readyz` answered before the checks.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Health {
    pub id: String,
    pub path: String,
    pub asks: u32,
    pub http_status: String,
    pub waited_ms: u64,
    pub limit_ms: u64,
    pub at: Moment,
}

/// The answer to a smoke check.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct CheckRecord {
    pub number: u8,
    pub url: String,
    pub transfer: Transfer,
    pub at: Moment,
}

/// The latency of a group of paths.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Latency {
    pub id: String,
    pub samples: usize,
    pub p95_ms: Option<u64>,
}

impl RunState {
    /// The record of these events.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut run = Self::default();
        for event in events {
            run.add(event);
        }
        run
    }

    /// Whether the run was to apply manifests.
    pub fn applies(&self) -> bool {
        self.began.as_ref().is_some_and(|(_, began)| began.options.apply)
    }

    /// Whether the run had an API key.
    pub fn with_key(&self) -> bool {
        self.began.as_ref().is_some_and(|(_, began)| began.with_key)
    }

    /// Adds what an event tells.
    pub fn add(&mut self, event: &Event) {
        let at = event.at;
        match event.kind.clone() {
            EventKind::RunBegan(began) => self.began = Some((at, *began)),
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
                self.permissions.push(Answer { id, question, needed_for, granted: answer });
            }
            EventKind::Rendered { file, left } => self.placeholders_left.push((file, left)),
            EventKind::WouldLand { file, objects, warnings } => {
                self.landings.push(Landed { file, objects, warnings });
            }
            EventKind::PodsBefore { total, failing } => self.pods_before = Some((total, failing)),
            EventKind::Generations { applied: false, generations } => {
                self.generations_before.extend(generations);
            }
            EventKind::Generations { applied: true, generations } => {
                self.generations_applied.extend(generations);
            }
            EventKind::Applied { file, objects } => self.applied.push((file, objects)),
            EventKind::RolloutEnded { deployment, ending } => {
                self.rollouts.push(Rollout { deployment, ending, at });
            }
            EventKind::PodSeen(_) => {}
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

    /// The last outcome of a command; `None`: it was not run, or is unknown.
    pub fn outcome(&self, id: &str) -> Option<&Outcome> {
        self.commands.iter().rev().find(|command| command.intent.id == id)?.outcome.as_ref()
    }

    /// The commands in the runbook's order, whatever order they came in; the journal has that one.
    pub fn in_runbook_order(&self) -> Vec<&CommandRecord> {
        let mut commands: Vec<&CommandRecord> = self.commands.iter().collect();
        commands.sort_by_key(|command| runbook::place(&command.intent.id));
        commands
    }

    /// What was taken out of each file, summed.
    pub fn redactions(&self) -> Vec<Redaction> {
        let mut counts = BTreeMap::<(String, String), u64>::new();
        for redaction in self.commands.iter().filter_map(|c| c.outcome.as_ref()).flat_map(|o| &o.redactions) {
            let count = counts.entry((redaction.file.clone(), redaction.name.clone())).or_default();
            *count = count.saturating_add(redaction.count);
        }
        counts.into_iter().map(|((file, name), count)| Redaction { file, name, count }).collect()
    }

    fn end_command(&mut self, outcome: Outcome) {
        let open =
            |command: &&mut CommandRecord| command.intent.id == outcome.id && command.outcome.is_none();
        if let Some(command) = self.commands.iter_mut().find(open) {
            command.outcome = Some(outcome);
        }
    }
}
