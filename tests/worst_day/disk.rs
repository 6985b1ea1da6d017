//! A disk that takes no more: at any write, at any size, and before the run begins.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use staging_dry_run::events::{Effect, What};

use super::each_on_two_threads;
use super::staging::{Staging, which};
use super::under_strace::{
    announced_what_it_changed, events, folder, is_true_as_far_as_it_goes, root, strace,
};

/// What the system says of a full disk.
const FULL: &str = "No space left on device";

/// A run that could not be kept: exit 4, nothing changed that was not announced or after it was known, and what is on
/// the disk is true. Where even the manifest could not be begun, nothing was run at all.
#[track_caller]
fn could_not_be_kept(staging: &Staging, output: &Output, cause: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains(cause), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    let begun = root(staging).is_dir()
        && std::fs::read_dir(root(staging))
            .unwrap()
            .any(|entry| entry.unwrap().path().join("manifest.json").exists());
    if !begun {
        assert!(staging.cluster.api_requests().is_empty(), "{said}");
        return;
    }
    let folder = folder(staging, false);
    let record = is_true_as_far_as_it_goes(&folder);
    announced_what_it_changed(staging, &record);
    let events = events(&folder);
    let failed = events.iter().position(|event| matches!(event.what, What::Failed { .. }));
    let later = events.iter().skip(failed.unwrap_or(events.len()));
    let changes = later.filter(
        |event| matches!(&event.what, What::CommandStarts(intent) if intent.effect == Effect::Changes),
    );
    assert_eq!(changes.count(), 0, "{said}");
    if folder.join("SHA256SUMS").exists() {
        let sums = ["--check", "--strict", "--quiet", "SHA256SUMS"];
        let checked = Command::new("sha256sum").args(sums).current_dir(&folder).output().unwrap();
        assert!(checked.status.success(), "{}\n{said}", String::from_utf8_lossy(&checked.stdout));
    }
}

/// A kind of call that may fail, with the file it is about; without, one whose file has no name that is known before.
type Fault = (&'static str, Option<String>);

/// How often a healthy run makes each of the calls that keep evidence.
fn calls_of_a_healthy_run() -> BTreeMap<Fault, u32> {
    let staging = Staging::of("healthy");
    let trace = staging.folder.path().join("trace");
    let calls = [
        "-y",
        "-s",
        "0",
        "-e",
        "trace=write,fsync,fdatasync,rename,ftruncate",
        "-o",
        trace.to_str().unwrap(),
    ];
    assert!(strace(&staging, &[&["-b", "execve"], &calls[..]].concat()).status.success());
    let date = jiff::ZonedDateTime::now().strftime("%Y%m%d").to_string();
    let tree = format!("<{}/{date}", root(&staging).display());
    let mut counts = BTreeMap::new();
    for line in std::fs::read_to_string(trace).unwrap().lines() {
        let call = line.split_once(' ').map_or("", |(_, call)| call.trim_start());
        let name = ["write", "fsync", "fdatasync", "rename"]
            .into_iter()
            .find(|name| call.starts_with(&format!("{name}(")));
        let of_tree = call
            .split_once(&tree)
            .and_then(|(_, rest)| Some(rest.split_once('>')?.0.trim_start_matches('/')));
        let fault = match (name, of_tree) {
            (Some("write"), Some(file)) if !file.rsplit('/').next().unwrap().starts_with('.') => {
                ("write", Some(file.to_owned()))
            }
            (Some("fdatasync"), Some(_)) => ("fdatasync", None),
            (Some("fsync"), Some(_)) => ("fsync", None),
            (Some("rename"), _)
                if call.contains("manifest.json")
                    || call.contains("SHA256SUMS")
                    || call.contains("cmd.txt") =>
            {
                ("rename", None)
            }
            _ => continue,
        };
        *counts.entry(fault).or_insert(0) += 1;
    }
    counts
}

#[test]
#[ignore = "some minutes, and strace"]
fn any_call_that_keeps_evidence_may_fail() {
    let calls = calls_of_a_healthy_run();
    let kinds =
        |kind: &str| calls.iter().filter(|((of, _), _)| *of == kind).map(|(_, count)| count).sum::<u32>();
    let counts: Vec<(&str, u32)> =
        ["write", "fdatasync", "fsync", "rename"].map(|kind| (kind, kinds(kind))).into();
    assert!(counts.iter().all(|(_, count)| *count > 5), "{counts:?}");
    let all = calls.into_iter().flat_map(|(fault, count)| (1..=count).map(move |n| (fault.clone(), n)));
    each_on_two_threads(all, |((call, file), n)| {
        let staging = Staging::of("healthy");
        let date = jiff::ZonedDateTime::now().strftime("%Y%m%d").to_string();
        let path = file.as_ref().map(|file| root(&staging).join(&date).join(file));
        let inject = format!("inject={call}:error=ENOSPC:when={n}");
        let trace = format!("trace={call}");
        let mut arguments = vec!["-b", "execve", "-o", "/dev/null", "-e", &trace, "-e", &inject];
        arguments.extend(path.iter().flat_map(|path| ["-P", path.to_str().unwrap()]));
        let output = strace(&staging, &arguments);
        could_not_be_kept(&staging, &output, FULL);
    });
    println!("failed: {counts:?}");
}

/// Puts a `kubectl` before the real one that runs this first, when it is the first of the run.
fn before_the_first_kubectl(staging: &Staging, script: &str) -> String {
    let bin = staging.folder.path().join("first");
    std::fs::create_dir(&bin).unwrap();
    let real = which("kubectl");
    let text = format!(
        "#!/usr/bin/env bash\nif mkdir \"$0.ran\" 2>/dev/null; then\n{script}\nfi\nexec '{}' \"$@\"\n",
        real.display()
    );
    std::fs::write(bin.join("kubectl"), text).unwrap();
    std::fs::set_permissions(bin.join("kubectl"), PermissionsExt::from_mode(0o755)).unwrap();
    format!("{}:{}", bin.display(), std::env::var("PATH").unwrap())
}

/// A run whose evidence root is a file system of its own, of so many KiB; copied out before it goes.
fn on_a_file_system_of(kib: u64, staging: &Staging) -> Output {
    let root = root(staging);
    std::fs::create_dir_all(&root).unwrap();
    let plain = staging.command(&["run"]);
    let script = "mount -t tmpfs -o size=$1k,mode=755 tmpfs \"$2\" || exit 99; \"${@:4}\"; status=$?
        cp -a \"$2\"/. \"$3\" && umount \"$2\" && cp -a \"$3\"/[0-9]* \"$2\"; exit $status";
    let copy = staging.folder.path().join("copy");
    std::fs::create_dir_all(&copy).unwrap();
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "bash", "-c", script, "bash", &kib.to_string()]);
    command.args([&root, &copy]).arg(plain.get_program()).args(plain.get_args());
    command.current_dir(plain.get_current_dir().unwrap()).env_clear();
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.stdin(Stdio::null()).output().unwrap()
}

