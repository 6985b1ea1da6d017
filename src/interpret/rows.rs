#![allow(clippy::unnecessary_wraps, reason = "a row may fail, though most don't")]

use std::collections::BTreeMap;

use super::{CommandOutput, transfer};
use crate::events::{EventKind, FailingPod, ToolVersion};
use crate::facts::{
    Unreadable, apply, can_i, context, curl, deployments, dry_run, endpoints, latency, manifest_text, pods,
    rollout, stderr, versions, whoami,
};
use crate::run_state::RunState;
use crate::runbook::{CHECKS, DEPLOYMENTS, Deployment, Permission};

type Read = Result<Vec<EventKind>, Unreadable>;

/// A row: the commands that are read in one way.
pub(super) struct Reader {
    /// Their id, or the beginning of it, up to a dot.
    id: &'static str,
    /// Whether that needs its standard output, which may be long.
    pub(super) stdout: bool,
    pub(super) read: fn(&RunState, &CommandOutput<'_>) -> Read,
}

/// Every way in which a command is read.
pub(super) static ROWS: &[Reader] = &[
    Reader { id: "version.", stdout: true, read: tool_version },
    Reader { id: "context", stdout: true, read: context_read },
    Reader { id: "server", stdout: true, read: server_version },
    Reader { id: "whoami", stdout: true, read: cluster_user },
    Reader { id: "uids", stdout: true, read: namespace_uids },
    Reader { id: "can-i.", stdout: true, read: permission },
    Reader { id: "render.", stdout: true, read: rendered },
    Reader { id: "guard.", stdout: true, read: would_land },
    Reader { id: "objects.before", stdout: true, read: objects_before },
    Reader { id: "apply.", stdout: true, read: applied },
    Reader { id: "objects.applied", stdout: true, read: objects_applied },
    Reader { id: "rollout.", stdout: false, read: rollout_ended },
    Reader { id: "objects.after", stdout: true, read: objects_after },
    Reader { id: "check.", stdout: false, read: check_answered },
    Reader { id: "latency.", stdout: false, read: latency_sampled },
];

impl Reader {
    pub(super) fn is_for(&self, id: &str) -> bool {
        if self.id.ends_with('.') { id.starts_with(self.id) } else { id == self.id }
    }
}

/// What stands behind the dot of an id.
fn behind_dot<'a>(printed: &CommandOutput<'a>) -> &'a str {
    printed.outcome.id.split_once('.').map_or("", |(_, rest)| rest)
}

