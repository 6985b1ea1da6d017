//! Plans a run: lists every command of the procedure, in its order, with the known inputs filled in.
//!
//! Planning starts no command and writes no file.

use crate::events::{Scope, Target};
use crate::procedure;
use crate::runbook::{Runbook, Step};
use crate::verdict;

/// A command that a run would start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedCommand {
    /// The step of the command.
    pub step: Step,
    /// The command as a shell line, with the known inputs filled in.
    pub text: String,
}

/// Returns every command that a run would or might start, in the order in which they are due.
pub fn plan(runbook: &Runbook, target: Option<&Target>, with_key: bool) -> Vec<PlannedCommand> {
    let value = |name: &str| match name {
        "ROLLOUT_TIMEOUT" => Some(runbook.rollout_timeout.clone()),
        name => verdict::of_target(target?, name),
    };
    let planned = |step: &Step| {
        let line = step.line(with_key);
        let text = line.expand(value).map_or_else(|_| line.to_string(), |pipeline| pipeline.to_shell());
        PlannedCommand { step: step.clone(), text }
    };
    let steps = procedure::steps(runbook, Scope::Whole, true);
    steps.iter().filter_map(|id| runbook.step(id)).map(planned).collect()
}
