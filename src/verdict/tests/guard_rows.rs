//! The rows of the guards: for each the nearest run that it lets pass, and the run that it refuses.

use crate::events::{Effect, EndedBy, EventKind, Redaction, Tool, ToolVersion};
use crate::fixture::{Build, Events, step};

const API: &str = "k8s/api-deployment.yaml";

/// Two runs that differ in one event.
pub(super) struct Row {
    pub(super) guard: &'static str,
    pub(super) passes: Build,
    pub(super) refused: Build,
    pub(super) found: &'static str,
    pub(super) next: &'static str,
}

fn kubectl(events: &mut Events, numbers: Option<(u32, u32)>) -> &mut Events {
    let version = numbers.map(|(major, minor)| format!("v{major}.{minor}.0"));
    events.add(EventKind::ToolVersion(ToolVersion { name: "kubectl".into(), version, numbers }))
}

fn found_at<'e>(events: &'e mut Events, name: &str) -> &'e mut Events {
    let path = format!("/usr/local/bin/{name}");
    events.add(EventKind::ToolFound(Tool { name: name.into(), path, sha256: None }))
}

pub(super) fn asked(events: &mut Events, answer: Option<bool>) -> &mut Events {
    events.add(EventKind::PermissionAnswered {
        id: step("can-i.get-pods"),
        question: "get pods -n dpp-staging".into(),
        needed_for: "stop rule 2".into(),
        answer,
    })
}

fn user(events: &mut Events) -> &mut Events {
    events.add(EventKind::ClusterUser { name: Some("ci-deployer".into()) })
}

fn rendered<'e>(events: &'e mut Events, taken_out: &[&str]) -> &'e mut Events {
    events.manifest(|_| ()).command("render.api", Effect::Reads, &[0, 0, 0]);
    let redaction = |name: &&str| Redaction { file: "f".into(), name: (*name).into(), count: 1 };
    events.outcome("render.api", |outcome| outcome.redactions = taken_out.iter().map(redaction).collect())
}

pub(super) fn left<'e>(events: &'e mut Events, names: &[&str]) -> &'e mut Events {
    let left = names.iter().map(|name| (*name).to_owned()).collect();
    events.add(EventKind::Rendered { file: API.into(), left })
}

fn succeeds<'e>(events: &'e mut Events, id: &str) -> &'e mut Events {
    events.command(id, Effect::Reads, &[0])
}

const INSTALL: &str = "install a newer one: https://kubernetes.io/docs/tasks/tools/#kubectl";
const BY_HAND: &str = "try it by hand, and log in first if it asks you to: kubectl --context=\"staging-cluster\" get namespaces";
const CAN_I: &str =
    "ask the cluster's administrator for it; check with: kubectl auth can-i get pods -n dpp-staging";
const MANIFESTS: &str = "give the directory of the manifests: --manifests DIR (default k8s)";
const ASK_BY_HAND: &str =
    "ask by hand, and run again once it answers: kubectl auth can-i get pods -n dpp-staging";
const MOVE_IT: &str =
    "move it to a file the run does not apply, or give --keep-secrets to keep its bytes as evidence";
const SECRET_REF: &str = "have the pod read it from a Secret of the cluster: env.valueFrom.secretKeyRef";

