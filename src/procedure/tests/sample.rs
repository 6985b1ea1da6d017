//! The journal of a sample, to be altered.

use std::collections::BTreeMap;
use std::io;

use crate::events::{ByteRange, Event, EventKind, Intent, Outcome};
use crate::evidence::redaction::SecretPatterns;
use crate::evidence::{Journal, Tree};
use crate::procedure::{Procedure, RecordedOutput};

/// The journal of a sample, and its recorded output.
pub(super) struct Sample {
    pub(super) events: Vec<Event>,
    tree: Tree,
    /// Files that were altered.
    altered: BTreeMap<String, Vec<u8>>,
}

impl RecordedOutput for Sample {
    fn read(&self, range: Option<&ByteRange>) -> io::Result<Vec<u8>> {
        match range.and_then(|range| Some((range, self.altered.get(&range.file)?))) {
            Some((range, bytes)) => {
                let place = |at: u64| usize::try_from(at).unwrap();
                Ok(bytes[place(range.from)..place(range.to)].to_vec())
            }
            None => self.tree.read(range),
        }
    }
}

/// Returns a short name of an event: its kind, and what it is about.
pub(super) fn name(event: &Event) -> String {
    let value = serde_json::to_value(event).unwrap();
    let about = ["id", "name", "file", "deployment", "check", "step", "namespace"];
    let about = about.iter().find_map(|field| value.get(*field));
    let about = about.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    let kind = value["event"].as_str().unwrap();
    about.map_or_else(|| kind.to_owned(), |about| format!("{kind} {about}"))
}

impl Sample {
    pub(super) fn of(sample: &str) -> Self {
        let root = camino::Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("evidence/samples").join(sample);
        let events = Journal::read(&root.join("journal.jsonl")).unwrap();
        Self { events, tree: Tree::new(root, SecretPatterns::none()), altered: BTreeMap::new() }
    }

    /// Returns the place of the first event with this name.
    pub(super) fn place(&self, of: &str) -> usize {
        self.events.iter().position(|event| name(event) == of).unwrap_or_else(|| panic!("no {of}"))
    }

    pub(super) fn event(&mut self, of: &str) -> &mut Event {
        let place = self.place(of);
        &mut self.events[place]
    }

    pub(super) fn kind(&mut self, of: &str) -> &mut EventKind {
        &mut self.event(of).kind
    }

    pub(super) fn intent(&mut self, id: &str, change: impl FnOnce(&mut Intent)) {
        match self.kind(&format!("command-starts {id}")) {
            EventKind::CommandStarts(intent) => change(intent),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn outcome(&mut self, id: &str, change: impl FnOnce(&mut Outcome)) {
        match self.kind(&format!("command-ended {id}")) {
            EventKind::CommandEnded(outcome) => change(outcome),
            other => panic!("{other:?}"),
        }
    }

    /// Drops the first event with this name.
    pub(super) fn without(&mut self, of: &str) {
        let place = self.place(of);
        self.events.remove(place);
        self.number();
    }

    /// Inserts an event at a place, at the moment of the event there.
    pub(super) fn insert(&mut self, place: usize, kind: EventKind) {
        let at = self.events[place].at;
        self.events.insert(place, Event { seq: 0, at, kind });
        self.number();
    }

    fn number(&mut self) {
        for (event, seq) in self.events.iter_mut().zip(1..) {
            event.seq = seq;
        }
    }

    /// Replaces a text in the output that a step printed by one of the same length.
    pub(super) fn prints(&mut self, file: &str, from: &str, to: &str) {
        assert_eq!(from.len(), to.len(), "offsets must stay");
        let text = String::from_utf8(self.bytes(file)).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        self.altered.insert(file.to_owned(), text.replace(from, to).into_bytes());
    }

    pub(super) fn bytes(&self, file: &str) -> Vec<u8> {
        let there = || fs_err::read(self.tree.path(file)).unwrap();
        self.altered.get(file).cloned().unwrap_or_else(there)
    }

    /// Returns the event that departs, with the reason; `None` if none does.
    pub(super) fn departs(&self) -> Option<(String, String)> {
        let mut procedure = Procedure::default();
        let departs = |event| Some((name(event), procedure.fold(event, self).err()?.why));
        self.events.iter().find_map(departs)
    }

    /// Returns whether the journal is whole.
    pub(super) fn is_whole(&self) -> bool {
        let mut procedure = Procedure::default();
        self.events.iter().all(|event| procedure.fold(event, self).is_ok()) && procedure.is_done()
    }
}

/// An alteration of a sample: its case, the sample, the alteration, and what departs with a part of the reason.
pub(super) type Row = (&'static str, &'static str, fn(&mut Sample), Option<(&'static str, &'static str)>);

/// Asserts that each row departs so.
pub(super) fn assert_rows(rows: &[Row]) {
    for (case, sample, alter, expected) in rows {
        let mut altered = Sample::of(sample);
        alter(&mut altered);
        let found = altered.departs();
        let fits = match (&found, expected) {
            (Some((event, why)), Some((expected, part))) => event == expected && why.contains(part),
            (None, None) => true,
            _ => false,
        };
        assert!(fits, "{case}: expected {expected:?}, and found {found:?}");
    }
}

#[test]
fn the_samples_are_whole() {
    for sample in ["pass", "stop-1", "stop-2", "stop-3", "stop-4"] {
        let sample_of = Sample::of(sample);
        assert_eq!(sample_of.departs(), None, "{sample}");
        assert!(sample_of.is_whole(), "{sample}");
    }
}
