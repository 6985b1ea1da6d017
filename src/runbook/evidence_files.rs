//! Reads the files that the runbook's Evidence Checklist requires.
//!
//! A checklist can require only files that a run creates.

use super::Document;
use super::reader::Problems;

/// One file of the runbook's Evidence Checklist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceFile {
    /// The path of the file, relative to the evidence directory.
    pub path: String,
    /// Whether the file exists only if the run stopped.
    pub only_on_stop: bool,
}

/// The files that a run creates; a checklist can require no other file.
const LEFT: [&str; 14] = [
    "manifest.json",
    "preflight/versions.txt",
    "preflight/target.txt",
    "deploy/cmd.txt",
    "deploy/stdout.log",
    "deploy/stderr.log",
    "deploy/status_before.txt",
    "deploy/status_after.txt",
    "smoke/cmd.txt",
    "smoke/results.json",
    "smoke/http_samples.log",
    "dump_logs/k8s_describe.txt",
    "dump_logs/k8s_events.txt",
    "dump_logs/app_logs_tail.txt",
];

/// Reads the tree of the checklist, as tree(1) draws it.
pub(super) fn read(document: &Document, problems: &mut Problems<'_>) -> Vec<EvidenceFile> {
    let section = document.section("## Evidence Checklist").unwrap_or_default();
    let mut folder = String::new();
    let mut files = Vec::new();
    for line in section.lines() {
        let Some((before, entry)) = line.split_once("── ") else { continue };
        let name = entry.split_whitespace().next().unwrap_or_default();
        // The second level is indented by four more columns.
        let is_below = before.chars().count() > 1;
        if let Some(name) = name.strip_suffix('/') {
            name.clone_into(&mut folder);
        } else {
            let path = if is_below { format!("{folder}/{name}") } else { name.to_owned() };
            if LEFT.contains(&path.as_str()) {
                files.push(EvidenceFile { only_on_stop: is_below && folder == "dump_logs", path });
            } else {
                problems.add(Some(line), format!("{path} is not a file that a run writes"));
            }
        }
    }
    if files.is_empty() {
        problems.add(
            Some(section).filter(|section| !section.is_empty()),
            "there is no tree of evidence files".to_owned(),
        );
    }
    files
}
