/// One of the three Deployments the runbook applies and waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deployment {
    /// The last part of its steps' ids: `apply.api`, `rollout.api`.
    pub key: &'static str,
    /// The Deployment's name in Kubernetes.
    pub name: &'static str,
    /// The manifest that holds it, as the runbook's `cat` reads it.
    pub manifest: &'static str,
}

/// The runbook's three Deployments, in the order in which it applies them (steps 2 and 3).
pub const DEPLOYMENTS: &[Deployment] = &[
    Deployment { key: "api", name: "dpp-api", manifest: "k8s/api-deployment.yaml" },
    Deployment { key: "worker", name: "dpp-worker", manifest: "k8s/worker-deployment.yaml" },
    Deployment { key: "reaper", name: "dpp-reaper", manifest: "k8s/reaper-deployment.yaml" },
];
