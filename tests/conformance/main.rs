//! The same scenarios on the rehearsal and on a real control plane.
//!
//! `#[ignore]`d, since the real one has to be built first, which takes minutes:
//! `cargo test --test conformance -- --ignored`.

// A test fails by panicking, and its helpers read the environment as it does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod clients;
mod compare;
mod faults;
#[path = "../support/kubectls.rs"]
mod kubectls;
#[path = "../support/page.rs"]
mod page;
mod permissions;
mod plugins;
mod replays;
mod scenarios;
#[path = "../support/mod.rs"]
mod support;
