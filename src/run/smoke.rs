use std::time::{Duration, Instant};

use super::{Break, Run};
use crate::error::Error;
use crate::events::{Outcome, What};
use crate::moment::millis;
use crate::perform::{Call, Done};
use crate::reading::{self, Printed};
use crate::runbook::{BODY_CHECKS, CHECKS, LATENCY_GROUPS, check_step, step};
use crate::{texts, verdict};

/// How long it is from one question for `/health` and `/readyz` to the next.
const BETWEEN_ASKS: Duration = Duration::from_secs(1);

impl Run {
    /// Step 5.
    pub(super) fn smoke(&self) -> Result<(), Break> {
        let start = Instant::now();
        self.await_health()?;
        self.check()?;
        self.sample_latency()?;
        self.step_ended(5, start)
    }

    /// Stop rule 3: both paths are asked once a second until they answer 200.
    fn await_health(&self) -> Result<(), Break> {
        let first_asked = Instant::now();
        let limit = Duration::from_millis(self.job.options.health_timeout_ms);
        let mut pending = vec![("gate.health", "/health"), ("gate.readyz", "/readyz")];
        for asks in 1.. {
            let ids: Vec<&str> = pending.iter().map(|(id, _)| *id).collect();
            let dones = self.side_by_side(&self.calls(&ids)?)?;
            let waited = first_asked.elapsed();
            let mut still = Vec::new();
            for ((id, path), done) in pending.iter().zip(&dones) {
                let http_status = self.http_status(done)?;
                if http_status != "200" && waited < limit {
                    still.push((*id, *path));
                    continue;
                }
                self.note(What::HealthAsked {
                    id: (*id).to_owned(),
                    path: (*path).to_owned(),
                    asks,
                    http_status,
                    waited_ms: millis(waited),
                    limit_ms: millis(limit),
                })?;
            }
            self.go_on()?;
            if still.is_empty() {
                break;
            }
            pending = still;
            self.stop.wait(BETWEEN_ASKS.min(limit.saturating_sub(waited)));
            self.go_on()?;
        }
        Ok(())
    }

    /// The ten checks side by side, and what `jq` says of their answers.
    fn check(&self) -> Result<(), Break> {
        let with_key = self.job.inputs.api_key.is_some();
        let calls: Vec<Call> = CHECKS
            .iter()
            .map(|check| self.call(&check_step(check, with_key), &[]))
            .collect::<Result<_, Error>>()?;
        let dones = self.side_by_side(&calls)?;
        dones.iter().try_for_each(|done| self.take_in(done))?;
        self.write_results()?;
        self.judge_bodies()?;
        self.go_on()
    }

    fn judge_bodies(&self) -> Result<(), Break> {
        let tag = &self.job.inputs.target.image_tag;
        let answered = |check: u8| {
            self.ledger.read(|record| {
                record
                    .checks
                    .iter()
                    .any(|answer| answer.number == check && answer.transfer.http_status != "000")
            })
        };
        let ids: Vec<&str> = BODY_CHECKS
            .iter()
            .filter(|check| verdict::can_judge_body(check, tag) && answered(check.check))
            .map(|check| check.id)
            .collect();
        self.side_by_side(&self.calls(&ids)?)?;
        Ok(())
    }

    /// The runbook's latency figures need more than one sample; informational.
    fn sample_latency(&self) -> Result<(), Break> {
        let ids: Vec<&str> = LATENCY_GROUPS.iter().map(|group| group.id).collect();
        let calls = ids.iter().map(|id| self.call(step(id), &[])).collect::<Result<Vec<_>, _>>()?;
        self.side_by_side(&calls)?.iter().try_for_each(|done| self.take_in(done))?;
        Ok(())
    }

    /// `results.json` and `http_samples.log`.
    fn write_results(&self) -> Result<(), Break> {
        let answer = |outcome: &Outcome| self.tree.read(outcome.stdout.as_ref());
        let (results, samples) =
            self.ledger.read(|record| (texts::results(record), texts::http_samples(record, answer)));
        self.tree.replace_text("smoke/results.json", &results).map_err(Error::from)?;
        self.tree
            .replace_text("smoke/http_samples.log", &samples.map_err(Error::from)?)
            .map_err(Error::from)?;
        Ok(())
    }

    fn http_status(&self, done: &Done) -> Result<String, Error> {
        let stderr = done.stderr(&self.tree)?;
        let printed = Printed { outcome: &done.outcome, stdout: &[], stderr: &stderr };
        Ok(reading::transfer(&printed).http_status)
    }
}
