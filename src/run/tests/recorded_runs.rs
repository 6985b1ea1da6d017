//! The samples of real runs, run once more: the driver writes the same journals, event for event.
//!
//! The world gives each report when the journal has it next, at the journal's moments, and the output from the sample's
//! files. So it supplies what no procedure can know: the first event, the runbook, manifests, programs and the context,
//! the moments, the ends of commands, the rows that the watch showed, the list of the files and the clock. All else is
//! the driver's: which commands start, in which order and with which words, when it ends them, the facts, the judgements,
//! the durations, and that it waits exactly where the real run did. A report that it does not wait for, and a wait for a
//! report that never came, fail here.

use std::collections::BTreeSet;
use std::io;

use super::super::driver::{CommandEnd, Driver, Message, World};
use super::answers;
use crate::error::Error;
use crate::events::{ByteRange, Event, EventKind, ManifestFile};
use crate::evidence::redaction::SecretPatterns;
use crate::evidence::{Journal, Tree};
use crate::moment::Moment;
use crate::procedure::{NextCommand, RecordedOutput, Source};
use crate::run_state::RunState;
use crate::runbook::StepId;
use crate::session::Invocation;

/// A recorded run, as a world.
struct RecordedRun {
    events: Vec<Event>,
    tree: Tree,
    /// The number of events that were written again.
    written: usize,
    running: BTreeSet<u64>,
    cancelled: BTreeSet<u64>,
    watch_rows: usize,
    has_tools: bool,
    /// How often the driver waited since it last wrote an event.
    waits: usize,
}

impl RecordedRun {
    fn read(sample: &str) -> Self {
        let root = answers::samples().join(sample);
        let events = Journal::read(&root.join("journal.jsonl")).unwrap();
        Self {
            events,
            tree: Tree::new(root, SecretPatterns::none()),
            written: 0,
            running: BTreeSet::new(),
            cancelled: BTreeSet::new(),
            watch_rows: 0,
            has_tools: false,
            waits: 0,
        }
    }

    /// Returns what is found first in the events.
    fn find<T>(&self, what: impl Fn(&EventKind) -> Option<T>) -> Option<T> {
        self.events.iter().find_map(|event| what(&event.kind))
    }

    /// Returns the report that made the run write this event; `None` if time did.
    fn report_of(&mut self, kind: &EventKind) -> Option<Message> {
        match kind {
            EventKind::Signal { signal } => Some(Message::Signal(*signal)),
            EventKind::ToolFound(_) if !std::mem::replace(&mut self.has_tools, true) => {
                let tool = |event: &Event| match &event.kind {
                    EventKind::ToolFound(tool) => Some(tool.clone()),
                    _ => None,
                };
                Some(Message::Tools(self.events.iter().filter_map(tool).collect()))
            }
            EventKind::FirstSight { rows, .. } if self.watch_rows < *rows => {
                self.watch_rows += 1;
                Some(Message::WatchRow)
            }
            EventKind::PodSeen(seen) => {
                let source = Source::of(&seen.command)?;
                self.watch_rows += usize::from(source == Source::Watch);
                let row = source.row(&seen.line)?;
                Some(Message::Seen { n: seen.n, row, to: seen.to, at: seen.seen_at })
            }
            EventKind::CommandEnded(outcome) => {
                let n = outcome.n;
                assert!(self.running.remove(&n), "{} runs", outcome.id);
                let is_cancelled = outcome.ended_by.is_cancelled();
                assert_eq!(is_cancelled, self.cancelled.contains(&n), "{}: the run ended it", outcome.id);
                let context = |kind: &EventKind| match kind {
                    EventKind::ContextRead(context) => Some(context.clone()),
                    _ => None,
                };
                let context = if outcome.id == StepId::Context { self.find(context) } else { None };
                let end = CommandEnd { outcome: outcome.clone(), context };
                Some(Message::CommandEnd { n, result: Ok(Box::new(end)) })
            }
            _ => None,
        }
    }
}

impl RecordedOutput for RecordedRun {
    fn read(&self, range: Option<&ByteRange>) -> io::Result<Vec<u8>> {
        self.tree.read(range)
    }
}

impl World for RecordedRun {
    fn now(&self) -> Moment {
        self.events.get(self.written).or(self.events.last()).map_or_else(Moment::default, |event| event.at)
    }

    fn began(&mut self) -> Result<EventKind, Error> {
        Ok(self.events[0].kind.clone())
    }

    fn runbook(&mut self) -> Result<EventKind, Error> {
        Ok(self.events[1].kind.clone())
    }

    fn redacted(&self, event: Event) -> Result<Event, Error> {
        Ok(event)
    }

    fn append(&mut self, event: &Event, _: bool) -> Result<(), Error> {
        assert_eq!(Some(event), self.events.get(self.written), "the event after {}", self.written);
        (self.written, self.waits) = (self.written + 1, 0);
        Ok(())
    }

    fn show(&mut self, _: &Event, _: &RunState) {}

    fn invocation(&self, command: &NextCommand, run: &RunState) -> Result<Invocation, Error> {
        super::invocation(command, run)
    }

    fn start(&mut self, invocation: Invocation, _: u64) -> Result<(), Error> {
        self.running.insert(invocation.intent.n);
        Ok(())
    }

    fn cancel(&mut self, n: u64) {
        self.cancelled.insert(n);
    }

    fn receive(&mut self, until: Option<Moment>) -> Option<Message> {
        self.waits += 1;
        let next = self.events.get(self.written).expect("the run waits after its last event").clone();
        let report = self.report_of(&next.kind);
        let comes = report.is_some() || until.is_some_and(|until| until <= next.at && self.waits < 3);
        assert!(comes, "the run waits until {until:?}, and did not then: {next:?}");
        report
    }

    fn manifest(&mut self, file: &str) -> Result<ManifestFile, Error> {
        let manifest = self.find(|kind| match kind {
            EventKind::ManifestRead(manifest) if manifest.file == file => Some(manifest.clone()),
            _ => None,
        });
        Ok(manifest.unwrap())
    }

    fn find_tools(&mut self) {}

    fn save(&mut self, _: &RunState) -> Result<(), Error> {
        Ok(())
    }

    fn complete_the_dump(&mut self, _: &RunState) -> Result<(), Error> {
        Ok(())
    }

    fn files(&mut self) -> Result<Vec<String>, Error> {
        let files = self.find(|kind| match kind {
            EventKind::FilesListed { files } => Some(files.clone()),
            _ => None,
        });
        Ok(files.unwrap())
    }

    fn clock_was_moved_by(&self) -> Option<i64> {
        self.find(|kind| match kind {
            EventKind::ClockMoved { by_ms } => Some(*by_ms),
            _ => None,
        })
    }

    fn release_reserve(&mut self) {}
}

#[test]
fn real_runs_are_run_again_event_for_event() {
    for sample in ["pass", "stop-1", "stop-2", "stop-3", "stop-4"] {
        let mut driver = Driver::new(RecordedRun::read(sample));
        driver.begin().and_then(|()| driver.drive()).unwrap();
        assert_eq!(driver.world.written, driver.world.events.len(), "{sample}");
        let left: Vec<&u64> = driver.world.running.iter().collect();
        assert!(left.is_empty(), "{sample}: {left:?} never ended");
    }
}
