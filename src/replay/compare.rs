//! Compares the output of a re-run command with its recorded output.
//!
//! A difference counts as a change only if a run is judged by it; every other difference is drift.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::time::Duration;

use similar::{ChangeTag, TextDiff};

use super::{Compared, Difference};
use crate::events::{EventKind, Outcome};
use crate::evidence::{Tree, sha256_of};
use crate::facts::curl;
use crate::facts::endpoints::Assignment;
use crate::facts::pods;
use crate::interpret::{self, CommandOutput};
use crate::run_state::RunState;
use crate::runbook::{Phase, Step, StepId};

/// A line that only one of two outputs contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Whether the new output contains it; if not, the recorded output does.
    pub now: bool,
    /// The text of the line.
    pub text: String,
}

/// The longest output that is compared line by line, in bytes.
const LONG: u64 = 1024 * 1024;

/// The steps that show the cluster before or while the run changes it.
const OF_ITS_MOMENT: [StepId; 7] = [
    StepId::StatusBefore,
    StepId::ObjectsBefore,
    StepId::ObjectsApplied,
    StepId::WatchPods,
    StepId::ListPods,
    StepId::ListLast,
    StepId::ConfirmPod,
];

/// The outcome of a command, and the tree that contains its output.
pub(super) struct Side<'a> {
    pub(super) outcome: &'a Outcome,
    pub(super) tree: &'a Tree,
}

/// Compares two outcomes of a command.
///
/// If the command changed, the lines are the facts that differ; otherwise they are the differing lines of the
/// output.
pub(super) fn compare(
    id: String,
    row: &Step,
    run: &RunState,
    then: &Side<'_>,
    now: &Side<'_>,
) -> io::Result<Compared> {
    let came = |came, why: Option<&str>, lines| Compared { id, came, why: why.map(str::to_owned), lines };
    // A pod's name is generated, and is gone when the pod is.
    if row.is_about_a_pod() && now.outcome.found_nothing() && !then.outcome.found_nothing() {
        return Ok(came(Difference::Drift, Some("that pod is gone"), Vec::new()));
    }
    let mut judged = only_one_has(&judged_by(row, run, then)?, &judged_by(row, run, now)?);
    if !judged.is_empty() {
        let ended_otherwise = ended(then.outcome) != ended(now.outcome);
        judged.extend(now.outcome.first_error.iter().filter(|_| ended_otherwise).map(|said| of(true, said)));
        return Ok(came(Difference::Changed, None, judged));
    }
    let printed = differing(&text(row, then)?, &text(row, now)?);
    Ok(match () {
        () if printed.is_empty() => came(Difference::Same, None, printed),
        () if OF_ITS_MOMENT.contains(&row.id) => {
            came(Difference::Drift, Some("it shows a state that the run changed afterwards"), Vec::new())
        }
        () => came(Difference::Drift, None, printed),
    })
}

fn of(now: bool, text: &str) -> Line {
    Line { now, text: text.to_owned() }
}

/// Returns the facts that a run is judged by, one per line: how the command ended, the HTTP statuses, the
/// facts read from its output.
fn judged_by(row: &Step, run: &RunState, side: &Side<'_>) -> io::Result<Vec<String>> {
    let Side { outcome, tree } = side;
    let mut lines = vec![ended(outcome)];
    let stderr = tree.read(outcome.stderr.as_ref())?;
    if row.runs("curl") && row.phase == Phase::Smoke {
        let statuses: BTreeSet<String> =
            curl::transfers(&stderr).into_iter().map(|transfer| transfer.http_status).collect();
        lines.extend(statuses.into_iter().map(|status| format!("answered {status}")));
    }
    if OF_ITS_MOMENT.contains(&row.id) {
        return Ok(lines);
    }
    let stdout = tree.read(interpret::needed_stdout(outcome))?;
    match interpret::events(run, &CommandOutput { outcome, stdout: &stdout, stderr: &stderr }) {
        Ok(events) => lines.extend(events.iter().flat_map(facts)),
        Err(error) => lines.push(error.to_string()),
    }
    Ok(lines)
}

fn ended(outcome: &Outcome) -> String {
    if outcome.ended_by.is_our_doing() {
        return "ended by the program".to_owned();
    }
    let exit: Vec<String> = outcome.exit.iter().map(ToString::to_string).collect();
    format!("exit {}", exit.join(" "))
}

