//! The same scenarios on the rehearsal and on a real control plane.
//!
//! `#[ignore]`d, since the real one has to be built first, which takes minutes:
//! `cargo test --test both_clusters -- --ignored`.

// A test fails by panicking, and its helpers read the environment as it does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod clients;
mod compare;
mod faults;
#[path = "../staging/kubectls.rs"]
mod kubectls;
#[path = "../staging/page.rs"]
mod page;
mod permissions;
mod plugins;
mod replays;
mod scenarios;
#[path = "../staging/mod.rs"]
mod staging;
