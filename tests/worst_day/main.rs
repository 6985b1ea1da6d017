//! What is left when a run is killed, or the disk takes no more: the shipped program, with strace doing it from outside.
//!
//! `#[ignore]`d, since it takes minutes and strace (Linux): `cargo test --test worst_day -- --ignored`.

// A test fails by panicking, and its helpers read the environment as it does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod disk;
mod in_the_middle;
mod killed;
#[path = "../staging/mod.rs"]
mod staging;
mod under_strace;

/// Does the same with each, on two threads.
fn each_on_two_threads<T: Send>(all: impl Iterator<Item = T> + Send, what: impl Fn(T) + Sync) {
    let all = std::sync::Mutex::new(all);
    let next = || all.lock().unwrap().next();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| std::iter::from_fn(next).for_each(&what));
        }
    });
}
