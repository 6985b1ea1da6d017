//! Carries out the Staging Dry Run Runbook with the real `kubectl`, `curl` and `jq`, records every byte they
//! print as evidence, and derives a verdict from that evidence alone.
//!
//! The modules, and what each may import:
//!
//! | module | what it does | may import |
//! | --- | --- | --- |
//! | [`cli`] | parses the command line and calls the module that does the work | everything |
//! | [`run`] | carries out the procedure, one file per phase | everything but `cli`, `verify` and `replay` |
//! | [`replay`] | re-runs a recorded run's commands and compares their output | everything but `cli`, `run` and `report` |
//! | [`verify`] | verifies evidence offline | `evidence`, `signature`, `inputs`, `exec`, pure modules |
//! | [`report`] | prints events and results; the only module that prints, except for help and usage errors | `verify`, `replay`, pure modules |
//! | [`session`] | runs one command: environment, kubeconfig, signals, clock | `exec`, `evidence`, `inputs`, `error`, pure modules |
//! | [`signature`] | signs the checksums with ssh-keygen, and verifies signatures | `evidence`, `exec`, pure modules |
//! | [`evidence`] | writes the evidence tree; the only module that does | pure modules |
//! | [`exec`] | starts and ends subprocesses; the only user of `duct` | pure modules |
//! | [`tools`] | finds the programs that a run uses | `exec`, pure modules |
//! | [`inputs`] | reads and checks the inputs of a run | pure modules |
//! | [`error`] | describes why a run can't continue | `exec`, `signature`, pure modules |
//! | [`verdict`] | derives the verdict; no I/O, no clock, no environment: a pure module | `events`, `facts`, `moment`, `run_state`, `runbook` |
//! | [`runbook`], [`command`], [`facts`], [`moment`], [`plan`], [`schema`], [`events`], [`interpret`], [`run_state`], [`procedure`], [`manifest`], [`documents`] | no I/O, no clock, no environment: the pure modules | pure modules |
//!
//! `tests/architecture.rs` parses this table and checks the imports against it.

pub mod cli;
pub mod command;
pub mod documents;
pub mod error;
pub mod events;
pub mod evidence;
pub mod exec;
pub mod facts;
#[cfg(test)]
mod fixture;
pub mod inputs;
pub mod interpret;
pub mod manifest;
pub mod moment;
pub mod plan;
pub mod procedure;
pub mod replay;
pub mod report;
pub mod run;
pub mod run_state;
pub mod runbook;
pub mod schema;
pub mod session;
pub mod signature;
pub mod tools;
pub mod verdict;
pub mod verify;
