//! The whole program against the rehearsal cluster, with the real kubectl, curl and jq.

// A test fails by panicking, and its helpers read the environment as it does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod arrives;
mod attested;
mod bad_input;
mod chained;
mod cmd_txt;
mod honest;
mod hostile_evidence;
#[path = "../staging/page.rs"]
mod page;
mod pages;
mod replayed;
mod rows;
mod signed;
#[path = "../staging/mod.rs"]
mod staging;
mod traps;
mod verified;
