//! Plans a run: lists every command of the runbook, with the known inputs filled in.
//!
//! Planning starts no command and writes no file.

use crate::events::Target;
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

/// Returns every command that a run would start, in the order of the runbook.
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
    runbook.steps.iter().map(planned).collect()
}
