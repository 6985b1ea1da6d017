//! The run as it goes, on standard error.

use super::console;
use super::escape::{clipped, printable};
use super::layout::{BAD, FAIR, seconds, step_rows, styled, timed};
use super::step_lines::{self, MESSAGE};
use crate::events::{Conclusion, Event, EventKind, Intent, Outcome, PreviousRun, Sighting};
use crate::facts::rollout::Ending;
use crate::moment::Moment;
use crate::run_state::RunState;
use crate::runbook::DEPLOYMENTS;

/// How much is shown while a run goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    /// The verdict alone.
    Quiet,
    /// A line for each step, and what is the matter as soon as it is known.
    Normal,
    /// Every command, too.
    Live,
}

/// Shows a run as it goes. It looks at events and their record, and decides nothing.
#[derive(Debug)]
pub struct Screen {
    verbosity: Verbosity,
    headed: bool,
    /// The step whose name stands on the screen already.
    named: u8,
    /// The step that is going on.
    step: u8,
    /// Whether it was told how the paths of stop rule 3 answered.
    gate_told: bool,
    /// What is waited for.
    doing: Option<String>,
    apply_began: Option<Moment>,
    rollout_began: Option<Moment>,
}

impl Screen {
    /// A screen on which nothing stands yet.
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

    /// Shows what an event means for a person; `record` has taken it in already.
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

    /// Shows that a STOP is being looked into, which may take a while.
    pub fn capturing(&mut self) {
        self.doing = Some("  Capturing describe, events and logs …".to_owned());
        if let Some(doing) = self.doing.as_ref().filter(|_| self.verbosity == Verbosity::Normal) {
            console::status_line(doing);
        }
    }

    /// Shows a line that a command prints, as it prints it.
    pub fn child_line(&mut self, line: &str) {
        if self.verbosity == Verbosity::Live {
            console::eprint(&format!("    {}\n", printable(line)));
        }
    }

    /// The text for an event: nothing for most of them.
    fn told(&mut self, event: &Event, run: &RunState) -> String {
        match &event.kind {
            EventKind::CommandStarts(intent) => {
                self.follow(intent, event.at);
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

    /// Keeps up with what is going on.
    fn follow(&mut self, intent: &Intent, at: Moment) {
        let deployment = |prefix: &str| {
            let key = intent.id.strip_prefix(prefix)?;
            DEPLOYMENTS.iter().find(|deployment| deployment.key == key)
        };
        let (step, doing) = if let Some(deployment) = deployment("apply.") {
            self.apply_began.get_or_insert(at);
            (2, format!("applying {} …", deployment.manifest))
        } else if let Some(deployment) = deployment("rollout.") {
            self.rollout_began.get_or_insert(at);
            (3, format!("waiting for {} …", deployment.name))
        } else {
            match intent.id.as_str() {
                "namespaces" => (1, "asking the cluster …".to_owned()),
                "status.after" => (4, "reading what is there now …".to_owned()),
                "gate.health" => (5, "waiting for /health and /readyz …".to_owned()),
                "check.01" => (5, "asking the ten checks …".to_owned()),
                "latency.health" => (5, "sampling the latency …".to_owned()),
                _ => return,
            }
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
            // Every rolling replacement shows some of these: no news to one who waits.
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

    /// A path that was waited for in vain stands there at once; the others are told before the checks.
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

    /// A line below the name of a step that is still going on.
    fn below_name(&mut self, step: u8, line: &str, run: &RunState) -> String {
        let doing = match step {
            1 => "looking around …",
            2 => "applying …",
            3 => "waiting …",
            4 => "reading what is there now …",
            _ => "asking …",
        };
        let name = self.name(step).map(|name| step_rows(Some(name), &[doing.to_owned()], None));
        self.headed(run, name.unwrap_or_default() + line)
    }

    /// A step's name, the first time it is asked for.
    fn name(&mut self, step: u8) -> Option<&'static str> {
        if self.named == step {
            return None;
        }
        self.named = step;
        Some(step_lines::name(step))
    }

    /// A text below the header, which is shown once enough of it is known, or when something has to be said.
    fn headed(&mut self, run: &RunState, text: String) -> String {
        if std::mem::replace(&mut self.headed, true) { text } else { step_lines::header(run) + &text }
    }

    fn live(&self, text: impl FnOnce() -> String) -> String {
        if self.verbosity == Verbosity::Live { text() } else { String::new() }
    }
}

/// What whoever starts the next run has to know of one that did not come to its end.
fn not_ended(previous: &PreviousRun) -> String {
    let Some(changed) = &previous.interrupted else { return String::new() };
    let id = previous.run_id.as_deref().unwrap_or("of no name");
    let told = format!("The run before ({id}, kept in {}) did not come to its end: {changed}", previous.dir);
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
