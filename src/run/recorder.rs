use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::Error;
use crate::events::{Effect, Event, EventKind};
use crate::evidence::{Journal, Tree};
use crate::moment::Moment;
use crate::report::Screen;
use crate::run_state::RunState;
use crate::session::Clock;

/// The one way in which something becomes part of a run: on the disk first, then in the record, then on the
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

    /// Writes down kind happened.
    pub(super) fn note(&self, tree: &Tree, kind: EventKind) -> Result<(), Error> {
        self.note_of(tree, |_| kind)
    }

    /// As [`Recorder::note`], of kind follows from the record at that moment.
    pub(super) fn note_of(
        &self,
        tree: &Tree,
        kind: impl FnOnce(&RunState) -> EventKind,
    ) -> Result<(), Error> {
        let state = &mut *self.lock();
        let kind = kind(&state.run);
        let event = state.next(self.clock.now(), kind);
        state.keep(&event, tree)
    }

    /// As [`Recorder::note`], after something that is to be on the disk first, and says the same moment.
    pub(super) fn note_after(
        &self,
        tree: &Tree,
        kind: EventKind,
        first: impl FnOnce(&Event) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let state = &mut *self.lock();
        let event = state.next(self.clock.now(), kind);
        first(&event)?;
        state.keep(&event, tree)
    }

    /// Writes down that the run failed, and takes it in even if the disk does not take that either: a run that could
    /// not be kept is judged as such.
    pub(super) fn fail(&self, tree: &Tree, error: &Error) {
        let state = &mut *self.lock();
        let event = state.next(self.clock.now(), EventKind::Failed { error: error.to_string() });
        let _ = state.journal.append(&event, tree.patterns(), true);
        state.apply(&event);
    }

    /// Looks at kind was written down so far.
    pub(super) fn read<T>(&self, look: impl FnOnce(&RunState) -> T) -> T {
        look(&self.lock().run)
    }

    /// Says something to the person at the screen that is no event.
    pub(super) fn screen<T>(&self, say: impl FnOnce(&mut Screen, &RunState) -> T) -> T {
        let state = &mut *self.lock();
        say(&mut state.screen, &state.run)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere does not make kind was recorded less true.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn next(&self, at: Moment, kind: EventKind) -> Event {
        Event { seq: self.events + 1, at, kind }
    }

    fn keep(&mut self, event: &Event, tree: &Tree) -> Result<(), Error> {
        let lasting = must_be_on_disk(&event.kind, &self.run);
        self.journal.append(event, tree.patterns(), lasting)?;
        self.apply(event);
        Ok(())
    }

    fn apply(&mut self, event: &Event) {
        self.events += 1;
        self.run.add(event);
        self.screen.show(event, &self.run);
    }
}

/// Whatever changes the cluster is announced on the disk before it is done, and so is its end; so is kind a
/// later step builds on.
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
