//! The evidence of honest runs, and how it is made again after its events were changed.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;
use staging_dry_run::documents;
use staging_dry_run::events::{ByteRange, Event, EventKind};
use staging_dry_run::evidence::redaction::SecretPatterns;
use staging_dry_run::evidence::{Tree, seal};
use staging_dry_run::manifest::Manifest;
use staging_dry_run::procedure::{Procedure, RecordedOutput};
use staging_dry_run::verdict::{self, Verdict};
use staging_dry_run::verify::{self, TrustAnchors, VerifyOutcome};

use crate::support::{copy_folder, scenario_ran};

/// The scenarios whose evidence is forged: one for each verdict and rule, and those with pods that come and go.
pub(super) const SCENARIOS: [&str; 12] = [
    "healthy",
    "crash-loop",
    "error-pod",
    "smoke-7-of-10",
    "smoke-8-of-10",
    "readyz-503",
    "quota-pods",
    "refused-at-the-apply",
    "already-crashing-and-fixed",
    "already-crashing-and-not-fixed",
    "ends-non-zero-on-term",
    "wrong-namespace",
];

/// The evidence of an honest run.
pub(super) struct Honest {
    pub(super) name: &'static str,
    root: Utf8PathBuf,
    pub(super) events: Vec<Event>,
    pub(super) kept: Kept,
    /// The procedure before each event.
    pub(super) before: Vec<Procedure>,
    pub(super) verdict: Verdict,
}

/// The recorded output. What no fact is read from is left out of the objects: most of their bytes, and of the time to
/// read them thousands of times.
pub(super) struct Kept {
    tree: Tree,
    /// The objects that commands printed, by their file and the first byte.
    objects: HashMap<(String, u64), Vec<u8>>,
}

/// Fields of objects that no fact is read from.
const UNREAD: [&str; 12] = [
    "managedFields",
    "volumes",
    "volumeMounts",
    "env",
    "tolerations",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "resources",
    "securityContext",
    "strategy",
    "template",
];

fn without_unread(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !UNREAD.contains(&name.as_str()));
            fields.values_mut().for_each(without_unread);
        }
        Value::Array(all) => all.iter_mut().for_each(without_unread),
        _ => {}
    }
}

impl Kept {
    fn of(tree: Tree, events: &[Event]) -> Self {
        let ranges = events.iter().filter_map(|event| match &event.kind {
            EventKind::CommandEnded(outcome) => outcome.stdout.clone(),
            _ => None,
        });
        let objects = ranges.filter_map(|range| {
            let mut value: Value = serde_json::from_slice(&tree.read(Some(&range)).unwrap()).ok()?;
            without_unread(&mut value);
            Some(((range.file, range.from), serde_json::to_vec(&value).unwrap()))
        });
        let objects = objects.collect();
        Self { tree, objects }
    }
}

impl RecordedOutput for Kept {
    fn read(&self, range: Option<&ByteRange>) -> io::Result<Vec<u8>> {
        match range.and_then(|range| self.objects.get(&(range.file.clone(), range.from))) {
            Some(objects) => Ok(objects.clone()),
            None => self.tree.read(range),
        }
    }
}

impl Honest {
    pub(super) fn of(name: &'static str) -> Self {
        let ran = scenario_ran(name);
        let root = Utf8PathBuf::from_path_buf(ran.evidence()).unwrap();
        let events = ran.events();
        let kept = Kept::of(tree(&root), &events);
        let mut procedure = Procedure::default();
        let mut before = Vec::new();
        for event in &events {
            before.push(procedure.clone());
            procedure.fold(event, &kept).unwrap_or_else(|departure| panic!("{name}: {departure}"));
        }
        assert!(procedure.is_done(), "{name}");
        Self { name, root, events, kept, before, verdict: verdict::judge(procedure.state()).verdict }
    }
}

fn tree(root: &Utf8Path) -> Tree {
    Tree::new(root.to_owned(), SecretPatterns::none())
}

/// Makes everything again that follows from the events, and verifies it.
pub(super) fn holds(honest: &Honest, events: &[Event]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let root = Utf8Path::from_path(folder.path()).unwrap().join("evidence");
    copy_folder(honest.root.as_std_path(), root.as_std_path());
    remake(&root, events);
    let report = verify::verify(&root, &TrustAnchors::default()).unwrap();
    report.conclusion() == VerifyOutcome::Holds
}

fn remake(root: &Utf8Path, events: &[Event]) {
    let tree = tree(root);
    let run = staging_dry_run::run_state::RunState::of(events);
    let lines: Vec<String> =
        events.iter().map(|event| serde_json::to_string(event).unwrap() + "\n").collect();
    std::fs::write(root.join("journal.jsonl"), lines.concat()).unwrap();
    std::fs::write(root.join("manifest.json"), Manifest::text(&run).unwrap()).unwrap();
    for (file, text) in documents::of(&run, |range| tree.read(Some(range))).unwrap() {
        std::fs::create_dir_all(Path::new(root.join(&file).as_str()).parent().unwrap()).unwrap();
        std::fs::write(root.join(file), text).unwrap();
    }
    for file in ["SHA256SUMS", "attestation.json"] {
        drop(std::fs::remove_file(root.join(file)));
    }
    seal(&tree, &run).unwrap();
}
