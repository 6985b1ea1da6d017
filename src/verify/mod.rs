//! Whether evidence holds, offline: that it is what the run left, that what it says follows from what was printed, and
//! that all of it tells the same story.
//!
//! Nothing here has rules of its own: events are read from the kept bytes by [`crate::interpret`], judged by
//! [`crate::verdict`] and folded by [`crate::manifest`], as the run did.

mod chain;
mod commands;
mod consistency;
mod documents_check;
mod facts;
mod files;
mod rederived;
mod sightings;
mod trust_anchors;

use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use crate::events::{Event, EventKind};
use crate::evidence::redaction::SecretPatterns;
use crate::evidence::{SUMS, Tree, events_of, sha256_of_file};
use crate::exec::Programs;
use crate::run_state::RunState;
use crate::signature::SignatureError;

pub use chain::chain;
pub use commands::row_of;

/// What a check is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The files are those that were sealed.
    Integrity,
    /// What is said follows from what was printed.
    Truth,
    /// Journal, manifest and texts tell the same story.
    Completeness,
    /// Each run names the one before.
    Chain,
}

/// What was checked, and what was found against it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What it is about.
    pub kind: Kind,
    /// What holds, if nothing was found.
    pub what: String,
    /// What does not; empty: it holds.
    pub found: Vec<String>,
    /// Whether it could be checked at all; `what` says why not.
    pub checked: bool,
}

impl Check {
    fn new(kind: Kind, what: impl Into<String>, found: Vec<String>) -> Self {
        Self { kind, what: what.into(), found, checked: true }
    }

    fn not_possible(kind: Kind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), found: Vec::new(), checked: false }
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// The folder.
    pub folder: Utf8PathBuf,
    /// What the journal tells, of one run; empty when there is none that can be read.
    pub run: Option<RunState>,
    /// Every check, in the order in which they are shown.
    pub checks: Vec<Check>,
}

impl Report {
    /// Whether nothing was found against it.
    pub fn holds(&self) -> bool {
        self.checks.iter().all(|check| check.found.is_empty())
    }
}

/// Why nothing could be checked.
#[derive(Debug, thiserror::Error)]
pub enum CannotRead {
    /// It is not there, or no folder.
    #[error("{0} is no folder.\nGive the folder of a run, such as evidence/staging/20261124.")]
    NoFolder(Utf8PathBuf),
    /// A run leaves a journal and a manifest.
    #[error(
        "{0} holds neither journal.jsonl nor manifest.json: it is not the evidence of a run.\nGive the folder of one, such as evidence/staging/20261124; with --chain the folder above."
    )]
    NoRun(Utf8PathBuf),
    /// Runs have folders of their own.
    #[error(
        "{0} holds no run: no folder YYYYMMDD or YYYYMMDD.N with a manifest.json.\nWith --chain, give the folder that holds those of the runs, such as evidence/staging."
    )]
    NoRuns(Utf8PathBuf),
    /// Who may have signed can't be read, or what checks signatures can't be run.
    #[error("--signed-by: {0}.\nGive a public key, or a file of allowed signers (ssh-keygen(1)).")]
    Signature(#[from] SignatureError),
    /// The system does not let us.
    #[error("{0}.\nGive a folder that can be read.")]
    Io(#[from] io::Error),
}

/// The evidence of one run, as it is found.
struct Evidence {
    tree: Tree,
    /// The paths of its files, sorted.
    files: Vec<String>,
    events: Vec<Event>,
    /// All of the journal.
    run: RunState,
}

impl Evidence {
    /// Whether a stop rule fired, which ends what is under way.
    fn stopped(&self) -> bool {
        crate::verdict::judge(&self.run).stop.is_some()
    }

    /// The hash of its sums; `None`: it was not sealed.
    fn seal(&self) -> io::Result<Option<String>> {
        self.has(SUMS).then(|| sha256_of_file(&self.tree.path(SUMS))).transpose()
    }

    /// The record as it was after each event.
    fn moments(&self) -> impl Iterator<Item = RunState> + '_ {
        self.events.iter().scan(RunState::default(), |run, event| {
            run.add(event);
            Some(run.clone())
        })
    }

    /// Whether there is a file of this path.
    fn has(&self, file: &str) -> bool {
        self.files.iter().any(|there| there == file)
    }

    /// Whether the run closed its folder: its last texts are written before the sums are.
    fn is_closed(&self) -> bool {
        self.run.ended.is_some() && self.has(SUMS)
    }

    /// Whether the run came to its end, so that everything it knew was written down.
    fn is_whole(&self) -> bool {
        self.run.ended.is_some() && self.run.failed.is_none() && self.run.interrupted.is_none()
    }
}

/// What stands outside the folder and vouches for it.
#[derive(Default)]
pub struct TrustAnchors<'a> {
    /// The hash of `SHA256SUMS`, as a log has it.
    pub seal: Option<&'a str>,
    /// Who may have signed it.
    pub signers: Option<Signers<'a>>,
}

/// Those whose signature counts.
pub struct Signers<'a> {
    /// A public key, or allowed signers.
    pub file: &'a Utf8Path,
    /// Where [`crate::signature::PROGRAMS`] are.
    pub programs: Programs,
}

/// Checks the evidence in a folder.
///
/// # Errors
/// When it can't be read; what does not hold is in the report.
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
    let (events, unreadable) = journal(&tree, &found);
    let evidence = Evidence { run: RunState::of(&events), files: found.files, tree, events };

    let mut checks = files::checks(&evidence, &found.others)?;
    checks.extend(trust_anchors::checks(&evidence, anchors)?);
    if let Some(why) = unreadable {
        checks.push(Check::new(Kind::Truth, "journal.jsonl can be read", vec![why]));
    } else if evidence.events.is_empty() {
        checks.push(consistency::nothing_begun(&evidence));
    } else {
        checks.push(commands::check(&evidence));
        checks.extend(facts::checks(&evidence)?);
        checks.extend(rederived::checks(&evidence)?);
        checks.push(sightings::check(&evidence)?);
        checks.extend(consistency::checks(&evidence)?);
    }
    Ok(Report { folder: folder.to_owned(), run: Some(evidence.run), checks })
}

/// The events, or why there are none.
fn journal(tree: &Tree, found: &files::Found) -> (Vec<Event>, Option<String>) {
    // What is no file may never end.
    if !found.files.iter().any(|file| file == "journal.jsonl") {
        return (Vec::new(), Some("journal.jsonl is missing, or no file".to_owned()));
    }
    let bytes = match std::fs::read(tree.path("journal.jsonl")) {
        Ok(bytes) => bytes,
        Err(error) => return (Vec::new(), Some(format!("journal.jsonl: {error}"))),
    };
    match events_of(&bytes) {
        Ok(events) if events.first().is_none_or(|event| matches!(event.kind, EventKind::RunBegan(_))) => {
            (events, None)
        }
        Ok(_) => (Vec::new(), Some("journal.jsonl does not begin with the beginning of a run".to_owned())),
        Err(error) => (Vec::new(), Some(format!("journal.jsonl holds a line that is no event: {error}"))),
    }
}

/// At most so many characters of a text; what was cut off is told by `…`.
fn clipped(text: String, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
