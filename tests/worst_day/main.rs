//! What is left when a run is killed, or the disk takes no more: the shipped program, with strace doing it from outside.
//!
//! `#[ignore]`d, since it takes minutes and strace (Linux): `cargo test --test worst_day -- --ignored`.

// A test fails by panicking, and its helpers read the environment as it does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod killed;
#[path = "../staging/mod.rs"]
mod staging;
mod under_strace;