/// Whether a file system can be mounted here. CI runs as root, where it can.
fn can_mount() -> bool {
    let tried = Command::new("unshare")
        .args(["--mount", "--map-root-user", "mount", "-t", "tmpfs", "tmpfs", "/mnt"])
        .output();
    let can = tried.is_ok_and(|output| output.status.success());
    assert!(can || std::env::var_os("CI").is_none(), "no file system can be mounted here");
    can
}

#[test]
#[ignore = "some minutes, and the right to mount"]
fn a_disk_that_is_filled_meanwhile_ends_the_run_wherever_it_is() {
    if !can_mount() {
        println!("skipped: no file system can be mounted here");
        return;
    }
    let step = 8;
    // The last one has room for all of it.
    let all = (0..).map(|n| n * step).take_while(|left| *left < 1024);
    let fitting = AtomicU32::new(0);
    each_on_two_threads(all, |left| {
        let staging = Staging::of("healthy");
        let root = root(&staging);
        let fill = format!(
            "root='{}'; head -c $((($(df --output=avail -k \"$root\" | tail -n 1) - {left}) * 1024)) /dev/zero >\"$root/.full\"",
            root.display().to_string().replace('\'', r"'\''"),
        );
        let path = before_the_first_kubectl(&staging, &fill);
        let staging = staging.with("PATH", &path);
        let output = on_a_file_system_of(80 * 1024, &staging);
        if output.status.code() == Some(0) {
            fitting.fetch_add(1, Ordering::Relaxed);
        } else {
            could_not_be_kept(&staging, &output, FULL);
            assert!(
                folder(&staging, false).join("SHA256SUMS").exists(),
                "the reserve is for this, with {left} KiB left"
            );
        }
    });
    let fitting = fitting.into_inner();
    assert!((1..100).contains(&fitting), "{fitting}");
}

#[test]
#[ignore = "the right to mount"]
fn a_disk_without_room_is_told_before_anything_is_run() {
    if !can_mount() {
        println!("skipped: no file system can be mounted here");
        return;
    }
    let staging = Staging::of("healthy");
    let output = on_a_file_system_of(63 * 1024, &staging);
    let ran = staging.ran(output).exits(2).changed_nothing().says("Refused: 63 MiB are free on the disk of ");
    let ran = ran.says("may need 64 MiB.\nNothing was run.");
    assert!(ran.staging.cluster.api_requests().is_empty());
    assert_eq!(std::fs::read_dir(root(&ran.staging)).unwrap().count(), 0);
}
