//! Verifies the output of `sed` and `jq` by computing it again from the recorded input.

use std::io;

use aho_corasick::AhoCorasick;

use super::outputs::{outcomes, printed};
use super::{Evidence, Kind, Point};
use crate::command::CommandLine;
use crate::events::{Began, Outcome};
use crate::facts::body;
use crate::runbook::{HealthPath, StepId};
use crate::verdict;

pub(super) fn checks(evidence: &Evidence) -> io::Result<Vec<Point>> {
    let Some((_, began)) = &evidence.run.began else { return Ok(Vec::new()) };
    let mut rendered = Vec::new();
    for outcome in outcomes(&evidence.events) {
        rendered.extend(not_rendered_so(evidence, began, outcome)?);
    }
    let what = "the rendered manifests are those manifests, filled in";
    let mut checks = vec![Point::new(Kind::Truth, what, rendered)];
    for path in HealthPath::ALL {
        checks.extend(what_jq_found(evidence, began, path)?);
    }
    Ok(checks)
}

/// Compares a rendered manifest with the manifest and the values of the run.
fn not_rendered_so(evidence: &Evidence, began: &Began, outcome: &Outcome) -> io::Result<Option<String>> {
    let StepId::Render(id) = &outcome.id else { return Ok(None) };
    let runbook = &evidence.run.runbook;
    let row = runbook.deployment(id);
    // If a value was redacted here, guard-named-value has refused the run.
    let is_whole = outcome.succeeded() && outcome.redactions.is_empty();
    let Some(row) = row.filter(|row| is_whole && evidence.has(&format!("inputs/{}", row.manifest))) else {
        return Ok(None);
    };
    let manifest = fs_err::read(evidence.tree.path("inputs").join(&row.manifest))?;
    let Some(step) = runbook.step(&outcome.id) else { return Ok(None) };
    let differs = filled_in(&manifest, &step.line, began)? != printed(evidence, outcome.stdout.as_ref())?;
    Ok(differs.then(|| format!("{}: it is not {} with its placeholders filled in", outcome.id, row.manifest)))
}

/// Fills in the placeholders of a manifest as the `sed` stages of a command do.
fn filled_in(manifest: &[u8], line: &CommandLine, began: &Began) -> io::Result<Vec<u8>> {
    let names = line.filled_in();
    let values: Vec<_> =
        names.iter().map(|name| verdict::variable(began, name).unwrap_or_default()).collect();
    let placeholders = names.iter().map(|name| format!("${{{name}}}"));
    let placeholders = AhoCorasick::new(placeholders).map_err(io::Error::other)?;
    Ok(placeholders.replace_all_bytes(manifest, &values))
}

/// Compares jq's result for an answer with the recorded answer; `None` if jq was not run or was ended by this
/// program.
fn what_jq_found(evidence: &Evidence, began: &Began, path: HealthPath) -> io::Result<Option<Point>> {
    let step = StepId::Body(path);
    let Some(outcome) = evidence.run.outcome(&step).filter(|outcome| !outcome.ended_by.is_our_doing()) else {
        return Ok(None);
    };
    let answer = answer_of(evidence, path)?;
    let says_so = match verdict::expected_version(&began.target.image_tag) {
        Some(version) if path == HealthPath::Health => body::is_healthy(&answer, version),
        _ => body::is_ready(&answer),
    };
    let found = outcome.succeeded();
    let said: &[u8] = match outcome.exit.last() {
        Some(0) => b"true\n",
        Some(1) => b"false\n",
        _ => b"",
    };
    if printed(evidence, outcome.stdout.as_ref())? != said {
        let why = vec!["its output does not agree with its exit code".to_owned()];
        return Ok(Some(Point::new(Kind::Truth, format!("{step}: what jq found"), why)));
    }
    Ok(Some(match says_so {
        None if found => {
            let what = format!("{step}: jq read the answer, but it is not JSON (RFC 8259)");
            Point::undecided(Kind::Truth, what)
        }
        Some(says_so) if says_so != found => {
            let why = format!("by its bytes it {}", if says_so { "does" } else { "does not" });
            let what =
                format!("{step}: the answer {} say what it should", if found { "does" } else { "does not" });
            Point::new(Kind::Truth, what, vec![why])
        }
        _ => Point::new(Kind::Truth, format!("{step}: the answer agrees with jq"), Vec::new()),
    }))
}

fn answer_of(evidence: &Evidence, path: HealthPath) -> io::Result<Vec<u8>> {
    let check = evidence.run.runbook.check_of(path);
    let outcome = check.and_then(|check| evidence.run.outcome(&check.id()));
    printed(evidence, outcome.and_then(|outcome| outcome.stdout.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{command, fixture};

    #[test]
    fn the_placeholders_that_the_command_names_are_filled_in() {
        let manifest = b"${AWS_ACCOUNT_ID} ${AWS_REGION} ${IMAGE_TAG} ${OTHER}";
        for (stages, filled) in [
            ("", "${AWS_ACCOUNT_ID} ${AWS_REGION} ${IMAGE_TAG} ${OTHER}"),
            (
                r#" | sed "s/\${AWS_REGION}/${AWS_REGION}/g""#,
                "${AWS_ACCOUNT_ID} us-east-1 ${IMAGE_TAG} ${OTHER}",
            ),
            (
                r#" | sed "s/\${AWS_ACCOUNT_ID}/${AWS_ACCOUNT_ID}/g" | sed "s/\${IMAGE_TAG}/${IMAGE_TAG}/g""#,
                "123456789012 ${AWS_REGION} v0.4.2.2 ${OTHER}",
            ),
        ] {
            let line = command::parse(&format!("cat k8s/a.yaml{stages}")).unwrap();
            let found = filled_in(manifest, &line, &fixture::began()).unwrap();
            assert_eq!(String::from_utf8(found).unwrap(), filled);
        }
    }
}
