//! Writes the evidence of a small run into a temporary folder, as the run leaves it.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::super::{Evidence, Report, TrustAnchors, files, verify};
use crate::documents;
use crate::events::{ByteRange, EndedBy, Event, EventKind, Intent, Outcome, RunbookId};
use crate::evidence::redaction::SecretPatterns;
use crate::evidence::{Journal, Tree, seal, sha256_of_bytes};
use crate::fixture::{Events, at, events, runbook, step};
use crate::interpret::{self, CommandOutput};
use crate::manifest::Manifest;
use crate::run_state::RunState;
use crate::runbook::{BUILT_IN, DEPLOY_LOGS, StepId};
use crate::verdict;

/// A run under way, and the files that its commands printed into.
pub(super) struct Folder {
    dir: tempfile::TempDir,
    pub(super) events: Events,
    pub(super) files: BTreeMap<String, Vec<u8>>,
}

/// How a command went.
pub(super) struct Ran<'a> {
    pub(super) exit: &'a [i32],
    pub(super) by: EndedBy,
    pub(super) stdout: &'a str,
    pub(super) stderr: &'a str,
    pub(super) met: &'a [(&'a str, &'a str)],
}

/// A command that ended by itself with 0 in each stage.
pub(super) const RAN: Ran<'static> =
    Ran { exit: &[0], by: EndedBy::Itself, stdout: "", stderr: "", met: &[] };

impl Folder {
    /// A run that has read its runbook.
    pub(super) fn begun() -> Self {
        let document = &runbook().document;
        let (id, text) = (document.id().to_owned(), document.text().to_owned());
        let sha256 = sha256_of_bytes(text.as_bytes());
        let mut events = events();
        events.began(|began| began.program.runbook = RunbookId { id: id.clone(), sha256: sha256.clone() });
        events.add(EventKind::RunbookRead { id, sha256, text: text.clone() });
        let mut files = BTreeMap::from([("inputs/RUNBOOK.md".to_owned(), text.into_bytes())]);
        files.extend(DEPLOY_LOGS.map(|file| (file.to_owned(), Vec::new())));
        Self { dir: tempfile::tempdir().unwrap(), events, files }
    }

    /// The same run, in a folder of its own.
    pub(super) fn again(&self) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir, events: Events(self.events.0.clone()), files: self.files.clone() }
    }

    pub(super) fn root(&self) -> Utf8PathBuf {
        Utf8Path::from_path(self.dir.path()).unwrap().join("evidence")
    }

    pub(super) fn tree(&self) -> Tree {
        Tree::new(self.root(), SecretPatterns::none())
    }

    /// A command, and the events that follow from its output.
    pub(super) fn runs(&mut self, id: &str, ran: &Ran<'_>) -> &mut Self {
        let run = folded(&self.events.0);
        let intent = intent(&run, step(id), ran.met);
        self.events.add(EventKind::CommandStarts(intent));
        let (stdout, stderr) = run.runbook.step(&step(id)).unwrap().files();
        let failed = ran.exit.iter().any(|&status| status != 0);
        let outcome = Outcome {
            n: run.commands.len() as u64 + 1,
            id: step(id),
            started: at(self.events.0.len() as u64 * 100),
            duration_ms: 100,
            exit: ran.exit.to_vec(),
            ended_by: ran.by,
            note: None,
            stdout: stdout.and_then(|file| self.prints(file, ran.stdout)),
            stderr: self.prints(stderr, ran.stderr),
            first_error: interpret::first_error(ran.stderr.as_bytes()).filter(|_| failed),
            redactions: Vec::new(),
        };
        self.events.add(EventKind::CommandEnded(outcome.clone()));
        let (stdout, stderr) = (ran.stdout.as_bytes(), ran.stderr.as_bytes());
        let output = CommandOutput { outcome: &outcome, stdout, stderr };
        for event in interpret::events(&run, &output).unwrap() {
            self.events.add(event);
        }
        self
    }

    fn prints(&mut self, file: String, text: &str) -> Option<ByteRange> {
        if text.is_empty() {
            return None;
        }
        let bytes = self.files.entry(file.clone()).or_default();
        let from = bytes.len() as u64;
        bytes.extend_from_slice(text.as_bytes());
        Some(ByteRange { file, from, to: bytes.len() as u64 })
    }

    /// Writes all files but those that are made from the sums.
    pub(super) fn write(&self) {
        let root = self.root();
        if root.exists() {
            fs_err::remove_dir_all(&root).unwrap();
        }
        fs_err::create_dir(&root).unwrap();
        let run = folded(&self.events.0);
        for (file, bytes) in &self.files {
            put(&root, file, bytes);
        }
        write_journal(&root, &self.events.0);
        write_manifest(&root, &run);
        let tree = self.tree();
        for (file, text) in documents::of(&run, |range| tree.read(Some(range))).unwrap() {
            put(&root, &file, text.as_bytes());
        }
    }

    /// Lists the files and ends the run.
    pub(super) fn end(&mut self) -> &mut Self {
        self.write();
        let files = self.tree().list().unwrap();
        self.events.add(EventKind::FilesListed { files }).add(EventKind::RunEnded);
        self
    }

    /// Writes all files of a run that ended, and seals them.
    pub(super) fn close(&mut self) -> Utf8PathBuf {
        self.end().write();
        self.seal()
    }

    /// Seals the files as they are now.
    pub(super) fn seal(&self) -> Utf8PathBuf {
        let root = self.root();
        let run = folded(&Journal::read(&root.join("journal.jsonl")).unwrap());
        seal(&self.tree(), &run).unwrap();
        root
    }

    /// Verifies the files as they are now.
    pub(super) fn report(&self) -> Report {
        verified(&self.root(), &TrustAnchors::default())
    }
}

