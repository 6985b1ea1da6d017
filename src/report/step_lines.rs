//! Formats the result of each step of the runbook in one line or a few.

use super::escape::{clipped, printable};
use super::layout::{BAD, GOOD, count, fitted, listed, pasteable, plain, seconds, styled};
use crate::events::FailingPod;
use crate::facts::apply;
use crate::facts::endpoints::{Assignment, ServiceEndpoints};
use crate::facts::pods::Pod;
use crate::facts::rollout::Ending;
use crate::run_state::{CheckRecord, Health, RunState};
use crate::runbook::{LatencyGroup, StepId};
use crate::verdict;

/// The longest message of a program or a server on the screen, in characters; the evidence contains the whole
/// message.
pub(super) const MESSAGE: usize = 200;

/// Returns the name of a step on the screen.
pub(super) fn name(step: u8) -> &'static str {
    match step {
        1 => "1 Preflight",
        2 => "2 Deploy",
        3 => "3 Rollout",
        4 => "4 After",
        5 => "5 Smoke",
        _ => "",
    }
}

/// Formats the notice that the times shown differ from the system clock.
pub(super) fn clock_moved(by_ms: i64) -> String {
    let (ahead, by) = (if by_ms < 0 { "back" } else { "ahead" }, seconds(by_ms.unsigned_abs()));
    format!(
        "The clock of this machine was moved {ahead} by {by} during the run, or the machine slept; all times are the run's own.\n"
    )
}

/// Formats the header: the program, the cluster, the target and the options of the run.
pub(super) fn header(run: &RunState) -> String {
    let Some((_, began)) = &run.began else { return String::new() };
    let target = &began.target;
    let server = run.context.as_ref().and_then(|context| context.server.as_deref());
    let cluster: Vec<&str> = server.into_iter().chain(run.server_version.as_deref()).collect();
    let mut place = printable(&target.context).into_owned();
    if !cluster.is_empty() {
        place.push_str(&format!(" ({})", printable(&cluster.join(", "))));
    }
    if let Some(user) = &run.cluster_user {
        place.push_str(&format!(" as {}", printable(user)));
    }
    let key = if began.with_key { "with a key" } else { "without a key" };
    let tag = match target.image_tag.as_str() {
        "latest" => "latest (the default of IMAGE_TAG)".to_owned(),
        tag => printable(tag).into_owned(),
    };
    let apply = if began.options.apply { "" } else { " · nothing will be applied (--no-apply)" };
    format!(
        "{} {} · run {}\n{place} · namespace {}\n{} {key} · image tag {tag}{apply}\n\n",
        began.program.name,
        began.program.version,
        began.run_id,
        printable(&target.namespace),
        printable(&target.base_url),
    )
}

/// Returns the lines of a step that has ended, without its name.
pub(super) fn of_step(step: u8, run: &RunState) -> Vec<String> {
    match step {
        1 => fitted(&preflight(run)),
        2 => vec![deploy(run)],
        3 => vec![rollout(run)],
        4 => fitted(&after(run)),
        _ => Vec::new(),
    }
}

fn preflight(run: &RunState) -> Vec<String> {
    let tools: Vec<String> = run
        .versions
        .iter()
        .map(|tool| match (tool.numbers, &tool.version) {
            (Some((major, minor)), _) => format!("{} {major}.{minor}", tool.name),
            (None, Some(version)) => format!("{} {}", tool.name, printable(version)),
            (None, None) => tool.name.clone(),
        })
        .collect();
    let mut parts = vec![tools.join(", ")];
    if !run.permissions.is_empty() {
        let granted = run.permissions.iter().filter(|answer| answer.granted == Some(true)).count();
        parts.push(some_of(granted, run.permissions.len(), "permission"));
    }
    parts.push(if run.manifests.is_empty() {
        "nothing to apply".to_owned()
    } else {
        let accepted = some_of(run.landings.len(), run.manifests.len(), "manifest");
        format!("{accepted} accepted by the server")
    });
    parts.retain(|part| !part.is_empty());
    parts
}

