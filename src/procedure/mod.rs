//! The procedure of a run, written once: what is due, by the events so far.
//!
//! [`Procedure`] is a fold over the events of a journal. [`Procedure::due`] says what must happen next;
//! [`Procedure::fold`] accepts an event only if it was due. `run` does what is due.
//!
//! Things that are due stand in lanes, one after the other in each: the steps of the runbook, the watch, and
//! the lists beside it. The table (`table.rs`) says what they are.
//!
//! Invariants: there is no I/O, no clock and no thread here. Decisions depend on the moments of events and on
//! recorded output ([`RecordedOutput`]), so whoever reads the journal again decides the same. Nothing that changes the
//! cluster is due after a guard has refused, a stop rule has fired, a signal has come or the run has failed.

mod answers;
mod commands;
mod departure;
mod due;
mod dump;
mod health;
mod pods;
mod settle;
mod table;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;

pub use commands::{is_of, is_possible};
pub use departure::Departure;
pub use due::{Due, NextCommand};
pub use pods::{FIRST_SIGHT_MS, Source};
pub use table::{SIGNING_PROGRAMS, steps};

use crate::events::{ByteRange, Event, EventKind, Outcome, Scope, Sighting};
use crate::moment::Moment;
use crate::run_state::RunState;
use crate::runbook::StepId;
pub use answers::Answer;
use answers::OpenChange;
use health::Gate;
use pods::Rows;

/// The recorded output of commands, with secrets redacted.
pub trait RecordedOutput {
    /// Returns a range of bytes of a file; without a range, no bytes.
    ///
    /// # Errors
    /// When the bytes can't be read.
    fn read(&self, range: Option<&ByteRange>) -> io::Result<Vec<u8>>;
}

/// The lane of the runbook's steps.
const STEPS: usize = 0;

/// The lane of the watch.
const WATCH: usize = 1;

/// The lane of the lists.
const LISTS: usize = 2;

/// Things that are due one after the other.
#[derive(Debug, Clone, Default)]
struct Lane {
    due: VecDeque<Due>,
    /// The commands that ended last in this lane, in the order of their starts.
    ended: Vec<u64>,
}

impl Lane {
    fn put_first(&mut self, due: impl IntoIterator<Item = Due, IntoIter: DoubleEndedIterator>) {
        for due in due.into_iter().rev() {
            self.due.push_front(due);
        }
    }
}

/// A command under way.
#[derive(Debug, Clone)]
struct Open {
    id: StepId,
    lane: usize,
    /// The moment of its start in the journal.
    at: Moment,
    deadline_ms: u64,
}

/// How far a run has come.
#[derive(Debug, Clone)]
pub struct Procedure {
    state: RunState,
    lanes: [Lane; 3],
    /// The number and the moment of the last event.
    seq: u64,
    now: Moment,
    /// The number of commands that have started.
    started: u64,
    open: BTreeMap<u64, Open>,
    /// The event of the first signal, and its number.
    signal: Option<(u64, i32)>,
    /// Whether the signal came before the run was over.
    interrupts: bool,
    /// The event of the first sighting that stops the run.
    stopped: Option<u64>,
    /// The event of the failure.
    failed: Option<u64>,
    /// The last event before the procedure was over.
    over: Option<u64>,
    /// Whether only the end of the run is left.
    closing: bool,
    step_began: Moment,
    watch_began: Option<Moment>,
    gate: Gate,
    rows: [Rows; 3],
    /// The pods of all sightings.
    seen: BTreeSet<String>,
    last_seen: Option<(u64, Sighting)>,
    /// Whether something has happened since the last judgement that can change it.
    judge_again: bool,
}

impl Default for Procedure {
    fn default() -> Self {
        let begins = Moment::default();
        let mut lanes = <[Lane; 3]>::default();
        lanes[STEPS].due.extend(table::beginning());
        Self {
            state: RunState::default(),
            lanes,
            seq: 0,
            now: begins,
            started: 0,
            open: BTreeMap::new(),
            signal: None,
            interrupts: false,
            stopped: None,
            failed: None,
            over: None,
            closing: false,
            step_began: begins,
            watch_began: None,
            gate: Gate::default(),
            rows: <[Rows; 3]>::default(),
            seen: BTreeSet::new(),
            last_seen: None,
            judge_again: true,
        }
    }
}

