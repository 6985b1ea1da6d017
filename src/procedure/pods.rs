//! Stop rule 2: rows of pods, the looks that they make due, and what is concluded from each.

use std::collections::BTreeSet;

use super::due::{Due, NextCommand};
use super::{Procedure, RecordedOutput, outcome_of};
use crate::events::{ByteRange, Conclusion, EventKind, Sighting};
use crate::facts::pod_table::{self, PodRow, WatchRow};
use crate::interpret::{self, CommandOutput, PodTracker, RowAction, SHOWN_GOING};
use crate::runbook::StepId;
use crate::verdict;

/// Its steps, beside those of the runbook: the watch, the looks, the lists and the last list.
pub(super) const STEPS: &[StepId] =
    &[StepId::WatchPods, StepId::ConfirmPod, StepId::ListPods, StepId::ListLast];

/// The interval of the lists, in ms: with a server that hangs, a watch is silent for 45 s.
pub(super) const LISTING_MS: u64 = 10_000;

/// The pause before a watch that the server ended is started again, in ms.
pub(super) const AGAIN_MS: u64 = 200;

/// The longest wait, before the first change, for the watch to show the pods that exist, in ms.
pub const FIRST_SIGHT_MS: u64 = 5000;

/// The commands that print rows of pods; each is read by itself, since their rows have no order among
/// them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// `watch.pods`.
    Watch,
    /// `list.pods`.
    Lists,
    /// `list.last`.
    Last,
}

impl Source {
    /// Returns the source that a step is; `None` if it prints no rows of pods.
    pub fn of(step: &StepId) -> Option<Self> {
        match step {
            StepId::WatchPods => Some(Self::Watch),
            StepId::ListPods => Some(Self::Lists),
            StepId::ListLast => Some(Self::Last),
            _ => None,
        }
    }

    /// Parses a line of its output; `None` if it is not a row of a pod.
    pub fn row(self, line: &str) -> Option<PodRow> {
        match self {
            Self::Watch => match pod_table::watch_row(line) {
                WatchRow::Pod(row) => Some(row),
                _ => None,
            },
            Self::Lists | Self::Last => pod_table::list_row(line),
        }
    }

    /// Returns whether a line of its output is no row of a pod by its form: a heading, or the server's error.
    pub fn is_heading(self, line: &str) -> bool {
        let is_not_a_row = |row| matches!(row, WatchRow::Header | WatchRow::ServerError(_));
        self == Self::Watch && is_not_a_row(pod_table::watch_row(line))
    }

    /// Returns whether a row needs no look because its pod was looked at before. A watch shows a new pod of the
    /// same name as such, a list does not.
    pub(super) fn passes_over(self, seen: &BTreeSet<String>, pod: &str) -> bool {
        self != Self::Watch && seen.contains(pod)
    }
}

/// The rows of a source so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    tracker: PodTracker,
    /// The offset in its file up to which rows were read.
    read: u64,
}

impl Rows {
    pub(super) fn read(&self) -> u64 {
        self.read
    }

    /// Reads the rows up to an offset; returns those that need a look, each with its offset.
    fn read_to(
        &mut self,
        source: Source,
        file: &str,
        to: u64,
        stop_on: &[String],
        kept: &dyn RecordedOutput,
    ) -> Result<Vec<(PodRow, RowAction, u64)>, String> {
        if to < self.read {
            return Err(format!("{file}: byte {to} is before the rows that were read already"));
        }
        let range = ByteRange { file: file.to_owned(), from: self.read, to };
        let bytes = kept.read(Some(&range)).map_err(|error| error.to_string())?;
        let (mut at, mut found) = (self.read, Vec::new());
        // A last line without a newline is not a row.
        for line in bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")) {
            at += line.len() as u64;
            let line = String::from_utf8_lossy(line).trim_end().to_owned();
            let row = source.row(&line);
            if !source.is_heading(&line) {
                interpret::refuse_in_row(&line, row.as_ref()).map_err(|error| error.to_string())?;
            }
            if let Some(row) = row {
                let action = self.tracker.look(&row, stop_on);
                if action != RowAction::None {
                    found.push((row, action, at));
                }
            }
        }
        self.read = to;
        Ok(found)
    }
}

impl Procedure {
    fn stop_on(&self) -> &[String] {
        self.state().began.as_ref().map_or(&[], |(_, began)| &began.options.stop_on)
    }

    fn file_of(&self, step: &StepId) -> String {
        self.state().runbook.step(step).and_then(|step| step.files().0).unwrap_or_default()
    }

