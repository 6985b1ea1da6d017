//! What is left when a run is killed, or the disk takes no more: the shipped program, with strace doing it from outside.
//!
//! `#[ignore]`d, since it takes minutes and strace (Linux): `cargo test --test crash_safety -- --ignored`.

// A test fails by panicking, and its helpers read the environment as it does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod disk;
mod in_the_middle;
mod killed;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/two_threads.rs"]
mod two_threads;
mod under_strace;

use two_threads::each_on_two_threads;
