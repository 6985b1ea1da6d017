//! Formats the block of a STOP: the observation, its cause, the state of the cluster, and the next steps.

use super::escape::{clipped, printable};
use super::layout::{BAD, count, labelled, listed, pasteable, styled};
use super::step_lines::{self, MESSAGE};
use crate::events::{Outcome, Scope};
use crate::facts::pods::{Failing, Pod};
use crate::procedure;
use crate::run_state::{CommandRecord, RunState};
use crate::runbook::{Deployment, ShownBy, StepId, TROUBLESHOOTING, TroubleshootingEntry};
use crate::verdict::{self, Judgement, Stop};

/// The number of last lines of a log, and of pods, that are shown.
const LAST_LINES: usize = 8;
const PODS: usize = 3;

/// Formats the block of a STOP.
pub(super) fn stop(run: &RunState, judgement: &Judgement, evidence: Option<&str>) -> String {
    let Some(stop) = &judgement.stop else { return format!("{}\n", styled(BAD, "STOP")) };
    let mut text = format!("{}: {}\n", styled(BAD, &format!("STOP by rule {}", stop.rule)), stop.text);
    text.push_str(&labelled("saw", &saw(stop)));
    text.push_str(&labelled("shown by", &shown_by(stop)));
    text.push_str(&labelled("because", &because(run, stop)));
    text.push_str(&last_words(run));
    text.push_str(&left_as(run));
    text.push_str(&not_run(run));
    if evidence.is_some() {
        text.push_str(&labelled("look at", &look_at(run, stop)));
    }
    text.push_str(&labelled("runbook", &troubleshooting(run, stop, evidence)));
    text
}

fn saw(stop: &Stop) -> Vec<String> {
    let saw = &stop.saw;
    let unconfirmed =
        saw.unconfirmed.as_deref().map(|why| format!("; not confirmed: {}", clipped(why, MESSAGE)));
    let observed = clipped(&saw.observed, 2 * MESSAGE);
    vec![format!("{observed} (limit: {}){}", saw.limit, unconfirmed.unwrap_or_default())]
}

fn shown_by(stop: &Stop) -> Vec<String> {
    let saw = &stop.saw;
    // If the observation already quotes the line, it is not printed again.
    let line = saw.line.as_deref().filter(|line| !saw.observed.contains(line));
    match line {
        None => vec![saw.command.to_string()],
        Some(line) => vec![format!("{}: {}", saw.command, clipped(line, MESSAGE))],
    }
}

/// Returns the known cause: the failing container, or else pods that are not running, or else checks.
fn because(run: &RunState, stop: &Stop) -> Vec<String> {
    if let Some(container) = &stop.saw.container {
        return vec![of_container(container)];
    }
    match stop.rule {
        1 => pods_in_trouble(run, deployment_of(run, stop)),
        4 => failed_checks(run),
        _ => Vec::new(),
    }
}

fn of_container(failing: &Failing) -> String {
    let mut told = format!("container {}", printable(&failing.container));
    if let Some(code) = failing.exit_code {
        told.push_str(&format!(" ended with exit code {code}"));
    }
    if let Some(reason) = &failing.reason {
        told.push_str(&format!(" ({})", printable(reason)));
    }
    format!("{told}, {}, image {}", count(failing.restarts, "restart"), printable(&failing.image))
}

fn deployment_of<'r>(run: &'r RunState, stop: &Stop) -> Option<&'r Deployment> {
    match &stop.saw.command {
        ShownBy::Step(shown_by) => run.runbook.deployment(shown_by.deployment()?),
        ShownBy::Steps(..) => None,
    }
}

/// Returns the pods that a rollout waits for, first the pods of the given Deployment.
fn waiting_pods<'r>(run: &'r RunState, of: Option<&Deployment>) -> Vec<&'r Pod> {
    let ready = |pod: &Pod| pod.containers.iter().all(|container| container.init || container.ready);
    let mut pods: Vec<&Pod> = run
        .pods_after
        .iter()
        .flat_map(|(_, pods)| pods)
        .filter(|pod| pod.phase != "Succeeded" && !(pod.running() && ready(pod)))
        .collect();
    pods.sort_by_key(|pod| of.is_some_and(|of| pod.deployment.as_ref() != Some(&of.name)));
    pods
}

fn pods_in_trouble(run: &RunState, of: Option<&Deployment>) -> Vec<String> {
    let mut pods = waiting_pods(run, of);
    // No rollout was awaited after the one that failed, so it is normal that the pods of later rollouts are
    // not ready yet.
    let is_its = |pod: &Pod| of.is_none_or(|of| pod.deployment.as_ref() == Some(&of.name));
    pods.retain(|pod| is_its(pod) || pod.trouble().is_some());
    let mut told: Vec<String> = pods.iter().take(PODS).map(|pod| in_trouble(pod)).collect();
    if pods.len() > PODS {
        told.push(format!("and {} more", count(pods.len() - PODS, "pod")));
    }
    told.extend(no_look_at_the_pods(run));
    told
}

