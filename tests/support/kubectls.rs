//! The kubectls that are promised to work, found on this machine.

#![allow(dead_code, reason = "not each of the tests that share this asks for them")]
#![allow(clippy::print_stdout, reason = "which clients were run is a part of the result")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// One minor version a line, the oldest first.
const PROMISED: &str = include_str!("../kubectl-versions");

/// A kubectl of a promised version.
#[derive(Debug)]
pub(crate) struct Kubectl {
    /// `1.27`
    pub(crate) minor: &'static str,
    /// Where it is.
    pub(crate) path: PathBuf,
}

/// Every promised kubectl that this machine has, and what it says it is, printed. In CI each has to be there: beside the
/// one on PATH as `kubectl.1.27`, or in `target/kubectl/1.27`, where `scripts/get-kubectl.sh` puts it.
pub(crate) fn kubectls() -> Vec<Kubectl> {
    let mut found = Vec::new();
    for minor in PROMISED.lines() {
        match places(minor)
            .into_iter()
            .find(|path| version(path).is_some_and(|version| is_of(&version, minor)))
        {
            Some(path) => {
                println!("kubectl {minor}: {} ({})", version(&path).unwrap_or_default(), path.display());
                found.push(Kubectl { minor, path });
            }
            None if std::env::var_os("CI").is_some() => {
                panic!("no kubectl {minor}: scripts/get-kubectl.sh {} target/kubectl/{minor}", &minor[2..])
            }
            None => println!("kubectl {minor}: not on this machine, left out"),
        }
    }
    assert!(!found.is_empty(), "none of the promised kubectls is on this machine");
    found
}

fn places(minor: &str) -> Vec<PathBuf> {
    let on_path = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .map(|folder| folder.join("kubectl"))
        .find(|path| path.is_file())
        .and_then(|path| path.canonicalize().ok());
    // Both crates whose tests use this have the workspace's root at or above their own folder.
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .filter(|folder| folder.join("Cargo.lock").is_file())
        .last();
    let beside =
        on_path.as_deref().and_then(Path::parent).map(|folder| folder.join(format!("kubectl.{minor}")));
    let fetched = root.map(|root| root.join(format!("target/kubectl/{minor}/kubectl")));
    beside.into_iter().chain(fetched).chain(on_path).collect()
}

/// The `gitVersion` it says it is.
fn version(kubectl: &Path) -> Option<String> {
    let output = Command::new(kubectl).args(["version", "--client", "-o", "json"]).output().ok()?;
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
    Some(told["clientVersion"]["gitVersion"].as_str()?.to_owned())
}

fn is_of(version: &str, minor: &str) -> bool {
    version
        .strip_prefix('v')
        .and_then(|version| version.strip_prefix(minor))
        .is_some_and(|rest| rest.starts_with('.'))
}
