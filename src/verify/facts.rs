//! Verifies that the events of the journal follow from the recorded output of the commands, and the other way
//! round.

use std::collections::BTreeMap;
use std::io;

use super::{Evidence, Kind, Point, clipped};
use crate::events::{ByteRange, Event, EventKind, ManifestFile, Outcome};
use crate::evidence::sha256_of_bytes;
use crate::facts::manifest_text;
use crate::interpret::{self, CommandOutput};
use crate::runbook::StepId;

pub(super) fn checks(evidence: &Evidence) -> io::Result<Vec<Point>> {
    let (facts, read) = facts(evidence)?;
    Ok(vec![
        Point::new(Kind::Truth, format!("{read} facts follow from what the commands printed"), facts),
        Point::new(Kind::Truth, "each byte of an output belongs to one command", ranges(evidence)),
        Point::new(Kind::Truth, "the manifests are the ones that were read", manifests(evidence)?),
        Point::new(Kind::Truth, "/health and /readyz answered as recorded", health(evidence)?),
    ])
}

/// Returns the recorded output of a command; empty if there is none.
pub(super) fn printed(evidence: &Evidence, range: Option<&ByteRange>) -> io::Result<Vec<u8>> {
    let Some(range) = range else { return Ok(Vec::new()) };
    let bytes = if evidence.has(&range.file) { evidence.tree.read(Some(range))? } else { Vec::new() };
    Ok(bytes)
}

/// Returns the outcomes in the journal, in its order.
pub(super) fn outcomes(events: &[Event]) -> impl Iterator<Item = &Outcome> {
    events.iter().filter_map(|event| match &event.kind {
        EventKind::CommandEnded(outcome) => Some(outcome),
        _ => None,
    })
}

/// Compares the events read again from the output with the events of the journal; returns the findings, and
/// the number of events compared.
fn facts(evidence: &Evidence) -> io::Result<(Vec<String>, usize)> {
    let mut follow = Vec::new();
    let mut found = Vec::new();
    for outcome in outcomes(&evidence.events) {
        let stderr = printed(evidence, outcome.stderr.as_ref())?;
        let failed = outcome.exit.iter().any(|&status| status != 0);
        let first = stderr
            .get(..usize::try_from(interpret::FIRST_ERROR_LIMIT).unwrap_or(usize::MAX))
            .unwrap_or(&stderr);
        if failed && !stderr.is_empty() && outcome.first_error != interpret::first_error(first) {
            found.push(format!("{}: its first error is not {:?}", outcome.id, outcome.first_error));
        }
        // Its output may contain a password and is not recorded.
        if outcome.id == StepId::Context {
            continue;
        }
        let stdout = printed(evidence, interpret::needed_stdout(outcome))?;
        match interpret::events(&evidence.run, &CommandOutput { outcome, stdout: &stdout, stderr: &stderr }) {
            Ok(events) => follow.extend(events.into_iter().map(|what| (&outcome.id, what))),
            // This error is the recorded reason why the run failed.
            Err(error)
                if evidence.run.failed.as_deref().is_some_and(|why| why.contains(&error.to_string())) => {}
            Err(error) => found.push(format!("{}: {error}", outcome.id)),
        }
    }
    let mut told: Vec<&EventKind> =
        evidence.events.iter().map(|event| &event.kind).filter(|what| is_read(what)).collect();
    let number = told.len();
    for (id, what) in follow {
        match told.iter().position(|told| **told == what) {
            Some(at) => drop(told.remove(at)),
            // A run that was ended early did not read every output.
            None if !evidence.is_whole() || evidence.stopped() => {}
            None => found.push(format!("{id}: the journal lacks what follows from its output")),
        }
    }
    found.extend(told.into_iter().map(|what| {
        format!(
            "the journal has what follows from no output: {}",
            clipped(serde_json::to_string(what).unwrap_or_default(), 160)
        )
    }));
    Ok((found, number))
}

