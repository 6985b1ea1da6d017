//! A step: a command of the runbook with everything that a run needs to execute and record it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::StepId;
use crate::command::{CommandLine, Effect};

/// The files of [`Keep::DeployLog`], for standard output and standard error. Each run has them from its beginning on.
pub const DEPLOY_LOGS: [&str; 2] = ["deploy/stdout.log", "deploy/stderr.log"];

/// The directory of the evidence tree that a command belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Step 1.
    Preflight,
    /// Steps 2 to 4.
    Deploy,
    /// Step 5.
    Smoke,
    /// The action on STOP.
    #[serde(rename = "dump_logs")]
    Dump,
}

impl Phase {
    /// Every phase, in the order of the run.
    pub const ALL: [Self; 4] = [Self::Preflight, Self::Deploy, Self::Smoke, Self::Dump];

    /// Returns the name of its directory.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::Deploy => "deploy",
            Self::Smoke => "smoke",
            Self::Dump => "dump_logs",
        }
    }
}

/// The files for a command's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keep {
    /// Its own files: `<phase>/out/ID.out` and `.err`.
    Own,
    /// `deploy/stdout.log` and `deploy/stderr.log`, one command after the other.
    DeployLog,
    /// This file for standard output, and `<phase>/out/ID.err` for standard error.
    File(String),
    /// No file for standard output, since it may contain a password; only the fact that is read from it is
    /// recorded.
    Nowhere,
}

/// The time limit of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// A request to the API server: 30 s.
    Quick,
    /// A confirmation on which a decision waits: 2 s.
    Confirm,
    /// An apply: 2 minutes.
    Apply,
    /// The rollout's own timeout plus 30 s.
    Rollout,
    /// One request of curl, whose own limit is 10 s: 15 s.
    Request,
    /// Twenty requests of curl: 4 minutes.
    Samples,
    /// Until the run ends the command, at most 24 hours.
    Run,
}

impl Limit {
    /// Returns the time limit; `rollout` is the rollout's own timeout.
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

/// One step: a command of the runbook, or one of the program's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its id.
    pub id: StepId,
    /// The phase, which is the directory of its output.
    pub phase: Phase,
    /// The runbook's heading above it, word for word; `None` if it is not from the document.
    pub heading: Option<String>,
    /// The command with its variables.
    pub line: CommandLine,
    /// The command that sends the API key; `None` if it never does.
    pub line_with_key: Option<CommandLine>,
    /// The effect on the cluster, by [its own words](CommandLine::effect).
    pub effect: Effect,
    /// The files for its output.
    pub keep: Keep,
    /// The time limit.
    pub limit: Limit,
    /// The purpose.
    pub why: String,
}

impl Step {
    /// Returns the command of a run with or without an API key.
    pub fn line(&self, with_key: bool) -> &CommandLine {
        self.line_with_key.as_ref().filter(|_| with_key).unwrap_or(&self.line)
    }

    /// Returns whether the command is about a pod that the run saw: `$POD` is its name.
    pub fn is_about_a_pod(&self) -> bool {
        self.line.variables().contains("POD")
    }

    /// Returns whether this program is the first one of the command.
    pub fn runs(&self, program: &str) -> bool {
        self.line.programs().next() == Some(program)
    }

    /// Returns the files for standard output (`None` if it is not stored) and standard error, below the
    /// evidence directory.
    pub fn files(&self) -> (Option<String>, String) {
        let own = |end: &str| format!("{}/out/{}.{end}", self.phase.folder(), self.id);
        let stdout = match &self.keep {
            Keep::Own => Some(own("out")),
            Keep::DeployLog => {
                let [stdout, stderr] = DEPLOY_LOGS.map(str::to_owned);
                return (Some(stdout), stderr);
            }
            Keep::File(file) => Some(file.clone()),
            Keep::Nowhere => None,
        };
        (stdout, own("err"))
    }
}
