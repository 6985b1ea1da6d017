use serde::Serialize;

use crate::events::Outcome;
use crate::facts::http;
use crate::run_state::RunState;
use crate::runbook::CHECKS;
use crate::verdict;

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

/// `smoke/results.json`: each check and its answer, the old script's keys first.
pub fn results(run: &RunState) -> String {
    let with_key = run.with_key();
    let checks = run
        .checks
        .iter()
        .zip(CHECKS)
        .map(|(answer, check)| CheckResult {
            name: check.name(with_key),
            url: answer.url.clone(),
            pass: verdict::passes(run, answer, &verdict::as_judged),
            http_status: answer.transfer.http_status.clone(),
            latency_ms: answer.transfer.latency_ms,
            expected: check.accepted(with_key).to_vec(),
            curl_exit: answer.transfer.exit_code,
            error: answer.transfer.error.clone(),
            content_type: answer.transfer.content_type.clone(),
            redirect_url: answer.transfer.redirect_url.clone(),
            response: run
                .outcome(&check.id())
                .and_then(|outcome| outcome.stdout.as_ref())
                .map(|range| range.file.clone()),
        })
        .collect();
    // What holds only texts and numbers always becomes JSON.
    serde_json::to_string_pretty(&Results { checks }).map(|json| json + "\n").unwrap_or_default()
}

/// The checks whose request and answer stand in `http_samples.log`.
const SAMPLED: [u8; 3] = [1, 2, 10];

/// `smoke/http_samples.log`: requests and answers of the checks the runbook names; `answer` reads the one to a command.
///
/// # Errors
/// When it can't be read.
pub fn http_samples<E>(run: &RunState, answer: impl Fn(&Outcome) -> Result<Vec<u8>, E>) -> Result<String, E> {
    let asked = CHECKS.iter().zip(&run.checks).filter(|(check, _)| SAMPLED.contains(&check.number));
    let samples = asked.map(|(check, asked)| {
        let answer = run.outcome(&check.id()).map_or_else(|| Ok(Vec::new()), &answer)?;
        Ok(sample(&check.name(true), &asked.url, &answer))
    });
    samples.collect()
}

/// How much of a body a sample shows, in bytes.
const SAMPLE: usize = 2048;

/// One request and its answer, for `smoke/http_samples.log`.
fn sample(name: &str, url: &str, answer: &[u8]) -> String {
    let answer = http::split(answer);
    let body = String::from_utf8_lossy(answer.body.get(..SAMPLE).unwrap_or(answer.body));
    let cut = if answer.body.len() > SAMPLE {
        format!("\n… {} bytes in all, see smoke/responses/", answer.body.len())
    } else {
        String::new()
    };
    format!("> {name}\n> {url}\n{}\n{body}{cut}\n\n", String::from_utf8_lossy(answer.head).trim_end())
}
