//! The documents agree with the program: their command lines run, their links and paths exist, their tables are complete.

// A test fails by panicking, and its helpers read the environment as it does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod command_lines;
mod completeness;
mod links;
mod markdown;
#[path = "../support/mod.rs"]
mod support;
