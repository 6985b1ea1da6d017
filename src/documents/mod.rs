//! Renders the files of the evidence that are meant for a human reader.
//!
//! Each file is a pure function of the [`RunState`], so it contains nothing that the journal does not.
//! `verify` renders the files again and compares them with the stored ones.

mod attestation;
pub mod cmd_txt;
mod smoke;

pub use attestation::{TestVerdict, attestation, result};
pub use smoke::{http_samples, results};

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::json;

use crate::events::ByteRange;
use crate::facts::context::Context;
use crate::run_state::RunState;
use crate::runbook::Phase;

const VERSIONS: &str = "preflight/versions.txt";
const TARGET: &str = "preflight/target.txt";
const RESULTS: &str = "smoke/results.json";
const HTTP_SAMPLES: &str = "smoke/http_samples.log";

/// Returns the paths of all texts that a run may write.
pub fn paths() -> impl Iterator<Item = String> {
    let commands = Phase::ALL.into_iter().map(path_of_commands);
    commands.chain([VERSIONS, TARGET, RESULTS, HTTP_SAMPLES].map(str::to_owned))
}

fn path_of_commands(phase: Phase) -> String {
    format!("{}/cmd.txt", phase.folder())
}

/// Renders every text that a run writes in this state, by its path; `answer` reads the stored answer of a check.
///
/// # Errors
/// When an answer can't be read.
pub fn of<E>(
    run: &RunState,
    answer: impl Fn(&ByteRange) -> Result<Vec<u8>, E>,
) -> Result<BTreeMap<String, String>, E> {
    let overlay = overlay_of(run).unwrap_or_default();
    let commands = Phase::ALL
        .into_iter()
        .filter_map(|phase| Some((path_of_commands(phase), cmd_txt::render(run, phase, &overlay)?)));
    let mut texts: BTreeMap<String, String> = commands.collect();
    if run.steps.iter().any(|(step, _)| *step == 1) {
        texts.insert(VERSIONS.to_owned(), versions(run));
        texts.insert(TARGET.to_owned(), target(run));
    }
    if !run.checks.is_empty() {
        texts.insert(RESULTS.to_owned(), results(run));
        texts.insert(HTTP_SAMPLES.to_owned(), http_samples(run, answer)?);
    }
    Ok(texts)
}

/// Renders `preflight/versions.txt`: the commit, and the versions of the programs and the server.
pub fn versions(run: &RunState) -> String {
    let Some((_, began)) = &run.began else { return String::new() };
    let commit = match (&began.git.commit, &began.git.why) {
        (Some(commit), _) => commit.clone(),
        (None, why) => format!("none ({})", why.as_deref().unwrap_or("not known")),
    };
    let mut text = format!("Git SHA: {commit}\n");
    // Formatting into a String can't fail.
    for tool in &run.versions {
        let path = run.tools.iter().find(|found| found.name == tool.name).map_or("", |found| &found.path);
        let _ = writeln!(text, "{}: {} ({path})", tool.name, tool.version.as_deref().unwrap_or("unknown"));
    }
    let server = run.server_version.as_deref().unwrap_or("unknown");
    let _ = writeln!(text, "API server: {server}");
    let _ = writeln!(text, "Context: {}", began.target.context);
    let _ = writeln!(text, "{}: {}", began.program.name, began.program.version);
    let _ = writeln!(text, "Runbook: {}", began.program.runbook.id);
    text
}

/// Renders `preflight/target.txt`: the lines of the former script, then the user and the identity of the
/// cluster.
pub fn target(run: &RunState) -> String {
    let Some((_, began)) = &run.began else { return String::new() };
    let target = &began.target;
    let names: Vec<&str> =
        run.runbook.deployments.iter().map(|deployment| deployment.name.as_str()).collect();
    let or_unknown = |value: Option<&String>| value.cloned().unwrap_or_else(|| "unknown".to_owned());
    let uid = |name: &str| or_unknown(run.uids.get(name).and_then(Option::as_ref));
    let server = run.context.as_ref().and_then(|context| context.server.as_ref());
    format!(
        "Context: {}\nNamespace: {}\nBase URL: {}\nImage Tag: {}\nAWS Account: {}\nAWS Region: {}\n\
         Deployments: {}\nServer: {}\nCluster User: {}\nUID of kube-system: {}\nUID of {}: {}\n",
        target.context,
        target.namespace,
        target.base_url,
        target.image_tag,
        target.aws_account_id.as_deref().unwrap_or("not set"),
        target.aws_region,
        names.join(", "),
        or_unknown(server),
        or_unknown(run.cluster_user.as_ref()),
        uid("kube-system"),
        target.namespace,
        uid(&target.namespace),
    )
}

/// Returns the [`overlay`] of a run, or `None` if its context is not known.
pub fn overlay_of(run: &RunState) -> Option<String> {
    let ((_, began), context) = run.began.as_ref().zip(run.context.as_ref())?;
    Some(overlay(&began.target.context, context))
}

/// Renders a kubeconfig that selects one context and contains no secret.
pub fn overlay(name: &str, context: &Context) -> String {
    let mut entry = json!({ "cluster": context.cluster, "user": context.user });
    if let Some(namespace) = &context.namespace {
        entry["namespace"] = json!(namespace);
    }
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "contexts": [{ "name": name, "context": entry }],
    });
    config.to_string()
}