fn deployment(printed: &CommandOutput<'_>) -> Option<&'static Deployment> {
    DEPLOYMENTS.iter().find(|deployment| deployment.key == behind_dot(printed))
}

/// The one event, where there is one.
fn one(what: Option<EventKind>) -> Read {
    Ok(what.into_iter().collect())
}

fn tool_version(_: &RunState, printed: &CommandOutput<'_>) -> Read {
    let name = behind_dot(printed);
    let version = match name {
        "kubectl" => versions::kubectl_client(printed.stdout).ok(),
        "curl" => versions::curl(printed.stdout),
        _ => versions::jq(printed.stdout),
    };
    let numbers = version.as_ref().map(|version| (version.major, version.minor));
    let version = version.map(|version| version.text);
    one(Some(EventKind::ToolVersion(ToolVersion { name: name.to_owned(), version, numbers })))
}

fn context_read(_: &RunState, printed: &CommandOutput<'_>) -> Read {
    one(context::parse(printed.stdout).ok().map(EventKind::ContextRead))
}

fn server_version(_: &RunState, printed: &CommandOutput<'_>) -> Read {
    let version = versions::server(printed.stdout).ok().flatten().map(|version| version.text);
    one(Some(EventKind::ServerVersion { version }))
}

fn cluster_user(_: &RunState, printed: &CommandOutput<'_>) -> Read {
    one(Some(EventKind::ClusterUser { name: whoami::username(printed.stdout).ok().flatten() }))
}

fn namespace_uids(run: &RunState, printed: &CommandOutput<'_>) -> Read {
    let told = String::from_utf8_lossy(printed.stdout);
    let uids: BTreeMap<&str, &str> = told.lines().filter_map(|line| line.split_once(' ')).collect();
    let uid = |namespace: &str| {
        let uid = uids.get(namespace).map(|uid| (*uid).to_owned());
        EventKind::NamespaceUid { namespace: namespace.to_owned(), uid }
    };
    Ok(vec![uid("kube-system"), uid(namespace(run))])
}

fn namespace(run: &RunState) -> &str {
    run.began.as_ref().map_or("", |(_, began)| &began.target.namespace)
}

fn permission(run: &RunState, printed: &CommandOutput<'_>) -> Read {
    let asked = Permission::required().into_iter().find(|permission| permission.id == printed.outcome.id);
    one(asked.map(|permission| EventKind::PermissionAnswered {
        question: permission.question.replace("\"$STAGING_NAMESPACE\"", namespace(run)),
        id: permission.id,
        needed_for: permission.needed_for,
        answer: can_i::answer(printed.stdout),
    }))
}

fn rendered(_: &RunState, printed: &CommandOutput<'_>) -> Read {
    one(deployment(printed).map(|deployment| EventKind::Rendered {
        file: deployment.manifest.to_owned(),
        left: manifest_text::placeholders(printed.stdout).into_iter().collect(),
    }))
}

fn would_land(_: &RunState, printed: &CommandOutput<'_>) -> Read {
    let accepted = deployment(printed).filter(|_| printed.outcome.succeeded());
    one(accepted.map(|deployment| EventKind::WouldLand {
        file: deployment.manifest.to_owned(),
        objects: dry_run::landings(printed.stdout),
        warnings: stderr::warnings(printed.stderr),
    }))
}

fn objects_before(_: &RunState, printed: &CommandOutput<'_>) -> Read {
    if !printed.outcome.succeeded() {
        return Ok(Vec::new());
    }
    let pods = pods::pods(printed.stdout)?;
    let failing = pods.iter().filter(|pod| !pod.deleting).filter_map(|pod| {
        let failing = pod.failing()?;
        let (deployment, uid) = (pod.deployment.clone(), pod.uid.clone());
        Some(FailingPod { pod: pod.name.clone(), uid, deployment, failing })
    });
    let before = EventKind::PodsBefore { total: pods.len(), failing: failing.collect() };
    Ok(vec![before, generations(false, printed.stdout)?])
}

fn generations(applied: bool, objects: &[u8]) -> Result<EventKind, Unreadable> {
    let deployments = deployments::deployments(objects)?;
    let generations = deployments.into_iter().map(|d| (d.name, d.generation)).collect();
    Ok(EventKind::Generations { applied, generations })
}

/// Of one that failed, too: what it had changed before it did.
fn applied(_: &RunState, printed: &CommandOutput<'_>) -> Read {
    one(deployment(printed).map(|deployment| EventKind::Applied {
        file: deployment.manifest.to_owned(),
        objects: apply::applied(printed.stdout),
    }))
}

fn objects_applied(_: &RunState, printed: &CommandOutput<'_>) -> Read {
    if printed.outcome.succeeded() { Ok(vec![generations(true, printed.stdout)?]) } else { Ok(Vec::new()) }
}

fn rollout_ended(_: &RunState, printed: &CommandOutput<'_>) -> Read {
    let by_itself = deployment(printed).filter(|_| !printed.outcome.ended_by.is_our_doing());
    one(by_itself.map(|deployment| {
        let exit = printed.outcome.exit.last().copied().unwrap_or_default();
        EventKind::RolloutEnded {
            deployment: deployment.name.to_owned(),
            ending: rollout::ending(exit, printed.stderr),
        }
    }))
}

fn objects_after(run: &RunState, printed: &CommandOutput<'_>) -> Read {
    if !printed.outcome.succeeded() {
        return Ok(Vec::new());
    }
    let pods = pods::pods(printed.stdout)?.into_iter().filter(|pod| !pod.deleting).collect();
    let ours = services_of_the_manifests(run);
    let services = endpoints::of_services(printed.stdout, printed.stdout)?.into_iter();
    let services =
        services.filter(|s| ours.as_ref().is_none_or(|ours| ours.contains(&s.service.as_str()))).collect();
    Ok(vec![
        EventKind::DeploymentsAfter { deployments: deployments::deployments(printed.stdout)? },
        EventKind::Endpoints { services },
        EventKind::PodsAfter { pods },
    ])
}

/// The Services the run applies; `None` when it applies nothing, so that all of the namespace count.
fn services_of_the_manifests(run: &RunState) -> Option<Vec<&str>> {
    let applies = run.applies();
    let objects = run.landings.iter().flat_map(|landed| &landed.objects);
    let services = objects.filter(|object| object.kind == "Service").map(|object| object.name.as_str());
    applies.then(|| services.collect())
}

fn check_answered(run: &RunState, printed: &CommandOutput<'_>) -> Read {
    let check = CHECKS.iter().find(|check| check.id() == printed.outcome.id);
    let answered = check.zip(run.began.as_ref()).map(|(check, (_, began))| EventKind::CheckAnswered {
        check: check.number,
        url: format!("{}{}", began.target.base(check.base), check.path),
        transfer: transfer(printed),
    });
    one(answered)
}

fn latency_sampled(_: &RunState, printed: &CommandOutput<'_>) -> Read {
    let transfers = curl::transfers(printed.stderr).into_iter();
    let answered: Vec<u64> =
        transfers.filter(|transfer| transfer.exit_code == 0).map(|transfer| transfer.latency_ms).collect();
    one(Some(EventKind::LatencySampled {
        id: printed.outcome.id.clone(),
        samples: answered.len(),
        p95_ms: latency::p95(&answered),
    }))
}
