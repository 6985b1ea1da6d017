//! What `sed` and `jq` made of bytes that are kept, made of them again.

use std::io;

use aho_corasick::AhoCorasick;

use super::facts::{outcomes, printed};
use super::{Check, Evidence, Kind};
use crate::events::{Began, Outcome};
use crate::facts::body;
use crate::runbook::{BODY_CHECKS, BodyCheck, DEPLOYMENTS, check_id};
use crate::verdict;

/// What the runbook's `sed` fills in.
const FILLED_IN: [&str; 2] = ["AWS_ACCOUNT_ID", "IMAGE_TAG"];

pub(super) fn checks(evidence: &Evidence) -> io::Result<Vec<Check>> {
    let Some((_, began)) = &evidence.run.began else { return Ok(Vec::new()) };
    let mut rendered = Vec::new();
    for outcome in outcomes(&evidence.events) {
        rendered.extend(not_rendered_so(evidence, began, outcome)?);
    }
    let what = "the rendered manifests are those manifests, filled in";
    let mut checks = vec![Check::new(Kind::Truth, what, rendered)];
    for row in BODY_CHECKS {
        checks.extend(what_jq_found(evidence, began, row)?);
    }
    Ok(checks)
}

/// What is rendered from a manifest, against the manifest.
fn not_rendered_so(evidence: &Evidence, began: &Began, outcome: &Outcome) -> io::Result<Option<String>> {
    let row = DEPLOYMENTS.iter().find(|row| outcome.id == format!("render.{}", row.key));
    // Where something was taken out, guard-named-value refuses the run.
    let is_whole = outcome.succeeded() && outcome.redactions.is_empty();
    let Some(row) = row.filter(|row| is_whole && evidence.has(&format!("inputs/{}", row.manifest))) else {
        return Ok(None);
    };
    let manifest = fs_err::read(evidence.tree.path("inputs").join(row.manifest))?;
    let values = FILLED_IN.map(|name| verdict::variable(began, name).unwrap_or_default());
    let names = AhoCorasick::new(FILLED_IN.map(|name| format!("${{{name}}}"))).map_err(io::Error::other)?;
    let differs = names.replace_all_bytes(&manifest, &values) != printed(evidence, outcome.stdout.as_ref())?;
    Ok(differs.then(|| format!("{}: it is not {} with its placeholders filled in", outcome.id, row.manifest)))
}

/// What jq found in an answer, against the answer; `None`: it was not asked.
fn what_jq_found(evidence: &Evidence, began: &Began, row: &BodyCheck) -> io::Result<Option<Check>> {
    let Some(outcome) = evidence.run.outcome(row.id).filter(|outcome| !outcome.ended_by.is_our_doing())
    else {
        return Ok(None);
    };
    let answer = answer_of(evidence, row)?;
    let says_so = match verdict::expected_version(&began.target.image_tag) {
        Some(version) if row.needs_version => body::is_healthy(&answer, version),
        _ => body::is_ready(&answer),
    };
    let found = outcome.succeeded();
    let said: &[u8] = match outcome.exit.last() {
        Some(0) => b"true\n",
        Some(1) => b"false\n",
        _ => b"",
    };
    if printed(evidence, outcome.stdout.as_ref())? != said {
        let why = vec!["it printed something else than its exit status says".to_owned()];
        return Ok(Some(Check::new(Kind::Truth, format!("{}: what jq found", row.id), why)));
    }
    Ok(Some(match says_so {
        None if found => {
            let what = format!("{}: jq read the answer, and it is no JSON (RFC 8259)", row.id);
            Check::not_possible(Kind::Truth, what)
        }
        Some(says_so) if says_so != found => {
            let why = format!("by its bytes it {}", if says_so { "does" } else { "does not" });
            let what = format!(
                "{}: the answer {} say what it should",
                row.id,
                if found { "does" } else { "does not" }
            );
            Check::new(Kind::Truth, what, vec![why])
        }
        _ => Check::new(Kind::Truth, format!("{}: the answer says what jq found in it", row.id), Vec::new()),
    }))
}

fn answer_of(evidence: &Evidence, row: &BodyCheck) -> io::Result<Vec<u8>> {
    let outcome = evidence.run.outcome(&check_id(row.check));
    printed(evidence, outcome.and_then(|outcome| outcome.stdout.as_ref()))
}
