//! The whole program against the rehearsal cluster, with the real kubectl, curl and jq.

// A test fails by panicking, and its helpers read the environment as it does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod arrives;
mod bad_input;
mod cmd_txt;
mod pages;
mod rows;
mod staging;
mod traps;
