//! Reads a document as a runbook: its table, its code blocks and its sentences become steps and rules.
//!
//! There are no defaults: a part that is not understood is a [`DocumentProblem`], and a document with a problem is
//! refused.

use std::fmt;

use super::own_steps::{self, OwnStep};
use super::{
    Check, Document, HealthPath, LatencyGroupId, Runbook, Step, StepId, checks, derived, evidence_files,
    permissions, procedure, sentences,
};
use crate::command::{self, Effect};

/// A part of a document that can't be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentProblem {
    /// The line where the part begins, from 1; `None` if the part is missing.
    pub line: Option<usize>,
    /// The finding.
    pub found: String,
}

/// The error for a document that can't be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct NotARunbook {
    /// All problems of the document.
    pub problems: Vec<DocumentProblem>,
}

impl fmt::Display for NotARunbook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.problems.iter().enumerate() {
            f.write_str(if number == 0 { "" } else { "\n" })?;
            match problem.line {
                Some(line) => write!(f, "line {line}: {}", problem.found)?,
                None => f.write_str(&problem.found)?,
            }
        }
        Ok(())
    }
}

/// The problems found so far.
pub(super) struct Problems<'d> {
    document: &'d Document,
    found: Vec<DocumentProblem>,
}

impl Problems<'_> {
    /// Adds a problem; `part` is its place in the document.
    pub(super) fn add(&mut self, part: Option<&str>, found: String) {
        let line = part.and_then(|part| self.document.line_number(part));
        self.found.push(DocumentProblem { line, found });
    }

    fn keep<T>(&mut self, result: Result<T, String>) -> Option<T> {
        result.map_err(|found| self.found.push(DocumentProblem { line: None, found })).ok()
    }
}

/// Reads a document.
pub(super) fn read(document: &Document) -> Result<Runbook, NotARunbook> {
    let mut problems = Problems { document, found: Vec::new() };
    let checks = checks::read(document, &mut problems);
    let sentences = sentences::read(document, checks.len(), &mut problems);
    let procedure = procedure::read(document, &mut problems);
    let permissions = problems.keep(permissions::needed().map_err(|error| error.to_string()));
    let mut runbook = Runbook {
        checks,
        stop_rules: sentences.stop_rules,
        criteria: sentences.criteria,
        health_timeout_ms: sentences.health_minutes * 60_000,
        smoke_threshold: sentences.smoke_threshold,
        latency_groups: sentences.latency_groups,
        deployments: procedure.deployments,
        rollout_timeout: procedure.rollout_timeout,
        permissions: permissions.unwrap_or_default(),
        evidence_files: evidence_files::read(document, &mut problems),
        document: document.clone(),
        steps: Vec::new(),
    };
    if problems.found.is_empty() {
        runbook.steps = problems.keep(in_order(&runbook, procedure.steps)).unwrap_or_default();
    }
    if problems.found.is_empty() { Ok(runbook) } else { Err(NotARunbook { problems: problems.found }) }
}

/// Returns every command of a run in its order: the document's, and the program's own.
fn in_order(runbook: &Runbook, of_document: Vec<Step>) -> Result<Vec<Step>, String> {
    let (before, of_document): (Vec<_>, Vec<_>) = of_document.into_iter().partition(is_before_any_change);
    let (deploying, after): (Vec<_>, Vec<_>) =
        of_document.into_iter().partition(|step| step.id != StepId::StatusAfter);
    let (applying, rolling_out): (Vec<_>, Vec<_>) =
        deploying.into_iter().partition(|step| !matches!(step.id, StepId::Rollout(_)));
    let mut steps = own(own_steps::local())?;
    steps.extend(before);
    steps.extend(own(own_steps::preflight())?);
    steps.extend(permission_steps(runbook)?);
    for step in &applying {
        if let StepId::Apply(id) = &step.id {
            steps.extend(derived::of_apply(id, &step.line)?);
        }
    }
    steps.extend(own(own_steps::watching())?);
    steps.extend(applying);
    steps.extend(own([own_steps::applied()])?);
    steps.extend(rolling_out);
    steps.extend(after);
    steps.extend(own([own_steps::after()])?);
    steps.extend(smoke(runbook)?);
    let stop_heading = "## Stop Rules".to_owned();
    let dump = own(own_steps::dump())?.into_iter();
    steps.extend(dump.map(|step| Step { heading: Some(stop_heading.clone()), ..step }));
    Ok(steps)
}

fn is_before_any_change(step: &Step) -> bool {
    matches!(step.id, StepId::Namespaces | StepId::Namespace | StepId::StatusBefore)
}

fn own(rows: impl IntoIterator<Item = OwnStep>) -> Result<Vec<Step>, String> {
    let step = |row: OwnStep| {
        let line = command::parse(&row.text).map_err(|error| format!("{}: {error}", row.id))?;
        let line = line.with_effect(Effect::Reads).map_err(|error| format!("{}: {error}", row.id))?;
        Ok(Step {
            id: row.id,
            phase: row.phase,
            heading: None,
            line,
            line_with_key: None,
            effect: Effect::Reads,
            keep: row.keep,
            limit: row.limit,
            why: row.why.to_owned(),
        })
    };
    rows.into_iter().map(step).collect()
}

fn permission_steps(runbook: &Runbook) -> Result<Vec<Step>, String> {
    own(runbook.permissions.iter().map(|permission| OwnStep {
        id: StepId::CanI(permission.id.clone()),
        phase: super::Phase::Preflight,
        why: "a required permission is granted",
        text: format!("kubectl --context=\"$STAGING_CONTEXT\" auth can-i {}", permission.question),
        keep: super::Keep::Own,
        limit: super::Limit::Quick,
    }))
}

/// Returns step 5: the health gate of stop rule 3, the checks, the criteria about their bodies, and the
/// latency.
fn smoke(runbook: &Runbook) -> Result<Vec<Step>, String> {
    let heading = runbook.document.section_starting("### 5. ").and_then(|section| section.lines().next());
    let answer = |path: HealthPath| -> Result<&Check, String> {
        runbook.check_of(path).ok_or_else(|| format!("no check of {}", path.path()))
    };
    let mut steps = HealthPath::ALL.into_iter().map(derived::gate).collect::<Result<Vec<_>, _>>()?;
    for check in &runbook.checks {
        steps.push(derived::check(check, heading.map(str::to_owned))?);
    }
    for path in HealthPath::ALL {
        steps.push(derived::body(path, answer(path)?)?);
    }
    steps.extend(own(LatencyGroupId::ALL.map(own_steps::latency))?);
    Ok(steps)
}
