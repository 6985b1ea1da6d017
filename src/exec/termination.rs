//! The way of a command to its end.

use std::time::{Duration, Instant};

use super::outputs::Outputs;
use super::stages::Stages;
use super::{Cancel, Command, after};
use crate::events::EndedBy;

/// How long the outputs may be silent, but open, once every stage has ended. What the stages themselves wrote
/// is in the pipes by then; so something that they started holds them.
const SILENCE: Duration = Duration::from_millis(500);

/// How long they may go on all the same: something else may write, or our sinks be slow.
const CHATTER: Duration = Duration::from_secs(5);

/// How long a killed process may take to go. One that is stuck in the kernel (a dead network file system) may
/// never.
pub(super) const AFTER_KILL: Duration = Duration::from_secs(2);

/// Where a command is on its way to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Until the deadline.
    Running,
    /// Every stage has ended, an output is still open: for [`SILENCE`].
    Lingering,
    /// TERM was sent: for the grace.
    Terminated,
    /// KILL was sent: for [`AFTER_KILL`].
    Killed,
}

/// The way of a command to its end, and the time it has for each part of it.
pub(super) struct Termination {
    phase: Stage,
    /// When the phase is over.
    until: Instant,
    /// When it is over even if output still comes.
    at_most: Instant,
    /// Why we ended it, where we did.
    by: Option<EndedBy>,
    grace: Duration,
}

impl Termination {
    /// From `started` on.
    pub(super) fn new(started: Instant, command: &Command<'_>) -> Self {
        let until = after(started, command.deadline);
        Self { phase: Stage::Running, until, at_most: until, by: None, grace: command.grace }
    }

    /// When to look at the clock again.
    pub(super) fn until(&self) -> Instant {
        self.until
    }

    /// Enters the next phase when it is time; true when there is none. `heard` means that output has just
    /// come.
    pub(super) fn is_over(&mut self, stages: &mut Stages, heard: bool) -> bool {
        let now = Instant::now();
        if self.phase == Stage::Running && !stages.are_running() {
            self.enter(Stage::Lingering, SILENCE, CHATTER);
        }
        if heard {
            // However late we are: there is more to read before we say that nothing came.
            self.until = self.until.max(after(now, SILENCE)).min(self.at_most);
        }
        if now < self.until {
            return false;
        }
        match self.phase {
            Stage::Running => self.end(stages, EndedBy::Deadline),
            Stage::Lingering => self.end(stages, EndedBy::HeldPipes),
            Stage::Terminated => self.kill(stages),
            Stage::Killed => return true,
        }
        false
    }

    fn enter(&mut self, phase: Stage, duration: Duration, at_most: Duration) {
        let now = Instant::now();
        *self = Self { phase, until: after(now, duration), at_most: after(now, at_most), ..*self };
    }

    /// Ends the command, unless that has begun already.
    pub(super) fn end(&mut self, stages: &mut Stages, by: EndedBy) {
        if matches!(self.phase, Stage::Running | Stage::Lingering) {
            stages.terminate();
            self.by = Some(by);
            self.enter(Stage::Terminated, self.grace, self.grace);
        }
    }

    fn kill(&mut self, stages: &mut Stages) {
        stages.kill();
        self.enter(Stage::Killed, AFTER_KILL, AFTER_KILL + CHATTER);
    }

    /// The halts that matter now. A pulled one stays readable, and would wake us again and again.
    pub(super) fn watched_cancels<'h, 'a>(
        &self,
        cancels: &'h [&'a Cancel],
        kill_now: &'h [&'a Cancel],
    ) -> &'h [&'a Cancel] {
        match self.phase {
            Stage::Running => cancels,
            Stage::Terminated => kill_now,
            Stage::Lingering | Stage::Killed => &[],
        }
    }

    /// One of those was pulled.
    pub(super) fn heed(&mut self, stages: &mut Stages) {
        match self.phase {
            Stage::Running if stages.are_running() => self.end(stages, EndedBy::StagingDryRun),
            Stage::Terminated => self.kill(stages),
            _ => {}
        }
    }

    /// Whether we ended it.
    pub(super) fn was_ended(&self) -> bool {
        self.by.is_some()
    }

    /// What brought it to its end.
    pub(super) fn by(&self, outputs: &Outputs<'_>) -> EndedBy {
        match self.by {
            Some(by) if by.is_our_doing() => by,
            _ if outputs.have_failed() => EndedBy::OutputNotKept,
            by => by.unwrap_or(EndedBy::Itself),
        }
    }

    /// What outlived the end, or had to be ended with it.
    pub(super) fn note(&self, stages: &Stages, outputs: &Outputs<'_>) -> Option<String> {
        if let Some(program) = stages.first_running() {
            Some(format!("{program} has not ended, although it was killed"))
        } else if outputs.are_open() {
            let left = "a process that it started left its process group and holds its output open";
            Some(format!("{left}: what was kept may be short"))
        } else if self.by == Some(EndedBy::HeldPipes) {
            Some("it left a process running that held its output open, and that was ended".to_owned())
        } else {
            None
        }
    }
}
