//! Prints the progress of a run on standard error.

use super::console;
use super::escape::{clipped, printable};
use super::layout::{BAD, FAIR, seconds, step_rows, styled, timed};
use super::step_lines::{self, MESSAGE};
use crate::events::{Conclusion, Event, EventKind, Intent, Outcome, PreviousRun, Sighting};
use crate::facts::rollout::Ending;
use crate::moment::Moment;
use crate::run_state::RunState;
use crate::runbook::{HealthPath, LatencyGroupId, StepId};

/// How much is printed during a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    /// Only the verdict.
    Quiet,
    /// One line per step, and every problem as soon as it is known.
    Normal,
    /// Every command too.
    Live,
}

/// The progress of a run on the screen; it reads events and the recorded state, and decides nothing.
#[derive(Debug)]
pub struct Screen {
    verbosity: Verbosity,
    headed: bool,
    /// The step whose name has been printed.
    named: u8,
    /// The step in progress.
    step: u8,
    /// Whether the answers of the paths of stop rule 3 have been printed.
    gate_told: bool,
    /// The status line; `None` if nothing is waited for.
    doing: Option<String>,
    apply_began: Option<Moment>,
    rollout_began: Option<Moment>,
}

impl Screen {
    /// Creates an empty screen.
    pub fn new(verbosity: Verbosity) -> Self {
        Self {
            verbosity,
            headed: false,
            named: 0,
            step: 1,
            gate_told: false,
            doing: None,
            apply_began: None,
            rollout_began: None,
        }
    }

    /// Prints an event; `run` already includes it.
    pub fn show(&mut self, event: &Event, run: &RunState) {
        if self.verbosity == Verbosity::Quiet {
            return;
        }
        let before = self.doing.clone();
        let text = self.told(event, run);
        if !text.is_empty() {
            console::eprint(&text);
        }
        let changed = !text.is_empty() || before != self.doing;
        if let Some(doing) = self.doing.as_ref().filter(|_| changed && self.verbosity == Verbosity::Normal) {
            console::status_line(doing);
        }
    }

    /// Prints a line of a command's output while the command runs.
    pub fn child_line(&mut self, line: &str) {
        if self.verbosity == Verbosity::Live {
            console::eprint(&format!("    {}\n", printable(line)));
        }
    }

    /// Returns the text for an event, which is empty for most events.
    fn told(&mut self, event: &Event, run: &RunState) -> String {
        match &event.kind {
            EventKind::CommandStarts(intent) => {
                self.follow(intent, event.at, run);
                self.live(|| format!("  > {}   {}\n", intent.id, printable(&intent.text)))
            }
            EventKind::CommandEnded(outcome) => self.live(|| ended(outcome)),
            EventKind::RunBegan(began) => began.previous_run.as_ref().map(not_ended).unwrap_or_default(),
            EventKind::ClusterUser { .. } => self.headed(run, String::new()),
            EventKind::PodJudged { sighting, conclusion, .. } => self.pod_judged(sighting, conclusion, run),
            EventKind::RolloutEnded { deployment, ending } if *ending != Ending::RolledOut => {
                let told = format!("deployment/{deployment}: {}", clipped(ending.says(), MESSAGE));
                self.below_name(3, &format!("   {}\n", styled(BAD, &told)), run)
            }
            EventKind::HealthAsked { .. } => self.health_asked(run),
            EventKind::CheckAnswered { .. } => self.check_answered(run),
            EventKind::ClockMoved { by_ms } => self.headed(run, step_lines::clock_moved(*by_ms)),
            EventKind::StepEnded { step, duration_ms } => self.step_ended(*step, *duration_ms, run),
            EventKind::Dumped { duration_ms, .. } => {
                self.doing = None;
                let line = timed("  Captured describe, events and logs", Some(*duration_ms));
                self.headed(run, line)
            }
            EventKind::RunEnded | EventKind::Failed { .. } | EventKind::Interrupted { .. } => {
                self.doing = None;
                self.headed(run, String::new())
            }
            _ => String::new(),
        }
    }

    /// Updates the step in progress and the status line.
    fn follow(&mut self, intent: &Intent, at: Moment, run: &RunState) {
        let runbook = &run.runbook;
        let deployment = intent.id.deployment().and_then(|id| runbook.deployment(id));
        if intent.id == StepId::DumpDescribe {
            self.doing = Some("  Capturing describe, events and logs …".to_owned());
            return;
        }
        let (step, doing) = match (&intent.id, deployment) {
            (StepId::Apply(_), Some(deployment)) => {
                self.apply_began.get_or_insert(at);
                (2, format!("applying {} …", deployment.manifest))
            }
            (StepId::Rollout(_), Some(deployment)) => {
                self.rollout_began.get_or_insert(at);
                (3, format!("waiting for {} …", deployment.name))
            }
            (StepId::Namespaces, _) => (1, "asking the cluster …".to_owned()),
            (StepId::StatusAfter, _) => (4, "reading the state of the cluster …".to_owned()),
            (StepId::Gate(HealthPath::Health), _) => (5, "waiting for /health and /readyz …".to_owned()),
            (StepId::Check(number), _)
                if runbook.checks.first().is_some_and(|check| check.number == *number) =>
            {
                (5, format!("running the {} checks …", runbook.checks.len()))
            }
            (StepId::Latency(LatencyGroupId::Health), _) => (5, "sampling the latency …".to_owned()),
            _ => return,
        };
        self.step = step;
        self.doing = Some(format!("{:<15}{doing}", step_lines::name(step)));
    }

