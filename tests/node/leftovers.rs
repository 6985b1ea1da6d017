//! A node leaves nothing on the machine, however its starter ends.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::cluster::{Node, alone, script, script_ran};

const NAME: &str = "staging-dry-run-node";

/// What the machine has, each with its kind.
#[derive(Debug)]
struct Machine(BTreeSet<String>);

impl Machine {
    fn now() -> Machine {
        let mut all = BTreeSet::new();
        let mountinfo = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        // Without the numbers of a mount.
        all.extend(mountinfo.lines().map(|line| format!("mount {}", line.splitn(4, ' ').last().unwrap())));
        cgroups(Path::new("/sys/fs/cgroup"), &mut all);
        lines("link", "ip", &["-o", "link"], &mut all);
        lines("rule", "iptables-save", &[], &mut all);
        lines("rule", "ip6tables-save", &[], &mut all);
        lines("rule", "nft", &["list", "ruleset"], &mut all);
        processes(&mut all);
        let directories =
            ["/var/lib/cni", "/var/lib/kubelet", "/var/log/pods", "/run/containerd", "/run/netns"];
        let directories = directories.iter().filter(|path| Path::new(path).exists());
        all.extend(directories.map(|path| format!("directory {path}")));
        Machine(all)
    }

    /// What is there and was not in `before`.
    fn more_than<'a>(&'a self, before: &Machine) -> Vec<&'a String> {
        self.0.iter().filter(|thing| !before.0.contains(*thing)).collect()
    }

    fn of_kind<'a>(more: &'a [&'a String], kind: &str) -> usize {
        more.iter().filter(|thing| thing.starts_with(kind)).count()
    }
}

/// The cgroups of a node and of its containers; other programs of the machine have their own.
fn cgroups(folder: &Path, all: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            let text = path.display().to_string();
            if [NAME, "kubepods", "k8s.io"].iter().any(|word| text.contains(word)) {
                all.insert(format!("cgroup {text}"));
            }
            cgroups(&path, all);
        }
    }
}

fn lines(kind: &str, program: &str, arguments: &[&str], all: &mut BTreeSet<String>) {
    let output = Command::new(program).args(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    // Without comments, which have the time in them, and counters.
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.starts_with(':'));
    all.extend(lines.map(|line| format!("{kind} {line}")));
}

/// Processes in a network or process namespace other than ours, and those namespaces; processes of a node outside.
fn processes(all: &mut BTreeSet<String>) {
    let namespace = |process: &Path, kind: &str| std::fs::read_link(process.join("ns").join(kind)).ok();
    let ours = Path::new("/proc/self");
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let process = entry.path();
        let number = entry.file_name().to_str().unwrap().to_owned();
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        for kind in ["net", "pid", "ipc", "uts", "mnt"] {
            let found = namespace(&process, kind);
            if let Some(found) = found.filter(|found| namespace(ours, kind).as_ref() != Some(found)) {
                all.insert(format!("namespace {}", found.display()));
                if kind == "net" || kind == "pid" {
                    all.insert(format!("process {number}"));
                }
            }
        }
        let arguments = std::fs::read(process.join("cmdline")).unwrap_or_default();
        let arguments = String::from_utf8_lossy(&arguments).into_owned();
        if arguments.contains("/real/node/run") {
            all.insert(format!("process {number}"));
        }
    }
}

/// Fails unless the machine is as before; a namespace of the network is taken away a moment after its last process.
#[track_caller]
fn is_as_before(before: &Machine, when: &str) {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let now = Machine::now();
        let left = now.more_than(before);
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < until, "left {when}: {left:#?}");
        thread::sleep(Duration::from_millis(200));
    }
}

fn state(file: &str) -> PathBuf {
    Path::new("/run").join(NAME).join(file)
}

fn folder() -> PathBuf {
    let target = std::env::var("CARGO_TARGET_DIR")
        .map_or_else(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from);
    target.join("real/node/run")
}

