//! Where no node can run, or one runs already, that is said and nothing is changed.

use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use super::cluster::{Node, SCRIPT, alone, script, script_ran};

/// The exit code of a machine that cannot run a node.
const UNABLE: i32 = 77;

/// The exit code beside another node.
const REFUSED: i32 = 3;

#[track_caller]
fn fails(output: &Output, code: i32, words: &str) {
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{message}");
    assert!(message.contains(words), "not printed: {words}\n{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
}

#[test]
#[ignore = "needs a real node"]
fn a_second_one_is_refused() {
    let _alone = alone();
    let node = Node::start();
    let holder = format!("held by process {}", node.script.id());
    fails(&script_ran(&["up"]), REFUSED, &holder);
    assert!(script_ran(&["status"]).status.success(), "the first one ended too");

    let elsewhere = tempfile::tempdir().unwrap();
    let real = elsewhere.path().join("real");
    std::fs::create_dir(&real).unwrap();
    let target = std::env::var("CARGO_TARGET_DIR")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/target").to_owned());
    for entry in std::fs::read_dir(format!("{target}/real")).unwrap().flatten() {
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| name.starts_with("bin-") || name.starts_with("node-images-")) {
            symlink(entry.path(), real.join(name)).unwrap();
        }
    }
    for what in ["up", "down"] {
        let other = script(&[what]).env("CARGO_TARGET_DIR", elsewhere.path()).output().unwrap();
        fails(&other, REFUSED, "/real/node");
    }
    assert!(script_ran(&["status"]).status.success(), "the first one ended too");
}

#[test]
#[ignore = "needs root"]
fn it_needs_root() {
    let other_user = script(&["up"]).uid(65534).gid(65534).output().unwrap();
    fails(&other_user, UNABLE, "needs root");
}

/// A PATH of links to every program but one.
fn path_without(program: &str) -> TempDir {
    let bin = tempfile::tempdir().unwrap();
    for folder in std::env::split_paths(&std::env::var("PATH").unwrap()) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_name() != program {
                let _first = symlink(entry.path(), bin.path().join(entry.file_name()));
            }
        }
    }
    bin
}

#[test]
#[ignore = "needs a real node"]
fn a_missing_program_is_named() {
    for program in ["containerd", "iptables", "umoci"] {
        let bin = path_without(program);
        let output = script(&["up"]).env("PATH", bin.path()).output().unwrap();
        fails(&output, UNABLE, program);
    }
}

#[test]
#[ignore = "needs a real node"]
fn a_package_that_cannot_be_installed_is_named() {
    let bin = path_without("umoci");
    let apt_get = bin.path().join("apt-get");
    std::fs::remove_file(&apt_get).unwrap();
    symlink("/bin/false", &apt_get).unwrap();
    let output = script(&["install"]).env("PATH", bin.path()).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(UNABLE), "{message}");
    assert!(message.contains("apt-get could not install: ") && message.contains("umoci"), "{message}");
}

/// Each machine is made in a mount namespace, with the directory of the build below `$1`.
const MACHINES: &[(&str, &str)] = &[
    ("mount -t tmpfs -o size=64m tmpfs $1", "of free space; a node needs 2048 MiB"),
    (
        "mkdir $1/a $1/b $1/c $1/d && mount -t overlay overlay -o lowerdir=$1/a,upperdir=$1/b,workdir=$1/c $1/d \
         && export CARGO_TARGET_DIR=$1/d",
        "overlayfs cannot be mounted in ",
    ),
    ("umount -l /sys/fs/cgroup", "there is no cgroup v1 hierarchy of cpu"),
    (
        "umount -l /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup",
        "a node with cgroup v2 only has not been tried",
    ),
    (
        "for h in /sys/fs/cgroup/*; do mount -o remount,bind,ro $h 2>/dev/null; done; true",
        "no directory can be made in /sys/fs/cgroup/",
    ),
];

#[test]
#[ignore = "needs a real node"]
fn a_machine_that_cannot_run_one_says_why() {
    let _alone = alone();
    for (machine, words) in MACHINES {
        let folder = tempfile::tempdir().unwrap();
        let line = format!(r#"export CARGO_TARGET_DIR=$1; {machine} && exec bash "$2" --node up"#);
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "--propagation", "private", "bash", "-c", &line, "bash"]);
        let output = unshare.arg(folder.path()).arg(SCRIPT).output().unwrap();
        fails(&output, UNABLE, words);
    }
    assert!(!Path::new("/sys/fs/cgroup/memory/staging-dry-run-node").exists());
}

#[test]
fn what_it_does_not_know_is_a_usage_error() {
    assert_eq!(script_ran(&["restart"]).status.code(), Some(2));
}