/// Returns why the state of the pods is unknown; `None` if it is known.
fn no_look_at_the_pods(run: &RunState) -> Option<String> {
    let look =
        run.outcome(&StepId::ObjectsAfter).filter(|look| !look.succeeded() && run.pods_after.is_none())?;
    Some(format!("not known: the pods could not be read (objects.after: {})", clipped(look.why(), MESSAGE)))
}

fn in_trouble(pod: &Pod) -> String {
    let name = printable(&pod.name);
    let Some(trouble) = pod.trouble() else {
        let state = if pod.running() { "runs, but is not ready (its readiness probe)" } else { &pod.status };
        return format!("pod {name}: {}", printable(state));
    };
    let container = trouble.container.map(|container| format!(", container {}", printable(&container)));
    let message = trouble.message.map(|message| format!(": {}", clipped(&message, MESSAGE)));
    let reason = printable(&trouble.reason);
    format!("pod {name}: {reason}{}{}", container.unwrap_or_default(), message.unwrap_or_default())
}

/// Returns the checks that did not pass, one per line.
pub(super) fn failed_checks(run: &RunState) -> Vec<String> {
    let with_key = run.with_key();
    run.checks
        .iter()
        .filter(|answer| !verdict::passes(run, answer))
        .filter_map(|answer| {
            let check = run.runbook.check(answer.number)?;
            let why = step_lines::why_failed(answer, run);
            Some(format!("{} {}: {}, {why}", check.id(), check.name(with_key), answer.transfer.http_status))
        })
        .collect()
}

fn last_words(run: &RunState) -> String {
    let Some(words) = &run.last_words else { return String::new() };
    let lines: Vec<&str> = words.lines().filter(|line| !line.trim().is_empty()).collect();
    if lines.is_empty() {
        return String::new();
    }
    let shown = &lines[lines.len().saturating_sub(LAST_LINES)..];
    let mut text = "  its last words (dump_logs/app_logs_tail.txt):\n".to_owned();
    for line in shown {
        text.push_str(&format!("            | {}\n", clipped(line, MESSAGE)));
    }
    text
}

/// Formats the state in which the cluster is left.
pub(super) fn left_as(run: &RunState) -> String {
    let mut lines = applied(run);
    if applies_begun(run).next().is_some() {
        let succeeded = |command: &CommandRecord| command.outcome.as_ref().is_some_and(Outcome::succeeded);
        let whole = applies_begun(run).filter(|(_, command)| succeeded(command)).count()
            == run.runbook.deployments.len();
        let part = if whole { "this deploy" } else { "a part of this deploy" };
        lines.insert(0, format!("staging now has {part}. Nothing was rolled back."));
    }
    lines.extend(serving(run));
    labelled("left as", &lines)
}

/// Returns the changes that a run made to the cluster, in one line.
pub fn applied_in_a_line(run: &RunState) -> String {
    applied(run).join("; ")
}

fn applies_begun(run: &RunState) -> impl Iterator<Item = (&Deployment, &CommandRecord)> {
    run.runbook.deployments.iter().filter_map(|deployment| {
        let apply = command(run, &StepId::Apply(deployment.id.clone()))?;
        Some((deployment, apply))
    })
}

/// Returns the result of each apply that was begun.
fn applied(run: &RunState) -> Vec<String> {
    let lines: Vec<String> =
        applies_begun(run).map(|(deployment, command)| apply_ended(run, deployment, command)).collect();
    let by_choice = run.began.as_ref().is_some_and(|(_, began)| !began.options.apply);
    match (lines.is_empty(), by_choice) {
        (false, _) => lines,
        (true, false) => vec!["nothing was applied".to_owned()],
        (true, true) => vec!["nothing was applied by this run (--no-apply)".to_owned()],
    }
}

fn apply_ended(run: &RunState, deployment: &Deployment, command: &CommandRecord) -> String {
    let objects: Vec<String> = run
        .applied
        .iter()
        .filter(|(file, _)| *file == deployment.manifest)
        .flat_map(|(_, objects)| objects)
        .filter(|applied| applied.outcome != crate::facts::apply::ApplyOutcome::Unchanged)
        .map(|applied| printable(&applied.object).into_owned())
        .collect();
    let manifest = &deployment.manifest;
    match (&command.outcome, objects.is_empty()) {
        (None, _) => format!("{manifest}: its apply was started, and its end was not recorded"),
        (Some(outcome), _) if outcome.succeeded() => format!("{manifest} was applied"),
        (Some(_), true) => format!("{manifest}: its apply failed; it reported no object as changed"),
        (Some(_), false) => {
            format!("{manifest}: its apply failed, but had already changed {}", listed(&objects))
        }
    }
}

