//! Does what is due: the loop of a run.
//!
//! One thread decides and records. It starts commands, which are waited for elsewhere, and takes what is
//! reported of them, one report after the other. An event is redacted, checked against the procedure, written
//! to the journal, added to the state and shown, in this order and only here.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::error::Error;
use crate::events::{EndedBy, Event, EventKind, ManifestFile, Outcome, Sighting, Tool};
use crate::facts::context::Context;
use crate::facts::pod_table::PodRow;
use crate::moment::Moment;
use crate::procedure::{Due, FIRST_SIGHT_MS, NextCommand, Procedure, RecordedOutput};
use crate::run_state::RunState;
use crate::runbook::StepId;
use crate::session::Invocation;

/// What a run can do outside itself, and what it hears.
pub(super) trait World: RecordedOutput {
    /// Returns the current time.
    fn now(&self) -> Moment;

    /// Returns the first event.
    fn began(&mut self) -> Result<EventKind, Error>;

    /// Stores the runbook and returns its event.
    fn runbook(&mut self) -> Result<EventKind, Error>;

    /// Redacts an event.
    fn redacted(&self, event: Event) -> Result<Event, Error>;

    /// Writes an event to the journal; a lasting one is on the disk when this returns.
    fn append(&mut self, event: &Event, lasting: bool) -> Result<(), Error>;

    /// Shows an event that was added to the state.
    fn show(&mut self, event: &Event, run: &RunState);

    /// Fills in the variables of a command.
    fn invocation(&self, command: &NextCommand, run: &RunState) -> Result<Invocation, Error>;

    /// Starts a command; its rows of pods begin at the offset `from` of its file.
    fn start(&mut self, invocation: Invocation, from: u64) -> Result<(), Error>;

    /// Ends a command early.
    fn cancel(&mut self, n: u64);

    /// Waits for a report, at most until a moment.
    fn receive(&mut self, until: Option<Moment>) -> Option<Message>;

    /// Reads a manifest, and stores it if it may be stored.
    fn manifest(&mut self, file: &str) -> Result<ManifestFile, Error>;

    /// Begins to identify the programs, which is reported as [`Message::Tools`].
    fn find_tools(&mut self);

    /// Writes the files that follow from the state.
    fn save(&mut self, run: &RunState) -> Result<(), Error>;

    /// Completes the files of the action on STOP.
    fn complete_the_dump(&mut self, run: &RunState) -> Result<(), Error>;

    /// Returns the files of the evidence.
    fn files(&mut self) -> Result<Vec<String>, Error>;

    /// Returns by how many milliseconds the system's clock was moved; `None` if it was not.
    fn clock_was_moved_by(&self) -> Option<i64>;

    /// Makes room on the disk for the last files.
    fn release_reserve(&mut self);
}

/// A report of something that happened outside.
#[derive(Debug)]
pub(super) enum Message {
    /// A signal came.
    Signal(i32),
    /// The programs with their checksums.
    Tools(Vec<Tool>),
    /// The watch printed a row of a pod that needs no look.
    WatchRow,
    /// A command printed a row of a pod that may stop the run.
    Seen {
        /// The number of the command.
        n: u64,
        /// The row.
        row: PodRow,
        /// The offset behind the row in the file of the command's output.
        to: u64,
        /// When it was read.
        at: Moment,
    },
    /// A command ended.
    CommandEnd {
        /// Its number.
        n: u64,
        /// How, or why that is not known.
        result: Result<Box<CommandEnd>, Error>,
    },
}

/// The end of a command.
#[derive(Debug)]
pub(super) struct CommandEnd {
    /// Its outcome.
    pub(super) outcome: Outcome,
    /// The context, if the command printed it: no file contains that output.
    pub(super) context: Option<Context>,
}

