//! Files, pipes, repositories, and the second run.

use super::super::support::zone::{noon, today};
use super::super::support::{Staging, files_below, path_with, scenario_ran};
use super::{API_KEY, applied, ids, read, through_bash};
use serde_json::{Value, json};
use staging_dry_run::facts::apply::ApplyOutcome;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn the_users_curlrc_and_kuberc_change_nothing() {
    let staging = Staging::of("healthy");
    let home = staging.folder.path().to_owned();
    std::fs::write(home.join(".curlrc"), "fail\nproxy = \"http://127.0.0.1:9\"\nlocation\n").unwrap();
    std::fs::create_dir(home.join(".kube")).unwrap();
    let kuberc = "apiVersion: kubectl.config.k8s.io/v1beta1\nkind: Preference\ndefaults:\n\
                  - command: apply\n  options:\n  - {name: server-side, default: \"true\"}\n\
                  - command: get\n  options:\n  - {name: output, default: name}\n";
    std::fs::write(home.join(".kube/kuberc"), kuberc).unwrap();
    let ran = staging.run().exits(0);
    assert_eq!(ran.manifest()["verdict"], "pass");
    assert_eq!(
        applied(&ran.events(), "deployment.apps/dpp-api"),
        Some(ApplyOutcome::Configured),
        "not `serverside-applied`"
    );
}

#[test]
fn a_kubeconfig_list_with_a_relative_path_means_our_current_folder() {
    let ran = Staging::of("healthy").with("KUBECONFIG", "missing:../kubeconfig").run().exits(0);
    assert_eq!(ran.manifest()["verdict"], "pass");
}

#[test]
fn a_run_without_a_repository_says_why_there_is_no_commit() {
    let ran = scenario_ran("healthy");
    let manifest = ran.manifest();
    assert_eq!(manifest["commit_sha"], Value::Null);
    assert_eq!(manifest["git"]["why"], "there is no git repository with a commit");
    assert!(read(ran, "preflight/versions.txt").starts_with("Git SHA: none (there is no git repository"));
}

#[test]
fn what_git_says_of_why_it_tells_no_commit_is_kept() {
    let dubious = "echo 'fatal: detected dubious ownership in repository' >&2; exit 128";
    let ran = Staging::of("healthy").remembering().in_place_of("git", dubious).run().exits(0);
    let why = "git reports no commit: fatal: detected dubious ownership in repository";
    assert_eq!(ran.manifest()["git"]["why"], why);
}

#[test]
fn a_run_without_git_needs_none() {
    let staging = Staging::of("healthy").remembering();
    let path = path_with(staging.folder.path(), &["kubectl", "curl", "jq", "cat", "sed"]);
    let ran = staging.with("PATH", &path).run().exits(0);
    assert_eq!(ran.manifest()["git"]["why"], "git is not on PATH");
}

