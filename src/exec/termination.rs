//! The phases of a command from running to ended, with the time limit of each.
//!
//! The first reason for the end is recorded and never replaced, except that an output that could not be
//! stored takes precedence over an end by itself.

use std::time::{Duration, Instant};

use super::outputs::Outputs;
use super::stages::Stages;
use super::{Cancel, Command, after};
use crate::events::{EndedBy, Note};

/// How long open outputs may be silent after every stage has ended.
///
/// The stages' own output is in the pipes by then, so another process that they started holds the pipes open.
const SILENCE: Duration = Duration::from_millis(500);

/// How long open outputs may still carry data: another process may write, or the sinks may be slow.
const CHATTER: Duration = Duration::from_secs(5);

/// How long a killed process may take to end; a process that is stuck in the kernel (a dead network file
/// system) may never end.
pub(super) const AFTER_KILL: Duration = Duration::from_secs(2);

/// The phase of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EndPhase {
    /// Running, until the deadline.
    Running,
    /// Every stage has ended but an output is still open, for [`SILENCE`].
    Lingering,
    /// TERM was sent, for the grace period.
    Terminated,
    /// KILL was sent, for [`AFTER_KILL`].
    Killed,
}

/// The current phase of a command, and the time limits of the phase.
pub(super) struct Termination {
    phase: EndPhase,
    /// When the phase ends.
    until: Instant,
    /// When the phase ends even if output still comes.
    at_most: Instant,
    /// Why this program ended the command; `None` if it did not.
    by: Option<EndedBy>,
    grace: Duration,
}

impl Termination {
    /// Begins with the running phase, at `started`.
    pub(super) fn new(started: Instant, command: &Command<'_>) -> Self {
        let until = after(started, command.deadline);
        Self { phase: EndPhase::Running, until, at_most: until, by: None, grace: command.grace }
    }

    /// Returns when to check the time again.
    pub(super) fn until(&self) -> Instant {
        self.until
    }

    /// Enters the next phase if the current one is over, and returns whether no phase is left.
    ///
    /// `heard` means that output has just come.
    pub(super) fn is_over(&mut self, stages: &mut Stages, heard: bool) -> bool {
        let now = Instant::now();
        if self.phase == EndPhase::Running && !stages.are_running() {
            self.enter(EndPhase::Lingering, SILENCE, CHATTER);
        }
        if heard {
            // Also after the limit: there is more to read before the output counts as silent.
            self.until = self.until.max(after(now, SILENCE)).min(self.at_most);
        }
        if now < self.until {
            return false;
        }
        match self.phase {
            EndPhase::Running => self.end(stages, EndedBy::Deadline),
            EndPhase::Lingering => self.end(stages, EndedBy::HeldPipes),
            EndPhase::Terminated => self.kill(stages),
            EndPhase::Killed => return true,
        }
        false
    }

    fn enter(&mut self, phase: EndPhase, duration: Duration, at_most: Duration) {
        let now = Instant::now();
        *self = Self { phase, until: after(now, duration), at_most: after(now, at_most), ..*self };
    }

    /// Ends the command, unless its end has already begun.
    pub(super) fn end(&mut self, stages: &mut Stages, by: EndedBy) {
        if matches!(self.phase, EndPhase::Running | EndPhase::Lingering) {
            stages.terminate();
            self.by = Some(by);
            self.enter(EndPhase::Terminated, self.grace, self.grace);
        }
    }

    fn kill(&mut self, stages: &mut Stages) {
        stages.kill();
        self.enter(EndPhase::Killed, AFTER_KILL, AFTER_KILL + CHATTER);
    }

    /// Returns the cancels that matter in this phase.
    ///
    /// A requested cancel stays readable, so waiting for it again would return at once.
    pub(super) fn watched_cancels<'h, 'a>(
        &self,
        cancels: &'h [&'a Cancel],
        kill_now: &'h [&'a Cancel],
    ) -> &'h [&'a Cancel] {
        match self.phase {
            EndPhase::Running => cancels,
            EndPhase::Terminated => kill_now,
            EndPhase::Lingering | EndPhase::Killed => &[],
        }
    }

    /// Reacts to a requested cancel.
    pub(super) fn heed(&mut self, stages: &mut Stages) {
        match self.phase {
            EndPhase::Running if stages.are_running() => self.end(stages, EndedBy::StagingDryRun(0)),
            EndPhase::Terminated => self.kill(stages),
            _ => {}
        }
    }

    /// Returns whether this program ended the command.
    pub(super) fn was_ended(&self) -> bool {
        self.by.is_some()
    }

    /// Returns how the command ended.
    pub(super) fn by(&self, outputs: &Outputs<'_>) -> EndedBy {
        match self.by {
            Some(by) if by.is_our_doing() => by,
            _ if outputs.have_failed() => EndedBy::OutputNotKept,
            by => by.unwrap_or(EndedBy::Itself),
        }
    }

    /// Returns a remark about processes that outlived the command or were ended with it; `None` if there are
    /// none.
    pub(super) fn note(&self, stages: &Stages, outputs: &Outputs<'_>) -> Option<Note> {
        if let Some(program) = stages.first_running() {
            Some(Note::StillRunning(program.to_owned()))
        } else if outputs.are_open() {
            Some(Note::OutputIncomplete)
        } else if self.by == Some(EndedBy::HeldPipes) {
            Some(Note::LeftOneRunning)
        } else {
            None
        }
    }
}
