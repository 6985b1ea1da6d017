//! Verifies that what a command printed agrees with how it is said to have ended.
//!
//! The walk can't see this: it takes an outcome and the output as they are, and demands what follows from them. An
//! exit code of 0 in place of 1, with the words of a failure still in the output, is found here. Programs are not
//! always of one mind, so only contradictions are found, in the words of the programs that the runbook uses.

use std::io;

use super::outputs::printed;
use super::{Evidence, Kind, Point};
use crate::events::{Began, Intent, Outcome};
use crate::facts::{can_i, curl, rollout};
use crate::interpret;
use crate::runbook::StepId;
use crate::verdict;

pub(super) fn check(evidence: &Evidence) -> io::Result<Point> {
    let run = &evidence.run;
    let mut found = Vec::new();
    for command in &run.commands {
        let Some(outcome) = &command.outcome else { continue };
        let stderr = printed(evidence, outcome.stderr.as_ref())?;
        found.extend(first_error(outcome, &stderr));
        let Some((_, began)) = run.began.as_ref().filter(|_| !outcome.ended_by.is_our_doing()) else {
            continue;
        };
        let contradiction = contradiction(evidence, began, &command.intent, outcome, &stderr)?;
        found.extend(contradiction.map(|why| format!("{}: {why}", outcome.id)));
    }
    let what = format!("what {} commands printed agrees with how they ended", run.commands.len());
    Ok(Point::new(Kind::Truth, what, found))
}

/// Compares the first error of a failed command with its standard error.
fn first_error(outcome: &Outcome, stderr: &[u8]) -> Option<String> {
    let limit = usize::try_from(interpret::FIRST_ERROR_LIMIT).unwrap_or(usize::MAX);
    let failed = outcome.exit.iter().any(|&status| status != 0);
    let is = interpret::first_error(stderr.get(..limit).unwrap_or(stderr)).filter(|_| failed);
    let told =
        |error: &Option<String>| error.as_ref().map_or("none".to_owned(), |error| format!("{error:?}"));
    (is != outcome.first_error).then(|| {
        format!("{}: its first error is {}, not {}", outcome.id, told(&is), told(&outcome.first_error))
    })
}

/// Compares the exit code of a command that ended by itself with its words.
fn contradiction(
    evidence: &Evidence,
    began: &Began,
    intent: &Intent,
    outcome: &Outcome,
    stderr: &[u8],
) -> io::Result<Option<String>> {
    let Some(&exit) = outcome.exit.last() else { return Ok(None) };
    let stdout = || printed(evidence, outcome.stdout.as_ref());
    Ok(match outcome.id {
        StepId::Rollout(_) => rollout::contradiction(exit, &stdout()?, stderr),
        StepId::CanI(_) => can_i::contradiction(exit, &stdout()?),
        StepId::Gate(_) | StepId::Check(_) => {
            curl::contradiction(&urls(evidence, began, intent), exit, Some(&stdout()?), stderr)
        }
        StepId::Latency(_) => curl::contradiction(&urls(evidence, began, intent), exit, None, stderr),
        _ => None,
    })
}

/// Returns the URLs that a curl command requests, in its order.
fn urls(evidence: &Evidence, began: &Began, intent: &Intent) -> Vec<String> {
    let line = evidence.run.runbook.step(&intent.id).map(|step| step.line(began.with_key));
    let pipeline = line.and_then(|line| line.expand(|name| verdict::variable(began, name)).ok());
    let arguments = pipeline.into_iter().flat_map(|pipeline| pipeline.stages).flatten();
    let urls = arguments.filter(|word| word.starts_with("http://") || word.starts_with("https://"));
    if matches!(intent.id, StepId::Latency(_)) {
        urls.flat_map(|url| globbed(&url)).collect()
    } else {
        urls.collect()
    }
}

/// Expands a set and a range at the end of a URL, as curl does without `-g`: the last one varies fastest.
fn globbed(url: &str) -> Vec<String> {
    if let Some((before, (set, after))) =
        url.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
    {
        return set.split(',').flat_map(|one| globbed(&format!("{before}{one}{after}"))).collect();
    }
    let range = url.strip_suffix(']').and_then(|url| url.rsplit_once("#["));
    let ends = range.and_then(|(before, range)| Some((before, range.split_once('-')?)));
    match ends.and_then(|(before, (from, to))| Some((before, from.parse::<u16>().ok()?, to.parse().ok()?))) {
        Some((before, from, to)) => (from..=to).map(|one| format!("{before}#{one}")).collect(),
        None => vec![url.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::globbed;

    #[test]
    fn sets_and_ranges_are_expanded_as_curl_does() {
        for (url, expected) in [
            ("http://a/{b,c}#[1-2]", vec!["http://a/b#1", "http://a/b#2", "http://a/c#1", "http://a/c#2"]),
            ("http://a/b#[9-10]", vec!["http://a/b#9", "http://a/b#10"]),
            ("http://[::1]:80/{b}#[1-1]", vec!["http://[::1]:80/b#1"]),
            ("http://[::1]", vec!["http://[::1]"]),
        ] {
            assert_eq!(globbed(url), expected, "{url}");
        }
    }
}
