//! Verifies evidence offline: nothing was altered, the recorded facts follow from the recorded output, and
//! all files agree.
//!
//! This module has no rules of its own. Events are read from the recorded bytes by [`crate::interpret`],
//! judged by [`crate::verdict`] and folded by [`crate::manifest`], as in the run. It starts no program except
//! [`crate::signature::PROGRAMS`].

mod agreement;
mod chain;
mod consistency;
mod documents_check;
mod file_list;
mod files;
mod outputs;
mod rederived;
mod runbook_check;
#[cfg(test)]
mod tests;
mod trust_anchors;
mod values;
mod walk;

use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use crate::events::{Event, EventKind};
use crate::evidence::redaction::SecretPatterns;
use crate::evidence::{SUMS, Tree, UnreadableJournal, events_of, sha256_of_file};
use crate::exec::Programs;
use crate::run_state::RunState;
use crate::schema::{self, OtherSchema, check_readable};
use crate::signature::SignatureError;

pub use chain::chain;

/// The subject of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The files are the ones that were sealed.
    Integrity,
    /// The recorded facts follow from the recorded output.
    Truth,
    /// The journal, the manifest and the documents agree.
    Completeness,
    /// Each run names the previous one.
    Chain,
}

/// A check, and its findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// The subject.
    pub kind: Kind,
    /// The statement that was checked, which holds if there are no findings.
    pub what: String,
    /// The findings; empty if the statement holds.
    pub found: Vec<String>,
    /// Whether the check was made; if not, `what` gives the reason.
    pub extent: Extent,
}

/// The extent to which a check was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The check was made.
    Checked,
    /// The check needs something from outside the directory, or concerns a file that a killed run never
    /// wrote.
    ///
    /// The conclusion does not depend on it.
    Open,
    /// The check could not be made, and the conclusion depends on it.
    Undecided,
}

impl Point {
    fn new(kind: Kind, what: impl Into<String>, found: Vec<String>) -> Self {
        Self { kind, what: what.into(), found, extent: Extent::Checked }
    }

    fn open(kind: Kind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), found: Vec::new(), extent: Extent::Open }
    }

    fn undecided(kind: Kind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), found: Vec::new(), extent: Extent::Undecided }
    }
}

/// The result of verifying evidence.
#[derive(Debug)]
pub struct Report {
    /// The directory.
    pub folder: Utf8PathBuf,
    /// The state of the run by its journal, empty if the journal can't be read; `None` for a chain of runs.
    pub run: Option<RunState>,
    /// All checks, in the order in which they are printed.
    pub checks: Vec<Point>,
}

impl Report {
    /// Returns the conclusion of all checks together.
    pub fn conclusion(&self) -> VerifyOutcome {
        if self.checks.iter().any(|check| !check.found.is_empty()) {
            VerifyOutcome::DoesNotHold
        } else if self.checks.iter().any(|check| check.extent == Extent::Undecided) {
            VerifyOutcome::Undecided
        } else {
            VerifyOutcome::Holds
        }
    }
}

/// The conclusion of `verify`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerifyOutcome {
    /// Every check that decides was made, and there are no findings.
    Holds,
    /// There is a finding.
    DoesNotHold,
    /// There are no findings, but a check that decides could not be made.
    Undecided,
}

/// The reason why nothing could be checked.
#[derive(Debug, thiserror::Error)]
pub enum CannotRead {
    /// The path does not exist, or is not a directory.
    #[error("{0} is not a directory.\nGive the directory of a run, such as evidence/staging/20261124.")]
    NoFolder(Utf8PathBuf),
    /// The directory contains neither a journal nor a manifest, so it is not the evidence of a run.
    #[error(
        "{0} contains neither journal.jsonl nor manifest.json, so it is not the evidence of a run.\nGive the directory of a run, such as evidence/staging/20261124; with --chain, its parent directory."
    )]
    NoRun(Utf8PathBuf),
    /// The directory contains no directory of a run.
    #[error(
        "{0} contains no run: no directory YYYYMMDD or YYYYMMDD.N with a manifest.json.\nWith --chain, give the parent directory of the runs, such as evidence/staging."
    )]
    NoRuns(Utf8PathBuf),
    /// The signers' file can't be read, or the program that verifies signatures can't be run.
    #[error("--signed-by: {0}.\nGive a public key, or a file of allowed signers (ssh-keygen(1)).")]
    Signature(#[from] SignatureError),
    /// The evidence has another format.
    #[error("{}", not_readable(folder, schema))]
    Schema {
        /// The directory.
        folder: Utf8PathBuf,
        /// The format.
        schema: OtherSchema,
    },
    /// The system refuses access.
    #[error("{0}.\nGive a directory that can be read.")]
    Io(#[from] io::Error),
}

fn not_readable(folder: &Utf8Path, schema: &OtherSchema) -> String {
    match schema {
        OtherSchema::Number { .. } => format!("{folder} was {schema}."),
        OtherSchema::Unknown(_) => format!("{folder}: {schema}.\nGive evidence of this program."),
    }
}

/// The evidence of one run, as found on the disk.
struct Evidence {
    tree: Tree,
    /// The paths of its files, sorted.
    files: Vec<String>,
    events: Vec<Event>,
    /// The state after the whole journal.
    run: RunState,
}

impl Evidence {
    /// Returns the hash of the checksums, or `None` if the run was not sealed.
    fn seal(&self) -> io::Result<Option<String>> {
        self.has(SUMS).then(|| sha256_of_file(&self.tree.path(SUMS))).transpose()
    }

    /// Returns the states in which the manifest and the documents may have been written last: only the final one if
    /// the directory was closed, and else also those in which a run writes them, which are few.
    fn saved(&self) -> Vec<RunState> {
        let mut saved = Vec::new();
        if !self.is_closed() {
            let mut run = RunState::default();
            for event in &self.events {
                if matches!(event.kind, EventKind::FilesListed { .. }) {
                    saved.push(run.clone());
                }
                run.add(event);
                if matches!(event.kind, EventKind::RunBegan(_) | EventKind::StepEnded { .. }) {
                    saved.push(run.clone());
                }
            }
        }
        saved.push(self.run.clone());
        saved
    }

    /// Returns whether a file with this path exists.
    fn has(&self, file: &str) -> bool {
        self.files.binary_search_by(|there| there.as_str().cmp(file)).is_ok()
    }

    /// Returns whether the run closed its directory: it ended, and wrote the checksums after its last
    /// documents.
    fn is_closed(&self) -> bool {
        self.run.ended.is_some() && self.has(SUMS)
    }

    /// Returns whether the run reached its end, so that everything it learned is in the journal.
    fn is_whole(&self) -> bool {
        self.run.ended.is_some() && self.run.failed.is_none() && self.run.interrupted.is_none()
    }
}

/// The trust anchors: data from outside the directory that confirms its checksums.
#[derive(Default)]
pub struct TrustAnchors<'a> {
    /// The hash of `SHA256SUMS`, from the log of the run; `None` if it was not given.
    pub seal: Option<&'a str>,
    /// The accepted signers; `None` if they were not given.
    pub signers: Option<Signers<'a>>,
}

