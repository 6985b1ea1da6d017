//! The recorder of a run: the only way for an event to become part of it.
//!
//! An event is redacted, then written to the journal, then added to the state, then shown on the screen,
//! under one lock.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::Error;
use crate::events::{Effect, Event, EventKind};
use crate::evidence::{Journal, Tree};
use crate::moment::Moment;
use crate::report::Screen;
use crate::run_state::RunState;
use crate::session::Clock;

/// The recorder of events: it writes each event to the disk, then adds it to the state, then shows it on the
/// screen.
pub(super) struct Recorder {
    pub(super) clock: Clock,
    state: Mutex<Inner>,
}

struct Inner {
    journal: Journal,
    run: RunState,
    screen: Screen,
    events: u64,
}

impl Recorder {
    pub(super) fn new(clock: Clock, journal: Journal, screen: Screen) -> Self {
        Self { clock, state: Mutex::new(Inner { journal, run: RunState::default(), screen, events: 0 }) }
    }

    /// Records an event.
    pub(super) fn note(&self, tree: &Tree, kind: EventKind) -> Result<(), Error> {
        self.note_of(tree, |_| kind)
    }

    /// Records an event that is computed from the state at that moment.
    pub(super) fn note_of(
        &self,
        tree: &Tree,
        kind: impl FnOnce(&RunState) -> EventKind,
    ) -> Result<(), Error> {
        let state = &mut *self.lock();
        let kind = kind(&state.run);
        let event = redacted(state.next(self.clock.now(), kind), tree)?;
        state.keep(&event)
    }

    /// Records an event after `first` has written a file that has to be on the disk before the event and has
    /// the same time.
    pub(super) fn note_after(
        &self,
        tree: &Tree,
        kind: EventKind,
        first: impl FnOnce(&Event) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let state = &mut *self.lock();
        let event = redacted(state.next(self.clock.now(), kind), tree)?;
        first(&event)?;
        state.keep(&event)
    }

    /// Records that the run failed.
    ///
    /// The event is added to the state even if it can't be written: a run whose evidence is incomplete must
    /// be judged as incomplete.
    pub(super) fn fail(&self, tree: &Tree, error: &Error) {
        let state = &mut *self.lock();
        let error = tree.patterns().redact_str(&error.to_string());
        let event = state.next(self.clock.now(), EventKind::Failed { error });
        let _ = state.journal.append(&event, true);
        state.apply(&event);
    }

    /// Reads the state recorded so far.
    pub(super) fn read<T>(&self, look: impl FnOnce(&RunState) -> T) -> T {
        look(&self.lock().run)
    }

    /// Shows a text on the screen that is not an event.
    pub(super) fn screen<T>(&self, say: impl FnOnce(&mut Screen, &RunState) -> T) -> T {
        let state = &mut *self.lock();
        say(&mut state.screen, &state.run)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic in another thread does not invalidate what was recorded.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn next(&self, at: Moment, kind: EventKind) -> Event {
        Event { seq: self.events + 1, at, kind }
    }

    fn keep(&mut self, event: &Event) -> Result<(), Error> {
        let lasting = must_be_on_disk(&event.kind, &self.run);
        self.journal.append(event, lasting)?;
        self.apply(event);
        Ok(())
    }

    fn apply(&mut self, event: &Event) {
        self.events += 1;
        self.run.add(event);
        self.screen.show(event, &self.run);
    }
}

/// Redacts an event before it reaches the journal, the state and the screen.
fn redacted(event: Event, tree: &Tree) -> Result<Event, Error> {
    if tree.patterns().is_empty() {
        return Ok(event);
    }
    let as_it_is = serde_json::to_value(&event).map_err(io::Error::from)?;
    let value = tree.patterns().redact_value(as_it_is.clone());
    if value == as_it_is {
        return Ok(event);
    }
    serde_json::from_value(value).map_err(|error| Error::Redacted(error.to_string()))
}

/// Returns whether an event must be on the disk before the run continues.
///
/// This applies to the start and the end of every change to the cluster, and to every event that a later step
/// relies on.
fn must_be_on_disk(kind: &EventKind, run: &RunState) -> bool {
    match kind {
        EventKind::CommandStarts(intent) => intent.effect == Effect::Changes,
        EventKind::CommandEnded(outcome) => run
            .commands
            .iter()
            .any(|command| command.intent.id == outcome.id && command.intent.effect == Effect::Changes),
        EventKind::RunBegan(_)
        | EventKind::StepEnded { .. }
        | EventKind::PodJudged { .. }
        | EventKind::Interrupted { .. }
        | EventKind::Failed { .. }
        | EventKind::RunEnded => true,
        _ => false,
    }
}
