//! The kinds of object this API server knows.

/// One kind, as discovery describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_field_names, reason = "kind is what Kubernetes calls it")]
pub(crate) struct Kind {
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) singular: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) namespaced: bool,
    pub(crate) short: &'static [&'static str],
    pub(crate) in_all: bool,
    /// Reviews are created and answered, never stored.
    pub(crate) review: bool,
}

const fn kind(
    group: &'static str,
    version: &'static str,
    plural: &'static str,
    singular: &'static str,
    kind: &'static str,
    short: &'static [&'static str],
) -> Kind {
    Kind { group, version, plural, singular, kind, namespaced: true, short, in_all: false, review: false }
}

const fn all(kind: Kind) -> Kind {
    Kind { in_all: true, ..kind }
}

const fn cluster(kind: Kind) -> Kind {
    Kind { namespaced: false, ..kind }
}

const fn review(kind: Kind) -> Kind {
    Kind { namespaced: false, review: true, ..kind }
}

const RBAC: &str = "rbac.authorization.k8s.io";

/// Every kind; a group's kinds stand together, the core group first, as in the real server's discovery.
pub(crate) static KINDS: &[Kind] = &[
    kind("", "v1", "configmaps", "configmap", "ConfigMap", &["cm"]),
    kind("", "v1", "events", "event", "Event", &["ev"]),
    cluster(kind("", "v1", "namespaces", "namespace", "Namespace", &["ns"])),
    all(kind("", "v1", "pods", "pod", "Pod", &["po"])),
    kind("", "v1", "resourcequotas", "resourcequota", "ResourceQuota", &["quota"]),
    kind("", "v1", "secrets", "secret", "Secret", &[]),
    kind("", "v1", "serviceaccounts", "serviceaccount", "ServiceAccount", &["sa"]),
    all(kind("", "v1", "services", "service", "Service", &["svc"])),
    cluster(kind(
        "apiextensions.k8s.io",
        "v1",
        "customresourcedefinitions",
        "customresourcedefinition",
        "CustomResourceDefinition",
        &["crd", "crds"],
    )),
    all(kind("apps", "v1", "deployments", "deployment", "Deployment", &["deploy"])),
    all(kind("apps", "v1", "replicasets", "replicaset", "ReplicaSet", &["rs"])),
    review(kind(
        "authentication.k8s.io",
        "v1",
        "selfsubjectreviews",
        "selfsubjectreview",
        "SelfSubjectReview",
        &[],
    )),
    review(kind(
        "authorization.k8s.io",
        "v1",
        "selfsubjectaccessreviews",
        "selfsubjectaccessreview",
        "SelfSubjectAccessReview",
        &[],
    )),
    all(kind(
        "autoscaling",
        "v2",
        "horizontalpodautoscalers",
        "horizontalpodautoscaler",
        "HorizontalPodAutoscaler",
        &["hpa"],
    )),
    kind("networking.k8s.io", "v1", "ingresses", "ingress", "Ingress", &["ing"]),
    kind("networking.k8s.io", "v1", "networkpolicies", "networkpolicy", "NetworkPolicy", &["netpol"]),
    kind("policy", "v1", "poddisruptionbudgets", "poddisruptionbudget", "PodDisruptionBudget", &["pdb"]),
    cluster(kind(RBAC, "v1", "clusterrolebindings", "clusterrolebinding", "ClusterRoleBinding", &[])),
    cluster(kind(RBAC, "v1", "clusterroles", "clusterrole", "ClusterRole", &[])),
    kind(RBAC, "v1", "rolebindings", "rolebinding", "RoleBinding", &[]),
    kind(RBAC, "v1", "roles", "role", "Role", &[]),
    kind("discovery.k8s.io", "v1", "endpointslices", "endpointslice", "EndpointSlice", &[]),
];

impl Kind {
    /// `deployments.apps`, or `pods`: how messages name a resource.
    pub(crate) fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// `apps/v1`, or `v1`.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// The verbs discovery names.
    pub(crate) fn verbs(&self) -> &'static [&'static str] {
        if self.review {
            &["create"]
        } else {
            &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
        }
    }
}

/// The kind with this group and plural.
pub(crate) fn by_plural(group: &str, version: &str, plural: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.group == group && kind.version == version && kind.plural == plural)
}

/// The kind an object says it is.
pub(crate) fn by_name(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.kind == name)
}

/// The groups in the order of the table, each with its one version.
pub(crate) fn groups() -> Vec<(&'static str, &'static str)> {
    let mut groups: Vec<(&str, &str)> = Vec::new();
    for kind in KINDS {
        if !groups.contains(&(kind.group, kind.version)) {
            groups.push((kind.group, kind.version));
        }
    }
    groups
}