/// Kills the starter with SIGKILL when it has made a file.
fn killed_when(arguments: &[&str], file: &Path) {
    let began = SystemTime::now();
    let mut starter = script(arguments);
    let mut starter =
        starter.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let until = Instant::now() + Duration::from_mins(1);
    let made = || file.metadata().and_then(|metadata| metadata.modified()).is_ok_and(|time| time > began);
    while !made() {
        assert!(
            Instant::now() < until && starter.try_wait().unwrap().is_none(),
            "{arguments:?}: no file {}",
            file.display()
        );
        thread::sleep(Duration::from_millis(5));
    }
    starter.kill().unwrap();
    starter.wait().unwrap();
}

#[track_caller]
fn succeeds(arguments: &[&str]) -> String {
    let output = script_ran(arguments);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {message}");
    message
}

/// Counts of each kind, for the figures.
fn counted(machine: &Machine) -> String {
    let all: Vec<&String> = machine.0.iter().collect();
    let kinds = ["mount", "cgroup", "link", "rule", "namespace", "process"];
    kinds.map(|kind| format!("{kind} {}", Machine::of_kind(&all, kind))).join(", ")
}

/// Up with pods and down; then starters that are killed at three moments, each followed by an `up` that ends first
/// what was left, or by a `down`.
#[test]
#[ignore = "needs a real node"]
fn up_down_and_killed_starters_leave_nothing() {
    let _alone = alone();
    succeeds(&["build"]);
    let repetitions = std::env::var("NODE_REPETITIONS").map_or(1, |times| times.parse().unwrap());
    let before = Machine::now();
    let (mut up_times, mut down_times) = (Vec::new(), Vec::new());
    for repetition in 1..=repetitions {
        let began = Instant::now();
        succeeds(&["up"]);
        up_times.push(began.elapsed().as_millis());
        Node::deploy("v0.4.2.2");
        let now = Machine::now();
        let more = now.more_than(&before);
        let [cgroups, namespaces, processes] =
            ["cgroup", "namespace", "process"].map(|kind| Machine::of_kind(&more, kind));
        assert!(cgroups > 50 && namespaces > 10 && processes > 20, "nothing to leave: {more:#?}");
        assert_eq!(["mount", "link", "rule"].map(|kind| Machine::of_kind(&more, kind)), [0; 3], "{more:#?}");
        let began = Instant::now();
        succeeds(&["down"]);
        down_times.push(began.elapsed().as_millis());
        is_as_before(&before, &format!("by up and down, repetition {repetition}"));

        killed_when(&["up"], &state("network"));
        killed_when(&["up"], &folder().join("logs/kubelet.log"));
        assert!(succeeds(&["up"]).contains("is ended first"), "no word of the node that was left");
        succeeds(&["down"]);
        is_as_before(&before, &format!("by two killed starters and up, repetition {repetition}"));

        killed_when(&["hold"], &folder().join("ready"));
        succeeds(&["down"]);
        is_as_before(&before, &format!("by a killed holder, repetition {repetition}"));
        println!("repetition {repetition} of {repetitions} left nothing");
    }
    println!("before: {}\nafter: {}", counted(&before), counted(&Machine::now()));
    println!("{repetitions} repetitions; up {up_times:?} ms, down {down_times:?} ms");
}

#[test]
#[ignore = "needs a real node"]
fn a_crash_leaves_nothing_after_down() {
    let _alone = alone();
    succeeds(&["build"]);
    let before = Machine::now();
    succeeds(&["up"]);
    let status = String::from_utf8(script_ran(&["status"]).stdout).unwrap();
    let etcd = status.lines().find(|line| line.starts_with("etcd")).unwrap().rsplit(' ').next().unwrap();
    assert!(Command::new("kill").args(["-KILL", etcd]).status().unwrap().success());
    while script_ran(&["status"]).status.success() {}
    assert!(succeeds(&["up"]).contains("started anew"));
    // The holder's crash is the end of all of it.
    let holder = std::fs::read_to_string(state("holder")).unwrap();
    let holder = holder.split(' ').next().unwrap();
    assert!(Command::new("kill").args(["-KILL", holder]).status().unwrap().success());
    succeeds(&["down"]);
    is_as_before(&before, "by a crash");
}
