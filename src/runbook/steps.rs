use std::borrow::Cow;
use std::sync::LazyLock;

use super::step::{Keep, Limit, Phase, Step};
use super::{Check, Deployment};
use crate::events::Effect;
use crate::facts::dry_run;

/// `curl` as every request is made: its own configuration left out (`-q` must come first), head and body on
/// standard output (a proxy's head left out), an error and the numbers on standard error, no redirect followed (curl(1)).
macro_rules! curl {
    ($rest:literal) => {
        concat!("curl -q -sS -g -i --suppress-connect-headers --max-time 10 -w '%{stderr}%{json}\\n' ", $rest)
    };
}

/// Ten times two paths in one `curl`: what stands behind `#` is counted up by curl and never sent.
macro_rules! samples {
    ($paths:literal) => {
        concat!(
            "curl -q -sS --max-time 10 -o /dev/null -w '%{stderr}%{json}\\n' \"$STAGING_BASE_URL/{",
            $paths,
            "}#[1-10]\""
        )
    };
}

const PREFLIGHT: &str = "### 1. Preflight Check";
const DEPLOY: &str = "### 2. Deploy to Staging";
const ROLLOUT: &str = "### 3. Wait for Rollout";
const AFTER: &str = "### 4. Capture Post-Deploy State";
const STOP: &str = "## Stop Rules";

fn runbook(
    id: &'static str,
    phase: Phase,
    heading: &'static str,
    effect: Effect,
    text: &'static str,
) -> Step {
    let why = "the runbook";
    Step {
        id: Cow::Borrowed(id),
        phase,
        heading: Some(heading),
        effect,
        text: Cow::Borrowed(text),
        keep: Keep::Own,
        limit: Limit::Quick,
        why,
    }
}

fn ours(id: &'static str, phase: Phase, why: &'static str, text: &'static str) -> Step {
    Step {
        id: Cow::Borrowed(id),
        phase,
        heading: None,
        effect: Effect::Reads,
        text: Cow::Borrowed(text),
        keep: Keep::Own,
        limit: Limit::Quick,
        why,
    }
}

fn apply(id: &'static str, text: &'static str) -> Step {
    let step = runbook(id, Phase::Deploy, DEPLOY, Effect::Changes, text);
    Step { keep: Keep::DeployLog, limit: Limit::Apply, ..step }
}

fn rollout(id: &'static str, text: &'static str) -> Step {
    let step = runbook(id, Phase::Deploy, ROLLOUT, Effect::Reads, text);
    Step { keep: Keep::DeployLog, limit: Limit::Rollout, ..step }
}

fn dump(id: &'static str, file: &'static str, text: &'static str) -> Step {
    let step = ours(id, Phase::Dump, "what the cluster said when the run stopped", text);
    Step { heading: Some(STOP), keep: Keep::File(file), ..step }
}