/// Formats warnings and failing pods that the preflight found and the user should see before anything is
/// changed.
pub(super) fn preflight_notes(run: &RunState) -> String {
    let mut text = String::new();
    for landed in &run.landings {
        for warning in &landed.warnings {
            text.push_str(&format!("   warning for {}: {}\n", landed.file, clipped(warning, MESSAGE)));
        }
    }
    for failing in run.pods_before.iter().flat_map(|(_, failing)| failing) {
        text.push_str(&failing_already(failing, run));
    }
    text
}

/// Returns whether a Deployment is one of the runbook's.
pub(super) fn is_ours(run: &RunState, name: &str) -> bool {
    run.runbook.deployments.iter().any(|deployment| deployment.name == name)
}

fn failing_already(failing: &FailingPod, run: &RunState) -> String {
    let applies = run.applies();
    let ours = failing.deployment.as_ref().is_some_and(|name| is_ours(run, name));
    let ended = failing.failing.word.ends_with("Error");
    let outlook = match (applies && ours, ended) {
        (true, false) => "the rollout may fix it; if it still fails at the end, that is a STOP",
        // Its ReplicaSet ignores a pod that ended, and no rollout removes it.
        (_, true) => "if it is still there at the end, that is a STOP",
        (false, false) => "this run changes nothing about it; if it still fails at the end, that is a STOP",
    };
    let (pod, word) = (printable(&failing.pod), printable(&failing.failing.word));
    let mut text = format!("   pod {pod}   {word}, already before the deploy\n       {outlook}\n");
    let remove =
        pasteable("kubectl delete pod \"$POD\" -n \"$STAGING_NAMESPACE\"", run, &[("POD", &failing.pod)]);
    if let Some(remove) = remove.filter(|_| ended) {
        text.push_str(&format!("       remove it   {remove}\n"));
    }
    text
}

fn deploy(run: &RunState) -> String {
    let outcomes: Vec<&apply::ApplyOutcome> =
        run.applied.iter().flat_map(|(_, objects)| objects).map(|object| &object.outcome).collect();
    let mut words: Vec<(&str, usize)> = vec![("created", 0), ("configured", 0), ("unchanged", 0)];
    for outcome in &outcomes {
        let word = match outcome {
            apply::ApplyOutcome::Created => "created",
            apply::ApplyOutcome::Configured => "configured",
            apply::ApplyOutcome::Unchanged => "unchanged",
            apply::ApplyOutcome::Other(word) => word,
        };
        match words.iter_mut().find(|(known, _)| *known == word) {
            Some((_, number)) => *number += 1,
            None => words.push((word, 1)),
        }
    }
    let told: Vec<String> = words
        .iter()
        .filter(|(_, number)| *number > 0)
        .map(|(word, number)| format!("{number} {}", printable(word)))
        .collect();
    let objects = count(outcomes.len(), "object");
    if told.is_empty() { objects } else { format!("{objects}: {}", told.join(", ")) }
}

fn rollout(run: &RunState) -> String {
    let done: Vec<&str> = run
        .rollouts
        .iter()
        .filter(|rollout| rollout.ending == Ending::RolledOut)
        .map(|rollout| rollout.deployment.as_str())
        .collect();
    if done.is_empty() { "nothing rolled out".to_owned() } else { format!("{} rolled out", done.join(", ")) }
}

fn after(run: &RunState) -> Vec<String> {
    let mut parts = Vec::new();
    for deployment in run.deployments_after.iter().flatten() {
        if is_ours(run, &deployment.name) {
            parts.push(format!("{} {}/{}", deployment.name, deployment.ready, deployment.wanted));
        }
    }
    if let Some((_, pods)) = &run.pods_after {
        let other: Vec<String> = pods
            .iter()
            .filter(|pod| !pod.running())
            .map(|pod| format!("{} {}", printable(&pod.name), printable(&pod.status)))
            .collect();
        let restarts: u64 = pods.iter().map(Pod::restarts).sum();
        let restarts = count(restarts, "restart");
        let all = count(pods.len(), "pod");
        parts.push(if other.is_empty() {
            format!("{all} Running, {restarts}")
        } else {
            format!("{} of {all} not Running: {}", other.len(), other.join(", "))
        });
    }
    parts.extend(run.endpoints.iter().flatten().map(service));
    parts
}

