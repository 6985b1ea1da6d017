//! The program on a real node: kubelet, containers, pulls, probes, and Services that kube-proxy serves.
//!
//! `#[ignore]`d, since it needs root, Debian's containerd, and programs that take minutes to build:
//! `cargo test --test node -- --ignored`. One node runs at a time, so each test waits for the one before.

// A test fails by panicking, and its helpers read the environment as it does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod cluster;
mod known_faults;
mod leftovers;
mod refusals;
mod scenarios;