/// Every command whose text is known beforehand, in the order of the run.
///
/// The runbook's own have their heading; the others are read-only commands beside them.
/// Names that come from the cluster stand behind `--`, where none of them is an option.
/// Guards, permissions and checks are made from their own tables: [`guard_step`],
/// [`super::step_for`], [`check_step`].
pub static STEPS: LazyLock<Vec<Step>> = LazyLock::new(|| {
    vec![
        ours(
            "version.kubectl",
            Phase::Preflight,
            "kubectl is 1.27 or newer",
            "kubectl version --client -o json",
        ),
        ours("version.curl", Phase::Preflight, "which curl", "curl --version"),
        ours("version.jq", Phase::Preflight, "which jq", "jq --version"),
        Step {
            keep: Keep::Nowhere,
            ..ours(
                "context",
                Phase::Preflight,
                "the context's cluster, user and namespace; its output may hold a password and is not kept",
                r#"kubectl config view --minify --context="$STAGING_CONTEXT" -o 'jsonpath={.contexts[0].context}{"\n"}{.clusters[0].cluster.server}'"#,
            )
        },
        runbook(
            "namespaces",
            Phase::Preflight,
            PREFLIGHT,
            Effect::Reads,
            r#"kubectl --context="$STAGING_CONTEXT" get namespaces"#,
        ),
        runbook(
            "namespace",
            Phase::Preflight,
            PREFLIGHT,
            Effect::Reads,
            r#"kubectl --context="$STAGING_CONTEXT" get namespace "$STAGING_NAMESPACE""#,
        ),
        Step {
            keep: Keep::File("deploy/status_before.txt"),
            ..runbook(
                "status.before",
                Phase::Preflight,
                PREFLIGHT,
                Effect::Reads,
                r#"kubectl --context="$STAGING_CONTEXT" get deploy,po,svc -n "$STAGING_NAMESPACE" -o wide > evidence/staging/$(date +%Y%m%d)/deploy/status_before.txt"#,
            )
        },
        ours(
            "server",
            Phase::Preflight,
            "the version of the API server",
            r#"kubectl --context="$STAGING_CONTEXT" version -o json"#,
        ),
        ours(
            "whoami",
            Phase::Preflight,
            "who the cluster takes us for",
            r#"kubectl --context="$STAGING_CONTEXT" auth whoami -o json"#,
        ),
        ours(
            "uids",
            Phase::Preflight,
            "the identity of the cluster and of the namespace",
            r#"kubectl --context="$STAGING_CONTEXT" get namespaces kube-system "$STAGING_NAMESPACE" -o 'jsonpath={range .items[*]}{.metadata.name}{" "}{.metadata.uid}{"\n"}{end}'"#,
        ),
        ours(
            "objects.before",
            Phase::Preflight,
            "pods that are failing already, and the Deployments' generations",
            r#"kubectl --context="$STAGING_CONTEXT" get deployments.apps,pods -n "$STAGING_NAMESPACE" -o json"#,
        ),
        Step {
            limit: Limit::Run,
            ..ours(
                "watch.pods",
                Phase::Deploy,
                "a failing pod is seen as it fails (stop rule 2)",
                r#"kubectl --context="$STAGING_CONTEXT" get pods -n "$STAGING_NAMESPACE" --watch --output-watch-events"#,
            )
        },
        Step {
            limit: Limit::Confirm,
            ..ours(
                "confirm.pod",
                Phase::Deploy,
                "a failing pod is no pod that is being deleted (stop rule 2)",
                r#"kubectl --context="$STAGING_CONTEXT" get pod -n "$STAGING_NAMESPACE" -o json -- "$POD""#,
            )
        },
        ours(
            "list.pods",
            Phase::Deploy,
            "the watch is not blind: the same question every 10 s (stop rule 2)",
            r#"kubectl --context="$STAGING_CONTEXT" get pods -n "$STAGING_NAMESPACE""#,
        ),
        Step {
            keep: Keep::DeployLog,
            ..runbook(
                "use-context",
                Phase::Deploy,
                DEPLOY,
                Effect::Reads,
                r#"kubectl config use-context "$STAGING_CONTEXT""#,
            )
        },
        apply(
            "apply.api",
            r#"cat k8s/api-deployment.yaml | sed "s/\${AWS_ACCOUNT_ID}/${AWS_ACCOUNT_ID}/g" | sed "s/\${IMAGE_TAG}/${IMAGE_TAG}/g" | kubectl apply -f -"#,
        ),
        apply(
            "apply.worker",
            r#"cat k8s/worker-deployment.yaml | sed "s/\${AWS_ACCOUNT_ID}/${AWS_ACCOUNT_ID}/g" | sed "s/\${IMAGE_TAG}/${IMAGE_TAG}/g" | kubectl apply -f -"#,
        ),
        apply(
            "apply.reaper",
            r#"cat k8s/reaper-deployment.yaml | sed "s/\${AWS_ACCOUNT_ID}/${AWS_ACCOUNT_ID}/g" | sed "s/\${IMAGE_TAG}/${IMAGE_TAG}/g" | kubectl apply -f -"#,
        ),
        ours(
            "objects.applied",
            Phase::Deploy,
            "whether the apply changed the Deployment of a pod that was failing before (stop rule 2)",
            r#"kubectl --context="$STAGING_CONTEXT" get deployments.apps -n "$STAGING_NAMESPACE" -o json"#,
        ),
        rollout(
            "rollout.api",
            r#"kubectl rollout status deployment/dpp-api -n "$STAGING_NAMESPACE" --timeout="$ROLLOUT_TIMEOUT""#,
        ),
        rollout(
            "rollout.worker",
            r#"kubectl rollout status deployment/dpp-worker -n "$STAGING_NAMESPACE" --timeout="$ROLLOUT_TIMEOUT""#,
        ),
        rollout(
            "rollout.reaper",
            r#"kubectl rollout status deployment/dpp-reaper -n "$STAGING_NAMESPACE" --timeout="$ROLLOUT_TIMEOUT""#,
        ),
        Step {
            keep: Keep::File("deploy/status_after.txt"),
            ..runbook(
                "status.after",
                Phase::Deploy,
                AFTER,
                Effect::Reads,
                r#"kubectl --context="$STAGING_CONTEXT" get deploy,po,svc -n "$STAGING_NAMESPACE" -o wide > evidence/staging/$(date +%Y%m%d)/deploy/status_after.txt"#,
            )
        },
        ours(
            "objects.after",
            Phase::Deploy,
            "every container's state, the Deployments' conditions, the Services' endpoints",
            r#"kubectl --context="$STAGING_CONTEXT" get deployments.apps,pods,services,endpointslices.discovery.k8s.io -n "$STAGING_NAMESPACE" -o json"#,
        ),
        Step {
            limit: Limit::Request,
            ..ours("gate.health", Phase::Smoke, "stop rule 3", curl!("\"$STAGING_BASE_URL/health\""))
        },
        Step {
            limit: Limit::Request,
            ..ours("gate.readyz", Phase::Smoke, "stop rule 3", curl!("\"$STAGING_BASE_URL/readyz\""))
        },
        ours(
            "body.health",
            Phase::Smoke,
            "the answer of check 1 says healthy, and this version",
            r#"jq -R -s -e --arg version "$VERSION" 'split("\r\n\r\n")[1:] | join("\r\n\r\n") | fromjson | .status == "healthy" and .version == $version' ../smoke/responses/01-health.http"#,
        ),
        ours(
            "body.readyz",
            Phase::Smoke,
            "the answer of check 2 says ready, with every service up",
            r#"jq -R -s -e 'split("\r\n\r\n")[1:] | join("\r\n\r\n") | fromjson | .status == "ready" and ([.services[] | if type == "object" then .status else . end] | length > 0 and all(. == "up"))' ../smoke/responses/02-readyz.http"#,
        ),
        Step {
            limit: Limit::Samples,
            ..ours("latency.health", Phase::Smoke, "latency of health and readyz", samples!("health,readyz"))
        },
        Step {
            limit: Limit::Samples,
            ..ours(
                "latency.docs",
                Phase::Smoke,
                "latency of openapi and docs",
                samples!(".well-known/openapi.json,api-docs"),
            )
        },
        // Of several objects kubectl 1.36 and later show events only if asked to.
        dump(
            "dump.describe",
            "dump_logs/k8s_describe.txt",
            r#"kubectl --context="$STAGING_CONTEXT" describe deployments,pods -n "$STAGING_NAMESPACE" --show-events=true"#,
        ),
        dump(
            "dump.events",
            "dump_logs/k8s_events.txt",
            r#"kubectl --context="$STAGING_CONTEXT" get events -n "$STAGING_NAMESPACE" --sort-by=.lastTimestamp"#,
        ),
        dump(
            "dump.logs",
            "dump_logs/app_logs_tail.txt",
            r#"kubectl --context="$STAGING_CONTEXT" logs -n "$STAGING_NAMESPACE" --all-containers --prefix --tail=200 -- "$POD""#,
        ),
        dump(
            "dump.previous",
            "dump_logs/app_logs_tail.txt",
            r#"kubectl --context="$STAGING_CONTEXT" logs -n "$STAGING_NAMESPACE" -c "$CONTAINER" --prefix --tail=200 --previous -- "$POD""#,
        ),
    ]
});

