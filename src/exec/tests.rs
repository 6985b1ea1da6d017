//! Tests with real programs. Their output contains their process ids; each test checks that none of them is
//! left.

mod endings;

use std::io::{self, Write};
use std::path::Path;
use std::process::Stdio;
use std::sync::LazyLock;
use std::time::Duration;

use super::*;

static PROGRAMS: LazyLock<Programs> = LazyLock::new(|| {
    let names = ["bash", "cat", "head", "jq", "sleep", "true", "yes"];
    let mut programs: Programs =
        names.into_iter().map(|name| (name.to_owned(), which::which(name).unwrap())).collect();
    programs.insert("gone".to_owned(), "/nonexistent/gone".into());
    programs
});

fn stages(stages: &[&[&str]]) -> Vec<Vec<String>> {
    stages.iter().map(|argv| argv.iter().map(|argument| (*argument).to_owned()).collect()).collect()
}

fn bash(script: &str) -> Vec<Vec<String>> {
    stages(&[&["bash", "-c", script]])
}

fn command(stages: &[Vec<String>]) -> Command<'_> {
    let (programs, dir, deadline) = (&*PROGRAMS, Path::new("/"), Duration::from_mins(1));
    Command { stages, programs, dir, env: &[], stdin: None, deadline, grace: GRACE, kill_now: None }
}

/// The result of a command.
struct Tried {
    ended: Ended,
    out: String,
    err: String,
}

fn tried(command: &Command<'_>, cancels: &[&Cancel]) -> Tried {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let ended = run(command, &mut out, &mut err, cancels).unwrap();
    Tried { ended, out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap() }
}

/// Asserts that the processes whose ids are in `pids` end soon. A zombie counts as ended, since its parent
/// reaps it.
fn assert_gone(pids: &str) {
    let never = Cancel::new().unwrap();
    assert!(!pids.trim().is_empty(), "no process number was printed");
    for pid in pids.split_whitespace() {
        let gone = (0..500).any(|_| {
            let seen = std::process::Command::new("ps").args(["-o", "stat=", "-p", pid]).output().unwrap();
            seen.stdout.is_empty() || seen.stdout.starts_with(b"Z") || never.wait(Duration::from_millis(10))
        });
        assert!(gone, "process {pid} is still there");
    }
}

