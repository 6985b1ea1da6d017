//! The world of a run: the evidence on the disk, the programs, the clock, the signals and the screen.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::children::Children;
use super::driver::{Message, World};
use super::{Equipment, Heard};
use crate::documents;
use crate::error::Error;
use crate::events::{ByteRange, Event, EventKind, ManifestFile, Scope, Tool};
use crate::evidence::{Journal, RUNBOOK, Reserve, Tree, sha256_of_bytes, sha256_of_file};
use crate::facts::manifest_text;
use crate::manifest::Manifest;
use crate::moment::Moment;
use crate::procedure::{NextCommand, RecordedOutput};
use crate::report::Screen;
use crate::run_state::RunState;
use crate::session::{Invocation, Met};

/// The longest wait for a report; a wait that ends without one is begun again.
const LONG: Duration = Duration::from_hours(1);

impl RecordedOutput for Tree {
    fn read(&self, range: Option<&ByteRange>) -> io::Result<Vec<u8>> {
        Self::read(self, range)
    }
}

/// The world of a run.
pub(super) struct RealWorld<'scope, 'env> {
    pub(super) equipment: &'env Equipment,
    pub(super) children: Children<'scope, 'env>,
    pub(super) heard: Receiver<Heard>,
    pub(super) journal: Journal,
    pub(super) screen: Screen,
    /// The first event, until it is recorded.
    pub(super) began: Option<EventKind>,
    /// Disk space for the files that are written at the end.
    pub(super) reserve: Option<Reserve>,
}

impl RecordedOutput for RealWorld<'_, '_> {
    fn read(&self, range: Option<&ByteRange>) -> io::Result<Vec<u8>> {
        self.equipment.session.tree.read(range)
    }
}

impl World for RealWorld<'_, '_> {
    fn now(&self) -> Moment {
        self.equipment.session.clock.now()
    }

    fn began(&mut self) -> Result<EventKind, Error> {
        self.began.take().ok_or_else(|| Error::Setup { what: "internal error", cause: "no beginning".into() })
    }

    /// Stores the runbook that this run carries out, because the run and its evidence are judged by it.
    fn runbook(&mut self) -> Result<EventKind, Error> {
        let document = &self.equipment.job.runbook.document;
        if self.is_whole() {
            self.equipment.session.tree.replace(RUNBOOK, document.text().as_bytes())?;
        }
        Ok(EventKind::RunbookRead {
            id: document.id().to_owned(),
            sha256: sha256_of_bytes(document.text().as_bytes()),
            text: document.text().to_owned(),
        })
    }

    fn redacted(&self, event: Event) -> Result<Event, Error> {
        let patterns = self.equipment.session.tree.patterns();
        if patterns.is_empty() {
            return Ok(event);
        }
        let as_it_is = serde_json::to_value(&event).map_err(io::Error::from)?;
        let value = patterns.redact_value(as_it_is.clone());
        if value == as_it_is {
            return Ok(event);
        }
        serde_json::from_value(value).map_err(|error| Error::Redacted(error.to_string()))
    }

    fn append(&mut self, event: &Event, lasting: bool) -> Result<(), Error> {
        // A manifest exists from the first moment on, and its verdict is `incomplete`.
        if matches!(event.kind, EventKind::RunBegan(_)) {
            self.save(&RunState::of([event]))?;
        }
        Ok(self.journal.append(event, lasting)?)
    }

    fn show(&mut self, event: &Event, run: &RunState) {
        self.screen.show(event, run);
    }

    fn invocation(&self, command: &NextCommand, run: &RunState) -> Result<Invocation, Error> {
        let missing = |why: &str| Error::Row { id: command.id.clone(), why: why.to_owned() };
        let step = run.runbook.step(&command.id).ok_or_else(|| missing("the runbook has no such step"))?;
        let (_, began) = run.began.as_ref().ok_or_else(|| missing("the run has not begun"))?;
        let real = |recorded: &String| self.equipment.raw_names.of(recorded);
        let names: Vec<(&String, &String, String)> =
            command.met.iter().map(|(variable, recorded)| (variable, recorded, real(recorded))).collect();
        let met: Vec<Met<'_>> =
            names.iter().map(|(variable, recorded, name)| Met { variable, recorded, name }).collect();
        Invocation::new(step, began, &met, self.equipment.session.tree.patterns())
    }

