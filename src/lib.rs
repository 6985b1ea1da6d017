//! Carries out the Staging Dry Run Runbook with the real `kubectl`, `curl` and `jq`, keeps every byte they
//! print as evidence, and derives a verdict from that evidence alone.
//!
//! The modules, and what each may import:
//!
//! | module | what it holds | may import |
//! | --- | --- | --- |
//! | [`cli`] | options, and what they ask for | everything |
//! | [`run`] | the procedure, one file a phase | everything but `cli`, `verify` and `replay` |
//! | [`replay`] | runs again what a run ran, and compares | everything but `cli`, `run` and `report` |
//! | [`verify`] | whether evidence holds, offline | `evidence`, `signature`, `inputs`, `exec`, pure modules |
//! | [`report`] | the only printer; consumes events and what was found | `verify`, `replay`, pure modules |
//! | [`session`] | what it takes to perform a command: environment, kubeconfig, signals, clock | `exec`, `evidence`, `inputs`, `error`, pure modules |
//! | [`signature`] | ssh-keygen's signature of the sums | `evidence`, `exec`, pure modules |
//! | [`evidence`] | the only writer of the evidence tree | pure modules |
//! | [`exec`] | starting and ending subprocesses; the only user of `duct` | pure modules |
//! | [`tools`] | what a run runs with | `exec`, pure modules |
//! | [`inputs`] | what a run was given | pure modules |
//! | [`error`] | why a run can't go on | `exec`, `signature`, pure modules |
//! | [`runbook`], [`command`], [`facts`], [`moment`], [`events`], [`interpret`], [`run_state`], [`verdict`], [`manifest`], [`documents`] | no I/O, no clock, no environment: the pure modules | pure modules |
//!
//! A test reads this table.

pub mod cli;
pub mod command;
pub mod documents;
pub mod error;
pub mod events;
pub mod evidence;
pub mod exec;
pub mod facts;
pub mod inputs;
pub mod interpret;
pub mod manifest;
pub mod moment;
pub mod replay;
pub mod report;
pub mod run;
pub mod run_state;
pub mod runbook;
pub mod session;
pub mod signature;
pub mod tools;
pub mod verdict;
pub mod verify;
