//! The scenarios: rows of plain data.

use std::borrow::Cow;
use std::time::Duration;

use super::{Answer, Denied, Fate, Row, Text, Until, When, With};

const API: Text = Cow::Borrowed("dpp-api");

const fn new_api_pods(fate: Fate, when: When) -> With {
    With::New { deployment: API, fate, when }
}

const fn answers(path: &'static str, answer: Answer) -> With {
    With::Answer { path: Cow::Borrowed(path), answer }
}

const fn manifest(file: &'static str, find: &'static str, replace: &'static str) -> With {
    With::Manifest { file: Cow::Borrowed(file), find: Cow::Borrowed(find), replace: Cow::Borrowed(replace) }
}

const fn applied(kind: &'static str, name: &'static str, pointer: &'static str, value: &'static str) -> With {
    With::Applied {
        kind: Cow::Borrowed(kind),
        name: Cow::Borrowed(name),
        pointer: Cow::Borrowed(pointer),
        value: Cow::Borrowed(value),
    }
}

const fn object(json: &'static str) -> With {
    With::Object(Cow::Borrowed(json))
}

const SHORT_DEADLINE: With = manifest(
    "api-deployment.yaml",
    "spec:\n  replicas: 3\n",
    "spec:\n  progressDeadlineSeconds: 6\n  replicas: 3\n",
);

/// What is deployed has that tag already: applying it again changes nothing.
const DEPLOYED_ALREADY: With = With::RunningTag(Cow::Borrowed("v0.4.2.2"));

/// Pods of this template break the restricted Pod Security level.
const MAY_ESCALATE: With =
    manifest("api-deployment.yaml", "            allowPrivilegeEscalation: false\n", "");

const TWO_MORE_SERVICES: With = manifest(
    "api-deployment.yaml",
    "automountServiceAccountToken: false\n---\n",
    "automountServiceAccountToken: false\n---\n\
     apiVersion: v1\nkind: Service\nmetadata: {name: dpp-api-one, namespace: dpp-staging}\n\
     spec: {ports: [{port: 80}]}\n---\n\
     apiVersion: v1\nkind: Service\nmetadata: {name: dpp-api-two, namespace: dpp-staging}\n\
     spec: {ports: [{port: 80}]}\n---\n",
);

const NOT_FOUND: &str = "{\"detail\":\"Not Found\"}";
const NOT_READY: &str = "{\"status\":\"not_ready\",\"services\":{\"database\":\"down\",\"redis\":\"up\",\"s3\":\"up\",\"sqs\":\"up\"}}";

/// Makes of the rows the table, and the macro that makes a test of each.
macro_rules! scenarios {
    ($dollar:tt $($test:ident { name: $name:literal, about: $about:literal, with: $with:expr $(,)? })*) => {
        /// Every scenario.
        pub static SCENARIOS: &[Row] = &[$(Row { name: $name, about: $about, with: $with }),*];

        /// Calls a macro with every scenario: `healthy "healthy" crash_loop "crash-loop" …`, so that it can make a
        /// test of each.
        #[macro_export]
        macro_rules! for_each_scenario {
            ($dollar each:ident) => { $dollar each! { $($test $name)* } };
        }
    };
}

