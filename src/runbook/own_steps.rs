//! The program's own read-only commands, in addition to the runbook's.
//!
//! Names that come from the cluster are placed after `--`, so none of them is parsed as an option.

use super::{Keep, LatencyGroupId, Limit, Phase, StepId, VersionedTool};

/// The `curl` command of every request (curl(1)).
///
/// It ignores the user's configuration (`-q` must come first) and follows no redirect. Headers and body go to
/// standard output, without a proxy's headers; an error and the figures go to standard error.
pub(super) const CURL: &str =
    r"curl -q -sS -g -i --suppress-connect-headers --max-time 10 -w '%{stderr}%{json}\n'";

/// A step whose text belongs to this program.
pub(super) struct OwnStep {
    pub(super) id: StepId,
    pub(super) phase: Phase,
    pub(super) why: &'static str,
    pub(super) text: String,
    pub(super) keep: Keep,
    pub(super) limit: Limit,
}

fn own(id: StepId, phase: Phase, why: &'static str, text: &str) -> OwnStep {
    OwnStep { id, phase, why, text: text.to_owned(), keep: Keep::Own, limit: Limit::Quick }
}

/// Returns the steps for the programs' versions and for the context.
pub(super) fn local() -> Vec<OwnStep> {
    let version = |tool: VersionedTool| {
        let (why, text) = match tool {
            VersionedTool::Kubectl => ("kubectl is 1.27 or newer", "kubectl version --client -o json"),
            VersionedTool::Curl => ("the version of curl", "curl --version"),
            VersionedTool::Jq => ("the version of jq", "jq --version"),
        };
        own(StepId::Version(tool), Phase::Preflight, why, text)
    };
    let context = own(
        StepId::Context,
        Phase::Preflight,
        "the context's cluster, user and namespace; its standard output may contain a password and is not stored",
        r#"kubectl config view --minify --context="$STAGING_CONTEXT" -o 'jsonpath={.contexts[0].context}{"\n"}{.clusters[0].cluster.server}'"#,
    );
    let context = OwnStep { keep: Keep::Nowhere, ..context };
    VersionedTool::ALL.into_iter().map(version).chain([context]).collect()
}

/// Returns the preflight's own requests to the server, in addition to the runbook's.
pub(super) fn preflight() -> Vec<OwnStep> {
    vec![
        own(
            StepId::Server,
            Phase::Preflight,
            "the version of the API server",
            r#"kubectl --context="$STAGING_CONTEXT" version -o json"#,
        ),
        own(
            StepId::Whoami,
            Phase::Preflight,
            "the user name that the cluster reports",
            r#"kubectl --context="$STAGING_CONTEXT" auth whoami -o json"#,
        ),
        own(
            StepId::Uids,
            Phase::Preflight,
            "the identity of the cluster and of the namespace",
            r#"kubectl --context="$STAGING_CONTEXT" get namespaces kube-system "$STAGING_NAMESPACE" -o 'jsonpath={range .items[*]}{.metadata.name}{" "}{.metadata.uid}{"\n"}{end}'"#,
        ),
        own(
            StepId::ObjectsBefore,
            Phase::Preflight,
            "pods that are failing already, and the Deployments' generations",
            r#"kubectl --context="$STAGING_CONTEXT" get deployments.apps,pods -n "$STAGING_NAMESPACE" -o json"#,
        ),
    ]
}

