//! What the scenario makes of its pods, as Stages of kwok: each marks some pods with the annotations by which
//! `tests/real/pods.yaml` decides.

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use rehearsal::{FATE, Fate, Scenario, When, With};
use serde_json::{Value, json};

const PODS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/pods.yaml");

/// The tag that the run deploys.
pub(crate) const NEW_TAG: &str = "v0.4.2.2";

/// So long after a pod runs its fate comes, where the scenario wants the rollout to be watched by then.
const ROLLOUT_WATCHED: Duration = Duration::from_secs(10);

/// The same for what is to come after the API server has ended the first watch of pods.
const WATCH_CUT: Duration = Duration::from_secs(15);

/// kwok's configuration: the ordinary life of pods, and this scenario's marks.
pub(crate) fn kwok_config(scenario: &Scenario) -> io::Result<String> {
    let mut config = fs_err::read_to_string(PODS)?;
    for mark in marks(scenario) {
        let _ = write!(config, "---\n{mark}\n");
    }
    Ok(config)
}

fn marks(scenario: &Scenario) -> Vec<Value> {
    let mark = |with: &With| match with {
        With::New { when: When::ApiAsked(_), .. } => None,
        With::New { deployment, fate, when } => {
            let after = match (when, fate) {
                (When::PodsWatchedAgain, _) => WATCH_CUT,
                (When::After(delay), _) => *delay,
                (_, Fate::CrashLoop { .. } | Fate::Error { .. }) => ROLLOUT_WATCHED,
                _ => Duration::ZERO,
            };
            let annotations = match fate {
                Fate::Ready => json!({"staging.test/ready-after": millis(after)}),
                fate => annotations(fate, after)?,
            };
            Some(stage(deployment, NEW_TAG, &annotations))
        }
        With::OldEvery { deployment, fate } => {
            Some(stage(deployment, scenario.running_tag(), &annotations(fate, Duration::ZERO)?))
        }
        With::TermExitCode { deployment, code } => {
            let annotations = json!({"staging.test/term-exit-code": code.to_string()});
            Some(stage(deployment, scenario.running_tag(), &annotations))
        }
        _ => None,
    };
    scenario.with.iter().filter_map(mark).collect()
}

/// The annotations that bring this fate over a pod; `None`: it needs none.
pub(crate) fn annotations(fate: &Fate, after: Duration) -> Option<Value> {
    let mut all = json!({FATE: fate.word()?, "staging.test/after": millis(after)});
    if let Fate::CrashLoop { exit_code, .. } | Fate::Error { exit_code } = fate {
        all["staging.test/exit-code"] = json!(exit_code.to_string());
    }
    if let Fate::CrashLoop { restarts, .. } = fate {
        all["staging.test/restarts"] = json!(restarts.to_string());
    }
    Some(all)
}

/// As Go reads a duration.
fn millis(duration: Duration) -> String {
    format!("{}ms", duration.as_millis())
}

/// A Stage that marks the pods of a Deployment with this tag. It outweighs the others, which have no weight.
fn stage(deployment: &str, tag: &str, annotations: &Value) -> Value {
    let first = annotations.as_object().and_then(|all| all.keys().next()).cloned().unwrap_or_default();
    json!({
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": format!("mark-{deployment}")},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": "Pod"},
            "weight": 1,
            "selector": {"matchExpressions": [
                {"key": ".metadata.deletionTimestamp", "operator": "DoesNotExist"},
                {"key": ".metadata.labels.app", "operator": "In", "values": [deployment]},
                {"key": format!(".spec.containers[0].image | endswith(\":{tag}\")"), "operator": "In", "values": ["true"]},
                {"key": format!(".metadata.annotations[\"{first}\"]"), "operator": "DoesNotExist"},
            ]},
            "steps": [{"patch": {
                "type": "merge", "root": "metadata", "template": json!({"annotations": annotations}).to_string(),
            }}],
        },
    })
}
