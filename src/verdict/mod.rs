//! What follows from a record: refusals, the stop rule that fired, the success criteria, the verdict.
//!
//! All of it is a pure function of the [`RunState`]; the run decides by it, and whoever folds the journal again
//! comes to the same.

mod criteria;
mod guards;
mod stop_rules;

use serde::{Deserialize, Serialize};

pub use criteria::{CRITERIA, Criterion, CriterionResult, State};
pub use guards::{Finding, GUARDS, Guard};
pub use stop_rules::{Observation, STOP_RULES, Stop, StopRule, conclude};

use crate::events::{Began, EndedBy, Outcome, Target};
use crate::run_state::{CheckRecord, RunState};
use crate::runbook::{BodyCheck, CHECKS, Check, exit_of_signal};

/// The word a run ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every success criterion that could be evaluated holds.
    Pass,
    /// No stop rule fired, but a success criterion is not met.
    Shortfall,
    /// A stop rule fired.
    Stop,
    /// A guard refused before anything was changed.
    Refused,
    /// The run did not come to its end.
    Incomplete,
}

/// Looks at what a row's judgement says, and says what is to count. Production takes it as it is; the tests
/// invert one row at a time to show that each decides something.
pub type Lens<'a> = &'a dyn Fn(&str, bool) -> bool;

/// The commands whose exit status decides.
const DECISIVE: [&str; 3] = ["use-context", "apply.", "rollout."];

/// Takes every row's judgement as it is.
pub fn as_judged(_row: &str, holds: bool) -> bool {
    holds
}

/// All that follows from a record.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct Judgement {
    pub findings: Vec<Finding>,
    pub stop: Option<Stop>,
    pub criteria: Vec<CriterionResult>,
    pub deploy_ok: bool,
    pub checks_passed: usize,
    pub smoke_ran: bool,
    pub smoke_ok: bool,
    pub verdict: Verdict,
    pub exit_code: u8,
}

/// Judges a record.
pub fn judge(run: &RunState) -> Judgement {
    judge_through(run, &as_judged)
}

/// Judges a record through a [`Lens`].
pub fn judge_through(run: &RunState, lens: Lens) -> Judgement {
    let findings = guards::findings(run, lens);
    let stop = stop_rules::first(run, lens);
    let criteria = criteria::judge(run, lens);
    let verdict = match () {
        () if run.ended.is_none() => Verdict::Incomplete,
        () if run.failed.is_some() || run.interrupted.is_some() => Verdict::Incomplete,
        () if !findings.is_empty() => Verdict::Refused,
        () if stop.is_some() => Verdict::Stop,
        () if undecided_command(run).is_some() || pods_unseen_at_end(run).is_some() => Verdict::Incomplete,
        () if criteria.iter().any(|criterion| criterion.state == State::NotMet) => Verdict::Shortfall,
        () => Verdict::Pass,
    };
    Judgement {
        deploy_ok: criteria::deploy_ok(run, lens),
        checks_passed: checks_passed(run, lens),
        smoke_ran: run.checks.len() == CHECKS.len(),
        smoke_ok: criteria::smoke_ok(run, lens),
        exit_code: exit_code(run, verdict),
        findings,
        stop,
        criteria,
        verdict,
    }
}

/// The first command whose result a rule would have judged, had it given one, and why it gave none: we ended it
/// ourselves, or it failed where only its output could have told.
pub fn undecided_command(run: &RunState) -> Option<(&str, &str)> {
    run.commands.iter().filter_map(|command| command.outcome.as_ref()).find_map(|outcome| {
        let by_us = outcome.ended_by != EndedBy::StagingDryRun && outcome.ended_by.is_our_doing();
        let gave_none = match outcome.id.as_str() {
            "objects.after" => !outcome.succeeded() && outcome.ended_by != EndedBy::StagingDryRun,
            id => by_us && DECISIVE.iter().any(|start| id.starts_with(start)),
        };
        gave_none.then(|| (outcome.id.as_str(), outcome.why()))
    })
}

/// Why the pods could not be seen when the run came to its end; `None`: they could, as far as the record tells. A
/// watch whose server hangs is silent, so what was listed last says whether it saw anything.
pub fn pods_unseen_at_end(run: &RunState) -> Option<&str> {
    let answered =
        |outcome: &&Outcome| outcome.id == "list.pods" && outcome.ended_by != EndedBy::StagingDryRun;
    let listed = run.commands.iter().rev().filter_map(|command| command.outcome.as_ref()).find(answered)?;
    (!listed.succeeded()).then(|| listed.why())
}

/// Whether an answer passes its check.
pub fn passes(run: &RunState, answer: &CheckRecord, lens: Lens) -> bool {
    let Some(check) = Check::numbered(answer.number) else { return false };
    let accepted = accepted(run, check).contains(&answer.transfer.http_status.as_str());
    lens(&check.id(), accepted && answer.transfer.exit_code == 0)
}

/// The statuses a check takes in this run.
pub fn accepted(run: &RunState, check: &Check) -> &'static [&'static str] {
    check.accepted(run.with_key())
}

/// What a variable of the rows is in a run; `None`: nothing, or what the run met on the cluster.
pub fn variable(began: &Began, name: &str) -> Option<String> {
    match name {
        "ROLLOUT_TIMEOUT" => Some(began.options.rollout_timeout.clone()),
        _ => of_target(&began.target, name),
    }
}

/// As [`variable`], where `extra` are those that the run met on the cluster.
pub fn variable_or(began: &Began, extra: &[(&str, &str)], name: &str) -> Option<String> {
    let met = extra.iter().find(|(extra, _)| *extra == name).map(|(_, value)| (*value).to_owned());
    met.or_else(|| variable(began, name))
}

/// As [`variable`], of the inputs alone.
pub fn of_target(target: &Target, name: &str) -> Option<String> {
    match name {
        "STAGING_BASE_URL" | "STAGING_METRICS_URL" => Some(target.base(name).to_owned()),
        // As in the shell: an unset variable is empty. That no manifest needs it, a guard has made sure.
        "AWS_ACCOUNT_ID" => Some(target.aws_account_id.clone().unwrap_or_default()),
        "VERSION" => expected_version(&target.image_tag).map(str::to_owned),
        _ => target.input(name).map(str::to_owned),
    }
}

/// The version the answer of `/health` must name: the image tag less its `v`; `latest` names none.
pub fn expected_version(image_tag: &str) -> Option<&str> {
    (image_tag != "latest").then(|| image_tag.strip_prefix('v').unwrap_or(image_tag))
}

/// Whether a criterion about a body can be evaluated with this tag.
pub fn can_judge_body(check: &BodyCheck, image_tag: &str) -> bool {
    !check.needs_version || expected_version(image_tag).is_some()
}

fn checks_passed(run: &RunState, lens: Lens) -> usize {
    run.checks.iter().filter(|answer| passes(run, answer, lens)).count()
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
