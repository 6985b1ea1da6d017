//! Prints the commands that a run would start.

use super::console;
use super::escape::printable;
use super::layout::{BOLD, styled};
use crate::events::Effect;
use crate::plan::PlannedCommand;
use crate::runbook::Phase;

/// Prints every command of a run, in order, under the runbook's headings.
pub fn plan(commands: &[PlannedCommand]) {
    console::print(&planned(commands));
}

fn planned(lines: &[PlannedCommand]) -> String {
    let width = lines.iter().map(|line| line.step.id.to_string().len()).max().unwrap_or(0);
    let mut text = String::new();
    let mut stands = "";
    for (at, line) in lines.iter().enumerate() {
        let heading = heading(lines, at, stands);
        if heading != stands {
            let gap = if stands.is_empty() { "" } else { "\n" };
            let shown = if line.step.phase == Phase::Dump {
                "On STOP"
            } else {
                heading.trim_start_matches(['#', ' '])
            };
            text.push_str(&format!("{gap}{}\n", styled(BOLD, shown)));
            stands = heading;
        }
        text.push_str(&format!(
            "  {:<8} {:<width$}  {}\n",
            line.step.effect.word(),
            line.step.id,
            printable(&line.text)
        ));
    }
    text + &summary(lines)
}

/// Returns the heading of a command.
///
/// A command without a heading is printed under the heading of the commands before it. The first command of a
/// phase is printed under the heading of the commands after it.
fn heading<'l>(lines: &'l [PlannedCommand], at: usize, stands: &'l str) -> &'l str {
    let line = &lines[at].step;
    if let Some(heading) = &line.heading {
        return heading;
    }
    let goes_on = at.checked_sub(1).is_some_and(|before| lines[before].step.phase == line.phase);
    if goes_on && !stands.is_empty() {
        return stands;
    }
    lines[at..].iter().find_map(|line| line.step.heading.as_deref()).unwrap_or(stands)
}

fn summary(lines: &[PlannedCommand]) -> String {
    let of = |effect: Effect| lines.iter().filter(|line| line.step.effect == effect).count();
    let (reads, asks, changes) = (of(Effect::Reads), of(Effect::DryRun), of(Effect::Changes));
    format!(
        "\nreads: {reads} · asks (server-side dry run): {asks} · changes the cluster: {changes}. None of them was run.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::super::layout::plain;
    use super::*;
    use crate::runbook::Runbook;

    fn line(runbook: &Runbook, id: &str) -> PlannedCommand {
        let step = runbook.step(&id.parse().unwrap()).unwrap();
        PlannedCommand { step: step.clone(), text: format!("kubectl {id}") }
    }

    #[test]
    fn commands_stand_under_the_runbooks_headings() {
        let runbook = Runbook::built_in().unwrap();
        let lines = [
            "version.jq",
            "namespaces",
            "server",
            "guard.api",
            "watch.pods",
            "apply.api",
            "objects.applied",
            "status.after",
            "gate.health",
            "check.01",
            "latency.docs",
            "dump.events",
        ]
        .map(|id| line(&runbook, id));
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
