//! Verifies that the recorded runbook is the document that the run carried out and is judged by.

use std::io;

use super::{Evidence, Kind, Point};
use crate::events::EventKind;
use crate::evidence::{RUNBOOK, sha256_of_bytes};
use crate::runbook::BUILT_IN;

pub(super) fn checks(evidence: &Evidence) -> io::Result<Vec<Point>> {
    let read = |kind: &EventKind| matches!(kind, EventKind::RunbookRead { .. });
    let Some(EventKind::RunbookRead { id, sha256, text }) = evidence.events.get(1).map(|event| &event.kind)
    else {
        if evidence.events.len() < 2 {
            return Ok(vec![Point::open(Kind::Truth, "the run ended before it recorded its runbook")]);
        }
        let found = vec!["journal.jsonl: the second event is not the runbook".to_owned()];
        return Ok(vec![Point::new(Kind::Truth, "the runbook", found)]);
    };
    let mut found = Vec::new();
    if evidence.events.iter().filter(|event| read(&event.kind)).count() > 1 {
        found.push("journal.jsonl: it contains two runbooks".to_owned());
    }
    let is = sha256_of_bytes(text.as_bytes());
    if is != *sha256 {
        found.push(format!("journal.jsonl: the document has the SHA-256 {is}, not {sha256}"));
    }
    let run = &evidence.run;
    let named = run.began.as_ref().map(|(_, began)| &began.program.runbook);
    if named
        .is_none_or(|named| named.sha256 != *sha256 || named.id != *id || *id != run.runbook.document.id())
    {
        found.push("journal.jsonl: the run began with another document".to_owned());
    }
    if !evidence.has(RUNBOOK) {
        found.push(format!("{RUNBOOK} is missing"));
    } else if fs_err::read(evidence.tree.path(RUNBOOK))? != text.as_bytes() {
        found.push(format!("{RUNBOOK} is not the document of the journal"));
    }
    if let Some(problems) = &run.not_a_runbook {
        found.extend(problems.problems.iter().map(|problem| format!("{RUNBOOK}: {}", problem.found)));
    }
    let what = format!("{RUNBOOK} is the runbook that it was carried out and is judged by: {id}");
    let mut checks = vec![Point::new(Kind::Truth, what, found)];
    if text != BUILT_IN {
        let what = format!(
            "{id} is not the runbook built into this program: compare {RUNBOOK}, SHA-256 {is}, with yours"
        );
        checks.push(Point::open(Kind::Truth, what));
    }
    Ok(checks)
}
