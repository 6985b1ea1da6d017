//! Reads the commands of steps 1 to 4 from the document's code blocks.
//!
//! Each command is parsed, and a command that is not understood is refused.

use super::derived::{guard_line, render_line};
use super::document::code_blocks;
use super::reader::Problems;
use super::{DeploymentId, Document, Keep, Limit, Phase, Step, StepId};
use crate::command::{self, CommandLine, Effect, Piece, Word};

/// A Deployment that the runbook applies and waits for (steps 2 and 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// The second part of the ids of its steps: `api`.
    pub id: DeploymentId,
    /// The Deployment's name in Kubernetes.
    pub name: String,
    /// The manifest that contains it, as the runbook's `cat` names it.
    pub manifest: String,
}

/// The content of the code blocks.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct StepsRead {
    pub(super) steps: Vec<Step>,
    pub(super) deployments: Vec<Deployment>,
    /// The timeout of each rollout, as kubectl parses it.
    pub(super) rollout_timeout: String,
}

/// The command of step 2 that selects the context.
const USE_CONTEXT: &str = r#"kubectl config use-context "$STAGING_CONTEXT""#;

/// A command of the document, with its heading and its code block.
struct DocumentCommand<'d> {
    line: CommandLine,
    heading: &'d str,
    block: &'d str,
}

/// Reads steps 1 to 4.
pub(super) fn read(document: &Document, problems: &mut Problems<'_>) -> StepsRead {
    let mut procedure = StepsRead::default();
    refuse_hidden_commands(document, problems);
    read_states(
        document,
        "### 1. ",
        &[StepId::Namespaces, StepId::Namespace, StepId::StatusBefore],
        &mut procedure,
        problems,
    );
    let applies = read_applies(document, &mut procedure, problems);
    read_rollouts(document, &applies, &mut procedure, problems);
    read_states(document, "### 4. ", &[StepId::StatusAfter], &mut procedure, problems);
    procedure
}

/// Refuses a document in which a reader of the page could see other commands than this program.
fn refuse_hidden_commands(document: &Document, problems: &mut Problems<'_>) {
    for number in 1..=4 {
        let next = format!("### {}. ", number + 1);
        let section = document.section_starting(&format!("### {number}. "));
        if let Some((part, why)) = section.and_then(|section| document.hidden_in(section, &next)) {
            problems.add(Some(part), why);
        }
    }
}

/// Parses the commands in the code blocks of a step.
fn commands<'d>(
    document: &'d Document,
    start: &str,
    problems: &mut Problems<'_>,
) -> Vec<DocumentCommand<'d>> {
    let Some(section) = document.section_starting(start) else {
        problems.add(None, format!("there is no section {start}…"));
        return Vec::new();
    };
    let heading = section.lines().next().unwrap_or_default();
    let mut found = Vec::new();
    for block in code_blocks(section) {
        match command::parse_block(block) {
            Ok(lines) => found.extend(lines.into_iter().map(|line| DocumentCommand { line, heading, block })),
            Err(error) => problems.add(Some(block), error.to_string()),
        }
    }
    found
}

/// Reads steps 1 and 4: the commands that show the cluster, in this order.
fn read_states(
    document: &Document,
    start: &str,
    ids: &[StepId],
    procedure: &mut StepsRead,
    problems: &mut Problems<'_>,
) {
    let commands = commands(document, start, problems);
    if commands.len() != ids.len() {
        let section = document.section_starting(start);
        problems.add(
            section,
            format!("{} commands are known here, but the document has {}", ids.len(), commands.len()),
        );
        return;
    }
    for (found, id) in commands.iter().zip(ids) {
        match state_step(found, id) {
            Ok(step) => procedure.steps.push(step),
            Err(why) => problems.add(Some(found.block), why),
        }
    }
}

/// Builds a step that shows the cluster; only its known text is accepted, because `replay` runs the text of a
/// document.
fn state_step(found: &DocumentCommand<'_>, id: &StepId) -> Result<Step, String> {
    let states = |file: &str| {
        let get = r#"kubectl --context="$STAGING_CONTEXT" get deploy,po,svc -n "$STAGING_NAMESPACE" -o wide"#;
        format!("{get} > evidence/staging/$(date +%Y%m%d)/{file}")
    };
    let (before, after) = ("deploy/status_before.txt", "deploy/status_after.txt");
    let (phase, text, keep) = match id {
        StepId::StatusBefore => (Phase::Preflight, states(before), Keep::File(before.to_owned())),
        StepId::StatusAfter => (Phase::Deploy, states(after), Keep::File(after.to_owned())),
        StepId::Namespace => {
            let text =
                r#"kubectl --context="$STAGING_CONTEXT" get namespace "$STAGING_NAMESPACE""#.to_owned();
            (Phase::Preflight, text, Keep::Own)
        }
        _ => {
            let text = r#"kubectl --context="$STAGING_CONTEXT" get namespaces"#.to_owned();
            (Phase::Preflight, text, Keep::Own)
        }
    };
    if command::parse(&text).ok().as_ref() != Some(&found.line) {
        return Err(format!("{}: expected: {text}", found.line));
    }
    step(found, id.clone(), phase, Effect::Reads, keep, Limit::Quick)
}

