//! Prints the result of `verify` as a table.

use super::console;
use super::escape::clipped;
use super::layout::{BAD, FAIR, GOOD, count, styled};
use crate::run_state::RunState;
use crate::verdict::{self, Verdict};
use crate::verify::{Extent, Kind, Point, Report, VerifyOutcome};

/// The longest line of a finding, in characters; file names and lines of programs may have any length.
const MOST: usize = 300;

/// The maximum number of findings that are shown per check.
const FINDINGS: usize = 10;

/// Prints the checks and their results.
pub fn verified(report: &Report) {
    console::print(&table(report));
}

fn table(report: &Report) -> String {
    let run = report.run.as_ref().map(|run| run_line(run) + "\n").unwrap_or_default();
    let mut text = format!("{}\n{run}", report.folder);
    let mut kind = None;
    for check in &report.checks {
        if kind != Some(check.kind) {
            kind = Some(check.kind);
            text.push_str(&format!("\n{}\n", heading(check.kind)));
        }
        text.push_str(&row(check));
    }
    let findings: usize = report.checks.iter().map(|check| check.found.len()).sum();
    let of = |extent: Extent| report.checks.iter().filter(|check| check.extent == extent).count();
    let end = match (report.conclusion(), of(Extent::Open)) {
        (VerifyOutcome::Holds, 0) => styled(GOOD, "HOLDS"),
        (VerifyOutcome::Holds, open) => {
            format!(
                "{}, as far as it could be checked: {} left open",
                styled(GOOD, "HOLDS"),
                count(open, "point")
            )
        }
        (VerifyOutcome::DoesNotHold, _) => {
            format!("{}: {}", styled(BAD, "DOES NOT HOLD"), count(findings, "finding"))
        }
        (VerifyOutcome::Undecided, _) => {
            let points = count(of(Extent::Undecided), "point");
            format!("{}: {points} that decide could not be checked", styled(BAD, "UNDECIDED"))
        }
    };
    text.push_str(&format!("\n{end}\n"));
    text
}

fn heading(kind: Kind) -> &'static str {
    match kind {
        Kind::Integrity => "Integrity: nothing was altered",
        Kind::Truth => "Truth: facts and verdict follow from the recorded output",
        Kind::Completeness => "Completeness: all files agree",
        Kind::Chain => "Chain: each run names the previous one",
    }
}

fn row(check: &Point) -> String {
    let (style, word) = match (check.extent, check.found.is_empty()) {
        (Extent::Open, _) => (FAIR, "open"),
        (Extent::Undecided, _) => (BAD, "??  "),
        (Extent::Checked, true) => (GOOD, "ok  "),
        (Extent::Checked, false) => (BAD, "NO  "),
    };
    let mut text = format!("  {}  {}\n", styled(style, word), clipped(&check.what, MOST));
    for found in check.found.iter().take(FINDINGS) {
        text.push_str(&format!("          {}\n", clipped(found, MOST)));
    }
    if let Some(more) = check.found.len().checked_sub(FINDINGS).filter(|more| *more > 0) {
        text.push_str(&format!("          … and {more} more\n"));
    }
    text
}

/// Formats the run and its verdict, as its journal has them.
pub(super) fn run_line(run: &RunState) -> String {
    let Some((at, began)) = &run.began else { return "no run can be read from its journal".to_owned() };
    let judgement = verdict::judge(run);
    let verdict = match judgement.verdict {
        Verdict::Pass => "PASS".to_owned(),
        Verdict::Shortfall => "SHORTFALL".to_owned(),
        Verdict::Stop => {
            judgement.stop.map_or("STOP".to_owned(), |stop| format!("STOP by rule {}", stop.rule))
        }
        Verdict::Refused => "Refused".to_owned(),
        Verdict::Incomplete => "INCOMPLETE".to_owned(),
    };
    let target = format!("{} · namespace {}", began.target.context, began.target.namespace);
    clipped(&format!("run {} · {at} · {target} · {verdict}", began.run_id), MOST)
}