#[test]
fn a_run_in_a_repository_names_the_commit_and_whether_the_manifests_differ_from_it() {
    let git = |ran: &Staging, arguments: &[&str]| {
        let output = Command::new("git")
            .args(["-c", "user.name=test", "-c", "user.email=test@example.com"])
            .args(arguments)
            .current_dir(ran.repository())
            .env("HOME", ran.folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let staging = Staging::of("healthy").remembering();
    git(&staging, &["init", "-q", "-b", "main"]);
    git(&staging, &["add", "."]);
    git(&staging, &["commit", "-q", "-m", "Begin"]);
    let commit = git(&staging, &["rev-parse", "HEAD"]);
    let sub = staging.repository().join("k8s");

    // From a folder below: the root is the top level.
    let output = staging.command(&["run", "--no-apply"]).current_dir(&sub).output().unwrap();
    let ran = staging.ran(output).exits(0);
    let manifest = ran.manifest();
    assert_eq!((&manifest["commit_sha"], &manifest["git"]["branch"]), (&json!(commit), &json!("main")));
    assert_eq!(manifest["git"]["manifests_dirty"], false);

    let staging = ran.staging.manifest("api-deployment.yaml", |text| text + "# changed\n");
    let ran = staging.run().exits(0);
    let git = &ran.manifest()["git"];
    assert_eq!((&git["commit"], &git["manifests_dirty"]), (&json!(commit), &json!(true)));
}

// What is left on the disk.

#[test]
fn a_second_run_of_a_day_leaves_the_first_untouched_and_names_it() {
    let first = Staging::of("healthy").remembering().run().exits(0);
    let (folder, before) = (first.evidence(), files_below(&first.evidence()));
    let run_id = first.manifest()["run_id"].clone();

    let second = first.staging.option("--no-apply").run().exits(0);
    assert_eq!(second.evidence(), folder, "the date is the day's latest run");
    let kept = folder.with_extension("1");
    assert!(files_below(&kept) == before, "{kept:?} was altered");
    let manifest = second.manifest();
    let previous = &manifest["previous_run"];
    assert_ne!(manifest["run_id"], run_id);
    assert_eq!(previous["run_id"], run_id);
    assert_eq!(previous["dir"], kept.file_name().unwrap().to_str().unwrap());
    assert_eq!(previous["manifest_sha256"], sha256sum(&kept.join("manifest.json")));
}

fn sha256sum(file: &Path) -> String {
    let output = Command::new("sha256sum").arg(file).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned()
}

#[test]
fn the_umask_decides_who_may_read_the_evidence_and_private_lets_nobody() {
    let modes = |staging: &Staging| -> BTreeSet<(bool, u32)> {
        let folders = [staging.repository().join("evidence")];
        let mut found = BTreeSet::new();
        let mut left = folders.to_vec();
        while let Some(folder) = left.pop() {
            found.insert((true, std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777));
            for entry in std::fs::read_dir(folder).unwrap() {
                let (path, metadata) = entry.map(|entry| (entry.path(), entry.metadata().unwrap())).unwrap();
                if metadata.is_dir() {
                    left.push(path);
                } else {
                    found.insert((false, metadata.permissions().mode() & 0o777));
                }
            }
        }
        found
    };
    let staging = Staging::of("forbidden");
    assert_eq!(through_bash(&staging, "umask 027; exec \"$0\" run").status.code(), Some(2));
    assert_eq!(modes(&staging), [(false, 0o640), (true, 0o750)].into());
    let private = Staging::of("forbidden").option("--private").run().exits(2);
    assert_eq!(modes(&private.staging), [(false, 0o600), (true, 0o700)].into());
}

#[test]
fn two_runs_with_evidence_folders_of_their_own_go_on_side_by_side() {
    let staging = Staging::of("healthy").remembering();
    let folders = ["evidence/one", "evidence/other"];
    let runs = folders.map(|folder| {
        let mut run = staging.command(&["run", "--evidence", folder]);
        run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    });
    let run_ids = runs.map(|run| {
        let output = run.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&output.stderr));
        let manifest = said.lines().find_map(|line| line.strip_prefix("Manifest: ")).unwrap();
        let manifest: Value = serde_json::from_slice(&std::fs::read(manifest).unwrap()).unwrap();
        assert_eq!((&manifest["verdict"], &manifest["previous_run"]), (&json!("pass"), &Value::Null));
        manifest["run_id"].clone()
    });
    assert_ne!(run_ids[0], run_ids[1]);
}

#[test]
fn no_link_is_followed_out_of_the_evidence() {
    let staging = Staging::of("healthy").remembering();
    let (outside, root) =
        (staging.folder.path().join("outside"), staging.repository().join("evidence/staging"));
    std::fs::create_dir_all(&root).unwrap();
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("manifest.json"), "not ours").unwrap();
    let today = today(noon());
    std::os::unix::fs::symlink(&outside, root.join(&today)).unwrap();
    // kubectl keeps what it knows of a server's API in the home folder, whoever calls it.
    let elsewhere = |staging: &Staging| {
        let mut files = files_below(staging.folder.path());
        files
            .retain(|file, _| !file.starts_with("repository/evidence/") && !file.starts_with(".kube/cache/"));
        files
    };
    let was = elsewhere(&staging);
    let ran = staging.run().exits(0);
    assert_eq!(elsewhere(&ran.staging), was, "nothing but evidence is written");
    assert!(ran.evidence().symlink_metadata().unwrap().is_dir(), "the link gave way");
    assert_eq!(std::fs::read_link(root.join(today + ".1")).unwrap(), outside);

    std::fs::remove_file(root.join(".lock")).unwrap();
    std::os::unix::fs::symlink(outside.join("manifest.json"), root.join(".lock")).unwrap();
    let again = ran.staging.run().exits(4).says(".lock");
    assert_eq!(elsewhere(&again.staging), was, "what it points to is not written");
}

#[test]
fn coreutils_verify_the_sums_and_the_seal() {
    for name in ["healthy", "crash-loop", "forbidden"] {
        let ran = scenario_ran(name);
        let folder = ran.evidence();
        let checked = Command::new("sha256sum")
            .args(["--check", "--strict", "--quiet", "SHA256SUMS"])
            .current_dir(&folder)
            .output()
            .unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
        let sums = read(ran, "SHA256SUMS");
        let summed: BTreeSet<&str> = sums.lines().map(|line| line.split_once("  ").unwrap().1).collect();
        let there = files_below(&folder);
        let of_the_sums = ["SHA256SUMS", "attestation.json"];
        let there: BTreeSet<&str> =
            there.keys().map(String::as_str).filter(|file| !of_the_sums.contains(file)).collect();
        assert_eq!(summed, there);
        let seal = format!("Seal: {}  (SHA-256 of SHA256SUMS)", sha256sum(&folder.join("SHA256SUMS")));
        assert_eq!(ran.stdout.lines().last(), Some(seal.as_str()));
    }
}

