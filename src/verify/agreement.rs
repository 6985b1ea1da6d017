//! Verifies that what a command printed agrees with how it is said to have ended.
//!
//! The walk can't see this: it takes an outcome and the output as they are, and demands what follows from them. An
//! exit code of 0 in place of 1, with the words of a failure still in the output, is found here. Programs are not
//! always of one mind, so only contradictions are found, in the words of the programs that the runbook uses.

use std::io;

use super::outputs::printed;
use super::{Evidence, Kind, Point};
use crate::events::{Began, ByteRange, EndedBy, EventKind, Intent, Note, Outcome, Redaction};
use crate::evidence::redaction::marker;
use crate::facts::{LAST_OF_ITS_OWN, apply, can_i, context, curl, rollout, stderr};
use crate::interpret::{self, CommandOutput};
use crate::run_state::CommandRecord;
use crate::runbook::{StepId, VersionedTool};
use crate::verdict;

pub(super) fn check(evidence: &Evidence) -> io::Result<Point> {
    let run = &evidence.run;
    let mut found = Vec::new();
    for command in &run.commands {
        let Some(outcome) = &command.outcome else { continue };
        let stderr = printed(evidence, outcome.stderr.as_ref())?;
        found.extend(first_error(outcome, &stderr));
        found.extend(note(outcome));
        found.extend(redactions(evidence, outcome)?);
        let Some((_, began)) = run.began.as_ref().filter(|_| !outcome.ended_by.is_our_doing()) else {
            continue;
        };
        let contradiction = contradiction(evidence, began, &command.intent, outcome, &stderr)?;
        found.extend(contradiction.map(|why| format!("{}: {why}", outcome.id)));
    }
    found.extend(first_sight(evidence)?);
    let what = format!("what {} commands printed agrees with how they ended", run.commands.len());
    Ok(Point::new(Kind::Truth, what, found))
}

/// Compares the rows that the watch is said to have shown before anything was changed with all rows that it printed.
fn first_sight(evidence: &Evidence) -> io::Result<Option<String>> {
    let said = evidence.events.iter().find_map(|event| match event.kind {
        EventKind::FirstSight { rows, .. } => Some(rows),
        _ => None,
    });
    let is_watch = |command: &&CommandRecord| command.intent.id == StepId::WatchPods;
    let watches: Vec<&CommandRecord> = evidence.run.commands.iter().filter(is_watch).collect();
    // The rows of a watch whose end is not in the journal are not known.
    let Some(said) = said.filter(|_| watches.iter().all(|watch| watch.outcome.is_some())) else {
        return Ok(None);
    };
    let mut rows = 0;
    for outcome in watches.iter().filter_map(|watch| watch.outcome.as_ref()) {
        rows += String::from_utf8_lossy(&printed(evidence, outcome.stdout.as_ref())?).lines().count();
    }
    Ok((rows < said)
        .then(|| format!("the watch printed {rows} lines, and is said to have shown {said} rows")))
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

/// Compares the note of a command with how it ended.
fn note(outcome: &Outcome) -> Option<String> {
    match &outcome.note {
        Some(note) if !note.fits(outcome) => {
            Some(format!("{}: no command that ended so has the note {:?}", outcome.id, note.to_string()))
        }
        None if outcome.ended_by == EndedBy::HeldPipes => {
            Some(format!("{}: no note tells of the process that kept its output open", outcome.id))
        }
        _ => None,
    }
}

/// Compares the redactions of a command with the markers in its output; the program may have printed more of them.
fn redactions(evidence: &Evidence, outcome: &Outcome) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for redaction in &outcome.redactions {
        let of_the_file = |range: &&ByteRange| range.file == redaction.file;
        let range = outcome.stdout.iter().chain(&outcome.stderr).find(of_the_file);
        let marker = marker(&redaction.name);
        let markers = String::from_utf8_lossy(&printed(evidence, range)?).matches(&marker).count();
        if u64::try_from(markers).is_ok_and(|markers| markers < redaction.count) {
            let Redaction { file, count, .. } = redaction;
            found.push(format!("{}: {marker} is {markers} times in {file}, not {count} times", outcome.id));
        }
    }
    Ok(found)
}

/// Compares the exit code of a command that ended by itself with its words.
fn contradiction(
    evidence: &Evidence,
    began: &Began,
    intent: &Intent,
    outcome: &Outcome,
    stderr: &[u8],
) -> io::Result<Option<String>> {
    let Some(&exit) = outcome.exit.last().filter(|_| outcome.note != Some(Note::OutputIncomplete)) else {
        return Ok(None);
    };
    let stdout = printed(evidence, outcome.stdout.as_ref())?;
    let answer = Some(&*stdout).filter(|_| !matches!(outcome.id, StepId::Latency(_)));
    if let StepId::Gate(_) | StepId::Check(_) | StepId::Latency(_) = outcome.id {
        let known = curl::Transfers {
            urls: &urls(evidence, began, intent),
            exit,
            answer,
            duration_ms: outcome.duration_ms,
            reports_all: curl_reports_all(evidence),
            is_as_printed: outcome.redactions.is_empty(),
        };
        return Ok(curl::contradiction(&known, stderr));
    }
    let of_the_step =
        of_the_step(evidence, began, outcome, exit, &CommandOutput { outcome, stdout: &stdout, stderr });
    Ok(of_the_step.or_else(|| of_any_kubectl(evidence, outcome, &stdout, stderr)))
}