/// Returns which pods are ready, as far as is recorded.
fn serving(run: &RunState) -> Option<String> {
    let told: Vec<String> = run
        .deployments_after
        .iter()
        .flatten()
        .filter(|deployment| step_lines::is_ours(run, &deployment.name))
        .map(|d| format!("{} {} of {} ready, {} updated", d.name, d.ready, d.wanted, d.updated))
        .collect();
    (!told.is_empty()).then(|| format!("pods of {}", told.join(" · ")))
}

/// Formats the parts of the run that were not reached.
pub(super) fn not_run(run: &RunState) -> String {
    let scope = run.began.as_ref().map_or(Scope::Whole, |(_, began)| began.scope);
    let steps = procedure::steps(&run.runbook, scope, run.applies());
    let left = |id: &&StepId| command(run, id).is_none();
    let names = |is: fn(&StepId) -> bool| {
        let ids = steps.iter().filter(left).filter(|id| is(id));
        ids.filter_map(|id| Some(run.runbook.deployment(id.deployment()?)?.name.as_str())).collect::<Vec<_>>()
    };
    let applies = ("apply", names(|id| matches!(id, StepId::Apply(_))));
    let rollouts = ("rollout", names(|id| matches!(id, StepId::Rollout(_))));
    let mut told = Vec::new();
    for (name, names) in [applies, rollouts] {
        if !names.is_empty() {
            told.push(format!("{name} of {}", listed(&names)));
        }
    }
    if run.checks.is_empty() && steps.iter().any(|id| matches!(id, StepId::Check(_))) {
        told.push("all smoke checks".to_owned());
    }
    if told.is_empty() { String::new() } else { labelled("not run", &[told.join(", ")]) }
}

fn command<'r>(run: &'r RunState, id: &StepId) -> Option<&'r CommandRecord> {
    run.commands.iter().rev().find(|command| command.intent.id == *id)
}

fn look_at(run: &RunState, stop: &Stop) -> Vec<String> {
    let is_there = |path: &str| run.files.as_ref().is_none_or(|files| files.iter().any(|file| file == path));
    let mut files: Vec<&str> = match stop.rule {
        1 => vec!["deploy/stderr.log"],
        4 => vec!["smoke/results.json"],
        _ => Vec::new(),
    };
    if run.dump_ms.is_some() {
        files.extend(run.runbook.files_on_stop());
    }
    files.retain(|path| is_there(path));
    if files.is_empty() { Vec::new() } else { vec![files.join("  ")] }
}

/// Returns the runbook's troubleshooting advice for this STOP, with commands ready to paste.
fn troubleshooting(run: &RunState, stop: &Stop, evidence: Option<&str>) -> Vec<String> {
    let Some(entry) = entry_for(stop) else { return Vec::new() };
    let title = entry.heading.trim_start_matches("### Issue: ");
    let waiting = waiting_pods(run, deployment_of(run, stop));
    let pod = stop.saw.pod.as_deref().or(waiting.first().map(|pod| pod.name.as_str()));
    let known = [pod.map(|pod| ("POD", pod)), evidence.map(|evidence| ("EVIDENCE", evidence))];
    let known: Vec<(&str, &str)> = known.into_iter().flatten().collect();
    let mut advice = vec![format!("Troubleshooting, {title}: {}.", entry.causes)];
    if stop.rule <= 2 {
        advice.extend(seen_here(&waiting));
    }
    let checks: Vec<String> = entry.checks.iter().filter_map(|check| pasteable(check, run, &known)).collect();
    if let Some(last) = advice.last_mut().filter(|_| !checks.is_empty()) {
        last.push_str(" Check:");
    }
    advice.extend(checks);
    advice
}

/// Returns the troubleshooting entry for a STOP.
///
/// An apply that failed has none: the runbook's advice is about rollouts that hang.
fn entry_for(stop: &Stop) -> Option<&'static TroubleshootingEntry> {
    if matches!(stop.saw.command, ShownBy::Step(StepId::Apply(_))) {
        return None;
    }
    TROUBLESHOOTING.iter().find(|entry| entry.stop_rules.contains(&stop.rule))
}

/// Formats the likely causes that are observed here.
fn seen_here(waiting: &[&Pod]) -> Option<String> {
    let mut reasons: Vec<String> = Vec::new();
    for trouble in waiting.iter().filter_map(|pod| pod.trouble()) {
        if !reasons.contains(&trouble.reason) {
            reasons.push(trouble.reason);
        }
    }
    (!reasons.is_empty()).then(|| format!("Seen here: {}.", printable(&reasons.join(", "))))
}