fn step(
    found: &DocumentCommand<'_>,
    id: StepId,
    phase: Phase,
    effect: Effect,
    keep: Keep,
    limit: Limit,
) -> Result<Step, String> {
    Ok(Step {
        id,
        phase,
        heading: Some(found.heading.to_owned()),
        line: found.line.clone().with_effect(effect)?,
        line_with_key: None,
        effect,
        keep,
        limit,
        why: "the runbook".to_owned(),
    })
}

/// Reads step 2: the context is selected, then each manifest is applied.
fn read_applies(
    document: &Document,
    procedure: &mut StepsRead,
    problems: &mut Problems<'_>,
) -> Vec<(DeploymentId, String)> {
    let commands = commands(document, "### 2. ", problems);
    let mut applies = Vec::<(DeploymentId, String)>::new();
    for (number, found) in commands.iter().enumerate() {
        let read = if number == 0 { use_context(found) } else { apply(found) };
        match read {
            Ok((step, manifest)) => {
                let id = step.id.deployment().cloned().zip(manifest);
                if id.as_ref().is_some_and(|(id, _)| applies.iter().any(|(other, _)| other == id)) {
                    problems.add(Some(found.block), format!("{}: applied twice", step.id));
                    continue;
                }
                applies.extend(id);
                procedure.steps.push(step);
            }
            Err(why) => problems.add(Some(found.block), why),
        }
    }
    if applies.is_empty() {
        problems.add(document.section_starting("### 2. "), "nothing is applied".to_owned());
    }
    applies
}

fn use_context(found: &DocumentCommand<'_>) -> Result<(Step, Option<String>), String> {
    if command::parse(USE_CONTEXT).ok().as_ref() != Some(&found.line) {
        return Err(format!("{}: expected: {USE_CONTEXT}", found.line));
    }
    let step = step(found, StepId::UseContext, Phase::Deploy, Effect::Reads, Keep::DeployLog, Limit::Quick)?;
    Ok((step, None))
}

fn apply(found: &DocumentCommand<'_>) -> Result<(Step, Option<String>), String> {
    let line = &found.line;
    let manifest = match line.stages.first().map(Vec::as_slice) {
        Some([cat, file]) if cat.as_literal() == Some("cat") => {
            file.as_literal().filter(|file| is_manifest(file))
        }
        _ => None,
    };
    let manifest = manifest.ok_or_else(|| {
        format!("{line}: expected: `cat` with the path of a manifest, such as k8s/api-deployment.yaml")
    })?;
    let id = id_of(manifest).ok_or_else(|| format!("{manifest}: the name gives no valid id"))?;
    only_fills_in(line)?;
    // The commands of the guards are derived from this one: if that fails, nothing starts.
    render_line(line).and_then(|_| guard_line(line))?;
    let step = step(found, StepId::Apply(id), Phase::Deploy, Effect::Changes, Keep::DeployLog, Limit::Apply)?;
    if line.redirect.is_some() {
        return Err(format!("{line}: an apply must not redirect its output"));
    }
    Ok((step, Some(manifest.to_owned())))
}

/// Checks that each stage between `cat` and the apply only fills a variable into the manifest.
///
/// These stages run in the preflight and in `replay` too, so they must not do anything else.
fn only_fills_in(line: &CommandLine) -> Result<(), String> {
    let [_, middle @ .., _] = &line.stages[..] else { return Ok(()) };
    match middle.iter().find(|stage| command::filled_in(stage).is_none()) {
        None => Ok(()),
        Some(stage) => {
            let stage = CommandLine { stages: vec![stage.clone()], redirect: None };
            Err(format!(
                "{stage}: expected, between `cat` and `kubectl apply`: sed \"s/\\${{NAME}}/${{NAME}}/g\", where NAME is one of {}",
                command::FILLED_IN.join(", ")
            ))
        }
    }
}

