use std::time::{Duration, Instant};

use serde::Serialize;

use super::commands::{Call, Done};
use super::{Break, Run, describe};
use crate::error::Error;
use crate::events::{Outcome, What};
use crate::facts::curl::Transfer;
use crate::facts::{curl, latency};
use crate::moment::millis;
use crate::record::Record;
use crate::runbook::{BODY_CHECKS, CHECKS, Check, LATENCY_GROUPS, check_step, step};
use crate::verdict;

/// How long it is from one question for `/health` and `/readyz` to the next.
const BETWEEN_ASKS: Duration = Duration::from_secs(1);

/// The checks whose request and answer stand in `http_samples.log`.
const SAMPLED: [u8; 3] = [1, 2, 10];

impl Run {
    /// Step 5.
    pub(super) fn smoke(&self, rolled_out: Instant) -> Result<(), Break> {
        let start = Instant::now();
        self.await_health(rolled_out)?;
        self.check()?;
        self.sample_latency()?;
        self.step_ended(5, start)
    }

    /// Stop rule 3: both paths are asked once a second, from the end of the rollout on, until they answer 200.
    fn await_health(&self, rolled_out: Instant) -> Result<(), Break> {
        let limit = Duration::from_millis(self.job.options.health_timeout_ms);
        let mut pending = vec![("gate.health", "/health"), ("gate.readyz", "/readyz")];
        for asks in 1.. {
            let ids: Vec<&str> = pending.iter().map(|(id, _)| *id).collect();
            let dones = self.side_by_side(&self.calls(&ids)?)?;
            let waited = rolled_out.elapsed();
            let mut still = Vec::new();
            for ((id, path), done) in pending.iter().zip(&dones) {
                let http_status = self.transfer(done)?.http_status;
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
        for (check, done) in CHECKS.iter().zip(&dones) {
            let transfer = self.transfer(done)?;
            self.note(What::CheckAnswered { check: check.number, url: self.url(check), transfer })?;
        }
        self.write_results(&dones)?;
        self.judge_bodies()?;
        self.go_on()
    }

    fn judge_bodies(&self) -> Result<(), Break> {
        let tag = &self.job.inputs.image_tag;
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
        for (group, done) in LATENCY_GROUPS.iter().zip(self.side_by_side(&calls)?) {
            let transfers = curl::transfers(&self.stderr(&done)?);
            let answered: Vec<u64> = transfers
                .iter()
                .filter(|transfer| transfer.exit_code == 0)
                .map(|transfer| transfer.latency_ms)
                .collect();
            self.note(What::LatencySampled {
                id: group.id.to_owned(),
                samples: answered.len(),
                p95_ms: latency::p95(&answered),
            })?;
        }
        Ok(())
    }

    fn write_results(&self, dones: &[Done]) -> Result<(), Break> {
        let results = self.ledger.read(|record| Results::of(record, self.job.inputs.api_key.is_some()));
        let json = serde_json::to_string_pretty(&results).map_err(|error| Error::Evidence(error.into()))?;
        self.tree.replace_text("smoke/results.json", &format!("{json}\n")).map_err(Error::from)?;
        let mut samples = String::new();
        for (check, done) in CHECKS.iter().zip(dones).filter(|(check, _)| SAMPLED.contains(&check.number)) {
            samples.push_str(&describe::sample(&check.name(true), &self.url(check), &self.stdout(done)?));
        }
        self.tree.replace_text("smoke/http_samples.log", &samples).map_err(Error::from)?;
        Ok(())
    }

    fn url(&self, check: &Check) -> String {
        format!("{}{}", self.job.inputs.value(check.base).unwrap_or_default(), check.path)
    }

    /// curl's numbers; an answer that curl could not even report is no answer.
    fn transfer(&self, done: &Done) -> Result<Transfer, Error> {
        let transfers = curl::transfers(&self.stderr(done)?);
        Ok(transfers.into_iter().last().unwrap_or_else(|| no_answer(&done.outcome)))
    }
}

fn no_answer(outcome: &Outcome) -> Transfer {
    Transfer {
        http_status: "000".to_owned(),
        latency_ms: outcome.duration_ms,
        exit_code: outcome.exit.last().copied().unwrap_or(-1),
        error: outcome.said.clone().or(outcome.ended_by.says().map(str::to_owned)),
        content_type: None,
        redirect_url: None,
        remote_ip: None,
        tls_verify: None,
    }
}

/// `smoke/results.json`: the old script's keys first.
#[derive(Serialize)]
struct Results {
    checks: Vec<CheckResult>,
}

#[derive(Serialize)]
struct CheckResult {
    name: String,
    url: String,
    pass: bool,
    http_status: String,
    latency_ms: u64,
    expected: Vec<&'static str>,
    curl_exit: i32,
    error: Option<String>,
    content_type: Option<String>,
    redirect_url: Option<String>,
    response: Option<String>,
}

impl Results {
    fn of(record: &Record, with_key: bool) -> Self {
        let checks = record
            .checks
            .iter()
            .zip(CHECKS)
            .map(|(answer, check)| CheckResult {
                name: check.name(with_key),
                url: answer.url.clone(),
                pass: verdict::passes(record, answer, &verdict::as_judged),
                http_status: answer.transfer.http_status.clone(),
                latency_ms: answer.transfer.latency_ms,
                expected: check.accepted(with_key).to_vec(),
                curl_exit: answer.transfer.exit_code,
                error: answer.transfer.error.clone(),
                content_type: answer.transfer.content_type.clone(),
                redirect_url: answer.transfer.redirect_url.clone(),
                response: record
                    .outcome(&check.id())
                    .and_then(|outcome| outcome.stdout.as_ref())
                    .map(|stretch| stretch.file.clone()),
            })
            .collect();
        Self { checks }
    }
}
