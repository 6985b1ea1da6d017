//! A world in memory, whose clock is moved to the next thing that happens.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;

use serde_json::json;

use super::super::driver::{CommandEnd, Message, World as Outside};
use super::answers::{Answer, Recorded, failing, with_failing, with_status};
use super::observer::{self, Observer};
use super::plan::{Look, Plan};
use crate::error::Error;
use crate::events::{ByteRange, EndedBy, Event, EventKind, ManifestFile, Outcome};
use crate::interpret::{self, PodTracker, RowAction};
use crate::moment::Moment;
use crate::procedure::{NextCommand, RecordedOutput, Source};
use crate::run_state::RunState;
use crate::runbook::StepId;
use crate::session::Invocation;

/// Something that will happen.
#[derive(Debug)]
enum Next {
    /// A report comes.
    Message(Message),
    /// The watch prints this line.
    Row(u64, String),
    /// A command ends.
    End(u64, EndedBy),
}

/// A command under way.
struct Running {
    invocation: Invocation,
    started: Moment,
    answer: Answer,
    out_from: u64,
}

/// The simulated world.
pub(super) struct World {
    plan: Plan,
    recorded: Arc<Recorded>,
    now: Moment,
    pub(super) journal: Vec<Event>,
    files: BTreeMap<String, Vec<u8>>,
    /// What will happen, by its moment and in the order in which it was planned.
    next: BTreeMap<(Moment, u64), Next>,
    planned: u64,
    /// The reports that come before anything else happens.
    ready: VecDeque<Message>,
    running: BTreeMap<u64, Running>,
    trackers: [PodTracker; 3],
    disk_is_full: bool,
    began_at: Moment,
    watch_began: Option<Moment>,
    pods: Vec<String>,
    pub(super) observer: Observer,
}

impl RecordedOutput for World {
    fn read(&self, range: Option<&ByteRange>) -> io::Result<Vec<u8>> {
        let Some(range) = range else { return Ok(Vec::new()) };
        let bytes = self.files.get(&range.file).map(Vec::as_slice).unwrap_or_default();
        let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
        Ok(bytes[place(range.from)..place(range.to)].to_vec())
    }
}

impl World {
    pub(super) fn new(plan: Plan, recorded: Arc<Recorded>) -> Self {
        let now = Moment("2026-11-28T00:00:00Z".parse().unwrap());
        let there = if plan.failed_before.is_some() { &recorded.pods_before } else { &recorded.pods };
        let pods: Vec<String> = there.keys().cloned().collect();
        let mut world = Self {
            now,
            journal: Vec::new(),
            files: BTreeMap::new(),
            next: BTreeMap::new(),
            planned: 0,
            ready: VecDeque::new(),
            running: BTreeMap::new(),
            trackers: <[PodTracker; 3]>::default(),
            disk_is_full: false,
            began_at: now,
            watch_began: None,
            observer: Observer::new(&plan, recorded.pods_before.len()),
            pods,
            plan,
            recorded,
        };
        if let Some(at) = world.plan.signal_at {
            world.plan_for(now.after_millis(at), Next::Message(Message::Signal(15)));
        }
        world
    }

    fn plan_for(&mut self, at: Moment, next: Next) {
        self.planned += 1;
        self.next.insert((at.max(self.now), self.planned), next);
    }

    fn failing_pod(&self) -> &str {
        &self.pods[0]
    }

    /// Returns the STATUS of the failing pod at this moment.
    fn fails_at(&self, at: Moment) -> bool {
        let since = self.watch_began.map(|began| at.millis_since(began));
        self.plan
            .pod_fails
            .zip(since)
            .is_some_and(|((from, look), since)| since >= from && look != Look::Gone)
    }

    fn rows(&self, at: Moment, event: &str) -> Vec<String> {
        let status =
            |pod: &String| if pod == self.failing_pod() && self.fails_at(at) { "Error" } else { "Running" };
        self.pods.iter().map(|pod| format!("{event}{pod}   1/1   {}   0   5s", status(pod))).collect()
    }

