//! Carries out the Staging Dry Run Runbook with the real `kubectl`, `curl` and `jq`, keeps every byte they
//! print as evidence, and derives a verdict from that evidence alone.
//!
//! The rooms of this house, and what each may import:
//!
//! | room | what it holds | may import |
//! | --- | --- | --- |
//! | [`cli`] | options, and which of the programs below was asked for | everything |
//! | [`run`] | the procedure, one file a phase | everything but `cli` |
//! | [`exec`] | starting and ending subprocesses; the only user of `duct` | pure rooms |
//! | [`evidence`] | the only writer of the evidence tree | pure rooms |
//! | [`report`] | the only printer; consumes events | pure rooms |
//! | [`runbook`], [`command`], [`facts`], [`events`], [`manifest`], [`verdict`] | no I/O, no clock, no environment | each other |
//! | [`inputs`], [`tools`] | what the run was given, and what it runs with | pure rooms |

pub mod command;
pub mod events;
pub mod evidence;
pub mod exec;
pub mod facts;
pub mod inputs;
