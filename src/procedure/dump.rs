//! The action on STOP: `describe`, events and logs, before the state of the cluster changes.

use super::due::{Due, NextCommand};
use super::{Procedure, RecordedOutput};
use crate::events::ByteRange;
use crate::facts::pods::Pod;
use crate::run_state::RunState;
use crate::runbook::{Deployment, StepId};
use crate::verdict;

/// Its steps.
pub(super) const STEPS: &[StepId] =
    &[StepId::DumpDescribe, StepId::DumpEvents, StepId::DumpLogs, StepId::DumpPrevious];

/// The maximum number of pods whose logs are recorded: first the failing pods, then one of each Deployment.
const MOST_PODS: usize = 8;

/// The length of the end of a log that is searched for its last lines, in bytes.
const LAST_WORDS: u64 = 4096;

/// The number of lines of a log that are quoted.
const LAST_LINES: usize = 3;

/// What is due when a stop rule fired.
pub(super) fn dump(run: &RunState) -> Vec<Due> {
    let mut due = vec![Due::StepBegins];
    // Step 4 may have read them already.
    if run.pods_after.is_none() {
        due.extend([Due::run(StepId::ObjectsAfter), Due::Facts]);
    }
    due.push(Due::starts([StepId::DumpDescribe, StepId::DumpEvents].map(NextCommand::of)));
    due.push(Due::then(|procedure, _| Ok(logs(procedure.state()))));
    due.push(Due::then(|procedure, kept| Ok(vec![Due::Dumped(last_words(procedure, kept)?)])));
    due
}

/// The logs, one after the other, since they are kept in one file.
fn logs(run: &RunState) -> Vec<Due> {
    let mut due = Vec::new();
    for (pod, crashed) in pods_to_hear(run) {
        due.push(Due::starts([NextCommand::about(StepId::DumpLogs, &[("POD", &pod)])]));
        if let Some(container) = crashed {
            let met = [("POD", pod.as_str()), ("CONTAINER", container.as_str())];
            due.push(Due::starts([NextCommand::about(StepId::DumpPrevious, &met)]));
        }
    }
    due
}

/// Returns the last lines that the failing container printed; `None` if there are none.
fn last_words(procedure: &Procedure, kept: &dyn RecordedOutput) -> Result<Option<String>, String> {
    let Some(ByteRange { file, from, to }) = log_of_the_failing_pod(procedure.state()) else {
        return Ok(None);
    };
    let end = ByteRange { file, from: from.max(to.saturating_sub(LAST_WORDS)), to };
    let text = kept.read(Some(&end)).map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines.get(lines.len().saturating_sub(LAST_LINES)..).unwrap_or_default();
    // `--prefix` puts the pod and the container before each line. Both are known, so the prefix is removed.
    let words: Vec<&str> =
        last.iter().map(|line| line.split_once("] ").map_or(*line, |(_, words)| words)).collect();
    Ok((!words.is_empty()).then(|| words.join("\n")))
}

fn log_of_the_failing_pod(run: &RunState) -> Option<ByteRange> {
    let pod = verdict::judge(run).stop?.saw.pod?;
    let log = |id: &StepId| {
        let mut logs = run.commands.iter().filter(|command| command.intent.id == *id);
        let log = logs.find(|command| command.intent.met.get("POD") == Some(&pod))?;
        log.outcome.as_ref()?.stdout.clone()
    };
    log(&StepId::DumpPrevious).or_else(|| log(&StepId::DumpLogs))
}

/// Returns the pods whose logs are recorded, each with its restarted container, whose previous log is
/// recorded too.
fn pods_to_hear(run: &RunState) -> Vec<(String, Option<String>)> {
    let Some((_, pods)) = &run.pods_after else { return Vec::new() };
    let seen = verdict::judge(run).stop.and_then(|stop| stop.saw.pod);
    let stopped = pods.iter().filter(|pod| Some(&pod.name) == seen.as_ref());
    let failing = pods.iter().filter(|pod| pod.failing().is_some() || !pod.running());
    let is_of = |pod: &Pod, deployment: &Deployment| pod.deployment.as_ref() == Some(&deployment.name);
    let deployments = run.runbook.deployments.iter();
    let of_each = deployments.filter_map(|deployment| pods.iter().find(|pod| is_of(pod, deployment)));
    let mut heard = Vec::<&Pod>::new();
    for pod in stopped.chain(failing).chain(of_each) {
        if heard.iter().all(|other| other.name != pod.name) {
            heard.push(pod);
        }
    }
    heard.truncate(MOST_PODS);
    heard
        .into_iter()
        .map(|pod| {
            let crashed = pod.containers.iter().find(|container| container.restarts > 0);
            (pod.name.clone(), crashed.map(|container| container.name.clone()))
        })
        .collect()
}
