//! What a run would do.

use super::console;
use super::escape::printable;
use super::layout::{BOLD, styled};
use crate::events::Effect;
use crate::runbook::{Phase, Step};

/// Prints every command that a run would start, in its order, under the runbook's headings.
pub fn plan(steps: &[Step]) {
    console::print(&planned(steps));
}

fn planned(lines: &[Step]) -> String {
    let width = lines.iter().map(|line| line.id.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    let mut stands = "";
    for (at, line) in lines.iter().enumerate() {
        let heading = heading(lines, at, stands);
        if heading != stands {
            let gap = if stands.is_empty() { "" } else { "\n" };
            let shown =
                if line.phase == Phase::Dump { "On STOP" } else { heading.trim_start_matches(['#', ' ']) };
            text.push_str(&format!("{gap}{}\n", styled(BOLD, shown)));
            stands = heading;
        }
        text.push_str(&format!(
            "  {:<8} {:<width$}  {}\n",
            line.effect.word(),
            line.id,
            printable(&line.text)
        ));
    }
    text + &summary(lines)
}

/// A line's heading. One of ours stands under that of its neighbours: of those before it, unless it is the first
/// of a phase, when those that follow give it.
fn heading(lines: &[Step], at: usize, stands: &'static str) -> &'static str {
    let line = &lines[at];
    if let Some(heading) = line.heading {
        return heading;
    }
    let goes_on = at.checked_sub(1).is_some_and(|before| lines[before].phase == line.phase);
    if goes_on && !stands.is_empty() {
        return stands;
    }
    lines[at..].iter().find_map(|line| line.heading).unwrap_or(stands)
}

fn summary(lines: &[Step]) -> String {
    let of = |effect: Effect| lines.iter().filter(|line| line.effect == effect).count();
    let (reads, asks, changes) = (of(Effect::Reads), of(Effect::Asks), of(Effect::Changes));
    format!(
        "\nreads: {reads} · asks (server-side dry run): {asks} · changes the cluster: {changes}. None of them was run.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::super::layout::plain;
    use super::*;
    use crate::runbook::{CHECKS, DEPLOYMENTS, check_step, guard_step, step};

    fn line(step: &Step) -> Step {
        Step { text: format!("kubectl {}", step.id).into(), ..step.clone() }
    }

    #[test]
    fn commands_stand_under_the_runbooks_headings() {
        let known = |id: &str| line(step(id));
        let lines = [
            known("version.jq"),
            known("namespaces"),
            known("server"),
            line(&guard_step(&DEPLOYMENTS[0])),
            known("watch.pods"),
            known("apply.api"),
            known("objects.applied"),
            known("status.after"),
            known("gate.health"),
            line(&check_step(&CHECKS[0], false)),
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
