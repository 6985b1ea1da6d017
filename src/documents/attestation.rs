//! Builds `attestation.json`, an in-toto statement about a run, as a pure function of its [`RunState`].

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};

use crate::events::Began;
use crate::facts::pods::{self, Image};
use crate::run_state::RunState;
use crate::schema::File;
use crate::verdict::{self, CriterionState, Judgement, Verdict};

/// An in-toto Statement v1.
///
/// <https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md>
#[derive(Serialize)]
struct Statement {
    #[serde(rename = "_type")]
    kind: &'static str,
    subject: Vec<Resource>,
    #[serde(rename = "predicateType")]
    predicate_type: &'static str,
    predicate: TestResult,
}

/// An in-toto `ResourceDescriptor` v1.
///
/// <https://github.com/in-toto/attestation/blob/main/spec/v1/resource_descriptor.md>
#[derive(Serialize, PartialEq)]
struct Resource {
    name: String,
    digest: Digest,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<&'static str, Value>,
}

#[derive(Serialize, PartialEq)]
struct Digest {
    sha256: String,
}

/// The in-toto test-result predicate v0.1.
///
/// <https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md>
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TestResult {
    result: TestVerdict,
    configuration: Vec<Resource>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    passed_tests: Vec<String>,
    warned_tests: Vec<String>,
    failed_tests: Vec<String>,
}

/// The `result` field of the test-result predicate.
#[derive(Debug, Serialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
pub enum TestVerdict {
    /// All tests passed.
    Passed,
    /// The tests passed, with warnings.
    Warned,
    /// The tests did not pass.
    Failed,
}

/// Returns the predicate's result for a verdict.
pub fn result(verdict: Verdict) -> TestVerdict {
    match verdict {
        Verdict::Pass => TestVerdict::Passed,
        Verdict::Shortfall => TestVerdict::Warned,
        Verdict::Stop | Verdict::Refused | Verdict::Incomplete => TestVerdict::Failed,
    }
}

/// Returns `attestation.json`: an in-toto Statement v1 with the test-result predicate v0.1.
///
/// `seal` is the SHA-256 of the run's `SHA256SUMS`. The subjects are the seal, and the images by digest if
/// pods reported them after the rollouts. A `pass` is `PASSED`, a `shortfall` is `WARNED`, and every other
/// verdict is `FAILED`. Tests are named by the ids that `explain` uses.
pub fn attestation(run: &RunState, seal: &str) -> String {
    let Some((_, began)) = &run.began else { return String::new() };
    let judgement = verdict::judge(run);
    let statement = Statement {
        kind: "https://in-toto.io/Statement/v1",
        subject: subjects(run, began, &judgement, seal),
        predicate_type: "https://in-toto.io/attestation/test-result/v0.1",
        predicate: test_result(run, began, &judgement),
    };
    // Serializing a value that contains only strings can't fail.
    serde_json::to_string_pretty(&statement).map(|json| json + "\n").unwrap_or_default()
}

fn subjects(run: &RunState, began: &Began, judgement: &Judgement, seal: &str) -> Vec<Resource> {
    let of_run = BTreeMap::from([
        ("run_id", json!(began.run_id)),
        ("schema", json!(File::Attestation.schema())),
        ("verdict", json!(judgement.verdict)),
    ]);
    let sums = Resource {
        name: "SHA256SUMS".to_owned(),
        digest: Digest { sha256: seal.to_owned() },
        annotations: of_run,
    };
    let images = run.pods_after.as_ref().map(|(_, found)| pods::images(found)).unwrap_or_default();
    let mut subjects = vec![sums];
    for image in images.iter().filter_map(by_digest) {
        if !subjects.contains(&image) {
            subjects.push(image);
        }
    }
    subjects
}

/// Returns an image by the digest of its manifest in the registry.
///
/// An image ID without a repository is a different hash, so it is left out.
fn by_digest(image: &Image) -> Option<Resource> {
    let (repository, sha256) = image.image_id.as_deref()?.split_once("@sha256:")?;
    Some(resource(repository, sha256))
}

fn resource(name: &str, sha256: &str) -> Resource {
    let digest = Digest { sha256: sha256.to_owned() };
    Resource { name: name.to_owned(), digest, annotations: BTreeMap::new() }
}

fn test_result(run: &RunState, began: &Began, judgement: &Judgement) -> TestResult {
    let result = result(judgement.verdict);
    let (passed_tests, others) = tests(run, began, judgement);
    let (warned_tests, failed_tests) =
        if result == TestVerdict::Warned { (others, Vec::new()) } else { (Vec::new(), others) };
    TestResult {
        result,
        configuration: configuration(run, began),
        url: began.who.ci.as_ref().and_then(|ci| ci.url.clone()),
        passed_tests,
        warned_tests,
        failed_tests,
    }
}

/// Returns the ids of the passed and of the failed tests; a test that was not evaluated is in neither list.
fn tests(run: &RunState, began: &Began, judgement: &Judgement) -> (Vec<String>, Vec<String>) {
    let guards: BTreeSet<&String> = judgement.findings.iter().map(|finding| &finding.guard).collect();
    let guards = guards.into_iter().map(|guard| (guard.clone(), false));
    let stop = judgement.stop.iter().map(|stop| (format!("stop-{}", stop.rule), false));
    let criteria = judgement
        .criteria
        .iter()
        .filter(|criterion| criterion.state != CriterionState::NotEvaluated)
        .map(|criterion| (criterion.id.clone(), criterion.state == CriterionState::Met));
    let checks = run.checks.iter().filter_map(|answer| {
        let check = run.runbook.check(answer.number)?;
        let name = format!("{} {}", check.id(), check.name(began.with_key));
        Some((name, verdict::passes(run, answer)))
    });
    let (passed, others): (Vec<_>, Vec<_>) =
        guards.chain(stop).chain(criteria).chain(checks).partition(|(_, passed)| *passed);
    let names = |tests: Vec<(String, bool)>| tests.into_iter().map(|(name, _)| name).collect();
    (names(passed), names(others))
}

/// Returns the program, the runbook and the manifests of the run, each with its hash.
fn configuration(run: &RunState, began: &Began) -> Vec<Resource> {
    let (program, runbook) = (&began.program, &began.program.runbook);
    let program = program.sha256.as_ref().map(|sha256| Resource {
        annotations: BTreeMap::from([("version", json!(program.version))]),
        ..resource(&program.name, sha256)
    });
    let runbook = Resource {
        annotations: BTreeMap::from([("id", json!(runbook.id))]),
        ..resource("RUNBOOK.md", &runbook.sha256)
    };
    let manifests = run
        .manifests
        .iter()
        .filter_map(|manifest| Some(resource(&manifest.file, manifest.sha256.as_deref()?)));
    program.into_iter().chain([runbook]).chain(manifests).collect()
}
