//! What the world sees of a run: what the run was told, and what it does afterwards.
//!
//! Nothing here asks the procedure. It shares its code with the walk, so a rule that is missing there would not be
//! missed by either of them.

use std::collections::{BTreeMap, BTreeSet};

use super::super::driver::{CommandEnd, Message};
use super::plan::{Look, Plan};
use crate::events::{Event, EventKind, Intent, Outcome};
use crate::moment::Moment;
use crate::runbook::{HealthPath, StepId, VersionedTool};
use crate::verdict::Verdict;

/// The interval of the lists of pods, in ms.
const LISTS_MS: u64 = 10_000;

/// The pause before the next watch, in ms.
const WATCHES_MS: u64 = 200;

/// The interval of the requests of the gate, in ms.
const GATE_MS: u64 = 1000;

/// How long the gate may take, in ms.
const GATE_LIMIT_MS: u64 = 120_000;

/// How long a run waits for the watch to show the pods, in ms.
const FIRST_SIGHT_MS: u64 = 5000;

/// The number of checks, and how many of them may fail.
const CHECKS: usize = 10;
const BAD_CHECKS: usize = 2;

/// How often a run may wait: one that waits more often never ends.
const MOST_WAITS: u32 = 200_000;

/// What the run was told that ends it.
const POD: &str = "a failing pod";
const TOO_FEW_CHECKS: &str = "too few checks";
pub(super) const BLANK: &str = "a blank manifest";
pub(super) const UNWRITTEN: &str = "an event that could not be written";

type Files = BTreeMap<String, Vec<u8>>;

/// What the world saw of a run.
#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is one thing that was seen")]
pub(super) struct Observer {
    /// The first promise that was broken.
    broken: Option<String>,
    /// What the run was told that ends it.
    halted: Option<&'static str>,
    /// What it was told that a guard refuses.
    refused: bool,
    /// What it was told that a stop rule is about.
    stop: Option<&'static str>,
    /// Whether a signal came, a write failed, or an output was lost.
    disturbed: bool,
    /// Whether a signal came while a command of the runbook ran.
    signal_in_a_step: bool,
    signals: usize,
    running: BTreeMap<u64, StepId>,
    cancelled: BTreeSet<u64>,
    started: BTreeSet<u64>,
    /// When a command last ended, by its step.
    ended: BTreeMap<StepId, Moment>,
    watch_began: Option<Moment>,
    gate_began: Option<Moment>,
    /// The paths that last answered something else than 200.
    unready: BTreeSet<HealthPath>,
    checks: usize,
    bad_checks: usize,
    /// The pods whose rows were shown as failing.
    seen: BTreeSet<String>,
    /// The pods that were read.
    looked: BTreeSet<String>,
    rows: usize,
    pods: usize,
    look: Option<Look>,
    failed_before: Option<bool>,
    fails_after: bool,
    before_shown: bool,
    applied_shown: bool,
    rollouts: usize,
    /// Whether a pod that failed before was read, and excused.
    excused: bool,
    /// Whether an event could not be written.
    unwritten: bool,
    waits: u32,
}

/// Returns whether it is a command of the runbook that may not start after the end of it is decided.
fn is_of_the_runbook(id: &StepId) -> bool {
    !matches!(
        id,
        StepId::ConfirmPod
            | StepId::ObjectsAfter
            | StepId::DumpDescribe
            | StepId::DumpEvents
            | StepId::DumpLogs
            | StepId::DumpPrevious
    )
}

fn is_watching(id: &StepId) -> bool {
    matches!(id, StepId::WatchPods | StepId::ListPods)
}

impl Observer {
    pub(super) fn new(plan: &Plan, pods: usize) -> Self {
        let look = plan.pod_fails.map(|(_, look)| look);
        let Plan { failed_before, fails_after, .. } = *plan;
        Self { pods, look, failed_before, fails_after, ..Self::default() }
    }

    fn breaks(&mut self, why: String) {
        self.broken.get_or_insert(why);
    }

    /// The run was told what ends it.
    pub(super) fn halts(&mut self, why: &'static str) {
        self.halted.get_or_insert(why);
        self.disturbed |= why != BLANK;
        self.refused |= why == BLANK;
        self.unwritten |= why == UNWRITTEN;
    }