    /// What a command answers now.
    fn answer(&mut self, id: &StepId, met: &BTreeMap<String, String>) -> Answer {
        let recorded = self.recorded.answers.get(id).cloned().unwrap_or_default();
        let takes_ms =
            (recorded.takes_ms.min(2000) / 4 * self.plan.slower).max(1) + self.plan.random.below(50);
        let mut answer = Answer { takes_ms, ..recorded };
        match id {
            StepId::Gate(path) => {
                let since = self.now.millis_since(self.began_at);
                if self.plan.unready_ms.get(path).is_some_and(|until| since < *until) {
                    answer.stderr = with_status(&answer.stderr, 503);
                }
                answer.takes_ms = answer.takes_ms.min(9000);
            }
            StepId::Check(number) if u64::from(number.get()) <= self.plan.bad_checks => {
                answer.stderr = with_status(&answer.stderr, 500);
                answer.takes_ms = answer.takes_ms.min(9000);
            }
            StepId::ListPods | StepId::ListLast => {
                let rows = self.rows(self.now.after_millis(takes_ms), "").join("\n");
                answer.stdout = format!("NAME   READY   STATUS   RESTARTS   AGE\n{rows}\n").into_bytes();
            }
            StepId::ConfirmPod => return self.look(met, answer.takes_ms),
            StepId::ObjectsBefore if self.plan.failed_before.is_some() => {
                answer.stdout = with_failing(&answer.stdout, self.failing_pod());
            }
            StepId::ObjectsApplied => {
                let changed = self.plan.failed_before == Some(true);
                let shows = if changed { StepId::ObjectsAfter } else { StepId::ObjectsBefore };
                answer.stdout.clone_from(&self.recorded.answers[&shows].stdout);
            }
            StepId::ObjectsAfter if self.plan.fails_after => {
                let stays = |pod: &serde_json::Value| pod["metadata"]["deletionTimestamp"].is_null();
                let (pod, _) = self.recorded.pods.iter().rfind(|(_, pod)| stays(pod)).unwrap();
                answer.stdout = with_failing(&answer.stdout, pod);
            }
            StepId::Guard(_) => answer.takes_ms = answer.takes_ms.min(20_000),
            _ => {}
        }
        if let Some(error) = self.plan.fails.get(id) {
            answer =
                Answer { exit: 1, stdout: Vec::new(), stderr: format!("{error}\n").into_bytes(), ..answer };
        }
        if self.plan.hangs.contains(id) {
            answer.takes_ms = u64::MAX / 4;
        }
        answer
    }

    fn look(&mut self, met: &BTreeMap<String, String>, takes_ms: u64) -> Answer {
        let pod = met.get("POD").map_or("", String::as_str);
        let answer = Answer { takes_ms: takes_ms.min(1500), ..Answer::default() };
        match self.plan.pod_fails.map(|(_, look)| look) {
            Some(Look::Gone) | None => Answer {
                exit: 1,
                stderr: b"Error from server (NotFound): pods \"it\" not found\n".to_vec(),
                ..answer
            },
            Some(Look::Silent) => Answer { takes_ms: 1_000_000, ..answer },
            Some(Look::Fails) => Answer { stdout: self.recorded.pod(pod, failing), ..answer },
            Some(Look::Deleting) => {
                let deleting = |pod: &mut serde_json::Value| {
                    failing(pod);
                    pod["metadata"]["deletionTimestamp"] = json!("2026-11-28T00:00:00Z");
                };
                Answer { stdout: self.recorded.pod(pod, deleting), ..answer }
            }
        }
    }

    /// Plans the rows of a watch.
    fn watch(&mut self, n: u64) {
        let began = self.now;
        let first = began.after_millis(1 + self.plan.watch_is_slow);
        self.watch_began.get_or_insert(began);
        let mut rows = vec!["EVENT   NAME   READY   STATUS   RESTARTS   AGE".to_owned()];
        rows.extend(self.rows(first, "ADDED   "));
        for row in rows {
            self.plan_for(first, Next::Row(n, row));
        }
        if let Some((from, _)) = self.plan.pod_fails {
            let at = self.watch_began.unwrap_or(began).after_millis(from);
            if at > first {
                let row = format!("MODIFIED   {}   0/1   Error   0   5s", self.failing_pod());
                self.plan_for(at, Next::Row(n, row));
            }
        }
    }

