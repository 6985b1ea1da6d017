//! The `staging-dry-run` program.
fn main() {}
