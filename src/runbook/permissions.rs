//! The permissions that a run needs and that no other command of the preflight proves.

use super::{PermissionId, UnknownStep};

/// A permission that the run needs, checked with `kubectl auth can-i` before any change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// The second part of the id of its step.
    pub id: PermissionId,
    /// The words after `can-i`, with the runbook's variables.
    pub question: String,
    /// The part of the run that needs it.
    pub needed_for: &'static str,
}

/// The permissions that no other command of the preflight proves: the words after `can-i`, and their purpose.
///
/// `status_before.txt` proves listing. The server-side dry run proves the permissions of `kubectl apply` for
/// each kind, since it needs the same verbs. Only `get pods --subresource=log` is the right spelling:
/// `pods/log` means a pod *named* log.
const NEEDED: &[(&str, &str)] = &[
    ("get deployments.apps", "kubectl rollout status (step 3)"),
    ("watch deployments.apps", "kubectl rollout status (step 3)"),
    ("get pods", "confirming a failing pod (stop rule 2)"),
    ("watch pods", "seeing a failing pod as it fails (stop rule 2)"),
    ("list endpointslices.discovery.k8s.io", "Services have endpoints assigned (Success Criteria)"),
    ("get pods --subresource=log", "kubectl logs (on STOP)"),
    ("list events", "kubectl get events and describe (on STOP)"),
    (
        "list replicasets.apps",
        "kubectl describe (on STOP), which otherwise prints less, without an error message",
    ),
];

/// Returns every permission with its id.
pub(super) fn needed() -> Result<Vec<Permission>, UnknownStep> {
    let permission = |&(words, needed_for): &(&str, &'static str)| {
        Ok(Permission { id: id(words)?, question: format!("{words} -n \"$STAGING_NAMESPACE\""), needed_for })
    };
    NEEDED.iter().map(permission).collect()
}

/// Returns the id: `get-pods-log` for `get pods --subresource=log`, `get-deployments` for `get
/// deployments.apps`.
fn id(words: &str) -> Result<PermissionId, UnknownStep> {
    let resource = words.replace("--subresource=", "");
    let short = resource.split('.').next().unwrap_or_default();
    PermissionId::new(&short.replace(' ', "-"))
}
