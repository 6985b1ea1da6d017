//! Verifies that each failing pod in the recorded output was judged, and that each conclusion follows from
//! the read of the pod.

use std::collections::BTreeSet;
use std::io;

use super::facts::printed;
use super::{Evidence, Kind, Point};
use crate::events::{Conclusion, EventKind, Sighting};
use crate::facts::pod_table::{self, PodRow, WatchRow};
use crate::interpret::{self, CommandOutput, PodTracker, RowAction, TERMINATING};
use crate::run_state::RunState;
use crate::runbook::StepId;
use crate::verdict;

pub(super) fn check(evidence: &Evidence) -> io::Result<Point> {
    let shown = shown(evidence)?;
    let mut found = not_looked_into(evidence, &shown);
    let sightings: Vec<&Sighting> = evidence.run.sightings.iter().map(|judged| &judged.sighting).collect();
    for sighting in &sightings {
        let is_shown = shown.iter().any(|(command, row)| {
            *command == sighting.command
                && row.text == sighting.line
                && row.name == sighting.pod
                && row.status == sighting.status
        });
        if !is_shown {
            found.push(format!("{} did not print {:?}", sighting.command, sighting.line));
        }
    }
    found.extend(unreadable(evidence)?);
    found.extend(conclusions(evidence, &shown)?);
    let what = format!(
        "sightings of failing pods ({}) are in the output, no other is, and each conclusion follows",
        sightings.len()
    );
    Ok(Point::new(Kind::Truth, what, found))
}

/// A function that reads a line of a command's output as a row of a pod.
type ReadRow = fn(&str) -> Option<PodRow>;

/// The commands that show pods, in the order in which their rows are evaluated.
const SHOWING: [(StepId, ReadRow); 2] =
    [(StepId::WatchPods, watched), (StepId::ListPods, pod_table::list_row)];

fn watched(line: &str) -> Option<PodRow> {
    if let WatchRow::Pod(row) = pod_table::watch_row(line) { Some(row) } else { None }
}

/// Returns the rows of pods that the watch and the lists printed, each with its command.
///
/// The whole file is read, because the journal lacks the byte range of a watch that ended with the run.
fn shown(evidence: &Evidence) -> io::Result<Vec<(StepId, PodRow)>> {
    let mut rows = Vec::new();
    for (id, row) in SHOWING {
        rows.extend(lines(evidence, &id)?.iter().filter_map(|line| Some((id.clone(), row(line)?))));
    }
    Ok(rows)
}

/// Returns the lines that a command printed.
fn lines(evidence: &Evidence, id: &StepId) -> io::Result<Vec<String>> {
    let file = evidence.run.runbook.step(id).and_then(|step| step.files().0).unwrap_or_default();
    let text = if evidence.has(&file) { fs_err::read(evidence.tree.path(&file))? } else { Vec::new() };
    // The run did not evaluate a last line without a newline.
    let lines = text.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
    Ok(lines.map(|line| String::from_utf8_lossy(line).trim_end().to_owned()).collect())
}

/// Returns a finding for each line that ends a run as incomplete, if the run went on to its end.
fn unreadable(evidence: &Evidence) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    if !evidence.is_whole() || evidence.stopped() {
        return Ok(found);
    }
    for (id, row) in SHOWING {
        let lines = lines(evidence, &id)?;
        let errors = lines.iter().filter_map(|line| match pod_table::watch_row(line) {
            WatchRow::Header | WatchRow::ServerError(_) if id == StepId::WatchPods => None,
            _ => interpret::refuse_in_row(line, row(line).as_ref()).err(),
        });
        found.extend(errors.map(|error| format!("{id} printed a line that no run goes on after: {error}")));
    }
    Ok(found)
}

/// Returns a finding for each failing pod that the journal of an ended run does not mention.
fn not_looked_into(evidence: &Evidence, shown: &[(StepId, PodRow)]) -> Vec<String> {
    let none = Vec::new();
    let stop_on = evidence.run.began.as_ref().map_or(&none, |(_, began)| &began.options.stop_on);
    let seen: BTreeSet<&str> = evidence
        .events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::PodSeen(sighting) => Some(sighting.pod.as_str()),
            _ => None,
        })
        .collect();
    let mut tracker = PodTracker::default();
    let stopping = shown.iter().filter(|(_, row)| tracker.look(row, stop_on) != RowAction::None);
    let unseen =
        stopping.filter(|(_, row)| evidence.run.ended.is_some() && !seen.contains(row.name.as_str()));
    unseen.map(|(command, row)| format!("{command} printed {:?}, but no event judges it", row.text)).collect()
}

/// Compares each conclusion with the read of the pod before it.
fn conclusions(evidence: &Evidence, shown: &[(StepId, PodRow)]) -> io::Result<Vec<String>> {
    let mut before = RunState::default();
    let mut look = None;
    let mut found = Vec::new();
    for event in &evidence.events {
        match &event.kind {
            EventKind::CommandEnded(outcome) if outcome.id == StepId::ConfirmPod => look = Some(outcome),
            EventKind::PodJudged { sighting, conclusion, .. } if was_going(conclusion) => {
                let told = || format!("{}: it was not shown {TERMINATING} before", sighting.pod);
                found.extend((!was_shown_going(sighting, shown)).then(told));
            }
            EventKind::PodJudged { sighting, conclusion, container } => {
                let again = match look.take() {
                    Some(outcome) => {
                        let stdout = printed(evidence, outcome.stdout.as_ref())?;
                        let look = interpret::look(&CommandOutput { outcome, stdout: &stdout, stderr: &[] });
                        verdict::conclude(&before, sighting, look)
                    }
                    None => (Conclusion::Unconfirmed(String::new()), None),
                };
                if (&again.0, &again.1) != (conclusion, container) {
                    found.push(format!(
                        "{}: the conclusion does not follow from the read of the pod",
                        sighting.pod
                    ));
                }
            }
            _ => {}
        }
        before.add(event);
    }
    Ok(found)
}

/// Returns whether a row showed the pod terminating before the sighting: in the same command's output, or in another
/// command's, whose rows may be older.
fn was_shown_going(sighting: &Sighting, shown: &[(StepId, PodRow)]) -> bool {
    let is_sighting =
        |(command, row): &(StepId, PodRow)| *command == sighting.command && row.text == sighting.line;
    let seen_at = shown.iter().rposition(is_sighting).unwrap_or(shown.len());
    shown.iter().enumerate().any(|(at, (command, row))| {
        let is_going = row.name == sighting.pod && row.status == TERMINATING;
        is_going && (*command != sighting.command || at < seen_at)
    })
}

/// Returns whether a pod was let pass unread because it was shown being deleted before.
fn was_going(conclusion: &Conclusion) -> bool {
    matches!(conclusion, Conclusion::RuledOut(why) if why.ends_with(interpret::SHOWN_GOING))
}