/// The row with this id.
///
/// # Panics
/// If there is none: the ids are ours, and a test asks for each.
pub fn step(id: &str) -> &'static Step {
    STEPS.iter().find(|step| step.id == id).unwrap_or_else(|| panic!("no step {id}"))
}

/// The pipeline that applies a manifest, less its last stage: what would be applied, as text.
pub fn render_step(deployment: &Deployment) -> Step {
    Step {
        id: format!("render.{}", deployment.key).into(),
        text: step(&format!("apply.{}", deployment.key)).text.replace(" | kubectl apply -f -", "").into(),
        ..ours("", Phase::Preflight, "what would be applied, as text", "")
    }
}

/// The pipeline that applies a manifest, as a server-side dry run: where each object would land.
///
/// `-o json` would print a Secret's data; the template prints names.
pub fn guard_step(deployment: &Deployment) -> Step {
    let dry_run = format!(
        "kubectl --context=\"$STAGING_CONTEXT\" apply --dry-run=server -o go-template='{}' -f -",
        dry_run::TEMPLATE
    );
    Step {
        id: format!("guard.{}", deployment.key).into(),
        effect: Effect::Asks,
        text: step(&format!("apply.{}", deployment.key)).text.replace("kubectl apply -f -", &dry_run).into(),
        limit: Limit::Apply,
        ..ours("", Phase::Preflight, "the server takes the manifest, and where each object would land", "")
    }
}

/// The command of a smoke check. With a key, `curl` reads its header from standard input: the key stands in
/// no argument and no environment.
pub fn check_step(check: &Check, with_key: bool) -> Step {
    let key = if with_key && check.takes_key() { "-H @- " } else { "" };
    Step {
        id: check.id().into(),
        heading: Some("### 5. Execute Smoke Tests"),
        text: format!("{}{key}\"${}{}\"", curl!(""), check.base, check.path).into(),
        keep: Keep::Response,
        limit: Limit::Request,
        ..ours("", Phase::Smoke, check.note, "")
    }
}