const TOOLS_AND_ACCESS: &[Row] = &[
    Row {
        guard: "guard-kubectl",
        passes: |run| kubectl(run, Some((1, 27))),
        refused: |run| kubectl(run, Some((1, 26))),
        found: "kubectl at PATH is v1.26.0: the runbook needs 1.27 or newer",
        next: INSTALL,
    },
    Row {
        guard: "guard-kubectl",
        passes: |run| kubectl(found_at(found_at(run, "jq"), "kubectl"), Some((2, 0))),
        refused: |run| kubectl(found_at(found_at(run, "jq"), "kubectl"), None),
        found: "kubectl at /usr/local/bin/kubectl reports no version: the runbook needs 1.27 or newer",
        next: INSTALL,
    },
    Row {
        guard: "guard-context",
        passes: |run| succeeds(run, "context"),
        refused: |run| run.fails("context", "error: context was not found"),
        found: "STAGING_CONTEXT is \"staging-cluster\": kubectl doesn't know it (error: context was not found)",
        next: "list the contexts: kubectl config get-contexts -o name",
    },
    Row {
        guard: "guard-context",
        passes: |run| run.ended_by("context", EndedBy::StagingDryRun(1), None),
        refused: |run| run.ended_by("context", EndedBy::AskedForTerminal, None),
        found: "kubectl could not be asked for the context \"staging-cluster\": it asked for the terminal: log in first, then run again",
        next: BY_HAND,
    },
    Row {
        guard: "guard-access",
        passes: |run| succeeds(run, "namespaces"),
        refused: |run| run.ended_by("namespaces", EndedBy::Deadline, Some("dial tcp")),
        found: "the cluster of context \"staging-cluster\" could not be asked for its namespaces: it gave no answer in time and was ended; its error was: dial tcp",
        next: BY_HAND,
    },
    Row {
        guard: "guard-access",
        passes: |run| succeeds(run, "namespace"),
        refused: |run| run.fails("namespace", "Error from server (NotFound): namespaces"),
        found: "namespace dpp-staging could not be read: Error from server (NotFound): namespaces",
        next: "check STAGING_NAMESPACE, or create it: kubectl create namespace dpp-staging",
    },
    Row {
        guard: "guard-access",
        passes: |run| succeeds(run, "status.before"),
        refused: |run| run.starts("status.before", Effect::Reads).ends("status.before", &[1], None),
        found: "Deployments, pods and services of namespace dpp-staging could not be listed: it printed no error",
        next: "ask the cluster's administrator for list on deployments.apps, pods and services there",
    },
    Row {
        guard: "guard-permissions",
        passes: |run| succeeds(run, "uids"),
        refused: |run| run.fails("uids", "Error from server (Forbidden)"),
        found: "the UID of kube-system, which identifies the cluster, could not be read: Error from server (Forbidden)",
        next: "ask the cluster's administrator for get on the namespace kube-system by name",
    },
    Row {
        guard: "guard-permissions",
        passes: |run| asked(run, Some(true)),
        refused: |run| asked(run, Some(false)),
        found: "this user may not get pods -n dpp-staging, needed for stop rule 2",
        next: CAN_I,
    },
    Row {
        guard: "guard-permissions",
        passes: |run| asked(user(run), Some(true)),
        refused: |run| asked(user(run), Some(false)),
        found: "ci-deployer may not get pods -n dpp-staging, needed for stop rule 2",
        next: CAN_I,
    },
    Row {
        guard: "guard-permissions",
        passes: |run| asked(run, Some(true)),
        refused: |run| asked(run, None),
        found: "kubectl auth can-i get pods -n dpp-staging: it printed neither yes nor no, needed for stop rule 2",
        next: ASK_BY_HAND,
    },
    Row {
        guard: "guard-permissions",
        passes: |run| asked(run.fails("can-i.get-pods", "Warning: no such resource type"), Some(true)),
        refused: |run| asked(run.fails("can-i.get-pods", "error: dial tcp: refused"), None),
        found: "kubectl auth can-i get pods -n dpp-staging: error: dial tcp: refused, needed for stop rule 2",
        next: ASK_BY_HAND,
    },
    Row {
        guard: "guard-permissions",
        passes: |run| asked(run.ended_by("can-i.get-pods", EndedBy::Deadline, None), Some(true)),
        refused: |run| asked(run.ended_by("can-i.get-pods", EndedBy::Deadline, None), None),
        found: "kubectl auth can-i get pods -n dpp-staging: it gave no answer in time and was ended, needed for stop rule 2",
        next: ASK_BY_HAND,
    },
];

const MANIFEST_ROWS: &[Row] = &[
    Row {
        guard: "guard-manifest",
        passes: |run| run.manifest(|_| ()),
        refused: |run| run.manifest(|manifest| manifest.unreadable = Some("no such file".into())),
        found: "k8s/api-deployment.yaml can't be read: no such file",
        next: MANIFESTS,
    },
    Row {
        guard: "guard-manifest",
        passes: |run| run.manifest(|_| ()),
        refused: |run| run.manifest(|manifest| manifest.blank = true),
        found: "k8s/api-deployment.yaml contains nothing to apply",
        next: "put the Deployment dpp-api into it",
    },
    Row {
        guard: "guard-secret",
        passes: |run| {
            run.began(|began| began.options.keep_secrets = true)
                .manifest(|manifest| manifest.holds_secret = true)
        },
        refused: |run| run.manifest(|manifest| manifest.holds_secret = true),
        found: "k8s/api-deployment.yaml contains a Secret, which would become evidence",
        next: MOVE_IT,
    },
    Row {
        guard: "guard-secret",
        passes: |run| run.lands(&[("Deployment", Some("dpp-staging"), "dpp-api")]),
        refused: |run| {
            run.lands(&[
                ("Deployment", Some("dpp-staging"), "dpp-api"),
                ("Secret", Some("dpp-staging"), "key"),
            ])
        },
        found: "k8s/api-deployment.yaml contains a Secret, which would become evidence",
        next: MOVE_IT,
    },
    Row {
        // Seen in the text, and once more by the server: it is one finding.
        guard: "guard-secret",
        passes: |run| run.manifest(|_| ()).lands(&[("Deployment", Some("dpp-staging"), "dpp-api")]),
        refused: |run| {
            run.manifest(|manifest| manifest.holds_secret = true).lands(&[(
                "Secret",
                Some("dpp-staging"),
                "key",
            )])
        },
        found: "k8s/api-deployment.yaml contains a Secret, which would become evidence",
        next: MOVE_IT,
    },
    Row {
        guard: "guard-named-value",
        passes: |run| run.manifest(|_| ()),
        refused: |run| run.manifest(|manifest| manifest.holds_named = vec!["STAGING_API_KEY".into()]),
        found: "k8s/api-deployment.yaml contains the value of STAGING_API_KEY, which must not become evidence",
        next: SECRET_REF,
    },
    Row {
        guard: "guard-named-value",
        passes: |run| rendered(run, &[]),
        refused: |run| rendered(run, &["TOKEN", "OTHER", "TOKEN"]),
        found: "k8s/api-deployment.yaml contains the value of OTHER and TOKEN, which must not become evidence",
        next: SECRET_REF,
    },
    Row {
        guard: "guard-placeholder",
        passes: |run| run.manifest(|manifest| manifest.placeholders = vec!["AWS_ACCOUNT_ID".into()]),
        refused: |run| {
            run.began(|began| began.target.aws_account_id = None)
                .manifest(|manifest| manifest.placeholders = vec!["AWS_ACCOUNT_ID".into()])
        },
        found: "k8s/api-deployment.yaml contains ${AWS_ACCOUNT_ID}, and AWS_ACCOUNT_ID is not set",
        next: "export AWS_ACCOUNT_ID=\"123456789012\"; find it: aws sts get-caller-identity --query Account --output text",
    },
    Row {
        guard: "guard-placeholder",
        passes: |run| {
            left(run.began(|began| began.options.allow_placeholder = vec!["HOST".into()]), &["HOST"])
        },
        refused: |run| {
            left(run.began(|began| began.options.allow_placeholder = vec!["OTHER".into()]), &["HOST"])
        },
        found: "${HOST} is left in k8s/api-deployment.yaml after the runbook's substitutions",
        next: "replace it in the manifest, or allow it: --allow-placeholder HOST",
    },
    Row {
        guard: "guard-accepted",
        passes: |run| succeeds(run, "guard.api"),
        refused: |run| run.fails("guard.api", "error: unknown field"),
        found: "k8s/api-deployment.yaml is not accepted: error: unknown field",
        next: "fix the manifest; `run` keeps the server's full answer in preflight/out/guard.api.err",
    },
    Row {
        guard: "guard-accepted",
        passes: |run| run.ended_by("guard.worker", EndedBy::StagingDryRun(1), None),
        refused: |run| run.fails("guard.worker", "Error from server (Forbidden): no"),
        found: "k8s/worker-deployment.yaml is not accepted: Error from server (Forbidden): no",
        next: "ask the cluster's administrator for what `kubectl apply` needs there",
    },
];