/// The signers whose signature is accepted.
pub struct Signers<'a> {
    /// A public key file, or an allowed signers file (ssh-keygen(1)).
    pub file: &'a Utf8Path,
    /// The paths of [`crate::signature::PROGRAMS`].
    pub programs: Programs,
}

/// Verifies the evidence in a directory.
///
/// # Errors
/// When the evidence can't be read; every other problem is a finding in the report.
pub fn verify(folder: &Utf8Path, anchors: &TrustAnchors<'_>) -> Result<Report, CannotRead> {
    if !folder.is_dir() {
        return Err(CannotRead::NoFolder(folder.to_owned()));
    }
    let is_there = |file: &str| folder.join(file).symlink_metadata().is_ok();
    if !is_there("journal.jsonl") && !is_there("manifest.json") {
        return Err(CannotRead::NoRun(folder.to_owned()));
    }
    let tree = Tree::new(folder.to_owned(), SecretPatterns::none());
    let found = files::find(folder)?;
    let (events, unreadable) = match journal(&tree, &found) {
        Ok(events) => (events, None),
        Err(NoEvents::Schema(schema)) => {
            return Err(CannotRead::Schema { folder: folder.to_owned(), schema });
        }
        Err(NoEvents::Because(why)) => (Vec::new(), Some(why)),
    };
    let (walked, run) = walk::walk(&events, &tree, &found.files);
    let evidence = Evidence { run, files: found.files, tree, events };

    let mut checks = files::checks(&evidence, &found.others, &found.empty)?;
    checks.extend(trust_anchors::checks(&evidence, anchors)?);
    if let Some(why) = unreadable {
        checks.push(Point::new(Kind::Truth, "journal.jsonl can be read", vec![why]));
    } else if evidence.events.is_empty() {
        checks.push(consistency::nothing_begun(&evidence)?);
    } else {
        checks.extend(runbook_check::checks(&evidence)?);
        checks.push(walked);
        checks.push(values::check(&evidence));
        checks.push(agreement::check(&evidence)?);
        checks.extend(outputs::checks(&evidence)?);
        checks.extend(rederived::checks(&evidence)?);
        checks.extend(consistency::checks(&evidence)?);
    }
    Ok(Report { folder: folder.to_owned(), run: Some(evidence.run), checks })
}

/// The reason why there are no events to judge.
enum NoEvents {
    Schema(OtherSchema),
    Because(String),
}

/// Reads the events of the journal.
///
/// If there are none, the schema in the manifest shows whether another format was used.
fn journal(tree: &Tree, found: &files::FolderContents) -> Result<Vec<Event>, NoEvents> {
    let because = |why: String| Err(NoEvents::Because(why));
    // An entry that is not a regular file, such as a pipe, may never end.
    if !found.files.iter().any(|file| file == "journal.jsonl") {
        schema_of_the_manifest(tree, found)?;
        return because("journal.jsonl is missing, too large, or not a regular file".to_owned());
    }
    let bytes = match std::fs::read(tree.path("journal.jsonl")) {
        Ok(bytes) => bytes,
        Err(error) => return because(format!("journal.jsonl: {error}")),
    };
    match events_of(&bytes) {
        Ok(events) if events.is_empty() => {
            schema_of_the_manifest(tree, found)?;
            Ok(events)
        }
        Ok(events) if matches!(events.first().map(|event| &event.kind), Some(EventKind::RunBegan(_))) => {
            Ok(events)
        }
        Ok(_) => because("journal.jsonl does not begin with the event run-began".to_owned()),
        Err(UnreadableJournal::Schema(schema)) => Err(NoEvents::Schema(schema)),
        Err(error) => because(format!("journal.jsonl: {error}")),
    }
}

fn schema_of_the_manifest(tree: &Tree, found: &files::FolderContents) -> Result<(), NoEvents> {
    let manifest = found.files.iter().any(|file| file == "manifest.json");
    let bytes = manifest.then(|| std::fs::read(tree.path("manifest.json")).ok()).flatten();
    let value = bytes.and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok());
    match value.as_ref().and_then(|value| value.get("schema")?.as_str()) {
        Some(schema) => check_readable(schema, schema::File::Manifest).map_err(NoEvents::Schema),
        None => Ok(()),
    }
}

/// Shortens a text to a number of characters; `…` replaces the rest.
fn clipped(text: String, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
