use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::Error;
use crate::events::{Effect, Event, What};
use crate::evidence::{Journal, Tree};
use crate::moment::Moment;
use crate::perform::Clock;
use crate::record::Record;
use crate::report::Screen;

/// The one way in which something becomes part of a run: on the disk first, then in the record, then on the
/// screen.
pub(super) struct Ledger {
    pub(super) clock: Clock,
    state: Mutex<State>,
}

struct State {
    journal: Journal,
    record: Record,
    screen: Screen,
    events: u64,
}

impl Ledger {
    pub(super) fn new(clock: Clock, journal: Journal, screen: Screen) -> Self {
        Self { clock, state: Mutex::new(State { journal, record: Record::default(), screen, events: 0 }) }
    }

    /// Writes down what happened.
    pub(super) fn note(&self, tree: &Tree, what: What) -> Result<(), Error> {
        self.note_of(tree, |_| what)
    }

    /// As [`Ledger::note`], of what follows from the record at that moment.
    pub(super) fn note_of(&self, tree: &Tree, what: impl FnOnce(&Record) -> What) -> Result<(), Error> {
        let state = &mut *self.lock();
        let what = what(&state.record);
        let event = state.next(self.clock.now(), what);
        state.keep(&event, tree)
    }

    /// As [`Ledger::note`], after something that is to be on the disk first, and says the same moment.
    pub(super) fn note_after(
        &self,
        tree: &Tree,
        what: What,
        first: impl FnOnce(&Event) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let state = &mut *self.lock();
        let event = state.next(self.clock.now(), what);
        first(&event)?;
        state.keep(&event, tree)
    }

    /// Writes down that the run failed, and takes it in even if the disk does not take that either: a run that could
    /// not be kept is judged as such.
    pub(super) fn fail(&self, tree: &Tree, error: &Error) {
        let state = &mut *self.lock();
        let event = state.next(self.clock.now(), What::Failed { error: error.to_string() });
        let _ = state.journal.append(&event, tree.forms(), true);
        state.take_in(&event);
    }

    /// Looks at what was written down so far.
    pub(super) fn read<T>(&self, look: impl FnOnce(&Record) -> T) -> T {
        look(&self.lock().record)
    }

    /// Says something to the person at the screen that is no event.
    pub(super) fn screen<T>(&self, say: impl FnOnce(&mut Screen, &Record) -> T) -> T {
        let state = &mut *self.lock();
        say(&mut state.screen, &state.record)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere does not make what was recorded less true.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn next(&self, at: Moment, what: What) -> Event {
        Event { seq: self.events + 1, at, what }
    }

    fn keep(&mut self, event: &Event, tree: &Tree) -> Result<(), Error> {
        let lasting = must_be_on_disk(&event.what, &self.record);
        self.journal.append(event, tree.forms(), lasting)?;
        self.take_in(event);
        Ok(())
    }

    fn take_in(&mut self, event: &Event) {
        self.events += 1;
        self.record.add(event);
        self.screen.show(event, &self.record);
    }
}

/// Whatever changes the cluster is announced on the disk before it is done, and so is its end; so is what a
/// later step builds on.
fn must_be_on_disk(what: &What, record: &Record) -> bool {
    match what {
        What::CommandStarts(intent) => intent.effect == Effect::Changes,
        What::CommandEnded(outcome) => record
            .commands
            .iter()
            .any(|command| command.intent.id == outcome.id && command.intent.effect == Effect::Changes),
        What::RunBegan(_)
        | What::StepEnded { .. }
        | What::PodJudged { .. }
        | What::Interrupted { .. }
        | What::Failed { .. }
        | What::RunEnded => true,
        _ => false,
    }
}
