//! The commands under way: each is waited for in a thread of its own, which reports what it prints and how it
//! ends. No thread here decides anything.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, Scope};
use std::time::Duration;

use super::driver::{CommandEnd, Message};
use super::lines::Lines;
use super::{Equipment, Heard};
use crate::documents;
use crate::error::Error;
use crate::exec::Cancel;
use crate::facts::context;
use crate::interpret::{self, PodTracker, RowAction};
use crate::procedure::Source;
use crate::runbook::{Keep, StepId};
use crate::session::{Completed, Copies, Invocation, perform};

/// The commands under way.
pub(super) struct Children<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    equipment: &'env Equipment,
    heard: Sender<Heard>,
    cancels: BTreeMap<u64, Arc<Cancel>>,
    /// What the watch, the lists and the last list have shown so far.
    trackers: [Arc<Mutex<PodTracker>>; 3],
}

impl<'scope, 'env> Children<'scope, 'env> {
    pub(super) fn new(
        scope: &'scope Scope<'scope, 'env>,
        equipment: &'env Equipment,
        heard: Sender<Heard>,
    ) -> Self {
        Self {
            scope,
            equipment,
            heard,
            cancels: BTreeMap::new(),
            trackers: <[Arc<Mutex<PodTracker>>; 3]>::default(),
        }
    }

    /// Starts a command.
    pub(super) fn start(&mut self, invocation: Invocation, from: u64) -> Result<(), Error> {
        let setup = |what| move |error: io::Error| Error::Setup { what, cause: error.to_string() };
        let n = invocation.intent.n;
        let cancel = Arc::new(Cancel::new().map_err(setup("a pipe"))?);
        self.cancels.insert(n, Arc::clone(&cancel));
        let source = Source::of(&invocation.intent.id);
        let tracker = source.map(|source| (source, Arc::clone(&self.trackers[source as usize])));
        let child =
            Child { equipment: self.equipment, heard: self.heard.clone(), invocation, from, tracker, cancel };
        let waits = move || {
            let heard = child.heard.clone();
            let result = catch_unwind(AssertUnwindSafe(|| child.run())).unwrap_or_else(|_| Err(panicked()));
            let _ = heard.send(Heard::Message(Message::CommandEnd { n, result }));
        };
        Builder::new().spawn_scoped(self.scope, waits).map(drop).map_err(setup("a thread"))
    }

    /// Does something else beside the commands, and reports it.
    pub(super) fn beside(&self, work: impl FnOnce() -> Message + Send + 'env) {
        let heard = self.heard.clone();
        self.scope.spawn(move || _ = heard.send(Heard::Message(work())));
    }

    /// Reports the first signal when it comes.
    pub(super) fn report_the_signal(&self) {
        let (heard, equipment) = (self.heard.clone(), self.equipment);
        self.scope.spawn(move || {
            let signals = &equipment.session.signals;
            Cancel::wait_for_one(&[&signals.first, &equipment.finished]);
            if let Some(signal) = signals.number() {
                let _ = heard.send(Heard::Message(Message::Signal(signal)));
            }
        });
    }

    /// Ends a command early.
    pub(super) fn cancel(&self, n: u64) {
        if let Some(cancel) = self.cancels.get(&n) {
            cancel.cancel();
        }
    }

    /// Ends all commands.
    pub(super) fn cancel_all(&self) {
        self.cancels.values().for_each(|cancel| cancel.cancel());
    }

    /// Forgets a command that has ended.
    pub(super) fn forget(&mut self, n: u64) {
        self.cancels.remove(&n);
    }
}

impl Drop for Children<'_, '_> {
    /// The scope waits for all threads, also after a panic.
    fn drop(&mut self) {
        self.cancel_all();
        self.equipment.finished.cancel();
    }
}

fn panicked() -> Error {
    Error::Setup { what: "internal error", cause: "a thread of ours panicked".to_owned() }
}

/// A command that is waited for.
struct Child<'env> {
    equipment: &'env Equipment,
    heard: Sender<Heard>,
    invocation: Invocation,
    /// The length of its file when it started.
    from: u64,
    tracker: Option<(Source, Arc<Mutex<PodTracker>>)>,
    cancel: Arc<Cancel>,
}

impl Child<'_> {
    fn run(self) -> Result<Box<CommandEnd>, Error> {
        let n = self.invocation.intent.n;
        let shows_pods = self.tracker.is_some();
        let is_live = self.invocation.step.keep == Keep::DeployLog;
        let mut rows = Lines::new(|line: &str, to| self.take_row(n, line, to));
        let mut live = Lines::new(|line: &str, _| {
            let _ = self.heard.send(Heard::Line(line.to_owned()));
            Ok(())
        });
        let mut names = self.equipment.raw_names.writer(self.equipment.session.tree.patterns());
        let (mut nowhere, mut none) = (io::sink(), io::sink());
        let redacted: &mut dyn Write = match (shows_pods, is_live) {
            (true, _) => &mut rows,
            (_, true) => &mut live,
            _ => &mut nowhere,
        };
        let raw: &mut dyn Write = if shows_pods { &mut names } else { &mut none };
        let done = self.perform(Copies { redacted, raw })?;
        let context = if done.outcome.id == StepId::Context { self.choose_context(&done)? } else { None };
        Ok(Box::new(CommandEnd { outcome: done.outcome, context }))
    }

    fn perform(&self, copies: Copies<'_>) -> Result<Completed, Error> {
        let deadline = Duration::from_millis(self.invocation.intent.deadline_ms);
        perform(&self.invocation, &self.equipment.session, deadline, copies, &[&self.cancel])
    }

    /// Reports the row of a pod: one that needs a look, and every one of the watch, since the run waits for the
    /// first of them.
    fn take_row(&self, n: u64, line: &str, to: u64) -> Result<(), Error> {
        let Some((source, tracker)) = &self.tracker else { return Ok(()) };
        let row = source.row(line);
        if !source.is_heading(line) {
            interpret::refuse_in_row(line, row.as_ref())?;
        }
        let Some(row) = row else { return Ok(()) };
        let stop_on = &self.equipment.job.options.stop_on;
        let action = tracker.lock().unwrap_or_else(PoisonError::into_inner).look(&row, stop_on);
        let report = match action {
            RowAction::None if *source == Source::Watch => Message::WatchRow,
            RowAction::None => return Ok(()),
            _ => Message::Seen { n, row, to: self.from + to, at: self.equipment.session.clock.now() },
        };
        let _ = self.heard.send(Heard::Message(report));
        Ok(())
    }

    /// Selects the context for all commands. The run's kubeconfig is written from the unredacted output, because
    /// a name in it may contain a secret; the returned facts are redacted.
    fn choose_context(&self, done: &Completed) -> Result<Option<context::Context>, Error> {
        if let Some(context) = done.raw_stdout().and_then(|raw| context::parse(raw).ok()) {
            let name = &self.equipment.job.inputs.target.context;
            self.equipment.session.kubeconfig.write(&documents::overlay(name, &context))?;
        }
        Ok(context::parse(&done.stdout(&self.equipment.session.tree)?).ok())
    }
}
