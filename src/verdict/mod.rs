//! Derives the verdict of a run from its recorded state: guard findings, the stop rule that fired, and
//! success criteria.
//!
//! Everything here is a pure function of the [`RunState`]. The run decides by it, and folding the journal
//! again gives the same result.

mod criteria;
mod guards;
mod stop_rules;
#[cfg(test)]
mod tests;

use std::fmt::Display;

use serde::{Deserialize, Serialize};

pub use criteria::{CRITERIA, Criterion, CriterionResult, CriterionState, criteria};
pub use guards::{Finding, GUARDS, Guard};
pub use stop_rules::{Observation, STOP_RULES, Stop, StopRule, conclude};

use crate::events::{Began, Outcome, Target};
use crate::run_state::{CheckRecord, RunState};
use crate::runbook::{Check, HealthPath, StepId, exit_of_signal};

/// The verdict of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every success criterion that could be evaluated is met.
    Pass,
    /// No stop rule fired, but a success criterion is not met.
    Shortfall,
    /// A stop rule fired.
    Stop,
    /// A guard refused the run before anything was changed.
    Refused,
    /// The run did not reach its end, or a result that decides is missing.
    Incomplete,
}

/// The judgement of a run: everything that follows from its recorded state.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The findings of the guards; empty if every guard holds.
    pub findings: Vec<Finding>,
    /// The stop rule that fired first; `None` if none fired.
    pub stop: Option<Stop>,
    /// Every success criterion with its result, in the runbook's order.
    pub criteria: Vec<CriterionResult>,
    /// Whether every rollout succeeded, and neither stop rule 1 nor stop rule 2 stopped the run.
    pub deploy_ok: bool,
    /// The number of smoke checks that passed.
    pub checks_passed: usize,
    /// Whether every smoke check has an answer.
    pub smoke_ran: bool,
    /// Whether every smoke check passed.
    pub smoke_ok: bool,
    /// The verdict.
    pub verdict: Verdict,
    /// The exit code of the run.
    pub exit_code: u8,
}

/// Judges a recorded state.
pub fn judge(run: &RunState) -> Judgement {
    let findings = guards::findings(run);
    let stop = stop_rules::first(run);
    let criteria = criteria::judge(run);
    let verdict = match () {
        () if run.ended.is_none() => Verdict::Incomplete,
        () if run.failed.is_some() || run.interrupted.is_some() => Verdict::Incomplete,
        () if !findings.is_empty() => Verdict::Refused,
        () if stop.is_some() => Verdict::Stop,
        () if undecided_command(run).is_some() || pods_unseen_at_end(run).is_some() => Verdict::Incomplete,
        () if criteria.iter().any(|criterion| criterion.state == CriterionState::NotMet) => {
            Verdict::Shortfall
        }
        () => Verdict::Pass,
    };
    Judgement {
        deploy_ok: criteria::deploy_ok(run),
        checks_passed: checks_passed(run),
        smoke_ran: criteria::all_checks_answered(run),
        smoke_ok: criteria::smoke_ok(run),
        exit_code: exit_code(run, verdict),
        findings,
        stop,
        criteria,
        verdict,
    }
}

/// Returns the first command that gave no result for a rule to judge, and the reason.
///
/// Either this program ended the command itself, or the command failed and only its output could have
/// decided.
pub fn undecided_command(run: &RunState) -> Option<(&StepId, &str)> {
    run.commands.iter().filter_map(|command| command.outcome.as_ref()).find_map(|outcome| {
        let by_us = !outcome.ended_by.is_cancelled() && outcome.ended_by.is_our_doing();
        let gave_none = match outcome.id {
            StepId::ObjectsAfter => !outcome.succeeded() && !outcome.ended_by.is_cancelled(),
            // The exit code decides.
            StepId::UseContext | StepId::Apply(_) | StepId::Rollout(_) => by_us,
            _ => false,
        };
        gave_none.then(|| (&outcome.id, outcome.why()))
    })
}

/// Returns why the pods could not be listed at the end of the run; `None` if they could, as far as is
/// recorded.
///
/// A watch is silent when its server hangs, so the last list shows whether the watch saw anything.
pub fn pods_unseen_at_end(run: &RunState) -> Option<&str> {
    let answered = |outcome: &&Outcome| {
        matches!(outcome.id, StepId::ListPods | StepId::ListLast) && !outcome.ended_by.is_cancelled()
    };
    let listed = run.commands.iter().rev().filter_map(|command| command.outcome.as_ref()).find(answered)?;
    (!listed.succeeded()).then(|| listed.why())
}

/// Returns whether an answer passes its check.
pub fn passes(run: &RunState, answer: &CheckRecord) -> bool {
    let Some(check) = run.runbook.check(answer.number) else { return false };
    let accepted = accepted(run, check).contains(&answer.transfer.http_status);
    accepted && answer.transfer.exit_code == 0
}

/// Returns the HTTP statuses that a check accepts in this run.
pub fn accepted<'r>(run: &RunState, check: &'r Check) -> &'r [String] {
    check.accepted(run.with_key())
}

/// Returns the value of a runbook variable in a run; `None` if it has none, or names something found on the
/// cluster.
pub fn variable(began: &Began, name: &str) -> Option<String> {
    match name {
        "ROLLOUT_TIMEOUT" => Some(began.options.rollout_timeout.clone()),
        _ => of_target(&began.target, name),
    }
}

/// Returns the value of a variable like [`variable`], where `extra` contains the variables found on the
/// cluster.
pub fn variable_or(began: &Began, extra: &[(&str, &str)], name: &str) -> Option<String> {
    let met = extra.iter().find(|(extra, _)| *extra == name).map(|(_, value)| (*value).to_owned());
    met.or_else(|| variable(began, name))
}

/// Returns the value of a variable like [`variable`], from the inputs alone.
pub fn of_target(target: &Target, name: &str) -> Option<String> {
    match name {
        "STAGING_BASE_URL" | "STAGING_METRICS_URL" => Some(target.base(name).to_owned()),
        // As in the shell, an unset variable is empty. A guard has made sure that no manifest needs it.
        "AWS_ACCOUNT_ID" => Some(target.aws_account_id.clone().unwrap_or_default()),
        "VERSION" => expected_version(&target.image_tag).map(str::to_owned),
        _ => target.input(name).map(str::to_owned),
    }
}

/// Returns the version that the answer of `/health` must contain: the image tag without a leading `v`; `None`
/// for `latest`.
pub fn expected_version(image_tag: &str) -> Option<&str> {
    (image_tag != "latest").then(|| image_tag.strip_prefix('v').unwrap_or(image_tag))
}

/// Returns whether the criterion about the body of this path can be evaluated with this tag.
pub fn can_judge_body(path: HealthPath, image_tag: &str) -> bool {
    path != HealthPath::Health || expected_version(image_tag).is_some()
}

/// Formats a number with its noun: `1 pod`, `3 pods`.
pub fn count<N: Copy + Display + PartialEq + From<u8>>(number: N, noun: &str) -> String {
    if number == N::from(1) { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

fn checks_passed(run: &RunState) -> usize {
    run.checks.iter().filter(|answer| passes(run, answer)).count()
}

fn exit_code(run: &RunState, verdict: Verdict) -> u8 {
    let strict = run.began.as_ref().is_some_and(|(_, began)| began.options.strict);
    match verdict {
        Verdict::Shortfall if strict => 3,
        Verdict::Pass | Verdict::Shortfall => 0,
        Verdict::Stop => 1,
        Verdict::Refused => 2,
        Verdict::Incomplete => run.interrupted.map_or(4, exit_of_signal),
    }
}
