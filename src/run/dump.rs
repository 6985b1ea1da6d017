use std::time::Instant;

use super::Run;
use crate::error::Error;
use crate::events::{ByteRange, EventKind};
use crate::facts::pods::Pod;
use crate::moment::millis;
use crate::run_state::RunState;
use crate::runbook::{DEPLOYMENTS, EVIDENCE_FILES, step};
use crate::session::Invocation;
use crate::verdict;

/// How many pods' logs are kept at most: those that fail first, then one of each Deployment.
const MOST_PODS: usize = 8;

/// How much of the end of a log is read to quote its last words, in bytes.
const LAST_WORDS: u64 = 4096;

/// How many lines of a log are quoted.
const LAST_LINES: usize = 3;

impl Run {
    /// Action on STOP: what the cluster can say about it, before it changes.
    pub(super) fn dump(&self) -> Result<(), Error> {
        let start = Instant::now();
        self.recorder.screen(|screen, _| screen.capturing());
        self.know_the_objects()?;
        let cancels = [&*self.signals.first];
        self.all_at_once(&self.invocations(&["dump.describe", "dump.events"])?, &cancels)?;
        for invocation in self.log_invocations()? {
            self.perform_call(&invocation, &mut std::io::sink(), &cancels)?;
        }
        for file in EVIDENCE_FILES.iter().filter(|file| file.only_on_stop) {
            self.tree.touch(file.path)?;
        }
        let last_words = self.last_words()?;
        self.note(EventKind::Dumped { duration_ms: millis(start.elapsed()), last_words })
    }

    /// Pods and Deployments as they are at the STOP, where step 4 was not reached.
    fn know_the_objects(&self) -> Result<(), Error> {
        if self.recorder.read(|run| run.pods_after.is_some()) {
            return Ok(());
        }
        let completed = self.all_at_once(&self.invocations(&["objects.after"])?, &[&*self.signals.first])?;
        completed.iter().try_for_each(|done| self.record_facts(done))
    }

    fn log_invocations(&self) -> Result<Vec<Invocation>, Error> {
        let mut invocations = Vec::new();
        for (pod, crashed) in self.recorder.read(pods_to_hear) {
            invocations.push(self.invocation(step("dump.logs"), &[("POD", &pod)])?);
            if let Some(container) = crashed {
                invocations.push(
                    self.invocation(step("dump.previous"), &[("POD", &pod), ("CONTAINER", &container)])?,
                );
            }
        }
        Ok(invocations)
    }

    /// The end of what the failing container had printed.
    fn last_words(&self) -> Result<Option<String>, Error> {
        let range = self.recorder.read(|run| {
            let pod = verdict::judge(run).stop?.saw.pod?;
            let log = |id: &str| {
                let of_pod = format!(" -- {}", crate::command::quote(&pod));
                let mut logs = run.commands.iter().filter(|command| command.intent.id == id);
                logs.find(|command| command.intent.text.ends_with(&of_pod))?.outcome.as_ref()?.stdout.clone()
            };
            log("dump.previous").or_else(|| log("dump.logs"))
        });
        let Some(ByteRange { file, from, to }) = range else { return Ok(None) };
        let end = ByteRange { file, from: from.max(to.saturating_sub(LAST_WORDS)), to };
        let text = String::from_utf8_lossy(&self.tree.read(Some(&end))?).into_owned();
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = lines.get(lines.len().saturating_sub(LAST_LINES)..).unwrap_or_default();
        // `--prefix` names the pod and the container before each line: it is known here.
        let words: Vec<&str> =
            last.iter().map(|line| line.split_once("] ").map_or(*line, |(_, words)| words)).collect();
        Ok((!words.is_empty()).then(|| words.join("\n")))
    }
}

/// The pods whose logs are kept, each with the container whose previous log is, too.
fn pods_to_hear(run: &RunState) -> Vec<(String, Option<String>)> {
    let Some((_, pods)) = &run.pods_after else { return Vec::new() };
    let seen = verdict::judge(run).stop.and_then(|stop| stop.saw.pod);
    let stopped = pods.iter().filter(|pod| Some(&pod.name) == seen.as_ref());
    let failing = pods.iter().filter(|pod| pod.failing().is_some() || !pod.running());
    let of_each = DEPLOYMENTS
        .iter()
        .filter_map(|deployment| pods.iter().find(|pod| pod.deployment.as_deref() == Some(deployment.name)));
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
