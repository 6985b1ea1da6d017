//! `manifest.json`: the summary of a run.
//!
//! The manifest follows from the journal alone: it is built from [`RunState`] and the judgement, and from
//! nothing else. `verify` therefore builds it again and compares.

use std::io;

use serde::{Deserialize, Serialize};

use crate::events::{
    ByteRange, Effect, EndedBy, Event, Git, Note, Options, PreviousRun, Program, Redaction, Target, Tool, Who,
};
use crate::facts::pods::{self, Image};
use crate::run_state::{CommandRecord, RunState};
use crate::runbook::{LatencyGroup, Phase, StepId};
use crate::schema::File;
use crate::verdict::{self, CriterionResult, Finding, Judgement, Stop, Verdict};

/// The content of `manifest.json`.
///
/// The keys up to `artifacts` have the names and types of the old script's manifest.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Manifest {
    /// When the run started, in UTC to the second; `None` if the journal has no `run-began` event.
    pub date_utc: Option<String>,
    /// The same start in Korean time, as `2026-11-26 18:45:01 KST`.
    pub date_kst: Option<String>,
    /// The commit of the manifests; `None` if it is unknown.
    pub commit_sha: Option<String>,
    /// The deployment mechanism; always `k8s`.
    pub mechanism: String,
    /// The inputs of the run; `None` if the journal has no `run-began` event.
    pub target: Option<Target>,
    /// The result of the deployment.
    pub deploy: Deploy,
    /// The result of the smoke checks.
    pub smoke: Smoke,
    /// The rollback; the runbook performs none.
    pub rollback: Rollback,
    /// Where the evidence was written.
    pub artifacts: Artifacts,
    /// The format of this file, such as `staging-dry-run/manifest/2`.
    pub schema: String,
    /// The identity of the run; `None` if the journal has no `run-began` event.
    pub run_id: Option<String>,
    /// The verdict.
    pub verdict: Verdict,
    /// The exit code that follows from the verdict.
    pub exit_code: u8,
    /// Why the verdict is `incomplete`; `None` for any other verdict.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub incomplete: Option<String>,
    /// When the run ended, in UTC to the second; `None` if it did not reach its end.
    pub ended_utc: Option<String>,
    /// The time from the start to the end, in ms; `None` if the run did not reach its end.
    pub duration_ms: Option<u64>,
    /// How far the system's clock moved ahead of the run's own clock, in ms (negative: behind); `None` if it
    /// did not move.
    ///
    /// All times of the run are measured by its own clock.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub clock_moved_ms: Option<i64>,
    /// The stop rule that fired; `None` if none did.
    pub stop: Option<Stop>,
    /// The findings of the guards that refused the run; empty if it was not refused.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub refused: Vec<Finding>,
    /// The sightings that did not count for stop rule 2.
    pub excused: Vec<Excused>,
    /// The result of each success criterion, in the runbook's order.
    pub criteria: Vec<CriterionResult>,
    /// The person and the machine; `None` if the journal has no `run-began` event.
    pub who: Option<Who>,
    /// The cluster.
    pub cluster: Cluster,
    /// The repository of the manifests; `None` if the journal has no `run-began` event.
    pub git: Option<Git>,
    /// The options of the run; `None` if the journal has no `run-began` event.
    pub options: Option<Options>,
    /// The Kubernetes manifests of the run.
    pub inputs: Vec<Input>,
    /// The images of the pods after the rollouts; empty if the pods were not read.
    pub images: Vec<Image>,
    /// The program; `None` if the journal has no `run-began` event.
    pub program: Option<Program>,
    /// The programs that the run used.
    pub tools: Vec<ToolWithVersion>,
    /// The names of the set variables that influence kubectl and curl; never their values.
    pub environment: Vec<String>,
    /// The latency of each group of paths.
    pub latency: Vec<LatencyFigure>,
    /// The number of redacted values, for each file and name.
    pub redactions: Vec<Redaction>,
    /// The run before this one; `None` if there is none.
    pub previous_run: Option<PreviousRun>,
    /// Every command, in the runbook's order.
    pub commands: Vec<ManifestCommand>,
}

/// The result of the deployment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Deploy {
    /// Whether every rollout succeeded and no pod failed.
    pub ok: bool,
    /// The duration of steps 2 and 3, in seconds, rounded up.
    pub duration_sec: u64,
}

