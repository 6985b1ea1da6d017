//! Prints the verdict, and the last lines of a run.

use super::console;
use super::escape::{clipped, printable};
use super::layout::{BAD, FAIR, GOOD, count, labelled, plain, seconds, styled};
use super::step_lines::MESSAGE;
use super::stop_block;
use crate::events::{Effect, Scope};
use crate::manifest::Manifest;
use crate::run_state::RunState;
use crate::verdict::{CriterionResult, CriterionState, Finding, Judgement, Verdict};

/// The location of a run's evidence; a subcommand that keeps no evidence has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceLocation {
    /// The evidence directory.
    pub evidence: String,
    /// The SHA-256 of `SHA256SUMS`; `None` if the checksums could not be written.
    pub seal: Option<String>,
}

/// The criteria about a whole run, which do not apply to a subcommand that does a part of it.
const OF_A_WHOLE_RUN: [&str; 2] = ["manifest", "files"];

/// Prints the verdict on standard error, and then, except after a preflight, the last lines on standard
/// output.
pub fn closing(run: &RunState, judgement: &Judgement, scope: Scope, place: Option<&EvidenceLocation>) {
    console::eprint(&block(run, judgement, scope, place));
    if scope != Scope::Preflight {
        console::print(&last_lines(run, judgement, place));
    }
}

/// Formats the last lines; the first three are the lines of the former script.
fn last_lines(run: &RunState, judgement: &Judgement, place: Option<&EvidenceLocation>) -> String {
    let (passed, all) = (judgement.checks_passed, run.runbook.checks.len());
    let mut text = match (judgement.smoke_ran, judgement.smoke_ok) {
        (false, _) => "Smoke: not run\n".to_owned(),
        (true, true) => format!("Smoke: {passed}/{all} PASS\n"),
        (true, false) => format!("Smoke: {passed}/{all} FAIL\n"),
    };
    if let Some(place) = place {
        let evidence = printable(&place.evidence);
        text.push_str(&format!("Evidence: {evidence}\nManifest: {evidence}/manifest.json\n"));
        if let Some(seal) = &place.seal {
            text.push_str(&format!("Seal: {seal}  (SHA-256 of SHA256SUMS)\n"));
        }
    }
    text
}

/// Formats the verdict and its reasons, between blank lines.
fn block(run: &RunState, judgement: &Judgement, scope: Scope, place: Option<&EvidenceLocation>) -> String {
    let evidence = place.map(|place| place.evidence.as_str());
    let text = match judgement.verdict {
        Verdict::Pass | Verdict::Shortfall if scope == Scope::Preflight => guards_hold(run),
        Verdict::Pass | Verdict::Shortfall => criteria(run, judgement, scope == Scope::Whole),
        Verdict::Stop => stop_block::stop(run, judgement, evidence),
        Verdict::Refused => refused(&judgement.findings),
        Verdict::Incomplete => incomplete(run, judgement, evidence),
    };
    format!("\n{text}\n")
}

fn took(run: &RunState) -> Option<String> {
    let (began, _) = run.began.as_ref()?;
    Some(seconds(run.ended?.millis_since(*began)))
}

/// Formats the PASS of a preflight.
fn guards_hold(run: &RunState) -> String {
    let time = took(run).map(|time| format!(" in {time}")).unwrap_or_default();
    format!("{}{time}: every guard passed, and nothing was changed\n", styled(GOOD, "PASS"))
}

/// Formats a PASS or SHORTFALL; in a partial run, only evaluated criteria count.
fn criteria(run: &RunState, judgement: &Judgement, whole: bool) -> String {
    let counts = |criterion: &&CriterionResult| {
        whole
            || (criterion.state != CriterionState::NotEvaluated
                && !OF_A_WHOLE_RUN.contains(&criterion.id.as_str()))
    };
    let rows: Vec<&CriterionResult> = judgement.criteria.iter().filter(counts).collect();
    let of = |state: CriterionState| rows.iter().filter(move |row| row.state == state);
    let (met, missed, open) = (
        of(CriterionState::Met).count(),
        of(CriterionState::NotMet).count(),
        of(CriterionState::NotEvaluated).count(),
    );
    let time = took(run).map(|time| format!(" in {time}")).unwrap_or_default();
    let mut text = match (missed, open, rows.len()) {
        (0, 0, all) => {
            format!("{}{time}: every success criterion is met ({met} of {all})\n", styled(GOOD, "PASS"))
        }
        (0, _, all) => {
            format!(
                "{}{time}: {met} of {all} success criteria are met, none is missed\n",
                styled(GOOD, "PASS")
            )
        }
        (_, _, all) => {
            let strict = if judgement.exit_code == 3 { " (exit 3, by --strict)" } else { "" };
            let (verdict, are) = (styled(FAIR, "SHORTFALL"), if missed == 1 { "is" } else { "are" });
            format!(
                "{verdict}{time}: no stop rule fired, but {missed} of {all} success criteria {are} not met{strict}\n"
            )
        }
    };
    for row in of(CriterionState::NotMet) {
        let observed = row.observed.as_deref().unwrap_or("not known");
        text.push_str(&format!("  {}\n      saw   {}\n", row.text, clipped(observed, 2 * MESSAGE)));
        if row.is_about_all_checks() {
            let failed = stop_block::failed_checks(run);
            for check in failed {
                text.push_str(&format!("            {check}\n"));
            }
        }
    }
    for row in of(CriterionState::NotEvaluated) {
        let why = row.why.as_deref().unwrap_or("not known");
        text.push_str(&format!("  not evaluated: {}\n      why   {}\n", row.text, clipped(why, MESSAGE)));
    }
    text
}

fn refused(findings: &[Finding]) -> String {
    let found = count(findings.len(), "finding");
    let mut text = format!("{}: {found} before anything was changed.\n", styled(BAD, "Refused"));
    for finding in findings {
        text.push_str(&format!("\n  {}\n", clipped(&finding.found, 4 * MESSAGE)));
        if !finding.next.is_empty() {
            text.push_str(&format!("      do this   {}\n", printable(&finding.next)));
        }
    }
    text
}

fn incomplete(run: &RunState, judgement: &Judgement, evidence: Option<&str>) -> String {
    let why = Manifest::of(run, judgement).incomplete.unwrap_or_else(|| "not known".to_owned());
    let time = took(run).map(|time| format!(" after {time}")).unwrap_or_default();
    let mut text = format!("{}{time}: {}\n", styled(BAD, "INCOMPLETE"), clipped(&why, 2 * MESSAGE));
    if let Some(stop) = &judgement.stop {
        let saw = clipped(&stop.saw.observed, 2 * MESSAGE);
        text.push_str(&labelled("saw", &[format!("{saw}: stop rule {} fired", stop.rule)]));
    }
    text.push_str(&stop_block::left_as(run));
    text.push_str(&labelled("unknown", &unknown(run)));
    text.push_str(&stop_block::not_run(run));
    if let Some(evidence) = evidence {
        text.push_str(&labelled("look at", &[format!("{}/journal.jsonl", printable(evidence))]));
    }
    text
}

/// Returns the changes that were begun on the cluster and whose result is unknown.
fn unknown(run: &RunState) -> Vec<String> {
    run.commands
        .iter()
        .filter(|command| command.intent.effect == Effect::Changes && command.outcome.is_none())
        .map(|command| {
            let text = plain(&printable(&command.intent.text));
            format!(
                "{} was started, but its end was not recorded; it may have changed the cluster: {text}",
                command.intent.id
            )
        })
        .collect()
}

#[cfg(test)]
#[path = "summary_tests.rs"]
mod tests;