/// Returns whether an event is of a kind that follows from the recorded output of a command.
fn is_read(what: &EventKind) -> bool {
    matches!(
        what,
        EventKind::ToolVersion(_)
            | EventKind::ServerVersion { .. }
            | EventKind::ClusterUser { .. }
            | EventKind::NamespaceUid { .. }
            | EventKind::PermissionAnswered { .. }
            | EventKind::Rendered { .. }
            | EventKind::WouldLand { .. }
            | EventKind::PodsBefore { .. }
            | EventKind::Generations { .. }
            | EventKind::Applied { .. }
            | EventKind::RolloutEnded { .. }
            | EventKind::DeploymentsAfter { .. }
            | EventKind::Endpoints { .. }
            | EventKind::PodsAfter { .. }
            | EventKind::CheckAnswered { .. }
            | EventKind::LatencySampled { .. }
    )
}

/// Checks that the byte ranges of the commands cover each file without a gap, and that the file contains
/// nothing else.
fn ranges(evidence: &Evidence) -> Vec<String> {
    let mut of_files = BTreeMap::<&str, Vec<&ByteRange>>::new();
    for outcome in outcomes(&evidence.events) {
        for range in outcome.stdout.iter().chain(&outcome.stderr) {
            of_files.entry(&range.file).or_default().push(range);
        }
    }
    let mut found = Vec::new();
    for (file, mut ranges) in of_files {
        ranges.sort_by_key(|range| range.from);
        let mut end = 0;
        for range in ranges {
            if range.from != end || range.to <= range.from {
                found.push(format!(
                    "{file}: bytes {} to {} do not follow on byte {end}",
                    range.from, range.to
                ));
            }
            end = range.to;
        }
        if !evidence.has(file) {
            found.push(format!("{file} is missing, but commands printed into it"));
            continue;
        }
        let length = evidence.tree.path(file).symlink_metadata().map_or(0, |metadata| metadata.len());
        // The output of a command that was ended with the run is in the file, but its range is not in the
        // journal.
        let fits = if evidence.is_whole() { length == end } else { length >= end };
        if !fits {
            found.push(format!("{file} has {length} bytes, and the commands printed {end}"));
        }
    }
    found
}

/// Compares the recorded manifests with the facts recorded about them.
fn manifests(evidence: &Evidence) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for manifest in &evidence.run.manifests {
        let file = format!("inputs/{}", manifest.file);
        if !evidence.has(&file) {
            let refused =
                manifest.unreadable.is_some() || manifest.holds_secret || !manifest.holds_named.is_empty();
            if !refused {
                found.push(format!("{file} is missing"));
            }
            continue;
        }
        let bytes = fs_err::read(evidence.tree.path(&file))?;
        let again = ManifestFile {
            sha256: Some(sha256_of_bytes(&bytes)),
            blank: manifest_text::is_blank(&bytes),
            holds_secret: manifest_text::holds_secret(&bytes),
            placeholders: manifest_text::placeholders(&bytes).into_iter().collect(),
            ..manifest.clone()
        };
        if again != *manifest {
            found.push(format!("{file} is not the manifest that was read"));
        }
    }
    Ok(found)
}

/// Compares the recorded results of the health gate (stop rule 3) with the recorded answers.
fn health(evidence: &Evidence) -> io::Result<Vec<String>> {
    let limit = evidence.run.began.as_ref().map(|(_, began)| began.options.health_timeout_ms);
    let mut found = Vec::new();
    for health in &evidence.run.health {
        let asked: Vec<&Outcome> =
            outcomes(&evidence.events).filter(|outcome| outcome.id == health.id).collect();
        let answered = match asked.last() {
            Some(outcome) => {
                let stderr = printed(evidence, outcome.stderr.as_ref())?;
                interpret::transfer(&CommandOutput { outcome, stdout: &[], stderr: &stderr }).http_status
            }
            None => "nothing".to_owned(),
        };
        if answered != health.http_status {
            found.push(format!("{}: it answered {answered}, not {}", health.id, health.http_status));
        }
        if u32::try_from(asked.len()) != Ok(health.asks) {
            found.push(format!("{}: it was requested {} times, not {}", health.id, asked.len(), health.asks));
        }
        if let Some(limit) = limit.filter(|limit| *limit != health.limit_ms) {
            found.push(format!("{}: the run's limit is {limit} ms, not {} ms", health.id, health.limit_ms));
        }
    }
    Ok(found)
}
