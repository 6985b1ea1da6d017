//! The runbook as rows: what is run, what is asked for, what stops a run, and what makes it a success.
//!
//! A row holds the runbook's command *as text with its variables*. `run`, `plan`, `explain` and every `cmd.txt`
//! read these rows; a test compares them with the code blocks of [`document::TEXT`].

mod checks;
mod deployments;
pub mod document;
mod evidence_files;
mod exit_codes;
mod order;
mod permissions;
mod step;
mod steps;
mod troubleshooting;

pub use checks::{
    BODY_CHECKS, BodyCheck, CHECKS, Check, LATENCY_GROUPS, LatencyGroup, SMOKE_THRESHOLD, check_id,
};
pub use deployments::{DEPLOYMENTS, Deployment};
pub use evidence_files::{EVIDENCE_FILES, EvidenceFile};
pub use exit_codes::{EXIT_CODES, ExitCode, exit_of_signal};
pub use order::{in_order, place};
pub use permissions::{PERMISSIONS, Permission, step_for};
pub use step::{HEALTH_TIMEOUT, Keep, Limit, Phase, ROLLOUT_TIMEOUT, Step};
pub use steps::{STEPS, check_step, guard_step, render_step, step};
pub use troubleshooting::{TROUBLESHOOTING, Trouble};
