//! Whether each pod that showed a word of stop rule 2 was looked into, and what was concluded follows from the look.

use std::collections::BTreeSet;
use std::io;

use super::facts::printed;
use super::{Check, Evidence, Kind};
use crate::events::{Conclusion, EventKind, Sighting};
use crate::facts::pod_table::{self, PodRow, WatchRow};
use crate::interpret::{self, CommandOutput, PodTracker, RowAction, TERMINATING};
use crate::run_state::RunState;
use crate::runbook::step;
use crate::verdict;

pub(super) fn check(evidence: &Evidence) -> io::Result<Check> {
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
    found.extend(conclusions(evidence, &shown)?);
    let what = format!(
        "sightings of failing pods ({}) were shown, none more was, and each is judged by a look",
        sightings.len()
    );
    Ok(Check::new(Kind::Truth, what, found))
}

/// How a line of a command is read as a row of a pod.
type ReadRow = fn(&str) -> Option<PodRow>;

/// The commands that show pods, in the order in which they are taken.
const SHOWING: [(&str, ReadRow); 2] = [("watch.pods", watched), ("list.pods", pod_table::list_row)];

fn watched(line: &str) -> Option<PodRow> {
    if let WatchRow::Pod(row) = pod_table::watch_row(line) { Some(row) } else { None }
}

/// The rows of pods that the watch and the lists printed, each with its command. Of a watch that ended with the run the
/// journal does not tell which bytes are its own: the whole file is read.
fn shown(evidence: &Evidence) -> io::Result<Vec<(&'static str, PodRow)>> {
    let mut rows = Vec::new();
    for (id, row) in SHOWING {
        let file = format!("{}/out/{id}.out", step(id).phase.folder());
        let text = if evidence.has(&file) { fs_err::read(evidence.tree.path(&file))? } else { Vec::new() };
        // A last line without its end was not looked at.
        let lines = text.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
        let lines = lines.map(|line| String::from_utf8_lossy(line).trim_end().to_owned());
        rows.extend(lines.filter_map(|line| Some((id, row(&line)?))));
    }
    Ok(rows)
}

/// Pods that showed a word that stops a run, and of which the journal says nothing.
fn not_looked_into(evidence: &Evidence, shown: &[(&str, PodRow)]) -> Vec<String> {
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
    unseen
        .map(|(command, row)| format!("{command} printed {:?}, and nobody looked into it", row.text))
        .collect()
}

/// What was concluded, against the look that came before it.
fn conclusions(evidence: &Evidence, shown: &[(&str, PodRow)]) -> io::Result<Vec<String>> {
    let mut before = RunState::default();
    let mut look = None;
    let mut found = Vec::new();
    for event in &evidence.events {
        match &event.kind {
            EventKind::CommandEnded(outcome) if outcome.id == "confirm.pod" => look = Some(outcome),
            EventKind::PodJudged { sighting, conclusion, .. } if was_going(conclusion) => {
                let going =
                    |(_, row): &&(&str, PodRow)| row.name == sighting.pod && row.status == TERMINATING;
                if !shown.iter().any(|row| going(&row)) {
                    found.push(format!("{}: it was not shown {TERMINATING} before", sighting.pod));
                }
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
                        "{}: what was concluded does not follow from the look at it",
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

/// Whether it was let pass without a look, because it was shown being deleted before.
fn was_going(conclusion: &Conclusion) -> bool {
    matches!(conclusion, Conclusion::RuledOut(why) if why.ends_with(interpret::SHOWN_GOING))
}