    fn stops(&mut self, why: &'static str) {
        self.stop.get_or_insert(why);
        self.halted.get_or_insert(why);
    }

    fn refuses(&mut self) {
        self.refused = true;
        self.halted.get_or_insert("a guard refuses");
    }

    /// A command starts.
    pub(super) fn starts(&mut self, now: Moment, intent: &Intent) {
        let id = &intent.id;
        if !self.started.insert(intent.n) {
            self.breaks(format!("two commands have the number {}", intent.n));
        }
        let may_start = !is_of_the_runbook(id)
            || is_watching(id)
            || self.stop == Some(TOO_FEW_CHECKS) && matches!(id, StepId::Body(_));
        if let Some(why) = self.halted.filter(|_| !may_start) {
            self.breaks(format!("{id} starts after {why}"));
        }
        match id {
            StepId::UseContext => self.goes_on(now),
            StepId::Rollout(_) => self.waits_for_the_rollout(id),
            StepId::Gate(_) => {
                let ended = HealthPath::ALL.map(|path| self.ended.get(&StepId::Gate(path)));
                let last = ended.into_iter().flatten().max();
                if last.is_some_and(|last| now.millis_since(*last) > GATE_MS) {
                    self.breaks(format!("{id} starts too late"));
                }
            }
            _ => {}
        }
        let since = |moment: Option<Moment>| moment.map(|moment| now.millis_since(moment));
        let since_the_end = since(self.ended.get(id).copied());
        let too_early = match id {
            StepId::ListPods => since_the_end.or(since(self.watch_began)).is_none_or(|ms| ms < LISTS_MS),
            StepId::WatchPods => since_the_end.is_some_and(|ms| ms < WATCHES_MS),
            StepId::Gate(_) => {
                since_the_end.is_some_and(|ms| ms < GATE_MS)
                    && since(self.gate_began).is_some_and(|ms| ms < GATE_LIMIT_MS)
            }
            _ => false,
        };
        if too_early {
            self.breaks(format!("{id} starts {since_the_end:?} ms after it ended"));
        }
        match id {
            StepId::WatchPods => _ = self.watch_began.get_or_insert(now),
            StepId::Gate(_) => _ = self.gate_began.get_or_insert(now),
            StepId::ConfirmPod => self.looked.extend(intent.met.get("POD").cloned()),
            _ => {}
        }
        self.are_watched(now, id);
        self.running.insert(intent.n, id.clone());
    }

    /// The deployment begins: the watch has shown the pods, and those that fail were read, or it had its time.
    fn goes_on(&mut self, now: Moment) {
        let waited = self.watch_began.map_or(0, |began| now.millis_since(began));
        let is_looking = self.running.values().any(|id| *id == StepId::ConfirmPod);
        let pods = if self.before_shown { self.pods } else { 0 };
        if waited < FIRST_SIGHT_MS && (self.rows < pods || is_looking || !self.seen.is_subset(&self.looked)) {
            self.breaks(format!("step 2 begins {waited} ms after the watch, which has not shown the pods"));
        }
    }

    /// The rollouts begin: the excuse of a pod that failed before was examined, and has not ended.
    fn waits_for_the_rollout(&mut self, id: &StepId) {
        let Some(changed) = self.failed_before.filter(|_| self.before_shown) else { return };
        if !self.ended.contains_key(&StepId::ObjectsApplied) {
            self.breaks(format!(
                "{id} starts, and nobody asked whether the apply changed the failing Deployment"
            ));
        } else if self.excused && self.applied_shown && !changed {
            self.breaks(format!("{id} starts, and the apply did not change the failing Deployment"));
        }
    }

    /// Neither the watch nor the lists pause for longer than they have to: what one has shown is looked at before it is
    /// started again, for two seconds at the most.
    fn are_watched(&mut self, now: Moment, id: &StepId) {
        let Some(began) = self.watch_began.filter(|_| self.halted.is_none() && is_of_the_runbook(id)) else {
            return;
        };
        if self.running.values().any(|running| *running == StepId::ConfirmPod) {
            return;
        }
        let looked = self.ended.get(&StepId::ConfirmPod).copied();
        for (watching, pause) in [(StepId::WatchPods, WATCHES_MS), (StepId::ListPods, LISTS_MS)] {
            let ended = self.ended.get(&watching).copied().unwrap_or(began);
            let since = now.millis_since(looked.map_or(ended, |looked| looked.max(ended)));
            let is_running = *id == watching || self.running.values().any(|running| *running == watching);
            if !is_running && since > pause {
                self.breaks(format!("{id} starts, and there was no {watching} for {since} ms"));
            }
        }
    }

