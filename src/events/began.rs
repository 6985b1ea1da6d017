//! The first event of a journal: who runs which program, with which inputs and options.
//!
//! The event never contains the API key. Of the variables that influence kubectl and curl, it contains the
//! names, not the values.

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use super::Scope;

/// The first event of a journal: the inputs, the options, the person and the program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Began {
    /// The format of the whole journal, `staging-dry-run/journal/2`.
    pub schema: String,
    /// The part of the runbook that the run carries out.
    pub scope: Scope,
    /// The identity of the run: its start in UTC, and six random hexadecimal digits.
    pub run_id: String,
    /// The absolute path of the directory where the evidence was written.
    pub evidence_dir: String,
    /// The inputs.
    pub target: Target,
    /// The options.
    pub options: Options,
    /// Whether `STAGING_API_KEY` was set.
    pub with_key: bool,
    /// The person and the machine.
    pub who: Who,
    /// The repository of the manifests.
    pub git: Git,
    /// The program.
    pub program: Program,
    /// The names of the set variables that influence kubectl and curl; never their values.
    pub environment: Vec<String>,
    /// The run before this one; `None` if there is none.
    pub previous_run: Option<PreviousRun>,
}

/// The inputs, without the secret ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// `STAGING_CONTEXT`: the kubeconfig context.
    pub context: String,
    /// `STAGING_NAMESPACE`: the namespace of the deployment.
    pub namespace: String,
    /// `STAGING_BASE_URL`, without a final `/`.
    pub base_url: String,
    /// `STAGING_METRICS_URL`, without a final `/`; `None` if it was not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics_url: Option<String>,
    /// `IMAGE_TAG`: the tag of the images.
    pub image_tag: String,
    /// `AWS_ACCOUNT_ID`; `None` if it was not set.
    pub aws_account_id: Option<String>,
    /// `AWS_REGION`.
    pub aws_region: String,
}

impl Target {
    /// Returns an input by its name; `None` if it was not set or is secret.
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

    /// Returns the base URL of a variable; without `STAGING_METRICS_URL` it is the main base URL.
    pub fn base(&self, variable: &str) -> &str {
        match variable {
            "STAGING_METRICS_URL" => self.metrics_url.as_ref().unwrap_or(&self.base_url),
            _ => &self.base_url,
        }
    }
}

/// The options of the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// Whether the run applies manifests; false with `--no-apply`.
    pub apply: bool,
    /// `--strict`
    pub strict: bool,
    /// STATUS words that stop a run in addition to the runbook's.
    pub stop_on: Vec<String>,
    /// The names of placeholders that may remain in a manifest.
    pub allow_placeholder: Vec<String>,
    /// `--keep-secrets`: whether a manifest with a Secret is copied into the evidence.
    pub keep_secrets: bool,
    /// The timeout of `kubectl rollout status`, as kubectl parses it, such as `5m`.
    pub rollout_timeout: String,
    /// The time limit for `/health` and `/readyz` to answer 200, in ms.
    pub health_timeout_ms: u64,
    /// The absolute path of the SSH key that signs the sums; `None` if the run does not sign.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sign_with: Option<Utf8PathBuf>,
}

/// The person and the machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Who {
    /// The user name on the machine (`USER`, else `LOGNAME`); `None` if neither is set.
    pub user: Option<String>,
    /// The name of the machine; `None` if it is unknown.
    pub host: Option<String>,
    /// The CI job; `None` outside CI.
    pub ci: Option<Ci>,
}

/// The CI job, read from the variables that its system documents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ci {
    /// The name of the CI system.
    pub system: String,
    /// The user that started the job; `None` if the system reports none.
    pub actor: Option<String>,
    /// The URL of the job; `None` if the system reports none.
    pub url: Option<String>,
}

/// The Git repository of the manifests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Git {
    /// The commit; `None` if it could not be read.
    pub commit: Option<String>,
    /// The branch; `None` if there is none or it could not be read.
    pub branch: Option<String>,
    /// Whether the manifests differ from the commit; `None` if that could not be read.
    pub manifests_dirty: Option<bool>,
    /// Why the other fields are `None`; `None` if they are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// This program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// The program's name.
    pub name: String,
    /// The program's version.
    pub version: String,
    /// The SHA-256 of the program's file; `None` if it could not be read.
    pub sha256: Option<String>,
    /// The command line, without the program's name.
    pub argv: Vec<String>,
    /// The runbook that the run carries out.
    pub runbook: RunbookId,
}

/// The runbook this program was built with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunbookId {
    /// The `Doc ID` of the document.
    pub id: String,
    /// The SHA-256 of the document's bytes.
    pub sha256: String,
}

/// The run before this one, and the directory of its evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PreviousRun {
    /// The identity of that run; `None` if its manifest could not be read.
    pub run_id: Option<String>,
    /// The name of its directory, below the same evidence root.
    pub dir: String,
    /// The SHA-256 of its `manifest.json`, which links the chain; `None` if it could not be read.
    pub manifest_sha256: Option<String>,
    /// The changes that it had made on the cluster, if it did not reach its end; else `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interrupted: Option<String>,
}