    fn start(&mut self, invocation: Invocation, from: u64) -> Result<(), Error> {
        self.children.start(invocation, from)
    }

    fn cancel(&mut self, n: u64) {
        self.children.cancel(n);
    }

    fn receive(&mut self, until: Option<Moment>) -> Option<Message> {
        let wait = until.map_or(LONG, |until| Duration::from_millis(until.millis_since(self.now()) + 1));
        match self.heard.recv_timeout(wait) {
            Ok(Heard::Line(line)) => {
                self.screen.child_line(&line);
                None
            }
            Ok(Heard::Message(report)) => {
                if let Message::CommandEnd { n, .. } = &report {
                    self.children.forget(*n);
                }
                Some(report)
            }
            // The children hold the other end, and so does this world.
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => None,
        }
    }

    fn manifest(&mut self, file: &str) -> Result<ManifestFile, Error> {
        let (job, tree) = (&self.equipment.job, &self.equipment.session.tree);
        let found_at = job.manifests.join(file.trim_start_matches("k8s/"));
        let (bytes, unreadable) = match fs_err::read(&found_at) {
            Ok(bytes) => (bytes, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        let manifest = ManifestFile {
            file: file.to_owned(),
            found_at: found_at.to_string(),
            sha256: unreadable.is_none().then(|| sha256_of_bytes(&bytes)),
            blank: unreadable.is_none() && manifest_text::is_blank(&bytes),
            holds_secret: manifest_text::holds_secret(&bytes),
            holds_named: tree.patterns().secrets_in(&bytes),
            placeholders: manifest_text::placeholders(&bytes).into_iter().collect(),
            unreadable,
        };
        if manifest.is_kept(job.options.keep_secrets) {
            tree.replace(&format!("inputs/{file}"), &bytes)?;
        }
        Ok(manifest)
    }

    /// Hashing kubectl's 50 MB takes as long as a command, so it is done beside the first ones.
    fn find_tools(&mut self) {
        let equipment = self.equipment;
        self.children.beside(move || Message::Tools(tools(equipment)));
    }

    /// Writes the files that are a fold over the journal so far: each phase's `cmd.txt`, the texts for people,
    /// and the manifest.
    ///
    /// It is called after each step, because the run may be killed in the next one.
    fn save(&mut self, run: &RunState) -> Result<(), Error> {
        if !self.is_whole() {
            return Ok(());
        }
        let tree = &self.equipment.session.tree;
        for (file, text) in documents::of(run, |range| tree.read(Some(range)))? {
            tree.replace(&file, text.as_bytes())?;
        }
        tree.replace("manifest.json", Manifest::text(run)?.as_bytes())?;
        Ok(())
    }

    fn complete_the_dump(&mut self, run: &RunState) -> Result<(), Error> {
        for file in run.runbook.files_on_stop() {
            self.equipment.session.tree.touch(file)?;
        }
        Ok(())
    }

    fn files(&mut self) -> Result<Vec<String>, Error> {
        Ok(self.equipment.session.tree.list()?)
    }

    fn clock_was_moved_by(&self) -> Option<i64> {
        self.equipment.session.clock.was_moved_by()
    }

    fn release_reserve(&mut self) {
        self.reserve = None;
    }
}

impl RealWorld<'_, '_> {
    fn is_whole(&self) -> bool {
        self.equipment.job.scope == Scope::Whole
    }
}

/// Returns the programs with their checksums.
fn tools(equipment: &Equipment) -> Vec<Tool> {
    let tool = |(name, path): (&String, &PathBuf)| {
        let path = path.to_string_lossy().into_owned();
        let sha256 = sha256_of_file(path.as_str().into()).ok();
        Tool { name: name.clone(), path, sha256 }
    };
    equipment.session.programs.iter().map(tool).collect()
}
