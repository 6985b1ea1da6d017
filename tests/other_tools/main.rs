//! What other projects' tools make of the evidence.
//!
//! `#[ignore]`d, since it fetches them: `cargo test --test other_tools -- --ignored`.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails here")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// What pip fetches, by exact versions.
const BINDINGS: [&str; 2] = ["in-toto-attestation==0.9.3", "protobuf==7.36.2"];

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn printed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[ignore = "fetches in-toto's bindings from PyPI"]
fn the_bindings_of_in_toto_read_the_attestations() {
    let bindings = tempfile::tempdir().unwrap();
    printed(
        Command::new("python3")
            .args(["-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--only-binary=:all:"])
            .arg("--target")
            .arg(bindings.path())
            .args(BINDINGS),
    );
    let samples = ["pass", "stop-1", "stop-2", "stop-3", "stop-4"];
    let read = printed(
        Command::new("python3")
            .arg(project("tests/other_tools/attested.py"))
            .args(samples.map(|sample| project("evidence/samples").join(sample)))
            .env("PYTHONPATH", bindings.path()),
    );
    let expected =
        "pass PASSED 4 5\nstop-1 FAILED 4 5\nstop-2 FAILED 5 5\nstop-3 FAILED 4 5\nstop-4 FAILED 4 5\n";
    assert_eq!(read, expected);
}
