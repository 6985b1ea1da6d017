//! What a row of the runbook is.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::CHECKS;
use crate::events::Effect;

/// The folder of the evidence tree a command belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Step 1.
    Preflight,
    /// Steps 2 to 4.
    Deploy,
    /// Step 5.
    Smoke,
    /// Action on STOP.
    #[serde(rename = "dump_logs")]
    Dump,
}

impl Phase {
    /// Every phase, in the order of the run.
    pub const ALL: [Self; 4] = [Self::Preflight, Self::Deploy, Self::Smoke, Self::Dump];

    /// Its folder's name.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::Deploy => "deploy",
            Self::Smoke => "smoke",
            Self::Dump => "dump_logs",
        }
    }
}

/// Where a command's output is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// In files of its own: `<phase>/out/ID.out` and `.err`.
    Own,
    /// In `deploy/stdout.log` and `deploy/stderr.log`, one after the other.
    DeployLog,
    /// Standard output in this file, standard error in `<phase>/out/ID.err`.
    File(&'static str),
    /// Standard output in `smoke/responses/`, under the check's own name.
    Response,
    /// Nowhere: it may hold a password. What is kept is the fact read from it.
    Nowhere,
}

/// How long each `rollout status` of step 3 waits, unless it is said otherwise, as kubectl takes it.
pub const ROLLOUT_TIMEOUT: &str = "5m";

/// How long `/health` and `/readyz` may take to answer 200, unless it is said otherwise (stop rule 3).
pub const HEALTH_TIMEOUT: &str = "2m";

/// How long a command may take before we end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// A question to the API server: 30 s.
    Quick,
    /// A confirmation that a decision waits for: 2 s.
    Confirm,
    /// An apply: 2 minutes.
    Apply,
    /// The rollout's own timeout and 30 s.
    Rollout,
    /// One request of curl, whose own limit is 10 s: 15 s.
    Request,
    /// Twenty requests of curl: 4 minutes.
    Samples,
    /// As long as the run holds it.
    Run,
}

impl Step {
    /// Where its standard output and its standard error go, as paths below the evidence folder; `None`: nowhere.
    pub fn files(&self) -> (Option<String>, String) {
        let own = |end: &str| format!("{}/out/{}.{end}", self.phase.folder(), self.id);
        let stdout = match self.keep {
            Keep::Own => Some(own("out")),
            Keep::DeployLog => return (Some("deploy/stdout.log".to_owned()), "deploy/stderr.log".to_owned()),
            Keep::File(file) => Some(file.to_owned()),
            Keep::Response => {
                let check = CHECKS.iter().find(|check| check.id() == self.id);
                check.map(|check| format!("smoke/responses/{}", check.file_name()))
            }
            Keep::Nowhere => None,
        };
        (stdout, own("err"))
    }
}

impl Limit {
    /// How long that is; `rollout` is the rollout's own timeout.
    pub fn deadline(self, rollout: Duration) -> Duration {
        match self {
            Self::Quick => Duration::from_secs(30),
            Self::Confirm => Duration::from_secs(2),
            Self::Apply => Duration::from_mins(2),
            Self::Rollout => rollout + Duration::from_secs(30),
            Self::Request => Duration::from_secs(15),
            Self::Samples => Duration::from_mins(4),
            Self::Run => Duration::from_hours(24),
        }
    }
}

/// One row: a command of the runbook, or one of ours beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its name in the journal, the manifest and `cmd.txt`.
    pub id: Cow<'static, str>,
    /// The folder it belongs to.
    pub phase: Phase,
    /// The runbook's heading it stands under, word for word; `None`: it is ours.
    pub heading: Option<&'static str>,
    /// What it does to the cluster.
    pub effect: Effect,
    /// The command as text with its variables.
    pub text: Cow<'static, str>,
    /// Where what it prints is kept.
    pub keep: Keep,
    /// How long it may take.
    pub limit: Limit,
    /// What it is there for.
    pub why: &'static str,
}