impl Procedure {
    /// Returns the state of the run.
    pub fn state(&self) -> &RunState {
        &self.state
    }

    /// Returns the state of the run.
    pub fn into_state(self) -> RunState {
        self.state
    }

    /// Returns what is due: the first of each lane.
    pub fn due(&self) -> impl Iterator<Item = &Due> {
        self.lanes.iter().filter_map(|lane| lane.due.front())
    }

    /// Returns the number of the last event.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Returns whether a signal came.
    pub fn has_signal(&self) -> bool {
        self.signal.is_some()
    }

    /// Returns whether a pod that the watch showed is being looked at.
    pub fn is_looking(&self) -> bool {
        self.lanes[WATCH].due.len() > 1
    }

    /// Returns the step of a command under way.
    pub fn open_step(&self, n: u64) -> Option<StepId> {
        self.open.get(&n).map(|open| open.id.clone())
    }

    /// Returns the length of the rows of pods that a step has printed so far, in bytes; 0 for other steps.
    pub fn rows_read(&self, step: &StepId) -> u64 {
        Source::of(step).map_or(0, |source| self.rows(source).read())
    }

    /// Returns the number that the next command has.
    pub fn next_command(&self) -> u64 {
        self.started + 1
    }

    /// Returns how long the step or the dump that is ending took, in ms, if it ends at this moment.
    pub fn step_took(&self, at: Moment) -> u64 {
        at.millis_since(self.step_began)
    }

    /// Returns when the watch began; `None` before it.
    pub fn watch_began(&self) -> Option<Moment> {
        self.watch_began
    }

    /// Returns whether a pod was sighted before.
    pub fn passes_over(&self, step: &StepId, pod: &str) -> bool {
        Source::of(step).is_some_and(|source| source.passes_over(&self.seen, pod))
    }

    /// Returns whether a sighting or the end of this command may be recorded now, and not first the conclusion
    /// about an earlier sighting.
    pub fn waits_for(&self, n: u64) -> bool {
        self.due().any(|due| matches!(due, Due::Ends { left, .. } if self.is_next(left, n)))
    }

    /// Returns whether the end of this command comes next: the first of them, or any of them in a run that failed,
    /// since the end of the first one may never come.
    fn is_next(&self, left: &[u64], n: u64) -> bool {
        left.first() == Some(&n) || self.failed.is_some() && left.contains(&n)
    }

    /// Returns the event because of which a command has to end early; `None` if it may go on.
    ///
    /// A signal ends every command, a sighting that stops the run those of the runbook, and the end of the
    /// procedure the watch and the lists.
    pub fn cancelled_by(&self, n: u64) -> Option<u64> {
        let open = self.open.get(&n)?;
        let is_look = open.id == StepId::ConfirmPod;
        let signal = self.signal.map(|(seq, _)| seq);
        let stopped = self.stopped.filter(|_| open.lane == STEPS && !is_look && !self.closing);
        let over = self.over.filter(|_| open.lane != STEPS && !is_look);
        signal.or(self.failed).or(stopped).or(over)
    }

    /// Returns whether the run has ended.
    pub fn is_done(&self) -> bool {
        self.lanes.iter().all(|lane| lane.due.is_empty())
    }

    /// Gives up the ends of commands of a run that failed: nobody knows them.
    pub fn give_up_open(&mut self, kept: &dyn RecordedOutput) {
        if self.failed.is_some() {
            self.open.clear();
            for lane in &mut self.lanes {
                lane.due.retain(|due| !matches!(due, Due::Ends { .. }));
            }
            self.settle(kept);
        }
    }