/// Runs a test of this module in a process of its own; `starter` is the beginning of its command line.
fn elsewhere(test: &str, starter: &[&str]) {
    let itself = std::env::current_exe().unwrap();
    let line = format!("{} --exact {test} --ignored", shlex::try_quote(itself.to_str().unwrap()).unwrap());
    let mut words = starter.to_vec();
    words.push(&line);
    let done = std::process::Command::new(words[0]).args(&words[1..]).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(
        done.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

#[test]
fn each_stage_has_its_status_as_in_bash() {
    let exits = ["exit 3", "cat; exit 0", "cat >/dev/null; kill -TERM $$", "kill -KILL $$", "true"];
    let argv: Vec<_> = exits.iter().map(|script| ["bash", "-c", script]).collect();
    let tried = tried(&command(&stages(&argv.iter().map(|argv| &argv[..]).collect::<Vec<_>>())), &[]);

    let quoted: Vec<_> = exits.iter().map(|script| format!("bash -c '{script}'")).collect();
    let script = format!("{}; echo ${{PIPESTATUS[*]}}", quoted.join(" | "));
    let bash = std::process::Command::new("bash").args(["-c", &script]).output().unwrap();
    let ours: Vec<_> = tried.ended.exit.iter().map(i32::to_string).collect();
    assert_eq!(ours.join(" "), String::from_utf8_lossy(&bash.stdout).trim());
    assert_eq!((tried.ended.exit, tried.ended.by), (vec![3, 0, 143, 137, 0], EndedBy::Itself));
    assert!(tried.ended.note.is_none() && tried.ended.sink_error.is_none());
}

#[test]
fn outputs_are_told_apart_and_stderr_is_that_of_all_stages() {
    let script = "sed s/one/three/; echo four >&2";
    let stages = stages(&[&["bash", "-c", "echo one; echo two >&2"], &["bash", "-c", script]]);
    let two = tried(&command(&stages), &[]);
    assert_eq!((two.out.as_str(), two.err.as_str()), ("three\n", "two\nfour\n"));
}

#[test]
fn jq_tells_by_its_status_what_it_read() {
    let stages = stages(&[&["jq", "-e", ".status == \"healthy\""]]);
    let exit = |input| tried(&Command { stdin: Some(input), ..command(&stages) }, &[]).ended.exit;
    assert_eq!(exit(br#"{"status": "healthy"}"#), [0]);
    assert_eq!(exit(br#"{"status": "ill"}"#), [1]);
}

#[test]
fn a_stage_that_is_not_listened_to_dies_of_sigpipe() {
    let tried = tried(&command(&stages(&[&["yes"], &["head", "-n1"]])), &[]);
    assert_eq!((tried.ended.exit, tried.out.as_str()), (vec![141, 0], "y\n"));
}

#[test]
fn arguments_arrive_unchanged_and_the_program_by_its_name() {
    let odd = ["0", "", " ", "a'b\"c", "$HOME `x`", "line\nbreak", "*", "\\", "ü"];
    let script = "head -c5 /proc/$$/cmdline; printf '%s\\0' \"$0\" \"$@\"";
    let argv = [&["bash", "-c", script], &odd[..]].concat();
    let tried = tried(&command(&stages(&[&argv])), &[]);
    assert_eq!(tried.out, format!("bash\0{}\0", odd.join("\0")));
}

#[test]
fn each_stage_has_its_own_process_group() {
    let script = "group=$(ps -o pgid= -p $$); echo $group $$ >&2";
    let tried = tried(&command(&stages(&[&["bash", "-c", script], &["bash", "-c", script]])), &[]);
    let groups: Vec<_> = tried.err.lines().map(|line| line.split_once(' ').unwrap()).collect();
    assert!(groups.len() == 2 && groups.iter().all(|(group, pid)| group == pid), "{groups:?}");
}

#[test]
fn stdin_arrives_whole() {
    let key = b"Authorization: Bearer sk\"_$HOME\\_`'\0\xff\n";
    let stages = stages(&[&["cat"], &["cat"]]);
    let mut out = Vec::new();
    run(&Command { stdin: Some(key), ..command(&stages) }, &mut out, &mut io::sink(), &[]).unwrap();
    assert_eq!(out, key);
}

#[test]
fn without_stdin_there_is_nothing_to_read() {
    assert_eq!(tried(&command(&bash("cat; readlink /proc/self/fd/0")), &[]).out, "/dev/null\n");
}

#[test]
fn stdin_that_a_pipe_cannot_hold_is_refused() {
    let long = vec![b'x'; 2 << 20];
    let stages = stages(&[&["cat"]]);
    let long = Command { stdin: Some(&long), ..command(&stages) };
    let refused = run(&long, &mut io::sink(), &mut io::sink(), &[]).unwrap_err();
    assert_eq!(refused.to_string(), "2097152 bytes of standard input are more than fit into a pipe");
}

#[test]
fn folder_and_environment_are_what_was_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().canonicalize().unwrap();
    let stages =
        stages(&[&["jq", "-nc", "[env.SET, env.HOME, env.PATH != null]"], &["bash", "-c", "cat; pwd"]]);
    let env = [("SET".into(), Some("a value".into())), ("HOME".into(), None)];
    let tried = tried(&Command { dir: &dir, env: &env, ..command(&stages) }, &[]);
    assert_eq!(tried.out, format!("[\"a value\",null,true]\n{}\n", dir.display()));
}

#[test]
fn what_cannot_start_is_named_and_leaves_nothing_behind() {
    let failed = |stages: &[Vec<String>]| {
        run(&command(stages), &mut io::sink(), &mut io::sink(), &[]).unwrap_err().to_string()
    };
    let mark = format!("9999.{}", std::process::id());
    assert_eq!(
        failed(&stages(&[&["sleep", &mark], &["gone", "x"]])),
        "gone (/nonexistent/gone) could not be started: No such file or directory (os error 2)"
    );
    let left = std::process::Command::new("pgrep").args(["-f", &mark]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&left.stdout), "");

    assert_eq!(
        failed(&stages(&[&["cat"], &["kubectl"]])),
        "kubectl is not among the programs that were looked up"
    );
    assert_eq!(
        failed(&stages(&[&["cat", "a\0b"]])).split(": ").last(),
        Some("nul byte found in provided data")
    );
    assert_eq!(failed(&[]), "there is no program to run");
    assert_eq!(failed(&[vec![]]), "there is no program to run");
}

#[test]
fn much_output_passes_through() {
    let bytes = 256 << 20;
    let mut counted = Counting(0);
    let stages = stages(&[&["head", "-c", &bytes.to_string(), "/dev/zero"], &["cat"]]);
    let ended = run(&command(&stages), &mut counted, &mut io::sink(), &[]).unwrap();
    assert_eq!((counted.0, ended.exit, ended.by), (bytes, vec![0, 0], EndedBy::Itself));
}

struct Counting(usize);

impl Write for Counting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn statuses_are_there_even_where_sigchld_was_ignored() {
    elsewhere("exec::tests::with_sigchld_ignored", &["env", "--ignore-signal=CHLD", "bash", "-c"]);
}

#[test]
#[ignore = "run by another test, in a process of its own"]
fn with_sigchld_ignored() {
    assert_eq!(tried(&command(&bash("exit 3")), &[]).ended.exit, [3]);
}

#[test]
fn a_halt_is_waited_for_and_stays_pulled() {
    let cancel = Cancel::new().unwrap();
    assert!(!cancel.is_cancelled() && !cancel.wait(Duration::from_millis(1)));
    std::thread::scope(|threads| {
        threads.spawn(|| cancel.cancel());
        assert!(cancel.wait(Duration::MAX));
    });
    assert!(cancel.is_cancelled() && cancel.wait(Duration::MAX));
    // More often than the capacity of a pipe.
    (0..100_000).for_each(|_| cancel.cancel());
}

/// `cargo test --release --lib exec::tests::measures -- --ignored --nocapture`
#[test]
#[ignore = "measures; only of use in a release build, and alone"]
fn measures() {
    let gib = (1_u64 << 30).to_string();
    let head = stages(&[&["head", "-c", &gib, "/dev/zero"]]);
    let mut kept = tempfile::tempfile().unwrap();
    let ended = run(&command(&head), &mut kept, &mut io::sink(), &[]).unwrap();
    println!("1 GiB to a file: {:?}", ended.duration);

    let started = Instant::now();
    let file = tempfile::tempfile().unwrap();
    std::process::Command::new("head").args(["-c", &gib, "/dev/zero"]).stdout(file).status().unwrap();
    println!("1 GiB by the program itself: {:?}", started.elapsed());

    let (hundred, none) = (100, stages(&[&["true"]]));
    let started = Instant::now();
    (0..hundred).for_each(|_| drop(tried(&command(&none), &[])));
    println!("true: {:?}", started.elapsed() / hundred);
    let started = Instant::now();
    (0..hundred).for_each(|_| drop(std::process::Command::new("true").status()));
    println!("true, by the standard library: {:?}", started.elapsed() / hundred);

    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    println!("peak memory: {:?}", status.lines().find(|line| line.starts_with("VmHWM")));
}
