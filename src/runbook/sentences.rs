//! Reads the sentences of the document that decide a run.
//!
//! Their words are fixed; only their numbers and names may differ. A different sentence is refused.

use super::document::list_after;
use super::reader::Problems;
use super::{Document, LatencyGroupId};

/// The four stop rules, in the document's order; `…` is a number.
const STOP_RULES: [&str; 4] = [
    "`kubectl rollout status` fails (deployment did not converge)",
    "Any pod in `CrashLoopBackOff` or `Error` state",
    "Health check (`/health` or `/readyz`) returns non-200 after … minutes",
    "Smoke tests: < …/… PASS (…% threshold)",
];

/// The nine success criteria, in the document's order; `…` is a number, a version, or names.
const CRITERIA: [&str; 9] = [
    "`kubectl rollout status` exits 0 for all deployments (…)",
    "All pods in `Running` state (0 restarts preferred)",
    "Services have endpoints assigned",
    "…/… checks PASS",
    r#"`/health` returns `{"status": "healthy", "version": "…"}`"#,
    r#"`/readyz` returns `{"status": "ready", ...}` with all services "up""#,
    "No 5xx errors in smoke tests",
    "`manifest.json` has `deploy.ok: true` and `smoke.ok: true`",
    "All required files in `evidence/staging/YYYYMMDD/` present",
];

/// A group of paths with one latency limit in the runbook (informational).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LatencyGroup {
    /// The second part of the id of its step.
    pub id: LatencyGroupId,
    /// Its name on the screen.
    pub name: &'static str,
    /// The limit for the 95th percentile, in ms.
    pub limit_ms: u64,
}

/// The content of the sentences.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sentences {
    pub(super) stop_rules: Vec<String>,
    pub(super) criteria: Vec<String>,
    /// The time limit for `/health` and `/readyz`, in minutes.
    pub(super) health_minutes: u64,
    /// The number of checks that must pass.
    pub(super) smoke_threshold: usize,
    pub(super) latency_groups: Vec<LatencyGroup>,
}

/// Reads the sentences; `checks` is the number of checks in the table.
pub(super) fn read(document: &Document, checks: usize, problems: &mut Problems<'_>) -> Sentences {
    let stop_rules = sentences(document, "## Stop Rules", "**Immediately STOP if**:", &STOP_RULES, problems);
    let criteria = criteria(document, problems);
    let number = |all: &[Vec<&str>], sentence: usize, place: usize| -> Option<usize> {
        all.get(sentence)?.get(place)?.parse().ok()
    };
    let places: Vec<Vec<&str>> = stop_rules.iter().map(|(_, places)| places.clone()).collect();
    let of_criteria: Vec<Vec<&str>> = criteria.iter().map(|(_, places)| places.clone()).collect();
    let threshold = number(&places, 3, 0).filter(|threshold| (1..=checks).contains(threshold));
    let minutes = number(&places, 2, 0).filter(|minutes| (1..=60).contains(minutes));
    let section = document.section("## Stop Rules");
    if !stop_rules.is_empty() && number(&places, 3, 1) != Some(checks) {
        problems
            .add(section, format!("stop rule 4 names another number of checks than the table ({checks})"));
    }
    if !stop_rules.is_empty() && threshold.is_none() {
        problems.add(section, format!("the threshold of stop rule 4 must be from 1 to {checks}"));
    }
    if !stop_rules.is_empty() && minutes.is_none() {
        problems.add(section, "stop rule 3 must name a time of 1 to 60 minutes".to_owned());
    }
    if !criteria.is_empty() && [0, 1].map(|place| number(&of_criteria, 3, place)) != [Some(checks); 2] {
        let section = document.section("## Success Criteria");
        problems
            .add(section, format!("the criterion names another number of checks than the table ({checks})"));
    }
    let texts = |all: Vec<(&str, Vec<&str>)>| all.into_iter().map(|(text, _)| text.to_owned()).collect();
    Sentences {
        health_minutes: minutes.and_then(|minutes| minutes.try_into().ok()).unwrap_or_default(),
        smoke_threshold: threshold.unwrap_or_default(),
        stop_rules: texts(stop_rules),
        criteria: texts(criteria),
        latency_groups: latency_groups(document, problems),
    }
}

