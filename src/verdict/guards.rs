//! The guards: conditions that must hold before anything on the cluster is changed.
//!
//! Each guard is a pure function of the [`RunState`]. A finding names what was found, where, and what to do.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::events::{ManifestFile, Outcome};
use crate::run_state::RunState;
use crate::runbook::StepId;

/// The oldest kubectl version that the runbook accepts (Required Tools).
const OLDEST_KUBECTL: (u32, u32) = (1, 27);

/// A guard: a condition that must hold before anything is changed.
pub struct Guard {
    /// Its id for `explain`.
    pub id: &'static str,
    /// The condition.
    pub text: &'static str,
    find: fn(&RunState) -> Vec<(String, String)>,
    /// Whether its findings make the findings of the guards below it meaningless.
    ends_the_search: bool,
}

/// A finding of a guard, which refuses the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The id of the guard.
    pub guard: String,
    /// What was found, and where.
    pub found: String,
    /// What to do next.
    pub next: String,
}

/// All guards, in the order in which their findings are printed.
pub static GUARDS: &[Guard] = &[
    Guard {
        id: "guard-kubectl",
        text: "kubectl is 1.27 or newer",
        find: kubectl_too_old,
        ends_the_search: true,
    },
    Guard {
        id: "guard-context",
        text: "the context is in the kubeconfig",
        find: context_unknown,
        ends_the_search: true,
    },
    Guard {
        id: "guard-access",
        text: "the cluster answers, and the namespace exists",
        find: no_access,
        ends_the_search: true,
    },
    Guard {
        id: "guard-permissions",
        text: "every required permission is granted",
        find: not_permitted,
        ends_the_search: false,
    },
    Guard {
        id: "guard-manifest",
        text: "every manifest is there and contains an object",
        find: unusable_manifest,
        ends_the_search: true,
    },
    Guard {
        id: "guard-secret",
        text: "no manifest contains a Secret, which would become evidence",
        find: secret,
        ends_the_search: true,
    },
    Guard {
        id: "guard-named-value",
        text: "no manifest contains a value that must not become evidence",
        find: named_value,
        ends_the_search: true,
    },
    Guard {
        id: "guard-placeholder",
        text: "no placeholder is left after the substitutions",
        find: placeholder,
        ends_the_search: false,
    },
    Guard {
        id: "guard-accepted",
        text: "the API server accepts every manifest (server-side dry run)",
        find: not_accepted,
        ends_the_search: false,
    },
    Guard {
        id: "guard-namespace",
        text: "every object lands in the run's namespace",
        find: elsewhere,
        ends_the_search: false,
    },
    Guard {
        id: "guard-deployment",
        text: "each manifest contains its Deployment",
        find: no_deployment,
        ends_the_search: false,
    },
    Guard {
        id: "guard-use-context",
        text: "kubectl accepts the context",
        find: context_not_taken,
        ends_the_search: false,
    },
];

/// Returns the findings of all guards.
pub(super) fn findings(run: &RunState) -> Vec<Finding> {
    let mut all = Vec::new();
    for guard in GUARDS {
        let found = (guard.find)(run);
        if found.is_empty() {
            continue;
        }
        all.extend(found.into_iter().map(|(found, next)| Finding {
            guard: guard.id.to_owned(),
            found,
            next,
        }));
        if guard.ends_the_search {
            break;
        }
    }
    all
}

fn kubectl_too_old(run: &RunState) -> Vec<(String, String)> {
    let (major, minor) = OLDEST_KUBECTL;
    run.versions
        .iter()
        .filter(|tool| tool.name == "kubectl" && tool.numbers.is_none_or(|numbers| numbers < OLDEST_KUBECTL))
        .map(|tool| {
            let path = run.tools.iter().find(|t| t.name == "kubectl").map_or("PATH", |t| t.path.as_str());
            let is = match &tool.version {
                Some(version) => format!("is {version}"),
                None => "reports no version".to_owned(),
            };
            (
                format!("kubectl at {path} {is}: the runbook needs {major}.{minor} or newer"),
                "install a newer one: https://kubernetes.io/docs/tasks/tools/#kubectl".to_owned(),
            )
        })
        .collect()
}

fn context_unknown(run: &RunState) -> Vec<(String, String)> {
    failed(run, &StepId::Context, |run, said| {
        let context = target(run, |t| &t.context);
        if run.outcome(&StepId::Context).is_some_and(|outcome| outcome.ended_by.is_our_doing()) {
            return (
                format!("kubectl could not be asked for the context {context:?}: {said}"),
                by_hand(context),
            );
        }
        (
            format!("STAGING_CONTEXT is {context:?}: kubectl doesn't know it ({said})"),
            "list the contexts: kubectl config get-contexts -o name".to_owned(),
        )
    })
}

