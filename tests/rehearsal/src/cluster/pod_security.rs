//! The restricted level of the Pod Security Standards, as far as a template's security contexts go.
//!
//! Source: <https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted>. Volume types, ports,
//! capabilities that are added, and the baseline level's other controls are not looked at.

use serde_json::{Value, json};

use super::World;
use super::deployments::kind;
use super::json::{list, text};

/// What the namespace would say of a write of this object, in a Warning header.
pub(crate) fn warning(world: &World, namespace: &str, object: &Value) -> Option<String> {
    let template = object.pointer("/spec/template").filter(|_| text(object, "/kind") == "Deployment")?;
    let why = breach(template).filter(|_| level(world, namespace, "warn"))?;
    Some(format!("would violate PodSecurity \"restricted:latest\": {why}"))
}

/// Why the namespace refuses a pod of this template.
pub(crate) fn refusal(world: &World, namespace: &str, template: &Value) -> Option<String> {
    let why = breach(template).filter(|_| level(world, namespace, "enforce"))?;
    Some(format!("violates PodSecurity \"restricted:latest\": {why}"))
}

fn level(world: &World, namespace: &str, mode: &str) -> bool {
    world.store.get(kind("Namespace"), "", namespace).is_some_and(|namespace| {
        namespace["metadata"]["labels"][format!("pod-security.kubernetes.io/{mode}")] == "restricted"
    })
}

/// One of the level's controls: its name, what a container must set, and whether it (or its pod) does.
struct Control {
    name: &'static str,
    who: &'static str,
    must: &'static str,
    holds: fn(pod: &Value, container: &Value) -> bool,
}

static CONTROLS: &[Control] = &[
    Control {
        name: "allowPrivilegeEscalation != false",
        who: "container",
        must: "securityContext.allowPrivilegeEscalation=false",
        holds: |_, container| container["allowPrivilegeEscalation"] == false,
    },
    Control {
        name: "unrestricted capabilities",
        who: "container",
        must: "securityContext.capabilities.drop=[\"ALL\"]",
        holds: |_, container| list(container, "/capabilities/drop").contains(&json!("ALL")),
    },
    Control {
        name: "runAsNonRoot != true",
        who: "pod or container",
        must: "securityContext.runAsNonRoot=true",
        holds: |pod, container| either(pod, container, "/runAsNonRoot") == Some(&json!(true)),
    },
    Control {
        name: "seccompProfile",
        who: "pod or container",
        must: "securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\"",
        holds: |pod, container| {
            either(pod, container, "/seccompProfile/type")
                .is_some_and(|of| of == "RuntimeDefault" || of == "Localhost")
        },
    },
];

fn either<'v>(pod: &'v Value, container: &'v Value, pointer: &str) -> Option<&'v Value> {
    container.pointer(pointer).or_else(|| pod.pointer(pointer))
}

fn breach(template: &Value) -> Option<String> {
    let pod = &template["spec"]["securityContext"];
    let breaches: Vec<String> = CONTROLS
        .iter()
        .filter_map(|control| {
            let of: Vec<String> = list(template, "/spec/containers")
                .iter()
                .filter(|container| !(control.holds)(pod, &container["securityContext"]))
                .map(|container| format!("\"{}\"", text(container, "/name")))
                .collect();
            let plural = if of.len() > 1 { "s" } else { "" };
            let Control { name, who, must, .. } = control;
            (!of.is_empty()).then(|| format!("{name} ({who}{plural} {} must set {must})", of.join(", ")))
        })
        .collect();
    (!breaches.is_empty()).then(|| breaches.join(", "))
}
