//! Turns a command's output into events.
//!
//! `run` (live) and `verify` (from stored bytes) go through this one table, so they cannot disagree.

mod pod_tracker;
mod readers;
mod redacted_words;
#[cfg(test)]
mod tests;

pub use pod_tracker::{PodTracker, RowAction, SHOWN_GOING, TERMINATING};
pub use redacted_words::{is_redacted, refuse_in_row};

use crate::events::{ByteRange, EventKind, Outcome};
use crate::facts::curl::Transfer;
use crate::facts::pods::{self, Pod};
use crate::facts::{Unreadable, curl, stderr};
use crate::run_state::RunState;
use crate::runbook::StepId;

/// The output of a command that has ended.
#[derive(Debug, Clone, Copy)]
pub struct CommandOutput<'a> {
    /// How it ended.
    pub outcome: &'a Outcome,
    /// Its standard output; it may be empty if the step does not [need it](needs_stdout).
    pub stdout: &'a [u8],
    /// The standard error of all its stages.
    pub stderr: &'a [u8],
}

/// Returns the events that follow from one command; most commands have none.
///
/// `run` supplies the options of the run and the places of the objects.
///
/// # Errors
/// When the output is not kubectl's format and the run can't continue without it.
pub fn events(run: &RunState, output: &CommandOutput<'_>) -> Result<Vec<EventKind>, Unreadable> {
    readers::reader(&output.outcome.id).map_or_else(|| Ok(Vec::new()), |reader| (reader.read)(run, output))
}

/// Returns whether [`events`] needs the standard output of this step, which may be long.
pub fn needs_stdout(step: &StepId) -> bool {
    readers::reader(step).is_some_and(|reader| reader.stdout)
}

/// Returns where the standard output is recorded, if [`events`] needs it and it was recorded.
pub fn needed_stdout(outcome: &Outcome) -> Option<&ByteRange> {
    outcome.stdout.as_ref().filter(|_| needs_stdout(&outcome.id))
}

/// Returns curl's figures for the last transfer; without a report by curl, the result is a transfer without
/// an answer.
pub fn transfer(output: &CommandOutput<'_>) -> Transfer {
    curl::transfers(output.stderr).into_iter().last().unwrap_or_else(|| no_answer(output.outcome))
}

fn no_answer(outcome: &Outcome) -> Transfer {
    Transfer {
        http_status: "000".to_owned(),
        latency_ms: outcome.duration_ms,
        exit_code: outcome.exit.last().copied().unwrap_or(-1),
        error: outcome.first_error.clone().or(outcome.ended_by.says().map(str::to_owned)),
        content_type: None,
        redirect_url: None,
        remote_ip: None,
        tls_verify: None,
    }
}

/// The longest part of a failed command's standard error in which its first error is searched, in bytes.
pub const FIRST_ERROR_LIMIT: u64 = 64 * 1024;

/// Returns the first error that a failed command printed.
///
/// If that line only announces an error ("error when applying patch:"), the last error is appended.
pub fn first_error(stderr: &[u8]) -> Option<String> {
    let errors = stderr::errors(stderr);
    let first = errors.first()?;
    match errors.last().filter(|last| first.ends_with(':') && *last != first) {
        Some(last) => Some(format!("{first} … {last}")),
        None => Some(first.clone()),
    }
}

/// Returns the pod that a command printed, or `None` if the pod is gone.
///
/// # Errors
/// When the pod could not be read; the text is the reason.
pub fn look(output: &CommandOutput<'_>) -> Result<Option<Pod>, String> {
    let outcome = output.outcome;
    let said = outcome.first_error.clone().unwrap_or_default();
    if outcome.succeeded() {
        let found = pods::pods(output.stdout).map_err(|error| error.to_string());
        found.map(|pods| pods.into_iter().next())
    } else if outcome.found_nothing() {
        Ok(None)
    } else {
        Err(outcome.ended_by.says().map_or(said, str::to_owned))
    }
}