#[test]
fn standard_output_is_the_four_last_lines() {
    for (name, smoke) in [("healthy", "Smoke: 10/10 PASS"), ("crash-loop", "Smoke: not run")] {
        let ran = scenario_ran(name);
        let evidence = ran.evidence();
        let lines: Vec<&str> = ran.stdout.lines().collect();
        let [first, second, third, fourth] = lines[..] else { panic!("{}", ran.stdout) };
        assert_eq!(first, smoke);
        assert_eq!(second, format!("Evidence: {}", evidence.display()));
        assert_eq!(third, format!("Manifest: {}/manifest.json", evidence.display()));
        assert!(fourth.starts_with("Seal: "));
    }
}

#[test]
fn preflight_and_smoke_leave_nothing_behind() {
    let staging = Staging::of("healthy").remembering();
    let temporary = staging.folder.path().join("temporary");
    std::fs::create_dir(&temporary).unwrap();
    let ran = staging.with("TMPDIR", temporary.to_str().unwrap()).asks("preflight");
    let ran = ran.exits(0).changed_nothing().wrote_nothing();
    assert_eq!(ran.staging.cluster.api_requests().len(), 0);

    ran.staging.cluster.forget_requests();
    let ran = ran.staging.asks("smoke").exits(0).changed_nothing().wrote_nothing();
    assert!(ran.staging.cluster.requests().is_empty());
    assert!(ran.staging.cluster.api_requests().len() >= 10);
    assert!(ran.stdout.starts_with("Smoke: 10/10 PASS\n"), "{}", ran.stdout);
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0);
}

// Pipes and terminals.

#[test]
fn a_closed_pipe_ends_nothing() {
    let staging = Staging::of("healthy").remembering();
    let output = through_bash(&staging, "\"$0\" run 2>&1 | head -1; exit \"${PIPESTATUS[0]}\"");
    let ran = staging.ran(output).exits(0);
    assert_eq!((ran.stdout.lines().count(), &ran.manifest()["verdict"]), (1, &json!("pass")));
    assert!(ran.evidence().join("SHA256SUMS").exists());
}

#[test]
fn no_terminal_and_no_standard_streams_are_needed() {
    let staging = Staging::of("healthy").remembering();
    let output = through_bash(&staging, "exec \"$0\" run <&- >&- 2>&-");
    let ran = staging.ran(output).exits(0);
    assert_eq!((ran.stdout.as_str(), &ran.manifest()["verdict"]), ("", &json!("pass")));
}

// plan, and no arguments at all.

#[test]
fn plan_runs_nothing_and_lists_every_command_of_a_run() {
    let staging = Staging::of("healthy").remembering().with("STAGING_API_KEY", API_KEY);
    let path = path_with(staging.folder.path(), &[]);
    let plan = staging.with("PATH", &path).asks("plan").exits(0).wrote_nothing();
    assert!(plan.staging.cluster.requests().is_empty());
    assert!(plan.staging.cluster.api_requests().is_empty());
    assert!(!plan.stdout.contains(API_KEY) && !plan.stderr.contains(API_KEY));

    let planned: BTreeSet<String> = plan
        .stdout
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let effect = words.next()?;
            ["reads", "asks", "changes"].contains(&effect).then(|| words.next().map(str::to_owned))?
        })
        .collect();
    for name in ["healthy", "crash-loop", "already-crashing-and-fixed", "readyz-503"] {
        let ran = ids(&scenario_ran(name).manifest());
        let unplanned: Vec<&String> = ran.difference(&planned).collect();
        assert!(unplanned.is_empty(), "{name} ran {unplanned:?}");
    }
}

#[test]
fn without_arguments_it_names_the_inputs_and_does_nothing() {
    let staging = Staging::of("healthy").remembering();
    let output = staging.command(&[]).output().unwrap();
    let ran = staging.ran(output).exits(2).changed_nothing().wrote_nothing();
    assert!(ran.staging.cluster.requests().is_empty());
    for name in ["STAGING_CONTEXT", "STAGING_NAMESPACE", "STAGING_BASE_URL"] {
        assert!(ran.stderr.contains(name) || ran.stdout.contains(name), "{}{}", ran.stdout, ran.stderr);
    }
}
