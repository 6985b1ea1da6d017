//! What was there before the run: objects, permissions, and what had become of the old pods.

use std::io;
use std::time::Duration;

use rehearsal::{Denied, Fate, Scenario, With};
use serde_json::Value;

use crate::fates;
use crate::kubectl::Kubectl;
use crate::roles::{Grant, without};

const RBAC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../k8s/rbac.yaml");

const NAMESPACE: &str = "dpp-staging";

/// Lays it all out, and waits until it is so.
pub(crate) fn lay_out(admin: &Kubectl, scenario: &Scenario) -> io::Result<()> {
    let objects = scenario.objects_before();
    if objects.is_empty() {
        return Ok(());
    }
    let (pods, others): (Vec<Value>, Vec<Value>) =
        objects.into_iter().partition(|object| object["kind"] == "Pod");
    let quotas: Vec<Value> =
        others.iter().filter(|object| object["kind"] == "ResourceQuota").cloned().collect();
    let others: Vec<Value> = others.into_iter().filter(|object| object["kind"] != "ResourceQuota").collect();
    admin.feed(&["apply", "-f", "-"], &others)?;
    bind(admin, scenario)?;
    if !scenario.with.contains(&With::NothingDeployed) {
        // The autoscaler's first look may take 15 s.
        admin.run(&["scale", "-n", NAMESPACE, "deployment/dpp-worker", "--replicas=5"])?;
        await_rollouts(admin, scenario)?;
    }
    if !pods.is_empty() {
        await_objects(admin, &["serviceaccount/default"], "jsonpath={.metadata.uid}")?;
        admin.feed(&["apply", "-f", "-"], &pods)?;
        await_pods(admin, &pods)?;
    }
    if !quotas.is_empty() {
        admin.feed(&["apply", "-f", "-"], &quotas)?;
        let names: Vec<String> =
            quotas.iter().map(|quota| format!("resourcequota/{}", name(quota))).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        await_objects(admin, &names, "jsonpath={.status.used}")?;
    }
    for with in &scenario.with {
        if let With::Old { deployment, pod, fate } = with {
            meets(admin, deployment, *pod, fate)?;
        }
    }
    Ok(())
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

fn await_objects(admin: &Kubectl, names: &[&str], condition: &str) -> io::Result<()> {
    let condition = format!("--for={condition}");
    let wait = |extra: &str| {
        let mut arguments = vec!["wait", "-n", NAMESPACE, "--timeout=300s", extra];
        arguments.extend(names);
        admin.run(&arguments)
    };
    wait("--for=create")?;
    wait(&condition)?;
    Ok(())
}

/// Until each Deployment is as far as the scenario lets it come.
fn await_rollouts(admin: &Kubectl, scenario: &Scenario) -> io::Result<()> {
    for deployment in ["dpp-api", "dpp-worker", "dpp-reaper"] {
        let stuck = scenario
            .with
            .iter()
            .any(|with| matches!(with, With::OldEvery { deployment: named, .. } if named == deployment));
        if stuck {
            let object = format!("deployment/{deployment}");
            let overdue = r#"--for=jsonpath={.status.conditions[?(@.type=="Progressing")].reason}=ProgressDeadlineExceeded"#;
            admin.run(&["wait", "-n", NAMESPACE, "--timeout=300s", overdue, &object])?;
        } else {
            await_rollout(admin, deployment)?;
        }
    }
    Ok(())
}

fn await_rollout(admin: &Kubectl, deployment: &str) -> io::Result<()> {
    let object = format!("deployment/{deployment}");
    admin.run(&["rollout", "status", "-n", NAMESPACE, "--timeout=300s", &object])?;
    Ok(())
}

fn await_pods(admin: &Kubectl, pods: &[Value]) -> io::Result<()> {
    for pod in pods {
        let failing = "jsonpath={.status.containerStatuses[*].state.waiting.reason}=CrashLoopBackOff";
        await_objects(admin, &[&format!("pod/{}", name(pod))], failing)?;
    }
    Ok(())
}

/// A fate comes over one ready pod of a Deployment, by name; gives back control when it is there.
pub(crate) fn meets(admin: &Kubectl, deployment: &str, pod: usize, fate: &Fate) -> io::Result<()> {
    let Some(annotations) = fates::annotations(fate, Duration::ZERO) else { return Ok(()) };
    let selector = format!("app={deployment}");
    let found = admin.json(&["get", "pods", "-n", NAMESPACE, "-l", &selector, "-o", "json"])?;
    let mut names: Vec<&str> = found["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|pod| pod["metadata"]["deletionTimestamp"].is_null())
        .map(name)
        .collect();
    names.sort_unstable();
    let pod = names.get(pod).ok_or_else(|| io::Error::other(format!("{deployment} has too few pods")))?;
    let mut arguments =
        vec!["annotate".to_owned(), "-n".to_owned(), NAMESPACE.to_owned(), format!("pod/{pod}")];
    for (key, value) in annotations.as_object().into_iter().flatten() {
        arguments.push(format!("{key}={}", value.as_str().unwrap_or_default()));
    }
    admin.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())?;
    let not_ready = r#"jsonpath={.status.conditions[?(@.type=="Ready")].status}=False"#;
    await_objects(admin, &[&format!("pod/{pod}")], not_ready)?;
    if *fate == Fate::Evicted {
        await_rollout(admin, deployment)?;
    }
    Ok(())
}

/// Grants what `k8s/rbac.yaml` says, less what the scenario denies.
fn bind(admin: &Kubectl, scenario: &Scenario) -> io::Result<()> {
    admin.run(&["apply", "-f", RBAC])?;
    for with in &scenario.with {
        if let With::AlsoGrantedIn(namespace) = with {
            let there = fs_err::read_to_string(RBAC)?
                .replace(NAMESPACE, namespace)
                .replace("name: staging-dry-run", "name: also");
            admin.feed_text(&["apply", "-f", "-"], &there)?;
        }
    }
    for with in &scenario.with {
        let With::Denied(denied) = with else { continue };
        for role in ["clusterrole/staging-dry-run", "role/staging-dry-run"] {
            let role = admin.json(&["get", "-n", NAMESPACE, role, "-o", "json"])?;
            admin.feed(&["replace", "-f", "-"], &[without(&role, &grant_of(denied))])?;
        }
    }
    Ok(())
}

fn grant_of(denied: &Denied) -> Grant {
    let resource = match &*denied.subresource {
        "" => denied.resource.to_string(),
        sub => format!("{}/{sub}", denied.resource),
    };
    Grant { group: denied.group.to_string(), resource, verb: denied.verb.to_string(), name: String::new() }
}
