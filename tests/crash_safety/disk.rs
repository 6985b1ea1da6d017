//! A disk that takes no more: at any write, at any size, and before the run begins.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use staging_dry_run::events::{Effect, EventKind};

use super::each_on_two_threads;
use super::support::{Staging, quoted};
use super::under_strace::{
    announced_what_it_changed, events, folder, healthy, is_true_as_far_as_it_goes, journal, root, strace,
};

/// What the system says of a full disk.
const FULL: &str = "No space left on device";

/// A run that could not be kept: exit 4, nothing changed that was not announced or after it was known, and what is on
/// the disk is true. Where even the manifest could not be begun, nothing was run at all.
#[track_caller]
fn could_not_be_kept(staging: &Staging, output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains(FULL), "{said}");
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
    let failed = events.iter().position(|event| matches!(event.kind, EventKind::Failed { .. }));
    let later = events.iter().skip(failed.unwrap_or(events.len()));
    let changes = later.filter(
        |event| matches!(&event.kind, EventKind::CommandStarts(intent) if intent.effect == Effect::Changes),
    );
    assert_eq!(changes.count(), 0, "{said}");
}

/// A call that may fail, and the file it is about; `None` for those on files whose names are not known before.
type Fault = (&'static str, Option<String>);

/// The calls that keep evidence; those on files that replace another one come by number alone.
const CALLS: [&str; 4] = ["write", "fdatasync", "fsync", "renameat"];

/// Where the day's run keeps its evidence.
fn today(staging: &Staging) -> PathBuf {
    journal(staging).parent().unwrap().to_owned()
}

/// How often a healthy run makes each of these calls.
fn calls_of_a_healthy_run() -> BTreeMap<Fault, u32> {
    let staging = healthy();
    let trace = staging.folder.path().join("trace");
    let calls = format!("trace={}", CALLS.join(","));
    let arguments = ["-b", "execve", "-y", "-s", "0", "-e", &calls, "-o", trace.to_str().unwrap()];
    assert!(strace(&staging, &arguments).status.success());
    let tree = today(&staging).display().to_string();
    let mut counts = BTreeMap::new();
    for line in std::fs::read_to_string(trace).unwrap().lines() {
        let Some((_, file)) = line.split_once(&tree) else { continue };
        let file = file.split(['>', '"']).next().unwrap().trim_start_matches('/');
        let Some(call) = CALLS.into_iter().find(|call| line.contains(&format!(" {call}("))) else { continue };
        let replaces = file.rsplit('/').next().unwrap().starts_with('.');
        if call != "write" || !replaces {
            *counts.entry((call, (call == "write").then(|| file.to_owned()))).or_insert(0) += 1;
        }
    }
    counts
}

#[test]
#[ignore = "some minutes, and strace"]
fn any_call_that_keeps_evidence_may_fail() {
    let calls = calls_of_a_healthy_run();
    let tried = Mutex::new(BTreeMap::<&str, (u32, u32)>::new());
    // Of the writes the first to each file, and each third of the others: the simulated runs try every event.
    let step = |(call, _): &Fault| if *call == "write" { 3 } else { 1 };
    let one = calls
        .iter()
        .flat_map(|(fault, count)| (1..=*count).step_by(step(fault)).map(move |n| (fault, n.to_string())));
    // And the disk that has no room for another line of the journal, from then on.
    let journal = calls.iter().filter(|((_, file), _)| file.as_deref() == Some("journal.jsonl"));
    let for_ever =
        journal.flat_map(|(fault, count)| (1..=*count).step_by(18).map(move |n| (fault, format!("{n}+"))));
    each_on_two_threads(for_ever.chain(one), |((call, file), when)| {
        let staging = healthy();
        let trace = staging.folder.path().join("trace");
        let (traced, inject) = (format!("trace={call}"), format!("inject={call}:error=ENOSPC:when={when}"));
        let path = file.as_ref().map(|file| today(&staging).join(file));
        let mut arguments = vec!["-b", "execve", "-o", trace.to_str().unwrap(), "-e", &traced, "-e", &inject];
        arguments.extend(path.iter().flat_map(|path| ["-P", path.to_str().unwrap()]));
        let output = strace(&staging, &arguments);
        // Each thread has a count of its own, and a pipe is not read in the same pieces each time.
        let reached = std::fs::read_to_string(trace).unwrap().contains("(INJECTED)");
        if reached {
            could_not_be_kept(&staging, &output);
        } else {
            assert_eq!(output.status.code(), Some(0), "{output:?}");
        }
        let mut tried = tried.lock().unwrap();
        let (failed, not_reached) = tried.entry(call).or_default();
        *if reached { failed } else { not_reached } += 1;
    });
    let tried = tried.into_inner().unwrap();
    println!("failed, and not reached: {tried:?}");
    for call in CALLS {
        assert!(tried.get(call).is_some_and(|(failed, not_reached)| failed > &10 && failed > not_reached));
    }
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
        let staging = healthy();
        let root = quoted(&root(&staging));
        let fill = format!(
            "if mkdir \"$0.has filled it\" 2>/dev/null; then
                free=$(df --output=avail -k {root} | tail -n 1)
                head -c $(((free - {left}) * 1024)) /dev/zero >{root}/.full
            fi
            exec \"$REAL\" \"$@\""
        );
        let staging = staging.in_place_of("kubectl", &fill);
        let output = on_a_file_system_of(80 * 1024, &staging);
        if output.status.code() == Some(0) {
            fitting.fetch_add(1, Ordering::Relaxed);
        } else {
            could_not_be_kept(&staging, &output);
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
    let staging = healthy();
    let output = on_a_file_system_of(63 * 1024, &staging);
    let ran = staging.ran(output).exits(2).changed_nothing().says("Refused: 63 MiB are free on the disk of ");
    let ran = ran.says("may need 64 MiB.\nNothing was run.");
    assert!(ran.staging.cluster.api_requests().is_empty());
    assert_eq!(std::fs::read_dir(root(&ran.staging)).unwrap().count(), 0);
}