    /// Returns what follows from an event, which is not added yet.
    ///
    /// # Errors
    /// When the event is not due.
    pub fn check(&self, event: &Event, kept: &dyn RecordedOutput) -> Result<Answer, Departure> {
        self.answer(event, kept).map_err(|why| Departure::of(event, why, self.due()))
    }

    /// Adds an event, with what [follows](Self::check) from it.
    pub fn add(&mut self, event: &Event, answer: Answer, kept: &dyn RecordedOutput) {
        self.state.add(event);
        (self.seq, self.now) = (event.seq, event.at);
        self.learn(event);
        self.judge_again |= !is_no_news(&event.kind);
        if let Answer(Some(answer)) = answer {
            if let Some((source, rows)) = answer.rows {
                self.rows[source as usize] = rows;
            }
            self.change(answer.lane, answer.change);
            self.lanes[answer.lane].due.pop_front();
            self.lanes[answer.lane].put_first(answer.then);
        }
        self.settle(kept);
    }

    /// Adds an event.
    ///
    /// # Errors
    /// When the event was not due; then nothing is added.
    pub fn fold(&mut self, event: &Event, kept: &dyn RecordedOutput) -> Result<(), Departure> {
        let mut answer = self.check(event, kept);
        if answer.is_err() && self.failed.is_some() && !self.open.is_empty() {
            self.give_up_open(kept);
            answer = self.check(event, kept);
        }
        self.add(event, answer?, kept);
        Ok(())
    }

    fn change(&mut self, lane: usize, change: OpenChange) {
        match change {
            OpenChange::None => {}
            OpenChange::Began(n, open) => {
                if matches!(open.id, StepId::Gate(_)) {
                    self.gate.first.get_or_insert(open.at);
                }
                self.started = n;
                self.open.insert(n, open);
            }
            OpenChange::Ended { n, all } => {
                self.open.remove(&n);
                if let Some(all) = all {
                    self.lanes[lane].ended = all;
                }
            }
        }
    }

    /// Remembers what an event says about the course of the run.
    fn learn(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Signal { signal } => {
                self.signal = Some((event.seq, *signal));
                self.interrupts = self.over.is_none();
            }
            EventKind::Failed { .. } => {
                self.failed = Some(event.seq);
                self.fail();
            }
            EventKind::PodSeen(sighting) => {
                self.seen.insert(sighting.pod.clone());
                self.last_seen = Some((event.seq, sighting.clone()));
            }
            EventKind::PodJudged { conclusion, .. } if conclusion.stops() => {
                self.stopped.get_or_insert(event.seq);
            }
            _ => {}
        }
    }

    fn scope(&self) -> Scope {
        self.state.began.as_ref().map_or(Scope::Whole, |(_, began)| began.scope)
    }

    fn now(&self) -> Moment {
        self.now
    }

    fn seen(&self) -> &BTreeSet<String> {
        &self.seen
    }

    fn rows(&self, source: Source) -> &Rows {
        &self.rows[source as usize]
    }

    /// The commands of the runbook's lane that ended last.
    fn ended(&self) -> &[u64] {
        &self.lanes[STEPS].ended
    }

    /// The signal that ended the run; `None` if none did.
    fn interrupts(&self) -> Option<i32> {
        self.signal.filter(|_| self.interrupts).map(|(_, number)| number)
    }
}

/// Returns the outcome of the command with this number.
fn outcome_of(run: &RunState, n: u64) -> Result<&Outcome, String> {
    run.command(n)
        .and_then(|command| command.outcome.as_ref())
        .ok_or_else(|| format!("command {n} did not end"))
}

/// Returns whether an event can't change the judgement.
fn is_no_news(kind: &EventKind) -> bool {
    let asks_again = |id: &StepId| {
        matches!(id, StepId::Gate(_) | StepId::ListPods | StepId::WatchPods | StepId::ConfirmPod)
    };
    match kind {
        EventKind::CommandStarts(_) | EventKind::PodSeen(_) => true,
        EventKind::CommandEnded(outcome) => asks_again(&outcome.id),
        _ => false,
    }
}
