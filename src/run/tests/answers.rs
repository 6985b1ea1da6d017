//! The answers of real programs, from the sample of a passing run.

use std::collections::BTreeMap;

use serde_json::json;

use crate::events::{Event, EventKind, ManifestFile, Tool};
use crate::evidence::redaction::SecretPatterns;
use crate::evidence::{Journal, Tree};
use crate::facts::context::Context;
use crate::interpret::{self, CommandOutput};
use crate::run_state::RunState;
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

type Pods = BTreeMap<String, serde_json::Value>;

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
    /// The pods before any change, by their names.
    pub(super) pods_before: Pods,
    /// The pods after the rollouts, by their names.
    pub(super) pods: Pods,
}

/// Returns the directory of the samples of real runs.
pub(super) fn samples() -> camino::Utf8PathBuf {
    camino::Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("evidence/samples")
}

impl Recorded {
    /// Reads the sample of a passing run, without the output that no fact is read from.
    pub(super) fn read() -> Self {
        let mut read = Self::whole();
        let answers = std::mem::take(&mut read.answers).into_iter();
        read.answers = answers.map(|(id, answer)| (id.clone(), trimmed(&id, answer))).collect();
        read.pods_before = pods(&read.answers[&StepId::ObjectsBefore].stdout);
        read.pods = pods(&read.answers[&StepId::ObjectsAfter].stdout);
        read
    }

    /// Reads the sample of a passing run.
    fn whole() -> Self {
        let root = samples().join("pass");
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
                        stdout: tree.read(outcome.stdout.as_ref()).unwrap(),
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
            pods_before: Pods::new(),
            pods: Pods::new(),
        }
    }

    /// Returns the JSON of a pod, as `confirm.pod` prints it, after a change.
    pub(super) fn pod(&self, name: &str, change: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
        let mut pod = self.pods_before.get(name).unwrap_or_else(|| &self.pods[name]).clone();
        change(&mut pod);
        serde_json::to_vec(&pod).unwrap()
    }
}

fn pods(objects: &[u8]) -> Pods {
    let objects: serde_json::Value = serde_json::from_slice(objects).unwrap();
    let pods = objects["items"].as_array().unwrap().iter().filter(|item| item["kind"] == "Pod");
    pods.map(|pod| (pod["metadata"]["name"].as_str().unwrap().to_owned(), pod.clone())).collect()
}

/// Makes a pod fail.
pub(super) fn failing(pod: &mut serde_json::Value) {
    pod["status"]["containerStatuses"][0]["state"] =
        json!({"terminated": {"exitCode": 1, "reason": "Error"}});
}

/// The objects of the cluster, with a failing pod.
pub(super) fn with_failing(objects: &[u8], name: &str) -> Vec<u8> {
    let mut objects: serde_json::Value = serde_json::from_slice(objects).unwrap();
    let items = objects["items"].as_array_mut().unwrap().iter_mut();
    items.filter(|item| item["kind"] == "Pod" && item["metadata"]["name"] == name).for_each(failing);
    serde_json::to_vec(&objects).unwrap()
}

/// The figures of curl, with another status.
pub(super) fn with_status(stderr: &[u8], status: u16) -> Vec<u8> {
    let text = String::from_utf8_lossy(stderr);
    let line = text.lines().find(|line| line.starts_with('{')).unwrap_or("{}");
    let mut figures: serde_json::Value = serde_json::from_str(line).unwrap();
    figures["http_code"] = json!(status);
    figures["response_code"] = json!(status);
    format!("{figures}\n").into_bytes()
}

/// The fields of objects from which facts are read; the others are most of the bytes that the API server prints.
const READ: [&str; 55] = [
    "addresses",
    "annotations",
    "availableReplicas",
    "conditions",
    "containerStatuses",
    "containers",
    "controller",
    "deletionTimestamp",
    "deployment.kubernetes.io/revision",
    "endpoints",
    "exitCode",
    "generation",
    "image",
    "imageID",
    "initContainerStatuses",
    "initContainers",
    "items",
    "kind",
    "lastState",
    "message",
    "metadata",
    "name",
    "observedGeneration",
    "ownerReferences",
    "phase",
    "ports",
    "ready",
    "readyReplicas",
    "reason",
    "replicas",
    "restartCount",
    "restartPolicy",
    "running",
    "serving",
    "signal",
    "spec",
    "started",
    "state",
    "status",
    "targetRef",
    "terminated",
    "terminating",
    "type",
    "uid",
    "updatedReplicas",
    "waiting",
    // Of curl's figures.
    "content_type",
    "errormsg",
    "exitcode",
    "http_code",
    "redirect_url",
    "remote_ip",
    "scheme",
    "ssl_verify_result",
    "time_total",
];

/// The fields whose own fields may have any name.
const ANY: [&str; 3] = ["labels", "matchLabels", "selector"];

/// Leaves out of JSON what no fact is read from.
fn trim(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(fields) => {
            fields.retain(|name, _| READ.contains(&name.as_str()) || ANY.contains(&name.as_str()));
            let own = fields.iter_mut().filter(|(name, _)| !ANY.contains(&name.as_str()));
            own.for_each(|(_, value)| trim(value));
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(trim),
        _ => {}
    }
}

/// Trims an answer: the objects of the cluster, or the figures of curl.
fn trimmed(id: &StepId, answer: Answer) -> Answer {
    let short = |bytes: &[u8]| {
        let mut value = serde_json::from_slice(bytes).unwrap();
        trim(&mut value);
        serde_json::to_vec(&value).unwrap()
    };
    match id {
        StepId::ObjectsBefore | StepId::ObjectsAfter => Answer { stdout: short(&answer.stdout), ..answer },
        StepId::Gate(_) | StepId::Check(_) | StepId::Latency(_) => {
            let lines = answer.stderr.split_inclusive(|byte| *byte == b'\n');
            let lines = lines.flat_map(|line| [short(line), b"\n".to_vec()].concat());
            Answer { stderr: lines.collect(), ..answer }
        }
        _ => answer,
    }
}

#[test]
fn the_trimmed_answers_say_what_the_whole_ones_say() {
    let events = Journal::read(&samples().join("pass").join("journal.jsonl")).unwrap();
    let state = RunState::of(&events);
    let (whole, trimmed) = (Recorded::whole(), Recorded::read());
    let mut short = 0;
    for (id, answer) in &trimmed.answers {
        let outcome = state.outcome(id).unwrap();
        let says = |answer: &Answer| {
            let output = CommandOutput { outcome, stdout: &answer.stdout, stderr: &answer.stderr };
            (interpret::events(&state, &output).unwrap(), interpret::transfer(&output))
        };
        assert_eq!(says(answer), says(&whole.answers[id]), "{id}");
        short += whole.answers[id].stdout.len() + whole.answers[id].stderr.len();
        short -= answer.stdout.len() + answer.stderr.len();
    }
    assert!(short > 200_000, "{short} bytes are left out");
}
