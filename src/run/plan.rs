use crate::command;
use crate::inputs::Inputs;
use crate::runbook::{self, Step};
use crate::verdict;

/// Every command a run would run, in order, with this run's inputs filled in where they are known.
pub fn plan(inputs: Option<&Inputs>) -> Vec<Step> {
    let with_key = inputs.is_some_and(|inputs| inputs.api_key.is_some());
    runbook::in_order(with_key).into_iter().map(|step| filled_in(step, inputs)).collect()
}

fn filled_in(step: Step, inputs: Option<&Inputs>) -> Step {
    let value = |name: &str| match name {
        "ROLLOUT_TIMEOUT" => Some(runbook::ROLLOUT_TIMEOUT.to_owned()),
        name => verdict::of_target(&inputs?.target, name),
    };
    match command::parse(&step.text).ok().and_then(|line| line.expand(value).ok()) {
        Some(pipeline) => Step { text: pipeline.to_shell().into(), ..step },
        None => step,
    }
}