fn by_hand(context: &str) -> String {
    format!(
        "try it by hand, and log in first if it asks you to: kubectl --context={context:?} get namespaces"
    )
}

fn no_access(run: &RunState) -> Vec<(String, String)> {
    let namespaces = failed(run, &StepId::Namespaces, |run, said| {
        let context = target(run, |t| &t.context);
        (
            format!("the cluster of context {context:?} could not be asked for its namespaces: {said}"),
            by_hand(context),
        )
    });
    if !namespaces.is_empty() {
        return namespaces;
    }
    let namespace = failed(run, &StepId::Namespace, |run, said| {
        let namespace = target(run, |t| &t.namespace);
        (
            format!("namespace {namespace} could not be read: {said}"),
            format!("check STAGING_NAMESPACE, or create it: kubectl create namespace {namespace}"),
        )
    });
    if !namespace.is_empty() {
        return namespace;
    }
    failed(run, &StepId::StatusBefore, |run, said| {
        let namespace = target(run, |t| &t.namespace);
        (
            format!("Deployments, pods and services of namespace {namespace} could not be listed: {said}"),
            "ask the cluster's administrator for list on deployments.apps, pods and services there"
                .to_owned(),
        )
    })
}

fn not_permitted(run: &RunState) -> Vec<(String, String)> {
    let user = run.cluster_user.as_deref().unwrap_or("this user");
    let uids = failed(run, &StepId::Uids, |_, said| {
        let found =
            format!("the UID of kube-system, which identifies the cluster, could not be read: {said}");
        (found, "ask the cluster's administrator for get on the namespace kube-system by name".to_owned())
    });
    let answers = run.permissions.iter().filter(|answer| answer.granted != Some(true)).map(|answer| {
        let what = &answer.question;
        let needed = &answer.needed_for;
        if answer.granted.is_some() {
            return (
                format!("{user} may not {what}, needed for {needed}"),
                format!("ask the cluster's administrator for it; check with: kubectl auth can-i {what}"),
            );
        }
        let no_word = "it printed neither yes nor no";
        let why = run.outcome(&answer.id).map_or(no_word.to_owned(), |outcome| said(outcome, no_word));
        (
            format!("kubectl auth can-i {what}: {why}, needed for {needed}"),
            format!("ask by hand, and run again once it answers: kubectl auth can-i {what}"),
        )
    });
    uids.into_iter().chain(answers).collect()
}

fn unusable_manifest(run: &RunState) -> Vec<(String, String)> {
    let look = "give the directory of the manifests: --manifests DIR (default k8s)";
    run.manifests
        .iter()
        .filter_map(|manifest| {
            let at = &manifest.found_at;
            if let Some(why) = &manifest.unreadable {
                return Some((format!("{at} can't be read: {why}"), look.to_owned()));
            }
            let holds = run.runbook.deployment_in(&manifest.file).map_or("", |d| &d.name);
            manifest.blank.then(|| {
                (format!("{at} contains nothing to apply"), format!("put the Deployment {holds} into it"))
            })
        })
        .collect()
}

fn secret(run: &RunState) -> Vec<(String, String)> {
    if run.began.as_ref().is_some_and(|(_, began)| began.options.keep_secrets) {
        return Vec::new();
    }
    let next =
        "move it to a file the run does not apply, or give --keep-secrets to keep its bytes as evidence";
    let textual = run.manifests.iter().filter(|manifest| manifest.holds_secret).map(|m| m.file.as_str());
    let landing = run
        .landings
        .iter()
        .filter(|landed| landed.objects.iter().any(|object| object.kind == "Secret"))
        .map(|landed| landed.file.as_str());
    let mut files: Vec<&str> = textual.chain(landing).collect();
    files.dedup();
    files
        .into_iter()
        .map(|file| (format!("{file} contains a Secret, which would become evidence"), next.to_owned()))
        .collect()
}

fn named_value(run: &RunState) -> Vec<(String, String)> {
    let held = |manifest: &ManifestFile| {
        let mut names: BTreeSet<&str> = manifest.holds_named.iter().map(String::as_str).collect();
        // Some values occur only after the placeholders are filled in.
        let row = run.runbook.deployment_in(&manifest.file);
        let rendered = row.and_then(|row| run.outcome(&StepId::Render(row.id.clone())));
        let taken_out = rendered.into_iter().flat_map(|outcome| &outcome.redactions);
        names.extend(taken_out.map(|redaction| redaction.name.as_str()));
        let (file, names) = (&manifest.file, names.into_iter().collect::<Vec<_>>().join(" and "));
        let next = "have the pod read it from a Secret of the cluster: env.valueFrom.secretKeyRef".to_owned();
        (!names.is_empty())
            .then(|| (format!("{file} contains the value of {names}, which must not become evidence"), next))
    };
    run.manifests.iter().filter_map(held).collect()
}