const LANDING_ROWS: &[Row] = &[
    Row {
        guard: "guard-namespace",
        passes: |run| {
            run.lands(&[
                ("Deployment", Some("dpp-staging"), "dpp-api"),
                ("Service", Some("dpp-staging"), "dpp-api"),
            ])
        },
        refused: |run| {
            run.lands(&[
                ("Deployment", Some("dpp-staging"), "dpp-api"),
                ("Service", Some("default"), "dpp-api"),
            ])
        },
        found: "k8s/api-deployment.yaml: Service dpp-api would land in namespace default, not in dpp-staging",
        next: "give it `namespace: dpp-staging` in its metadata, or check STAGING_NAMESPACE",
    },
    Row {
        guard: "guard-namespace",
        passes: |run| run.lands(&[("Deployment", Some("dpp-staging"), "dpp-api")]),
        refused: |run| {
            run.lands(&[("Deployment", Some("dpp-staging"), "dpp-api"), ("ClusterRole", None, "reader")])
        },
        found: "k8s/api-deployment.yaml: ClusterRole reader belongs to no namespace, and the run changes only dpp-staging",
        next: "apply it by hand, outside the dry run",
    },
    Row {
        guard: "guard-deployment",
        passes: |run| run.lands(&[("Deployment", Some("dpp-staging"), "dpp-api")]),
        refused: |run| run.lands(&[("Deployment", Some("dpp-staging"), "api")]),
        found: "k8s/api-deployment.yaml contains no Deployment dpp-api",
        next: "step 3 of the runbook waits for it by this name: put it there",
    },
    Row {
        guard: "guard-deployment",
        passes: |run| run.lands(&[("Deployment", Some("dpp-staging"), "dpp-api")]),
        refused: |run| run.lands(&[("StatefulSet", Some("dpp-staging"), "dpp-api")]),
        found: "k8s/api-deployment.yaml contains no Deployment dpp-api",
        next: "step 3 of the runbook waits for it by this name: put it there",
    },
    Row {
        guard: "guard-use-context",
        passes: |run| succeeds(run, "use-context"),
        refused: |run| run.fails("use-context", "error: open /kube/config.lock"),
        found: "kubectl config use-context failed: error: open /kube/config.lock",
        next: "nothing was applied; list the contexts: kubectl config get-contexts; the full error is in deploy/stderr.log",
    },
    Row {
        guard: "guard-use-context",
        passes: |run| run.ended_by("use-context", EndedBy::StagingDryRun(1), None),
        refused: |run| run.ended_by("use-context", EndedBy::OutputNotKept, None),
        found: "kubectl config use-context failed: its output could not be stored",
        next: "nothing was applied; list the contexts: kubectl config get-contexts; the full error is in deploy/stderr.log",
    },
];

pub(super) fn rows() -> impl Iterator<Item = &'static Row> {
    [TOOLS_AND_ACCESS, MANIFEST_ROWS, LANDING_ROWS].into_iter().flatten()
}