fn is_manifest(file: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    let parts = || file.split('/');
    file.chars().all(inside)
        && parts().all(|part| !part.is_empty() && !part.starts_with(['.', '-']))
        && parts().count() == 2
        && [".yaml", ".yml", ".json"].iter().any(|end| file.ends_with(end))
}

/// Returns the id of a manifest: `api` for `k8s/api-deployment.yaml`.
fn id_of(manifest: &str) -> Option<DeploymentId> {
    let name = manifest.rsplit('/').next()?;
    let stem = name.rsplit_once('.')?.0;
    DeploymentId::new(stem.strip_suffix("-deployment").unwrap_or(stem)).ok()
}

/// Reads step 3: the rollout of each Deployment.
fn read_rollouts(
    document: &Document,
    applies: &[(DeploymentId, String)],
    procedure: &mut StepsRead,
    problems: &mut Problems<'_>,
) {
    for found in commands(document, "### 3. ", problems) {
        match rollout(&found, applies) {
            Ok((_, deployment, _)) if procedure.deployments.iter().any(|other| other.id == deployment.id) => {
                problems
                    .add(Some(found.block), format!("{}: a second rollout of one manifest", deployment.name));
            }
            Ok((_, _, timeout)) if !["", &*timeout].contains(&procedure.rollout_timeout.as_str()) => {
                problems.add(Some(found.block), "all rollouts must have the same --timeout".to_owned());
            }
            Ok((step, deployment, timeout)) => {
                procedure.rollout_timeout = timeout;
                procedure.steps.push(step);
                procedure.deployments.push(deployment);
            }
            Err(why) => problems.add(Some(found.block), why),
        }
    }
    if procedure.deployments.len() != applies.len() {
        let section = document.section_starting("### 3. ");
        problems.add(
            section,
            format!(
                "{} manifests are applied, but {} rollouts are waited for",
                applies.len(),
                procedure.deployments.len()
            ),
        );
    } else if procedure
        .deployments
        .iter()
        .map(|deployment| &deployment.id)
        .ne(applies.iter().map(|(id, _)| id))
    {
        let section = document.section_starting("### 3. ");
        problems.add(section, "the rollouts must have the order of the applies of step 2".to_owned());
    }
}

/// Builds the step of a rollout, with `--timeout="$ROLLOUT_TIMEOUT"`; returns also the document's own
/// timeout.
fn rollout(
    found: &DocumentCommand<'_>,
    applies: &[(DeploymentId, String)],
) -> Result<(Step, Deployment, String), String> {
    let line = &found.line;
    let wrong = || {
        format!(
            "{line}: expected: kubectl rollout status deployment/NAME -n \"$STAGING_NAMESPACE\" --timeout=5m"
        )
    };
    let [stage] = &line.stages[..] else { return Err(wrong()) };
    let name = stage.get(3).and_then(Word::as_literal).and_then(|word| word.strip_prefix("deployment/"));
    let timeout = stage.get(6).and_then(Word::as_literal).and_then(|word| word.strip_prefix("--timeout="));
    let (name, timeout) = name.zip(timeout).ok_or_else(wrong)?;
    let shape =
        format!(r#"kubectl rollout status deployment/{name} -n "$STAGING_NAMESPACE" --timeout={timeout}"#);
    if command::parse(&shape).ok().as_ref() != Some(line) || DeploymentId::new(name).is_err() {
        return Err(wrong());
    }
    crate::moment::go_duration(timeout)
        .ok_or_else(|| format!("{timeout}: expected a duration such as 5m"))?;
    let is_of = |id: &DeploymentId| name == id.as_str() || name.ends_with(&format!("-{}", id.as_str()));
    let (id, manifest) = applies
        .iter()
        .find(|(id, _)| is_of(id))
        .ok_or_else(|| format!("deployment/{name}: no manifest of step 2 matches this Deployment"))?;
    let mut stages = line.stages.clone();
    if let Some(word) = stages.first_mut().and_then(|stage| stage.last_mut()) {
        *word = Word::of([
            Piece::Literal("--timeout=".to_owned()),
            Piece::Variable("ROLLOUT_TIMEOUT".to_owned()),
        ]);
    }
    let line = CommandLine { stages, redirect: line.redirect.clone() };
    let found = DocumentCommand { line, heading: found.heading, block: found.block };
    let step = step(
        &found,
        StepId::Rollout(id.clone()),
        Phase::Deploy,
        Effect::Reads,
        Keep::DeployLog,
        Limit::Rollout,
    )?;
    let deployment = Deployment { id: id.clone(), name: name.to_owned(), manifest: manifest.clone() };
    Ok((step, deployment, timeout.to_owned()))
}
