//! What a run would do.

use super::console;
use super::escape::printable;
use super::layout::{BOLD, styled};
use crate::events::Effect;
use crate::runbook::{Phase, STEPS};

/// A command that a run would start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanLine {
    /// Its id.
    pub id: String,
    /// What it would do to the cluster.
    pub effect: Effect,
    /// The command, with this run's values where they are known.
    pub text: String,
    /// The runbook's heading it stands under; `None`: it is ours.
    pub heading: Option<&'static str>,
    /// What it is there for.
    pub why: &'static str,
    /// Whether it is started on STOP alone.
    pub only_on_stop: bool,
}

/// Prints every command that a run would start, in its order, under the runbook's headings.
pub fn plan(lines: &[PlanLine]) {
    console::tell(&planned(lines));
}

fn planned(lines: &[PlanLine]) -> String {
    let width = lines.iter().map(|line| line.id.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    let mut stands = "";
    for (at, line) in lines.iter().enumerate() {
        let heading = heading(lines, at, stands);
        if heading != stands {
            let gap = if stands.is_empty() { "" } else { "\n" };
            let shown = if line.only_on_stop { "On STOP" } else { heading.trim_start_matches(['#', ' ']) };
            text.push_str(&format!("{gap}{}\n", styled(BOLD, shown)));
            stands = heading;
        }
        text.push_str(&format!(
            "  {:<8} {:<width$}  {}\n",
            word(line.effect),
            line.id,
            printable(&line.text)
        ));
    }
    text + &summary(lines)
}

/// A line's heading. One of ours stands under that of its neighbours: of those before it, unless it is the first
/// of a phase, when those that follow give it.
fn heading(lines: &[PlanLine], at: usize, stands: &'static str) -> &'static str {
    let line = &lines[at];
    if let Some(heading) = line.heading {
        return heading;
    }
    let goes_on = at.checked_sub(1).is_some_and(|before| phase(&lines[before]) == phase(line));
    if goes_on && !stands.is_empty() {
        return stands;
    }
    lines[at..].iter().find_map(|line| line.heading).unwrap_or(stands)
}

fn phase(line: &PlanLine) -> Phase {
    match STEPS.iter().find(|step| *step.id == line.id) {
        Some(step) => step.phase,
        None if line.id.starts_with("check.") => Phase::Smoke,
        None => Phase::Preflight,
    }
}

fn summary(lines: &[PlanLine]) -> String {
    let of = |effect: Effect| lines.iter().filter(|line| line.effect == effect).count();
    let (reads, asks, changes) = (of(Effect::Reads), of(Effect::Asks), of(Effect::Changes));
    format!(
        "\nreads: {reads} · asks (server-side dry run): {asks} · changes the cluster: {changes}. None of them was run.\n"
    )
}

/// An effect as the journal writes it.
pub(super) fn word(effect: Effect) -> &'static str {
    match effect {
        Effect::Reads => "reads",
        Effect::Asks => "asks",
        Effect::Changes => "changes",
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::plain;
    use super::*;
    use crate::runbook::{CHECKS, check_step, step};

    fn line(id: &str, effect: Effect, heading: Option<&'static str>) -> PlanLine {
        let text = format!("kubectl {id}");
        PlanLine { id: id.into(), effect, text, heading, why: "", only_on_stop: id.starts_with("dump.") }
    }

    #[test]
    fn commands_stand_under_the_runbooks_headings() {
        let check = check_step(&CHECKS[0], false);
        let known = |id: &str| line(id, step(id).effect, step(id).heading);
        let lines = [
            known("version.jq"),
            known("namespaces"),
            known("server"),
            line("guard.api", Effect::Asks, None),
            known("watch.pods"),
            known("apply.api"),
            known("objects.applied"),
            known("status.after"),
            known("gate.health"),
            line(&check.id, Effect::Reads, check.heading),
            known("latency.docs"),
            known("dump.events"),
        ];
        assert_eq!(
            plain(&planned(&lines)),
            "\
1. Preflight Check
  reads    version.jq       kubectl version.jq
  reads    namespaces       kubectl namespaces
  reads    server           kubectl server
  asks     guard.api        kubectl guard.api

2. Deploy to Staging
  reads    watch.pods       kubectl watch.pods
  changes  apply.api        kubectl apply.api
  reads    objects.applied  kubectl objects.applied

4. Capture Post-Deploy State
  reads    status.after     kubectl status.after

5. Execute Smoke Tests
  reads    gate.health      kubectl gate.health
  reads    check.01         kubectl check.01
  reads    latency.docs     kubectl latency.docs

On STOP
  reads    dump.events      kubectl dump.events

reads: 10 · asks (server-side dry run): 1 · changes the cluster: 1. None of them was run.
"
        );
    }
}