/// The driver of a run.
pub(super) struct Driver<W> {
    pub(super) procedure: Procedure,
    pub(super) world: W,
    /// The reports of each command that could not be taken yet, because an earlier one is looked into.
    waiting: BTreeMap<u64, VecDeque<Message>>,
    /// The commands that have not reported their end.
    running: BTreeSet<u64>,
    cancelled: BTreeSet<u64>,
    tools: Option<VecDeque<Tool>>,
    context: Option<Context>,
    watch_rows: usize,
    failed: bool,
}

impl<W: World> Driver<W> {
    pub(super) fn new(world: W) -> Self {
        Self {
            procedure: Procedure::default(),
            world,
            waiting: BTreeMap::new(),
            running: BTreeSet::new(),
            cancelled: BTreeSet::new(),
            tools: None,
            context: None,
            watch_rows: 0,
            failed: false,
        }
    }

    /// Returns the state of the run.
    pub(super) fn state(&self) -> &RunState {
        self.procedure.state()
    }

    /// Records the first two events.
    ///
    /// # Errors
    /// When they can't be written.
    pub(super) fn begin(&mut self) -> Result<(), Error> {
        let began = self.world.began()?;
        self.note(began)?;
        let runbook = self.world.runbook()?;
        self.note(runbook)
    }

    /// Does what is due until nothing is.
    ///
    /// # Errors
    /// When a failure could not be recorded either; then the evidence is incomplete.
    pub(super) fn drive(&mut self) -> Result<(), Error> {
        while !self.procedure.is_done() {
            match self.act() {
                Ok(true) => {}
                Ok(false) => {
                    let report = self.world.receive(self.wakes_at());
                    self.take(report);
                }
                // What is under way has to end before the run does.
                Err(error) if self.failed && self.running.is_empty() && self.waiting.is_empty() => {
                    return Err(error);
                }
                Err(error) => self.fail(&error),
            }
        }
        Ok(())
    }