    fn print(&mut self, file: &str, bytes: &[u8]) -> Option<ByteRange> {
        let kept = self.files.entry(file.to_owned()).or_default();
        let from = kept.len() as u64;
        kept.extend_from_slice(bytes);
        (!bytes.is_empty()).then(|| ByteRange { file: file.to_owned(), from, to: kept.len() as u64 })
    }

    /// Prints a line of a command that shows pods, and reports its row as a run does.
    fn print_row(&mut self, n: u64, line: &str) -> Option<Message> {
        let running = self.running.get(&n)?;
        let id = running.invocation.intent.id.clone();
        let file = running.invocation.step.files().0?;
        self.print(&file, format!("{line}\n").as_bytes());
        let to = self.files[&file].len() as u64;
        let source = Source::of(&id)?;
        let row = source.row(line)?;
        let action = self.trackers[source as usize].look(&row, &[]);
        match action {
            RowAction::None => (source == Source::Watch).then_some(Message::WatchRow),
            _ => Some(Message::Seen { n, row, to, at: self.now }),
        }
    }

    /// Ends a command, and returns the reports of its last lines and its end.
    fn end(&mut self, n: u64, by: EndedBy) -> Vec<Message> {
        let Some(running) = self.running.get(&n) else { return Vec::new() };
        let (id, step, answer) =
            (running.invocation.intent.id.clone(), running.invocation.step.clone(), running.answer.clone());
        let is_whole = !by.is_our_doing();
        let ((stdout, stderr), mut reports) = (step.files(), Vec::new());
        let stdout = stdout.and_then(|file| match Source::of(&id) {
            Some(_) => {
                let text = String::from_utf8(answer.stdout.clone()).unwrap();
                let lines: Vec<&str> = text.lines().filter(|_| is_whole).collect();
                reports.extend(lines.iter().filter_map(|line| self.print_row(n, line)));
                let (from, to) = (self.running[&n].out_from, self.length(&file));
                (to > from).then_some(ByteRange { file, from, to })
            }
            None => self.print(&file, if is_whole { &answer.stdout } else { &[] }),
        });
        let Some(Running { started, .. }) = self.running.remove(&n) else { return reports };
        if self.plan.output_lost.as_ref() == Some(&id) {
            let error = io::Error::from(io::ErrorKind::StorageFull);
            reports.push(Message::CommandEnd { n, result: Err(Error::Evidence(error)) });
            return reports;
        }
        let mut exit = vec![if is_whole { 0 } else { 143 }; step.line(false).stages.len()];
        if let Some(last) = exit.last_mut().filter(|_| is_whole) {
            *last = answer.exit;
        }
        let failed = exit.iter().any(|status| *status != 0);
        let printed = if is_whole { answer.stderr.as_slice() } else { &[] };
        let outcome = Outcome {
            n,
            id: id.clone(),
            started,
            duration_ms: self.now.millis_since(started),
            exit,
            ended_by: by,
            note: None,
            stdout,
            stderr: self.print(&stderr, printed),
            first_error: interpret::first_error(printed).filter(|_| failed),
            redactions: Vec::new(),
        };
        let context = (id == StepId::Context && outcome.succeeded()).then(|| self.recorded.context.clone());
        reports.push(Message::CommandEnd { n, result: Ok(Box::new(CommandEnd { outcome, context })) });
        reports
    }

    fn length(&self, file: &str) -> u64 {
        self.files.get(file).map_or(0, |bytes| bytes.len() as u64)
    }
}

impl Outside for World {
    fn now(&self) -> Moment {
        self.now
    }

    fn began(&mut self) -> Result<EventKind, Error> {
        Ok(self.recorded.began.clone())
    }

    fn runbook(&mut self) -> Result<EventKind, Error> {
        Ok(self.recorded.runbook.clone())
    }

    fn redacted(&self, event: Event) -> Result<Event, Error> {
        Ok(event)
    }

    fn append(&mut self, event: &Event, _: bool) -> Result<(), Error> {
        if self.plan.disk_full_at == Some(event.seq) {
            self.plan.disk_full_at = None;
            self.disk_is_full = true;
        }
        if self.disk_is_full {
            self.observer.halts(observer::UNWRITTEN);
            return Err(Error::Evidence(io::Error::from(io::ErrorKind::StorageFull)));
        }
        self.journal.push(event.clone());
        Ok(())
    }

    fn show(&mut self, _: &Event, _: &RunState) {}