/// The result of the ten smoke checks.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Smoke {
    /// Whether every check passed.
    pub ok: bool,
    /// The number of checks that passed.
    pub checks_passed: usize,
    /// The number of checks in the runbook.
    pub checks_total: usize,
    /// Whether every check was answered.
    pub ran: bool,
}

/// The rollback, as the old manifest had it: the runbook performs none, so the fields are constant.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rollback {
    /// Always `None`: no rollback was executed.
    pub ok: Option<bool>,
    /// Always `not executed`.
    pub method: String,
    /// Always `None`; in seconds in the old manifest.
    pub duration_sec: Option<u64>,
}

/// Where the evidence was written.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Artifacts {
    /// The absolute path of the evidence directory; `None` if the journal has no `run-began` event.
    pub evidence_dir: Option<String>,
}

/// A sighting that did not count for stop rule 2, with the reason.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Excused {
    /// The name of the pod.
    pub pod: String,
    /// The word in the STATUS column.
    pub status: String,
    /// The line that kubectl printed.
    pub line: String,
    /// Why it did not count: the pod was failing before the deploy, is being deleted, or is gone.
    pub why: String,
}

/// The cluster, as far as the run read it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cluster {
    /// The URL of the API server; `None` if the context was not read or names none.
    pub server: Option<String>,
    /// The version of the API server, such as `v1.34.4`; `None` if it was not read.
    pub version: Option<String>,
    /// The user name that the cluster reports; `None` if it was not read.
    pub user: Option<String>,
    /// The UID of the Namespace `kube-system`, which identifies the cluster; `None` if it was not read.
    pub kube_system_uid: Option<String>,
    /// The UID of the run's Namespace; `None` if it was not read.
    pub namespace_uid: Option<String>,
}

/// A Kubernetes manifest and its objects.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Input {
    /// Its path, as the runbook names it.
    pub file: String,
    /// The SHA-256 of its bytes; `None` if it could not be read.
    pub sha256: Option<String>,
    /// Its objects by the dry run, each as API version, kind, namespace (`-` if none) and name.
    pub objects: Vec<String>,
}

/// A program that the run used, with its version.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ToolWithVersion {
    /// The program's name.
    pub name: String,
    /// The path where it was found.
    pub path: String,
    /// The version it printed; `None` if it printed none.
    pub version: Option<String>,
    /// The SHA-256 of its file; `None` if it could not be read.
    pub sha256: Option<String>,
}

/// The latency of a group of paths; no rule judges it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LatencyFigure {
    /// The name of the group.
    pub group: String,
    /// The number of timed answers.
    pub samples: usize,
    /// The 95th percentile, in ms; `None` without samples.
    pub p95_ms: Option<u64>,
    /// The runbook's limit, in ms.
    pub limit_ms: u64,
}

/// A command and its outcome.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ManifestCommand {
    /// The step.
    pub id: StepId,
    /// The phase, which is the directory of its output.
    pub phase: Phase,
    /// The effect on the cluster.
    pub effect: Effect,
    /// The command, fully expanded.
    pub text: String,
    /// When it started; `None` if it never ended in the journal.
    pub started: Option<String>,
    /// How long it took, in ms; `None` if it never ended in the journal.
    pub duration_ms: Option<u64>,
    /// One exit code for each stage; `None` if the command started and never ended in the journal.
    pub exit: Option<Vec<i32>>,
    /// How it ended; `None` if it never ended in the journal.
    pub ended_by: Option<EndedBy>,
    /// A remark about its output, such as a missing part; `None` if there is none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<Note>,
    /// Where its standard output is stored; `None` if it printed nothing or nothing was stored.
    pub stdout: Option<ByteRange>,
    /// Where its standard error is stored; `None` if it printed nothing or nothing was stored.
    pub stderr: Option<ByteRange>,
}