scenarios! { $
    healthy {
        name: "healthy",
        about: "all three Deployments roll out, all ten checks pass",
        with: &[],
    }
    crash_loop {
        name: "crash-loop",
        about: "the new dpp-api pod ends in CrashLoopBackOff; three old ones still serve",
        with: &[new_api_pods(Fate::CrashLoop { exit_code: 1, restarts: 2 }, When::RolloutWatched)],
    }
    error_pod {
        name: "error-pod",
        about: "the new dpp-api pod's container ends with an error: STATUS Error",
        with: &[new_api_pods(Fate::Error { exit_code: 1 }, When::RolloutWatched)],
    }
    already_crashing_and_fixed {
        name: "already-crashing-and-fixed",
        about: "one dpp-api pod was in CrashLoopBackOff before; the deploy replaces it",
        with: &[With::Old { deployment: API, pod: 0, fate: Fate::CrashLoop { exit_code: 1, restarts: 9 } }],
    }
    rollout_timeout {
        name: "rollout-timeout",
        about: "the new dpp-api pod runs but never becomes ready",
        with: &[new_api_pods(Fate::NeverReady, When::RolloutWatched)],
    }
    image_pull {
        name: "image-pull",
        about: "the new dpp-api image can't be pulled: ImagePullBackOff, and no end of the rollout",
        with: &[new_api_pods(Fate::ImagePull, When::RolloutWatched)],
    }
    smoke_8_of_10 {
        name: "smoke-8-of-10",
        about: "the rollout succeeds; two of the ten checks fail",
        with: &[
            answers("/llms.txt", Answer::text(404, NOT_FOUND)),
            answers("/redoc", Answer::text(404, NOT_FOUND)),
        ],
    }
    smoke_7_of_10 {
        name: "smoke-7-of-10",
        about: "the rollout succeeds; three of the ten checks fail",
        with: &[
            answers("/llms.txt", Answer::text(404, NOT_FOUND)),
            answers("/redoc", Answer::text(404, NOT_FOUND)),
            answers("/pricing/ssot.json", Answer::text(500, "{\"detail\":\"Internal Server Error\"}")),
        ],
    }
    readyz_503 {
        name: "readyz-503",
        about: "the rollout succeeds; /readyz answers 503 for ever",
        with: &[answers("/readyz", Answer::text(503, NOT_READY))],
    }
    ready_after_30s {
        name: "ready-after-30s",
        about: "the rollout succeeds; /readyz answers 503 for 30 s, then 200",
        with: &[answers("/readyz", Answer::holding(503, NOT_READY, Until::Passed(Duration::from_secs(30))))],
    }
    forbidden {
        name: "forbidden",
        about: "the user may not patch Deployments",
        with: &[With::Denied(Denied::new("patch", "apps", "deployments"))],
    }
    wrong_namespace {
        name: "wrong-namespace",
        about: "STAGING_NAMESPACE is another one (default) than the manifests name",
        with: &[
            With::StagingNamespace(Cow::Borrowed("default")),
            With::AlsoGrantedIn(Cow::Borrowed("default")),
        ],
    }
    watch_cut {
        name: "watch-cut",
        about: "the server ends the first watch of pods silently; the crash shows on the next one only",
        with: &[
            With::CutPodsWatch,
            new_api_pods(Fate::CrashLoop { exit_code: 1, restarts: 2 }, When::PodsWatchedAgain),
        ],
    }
    progress_deadline {
        name: "progress-deadline",
        about: "the new dpp-api pod never becomes ready, and the Deployment's progress deadline passes",
        with: &[SHORT_DEADLINE, new_api_pods(Fate::PastDeadline, When::RolloutWatched)],
    }
    progress_deadline_passed_before {
        name: "progress-deadline-passed-before",
        about: "the same after an earlier deploy of the same manifests: applying them again changes nothing",
        with: &[
            SHORT_DEADLINE,
            applied("Deployment", "dpp-api", "/spec/progressDeadlineSeconds", "6"),
            DEPLOYED_ALREADY,
            With::OldEvery { deployment: API, fate: Fate::PastDeadline },
            new_api_pods(Fate::PastDeadline, When::RolloutWatched),
        ],
    }
    already_crashing_and_not_fixed {
        name: "already-crashing-and-not-fixed",
        about: "one dpp-api pod was in CrashLoopBackOff before; the deploy changes nothing about it",
        with: &[
            DEPLOYED_ALREADY,
            With::Old { deployment: API, pod: 0, fate: Fate::CrashLoop { exit_code: 1, restarts: 9 } },
        ],
    }
    left_over_evicted_pod {
        name: "left-over-evicted-pod",
        about: "a pod that was evicted lies about; no rollout takes it away",
        with: &[With::Old { deployment: API, pod: 0, fate: Fate::Evicted }],
    }
    ends_non_zero_on_term {
        name: "ends-non-zero-on-term",
        about: "the replaced dpp-worker pods end with exit code 1 on TERM: Error, while they are deleted",
        with: &[With::TermExitCode { deployment: Cow::Borrowed("dpp-worker"), code: 1 }],
    }
    hidden_crash_loop {
        name: "hidden-crash-loop",
        about: "a pod's crash loop hides behind its other container's word Completed",
        with: &[object(
            r#"{"apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": "dpp-migrate", "namespace": "dpp-staging",
                             "annotations": {"staging.test/fate": "hidden"}},
                "spec": {"automountServiceAccountToken": false,
                         "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
                         "containers": [
                    {"name": "migrate", "image": "dpp-migrate:1",
                     "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}},
                    {"name": "proxy", "image": "dpp-proxy:1",
                     "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}}]}}"#,
        )],
    }
    crash_during_smoke {
        name: "crash-during-smoke",
        about: "a new dpp-api pod becomes ready, and crashes while the checks are made",
        with: &[
            new_api_pods(Fate::CrashLoop { exit_code: 1, restarts: 2 }, When::ApiAsked("/pricing/ssot.json")),
            answers("/pricing/ssot.json", Answer::slow(Duration::from_secs(8))),
        ],
    }
    quota_no_deployments {
        name: "quota-no-deployments",
        about: "a new namespace whose quota allows no Deployment",
        with: &[
            With::NothingDeployed,
            object(
                r#"{"apiVersion": "v1", "kind": "ResourceQuota",
                    "metadata": {"name": "none", "namespace": "dpp-staging"},
                    "spec": {"hard": {"count/deployments.apps": "0"}}}"#,
            ),
        ],
    }
    quota_pods {
        name: "quota-pods",
        about: "the namespace's quota of pods is used up: no new pod is created",
        with: &[object(
            r#"{"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "nine", "namespace": "dpp-staging"},
                "spec": {"hard": {"pods": "9"}}}"#,
        )],
    }
    pod_security_warns {
        name: "pod-security-warns",
        about: "the new dpp-api pods break the restricted Pod Security level, of which the namespace only warns",
        with: &[
            MAY_ESCALATE,
            applied(
                "Namespace",
                "dpp-staging",
                "/metadata/labels/pod-security.kubernetes.io~1enforce",
                "null",
            ),
        ],
    }
    pod_security_refuses {
        name: "pod-security-refuses",
        about: "the new dpp-api pods break the restricted Pod Security level, which the namespace enforces",
        with: &[MAY_ESCALATE],
    }
    refused_at_the_apply {
        name: "refused-at-the-apply",
        about: "two more Services, of which the quota has room for one: each passes the dry run alone",
        with: &[
            TWO_MORE_SERVICES,
            DEPLOYED_ALREADY,
            object(
                r#"{"apiVersion": "v1", "kind": "ResourceQuota",
                    "metadata": {"name": "two", "namespace": "dpp-staging"}, "spec": {"hard": {"services": "2"}}}"#,
            ),
        ],
    }
}
