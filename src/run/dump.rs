//! The runbook's action on STOP: records `describe`, events and logs before the state of the cluster changes.

use std::time::Instant;

use super::Run;
use crate::error::Error;
use crate::events::{ByteRange, EventKind};
use crate::facts::pods::Pod;
use crate::moment::millis;
use crate::run_state::RunState;
use crate::runbook::{Deployment, StepId};
use crate::session::{Copies, Invocation};
use crate::verdict;

/// The maximum number of pods whose logs are recorded: first the failing pods, then one of each Deployment.
const MOST_PODS: usize = 8;

/// The length of the end of a log that is searched for its last lines, in bytes.
const LAST_WORDS: u64 = 4096;

/// The number of lines of a log that are quoted.
const LAST_LINES: usize = 3;

impl Run {
    /// Records the state of the cluster after a STOP.
    pub(super) fn dump(&self) -> Result<(), Error> {
        let start = Instant::now();
        self.recorder.screen(|screen, _| screen.capturing());
        self.know_the_objects()?;
        let cancels = [&*self.signals.first];
        self.all_at_once(&self.invocations(&[StepId::DumpDescribe, StepId::DumpEvents])?, &cancels)?;
        for invocation in self.log_invocations()? {
            let copies = Copies { redacted: &mut std::io::sink(), raw: &mut std::io::sink() };
            self.perform_invocation(&invocation, copies, &cancels)?;
        }
        for file in self.job.runbook.evidence_files.iter().filter(|file| file.only_on_stop) {
            self.tree.touch(&file.path)?;
        }
        let last_words = self.last_words()?;
        self.note(EventKind::Dumped { duration_ms: millis(start.elapsed()), last_words })
    }

    /// Reads the pods and Deployments at the STOP, unless step 4 did it already.
    fn know_the_objects(&self) -> Result<(), Error> {
        if self.recorder.read(|run| run.pods_after.is_some()) {
            return Ok(());
        }
        let completed =
            self.all_at_once(&self.invocations(&[StepId::ObjectsAfter])?, &[&*self.signals.first])?;
        completed.iter().try_for_each(|done| self.record_facts(done))
    }

    fn log_invocations(&self) -> Result<Vec<Invocation>, Error> {
        let mut invocations = Vec::new();
        for (pod, crashed) in self.recorder.read(pods_to_hear) {
            invocations.push(self.invocation_about(&StepId::DumpLogs, &[("POD", &pod)])?);
            if let Some(container) = crashed {
                let met = [("POD", pod.as_str()), ("CONTAINER", container.as_str())];
                invocations.push(self.invocation_about(&StepId::DumpPrevious, &met)?);
            }
        }
        Ok(invocations)
    }

    /// Returns the last lines that the failing container printed; `None` if there are none.
    fn last_words(&self) -> Result<Option<String>, Error> {
        let range = self.recorder.read(|run| {
            let pod = verdict::judge(run).stop?.saw.pod?;
            let log = |id: &StepId| {
                let mut logs = run.commands.iter().filter(|command| command.intent.id == *id);
                logs.find(|command| command.intent.met.get("POD") == Some(&pod))?
                    .outcome
                    .as_ref()?
                    .stdout
                    .clone()
            };
            log(&StepId::DumpPrevious).or_else(|| log(&StepId::DumpLogs))
        });
        let Some(ByteRange { file, from, to }) = range else { return Ok(None) };
        let end = ByteRange { file, from: from.max(to.saturating_sub(LAST_WORDS)), to };
        let text = String::from_utf8_lossy(&self.tree.read(Some(&end))?).into_owned();
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = lines.get(lines.len().saturating_sub(LAST_LINES)..).unwrap_or_default();
        // `--prefix` puts the pod and the container before each line. Both are known here, so the prefix is
        // removed.
        let words: Vec<&str> =
            last.iter().map(|line| line.split_once("] ").map_or(*line, |(_, words)| words)).collect();
        Ok((!words.is_empty()).then(|| words.join("\n")))
    }
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
