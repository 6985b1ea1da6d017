use crate::command;
use crate::inputs::Inputs;
use crate::report::PlanLine;
use crate::runbook::{self, Phase, Step};
use crate::verdict;

/// Every command a run would run, in order, with this run's inputs filled in where they are known.
pub fn plan(inputs: Option<&Inputs>) -> Vec<PlanLine> {
    let with_key = inputs.is_some_and(|inputs| inputs.api_key.is_some());
    runbook::in_order(with_key).into_iter().map(|step| line(step, inputs)).collect()
}

fn line(step: Step, inputs: Option<&Inputs>) -> PlanLine {
    let expanded = command::parse(&step.text).ok().and_then(|line| {
        let pipeline = line.expand(|name| match name {
            "ROLLOUT_TIMEOUT" => Some(runbook::ROLLOUT_TIMEOUT.to_owned()),
            name => verdict::of_target(&inputs?.target, name),
        });
        pipeline.ok().map(|pipeline| pipeline.to_shell())
    });
    PlanLine {
        text: expanded.unwrap_or_else(|| step.text.clone().into_owned()),
        only_on_stop: step.phase == Phase::Dump,
        id: step.id.into_owned(),
        effect: step.effect,
        heading: step.heading,
        why: step.why,
    }
}
