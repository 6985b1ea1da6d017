use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

/// Who runs what, on what: the first event of a journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Began {
    pub run_id: String,
    pub evidence_dir: String,
    pub target: Target,
    pub options: Options,
    pub with_key: bool,
    pub who: Who,
    pub git: Git,
    pub program: Program,
    /// The names of the variables that can change what kubectl and curl do; never their values.
    pub environment: Vec<String>,
    pub previous_run: Option<PreviousRun>,
}

/// The inputs, less what is secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Target {
    pub context: String,
    pub namespace: String,
    /// As it was typed but for a trailing `/`; so is the next one.
    pub base_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics_url: Option<String>,
    pub image_tag: String,
    pub aws_account_id: Option<String>,
    pub aws_region: String,
}

impl Target {
    /// An input by its name; `None`: it was not set, or is secret.
    pub fn input(&self, name: &str) -> Option<&str> {
        match name {
            "STAGING_CONTEXT" => Some(&self.context),
            "STAGING_NAMESPACE" => Some(&self.namespace),
            "STAGING_BASE_URL" => Some(&self.base_url),
            "STAGING_METRICS_URL" => self.metrics_url.as_deref(),
            "AWS_ACCOUNT_ID" => self.aws_account_id.as_deref(),
            "AWS_REGION" => Some(&self.aws_region),
            "IMAGE_TAG" => Some(&self.image_tag),
            _ => None,
        }
    }

    /// What this variable is in the run: where an API under test is asked.
    pub fn base(&self, variable: &str) -> &str {
        match variable {
            "STAGING_METRICS_URL" => self.metrics_url.as_ref().unwrap_or(&self.base_url),
            _ => &self.base_url,
        }
    }
}

/// What the run was told to do otherwise than by default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Options {
    pub apply: bool,
    pub strict: bool,
    /// STATUS words that stop a run beside the runbook's.
    pub stop_on: Vec<String>,
    /// Placeholders that may be left in a manifest.
    pub allow_placeholder: Vec<String>,
    pub keep_secrets: bool,
    /// As `kubectl rollout status` takes it, e.g. `5m`.
    pub rollout_timeout: String,
    /// How long `/health` and `/readyz` may take to answer 200, in ms.
    pub health_timeout_ms: u64,
    /// The SSH key that was to sign the sums, by its path.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sign_with: Option<Utf8PathBuf>,
}

/// The person and the machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Who {
    pub user: Option<String>,
    pub host: Option<String>,
    pub ci: Option<Ci>,
}

/// The CI job, by the variables its system documents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Ci {
    pub system: String,
    pub actor: Option<String>,
    pub url: Option<String>,
}

/// The repository of the manifests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Git {
    pub commit: Option<String>,
    pub branch: Option<String>,
    /// Whether the manifests differ from the commit.
    pub manifests_dirty: Option<bool>,
    /// Why the others are null.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// This program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Program {
    pub name: String,
    pub version: String,
    pub sha256: Option<String>,
    pub argv: Vec<String>,
    pub runbook: RunbookId,
}

/// The runbook this program was built with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct RunbookId {
    pub id: String,
    pub sha256: String,
}

/// The run before, on the same day or an earlier one, and where its evidence is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct PreviousRun {
    pub run_id: Option<String>,
    pub dir: String,
    pub manifest_sha256: Option<String>,
    /// What it had changed on the cluster, if it did not come to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interrupted: Option<String>,
}
