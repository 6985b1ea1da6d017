//! The gate of stop rule 3: `/health` and `/readyz` are requested until each answers 200, or its time is over.

use super::due::{Due, NextCommand};
use super::{Procedure, RecordedOutput, outcome_of};
use crate::events::EventKind;
use crate::interpret::{self, CommandOutput};
use crate::moment::Moment;
use crate::runbook::{HealthPath, StepId};

/// The interval between two requests for a path, in ms.
const INTERVAL_MS: u64 = 1000;

/// Its steps.
pub(super) const STEPS: &[StepId] = &[StepId::Gate(HealthPath::Health), StepId::Gate(HealthPath::Readyz)];

/// The requests so far.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    /// The paths that have not answered 200.
    pending: Vec<HealthPath>,
    /// The number of requests.
    asks: u32,
    /// The moment of the first request; `None` before it.
    pub(super) first: Option<Moment>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { pending: HealthPath::ALL.to_vec(), asks: 0, first: None }
    }
}

/// Requests the pending paths once, without a delay.
#[allow(clippy::unnecessary_wraps, reason = "it is a `Decide`")]
pub(super) fn ask(procedure: &mut Procedure, _: &dyn RecordedOutput) -> Result<Vec<Due>, String> {
    Ok(request(procedure, None))
}

fn request(procedure: &mut Procedure, not_before: Option<Moment>) -> Vec<Due> {
    procedure.gate.asks += 1;
    let command = |path: &HealthPath| NextCommand { not_before, ..NextCommand::of(StepId::Gate(*path)) };
    let commands: Vec<NextCommand> = procedure.gate.pending.iter().map(command).collect();
    vec![Due::starts(commands), Due::Judge, Due::then(answered)]
}

/// Decides by the answers: a path is settled by 200 or by the end of its time; the others are requested again.
fn answered(procedure: &mut Procedure, kept: &dyn RecordedOutput) -> Result<Vec<Due>, String> {
    let run = procedure.state();
    let limit_ms = run.began.as_ref().map_or(0, |(_, began)| began.options.health_timeout_ms);
    let waited_ms = procedure.gate.first.map_or(0, |first| procedure.now().millis_since(first));
    let (mut due, mut pending) = (Vec::new(), Vec::new());
    for (path, n) in procedure.gate.pending.iter().zip(procedure.ended()) {
        let outcome = outcome_of(run, *n)?;
        let stderr = kept.read(outcome.stderr.as_ref()).map_err(|error| error.to_string())?;
        let answer = interpret::transfer(&CommandOutput { outcome, stdout: &[], stderr: &stderr });
        if answer.http_status != "200" && waited_ms < limit_ms {
            pending.push(*path);
            continue;
        }
        due.push(Due::event(EventKind::HealthAsked {
            id: StepId::Gate(*path),
            path: path.path().to_owned(),
            asks: procedure.gate.asks,
            http_status: answer.http_status,
            waited_ms,
            limit_ms,
        }));
    }
    due.push(Due::Judge);
    procedure.gate.pending = pending;
    if !procedure.gate.pending.is_empty() {
        let pause = INTERVAL_MS.min(limit_ms.saturating_sub(waited_ms));
        due.extend(request(procedure, Some(procedure.now().after_millis(pause))));
    }
    Ok(due)
}