/// As [`RunState::of`], which takes its time to read the runbook.
fn folded(events: &[Event]) -> RunState {
    let mut run = RunState::default();
    for event in events {
        match &event.kind {
            EventKind::RunbookRead { text, .. } if text == BUILT_IN => run.runbook = runbook(),
            _ => run.add(event),
        }
    }
    run
}

/// The intent of a command, as the runbook's row has it.
pub(super) fn intent(run: &RunState, id: StepId, met: &[(&str, &str)]) -> Intent {
    let (_, began) = run.began.as_ref().unwrap();
    let row = run.runbook.step(&id).unwrap();
    let value = |name: &str| verdict::variable_or(began, met, name);
    let line = row.line(began.with_key).expand(value).unwrap();
    let met = met.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    let (text, reads_key) = (line.to_shell(), line.reads_header());
    let n = run.commands.len() as u64 + 1;
    let (phase, effect) = (row.phase, row.effect);
    Intent { n, id, phase, effect, text, met, because: None, deadline_ms: 30_000, reads_key }
}

/// The evidence in a folder, as `verify` takes it.
pub(super) fn evidence(root: &Utf8Path) -> Evidence {
    let events = Journal::read(&root.join("journal.jsonl")).unwrap();
    let tree = Tree::new(root.to_owned(), SecretPatterns::none());
    Evidence { tree, files: files::find(root).unwrap().files, run: folded(&events), events }
}

pub(super) fn write_journal(root: &Utf8Path, events: &[Event]) {
    let lines: Vec<String> =
        events.iter().map(|event| serde_json::to_string(event).unwrap() + "\n").collect();
    fs_err::write(root.join("journal.jsonl"), lines.concat()).unwrap();
}

pub(super) fn write_manifest(root: &Utf8Path, run: &RunState) {
    fs_err::write(root.join("manifest.json"), Manifest::text(run).unwrap()).unwrap();
}

/// Verifies a part of a procedure, so the walk is left out: it has its own tests.
pub(super) fn verified(root: &Utf8Path, anchors: &TrustAnchors<'_>) -> Report {
    let mut report = verify(root, anchors).unwrap();
    report.checks.retain(|check| !check.what.starts_with("each of the journal's"));
    report
}

/// What was found against the evidence: a check, and what it found.
pub(super) fn found(report: &Report) -> Vec<(String, String)> {
    let of_check = |check: &super::super::Point| {
        let what = check.what.clone();
        check.found.iter().map(move |found| (what.clone(), found.clone())).collect::<Vec<_>>()
    };
    report.checks.iter().flat_map(of_check).collect()
}

/// Asserts that these are found and nothing else, each by a check whose name holds these words.
pub(super) fn assert_found(case: &str, report: &Report, expected: &[(&str, &str)]) {
    let found = found(report);
    let fits = |((what, found), (check, message)): (&(String, String), &(&str, &str))| {
        what.contains(check) && found == message
    };
    let all_fit = found.len() == expected.len() && found.iter().zip(expected).all(fits);
    assert!(all_fit, "{case}: expected {expected:#?}, and found {found:#?}");
}

/// Writes a file.
pub(super) fn put(root: &Utf8Path, file: &str, bytes: &[u8]) {
    let path = root.join(file);
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(path, bytes).unwrap();
}
