//! Carries out the Staging Dry Run Runbook with the real `kubectl`, `curl` and `jq`, keeps every byte they
//! print as evidence, and derives a verdict from that evidence alone.
//!
//! The rooms of this house, and what each may import:
//!
//! | room | what it holds | may import |
//! | --- | --- | --- |
//! | [`cli`] | options, and what they ask for | everything |
//! | [`run`] | the procedure, one file a phase | everything but `cli`, `verify` and `replay` |
//! | [`replay`] | runs again what a run ran, and compares | everything but `cli`, `run` and `report` |
//! | [`verify`] | whether evidence holds, offline | `evidence`, `signature`, `inputs`, `exec`, pure rooms |
//! | [`report`] | the only printer; consumes events and what was found | `verify`, `replay`, pure rooms |
//! | [`perform`] | what it takes to perform a command: environment, kubeconfig, signals, clock | `exec`, `evidence`, `inputs`, `error`, pure rooms |
//! | [`signature`] | ssh-keygen's signature of the sums | `evidence`, `exec`, pure rooms |
//! | [`evidence`] | the only writer of the evidence tree | pure rooms |
//! | [`exec`] | starting and ending subprocesses; the only user of `duct` | pure rooms |
//! | [`tools`] | what a run runs with | `exec`, pure rooms |
//! | [`inputs`] | what a run was given | pure rooms |
//! | [`error`] | why a run can't go on | `exec`, `signature`, pure rooms |
//! | [`runbook`], [`command`], [`facts`], [`moment`], [`events`], [`reading`], [`record`], [`verdict`], [`manifest`], [`texts`] | no I/O, no clock, no environment: the pure rooms | pure rooms |
//!
//! A test reads this table.

pub mod cli;
pub mod command;
pub mod error;
pub mod events;
pub mod evidence;
pub mod exec;
pub mod facts;
pub mod inputs;
pub mod manifest;
pub mod moment;
pub mod perform;
pub mod reading;
pub mod record;
pub mod replay;
pub mod report;
pub mod run;
pub mod runbook;
pub mod signature;
pub mod texts;
pub mod tools;
pub mod verdict;
pub mod verify;
