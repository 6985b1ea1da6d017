//! SIGKILL at each line of the journal.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use staging_dry_run::run_state::RunState;
use staging_dry_run::verify::{TrustAnchors, verify};

use super::each_on_two_threads;
use super::support::which;
use super::under_strace::{
    announced_what_it_changed, events, folder, healthy, is_true_as_far_as_it_goes, journal, strace,
};

/// What the next start says of a run that was killed: of each apply what came of it.
fn expected(record: &RunState) -> Vec<String> {
    let applies = [("apply.api", "api"), ("apply.worker", "worker"), ("apply.reaper", "reaper")];
    let begun = applies.into_iter().filter_map(|(id, name)| {
        let command = record.commands.iter().find(|command| command.intent.id.to_string() == id)?;
        Some(match &command.outcome {
            None => {
                format!("k8s/{name}-deployment.yaml: its apply was started, and its end was not recorded")
            }
            Some(outcome) => {
                assert!(outcome.succeeded());
                format!("k8s/{name}-deployment.yaml was applied")
            }
        })
    });
    let lines: Vec<String> = begun.collect();
    if lines.is_empty() { vec!["nothing was applied".to_owned()] } else { lines }
}

/// Kills a thread's n-th write of the journal, before it is done; whether the run came that far.
fn killed_at(n: u32) -> bool {
    let staging = healthy();
    let path = journal(&staging);
    let inject = format!("inject=write:signal=KILL:when={n}");
    // Its children are let go: the watch ends with the cluster, and is not waited for.
    let let_go = ["-b", "execve", "-o", "/dev/null"];
    let output = strace(
        &staging,
        &[&let_go[..], &["-P", path.to_str().unwrap(), "-e", "trace=write", "-e", &inject]].concat(),
    );
    if output.status.code() == Some(0) {
        return false;
    }
    let killed = folder(&staging, false);
    let record = is_true_as_far_as_it_goes(&killed);
    assert!(record.ended.is_none());
    announced_what_it_changed(&staging, &record);
    let kept = std::fs::read(killed.join("journal.jsonl")).unwrap();

    let next = staging.with("STAGING_CONTEXT", "unknown").run().exits(2);
    let next = next.says(&format!("did not finish: {}", expected(&record).join("; ")));
    assert_eq!(std::fs::read(folder(&next.staging, true).join("journal.jsonl")).unwrap(), kept);
    true
}

/// The lines at which a real run is killed: all while the cluster is changed, and each fifth of the others. The
/// simulated runs try every line.
fn is_tried(n: u32) -> bool {
    (80..=115).contains(&n) || n.is_multiple_of(5)
}

/// Kills runs at one place after the other until one does not come that far; returns how many were killed.
fn kills(is_tried: fn(u32) -> bool, killed_at: fn(u32) -> bool) -> u32 {
    let kills = AtomicU32::new(0);
    // The next one is only asked for while the ones before came that far.
    let came_that_far = AtomicBool::new(true);
    let each = (1..).take_while(|_| came_that_far.load(Ordering::Relaxed)).filter(|n| is_tried(*n));
    each_on_two_threads(each, |n| {
        if killed_at(n) {
            kills.fetch_add(1, Ordering::Relaxed);
        } else {
            came_that_far.store(false, Ordering::Relaxed);
        }
    });
    kills.into_inner()
}

#[test]
#[ignore = "some minutes, and strace"]
fn a_run_that_is_killed_at_any_line_of_its_journal_leaves_what_is_true() {
    let kills = kills(is_tried, killed_at);
    assert!(kills > 50, "{kills}");
    println!("killed {kills} times");
}

/// Kills a run at the n-th file that replaces another one, before it does; whether the run came that far.
fn killed_at_replacement(n: u32) -> bool {
    let staging = healthy();
    let inject = format!("inject=renameat:signal=KILL:when={n}");
    let let_go = ["-b", "execve", "-o", "/dev/null", "-e", "trace=renameat", "-e", &inject];
    if strace(&staging, &let_go).status.code() == Some(0) {
        return false;
    }
    let folder = folder(&staging, false);
    let verified = verify(folder.as_path().try_into().unwrap(), &TrustAnchors::default()).unwrap();
    let found: Vec<&String> = verified.checks.iter().flat_map(|check| &check.found).collect();
    let ended = RunState::of(&events(&folder)).ended.is_some();
    let unsealed =
        "SHA256SUMS is missing, though the run ended: it was removed, or the run was killed just before it wrote them".to_owned();
    assert_eq!(found, if ended { vec![&unsealed] } else { Vec::new() }, "killed at {n}");
    true
}

#[test]
#[ignore = "some seconds, and strace"]
fn a_run_that_is_killed_while_it_replaces_a_file_is_doubted_only_if_it_should_have_been_sealed() {
    let kills = kills(|_| true, killed_at_replacement);
    assert!(kills > 25, "{kills}");
    println!("killed {kills} times");
}

#[test]
#[ignore = "strace"]
fn a_manifest_that_took_its_time_begins_when_the_journal_does() {
    let staging = healthy();
    let path = journal(&staging);
    let manifest = path.with_file_name("manifest.json");
    // The first manifest comes more than a second before the first line of the journal; the second line never does.
    let (late, kill) = ("inject=renameat:delay_exit=1100000:when=1", "inject=write:signal=KILL:when=2");
    let paths = ["-P", path.to_str().unwrap(), "-P", manifest.to_str().unwrap()];
    let calls = ["-b", "execve", "-o", "/dev/null", "-e", "trace=renameat,write", "-e", late, "-e", kill];
    let output = strace(&staging, &[&calls[..], &paths].concat());
    assert_ne!(output.status.code(), Some(0));
    let record = is_true_as_far_as_it_goes(&folder(&staging, false));
    assert!(record.began.is_some() && record.commands.is_empty());
}

#[test]
#[ignore = "strace"]
fn what_changes_the_cluster_is_on_the_disk_before_it_is_begun() {
    // kubectl itself, which the trace knows by its path.
    let staging = healthy().with("PATH", "");
    let (path, trace, kubectl) = (journal(&staging), staging.folder.path().join("trace"), which("kubectl"));
    let arguments = ["-s", "400", "-e", "trace=write,fdatasync,execve", "-o", trace.to_str().unwrap()];
    let paths = ["-P", path.to_str().unwrap(), "-P", kubectl.to_str().unwrap()];
    let output = strace(&staging, &[&arguments[..], &paths[..]].concat());
    assert!(output.status.success(), "{output:?}");
    let trace = std::fs::read_to_string(trace).unwrap();
    let mut calls = trace.lines();
    for id in ["apply.api", "apply.worker", "apply.reaper"] {
        let words = ["write(".to_owned(), r#"\"command-starts\""#.to_owned(), format!(r#"\"id\":\"{id}\""#)];
        assert!(calls.any(|call| words.iter().all(|word| call.contains(word))), "{id} was not announced");
        let until = calls.by_ref().take_while(|call| !call.contains(r#"["kubectl", "apply", "-f", "-"]"#));
        assert!(
            until.filter(|call| call.contains("fdatasync(")).count() > 0,
            "{id} was begun before the disk had it"
        );
    }
}
