//! Work for both of two cores.

use std::sync::Mutex;

/// Does the same with each, on two threads.
pub(crate) fn each_on_two_threads<T: Send>(all: impl Iterator<Item = T> + Send, what: impl Fn(T) + Sync) {
    let all = Mutex::new(all);
    let next = || all.lock().unwrap().next();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| std::iter::from_fn(next).for_each(&what));
        }
    });
}