impl Manifest {
    /// Builds the manifest from events.
    pub fn fold<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let run = RunState::of(events);
        Self::of(&run, &verdict::judge(&run))
    }

    /// Renders `manifest.json` of a run state.
    ///
    /// # Errors
    /// When a value can't be written as JSON.
    pub fn text(run: &RunState) -> io::Result<String> {
        Ok(serde_json::to_string_pretty(&Self::of(run, &verdict::judge(run)))? + "\n")
    }

    /// Builds the manifest from a run state and its judgement.
    pub fn of(run: &RunState, judgement: &Judgement) -> Self {
        let began = run.began.as_ref().map(|(_, began)| began.clone());
        let start = run.began.as_ref().map(|(at, _)| *at);
        let namespace = began.as_ref().map(|began| began.target.namespace.clone()).unwrap_or_default();
        let uid = |name: &str| run.uids.get(name).cloned().flatten();
        Self {
            date_utc: start.map(crate::moment::Moment::to_seconds),
            date_kst: start.map(crate::moment::Moment::to_kst),
            commit_sha: began.as_ref().and_then(|began| began.git.commit.clone()),
            mechanism: "k8s".to_owned(),
            target: began.as_ref().map(|began| began.target.clone()),
            deploy: Deploy { ok: judgement.deploy_ok, duration_sec: seconds(run, &[2, 3]) },
            smoke: Smoke {
                ok: judgement.smoke_ok,
                checks_passed: judgement.checks_passed,
                checks_total: run.runbook.checks.len(),
                ran: judgement.smoke_ran,
            },
            rollback: Rollback { ok: None, method: "not executed".to_owned(), duration_sec: None },
            artifacts: Artifacts { evidence_dir: began.as_ref().map(|began| began.evidence_dir.clone()) },
            schema: File::Manifest.schema(),
            run_id: began.as_ref().map(|began| began.run_id.clone()),
            verdict: judgement.verdict,
            exit_code: judgement.exit_code,
            incomplete: (judgement.verdict == Verdict::Incomplete).then(|| why_incomplete(run)),
            ended_utc: run.ended.map(crate::moment::Moment::to_seconds),
            duration_ms: run.ended.zip(start).map(|(end, start)| end.millis_since(start)),
            clock_moved_ms: run.clock_moved_ms,
            stop: judgement.stop.clone(),
            refused: judgement.findings.clone(),
            excused: excused(run),
            criteria: judgement.criteria.clone(),
            who: began.as_ref().map(|began| began.who.clone()),
            cluster: Cluster {
                server: run.context.as_ref().and_then(|context| context.server.clone()),
                version: run.server_version.clone(),
                user: run.cluster_user.clone(),
                kube_system_uid: uid("kube-system"),
                namespace_uid: uid(&namespace),
            },
            git: began.as_ref().map(|began| began.git.clone()),
            options: began.as_ref().map(|began| began.options.clone()),
            inputs: inputs(run),
            images: run.pods_after.as_ref().map(|(_, found)| pods::images(found)).unwrap_or_default(),
            tools: tools(run),
            latency: latency(run),
            redactions: run.redactions(),
            commands: run.in_runbook_order().into_iter().map(command).collect(),
            environment: began.as_ref().map(|began| began.environment.clone()).unwrap_or_default(),
            previous_run: began.as_ref().and_then(|began| began.previous_run.clone()),
            program: began.map(|began| began.program),
        }
    }
}

fn why_incomplete(run: &RunState) -> String {
    if let Some(error) = &run.failed {
        return error.clone();
    }
    if let Some(signal) = run.interrupted {
        return format!("ended by signal {signal}");
    }
    if let Some((id, why)) = verdict::undecided_command(run) {
        return format!("{id}: {why}");
    }
    if let Some(why) = verdict::pods_unseen_at_end(run).filter(|_| run.ended.is_some()) {
        return format!(
            "the pods could not be listed at the end, so stop rule 2 can't be judged (list.pods: {why})"
        );
    }
    "the run has not finished".to_owned()
}

fn seconds(run: &RunState, steps: &[u8]) -> u64 {
    let of_steps = run.steps.iter().filter(|(step, _)| steps.contains(step)).map(|(_, millis)| *millis);
    of_steps.fold(0, u64::saturating_add).div_ceil(1000)
}

fn excused(run: &RunState) -> Vec<Excused> {
    use crate::events::Conclusion::{Excused as Let, RuledOut};
    run.sightings
        .iter()
        .filter_map(|judged| match &judged.conclusion {
            Let(why) | RuledOut(why) => Some(Excused {
                pod: judged.sighting.pod.clone(),
                status: judged.sighting.status.clone(),
                line: judged.sighting.line.clone(),
                why: why.clone(),
            }),
            _ => None,
        })
        .collect()
}

