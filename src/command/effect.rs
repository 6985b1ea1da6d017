//! Classifies a command line by its effect on a cluster.
//!
//! Closed lists decide ([`arguments`](super::arguments)). Any other word is [`NotUnderstood`], and a step with
//! such a command does not start.

use serde::{Deserialize, Serialize};

use super::CommandLine;
use super::arguments::stage_effect;

/// The effect of a command on the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// The command changes nothing in the cluster.
    ///
    /// `kubectl config use-context` on the run's own overlay is one of these.
    Reads,
    /// A server-side dry run: the server computes the result of an apply and stores nothing.
    #[serde(rename = "asks")]
    DryRun,
    /// The command changes the cluster.
    Changes,
}

impl Effect {
    /// Returns the word for the effect in the journal and on the screen.
    pub fn word(self) -> &'static str {
        match self {
            Self::Reads => "reads",
            Self::DryRun => "asks",
            Self::Changes => "changes",
        }
    }
}

/// The error for a word of a command whose effect is unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not understood here")]
pub struct NotUnderstood(pub String);

impl CommandLine {
    /// Returns the effect of the command: the strongest effect of its stages.
    ///
    /// # Errors
    /// When the effect of a program, a verb or a flag is unknown.
    pub fn effect(&self) -> Result<Effect, NotUnderstood> {
        let mut most = Effect::Reads;
        for stage in &self.stages {
            most = match (most, stage_effect(stage)?) {
                (Effect::Changes, _) | (_, Effect::Changes) => Effect::Changes,
                (Effect::DryRun, _) | (_, Effect::DryRun) => Effect::DryRun,
                (Effect::Reads, Effect::Reads) => Effect::Reads,
            };
        }
        Ok(most)
    }