    fn invocation(&self, command: &NextCommand, run: &RunState) -> Result<Invocation, Error> {
        super::invocation(command, run)
    }

    fn start(&mut self, invocation: Invocation, from: u64) -> Result<(), Error> {
        let intent = invocation.intent.clone();
        let answer = self.answer(&intent.id, &intent.met);
        self.observer.starts(self.now, &intent);
        let (n, started, deadline) = (intent.n, self.now, intent.deadline_ms);
        let takes = answer.takes_ms;
        let out_from = match invocation.step.files().0 {
            Some(file) if Source::of(&intent.id).is_some() => {
                let length = self.files.get(&file).map_or(0, |bytes| bytes.len() as u64);
                assert_eq!(length, from, "{}: the offset of its rows", intent.id);
                length
            }
            _ => 0,
        };
        if let Some((_, after)) = self.plan.signal_in.filter(|(command, _)| *command == n) {
            self.plan_for(started.after_millis(after), Next::Message(Message::Signal(2)));
        }
        let is_watch = intent.id == StepId::WatchPods;
        let answer = if is_watch { Answer::default() } else { answer };
        self.running.insert(n, Running { invocation, started, answer, out_from });
        let (by, after) = match (is_watch, self.plan.watch_ends) {
            (true, Some(ends)) => (EndedBy::Itself, ends),
            (true, None) => (EndedBy::Deadline, deadline),
            _ if takes >= deadline => (EndedBy::Deadline, deadline),
            _ => (EndedBy::Itself, takes),
        };
        if is_watch {
            self.watch(n);
        }
        self.plan_for(started.after_millis(after), Next::End(n, by));
        Ok(())
    }

    fn cancel(&mut self, n: u64) {
        self.observer.cancels(n);
        let random = &mut self.plan.random;
        let after = if random.one_in(10) { 10_000 } else { random.below(40) };
        self.plan_for(self.now.after_millis(after), Next::End(n, EndedBy::StagingDryRun(0)));
    }

    fn receive(&mut self, until: Option<Moment>) -> Option<Message> {
        self.observer.waits();
        if self.ready.is_empty() {
            let first = self.next.keys().next().copied();
            let Some(key) = first.filter(|(at, _)| until.is_none_or(|until| *at <= until)) else {
                let never = || {
                    let last = self.journal.iter().rev().take(12).collect::<Vec<_>>();
                    panic!("something is waited for that never comes: {last:#?}, {:#?}", self.plan)
                };
                self.now = until.unwrap_or_else(never).max(self.now);
                return None;
            };
            self.now = self.now.max(key.0);
            match self.next.remove(&key)? {
                Next::Message(report) => self.ready.push_back(report),
                Next::Row(n, line) => {
                    let report = self.print_row(n, &line);
                    self.ready.extend(report);
                }
                Next::End(n, by) => {
                    let reports = self.end(n, by);
                    self.ready.extend(reports);
                }
            }
        }
        let report = self.ready.pop_front();
        if let Some(report) = &report {
            self.observer.receives(self.now, report, &self.files);
        }
        report
    }

    fn manifest(&mut self, file: &str) -> Result<ManifestFile, Error> {
        let mut manifest = self.recorded.manifests[file].clone();
        if std::mem::take(&mut self.plan.blank_manifest) {
            manifest.blank = true;
            self.observer.halts(observer::BLANK);
        }
        Ok(manifest)
    }

    fn find_tools(&mut self) {
        let tools = self.recorded.tools.clone();
        let at = self.now.after_millis(300);
        self.plan_for(at, Next::Message(Message::Tools(tools)));
    }

    fn save(&mut self, _: &RunState) -> Result<(), Error> {
        if self.disk_is_full {
            Err(Error::Evidence(io::Error::from(io::ErrorKind::StorageFull)))
        } else {
            Ok(())
        }
    }

    fn complete_the_dump(&mut self, _: &RunState) -> Result<(), Error> {
        Ok(())
    }

    fn files(&mut self) -> Result<Vec<String>, Error> {
        Ok(self.recorded.files.clone())
    }

    fn clock_was_moved_by(&self) -> Option<i64> {
        self.plan.clock_moved
    }

    fn release_reserve(&mut self) {
        self.disk_is_full = false;
    }
}