fn service(service: &ServiceEndpoints) -> String {
    let name = printable(&service.service);
    match &service.state {
        Assignment::Assigned => format!("service {name} has {}", count(service.ready_endpoints, "endpoint")),
        Assignment::NotAssigned { why } => {
            format!("service {name} has no endpoints: {}", clipped(why, MESSAGE))
        }
        Assignment::NotEvaluated { why } => format!("service {name}: {}", clipped(why, MESSAGE)),
    }
}

/// Formats how the paths of stop rule 3 answered.
pub(super) fn gate(health: &[Health]) -> String {
    let at_once = |health: &&Health| health.http_status == "200" && health.asks == 1;
    let prompt: Vec<&str> = health.iter().filter(at_once).map(|health| health.path.as_str()).collect();
    let mut told: Vec<String> = health.iter().filter(|health| !at_once(health)).map(waited).collect();
    if !prompt.is_empty() {
        told.insert(0, format!("{} answered 200 at once", listed(&prompt)));
    }
    told.join(" · ")
}

/// Formats how a path answered that did not answer 200 at the first request.
pub(super) fn waited(health: &Health) -> String {
    let after = health.waited_ms / 1000;
    let times =
        if health.asks == 1 { "asked once".to_owned() } else { format!("asked {} times", health.asks) };
    let path = &health.path;
    match health.http_status.as_str() {
        "200" => format!("{path} answered 200 after {after} s ({times})"),
        "000" => format!("{path} gave no answer for {after} s ({times}, limit {} s)", health.limit_ms / 1000),
        status => {
            format!("{path} answered {status} for {after} s ({times}, limit {} s)", health.limit_ms / 1000)
        }
    }
}

/// Formats the line of a smoke check.
pub(super) fn check(answer: &CheckRecord, run: &RunState) -> String {
    let Some(row) = run.runbook.check(answer.number) else { return String::new() };
    let with_key = run.with_key();
    let passed = verdict::passes(run, answer);
    let word = if passed { styled(GOOD, "ok  ") } else { styled(BAD, "FAIL") };
    let transfer = &answer.transfer;
    let status = &transfer.http_status;
    let why = if passed { String::new() } else { format!("   {}", why_failed(answer, run)) };
    format!("   {word} {:<32}{status}{:>6} ms{why}\n", row.name(with_key), transfer.latency_ms)
}

/// Returns why a check did not pass.
pub(super) fn why_failed(answer: &CheckRecord, run: &RunState) -> String {
    let Some(row) = run.runbook.check(answer.number) else { return String::new() };
    let transfer = &answer.transfer;
    let accepted = verdict::accepted(run, row);
    let error = transfer.error.as_deref().map(|error| clipped(error, MESSAGE));
    let curl = error.map(|error| format!(": {error} (curl {})", transfer.exit_code)).unwrap_or_default();
    if accepted.contains(&transfer.http_status) {
        return format!("the answer was incomplete{curl}");
    }
    let redirect =
        transfer.redirect_url.as_deref().map(|url| format!(", redirected to {}", clipped(url, MESSAGE)));
    let no_answer = if transfer.http_status == "000" { "no answer, " } else { "" };
    format!("{no_answer}expected {}{curl}{}", accepted.join(" or "), redirect.unwrap_or_default())
}

/// Formats the latency of the groups for which the runbook has limits.
pub(super) fn latency(run: &RunState) -> String {
    let told: Vec<String> = run
        .latency
        .iter()
        .filter_map(|latency| {
            let is_of = |group: &&LatencyGroup| StepId::Latency(group.id) == latency.id;
            let group = run.runbook.latency_groups.iter().find(is_of)?;
            Some(match latency.p95_ms {
                None => format!("{}: no answer", group.name),
                Some(p95) if p95 < group.limit_ms => {
                    format!("{} {p95} ms (limit {})", group.name, group.limit_ms)
                }
                Some(p95) => {
                    format!("{} {p95} ms (over the limit of {})", group.name, group.limit_ms)
                }
            })
        })
        .collect();
    if told.is_empty() { "   p95  not sampled".to_owned() } else { format!("   p95  {}", told.join(" · ")) }
}

fn some_of(number: usize, all: usize, noun: &str) -> String {
    if number == all { count(all, noun) } else { format!("{number} of {}", count(all, noun)) }
}

/// Returns whether the lines have nothing to show.
pub(super) fn is_blank(lines: &[String]) -> bool {
    lines.iter().all(|line| plain(line).trim().is_empty())
}
