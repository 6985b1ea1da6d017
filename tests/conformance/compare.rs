//! What two runs of one scenario must have in common, whatever cluster they ran on.

use std::path::Path;

use serde_json::Value;
use staging_dry_run::evidence::Tree;
use staging_dry_run::evidence::redaction::SecretPatterns;

use super::page::{LISTING, filtered, is_of_the_listing, replaced, shown};
use super::support::{Cluster, Ran};

/// Names that a cluster makes up: the pages of the rehearsal show them, since they are the same each time there.
const NAMES: [(&str, &str); 5] = [
    (r"\b(dpp-(?:api|worker|reaper))-[a-z0-9]{8,10}(?:-[a-z0-9]{5})?\b", "$1-<made up>"),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<uid>"),
    (r"\bhttps?://<loopback>", "<url>"),
    // An age, and when a container was last started again, at the end of a row of a table.
    (r"(?m)(?: \([^()]* ago\))? +(?:<duration>|\d+[dhm]\d*[hms]?)$", "   <age>"),
    // How wide kubectl makes a column depends on the rows before.
    (r" {2,}", "   "),
];

/// Files whose text is not compared, and why.
const NOT_COMPARED: [(&str, &str); 11] = [
    ("SHA256SUMS", "sums of the others"),
    ("journal.jsonl", "what it adds up to is compared: the manifest"),
    ("manifest.json", "compared field by field"),
    ("deploy/status_before.txt", "which pod stands on which node, and under which address"),
    ("deploy/status_after.txt", "the same, and how many of the replaced pods are still there"),
    ("deploy/out/watch.pods.out", "how often each pod is shown, and in what order"),
    ("deploy/out/objects.", "objects whole: kwok fills in less of a pod's status than a kubelet"),
    ("preflight/out/objects.", "the same"),
    ("deploy/out/confirm.pod.out", "the same"),
    ("dump_logs/k8s_", "the objects and their events as text"),
    ("dump_logs/app_logs_tail.txt", "kwok prints the same log for every pod of a Deployment"),
];

/// Lines that come as often as there was time for.
const BY_TIME: &str = "Waiting for deployment ";

/// Commands that run as often as there was time for.
const OFTEN: [&str; 3] = ["watch.pods", "list.pods", "list.last"];

/// Everything about a run that must not depend on the cluster, as lines.
pub(super) fn essence<C: Cluster>(ran: &Ran<C>, but: &[&str]) -> String {
    let manifest = ran.manifest();
    let mut lines = vec![format!("exit {}", ran.status.unwrap())];
    lines.extend(screen(ran, but));
    lines.extend(judgement(&manifest));
    lines.extend(commands(&manifest, but));
    lines.extend(files(&ran.evidence(), but));
    replaced(filtered(&replaced(lines.join("\n"), &LISTING)), &NAMES)
}

/// What a person was shown, less the numbers of pods at the moment of a STOP, and what an application had logged.
fn screen<C: Cluster>(ran: &Ran<C>, but: &[&str]) -> Vec<String> {
    let lines = ran.stderr.lines().chain(ran.stdout.lines()).map(str::trim_start);
    let shown = lines.filter(|line| !is_of(line, &["pods of ", "| "])).map(|line| format!("screen {line}"));
    shown.filter(|line| !is_of(line, but)).collect()
}

fn judgement(manifest: &Value) -> Vec<String> {
    let mut lines: Vec<String> = ["verdict", "exit_code", "mechanism", "target", "smoke", "inputs", "images"]
        .iter()
        .map(|field| format!("{field} {}", manifest[field]))
        .collect();
    lines.push(format!("deploy.ok {}", manifest["deploy"]["ok"]));
    for (field, value) in manifest["stop"].as_object().into_iter().flatten() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match field.as_str() {
            "seen_at" => {}
            // A watch that was started again shows as ADDED what the one before would have shown as MODIFIED.
            "line" => lines.push(format!(
                "stop.line\n{}",
                text.trim_start_matches("ADDED").trim_start_matches("MODIFIED")
            )),
            field => lines.push(format!("stop.{field}\n{text}")),
        }
    }
    lines.extend(manifest["criteria"].as_array().into_iter().flatten().map(|c| format!("criterion {c}")));
    lines
}

/// In the runbook's order: what ran, how it ended, and whether it printed.
fn commands(manifest: &Value, but: &[&str]) -> Vec<String> {
    let id = |command: &&Value| command["id"].as_str().unwrap_or_default().to_owned();
    manifest["commands"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|command| !is_of(&id(command), but) && !OFTEN.contains(&id(command).as_str()))
        .map(|command| {
            let printed = |stream: &str| if command[stream].is_null() { "nothing" } else { "something" };
            let fields = ["id", "phase", "effect", "text", "exit"].map(|field| command[field].to_string());
            // Which event ended it has another number in each run.
            let by = command["ended_by"].as_object().and_then(|by| by.keys().next().cloned());
            let by = by.unwrap_or_else(|| command["ended_by"].to_string());
            let (stdout, stderr) = (printed("stdout"), printed("stderr"));
            format!("command {} ended by {by} stdout {stdout} stderr {stderr}", fields.join(" "))
        })
        .collect()
}

/// Whether a line, a command or a file is one of these, by the beginning of its name.
fn is_of(name: &str, beginnings: &[&str]) -> bool {
    beginnings.iter().any(|beginning| name.starts_with(beginning))
}

fn files(folder: &Path, but: &[&str]) -> Vec<String> {
    let tree = Tree::new(folder.to_owned().try_into().unwrap(), SecretPatterns::of(&[]).unwrap());
    let mut lines = Vec::new();
    for file in tree.list().unwrap() {
        if is_of(&file, but) || is_of_the_listing(&file) {
            continue;
        }
        lines.push(format!("file {file}"));
        if NOT_COMPARED.iter().all(|(name, _)| !file.starts_with(name)) {
            let text = shown(&file, folder);
            lines.extend(text.lines().filter(|line| !line.starts_with(BY_TIME)).map(str::to_owned));
        }
    }
    lines
}
