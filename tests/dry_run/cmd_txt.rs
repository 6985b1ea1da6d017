//! `bash cmd.txt` of every folder, on a copy of the evidence, without the repository, from `/`.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rehearsal::{Fate, When, scenario};

use super::support::{Ran, Staging, copy_folder, shortened};

struct Replayed {
    status: Option<i32>,
    printed: String,
}

fn replay(ran: &Ran, copy: &Path, folder: &str, mutations: bool) -> Replayed {
    let mut command = Command::new("bash");
    command
        .arg(copy.join(folder).join("cmd.txt"))
        .current_dir("/")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", "/nonexistent")
        .env("KUBECONFIG", &ran.staging.environment["KUBECONFIG"])
        .env("TMPDIR", ran.staging.folder.path());
    command.envs(ran.staging.environment.get("STAGING_API_KEY").map(|key| ("STAGING_API_KEY", key)));
    if mutations {
        command.env("MUTATIONS", "allowed");
    }
    let output = command.output().unwrap();
    let printed =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    Replayed { status: output.status.code(), printed }
}

/// The copy of the evidence, in a folder with another name; the repository is gone.
fn moved(ran: &Ran) -> std::path::PathBuf {
    let copy = ran.staging.folder.path().join("an auditor's copy");
    copy_folder(&ran.evidence(), &copy);
    std::fs::remove_dir_all(ran.staging.repository()).unwrap();
    copy
}

/// Method and path of the cluster's log, without what differs from one client process to the next.
fn reads(ran: &Ran) -> Vec<String> {
    let mut asked: Vec<String> = ran
        .staging
        .cluster
        .requests()
        .into_iter()
        .filter(|request| request.method == "GET")
        .map(|request| request.path_and_query)
        .filter(|path| path.contains("/namespaces"))
        .map(|path| settled(&path))
        .collect();
    asked.sort();
    asked.dedup();
    asked
}

/// A path without where a watch takes up and how long it may last (a random time), and with what a selector joins in one order: kubectl joins it from a map.
fn settled(path: &str) -> String {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut parts: Vec<String> = query
        .split('&')
        .filter(|part| !part.starts_with("resourceVersion=") && !part.starts_with("timeoutSeconds="))
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let mut terms: Vec<&str> = value.split("%2C").collect();
            terms.sort_unstable();
            format!("{name}={}", terms.join("%2C"))
        })
        .collect();
    parts.sort();
    format!("{path}?{}", parts.join("&"))
}

fn every_folder_replays_the_same(staging: Staging, status: i32) {
    let ran = staging.run().exits(status);
    let by_the_run = reads(&ran);
    let asked_of_the_api = ran.staging.cluster.api_requests().len();
    let folders: Vec<&str> = ["preflight", "deploy", "smoke", "dump_logs"]
        .into_iter()
        .filter(|folder| ran.evidence().join(folder).join("cmd.txt").exists())
        .collect();
    let copy = moved(&ran);
    ran.staging.cluster.forget_requests();
    let mut lines = 0;
    for folder in folders {
        let replayed = replay(&ran, &copy, folder, false);
        assert_eq!(replayed.status, Some(0), "{folder}\n{}", replayed.printed);
        for line in
            replayed.printed.lines().filter(|line| line.contains(": ") && !line.contains("What they printed"))
        {
            assert!(line.starts_with("same ") || line.starts_with("left out "), "{folder}: {line}");
            lines += usize::from(line.starts_with("same "));
        }
    }
    assert!(lines > 10, "{lines}");
    let writes = ran.staging.cluster.writes();
    assert!(writes.is_empty(), "{writes:?}");
    let by_the_replay = reads(&ran);
    let missing: Vec<&String> = by_the_run.iter().filter(|path| !by_the_replay.contains(path)).collect();
    // The guards' dry runs ask for each object by its name; they are left out, and so are an apply's questions.
    let missing: Vec<&&String> = missing.iter().filter(|path| !is_an_applys(path)).collect();
    assert!(missing.is_empty(), "not asked again: {missing:?}");
    if status == 0 {
        assert_eq!(ran.staging.cluster.api_requests().len(), asked_of_the_api);
    }
}

fn is_an_applys(path: &str) -> bool {
    ["/deployments/", "/services/", "/serviceaccounts/", "/horizontalpodautoscalers/"]
        .iter()
        .any(|kind| path.contains(kind))
}

#[test]
fn of_a_passing_run_with_a_key() {
    every_folder_replays_the_same(
        Staging::of("healthy").remembering().with("STAGING_API_KEY", r#"sk_"$KEY\n`x`'&y"#),
        0,
    );
}

#[test]
fn of_a_stopped_run() {
    every_folder_replays_the_same(Staging::of("crash-loop").remembering(), 1);
}

#[test]
fn of_a_rollout_that_timed_out() {
    every_folder_replays_the_same(shortened("rollout-timeout"), 1);
}

#[test]
fn of_a_run_that_stopped_while_it_listed_the_pods() {
    let crash = Fate::CrashLoop { exit_code: 1, restarts: 2 };
    let late = scenario("healthy").unwrap().new_pods("dpp-api", crash, When::After(Duration::from_secs(20)));
    let hangs = "[[ $* != *can-i* && $* == *'get pods -n dpp-staging' ]] && exec \"$REAL\" get pods -A --watch\nexec \"$REAL\" \"$@\"";
    let ran = Staging::on(late).in_place_of("kubectl", hangs).run().exits(1);
    let replayed = replay(&ran, &moved(&ran), "deploy", false);
    assert_eq!(replayed.status, Some(0), "{}", replayed.printed);
    let left_out = "left out  list.pods: 0, what the run saw is unknown";
    assert!(replayed.printed.contains(left_out), "{}", replayed.printed);
}

#[test]
fn with_mutations_the_applies_run_again_and_only_on_the_runs_namespace() {
    let ran = Staging::of("healthy").remembering().run().exits(0);
    let copy = moved(&ran);
    ran.staging.cluster.forget_requests();
    let replayed = replay(&ran, &copy, "deploy", true);
    assert_eq!(replayed.status, Some(0), "{}", replayed.printed);
    assert!(replayed.printed.contains("same      apply.api: 0 0 0 0"), "{}", replayed.printed);

    // As if the namespace had been made anew since.
    let path = copy.join("deploy/cmd.txt");
    let text = std::fs::read_to_string(&path).unwrap();
    let manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(copy.join("manifest.json")).unwrap()).unwrap();
    let uid = manifest["cluster"]["namespace_uid"].as_str().unwrap();
    std::fs::write(&path, text.replace(uid, "00000000-0000-0000-0000-000000000000")).unwrap();
    let refused = replay(&ran, &copy, "deploy", true);
    assert_eq!(refused.status, Some(2), "{}", refused.printed);
    assert!(refused.printed.contains("nothing was run"), "{}", refused.printed);
}

#[test]
fn a_difference_is_told_and_counted() {
    let ran = Staging::of("healthy").remembering().run().exits(0);
    let copy = moved(&ran);
    let path = copy.join("smoke/cmd.txt");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("saw 0 http 200", "saw 0 http 503", 1)).unwrap();
    let replayed = replay(&ran, &copy, "smoke", false);
    assert_eq!(replayed.status, Some(1), "{}", replayed.printed);
    assert!(
        replayed.printed.contains("differs   gate.health: 0 http 200, the run saw 0 http 503"),
        "{}",
        replayed.printed
    );
    assert!(replayed.printed.contains(" 1 differ"), "{}", replayed.printed);
}