    /// Returns the command if it has this effect.
    ///
    /// # Errors
    /// When its effect is another one, or is unknown.
    pub fn with_effect(self, effect: Effect) -> Result<Self, String> {
        match self.effect() {
            Ok(known) if known == effect => Ok(self),
            Ok(other) => Err(format!("{self}: it {}, but a command here {}", other.word(), effect.word())),
            Err(error) => Err(format!("{self}: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn effect(text: &str) -> Result<Effect, String> {
        parse(text).unwrap().effect().map_err(|error| error.0)
    }

    #[test]
    fn reading_commands_read() {
        for text in [
            "kubectl version --client -o json",
            r#"kubectl --context="$STAGING_CONTEXT" get pods -n "$STAGING_NAMESPACE" --watch"#,
            r#"kubectl get pod -o json -- "$POD""#,
            r"kubectl rollout status deployment/a --timeout=5m",
            r#"kubectl config use-context "$STAGING_CONTEXT""#,
            r#"kubectl config view --minify --context="$STAGING_CONTEXT" -o 'jsonpath={.contexts}'"#,
            "kubectl auth can-i get pods --subresource=log",
            r#"cat k8s/a.yaml | sed "s/\${IMAGE_TAG}/${IMAGE_TAG}/g""#,
            r#"cat k8s/a.yaml | sed "s/\${AWS_REGION}/$AWS_REGION/g""#,
            r#"curl -q -sS -g -i --max-time 10 -w '%{stderr}%{json}\n' -H @- "$STAGING_BASE_URL/health""#,
            r#"jq -R -s -e --arg version "$VERSION" '.a' ../smoke/responses/x.http"#,
            "jq --version",
        ] {
            assert_eq!(effect(text), Ok(Effect::Reads), "{text}");
        }
    }

    #[test]
    fn an_apply_changes_and_its_server_side_dry_run_asks() {
        for flags in [
            "-f -",
            r#"-n "$STAGING_NAMESPACE" -f -"#,
            r#"--namespace="$STAGING_NAMESPACE" --server-side --filename=-"#,
            "-f - --field-manager=ci",
            "-n dpp-staging --field-manager ci -f -",
        ] {
            assert_eq!(effect(&format!("cat a | kubectl apply {flags}")), Ok(Effect::Changes), "{flags}");
            let dry_run =
                format!("cat a | kubectl apply --dry-run=server -o go-template='{{{{.}}}}' {flags}");
            assert_eq!(effect(&dry_run), Ok(Effect::DryRun), "{flags}");
        }
    }

    #[test]
    fn other_verbs_flags_and_programs_are_not_understood() {
        for (text, word) in [
            ("kubectl delete pod a", "delete"),
            ("kubectl rollout undo deployment/a", "rollout"),
            ("kubectl rollout restart deployment/a", "rollout"),
            ("kubectl config set-context a", "config"),
            ("kubectl create -f -", "create"),
            ("kubectl scale deployment/a --replicas=0", "scale"),
            ("kubectl exec a -- sh", "exec"),
            ("kubectl -v9 get pods", "-v9"),
            (r#"kubectl "$VERB" pods"#, "\"$VERB\""),
            ("kubectl apply -f - --prune", "--prune"),
            ("kubectl apply -f - --dry-run=client", "--dry-run=client"),
            ("kubectl apply -f - --force", "--force"),
            ("kubectl apply -f k8s/", "-f"),
            ("kubectl apply", "kubectl apply of something else than one `-f -`"),
            ("kubectl apply -f - -f -", "kubectl apply of something else than one `-f -`"),
            ("kubectl apply -f - -o go-template=x", "-o go-template of an apply"),
            ("sed -i s/a/b/g file", "sed"),
            ("sed s/a/b/w", "s/a/b/w"),
            ("kubectl --server=https://elsewhere get pods", "--server=https://elsewhere"),
            ("kubectl --context=other get pods", "--context=other"),
            ("kubectl get secrets", "secrets"),
            ("kubectl get pods,secrets", "pods,secrets"),
            ("kubectl get pods --profile-output=x", "--profile-output=x"),
            ("kubectl get pods --kubeconfig x", "--kubeconfig"),
            ("kubectl get pods -o go-template=x", "-o"),
            ("kubectl config view", "config"),
            ("kubectl config view --minify --raw", "--raw"),
            (r#"kubectl get "$POD""#, r#""$POD""#),
            (r#"kubectl get pods "-n$STAGING_NAMESPACE""#, r#""-n$STAGING_NAMESPACE""#),
            (r#"kubectl apply -f - -n "$IMAGE_TAG""#, "-n"),
            (r#"kubectl apply -f - --field-manager="$IMAGE_TAG""#, r#"--field-manager="$IMAGE_TAG""#),
            ("sed 's/a/b/;s/c/d/e'", "'s/a/b/;s/c/d/e'"),
            ("sed 's/x/x/;e id;#'", "'s/x/x/;e id;#'"),
            (r#"sed "s/x/x/;e id;#/${IMAGE_TAG}""#, r#""s/x/x/;e id;#/$IMAGE_TAG""#),
            (r#"sed "s/\${IMAGE_TAG}/${VERSION}/g""#, r#""s/\${IMAGE_TAG}/$VERSION/g""#),
            (
                r#"sed "s/\${STAGING_CONTEXT}/${STAGING_CONTEXT}/g""#,
                r#""s/\${STAGING_CONTEXT}/$STAGING_CONTEXT/g""#,
            ),
            (r#"sed "s/\${IMAGE_TAG}/${IMAGE_TAG}/w""#, r#""s/\${IMAGE_TAG}/$IMAGE_TAG/w""#),
            (r#"sed "s/\${IMAGE_TAG}/${IMAGE_TAG}/g" x"#, "sed"),
            ("cat -", "cat"),
            ("cat /etc/passwd", "cat"),
            ("cat k8s/../../x", "cat"),
            ("cat a b", "cat"),
            ("curl -X POST \"$STAGING_BASE_URL/\"", "-X"),
            ("curl -q -o file \"$STAGING_BASE_URL/\"", "-o"),
            ("curl -q -w @file \"$STAGING_BASE_URL/\"", "-w"),
            ("curl -q -w '%output{file}' \"$STAGING_BASE_URL/\"", "-w"),
            ("curl -sS \"$STAGING_BASE_URL/\"", "-sS"),
            ("curl -q https://elsewhere", "https://elsewhere"),
            (r#"curl -q "${IMAGE_TAG}:///etc/passwd""#, r#""$IMAGE_TAG:///etc/passwd""#),
            (r#"curl -q "$STAGING_BASE_URL@elsewhere/""#, r#""$STAGING_BASE_URL@elsewhere/""#),
            ("jq -f program", "-f"),
            (r#"jq "-f$IMAGE_TAG""#, r#""-f$IMAGE_TAG""#),
            ("jq '$ENV'", "'$ENV'"),
            ("jq env", "env"),
            ("jq . /etc/passwd", "/etc/passwd"),
            ("jq . ../smoke/responses/../../x", "../smoke/responses/../../x"),
            ("kubectl get events | tail -20", "tail"),
            ("bash tools/deploy.sh", "bash"),
        ] {
            assert_eq!(effect(text), Err(word.to_owned()), "{text}");
        }
    }
}
