//! The answers of real programs, from the sample of a passing run.

use std::collections::BTreeMap;

use crate::events::{Event, EventKind, ManifestFile, Tool};
use crate::evidence::redaction::SecretPatterns;
use crate::evidence::{Journal, Tree};
use crate::facts::context::Context;
use crate::runbook::StepId;

/// What a program prints and how it exits.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer {
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    /// The exit code of the last stage.
    pub(super) exit: i32,
    /// How long it takes, in ms.
    pub(super) takes_ms: u64,
}

/// What a real run saw.
#[derive(Debug, Clone)]
pub(super) struct Recorded {
    pub(super) began: EventKind,
    pub(super) runbook: EventKind,
    pub(super) context: Context,
    pub(super) manifests: BTreeMap<String, ManifestFile>,
    pub(super) tools: Vec<Tool>,
    /// The files of the evidence.
    pub(super) files: Vec<String>,
    pub(super) answers: BTreeMap<StepId, Answer>,
}

impl Recorded {
    /// Reads the sample of a passing run.
    pub(super) fn read() -> Self {
        let root = camino::Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("evidence/samples/pass");
        let events = Journal::read(&root.join("journal.jsonl")).unwrap();
        let tree = Tree::new(root, SecretPatterns::none());
        let find = |is: fn(&EventKind) -> bool| {
            events.iter().map(|event: &Event| event.kind.clone()).find(is).unwrap()
        };
        let EventKind::ContextRead(context) = find(|kind| matches!(kind, EventKind::ContextRead(_))) else {
            unreachable!()
        };
        let (mut manifests, mut tools, mut answers) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        let mut listed = Vec::new();
        for event in &events {
            match &event.kind {
                EventKind::ManifestRead(manifest) => {
                    _ = manifests.insert(manifest.file.clone(), manifest.clone());
                }
                EventKind::ToolFound(tool) => tools.push(tool.clone()),
                EventKind::FilesListed { files } => listed.clone_from(files),
                EventKind::CommandEnded(outcome) => {
                    let answer = Answer {
                        stdout: short(tree.read(outcome.stdout.as_ref()).unwrap()),
                        stderr: tree.read(outcome.stderr.as_ref()).unwrap(),
                        exit: outcome.exit.last().copied().unwrap_or_default(),
                        takes_ms: outcome.duration_ms,
                    };
                    answers.entry(outcome.id.clone()).or_insert(answer);
                }
                _ => {}
            }
        }
        Self {
            began: find(|kind| matches!(kind, EventKind::RunBegan(_))),
            runbook: find(|kind| matches!(kind, EventKind::RunbookRead { .. })),
            context,
            manifests,
            tools,
            files: listed,
            answers,
        }
    }

    /// Returns the names of the pods after the rollouts.
    pub(super) fn pods(&self) -> Vec<String> {
        let objects: serde_json::Value =
            serde_json::from_slice(&self.answers[&StepId::ObjectsAfter].stdout).unwrap();
        let pods = objects["items"].as_array().unwrap().iter().filter(|item| item["kind"] == "Pod");
        pods.map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Returns the JSON of a pod, as `confirm.pod` prints it, after a change.
    pub(super) fn pod(&self, name: &str, change: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
        let objects: serde_json::Value =
            serde_json::from_slice(&self.answers[&StepId::ObjectsAfter].stdout).unwrap();
        let pod = objects["items"].as_array().unwrap().iter().find(|item| item["metadata"]["name"] == name);
        let mut pod = pod.unwrap().clone();
        change(&mut pod);
        serde_json::to_vec(&pod).unwrap()
    }
}

/// What no fact is read from, and most of the bytes that the API server prints.
const LONG: [&str; 8] = [
    "managedFields",
    "env",
    "resources",
    "livenessProbe",
    "readinessProbe",
    "volumes",
    "volumeMounts",
    "tolerations",
];

/// Leaves out of JSON what is long and not read.
fn short(stdout: Vec<u8>) -> Vec<u8> {
    fn leave_out(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Object(fields) => {
                fields.retain(|name, _| !LONG.contains(&name.as_str()));
                fields.values_mut().for_each(leave_out);
            }
            serde_json::Value::Array(items) => items.iter_mut().for_each(leave_out),
            _ => {}
        }
    }
    match serde_json::from_slice(&stdout) {
        Ok(mut value @ serde_json::Value::Object(_)) => {
            leave_out(&mut value);
            serde_json::to_vec(&value).unwrap()
        }
        _ => stdout,
    }
}