/// The first curl that reports the URL and the exit code of each transfer.
const CURL_THAT_REPORTS_ALL: (u32, u32) = (7, 75);

fn curl_reports_all(evidence: &Evidence) -> bool {
    let curl = evidence.run.versions.iter().find(|version| version.name == VersionedTool::Curl.name());
    curl.and_then(|version| version.numbers).is_some_and(|numbers| numbers >= CURL_THAT_REPORTS_ALL)
}

/// Compares the exit code with the words that only this step prints. Words with a name are not compared if something
/// was redacted.
fn of_the_step(
    evidence: &Evidence,
    began: &Began,
    outcome: &Outcome,
    exit: i32,
    output: &CommandOutput<'_>,
) -> Option<String> {
    let run = &evidence.run;
    let stdout = output.stdout;
    let names_are_whole = outcome.redactions.is_empty();
    match &outcome.id {
        StepId::CanI(_) => can_i::contradiction(exit, stdout),
        StepId::Rollout(id) if names_are_whole => {
            rollout::contradiction(&run.runbook.deployment(id)?.name, exit, stdout, output.stderr)
        }
        StepId::UseContext if names_are_whole => {
            context::contradiction_of_switch(exit, &began.target.context, stdout)
        }
        StepId::Namespace if names_are_whole && exit == 0 => {
            let namespace = began.target.namespace.as_str();
            let told = String::from_utf8_lossy(stdout);
            let is_told = told.lines().any(|line| line.split_whitespace().next() == Some(namespace));
            (!is_told).then(|| format!("it exited 0, and did not name {namespace}"))
        }
        StepId::Apply(id) if names_are_whole => {
            let file = &run.runbook.deployment(id)?.manifest;
            let landed = run.landings.iter().find(|landed| landed.file == *file)?;
            // A failed stage before it may have left kubectl without a part of the manifest.
            let exit = i32::from(!outcome.succeeded());
            apply::contradiction(exit, &apply::applied(stdout), &landed.objects)
        }
        StepId::Version(_) | StepId::Server | StepId::Whoami if (1..=LAST_OF_ITS_OWN).contains(&exit) => {
            let facts = interpret::events(run, output).unwrap_or_default();
            let is_a_fact = |kind: &EventKind| match kind {
                EventKind::ToolVersion(version) => version.version.is_some(),
                EventKind::ServerVersion { version: fact } | EventKind::ClusterUser { name: fact } => {
                    fact.is_some()
                }
                _ => false,
            };
            facts
                .iter()
                .any(is_a_fact)
                .then(|| format!("it exited {exit}, and printed what it was asked for"))
        }
        _ => None,
    }
}

/// Compares the exit code of a command with words that each kubectl prints, and with silence.
fn of_any_kubectl(evidence: &Evidence, outcome: &Outcome, stdout: &[u8], stderr: &[u8]) -> Option<String> {
    if !outcome.succeeded() {
        return None;
    }
    // kubectl's own error comes last, after those of a credential plugin.
    let last = stderr::errors(stderr).pop();
    if let Some(error) = last.filter(|error| error.starts_with("Error from server")) {
        return Some(format!("it exited 0, and printed {error:?}"));
    }
    let is_kept = evidence.run.runbook.step(&outcome.id).is_some_and(|step| step.files().0.is_some());
    (prints_something(&outcome.id) && is_kept && stdout.is_empty())
        .then(|| "it exited 0, and printed nothing".to_owned())
}

/// Returns whether a step always prints something if it succeeds.
fn prints_something(id: &StepId) -> bool {
    match id {
        StepId::Version(_)
        | StepId::Context
        | StepId::Namespaces
        | StepId::Namespace
        | StepId::Server
        | StepId::Whoami
        | StepId::Uids
        | StepId::ObjectsBefore
        | StepId::ObjectsApplied
        | StepId::ObjectsAfter
        | StepId::ConfirmPod
        | StepId::CanI(_)
        | StepId::Guard(_)
        | StepId::UseContext
        | StepId::Apply(_)
        | StepId::Rollout(_)
        | StepId::Gate(_)
        | StepId::Check(_)
        | StepId::Body(_) => true,
        // A namespace without pods, a manifest without text, a container without a log.
        StepId::StatusBefore
        | StepId::StatusAfter
        | StepId::WatchPods
        | StepId::ListPods
        | StepId::ListLast
        | StepId::Render(_)
        | StepId::Latency(_)
        | StepId::DumpDescribe
        | StepId::DumpEvents
        | StepId::DumpLogs
        | StepId::DumpPrevious => false,
    }
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
