//! Step 5 of the runbook: the smoke checks, with the wait for `/health` and `/readyz` before them.

use std::time::{Duration, Instant};

use super::{Interruption, Run};
use crate::error::Error;
use crate::events::{ByteRange, EventKind};
use crate::interpret::{self, CommandOutput};
use crate::moment::millis;
use crate::run_state::CheckRecord;
use crate::runbook::{Check, HealthPath, LatencyGroupId, StepId};
use crate::session::Completed;
use crate::{documents, verdict};

/// The interval between two requests for `/health` and `/readyz`.
const BETWEEN_ASKS: Duration = Duration::from_secs(1);

impl Run {
    /// Step 5: waits for the health paths, runs the ten checks, and samples the latency.
    pub(super) fn smoke(&self) -> Result<(), Interruption> {
        let start = Instant::now();
        self.await_health()?;
        self.check()?;
        self.sample_latency()?;
        self.step_ended(5, start)
    }

    /// Requests both paths of stop rule 3 once a second, until they answer 200 or the time limit is over.
    fn await_health(&self) -> Result<(), Interruption> {
        let first_asked = Instant::now();
        let limit = Duration::from_millis(self.job.options.health_timeout_ms);
        let mut pending = HealthPath::ALL.to_vec();
        for asks in 1.. {
            let ids: Vec<StepId> = pending.iter().map(|path| StepId::Gate(*path)).collect();
            let completed = self.side_by_side(&self.invocations(&ids)?)?;
            let waited = first_asked.elapsed();
            let mut still = Vec::new();
            for (path, done) in pending.iter().zip(&completed) {
                let http_status = self.http_status(done)?;
                if http_status != "200" && waited < limit {
                    still.push(*path);
                    continue;
                }
                self.note(EventKind::HealthAsked {
                    id: StepId::Gate(*path),
                    path: path.path().to_owned(),
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

    /// Runs the ten checks in parallel, and evaluates their answers with `jq`.
    fn check(&self) -> Result<(), Interruption> {
        let ids: Vec<StepId> = self.job.runbook.checks.iter().map(Check::id).collect();
        let completed = self.side_by_side(&self.invocations(&ids)?)?;
        completed.iter().try_for_each(|done| self.record_facts(done))?;
        self.write_results()?;
        self.judge_bodies()?;
        self.check_may_continue()
    }

    fn judge_bodies(&self) -> Result<(), Interruption> {
        let tag = &self.job.inputs.target.image_tag;
        let answered = |path: HealthPath| {
            let number = self.job.runbook.check_of(path).map(|check| check.number);
            self.recorder.read(|run| {
                let of_path = |answer: &&CheckRecord| Some(answer.number) == number;
                run.checks.iter().find(of_path).is_some_and(|answer| answer.transfer.http_status != "000")
            })
        };
        let judged = HealthPath::ALL.into_iter();
        let ids: Vec<StepId> = judged
            .filter(|path| verdict::can_judge_body(*path, tag) && answered(*path))
            .map(StepId::Body)
            .collect();
        self.side_by_side(&self.invocations(&ids)?)?;
        Ok(())
    }

    /// Samples the latency, because the runbook's figures need more than one sample; the result is
    /// informational.
    fn sample_latency(&self) -> Result<(), Interruption> {
        let ids = LatencyGroupId::ALL.map(StepId::Latency);
        let completed = self.side_by_side(&self.invocations(&ids)?)?;
        completed.iter().try_for_each(|done| self.record_facts(done))?;
        Ok(())
    }

    /// Writes `results.json` and `http_samples.log`.
    fn write_results(&self) -> Result<(), Interruption> {
        let answer = |range: &ByteRange| self.tree.read(Some(range));
        let (results, samples) =
            self.recorder.read(|run| (documents::results(run), documents::http_samples(run, answer)));
        self.tree.replace("smoke/results.json", results.as_bytes()).map_err(Error::from)?;
        self.tree
            .replace("smoke/http_samples.log", samples.map_err(Error::from)?.as_bytes())
            .map_err(Error::from)?;
        Ok(())
    }

    fn http_status(&self, done: &Completed) -> Result<String, Error> {
        let stderr = done.stderr(&self.tree)?;
        let printed = CommandOutput { outcome: &done.outcome, stdout: &[], stderr: &stderr };
        Ok(interpret::transfer(&printed).http_status)
    }
}