    /// Checks a sighting: its line is in the output, and no row before it needed a look. Returns the rows read so
    /// far, and what is due about it.
    pub(super) fn check_sighting(
        &self,
        seq: u64,
        sighting: &Sighting,
        kept: &dyn RecordedOutput,
    ) -> Result<(Source, Rows, Vec<Due>), String> {
        let source = Source::of(&sighting.command).ok_or("it shows no pods")?;
        let mut rows = self.rows(source).clone();
        let file = self.file_of(&sighting.command);
        let mut found = rows.read_to(source, &file, sighting.to, self.stop_on(), kept)?;
        let last = found.pop().filter(|(row, _, at)| {
            let is_it =
                row.text == sighting.line && row.name == sighting.pod && row.status == sighting.status;
            is_it && *at == sighting.to
        });
        let (_, action, _) = last.ok_or_else(|| {
            format!("{} did not print {:?} before byte {}", sighting.command, sighting.line, sighting.to)
        })?;
        self.unless_seen(source, &found)?;
        let due = match action {
            RowAction::Going => {
                let conclusion = Conclusion::RuledOut(format!("{} {SHOWN_GOING}", sighting.command));
                let sighting = sighting.clone();
                vec![Due::event(EventKind::PodJudged { sighting, conclusion, container: None })]
            }
            _ => look(sighting, seq),
        };
        Ok((source, rows, due))
    }

    /// Checks, at the end of a command that shows pods, that no row was left that needed a look.
    pub(super) fn check_rows(
        &self,
        step: &StepId,
        printed: Option<&ByteRange>,
        kept: &dyn RecordedOutput,
    ) -> Result<Option<(Source, Rows)>, String> {
        let Some((source, range)) = Source::of(step).zip(printed) else { return Ok(None) };
        let mut rows = self.rows(source).clone();
        let found = rows.read_to(source, &range.file, range.to, self.stop_on(), kept)?;
        self.unless_seen(source, &found)?;
        Ok(Some((source, rows)))
    }

    fn unless_seen(&self, source: Source, rows: &[(PodRow, RowAction, u64)]) -> Result<(), String> {
        match rows.iter().find(|(row, _, _)| !source.passes_over(self.seen(), &row.name)) {
            Some((row, _, _)) => Err(format!("{:?} was printed, but no event judges it", row.text)),
            None => Ok(()),
        }
    }
}

/// Reads the pod of a sighting, and concludes.
fn look(sighting: &Sighting, because: u64) -> Vec<Due> {
    let confirm = NextCommand::about(StepId::ConfirmPod, &[("POD", &sighting.pod)]);
    let confirm = NextCommand { because: Some(because), ..confirm };
    vec![Due::starts([confirm]), Due::Conclude(sighting.clone())]
}

/// Returns the conclusion about a sighting, from the pod that was read last.
pub(super) fn conclude(
    procedure: &Procedure,
    read: u64,
    sighting: Sighting,
    kept: &dyn RecordedOutput,
) -> Result<EventKind, String> {
    let outcome = outcome_of(procedure.state(), read)?;
    let stdout = kept.read(outcome.stdout.as_ref()).map_err(|error| error.to_string())?;
    let look = interpret::look(&CommandOutput { outcome, stdout: &stdout, stderr: &[] });
    let (conclusion, container) = verdict::conclude(procedure.state(), &sighting, look);
    Ok(EventKind::PodJudged { sighting, conclusion, container })
}

/// Judges the excused pods again after the apply.
///
/// A pod that was failing before is excused because the rollout may fix it. If the apply changed nothing about
/// its Deployment, the excuse ends.
#[allow(clippy::unnecessary_wraps, reason = "it is a `Decide`")]
pub(super) fn reconsider(procedure: &mut Procedure, _: &dyn RecordedOutput) -> Result<Vec<Due>, String> {
    let failed_before =
        procedure.state().pods_before.as_ref().is_some_and(|(_, failing)| !failing.is_empty());
    if !failed_before {
        return Ok(Vec::new());
    }
    Ok(vec![Due::run(StepId::ObjectsApplied), Due::Judge, Due::Facts, Due::then(look_again), Due::Judge])
}

#[allow(clippy::unnecessary_wraps, reason = "it is a `Decide`")]
fn look_again(procedure: &mut Procedure, _: &dyn RecordedOutput) -> Result<Vec<Due>, String> {
    let excused = procedure.state().sightings.iter();
    let excused = excused.filter(|judged| matches!(judged.conclusion, Conclusion::Excused(_)));
    let due = excused.flat_map(|judged| {
        let again = |procedure: &mut Procedure, _: &dyn RecordedOutput| Ok(look_at_last_seen(procedure));
        [Due::event(EventKind::PodSeen(judged.sighting.clone())), Due::then(again)]
    });
    Ok(due.collect())
}

/// The look at the pod of the last `pod-seen`, which names its event.
fn look_at_last_seen(procedure: &mut Procedure) -> Vec<Due> {
    procedure.last_seen.clone().map(|(seq, sighting)| look(&sighting, seq)).unwrap_or_default()
}

/// Lists the pods once more at the end of a run that was long enough for a server to hang unnoticed.
#[allow(clippy::unnecessary_wraps, reason = "it is a `Decide`")]
pub(super) fn last_look(procedure: &mut Procedure, _: &dyn RecordedOutput) -> Result<Vec<Due>, String> {
    let began = procedure.watch_began();
    let is_long = began.is_some_and(|began| procedure.now().millis_since(began) >= LISTING_MS);
    Ok(if is_long { vec![Due::run(StepId::ListLast)] } else { Vec::new() })
}