    fn step_ended(&mut self, step: u8, duration_ms: u64, run: &RunState) -> String {
        self.doing = None;
        let name = self.name(step);
        let lines = step_lines::of_step(step, run);
        let text = match step {
            5 => timed(&step_lines::latency(run), Some(duration_ms)),
            _ if step_lines::is_blank(&lines) => return String::new(),
            _ => step_rows(name, &lines, Some(duration_ms)),
        };
        let notes = if step == 1 { step_lines::preflight_notes(run) } else { String::new() };
        self.headed(run, text + &notes)
    }

    fn pod_judged(&mut self, sighting: &Sighting, conclusion: &Conclusion, run: &RunState) -> String {
        let because = match conclusion {
            Conclusion::Stands => String::new(),
            Conclusion::Unconfirmed(why) => format!(" · not confirmed: {}", clipped(why, MESSAGE)),
            Conclusion::Excused(why) => format!(" · does not count yet: {}", clipped(why, MESSAGE)),
            // Every rolling replacement shows some of these, so they are not worth a line.
            Conclusion::RuledOut(_) if self.verbosity != Verbosity::Live => return String::new(),
            Conclusion::RuledOut(why) => format!(" · does not count: {}", clipped(why, MESSAGE)),
        };
        let since = match (self.rollout_began, self.apply_began) {
            (Some(began), _) => {
                format!("{} after the rollout began", seconds(sighting.seen_at.millis_since(began)))
            }
            (None, Some(began)) => {
                format!("{} after the first apply", seconds(sighting.seen_at.millis_since(began)))
            }
            (None, None) => "before the first apply".to_owned(),
        };
        let style = if conclusion.stops() { BAD } else { FAIR };
        let status = styled(style, &printable(&sighting.status));
        let line = format!("   pod {}   {status}   {since}{because}\n", printable(&sighting.pod));
        self.below_name(self.step, &line, run)
    }

    /// Returns the line of a path that never answered 200; the other paths are printed before the checks.
    fn health_asked(&mut self, run: &RunState) -> String {
        let Some(health) = run.health.last().filter(|health| health.http_status != "200") else {
            return String::new();
        };
        let name = self.name(5);
        let rows = step_rows(name, &[styled(BAD, &step_lines::waited(health))], None);
        self.headed(run, rows)
    }

    fn check_answered(&mut self, run: &RunState) -> String {
        let Some(answer) = run.checks.last() else { return String::new() };
        let told = std::mem::replace(&mut self.gate_told, true);
        let gate = if told {
            String::new()
        } else {
            step_rows(self.name(5), &[step_lines::gate(&run.health)], None)
        };
        self.headed(run, gate + &step_lines::check(answer, run))
    }

    /// Returns a line under the name of the step in progress.
    fn below_name(&mut self, step: u8, line: &str, run: &RunState) -> String {
        let doing = match step {
            1 => "checking …",
            2 => "applying …",
            3 => "waiting …",
            4 => "reading the state of the cluster …",
            _ => "asking …",
        };
        let name = self.name(step).map(|name| step_rows(Some(name), &[doing.to_owned()], None));
        self.headed(run, name.unwrap_or_default() + line)
    }

    /// Returns the name of a step the first time it is requested, and then `None`.
    fn name(&mut self, step: u8) -> Option<&'static str> {
        if self.named == step {
            return None;
        }
        self.named = step;
        Some(step_lines::name(step))
    }

    /// Returns a text, preceded by the header if it has not been printed yet.
    fn headed(&mut self, run: &RunState, text: String) -> String {
        if std::mem::replace(&mut self.headed, true) { text } else { step_lines::header(run) + &text }
    }

    fn live(&self, text: impl FnOnce() -> String) -> String {
        if self.verbosity == Verbosity::Live { text() } else { String::new() }
    }
}

/// Returns the notice about a previous run that did not reach its end.
fn not_ended(previous: &PreviousRun) -> String {
    let Some(changed) = &previous.interrupted else { return String::new() };
    let id = previous.run_id.as_deref().unwrap_or("without a name");
    let told = format!("The run before ({id}, kept in {}) did not finish: {changed}", previous.dir);
    format!("{}\n\n", styled(BAD, &printable(&told)))
}

fn ended(outcome: &Outcome) -> String {
    let exit: Vec<String> = outcome.exit.iter().map(i32::to_string).collect();
    let by = outcome.ended_by.says().map(|by| format!(" · {by}")).unwrap_or_default();
    let said = outcome
        .first_error
        .as_deref()
        .map(|said| format!(" · {}", clipped(said, MESSAGE)))
        .unwrap_or_default();
    format!("  < {}   exit {}, {}{by}{said}\n", outcome.id, exit.join(" "), seconds(outcome.duration_ms))
}

#[cfg(test)]
#[path = "screen_tests.rs"]
mod tests;