/// Returns the facts of an event that stay the same while nobody deploys, scales or deletes anything.
///
/// These are no ages, restarts, pod names, addresses or resource versions. The user and the program versions
/// are left out too, because they may differ from the run's.
fn facts(what: &EventKind) -> Vec<String> {
    match what {
        EventKind::ServerVersion { version } => {
            vec![format!("the API server is {}", version.as_deref().unwrap_or("of unknown version"))]
        }
        EventKind::NamespaceUid { namespace, uid } => {
            vec![format!("{namespace} has the UID {}", uid.as_deref().unwrap_or("unknown"))]
        }
        EventKind::PermissionAnswered { question, answer, .. } => vec![format!("{question}: {answer:?}")],
        EventKind::WouldLand { objects, .. } => objects
            .iter()
            .map(|o| {
                format!(
                    "{} {} would land in {}",
                    o.kind,
                    o.name,
                    o.namespace.as_deref().unwrap_or("no namespace")
                )
            })
            .collect(),
        EventKind::RolloutEnded { deployment, ending } => vec![format!("{deployment} {}", ending.says())],
        EventKind::DeploymentsAfter { deployments } => deployments
            .iter()
            .map(|d| {
                format!(
                    "{}: {} wanted, {} ready, {} updated, {} available",
                    d.name, d.wanted, d.ready, d.updated, d.available
                )
            })
            .collect(),
        EventKind::Endpoints { services } => services
            .iter()
            .map(|service| match &service.state {
                Assignment::Assigned => format!("service {} has endpoints", service.service),
                Assignment::NotAssigned { why } => {
                    format!("service {} has no endpoints: {why}", service.service)
                }
                Assignment::NotEvaluated { why } => format!("service {}: {why}", service.service),
            })
            .collect(),
        EventKind::PodsAfter { pods } => pods::images(pods)
            .into_iter()
            .map(|image| {
                format!("{} runs {} ({})", image.container, image.image, image.image_id.unwrap_or_default())
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// Returns the output of a command for comparison.
///
/// Of a long output it contains the length and the hash, so that a log of gigabytes takes no memory. curl's
/// figures are left out, because they differ each time.
fn text(row: &Step, Side { outcome, tree }: &Side<'_>) -> io::Result<Vec<u8>> {
    let stderr = outcome.stderr.as_ref().filter(|_| !row.runs("curl"));
    let mut text = Vec::new();
    for range in outcome.stdout.iter().chain(stderr) {
        if range.length() > LONG {
            writeln!(text, "{} bytes, SHA-256 {}", range.length(), sha256_of(tree.open(range)?)?)?;
        } else {
            text.extend(tree.read(Some(range))?);
        }
    }
    Ok(text)
}

/// Returns the lines that only one list contains, the lines of `then` first.
fn only_one_has(then: &[String], now: &[String]) -> Vec<Line> {
    let gone = then.iter().filter(|line| !now.contains(line)).map(|line| of(false, line));
    gone.chain(now.iter().filter(|line| !then.contains(line)).map(|line| of(true, line))).collect()
}

/// Returns the lines in which two texts differ, in their order.
fn differing(then: &[u8], now: &[u8]) -> Vec<Line> {
    if then == now {
        return Vec::new();
    }
    let [then, now] = [then, now].map(String::from_utf8_lossy);
    let diff = TextDiff::configure().timeout(Duration::from_secs(1)).diff_lines(&*then, &*now);
    diff.iter_all_changes()
        .filter(|change| change.tag() != ChangeTag::Equal)
        .map(|change| of(change.tag() == ChangeTag::Insert, change.value().trim_end_matches(['\r', '\n'])))
        .collect()
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;

    use super::*;
    use crate::evidence::redaction::SecretPatterns;
    use crate::runbook::Runbook;

    /// Compares two outputs of `status.after`.
    fn compared(then: &str, now: &str) -> Compared {
        let folder = tempfile::tempdir().unwrap();
        let outcome_of = |file: &str, text: &str| -> Outcome {
            fs_err::write(folder.path().join(file), text).unwrap();
            let length = text.len();
            let outcome = format!(
                r#"{{"n":1,"id":"status.after","started":"2026-11-26T03:13:42Z","duration_ms":1,"exit":[0],"ended_by":"itself","stdout":{{"file":"{file}","from":0,"to":{length}}},"stderr":null}}"#
            );
            serde_json::from_str(&outcome).unwrap()
        };
        let (then, now) = (outcome_of("then", then), outcome_of("now", now));
        let tree = &Tree::new(Utf8Path::from_path(folder.path()).unwrap().to_owned(), SecretPatterns::none());
        let [then, now] = [&then, &now].map(|outcome| Side { outcome, tree });
        let runbook = Runbook::built_in().unwrap();
        let row = runbook.step(&StepId::StatusAfter).unwrap();
        compare("status.after".to_owned(), row, &RunState::default(), &then, &now).unwrap()
    }

    #[test]
    fn of_a_long_text_the_length_and_the_hash_are_compared() {
        let long = "a line\n".repeat(200_000);
        assert_eq!(compared(&long, &long).came, Difference::Same);
        let came = compared(&long, "one line\n");
        assert_eq!(came.came, Difference::Drift);
        let hash = "3f3abad68f09218c4b4936e9f8cc8bd4e6ef75163df7ce9e2f89a656d1910074";
        let then = of(false, &format!("1400000 bytes, SHA-256 {hash}"));
        assert_eq!(came.lines, [then, of(true, "one line")]);
        assert_eq!(compared(&long, &long.replacen('a', "b", 1)).lines.len(), 2);
    }
}