/// Reads a list of known sentences, each with the texts in its places; returns an empty list if one differs.
fn sentences<'d>(
    document: &'d Document,
    heading: &str,
    label: &str,
    known: &[&str],
    problems: &mut Problems<'_>,
) -> Vec<(&'d str, Vec<&'d str>)> {
    let items = document.section(heading).map(|section| list_after(section, label)).unwrap_or_default();
    understood(document.section(heading), &items, known, heading, problems)
}

fn criteria<'d>(document: &'d Document, problems: &mut Problems<'_>) -> Vec<(&'d str, Vec<&'d str>)> {
    let section = document.section("## Success Criteria");
    let lines = section.into_iter().flat_map(str::lines);
    let items: Vec<&str> = lines.filter_map(|line| line.strip_prefix("- [ ] ")).collect();
    understood(section, &items, &CRITERIA, "## Success Criteria", problems)
}

fn understood<'d>(
    section: Option<&'d str>,
    items: &[&'d str],
    known: &[&str],
    heading: &str,
    problems: &mut Problems<'_>,
) -> Vec<(&'d str, Vec<&'d str>)> {
    if items.len() != known.len() {
        problems.add(
            section,
            format!("{heading}: expected {} sentences, but the document has {}", known.len(), items.len()),
        );
        return Vec::new();
    }
    let mut read = Vec::new();
    for (item, known) in items.iter().zip(known) {
        match places(known, item) {
            Some(places) => read.push((*item, places)),
            None => problems.add(Some(item), format!("expected the sentence: {known}")),
        }
    }
    if read.len() == known.len() { read } else { Vec::new() }
}

fn latency_groups(document: &Document, problems: &mut Problems<'_>) -> Vec<LatencyGroup> {
    let section = document.section("## Smoke Test Definition");
    let items = section.map(|section| list_after(section, "**Latency Threshold**")).unwrap_or_default();
    let known = [
        (LatencyGroupId::Health, "health, readyz", "p95 < …ms for health/readyz"),
        (LatencyGroupId::Docs, "openapi, docs", "p95 < …ms for openapi/docs"),
    ];
    let mut groups = Vec::new();
    for (id, name, sentence) in known {
        let limit = items.iter().find_map(|item| places(sentence, item)?.first()?.parse().ok());
        match limit {
            Some(limit_ms) => groups.push(LatencyGroup { id, name, limit_ms }),
            None => problems.add(section, format!("expected the sentence: {sentence}")),
        }
    }
    groups
}

/// Returns the texts in the places of a sentence; `None` if it is another sentence.
fn places<'t>(sentence: &str, text: &'t str) -> Option<Vec<&'t str>> {
    let mut parts = sentence.split('…');
    let mut rest = text.strip_prefix(parts.next()?)?;
    let mut places = Vec::new();
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        let end = if parts.peek().is_none() { rest.len().checked_sub(part.len())? } else { rest.find(part)? };
        let (place, behind) = rest.split_at_checked(end)?;
        places.push(place);
        rest = behind.strip_prefix(part)?;
    }
    (rest.is_empty() && places.iter().all(|place| !place.is_empty())).then_some(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_has_its_words_and_something_in_its_places() {
        assert_eq!(places("< …/… PASS (…%)", "< 8/10 PASS (80%)"), Some(vec!["8", "10", "80"]));
        assert_eq!(places("No 5xx", "No 5xx"), Some(vec![]));
        for other in ["No 5xx errors", "no 5xx", "No 5x"] {
            assert_eq!(places("No 5xx", other), None);
        }
        assert_eq!(places("after … minutes", "after  minutes"), None);
    }
}
