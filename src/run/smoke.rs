use std::time::{Duration, Instant};

use super::{Interruption, Run};
use crate::error::Error;
use crate::events::{EventKind, Outcome};
use crate::interpret::{self, CommandOutput};
use crate::moment::millis;
use crate::runbook::{BODY_CHECKS, CHECKS, LATENCY_GROUPS, check_step, step};
use crate::session::{Completed, Invocation};
use crate::{documents, verdict};

/// How long it is from one question for `/health` and `/readyz` to the next.
const BETWEEN_ASKS: Duration = Duration::from_secs(1);

impl Run {
    /// Step 5.
    pub(super) fn smoke(&self) -> Result<(), Interruption> {
        let start = Instant::now();
        self.await_health()?;
        self.check()?;
        self.sample_latency()?;
        self.step_ended(5, start)
    }

    /// Stop rule 3: both paths are asked once a second until they answer 200.
    fn await_health(&self) -> Result<(), Interruption> {
        let first_asked = Instant::now();
        let limit = Duration::from_millis(self.job.options.health_timeout_ms);
        let mut pending = vec![("gate.health", "/health"), ("gate.readyz", "/readyz")];
        for asks in 1.. {
            let ids: Vec<&str> = pending.iter().map(|(id, _)| *id).collect();
            let completed = self.side_by_side(&self.invocations(&ids)?)?;
            let waited = first_asked.elapsed();
            let mut still = Vec::new();
            for ((id, path), done) in pending.iter().zip(&completed) {
                let http_status = self.http_status(done)?;
                if http_status != "200" && waited < limit {
                    still.push((*id, *path));
                    continue;
                }
                self.note(EventKind::HealthAsked {
                    id: (*id).to_owned(),
                    path: (*path).to_owned(),
                    asks,
                    http_status,
                    waited_ms: millis(waited),
                    limit_ms: millis(limit),
                })?;
            }
            self.check_may_continue()?;
            if still.is_empty() {
                break;
            }
            pending = still;
            self.stop.wait(BETWEEN_ASKS.min(limit.saturating_sub(waited)));
            self.check_may_continue()?;
        }
        Ok(())
    }

    /// The ten checks side by side, and what `jq` says of their answers.
    fn check(&self) -> Result<(), Interruption> {
        let with_key = self.job.inputs.api_key.is_some();
        let invocations: Vec<Invocation> = CHECKS
            .iter()
            .map(|check| self.invocation(&check_step(check, with_key), &[]))
            .collect::<Result<_, Error>>()?;
        let completed = self.side_by_side(&invocations)?;
        completed.iter().try_for_each(|done| self.record_facts(done))?;
        self.write_results()?;
        self.judge_bodies()?;
        self.check_may_continue()
    }

    fn judge_bodies(&self) -> Result<(), Interruption> {
        let tag = &self.job.inputs.target.image_tag;
        let answered = |check: u8| {
            self.recorder.read(|run| {
                run.checks.iter().any(|answer| answer.number == check && answer.transfer.http_status != "000")
            })
        };
        let ids: Vec<&str> = BODY_CHECKS
            .iter()
            .filter(|check| verdict::can_judge_body(check, tag) && answered(check.check))
            .map(|check| check.id)
            .collect();
        self.side_by_side(&self.invocations(&ids)?)?;
        Ok(())
    }

    /// The runbook's latency figures need more than one sample; informational.
    fn sample_latency(&self) -> Result<(), Interruption> {
        let ids: Vec<&str> = LATENCY_GROUPS.iter().map(|group| group.id).collect();
        let invocations =
            ids.iter().map(|id| self.invocation(step(id), &[])).collect::<Result<Vec<_>, _>>()?;
        self.side_by_side(&invocations)?.iter().try_for_each(|done| self.record_facts(done))?;
        Ok(())
    }

    /// `results.json` and `http_samples.log`.
    fn write_results(&self) -> Result<(), Interruption> {
        let answer = |outcome: &Outcome| self.tree.read(outcome.stdout.as_ref());
        let (results, samples) =
            self.recorder.read(|run| (documents::results(run), documents::http_samples(run, answer)));
        self.tree.replace_text("smoke/results.json", &results).map_err(Error::from)?;
        self.tree
            .replace_text("smoke/http_samples.log", &samples.map_err(Error::from)?)
            .map_err(Error::from)?;
        Ok(())
    }

    fn http_status(&self, done: &Completed) -> Result<String, Error> {
        let stderr = done.stderr(&self.tree)?;
        let printed = CommandOutput { outcome: &done.outcome, stdout: &[], stderr: &stderr };
        Ok(interpret::transfer(&printed).http_status)
    }
}