    /// Does one thing that is due; returns whether there was one.
    fn act(&mut self) -> Result<bool, Error> {
        self.cancel_what_has_to_end();
        if let Some(report) = self.next_report() {
            return self.follow(report).map(|()| true);
        }
        if self.failed && self.running.is_empty() {
            // If the end of a look could not be recorded, the turn of the watch behind it never comes.
            self.waiting.clear();
            self.procedure.give_up_open(&self.world);
        }
        let due = self.procedure.due().cloned();
        let (starts, known): (Vec<Due>, Vec<Due>) = due.partition(|due| matches!(due, Due::Starts { .. }));
        // What is known is recorded before a command starts: it may be the conclusion that stops the run.
        for due in known.into_iter().chain(starts) {
            if self.does(due)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Does what is due, if it can be done now.
    fn does(&mut self, due: Due) -> Result<bool, Error> {
        let kind = match due {
            Due::Starts { left, .. } => return self.start(&left),
            Due::Manifest(file) => EventKind::ManifestRead(self.world.manifest(&file)?),
            Due::Tools(_) => match self.tools.as_mut().and_then(VecDeque::pop_front) {
                Some(tool) => EventKind::ToolFound(tool),
                None => return Ok(false),
            },
            Due::Context => EventKind::ContextRead(self.context.clone().ok_or_else(|| Error::Setup {
                what: "the context",
                cause: "kubectl config view printed something else".to_owned(),
            })?),
            Due::Event(kind) => *kind,
            Due::FirstSight(of) if !self.has_seen(of) => return Ok(false),
            Due::FirstSight(of) => EventKind::FirstSight { rows: self.watch_rows, of },
            Due::StepEnds(step) => return self.end_step(step).map(|()| true),
            Due::Dumped(last_words) => {
                self.world.complete_the_dump(self.procedure.state())?;
                self.note_of(|procedure, at| EventKind::Dumped {
                    duration_ms: procedure.step_took(at),
                    last_words,
                })?;
                return Ok(true);
            }
            Due::Fails(why) => return Err(Error::Output(why)),
            Due::Interrupted(signal) => {
                self.world.release_reserve();
                EventKind::Interrupted { signal }
            }
            Due::FilesListed => return self.list_files().map(|()| true),
            Due::RunEnded => EventKind::RunEnded,
            _ => return Ok(false),
        };
        self.note(kind).map(|()| true)
    }

    /// Starts commands, if their time has come: all of them are recorded before the first one starts.
    fn start(&mut self, commands: &VecDeque<NextCommand>) -> Result<bool, Error> {
        let too_early = |command: &NextCommand| command.not_before.is_some_and(|at| self.world.now() < at);
        if commands.iter().any(too_early) {
            return Ok(false);
        }
        let mut invocations = Vec::new();
        for command in commands {
            let mut invocation = self.world.invocation(command, self.procedure.state())?;
            invocation.intent.n = self.procedure.next_command();
            invocation.intent.because = command.because;
            self.note(EventKind::CommandStarts(invocation.intent.clone()))?;
            invocations.push(invocation);
        }
        if commands.iter().any(|command| command.id == StepId::Context) {
            self.world.find_tools();
        }
        for invocation in invocations {
            let (n, from) = (invocation.intent.n, self.procedure.rows_read(&invocation.intent.id));
            self.world.start(invocation, from)?;
            self.running.insert(n);
        }
        Ok(true)
    }

    fn end_step(&mut self, step: u8) -> Result<(), Error> {
        self.note_of(|procedure, at| EventKind::StepEnded { step, duration_ms: procedure.step_took(at) })?;
        self.world.save(self.procedure.state())
    }

    fn list_files(&mut self) -> Result<(), Error> {
        self.world.release_reserve();
        if let Some(by_ms) = self.world.clock_was_moved_by().filter(|_| self.state().clock_moved_ms.is_none())
        {
            self.note(EventKind::ClockMoved { by_ms })?;
        }
        self.world.save(self.procedure.state())?;
        let files = self.world.files()?;
        self.note(EventKind::FilesListed { files })
    }

    /// Returns the next report of a command that the procedure waits for.
    fn next_report(&mut self) -> Option<Message> {
        let n = *self.waiting.keys().find(|n| self.procedure.waits_for(**n))?;
        let reports = self.waiting.get_mut(&n)?;
        let report = reports.pop_front();
        if reports.is_empty() {
            self.waiting.remove(&n);
        }
        report
    }

    /// Takes a report: of a command it is taken in its turn.
    fn take(&mut self, report: Option<Message>) {
        match report {
            Some(Message::Signal(signal)) if !self.procedure.has_signal() => {
                if let Err(error) = self.note(EventKind::Signal { signal }) {
                    self.fail(&error);
                }
            }
            None | Some(Message::Signal(_)) => {}
            Some(Message::Tools(tools)) => self.tools = Some(tools.into()),
            Some(Message::WatchRow) => self.watch_rows += 1,
            Some(report @ (Message::Seen { n, .. } | Message::CommandEnd { n, .. })) => {
                if matches!(report, Message::CommandEnd { .. }) {
                    self.running.remove(&n);
                }
                self.waiting.entry(n).or_default().push_back(report);
            }
        }
    }

    /// Records what a command reported.
    fn follow(&mut self, report: Message) -> Result<(), Error> {
        match report {
            Message::Seen { n, row, to, at } => {
                let Some(command) = self.procedure.open_step(n) else { return Ok(()) };
                if command == StepId::WatchPods {
                    self.watch_rows += 1;
                }
                if self.procedure.passes_over(&command, &row.name) {
                    return Ok(());
                }
                let (pod, status, line) = (row.name, row.status, row.text);
                self.note(EventKind::PodSeen(Sighting { pod, status, line, command, n, to, seen_at: at }))
            }
            Message::CommandEnd { n, result } => {
                let CommandEnd { mut outcome, context } = *result?;
                if outcome.ended_by.is_cancelled() {
                    outcome.ended_by =
                        EndedBy::StagingDryRun(self.procedure.cancelled_by(n).unwrap_or_default());
                }
                self.context = context.or(self.context.take());
                self.note(EventKind::CommandEnded(outcome))
            }
            _ => Ok(()),
        }
    }

    fn cancel_what_has_to_end(&mut self) {
        for n in self.running.clone() {
            if self.procedure.cancelled_by(n).is_some() && self.cancelled.insert(n) {
                self.world.cancel(n);
            }
        }
    }

    /// Returns whether the watch has shown so many pods and all of them are judged, or it had its time.
    fn has_seen(&self, of: usize) -> bool {
        let is_looking = self.procedure.is_looking() || !self.waiting.is_empty();
        self.watch_rows >= of && !is_looking || self.world.now() >= self.first_sight_ends()
    }

    fn first_sight_ends(&self) -> Moment {
        self.procedure.watch_began().unwrap_or_default().after_millis(FIRST_SIGHT_MS)
    }

    /// Returns the next moment at which something is due; `None` if only a report can make it so.
    fn wakes_at(&self) -> Option<Moment> {
        let moment = |due: &Due| match due {
            Due::Starts { left, .. } => left.front().and_then(|command| command.not_before),
            Due::FirstSight(_) => Some(self.first_sight_ends()),
            _ => None,
        };
        self.procedure.due().filter_map(moment).min()
    }

    fn note(&mut self, kind: EventKind) -> Result<(), Error> {
        self.note_of(|_, _| kind)
    }

    /// Records an event that is computed from the procedure and the moment.
    fn note_of(&mut self, kind: impl FnOnce(&Procedure, Moment) -> EventKind) -> Result<(), Error> {
        let at = self.world.now();
        let kind = kind(&self.procedure, at);
        let event = self.world.redacted(Event { seq: self.procedure.seq() + 1, at, kind })?;
        let answer = self.procedure.check(&event, &self.world).map_err(|departure| Error::Setup {
            what: "internal error, please report it",
            cause: departure.to_string(),
        })?;
        self.world.append(&event, must_be_on_disk(&event.kind, self.procedure.state()))?;
        self.procedure.add(&event, answer, &self.world);
        self.world.show(&event, self.procedure.state());
        Ok(())
    }

    /// Records that the run failed, and ends what is under way. Only the first failure is recorded.
    ///
    /// The event is added to the state even if it can't be written: a run whose evidence is incomplete must be
    /// judged as incomplete.
    pub(super) fn fail(&mut self, error: &Error) {
        self.world.release_reserve();
        if std::mem::replace(&mut self.failed, true) {
            return;
        }
        let kind = EventKind::Failed { error: error.to_string() };
        let event = Event { seq: self.procedure.seq() + 1, at: self.world.now(), kind };
        let Ok(event) = self.world.redacted(event) else { return };
        let _ = self.world.append(&event, true);
        if let Ok(answer) = self.procedure.check(&event, &self.world) {
            self.procedure.add(&event, answer, &self.world);
        }
        self.world.show(&event, self.procedure.state());
    }
}

/// Returns whether an event must be on the disk before the run continues.
///
/// This applies to the start and the end of every change to the cluster, and to every event that a later step
/// relies on.
fn must_be_on_disk(kind: &EventKind, run: &RunState) -> bool {
    use crate::events::Effect::Changes;
    match kind {
        EventKind::CommandStarts(intent) => intent.effect == Changes,
        EventKind::CommandEnded(outcome) => {
            run.runbook.step(&outcome.id).is_some_and(|step| step.effect == Changes)
        }
        EventKind::RunBegan(_)
        | EventKind::StepEnded { .. }
        | EventKind::PodJudged { .. }
        | EventKind::Interrupted { .. }
        | EventKind::Failed { .. }
        | EventKind::RunEnded => true,
        _ => false,
    }
}
