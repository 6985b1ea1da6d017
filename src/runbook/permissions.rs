use super::{Keep, Limit, Phase, Step};
use crate::events::Effect;

/// One permission the run needs, asked for with `kubectl auth can-i` before anything is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// The id of the command that asks: `can-i.get-pods-log`.
    pub id: String,
    /// What stands after `can-i`, with the runbook's variables.
    pub question: String,
    /// What needs it.
    pub needed_for: String,
}

/// The permissions that no other command of the preflight shows to be there: the words after `can-i`, and what
/// needs them.
///
/// Listing is shown by `status_before.txt`, and what `kubectl apply` needs for each kind by the server-side dry
/// run, which asks for the same verbs. `get pods --subresource=log` is the only right spelling: `pods/log` means
/// a pod *named* log.
pub const PERMISSIONS: &[(&str, &str)] = &[
    ("get deployments.apps", "kubectl rollout status (step 3)"),
    ("watch deployments.apps", "kubectl rollout status (step 3)"),
    ("get pods", "confirming a failing pod (stop rule 2)"),
    ("watch pods", "seeing a failing pod as it fails (stop rule 2)"),
    ("list endpointslices.discovery.k8s.io", "Services have endpoints assigned (Success Criteria)"),
    ("get pods --subresource=log", "kubectl logs (on STOP)"),
    ("list events", "kubectl get events and describe (on STOP)"),
    ("list replicasets.apps", "kubectl describe (on STOP), which prints less without a word if it may not"),
];

impl Permission {
    /// The rows of [`PERMISSIONS`], each with its id.
    pub fn required() -> Vec<Self> {
        PERMISSIONS
            .iter()
            .map(|&(words, needed_for)| Self {
                id: id(words),
                question: format!("{words} -n \"$STAGING_NAMESPACE\""),
                needed_for: needed_for.to_owned(),
            })
            .collect()
    }
}

/// The command that asks for a permission.
pub fn step_for(permission: &Permission) -> Step {
    Step {
        id: permission.id.clone().into(),
        phase: Phase::Preflight,
        heading: None,
        effect: Effect::Reads,
        text: format!("kubectl --context=\"$STAGING_CONTEXT\" auth can-i {}", permission.question).into(),
        keep: Keep::Own,
        limit: Limit::Quick,
        why: "a required permission is there before anything is changed",
    }
}

fn id(words: &str) -> String {
    let resource = words.replace("--subresource=", "");
    let short = resource.split('.').next().unwrap_or_default();
    format!("can-i.{}", short.replace(' ', "-"))
}
