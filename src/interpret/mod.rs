//! What the commands of a run say: from the bytes that each printed to the events that follow from them.
//!
//! A run reads so as it goes on, and whoever verifies its evidence reads the kept bytes again by the same rows.

mod pod_tracker;
mod rows;

pub use pod_tracker::{PodTracker, RowAction, SHOWN_GOING, TERMINATING};

use crate::events::{ByteRange, EventKind, Outcome};
use crate::facts::curl::Transfer;
use crate::facts::pods::{self, Pod};
use crate::facts::{Unreadable, curl, stderr};
use crate::run_state::RunState;

/// A command that has ended, and what it printed.
#[derive(Debug, Clone, Copy)]
pub struct CommandOutput<'a> {
    /// How it ended.
    pub outcome: &'a Outcome,
    /// On its standard output; of a command that does not [need it](needs_stdout) it may be left out.
    pub stdout: &'a [u8],
    /// On standard error, by all of its stages.
    pub stderr: &'a [u8],
}

/// The events that follow from a command alone; none from most. `record` tells what the run was told to do, and where
/// objects land.
///
/// # Errors
/// When it printed what kubectl does not print, and the run can't go on without it.
pub fn events(run: &RunState, printed: &CommandOutput<'_>) -> Result<Vec<EventKind>, Unreadable> {
    row(&printed.outcome.id).map_or_else(|| Ok(Vec::new()), |row| (row.read)(run, printed))
}

/// Whether what follows from the command of this id needs its standard output.
pub fn needs_stdout(id: &str) -> bool {
    row(id).is_some_and(|row| row.stdout)
}

/// Where that stands, if it is needed and was kept.
pub fn needed_stdout(outcome: &Outcome) -> Option<&ByteRange> {
    outcome.stdout.as_ref().filter(|_| needs_stdout(&outcome.id))
}

fn row(id: &str) -> Option<&'static rows::Reader> {
    rows::ROWS.iter().find(|row| row.is_for(id))
}

/// curl's numbers of the last transfer; an answer that curl could not even report is no answer.
pub fn transfer(printed: &CommandOutput<'_>) -> Transfer {
    curl::transfers(printed.stderr).into_iter().last().unwrap_or_else(|| no_answer(printed.outcome))
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

/// How much of what a failed command said is read to find its first error, in bytes.
pub const FIRST_ERROR_LIMIT: u64 = 64 * 1024;

/// What a command that failed had to say: its first error; where that only announces one ("error when applying patch:"),
/// the last beside it.
pub fn first_error(stderr: &[u8]) -> Option<String> {
    let errors = stderr::errors(stderr);
    let first = errors.first()?;
    match errors.last().filter(|last| first.ends_with(':') && *last != first) {
        Some(last) => Some(format!("{first} … {last}")),
        None => Some(first.clone()),
    }
}

/// What a look at one pod found: `None` when the pod is gone; else why it could not be looked at.
///
/// # Errors
/// Why there was no look.
pub fn look(printed: &CommandOutput<'_>) -> Result<Option<Pod>, String> {
    let outcome = printed.outcome;
    let said = outcome.first_error.clone().unwrap_or_default();
    if outcome.succeeded() {
        let found = pods::pods(printed.stdout).map_err(|error| error.to_string());
        found.map(|pods| pods.into_iter().next())
    } else if outcome.found_nothing() {
        Ok(None)
    } else {
        Err(outcome.ended_by.says().map_or(said, str::to_owned))
    }
}