/// Returns the steps that show failing pods during the deployment and the tests (stop rule 2).
pub(super) fn watching() -> Vec<OwnStep> {
    let watch = own(
        StepId::WatchPods,
        Phase::Deploy,
        "a failing pod is seen as it fails (stop rule 2)",
        r#"kubectl --context="$STAGING_CONTEXT" get pods -n "$STAGING_NAMESPACE" --watch --output-watch-events"#,
    );
    let confirm = own(
        StepId::ConfirmPod,
        Phase::Deploy,
        "a failing pod is not one that is being deleted (stop rule 2)",
        r#"kubectl --context="$STAGING_CONTEXT" get pod -n "$STAGING_NAMESPACE" -o json -- "$POD""#,
    );
    let list = |id, why| {
        own(
            id,
            Phase::Deploy,
            why,
            r#"kubectl --context="$STAGING_CONTEXT" get pods -n "$STAGING_NAMESPACE""#,
        )
    };
    vec![
        OwnStep { limit: Limit::Run, ..watch },
        OwnStep { limit: Limit::Confirm, ..confirm },
        list(StepId::ListPods, "the pods every 10 s, in case the watch misses one (stop rule 2)"),
        list(StepId::ListLast, "the pods as the run ends, in case the watch missed one (stop rule 2)"),
    ]
}

/// Returns the step that shows whether the apply changed the Deployment of a failing pod.
pub(super) fn applied() -> OwnStep {
    own(
        StepId::ObjectsApplied,
        Phase::Deploy,
        "whether the apply changed the Deployment of a pod that was failing before (stop rule 2)",
        r#"kubectl --context="$STAGING_CONTEXT" get deployments.apps -n "$STAGING_NAMESPACE" -o json"#,
    )
}

/// Returns the step that reads the objects for the criteria.
pub(super) fn after() -> OwnStep {
    own(
        StepId::ObjectsAfter,
        Phase::Deploy,
        "every container's state, the Deployments' conditions, the Services' endpoints",
        r#"kubectl --context="$STAGING_CONTEXT" get deployments.apps,pods,services,endpointslices.discovery.k8s.io -n "$STAGING_NAMESPACE" -o json"#,
    )
}

/// Returns the step for twenty responses of a group of paths; curl expands the fragment after `#` and never
/// sends it.
pub(super) fn latency(group: LatencyGroupId) -> OwnStep {
    let (why, paths) = match group {
        LatencyGroupId::Health => ("latency of health and readyz", "health,readyz"),
        LatencyGroupId::Docs => ("latency of openapi and docs", ".well-known/openapi.json,api-docs"),
    };
    let text = format!(
        r#"curl -q -sS --max-time 10 -o /dev/null -w '%{{stderr}}%{{json}}\n' "$STAGING_BASE_URL/{{{paths}}}#[1-10]""#
    );
    OwnStep { limit: Limit::Samples, ..own(StepId::Latency(group), Phase::Smoke, why, &text) }
}

/// Returns the steps of the action on STOP: descriptions, events and logs, before the cluster changes.
pub(super) fn dump() -> Vec<OwnStep> {
    let dump = |id, file: &str, text: &str| {
        let step = own(id, Phase::Dump, "the state of the cluster when the run stopped", text);
        OwnStep { keep: Keep::File(format!("dump_logs/{file}")), ..step }
    };
    vec![
        // For several objects, kubectl 1.36 and later print events only on request.
        dump(
            StepId::DumpDescribe,
            "k8s_describe.txt",
            r#"kubectl --context="$STAGING_CONTEXT" describe deployments,pods -n "$STAGING_NAMESPACE" --show-events=true"#,
        ),
        dump(
            StepId::DumpEvents,
            "k8s_events.txt",
            r#"kubectl --context="$STAGING_CONTEXT" get events -n "$STAGING_NAMESPACE" --sort-by=.lastTimestamp"#,
        ),
        dump(
            StepId::DumpLogs,
            "app_logs_tail.txt",
            r#"kubectl --context="$STAGING_CONTEXT" logs -n "$STAGING_NAMESPACE" --all-containers --prefix --tail=200 -- "$POD""#,
        ),
        dump(
            StepId::DumpPrevious,
            "app_logs_tail.txt",
            r#"kubectl --context="$STAGING_CONTEXT" logs -n "$STAGING_NAMESPACE" -c "$CONTAINER" --prefix --tail=200 --previous -- "$POD""#,
        ),
    ]
}
