//! The whole program against the rehearsal cluster, with the real kubectl, curl and jq.

// A test fails by panicking, and its helpers read the environment as it does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod argument_passing;
mod attested;
mod bad_input;
mod chained;
mod cmd_txt;
mod edited_runbook;
mod faults;
mod forged;
mod hostile_evidence;
#[path = "../support/page.rs"]
mod page;
mod pages;
mod replayed;
mod rows;
mod signed;
#[path = "../support/mod.rs"]
mod support;
mod verified;
mod verified_format;
mod verify_accepts;
