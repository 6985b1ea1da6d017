//! Derives steps from others: the render and the guard from an apply, the request from a check.
//!
//! A derived step never changes the cluster: its effect is computed from its words, and any other effect is
//! refused.

use super::own_steps::CURL;
use super::{Check, DeploymentId, HealthPath, Keep, Limit, Phase, Step, StepId};
use crate::command::{self, CommandLine, Effect, Word};
use crate::facts::dry_run;

/// Derives the command that renders a manifest: an apply without its last stage.
pub(super) fn render_line(apply: &CommandLine) -> Result<CommandLine, String> {
    let line = apply.without_last().map_err(|error| error.to_string())?;
    line.with_effect(Effect::Reads)
}

/// Derives the server-side dry run of an apply, with all other flags of the apply.
///
/// It prints the namespace in which each object would be placed. `-o json` would print a Secret's data; the
/// template prints only names.
pub(super) fn guard_line(apply: &CommandLine) -> Result<CommandLine, String> {
    let last = apply.stages.last().map(Vec::as_slice).unwrap_or_default();
    let [kubectl, verb, flags @ ..] = last else {
        return Err(format!("{apply}: its last stage is not `kubectl apply …`"));
    };
    if [kubectl, verb].map(Word::as_literal) != [Some("kubectl"), Some("apply")] {
        return Err(format!("{apply}: its last stage is not `kubectl apply …`"));
    }
    let dry_run = format!(
        r#"kubectl --context="$STAGING_CONTEXT" apply --dry-run=server -o go-template='{}'"#,
        dry_run::TEMPLATE
    );
    let mut stage = command::parse(&dry_run).map_err(|error| error.to_string())?.stages.concat();
    stage.extend_from_slice(flags);
    apply.with_last(stage).map_err(|error| error.to_string())?.with_effect(Effect::DryRun)
}

fn derived(id: StepId, phase: Phase, line: CommandLine, effect: Effect, why: &str) -> Step {
    Step {
        id,
        phase,
        heading: None,
        line,
        line_with_key: None,
        effect,
        keep: Keep::Own,
        limit: Limit::Quick,
        why: why.to_owned(),
    }
}

/// Derives the render and the guard of an apply.
pub(super) fn of_apply(id: &DeploymentId, apply: &CommandLine) -> Result<[Step; 2], String> {
    let render = derived(
        StepId::Render(id.clone()),
        Phase::Preflight,
        render_line(apply)?,
        Effect::Reads,
        "the rendered manifest",
    );
    let why = "the server accepts the manifest; the namespace of each object";
    let guard = derived(StepId::Guard(id.clone()), Phase::Preflight, guard_line(apply)?, Effect::DryRun, why);
    Ok([render, Step { limit: Limit::Apply, ..guard }])
}

/// Derives the command of a smoke check.
///
/// With a key, `curl` reads its header from standard input, so the key is in no argument and in no
/// environment variable.
pub(super) fn check(check: &Check, heading: Option<String>) -> Result<Step, String> {
    let line = |key: &str| request(&format!(r#"{key}"${}{}""#, check.base, check.path));
    let step = derived(check.id(), Phase::Smoke, line("")?, Effect::Reads, &check.note);
    let line_with_key = if check.takes_key() { Some(line("-H @- ")?) } else { None };
    let keep = Keep::File(format!("smoke/responses/{}", check.file_name()));
    Ok(Step { heading, line_with_key, keep, limit: Limit::Request, ..step })
}

/// Derives the request of stop rule 3.
pub(super) fn gate(path: HealthPath) -> Result<Step, String> {
    let line = request(&format!(r#""$STAGING_BASE_URL{}""#, path.path()))?;
    let step = derived(StepId::Gate(path), Phase::Smoke, line, Effect::Reads, "stop rule 3");
    Ok(Step { limit: Limit::Request, ..step })
}

fn request(rest: &str) -> Result<CommandLine, String> {
    let line = command::parse(&format!("{CURL} {rest}")).map_err(|error| error.to_string())?;
    line.with_effect(Effect::Reads)
}

/// Derives the criterion about the body of a response, which `jq -e` decides on the stored response.
pub(super) fn body(path: HealthPath, answer: &Check) -> Result<Step, String> {
    let (why, program) = match path {
        HealthPath::Health => (
            "says healthy, and this version",
            r#"--arg version "$VERSION" 'split("\r\n\r\n")[1:] | join("\r\n\r\n") | fromjson | .status == "healthy" and .version == $version'"#,
        ),
        HealthPath::Readyz => (
            "says ready, with every service up",
            r#"'split("\r\n\r\n")[1:] | join("\r\n\r\n") | fromjson | .status == "ready" and ([.services[] | if type == "object" then .status else . end] | length > 0 and all(. == "up"))'"#,
        ),
    };
    let text = format!("jq -R -s -e {program} ../smoke/responses/{}", answer.file_name());
    let line = command::parse(&text).map_err(|error| error.to_string())?;
    let why = format!("the answer of check {} {why}", answer.number.get());
    Ok(derived(StepId::Body(path), Phase::Smoke, line.with_effect(Effect::Reads)?, Effect::Reads, &why))
}
