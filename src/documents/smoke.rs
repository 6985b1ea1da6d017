//! Renders the results of the smoke checks: `smoke/results.json` and `smoke/http_samples.log`.
//!
//! The keys that the former script wrote come first and keep their names.

use serde::Serialize;

use crate::events::ByteRange;
use crate::facts::http;
use crate::run_state::RunState;
use crate::runbook::{Check, HealthPath};
use crate::schema::File;
use crate::verdict;

/// The content of `smoke/results.json`; the keys of the former script come first.
#[derive(Serialize)]
struct Results<'a> {
    checks: Vec<CheckResult<'a>>,
    schema: String,
}

#[derive(Serialize)]
struct CheckResult<'a> {
    name: String,
    url: String,
    pass: bool,
    http_status: String,
    latency_ms: u64,
    expected: &'a [String],
    curl_exit: i32,
    error: Option<String>,
    content_type: Option<String>,
    redirect_url: Option<String>,
    response: Option<String>,
}

/// Renders `smoke/results.json`: each check and its answer, with the keys of the former script first.
pub fn results(run: &RunState) -> String {
    let with_key = run.with_key();
    let checks = run
        .checks
        .iter()
        .filter_map(|answer| Some((answer, run.runbook.check(answer.number)?)))
        .map(|(answer, check)| CheckResult {
            name: check.name(with_key),
            url: answer.url.clone(),
            pass: verdict::passes(run, answer),
            http_status: answer.transfer.http_status.clone(),
            latency_ms: answer.transfer.latency_ms,
            expected: check.accepted(with_key),
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
    // Serializing a value that contains only strings and numbers can't fail.
    serde_json::to_string_pretty(&Results { checks, schema: File::Results.schema() })
        .map(|json| json + "\n")
        .unwrap_or_default()
}

/// Returns whether `http_samples.log` contains a check: the two of stop rule 3, and the check with the API
/// key.
fn is_sampled(check: &Check) -> bool {
    check.takes_key() || HealthPath::ALL.iter().any(|path| check.path == path.path())
}

/// Renders `smoke/http_samples.log`: requests and answers of the checks that the runbook names.
///
/// `answer` returns the recorded bytes of a range. Only the first bytes of a response are read, because its
/// body may be long.
///
/// # Errors
/// When `answer` fails to read it.
pub fn http_samples<E>(
    run: &RunState,
    answer: impl Fn(&ByteRange) -> Result<Vec<u8>, E>,
) -> Result<String, E> {
    let checks = run.checks.iter().filter_map(|asked| Some((run.runbook.check(asked.number)?, asked)));
    let asked = checks.filter(|(check, _)| is_sampled(check));
    let samples = asked.map(|(check, asked)| {
        let range = run.outcome(&check.id()).and_then(|outcome| outcome.stdout.as_ref());
        let first = range.map(|range| ByteRange {
            to: range.to.min(range.from.saturating_add(FIRST_BYTES)),
            ..range.clone()
        });
        let rest = range.zip(first.as_ref()).map_or(0, |(range, first)| range.to.saturating_sub(first.to));
        let answer = first.as_ref().map_or_else(|| Ok(Vec::new()), &answer)?;
        Ok(sample(&check.name(true), &asked.url, &answer, rest))
    });
    samples.collect()
}

/// The longest part of a body that a sample contains, in bytes.
const SAMPLE: usize = 2048;

/// The number of bytes of a response that are read: curl accepts at most 300 KiB of headers, then follows the
/// part of the body that a sample contains.
const FIRST_BYTES: u64 = 1024 * 1024;

/// Renders one request and its answer for `smoke/http_samples.log`; `rest` is the number of bytes after the
/// given ones.
fn sample(name: &str, url: &str, answer: &[u8], rest: u64) -> String {
    let answer = http::split(answer);
    let bytes = answer.body.len() as u64 + rest;
    let body = String::from_utf8_lossy(answer.body.get(..SAMPLE).unwrap_or(answer.body));
    let cut = if bytes > SAMPLE as u64 {
        format!("\n… {bytes} bytes in all, see smoke/responses/")
    } else {
        String::new()
    };
    format!("> {name}\n> {url}\n{}\n{body}{cut}\n\n", String::from_utf8_lossy(answer.head).trim_end())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::command::Effect;
    use crate::fixture;

    #[test]
    fn of_a_long_response_only_the_first_bytes_are_read() {
        let head = "HTTP/1.1 200 OK\r\n\r\n";
        for (body, cut) in [
            (10, None),
            (2048, None),
            (2049, Some("\n… 2049 bytes in all")),
            (3_000_000, Some("\n… 3000000 bytes in all")),
        ] {
            let mut events = fixture::Events::passing();
            events.starts("check.01", Effect::Reads);
            events.ends("check.01", &[0], None).outcome("check.01", |outcome| {
                let to = 7 + head.len() as u64 + body;
                outcome.stdout = Some(ByteRange { file: "x".into(), from: 7, to });
            });
            let most = Cell::new(0);
            let read = |range: &ByteRange| {
                most.set(most.get().max(range.length()));
                let body = "b".repeat(usize::try_from(range.length()).unwrap() - head.len());
                Ok::<_, ()>(format!("{head}{body}").into_bytes())
            };
            let samples = http_samples(&events.run(), read).unwrap();
            assert!(most.get() <= FIRST_BYTES, "{body}");
            assert_eq!(samples.contains(" bytes in all"), cut.is_some(), "{body}");
            assert!(cut.is_none_or(|cut| samples.contains(cut)), "{body}");
        }
    }
}
