//! `manifest.json`: a fold over the journal, never written by anything else.

use serde::{Deserialize, Serialize};

use crate::events::{
    ByteRange, Effect, EndedBy, Event, Git, Options, PreviousRun, Program, Redaction, Target, Tool, Who,
};
use crate::facts::pods::{self, Image};
use crate::run_state::{CommandRecord, RunState};
use crate::runbook::{CHECKS, LATENCY_GROUPS, Phase};
use crate::verdict::{self, CriterionResult, Finding, Judgement, Stop, Verdict};

/// The name of this form of the manifest.
pub const SCHEMA: &str = "staging-dry-run/manifest/1";

/// The manifest. The first keys and their types are those that readers of the old script's manifest know.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Manifest {
    pub date_utc: Option<String>,
    pub date_kst: Option<String>,
    pub commit_sha: Option<String>,
    pub mechanism: String,
    pub target: Option<Target>,
    pub deploy: Deploy,
    pub smoke: Smoke,
    pub rollback: Rollback,
    pub artifacts: Artifacts,
    pub schema: String,
    pub run_id: Option<String>,
    pub verdict: Verdict,
    pub exit_code: u8,
    /// Why the verdict is `incomplete`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub incomplete: Option<String>,
    pub ended_utc: Option<String>,
    pub duration_ms: Option<u64>,
    /// Of the system's clock, while the run went on: its moments are those of a clock of its own.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub clock_moved_ms: Option<i64>,
    pub stop: Option<Stop>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub refused: Vec<Finding>,
    pub excused: Vec<Excused>,
    pub criteria: Vec<CriterionResult>,
    pub who: Option<Who>,
    pub cluster: Cluster,
    pub git: Option<Git>,
    pub options: Option<Options>,
    pub inputs: Vec<Input>,
    pub images: Vec<Image>,
    pub program: Option<Program>,
    pub tools: Vec<ToolWithVersion>,
    pub environment: Vec<String>,
    pub latency: Vec<LatencyFigure>,
    pub redactions: Vec<Redaction>,
    pub previous_run: Option<PreviousRun>,
    pub commands: Vec<Command>,
}

/// What became of the deployment.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Deploy {
    pub ok: bool,
    /// From the first command of step 2 to the end of step 3, in whole seconds.
    pub duration_sec: u64,
}

/// What became of the ten checks.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Smoke {
    pub ok: bool,
    pub checks_passed: usize,
    pub checks_total: usize,
    pub ran: bool,
}

/// The runbook rolls nothing back; the old manifest said so in these keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Rollback {
    pub ok: Option<bool>,
    pub method: String,
    pub duration_sec: Option<u64>,
}

/// Where the evidence was written.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Artifacts {
    pub evidence_dir: Option<String>,
}

/// A sighting that stop rule 2 let pass, and why.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Excused {
    pub pod: String,
    pub status: String,
    pub line: String,
    pub why: String,
}

/// The cluster.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Cluster {
    pub server: Option<String>,
    pub version: Option<String>,
    pub user: Option<String>,
    pub kube_system_uid: Option<String>,
    pub namespace_uid: Option<String>,
}

/// A manifest and what it holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Input {
    pub file: String,
    pub sha256: Option<String>,
    pub objects: Vec<String>,
}

/// A program with its version.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct ToolWithVersion {
    pub name: String,
    pub path: String,
    pub version: Option<String>,
    pub sha256: Option<String>,
}

/// The latency of a group of paths; informational.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct LatencyFigure {
    pub group: String,
    pub samples: usize,
    pub p95_ms: Option<u64>,
    pub limit_ms: u64,
}

/// A command and what came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Command {
    pub id: String,
    pub phase: Phase,
    pub effect: Effect,
    pub text: String,
    pub started: Option<String>,
    pub duration_ms: Option<u64>,
    /// One status a stage; `null` and `unknown` below: it was begun and never ended.
    pub exit: Option<Vec<i32>>,
    pub ended_by: Option<EndedBy>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
    pub stdout: Option<ByteRange>,
    pub stderr: Option<ByteRange>,
}

impl Manifest {
    /// The manifest of these events.
    pub fn fold<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let run = RunState::of(events);
        Self::of(&run, &verdict::judge(&run))
    }

    /// The manifest of a record and what follows from it.
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
                checks_total: CHECKS.len(),
                ran: judgement.smoke_ran,
            },
            rollback: Rollback { ok: None, method: "not executed".to_owned(), duration_sec: None },
            artifacts: Artifacts { evidence_dir: began.as_ref().map(|began| began.evidence_dir.clone()) },
            schema: SCHEMA.to_owned(),
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
            "the pods could not be seen at the end, so stop rule 2 is not judged (list.pods: {why})"
        );
    }
    "the run has not come to its end".to_owned()
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
            let group = LATENCY_GROUPS.iter().find(|group| group.id == latency.id)?;
            Some(LatencyFigure {
                group: group.name.to_owned(),
                samples: latency.samples,
                p95_ms: latency.p95_ms,
                limit_ms: group.limit_ms,
            })
        })
        .collect()
}

fn command(command: &CommandRecord) -> Command {
    let CommandRecord { intent, outcome } = command;
    let outcome = outcome.as_ref();
    Command {
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
        Manifest::fold(&events)
    }

    #[test]
    fn sums_end_at_the_largest_number() {
        const STEP: &str = r#"{"seq":1,"at":"2026-11-26T03:13:42Z","event":"step-ended","step":2,"duration_ms":18446744073709551615}"#;
        const STARTS: &str = r#"{"seq":1,"at":"2026-11-26T03:13:42Z","event":"command-starts","id":"a","phase":"smoke","effect":"reads","text":"a"}"#;
        const ENDED: &str = r#"{"seq":1,"at":"2026-11-26T03:13:42Z","event":"command-ended","id":"a","started":"2026-11-26T03:13:42Z","duration_ms":18446744073709551615,"exit":[1],"ended_by":"itself","stdout":null,"stderr":null,"redactions":[{"file":"f","name":"KEY","count":18446744073709551615}]}"#;
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
        let criterion = manifest.criteria.iter().find(|criterion| criterion.id == "smoke-10-of-10").unwrap();
        assert_eq!(criterion.observed.as_deref(), Some("0/10 PASS"));
        assert!(!manifest.smoke.ok);
    }
}