fn placeholder(run: &RunState) -> Vec<(String, String)> {
    let Some((_, began)) = &run.began else { return Vec::new() };
    let unset = run
        .manifests
        .iter()
        .filter(|manifest| {
            began.target.aws_account_id.is_none() && manifest.placeholders.iter().any(|name| name == "AWS_ACCOUNT_ID")
        })
        .map(|manifest| {
            (
                format!("{} contains ${{AWS_ACCOUNT_ID}}, and AWS_ACCOUNT_ID is not set", manifest.file),
                "export AWS_ACCOUNT_ID=\"123456789012\"; find it: aws sts get-caller-identity --query Account --output text"
                    .to_owned(),
            )
        });
    let left = run.placeholders_left.iter().flat_map(|(file, names)| {
        names.iter().filter(|name| !began.options.allow_placeholder.contains(name)).map(move |name| {
            (
                format!("${{{name}}} is left in {file} after the runbook's substitutions"),
                format!("replace it in the manifest, or allow it: --allow-placeholder {name}"),
            )
        })
    });
    unset.chain(left).collect()
}

fn not_accepted(run: &RunState) -> Vec<(String, String)> {
    run.runbook
        .deployments
        .iter()
        .flat_map(|deployment| {
            let step = StepId::Guard(deployment.id.clone());
            failed(run, &step, |_, said| {
                let next = if said.contains("(Forbidden)") {
                    "ask the cluster's administrator for what `kubectl apply` needs there".to_owned()
                } else {
                    format!(
                        "fix the manifest; `run` keeps the server's full answer in preflight/out/{step}.err"
                    )
                };
                (format!("{} is not accepted: {said}", deployment.manifest), next)
            })
        })
        .collect()
}

fn elsewhere(run: &RunState) -> Vec<(String, String)> {
    let namespace = target(run, |t| &t.namespace);
    run.landings
        .iter()
        .flat_map(|landed| landed.objects.iter().map(move |object| (&landed.file, object)))
        .filter(|(_, object)| object.namespace.as_deref() != Some(namespace))
        .map(|(file, object)| {
            let lands = match &object.namespace {
                Some(other) => format!("would land in namespace {other}, not in {namespace}"),
                None => format!("belongs to no namespace, and the run changes only {namespace}"),
            };
            let next = match &object.namespace {
                Some(_) => {
                    format!("give it `namespace: {namespace}` in its metadata, or check STAGING_NAMESPACE")
                }
                None => "apply it by hand, outside the dry run".to_owned(),
            };
            (format!("{file}: {} {} {lands}", object.kind, object.name), next)
        })
        .collect()
}

fn no_deployment(run: &RunState) -> Vec<(String, String)> {
    run.landings
        .iter()
        .filter_map(|landed| Some((landed, run.runbook.deployment_in(&landed.file)?)))
        .filter(|(landed, deployment)| {
            !landed.objects.iter().any(|object| object.kind == "Deployment" && object.name == deployment.name)
        })
        .map(|(landed, deployment)| {
            (
                format!("{} contains no Deployment {}", landed.file, deployment.name),
                "step 3 of the runbook waits for it by this name: put it there".to_owned(),
            )
        })
        .collect()
}

fn context_not_taken(run: &RunState) -> Vec<(String, String)> {
    failed(run, &StepId::UseContext, |_, said| {
        (
            format!("kubectl config use-context failed: {said}"),
            "nothing was applied; list the contexts: kubectl config get-contexts; the full error is in deploy/stderr.log"
                .to_owned(),
        )
    })
}

fn failed(
    run: &RunState,
    id: &StepId,
    finding: impl Fn(&RunState, &str) -> (String, String),
) -> Vec<(String, String)> {
    run.outcome(id)
        // If a command was ended because a stop rule fired, its outcome does not answer the query.
        .filter(|outcome| !outcome.succeeded() && !outcome.ended_by.is_cancelled())
        .map(|outcome| finding(run, &said(outcome, "it printed no error")))
        .into_iter()
        .collect()
}

/// Why a command gave no answer: that we ended it, its first error, or else the given words.
fn said(outcome: &Outcome, otherwise: &str) -> String {
    match (outcome.ended_by.says(), outcome.first_error.as_deref()) {
        (Some(by_us), Some(said)) => format!("{by_us}; its error was: {said}"),
        (by_us, said) => by_us.or(said).unwrap_or(otherwise).to_owned(),
    }
}

fn target(run: &RunState, field: impl Fn(&crate::events::Target) -> &String) -> &str {
    run.began.as_ref().map_or("", |(_, began)| field(&began.target))
}