    /// The run ends a command early.
    pub(super) fn cancels(&mut self, n: u64) {
        if self.halted.is_none() && !self.running.get(&n).is_some_and(is_watching) {
            self.breaks(format!("command {n} is ended for no reason"));
        }
        self.cancelled.insert(n);
    }

    /// The run waits: what has to end was told so.
    pub(super) fn waits(&mut self) {
        self.waits += 1;
        assert!(self.waits < MOST_WAITS, "it never ends");
        let Some(why) = self.halted else { return };
        // A lost output is known to the run when its turn comes: ends are taken in the order of the starts.
        let has_to_end = |id: &StepId| {
            self.signals > 0
                || self.unwritten
                || self.stop == Some(POD) && is_of_the_runbook(id) && !is_watching(id)
        };
        let left = self.running.iter().find(|(n, id)| has_to_end(id) && !self.cancelled.contains(n));
        if let Some((_, id)) = left {
            let why = format!("{id} goes on after {why}");
            self.breaks(why);
        }
    }

    /// The run receives a report.
    pub(super) fn receives(&mut self, now: Moment, report: &Message, files: &Files) {
        match report {
            Message::Signal(_) => {
                self.signals += 1;
                let in_a_step = |id: &StepId| is_of_the_runbook(id) && !is_watching(id);
                self.signal_in_a_step |= self.running.values().any(in_a_step);
                self.halts("a signal");
            }
            Message::WatchRow => self.rows += 1,
            Message::Seen { n, row, .. } => {
                let is_watch = self.running.get(n) == Some(&StepId::WatchPods);
                self.rows += usize::from(is_watch);
                self.seen.insert(row.name.clone());
                if is_watch {
                    // Each watch shows its pods as new ones: what was read of them before says nothing.
                    self.looked.remove(&row.name);
                }
            }
            Message::CommandEnd { n, result } => {
                let id = self.running.remove(n);
                _ = id.map(|id| self.ended.insert(id, now));
                match result {
                    Ok(end) => self.ends(now, end, files),
                    Err(_) => self.halts("an output was lost"),
                }
            }
            Message::Tools(_) => {}
        }
    }

    /// A command ended: what it showed.
    fn ends(&mut self, now: Moment, end: &CommandEnd, files: &Files) {
        let outcome = &end.outcome;
        if outcome.ended_by.is_cancelled() {
            return;
        }
        let (failed, by_us) = (!outcome.succeeded(), outcome.ended_by.is_our_doing());
        match &outcome.id {
            StepId::Apply(_) | StepId::Rollout(_) if failed && !by_us => self.stops("a failed change"),
            StepId::UseContext | StepId::Apply(_) | StepId::Rollout(_) if by_us => {
                self.halted.get_or_insert("a change of unknown effect");
            }
            StepId::Version(VersionedTool::Kubectl)
            | StepId::Context
            | StepId::Namespaces
            | StepId::Namespace
            | StepId::StatusBefore
            | StepId::Uids
            | StepId::CanI(_)
            | StepId::Guard(_)
            | StepId::UseContext
                if failed =>
            {
                self.refuses();
            }
            StepId::ObjectsBefore => self.before_shown = !failed,
            StepId::ObjectsApplied => self.applied_shown = !failed,
            StepId::ObjectsAfter if self.fails_after && !failed => self.stops("a pod that fails afterwards"),
            StepId::ConfirmPod => self.reads_a_pod(outcome),
            StepId::Gate(path) => self.asks(now, *path, status(outcome, files) == "200"),
            StepId::Check(_) => {
                self.checks += 1;
                self.bad_checks += usize::from(matches!(&*status(outcome, files), "000" | "500"));
                if self.checks == CHECKS && self.bad_checks > BAD_CHECKS {
                    self.stops(TOO_FEW_CHECKS);
                }
            }
            _ => {}
        }
        self.rollouts += usize::from(matches!(outcome.id, StepId::Rollout(_)));
    }

