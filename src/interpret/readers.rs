//! The table of readers: which function reads the output of which step.
//!
//! The `match` in [`reader`] is exhaustive, so that no step can be forgotten.

#![allow(clippy::unnecessary_wraps, reason = "a row may fail, though most don't")]

use std::collections::BTreeMap;

use super::redacted_words::{refuse_in_landings, refuse_in_pods};
use super::{CommandOutput, transfer};
use crate::events::{EventKind, FailingPod, ToolVersion};
use crate::facts::{
    Unreadable, apply, can_i, context, curl, deployments, dry_run, endpoints, latency, manifest_text, pods,
    rollout, stderr, versions, whoami,
};
use crate::run_state::RunState;
use crate::runbook::{Deployment, Permission, StepId, VersionedTool};

type Read = Result<Vec<EventKind>, Unreadable>;

/// A function that turns a step's output into events.
#[derive(Clone, Copy)]
pub(super) struct Reader {
    /// Whether it needs standard output, which may be long.
    pub(super) stdout: bool,
    pub(super) read: fn(&RunState, &CommandOutput<'_>) -> Read,
}

/// Returns the reader of a step, or `None` if only its exit codes count or its output is read elsewhere.
pub(super) fn reader(step: &StepId) -> Option<Reader> {
    let all = |read| Some(Reader { stdout: true, read });
    let stderr_alone = |read| Some(Reader { stdout: false, read });
    match step {
        StepId::Version(_) => all(tool_version),
        StepId::Context => all(context_read),
        StepId::Server => all(server_version),
        StepId::Whoami => all(cluster_user),
        StepId::Uids => all(namespace_uids),
        StepId::ObjectsBefore => all(objects_before),
        StepId::CanI(_) => all(permission),
        StepId::Render(_) => all(rendered),
        StepId::Guard(_) => all(would_land),
        StepId::Apply(_) => all(applied),
        StepId::ObjectsApplied => all(objects_applied),
        StepId::Rollout(_) => stderr_alone(rollout_ended),
        StepId::ObjectsAfter => all(objects_after),
        StepId::Check(_) => stderr_alone(check_answered),
        StepId::Latency(_) => stderr_alone(latency_sampled),
        // Printed for a person, and judged by their exit codes.
        StepId::Namespaces
        | StepId::Namespace
        | StepId::StatusBefore
        | StepId::StatusAfter
        | StepId::UseContext
        // Read line by line as they are printed, and by `super::look`.
        | StepId::WatchPods
        | StepId::ListPods
        | StepId::ListLast
        | StepId::ConfirmPod
        // Read by `super::transfer` after each request, and judged by their exit codes.
        | StepId::Gate(_)
        | StepId::Body(_)
        | StepId::DumpDescribe
        | StepId::DumpEvents
        | StepId::DumpLogs
        | StepId::DumpPrevious => None,
    }
}

fn deployment<'r>(run: &'r RunState, output: &CommandOutput<'_>) -> Option<&'r Deployment> {
    run.runbook.deployment(output.outcome.id.deployment()?)
}

/// Returns the event, if there is one.
fn one(what: Option<EventKind>) -> Read {
    Ok(what.into_iter().collect())
}

fn tool_version(_: &RunState, output: &CommandOutput<'_>) -> Read {
    let StepId::Version(tool) = &output.outcome.id else { return Ok(Vec::new()) };
    let version = match tool {
        VersionedTool::Kubectl => versions::kubectl_client(output.stdout).ok(),
        VersionedTool::Curl => versions::curl(output.stdout),
        VersionedTool::Jq => versions::jq(output.stdout),
    };
    let numbers = version.as_ref().map(|version| (version.major, version.minor));
    let version = version.map(|version| version.text);
    one(Some(EventKind::ToolVersion(ToolVersion { name: tool.name().to_owned(), version, numbers })))
}

fn context_read(_: &RunState, output: &CommandOutput<'_>) -> Read {
    one(context::parse(output.stdout).ok().map(EventKind::ContextRead))
}

fn server_version(_: &RunState, output: &CommandOutput<'_>) -> Read {
    let version = versions::server(output.stdout).ok().flatten().map(|version| version.text);
    one(Some(EventKind::ServerVersion { version }))
}

fn cluster_user(_: &RunState, output: &CommandOutput<'_>) -> Read {
    one(Some(EventKind::ClusterUser { name: whoami::username(output.stdout).ok().flatten() }))
}

fn namespace_uids(run: &RunState, output: &CommandOutput<'_>) -> Read {
    let told = String::from_utf8_lossy(output.stdout);
    let uids: BTreeMap<&str, &str> = told.lines().filter_map(|line| line.split_once(' ')).collect();
    let uid = |namespace: &str| {
        let uid = uids.get(namespace).filter(|uid| is_uid(uid)).map(|uid| (*uid).to_owned());
        EventKind::NamespaceUid { namespace: namespace.to_owned(), uid }
    };
    Ok(vec![uid("kube-system"), uid(namespace(run))])
}

/// Returns whether a text has the characters of a UID, which Kubernetes writes as a UUID (RFC 9562).
fn is_uid(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn namespace(run: &RunState) -> &str {
    run.began.as_ref().map_or("", |(_, began)| &began.target.namespace)
}

fn permission(run: &RunState, output: &CommandOutput<'_>) -> Read {
    let is_of = |permission: &&Permission| StepId::CanI(permission.id.clone()) == output.outcome.id;
    let asked = run.runbook.permissions.iter().find(is_of);
    one(asked.map(|permission| EventKind::PermissionAnswered {
        question: permission.question.replace("\"$STAGING_NAMESPACE\"", namespace(run)),
        id: output.outcome.id.clone(),
        needed_for: permission.needed_for.to_owned(),
        answer: can_i::answer(output.stdout),
    }))
}

fn rendered(run: &RunState, output: &CommandOutput<'_>) -> Read {
    one(deployment(run, output).map(|deployment| EventKind::Rendered {
        file: deployment.manifest.clone(),
        left: manifest_text::placeholders(output.stdout).into_iter().collect(),
    }))
}

fn would_land(run: &RunState, output: &CommandOutput<'_>) -> Read {
    let Some(deployment) = deployment(run, output).filter(|_| output.outcome.succeeded()) else {
        return Ok(Vec::new());
    };
    let objects = dry_run::landings(output.stdout)?;
    refuse_in_landings(&objects)?;
    Ok(vec![EventKind::WouldLand {
        file: deployment.manifest.clone(),
        objects,
        warnings: stderr::warnings(output.stderr),
    }])
}

fn objects_before(_: &RunState, output: &CommandOutput<'_>) -> Read {
    if !output.outcome.succeeded() {
        return Ok(Vec::new());
    }
    let pods = pods::pods(output.stdout)?;
    refuse_in_pods(&pods)?;
    let failing = pods.iter().filter(|pod| !pod.deleting).filter_map(|pod| {
        let failing = pod.failing()?;
        let (deployment, uid) = (pod.deployment.clone(), pod.uid.clone());
        Some(FailingPod { pod: pod.name.clone(), uid, deployment, failing })
    });
    let before = EventKind::PodsBefore { total: pods.len(), failing: failing.collect() };
    Ok(vec![before, generations(false, output.stdout)?])
}

fn generations(applied: bool, objects: &[u8]) -> Result<EventKind, Unreadable> {
    let deployments = deployments::deployments(objects)?;
    let generations = deployments.into_iter().map(|d| (d.name, d.generation)).collect();
    Ok(EventKind::Generations { applied, generations })
}

/// Reads the objects that an apply changed, also if it failed later.
fn applied(run: &RunState, output: &CommandOutput<'_>) -> Read {
    one(deployment(run, output).map(|deployment| EventKind::Applied {
        file: deployment.manifest.clone(),
        objects: apply::applied(output.stdout),
    }))
}

fn objects_applied(_: &RunState, output: &CommandOutput<'_>) -> Read {
    if output.outcome.succeeded() { Ok(vec![generations(true, output.stdout)?]) } else { Ok(Vec::new()) }
}

fn rollout_ended(run: &RunState, output: &CommandOutput<'_>) -> Read {
    let by_itself = deployment(run, output).filter(|_| !output.outcome.ended_by.is_our_doing());
    one(by_itself.map(|deployment| {
        let exit = output.outcome.exit.last().copied().unwrap_or_default();
        EventKind::RolloutEnded {
            deployment: deployment.name.clone(),
            ending: rollout::ending(exit, output.stderr),
        }
    }))
}

fn objects_after(run: &RunState, output: &CommandOutput<'_>) -> Read {
    if !output.outcome.succeeded() {
        return Ok(Vec::new());
    }
    let pods: Vec<_> = pods::pods(output.stdout)?.into_iter().filter(|pod| !pod.deleting).collect();
    refuse_in_pods(&pods)?;
    let ours = services_of_the_manifests(run);
    let services = endpoints::of_services(output.stdout, output.stdout)?.into_iter();
    let services =
        services.filter(|s| ours.as_ref().is_none_or(|ours| ours.contains(&s.service.as_str()))).collect();
    Ok(vec![
        EventKind::DeploymentsAfter { deployments: deployments::deployments(output.stdout)? },
        EventKind::Endpoints { services },
        EventKind::PodsAfter { pods },
    ])
}

/// Returns the Services that the run applies; `None` if it applies nothing, so that all Services of the
/// namespace count.
fn services_of_the_manifests(run: &RunState) -> Option<Vec<&str>> {
    let applies = run.applies();
    let objects = run.landings.iter().flat_map(|landed| &landed.objects);
    let services = objects.filter(|object| object.kind == "Service").map(|object| object.name.as_str());
    applies.then(|| services.collect())
}

fn check_answered(run: &RunState, output: &CommandOutput<'_>) -> Read {
    let StepId::Check(number) = output.outcome.id else { return Ok(Vec::new()) };
    let check = run.runbook.check(number);
    let answered = check.zip(run.began.as_ref()).map(|(check, (_, began))| EventKind::CheckAnswered {
        check: check.number,
        url: format!("{}{}", began.target.base(check.base), check.path),
        transfer: transfer(output),
    });
    one(answered)
}

fn latency_sampled(_: &RunState, output: &CommandOutput<'_>) -> Read {
    let transfers = curl::transfers(output.stderr).into_iter();
    let answered: Vec<u64> =
        transfers.filter(|transfer| transfer.exit_code == 0).map(|transfer| transfer.latency_ms).collect();
    one(Some(EventKind::LatencySampled {
        id: output.outcome.id.clone(),
        samples: answered.len(),
        p95_ms: latency::p95(&answered),
    }))
}