fn inputs(run: &RunState) -> Vec<Input> {
    run.manifests
        .iter()
        .map(|manifest| Input {
            file: manifest.file.clone(),
            sha256: manifest.sha256.clone(),
            objects: run
                .landings
                .iter()
                .filter(|landed| landed.file == manifest.file)
                .flat_map(|landed| &landed.objects)
                .map(|o| {
                    format!(
                        "{} {} {} {}",
                        o.api_version,
                        o.kind,
                        o.namespace.as_deref().unwrap_or("-"),
                        o.name
                    )
                })
                .collect(),
        })
        .collect()
}

fn tools(run: &RunState) -> Vec<ToolWithVersion> {
    let version =
        |tool: &Tool| run.versions.iter().find(|v| v.name == tool.name).and_then(|v| v.version.clone());
    run.tools
        .iter()
        .map(|tool| ToolWithVersion {
            name: tool.name.clone(),
            path: tool.path.clone(),
            version: version(tool),
            sha256: tool.sha256.clone(),
        })
        .collect()
}

fn latency(run: &RunState) -> Vec<LatencyFigure> {
    run.latency
        .iter()
        .filter_map(|latency| {
            let is_of = |group: &&LatencyGroup| StepId::Latency(group.id) == latency.id;
            let group = run.runbook.latency_groups.iter().find(is_of)?;
            Some(LatencyFigure {
                group: group.name.to_owned(),
                samples: latency.samples,
                p95_ms: latency.p95_ms,
                limit_ms: group.limit_ms,
            })
        })
        .collect()
}

fn command(command: &CommandRecord) -> ManifestCommand {
    let CommandRecord { intent, outcome } = command;
    let outcome = outcome.as_ref();
    ManifestCommand {
        id: intent.id.clone(),
        phase: intent.phase,
        effect: intent.effect,
        text: intent.text.clone(),
        started: outcome.map(|outcome| outcome.started.to_string()),
        duration_ms: outcome.map(|outcome| outcome.duration_ms),
        exit: outcome.map(|outcome| outcome.exit.clone()),
        ended_by: outcome.map(|outcome| outcome.ended_by),
        note: outcome.and_then(|outcome| outcome.note.clone()),
        stdout: outcome.and_then(|outcome| outcome.stdout.clone()),
        stderr: outcome.and_then(|outcome| outcome.stderr.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(journal: &[&str]) -> Manifest {
        let events: Vec<Event> = journal.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let mut run = crate::fixture::nothing_yet();
        for event in &events {
            run.add(event);
        }
        Manifest::of(&run, &verdict::judge(&run))
    }

    #[test]
    fn sums_end_at_the_largest_number() {
        const STEP: &str = r#"{"seq":1,"at":"2026-11-26T03:13:42Z","event":"step-ended","step":2,"duration_ms":18446744073709551615}"#;
        const STARTS: &str = r#"{"seq":1,"at":"2026-11-26T03:13:42Z","event":"command-starts","n":1,"id":"server","phase":"smoke","effect":"reads","text":"a","deadline_ms":1}"#;
        const ENDED: &str = r#"{"seq":1,"at":"2026-11-26T03:13:42Z","event":"command-ended","n":1,"id":"server","started":"2026-11-26T03:13:42Z","duration_ms":18446744073709551615,"exit":[1],"ended_by":"itself","stdout":null,"stderr":null,"redactions":[{"file":"f","name":"KEY","count":18446744073709551615}]}"#;
        let manifest = manifest(&[STEP, STEP, STARTS, ENDED, STARTS, ENDED]);
        assert_eq!(manifest.deploy.duration_sec, u64::MAX.div_ceil(1000));
        assert_eq!(
            manifest.redactions.iter().map(|redaction| redaction.count).collect::<Vec<_>>(),
            [u64::MAX]
        );
    }

    #[test]
    fn more_checks_than_there_are_still_make_a_manifest() {
        const CHECK: &str = r#"{"seq":1,"at":"2026-11-26T03:13:49Z","event":"check-answered","check":1,"url":"","transfer":{"http_status":"500","latency_ms":2,"exit_code":0}}"#;
        let manifest = manifest(&[CHECK; 11]);
        let criterion = manifest.criteria.iter().find(|criterion| criterion.is_about_all_checks()).unwrap();
        assert_eq!(criterion.observed.as_deref(), Some("0/10 PASS"));
        assert!(!manifest.smoke.ok);
    }
}