    /// A pod was read: it fails, or nobody knows.
    fn reads_a_pod(&mut self, outcome: &Outcome) {
        let is_excused = || match self.failed_before {
            Some(changed) => self.before_shown && self.rollouts < 3 && (changed || !self.applied_shown),
            None => false,
        };
        let fails = outcome.succeeded() && self.look == Some(Look::Fails);
        let is_excused = fails && is_excused();
        let is_unknown = !outcome.succeeded() && !outcome.found_nothing();
        let counts = is_unknown || fails && !is_excused;
        self.excused |= is_excused;
        if counts {
            self.stops(POD);
        }
    }

    /// A path answered the gate; the limit is looked at when both have.
    fn asks(&mut self, now: Moment, path: HealthPath, is_ready: bool) {
        if is_ready {
            self.unready.remove(&path)
        } else {
            self.unready.insert(path)
        };
        let waited = self.gate_began.map_or(0, |began| now.millis_since(began));
        let is_asking = self.running.values().any(|id| matches!(id, StepId::Gate(_)));
        if !is_asking && !self.unready.is_empty() && waited >= GATE_LIMIT_MS {
            self.stops("a path that is not ready");
        }
    }

    /// Returns the promise that a run has broken; `None` if it kept all.
    pub(super) fn broken(&self, verdict: Verdict, journal: &[Event]) -> Option<String> {
        if self.broken.is_some() {
            return self.broken.clone();
        }
        let unread = self.seen.difference(&self.looked).next();
        if let Some(pod) = unread.filter(|_| !self.disturbed) {
            return Some(format!("{pod} was shown failing, and was not read"));
        }
        let is_complete = !self.disturbed || verdict != Verdict::Incomplete;
        let (refused, stop) = (self.refused && is_complete, self.stop.filter(|_| is_complete));
        match verdict {
            Verdict::Refused => {}
            _ if refused => return Some(format!("a guard refuses, and it ended as {verdict:?}")),
            Verdict::Stop => {}
            _ if stop.is_some() => return Some(format!("it saw {stop:?}, and ended as {verdict:?}")),
            _ => {}
        }
        if self.signal_in_a_step && verdict != Verdict::Incomplete {
            return Some(format!("a signal came in the middle, and it ended as {verdict:?}"));
        }
        self.journal_is_wrong(journal)
    }

    fn journal_is_wrong(&self, journal: &[Event]) -> Option<String> {
        let (mut signals, mut starts, mut ends) = (0, 0, BTreeSet::new());
        for (event, seq) in journal.iter().zip(1..) {
            match &event.kind {
                _ if event.seq != seq => return Some(format!("event {seq} has the number {}", event.seq)),
                EventKind::Signal { .. } => signals += 1,
                EventKind::CommandStarts(_) => starts += 1,
                EventKind::RolloutEnded { .. }
                | EventKind::PodsAfter { .. }
                | EventKind::HealthAsked { .. }
                | EventKind::CheckAnswered { .. }
                | EventKind::LatencySampled { .. }
                | EventKind::Generations { applied: true, .. }
                    if signals > 0 && self.signal_in_a_step =>
                {
                    return Some(format!("event {seq} is a fact that was read after a signal"));
                }
                EventKind::CommandEnded(outcome) if !ends.insert(outcome.n) => {
                    return Some(format!("command {} ended twice", outcome.n));
                }
                EventKind::Failed { error } if !self.disturbed || error.contains("internal error") => {
                    return Some(format!("it failed: {error}"));
                }
                _ => {}
            }
        }
        if self.unwritten {
            return None;
        }
        let expected = (self.signals.min(1), self.started.len());
        ((signals, starts) != expected)
            .then(|| format!("{expected:?} signals and commands, but {:?} in its journal", (signals, starts)))
    }
}

/// The status in the figures of curl; `000` without figures.
fn status(outcome: &Outcome, files: &Files) -> String {
    let Some((range, bytes)) =
        outcome.stderr.as_ref().and_then(|range| Some((range, files.get(&range.file)?)))
    else {
        return "000".to_owned();
    };
    let place = |at: u64| usize::try_from(at).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes[place(range.from)..place(range.to)]);
    let figure = text.split_once("\"http_code\":").map_or("000", |(_, figure)| figure);
    figure.chars().take_while(char::is_ascii_digit).collect()
}
