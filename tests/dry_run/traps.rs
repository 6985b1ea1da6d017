//! How kubectl, curl and the system really behave: each trap that concerns the whole program, by its name.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use rehearsal::{Answer, Body, Fate, Scenario, Until, When, With, scenario};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use staging_dry_run::events::{EndedBy, Event, What};
use staging_dry_run::facts::apply::Outcome;
use staging_dry_run::record::Record;
use staging_dry_run::verdict::{self, Verdict};

use super::staging::{Ran, Staging, path_with, scenario_ran, which};

const API_KEY: &str = "sk_test_51N0tReallyAKey";
const PROGRAM: &str = env!("CARGO_BIN_EXE_staging-dry-run");

fn healthy() -> Scenario {
    scenario("healthy").unwrap()
}

fn read(ran: &Ran, file: &str) -> String {
    std::fs::read_to_string(ran.evidence().join(file)).unwrap()
}

/// How often a command was started.
fn times(manifest: &Value, id: &str) -> usize {
    manifest["commands"].as_array().unwrap().iter().filter(|command| command["id"] == id).count()
}

fn ids(manifest: &Value) -> BTreeSet<String> {
    let commands = manifest["commands"].as_array().unwrap().iter();
    commands.map(|command| command["id"].as_str().unwrap().to_owned()).collect()
}

/// What `kubectl apply` said of an object.
fn applied(events: &[Event], object: &str) -> Option<Outcome> {
    let all = events.iter().filter_map(|event| match &event.what {
        What::Applied { objects, .. } => Some(objects),
        _ => None,
    });
    all.flatten().find(|applied| applied.object == object).map(|applied| applied.outcome.clone())
}

/// The STATUS words of a watch's rows of this event.
fn statuses<'t>(watched: &'t str, event: &str) -> Vec<&'t str> {
    let rows = watched.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row.first() == Some(&event)).map(|row| row[3]).collect()
}

/// A pod nobody's Deployment made, with a container in this state.
fn lone_pod(name: &str, phase: &str, state: &Value) -> With {
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "dpp-staging"},
        "spec": {"containers": [{"name": "migrate", "image": "dpp-migrate:1"}], "restartPolicy": "Never"},
        "status": {"phase": phase, "containerStatuses": [{
            "name": "migrate", "image": "dpp-migrate:1", "imageID": "", "ready": false, "restartCount": 0,
            "started": false, "state": state,
        }]},
    });
    With::Object(pod.to_string().into())
}

fn old_api_pod_crashes() -> With {
    With::Old { deployment: "dpp-api".into(), pod: 0, fate: Fate::CrashLoop { exit_code: 1, restarts: 9 } }
}

/// The program, run through bash so that a pipe or a closed descriptor is bash's own; the program is `$0`.
fn through_bash(staging: &Staging, script: &str) -> Output {
    let plain = staging.command(&[]);
    let mut bash = Command::new("bash");
    bash.args(["-c", script, PROGRAM]).current_dir(plain.get_current_dir().unwrap()).env_clear();
    bash.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    bash.stdin(Stdio::null()).output().unwrap()
}

/// Every file below a folder, by its path.
fn files_below(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn add(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                add(root, &path, files);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    let mut files = BTreeMap::new();
    add(folder, folder, &mut files);
    files
}

fn holds(bytes: &[u8], part: &str) -> bool {
    bytes.windows(part.len()).any(|window| window == part.as_bytes())
}

// Stop rule 2.

#[test]
fn a_replaced_pod_prints_error_after_the_success_and_is_no_stop() {
    let ran = scenario_ran("healthy");
    let watched = read(ran, "deploy/out/watch.pods.out");
    assert!(statuses(&watched, "DELETED").contains(&"Error"), "{watched}");
    let manifest = ran.manifest();
    assert_eq!((ran.status, &manifest["verdict"]), (Some(0), &json!("pass")));
    for excused in manifest["excused"].as_array().unwrap() {
        let why = excused["why"].as_str().unwrap();
        assert_eq!(why, "watch.pods had shown it Terminating before", "{excused}");
    }
}

#[test]
fn a_status_that_only_contains_error_is_no_stop_but_stop_on_makes_it_one() {
    let waiting = |reason: &str| json!({"waiting": {"reason": reason}});
    let staging = || {
        let scenario = healthy()
            .with(lone_pod("dpp-one", "Pending", &waiting("CreateContainerError")))
            .with(lone_pod("dpp-two", "Pending", &waiting("error")))
            .with(lone_pod("dpp-three", "Pending", &waiting("crashloopbackoff")));
        Staging::on(scenario)
    };
    let ran = staging().run().exits(0);
    let watched = read(&ran, "deploy/out/watch.pods.out");
    for status in ["CreateContainerError", "error", "crashloopbackoff"] {
        assert!(statuses(&watched, "ADDED").contains(&status), "{watched}");
    }
    let manifest = ran.manifest();
    assert_eq!((&manifest["stop"], &manifest["verdict"]), (&Value::Null, &json!("shortfall")));
    assert_eq!(ran.criterion("pods-running"), "not met");

    let ran = staging().option("--stop-on=Evicted,CreateContainerError").run().exits(1);
    let stop = &ran.manifest()["stop"];
    assert_eq!(
        (&stop["rule"], &stop["observed"]),
        (&json!(2), &json!("pod dpp-one: CreateContainerError")),
        "{stop}"
    );
}

#[test]
fn a_pod_that_was_failing_stops_at_once_when_the_apply_changes_nothing_about_its_deployment() {
    let staging =
        Staging::on(healthy().with(old_api_pod_crashes()).with(With::RunningTag("v0.4.2.2".into())))
            .manifest("api-deployment.yaml", |text| {
                // `configured`, but not the spec: only the generation tells.
                text.replacen(
                    "labels:\n    app: dpp-api\n",
                    "labels:\n    app: dpp-api\n    team: staging\n",
                    2,
                )
            });
    let ran = staging.run().exits(1);
    assert_eq!(applied(&ran.events(), "deployment.apps/dpp-api"), Some(Outcome::Configured));
    let manifest = ran.manifest();
    let stop = &manifest["stop"];
    assert_eq!((&stop["rule"], times(&manifest, "rollout.api")), (&json!(2), 0), "{stop}");
    assert!(stop["observed"].as_str().unwrap().ends_with(": CrashLoopBackOff"), "{stop}");
}

#[test]
fn a_pod_that_was_failing_is_excused_while_the_rollout_may_mend_it() {
    let ran = scenario_ran("already-crashing-and-fixed");
    let manifest = ran.manifest();
    assert_eq!((ran.status, &manifest["verdict"]), (Some(0), &json!("pass")));
    let excused = manifest["excused"].as_array().unwrap();
    let why = "it was failing before the deploy, which may mend it";
    assert!(
        excused.iter().any(|pod| pod["status"] == "CrashLoopBackOff" && pod["why"] == why),
        "{excused:?}"
    );
}

#[test]
fn a_left_over_failed_pod_no_rollout_mends_is_a_stop_at_the_end() {
    let ended = json!({"terminated": {"exitCode": 1, "reason": "Error"}});
    let ran = Staging::on(healthy().with(lone_pod("dpp-migrate", "Failed", &ended))).run().exits(1);
    let manifest = ran.manifest();
    let stop = &manifest["stop"];
    assert_eq!(
        (&stop["rule"], &stop["command"], &stop["observed"]),
        (&json!(2), &json!("objects.after"), &json!("pod dpp-migrate: Error, as before the deploy")),
    );
    assert_eq!(times(&manifest, "rollout.reaper"), 1);
}

#[test]
fn without_an_apply_nothing_mends_a_failing_pod() {
    let ran = Staging::of("already-crashing-and-fixed").option("--no-apply").run().exits(1).changed_nothing();
    let manifest = ran.manifest();
    assert_eq!(manifest["stop"]["rule"], 2);
    assert_eq!(manifest["excused"], json!([]), "no deploy may mend it");
}

#[test]
fn a_watch_that_is_cut_silently_is_started_again_and_still_stops() {
    let ran = scenario_ran("watch-cut");
    let manifest = ran.manifest();
    assert_eq!(times(&manifest, "watch.pods"), 2);
    let commands = manifest["commands"].as_array().unwrap();
    let cut = commands.iter().find(|command| command["id"] == "watch.pods").unwrap();
    assert_eq!((&cut["exit"], &cut["ended_by"]), (&json!([0]), &json!("itself")));
    let stop = &manifest["stop"];
    assert_eq!((ran.status, &stop["rule"], &stop["command"]), (Some(1), &json!(2), &json!("watch.pods")));
    assert_eq!(stop["confirmed_by"], "confirm.pod");
}

#[test]
fn a_command_that_a_stop_ended_refuses_nothing() {
    // A pod may fail while `config use-context` is under way.
    let mut events = scenario_ran("crash-loop").events();
    let ended = events.iter_mut().find_map(|event| match &mut event.what {
        What::CommandEnded(outcome) if outcome.id == "use-context" => Some(outcome),
        _ => None,
    });
    let outcome = ended.unwrap();
    (outcome.exit, outcome.ended_by) = (vec![143], EndedBy::StagingDryRun);
    let judgement = verdict::judge(&Record::of(&events));
    assert_eq!((judgement.verdict, judgement.findings, judgement.exit_code), (Verdict::Stop, vec![], 1));
}

#[test]
fn a_pods_hostile_name_is_no_path() {
    let ended = json!({"terminated": {"exitCode": 1, "reason": "Error"}});
    let ran = Staging::on(healthy().with(lone_pod("../../../../escaped", "Failed", &ended))).run().exits(1);
    assert_eq!(ran.manifest()["stop"]["rule"], 2);
    let found = files_below(ran.staging.folder.path());
    assert!(found.keys().all(|name| !name.contains("escaped")), "{:?}", found.keys());
}

// Rollouts and applies.

#[test]
fn pods_that_are_never_created_are_named_by_the_deployments_condition() {
    let refused = "exceeded quota: pods, requested: pods=1, used: pods=10, limited: pods=10";
    let scenario =
        healthy().new_pods("dpp-worker", Fate::NotCreated { message: refused.into() }, When::RolloutWatched);
    let ran = Staging::on(scenario).option("--rollout-timeout=1s").run().exits(1);
    let stop = &ran.manifest()["stop"];
    assert_eq!((&stop["rule"], &stop["command"]), (&json!(1), &json!("rollout.worker")));
    let observed = stop["observed"].as_str().unwrap();
    for words in ["did not finish in time (exit 1)", "ReplicaFailure (FailedCreate)", refused] {
        assert!(observed.contains(words), "{observed}");
    }
}

#[test]
fn a_progress_deadline_that_passed_is_told_from_a_timeout() {
    let scenario = healthy().new_pods("dpp-api", Fate::PastDeadline, When::RolloutWatched);
    let ran = Staging::on(scenario).run().exits(1).says("exceeded its progress deadline");
    let stop = &ran.manifest()["stop"];
    assert_eq!((&stop["rule"], &stop["command"]), (&json!(1), &json!("rollout.api")));
    assert!(stop["observed"].as_str().unwrap().contains("exceeded its progress deadline"), "{stop}");
}

#[test]
fn an_apply_is_not_atomic_within_its_file() {
    // The server's dry run takes each alone; applied, the second changes the first one's selector.
    let extra = |app: &str| {
        format!(
            "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: dpp-extra\n  namespace: dpp-staging\n\
             spec:\n  selector:\n    matchLabels: {{app: {app}}}\n  template:\n    metadata:\n      \
             labels: {{app: {app}}}\n    spec:\n      containers:\n        - {{name: extra, image: \"extra:1\"}}\n"
        )
    };
    let staging = Staging::of("healthy")
        .manifest("worker-deployment.yaml", |text| text + &extra("one") + &extra("two"));
    let ran =
        staging.run().exits(1).says("field is immutable").says("its apply failed, but had already changed");
    let manifest = ran.manifest();
    let stop = &manifest["stop"];
    assert_eq!((&stop["rule"], &stop["command"]), (&json!(1), &json!("apply.worker")), "{stop}");
    assert_eq!(applied(&ran.events(), "deployment.apps/dpp-extra"), Some(Outcome::Created));
    assert_eq!((times(&manifest, "apply.reaper"), times(&manifest, "rollout.api")), (0, 0));
}

#[test]
fn no_apply_applies_nothing_and_still_judges() {
    let ran = Staging::of("healthy")
        .with("IMAGE_TAG", "v0.4.2.1")
        .option("--no-apply")
        .run()
        .exits(0)
        .changed_nothing();
    let manifest = ran.manifest();
    assert_eq!((&manifest["verdict"], &manifest["deploy"]["ok"]), (&json!("pass"), &json!(true)));
    assert_eq!((times(&manifest, "rollout.reaper"), times(&manifest, "check.10")), (1, 1));
    assert!(ids(&manifest).iter().all(|id| !id.starts_with("apply.") && !id.starts_with("guard.")));

    let broken = healthy().answer("/readyz", Answer::text(503, "{}"));
    Staging::on(broken)
        .option("--no-apply")
        .option("--health-timeout=1s")
        .run()
        .exits(1)
        .changed_nothing()
        .says("STOP by rule 3");
}

// The API key.

/// The real programs behind scripts that first write down what they were started with.
fn recording_path(staging: &Staging) -> String {
    let bin = staging.folder.path().join("recording");
    std::fs::create_dir(&bin).unwrap();
    let log = staging.folder.path().join("started");
    for program in ["kubectl", "curl", "jq", "cat", "sed", "git"] {
        let quoted = |path: &Path| shlex::try_quote(path.to_str().unwrap()).unwrap().into_owned();
        let script = format!(
            "#!/bin/bash\n{{ printf '%s\\n' \"$0\" \"$@\"; env; }} >> {}\nexec {} \"$@\"\n",
            quoted(&log),
            quoted(&which(program)),
        );
        std::fs::write(bin.join(program), script).unwrap();
        std::fs::set_permissions(bin.join(program), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    format!("{}:{}", bin.display(), std::env::var_os("PATH").unwrap().to_str().unwrap())
}

#[test]
fn the_key_is_in_no_argument_no_environment_and_no_file_although_the_api_echoes_it() {
    let staging = Staging::on(healthy().answer("/v1/runs", Answer::new(200, Body::Echo)));
    let path = recording_path(&staging);
    let started = staging.folder.path().join("started");
    let ran = staging.with("PATH", &path).with("STAGING_API_KEY", API_KEY).option("-v").run().exits(0);

    let started = std::fs::read_to_string(started).unwrap();
    for program in ["curl", "kubectl", "git"] {
        assert!(started.contains(&format!("/recording/{program}\n")), "{program} was not recorded");
    }
    assert!(!started.contains(API_KEY) && !started.contains("STAGING_API_KEY"));
    assert!(!ran.stdout.contains(API_KEY) && !ran.stderr.contains(API_KEY));
    let base64 = "c2tfdGVzdF81MU4wdFJlYWxseUFLZX";
    for (name, bytes) in files_below(ran.staging.folder.path()) {
        assert!(!holds(&bytes, API_KEY) && !holds(&bytes, base64), "{name}");
    }

    let answer = read(&ran, "smoke/responses/10-v1-runs.http");
    assert!(answer.contains("authorization: Bearer [redacted:STAGING_API_KEY]"), "{answer}");
    let manifest = ran.manifest();
    assert_eq!(
        manifest["redactions"],
        json!([{"file": "smoke/responses/10-v1-runs.http", "name": "STAGING_API_KEY", "count": 1}])
    );
    assert_eq!(manifest["smoke"]["checks_passed"], 10);

    let asked = ran.staging.cluster.api_requests();
    for request in &asked {
        assert_eq!(request.authorization, request.path == "/v1/runs", "{request:?}");
    }
    assert!(asked.iter().any(|request| request.authorization));
}

#[test]
fn a_key_with_quotes_dollars_and_backslashes_arrives_whole() {
    let key = r#"sk_"a$HOME`id`\n'%22&<b>\"#;
    let ran = Staging::on(healthy().answer("/v1/runs", Answer::new(200, Body::Echo)))
        .with("STAGING_API_KEY", key)
        .run()
        .exits(0);
    // What was cut short or changed would not be the key, and would still stand there.
    let answer = read(&ran, "smoke/responses/10-v1-runs.http").to_ascii_lowercase();
    let header = answer.lines().find(|line| line.starts_with("authorization:")).unwrap();
    assert_eq!(header.trim_end(), "authorization: bearer [redacted:staging_api_key]");
    serde_json::from_str::<Value>(&read(&ran, "manifest.json")).unwrap();
    for (name, bytes) in files_below(&ran.evidence()) {
        assert!(!holds(&bytes, "sk_"), "{name}");
    }
}

// curl and the API.

#[test]
fn curl_exits_0_on_a_503_which_passes_no_check() {
    let ran = Staging::on(healthy().answer("/llms.txt", Answer::text(503, "down"))).run().exits(0);
    let manifest = ran.manifest();
    let commands = manifest["commands"].as_array().unwrap();
    let check = commands.iter().find(|command| command["id"] == "check.04").unwrap();
    assert_eq!(check["exit"], json!([0]));
    assert_eq!((&manifest["smoke"]["checks_passed"], &manifest["verdict"]), (&json!(9), &json!("shortfall")));
    assert_eq!(ran.criterion("no-5xx"), "not met");
    let results: Value = serde_json::from_str(&read(&ran, "smoke/results.json")).unwrap();
    assert_eq!(
        (&results["checks"][3]["pass"], &results["checks"][3]["http_status"]),
        (&json!(false), &json!("503"))
    );
}

#[test]
fn metrics_are_asked_on_their_own_port() {
    let asked = scenario_ran("healthy").staging.cluster.api_requests();
    for request in &asked {
        assert_eq!(request.on_metrics_port, request.path == "/metrics", "{request:?}");
    }
    assert!(asked.iter().any(|request| request.on_metrics_port));
}

#[test]
fn an_api_that_is_not_ready_yet_is_waited_for() {
    let not_ready = Answer::holding(503, "{\"status\":\"not_ready\",\"services\":{}}", Until::Asks(2));
    let ran = Staging::on(healthy().answer("/readyz", not_ready)).run().exits(0);
    let manifest = ran.manifest();
    assert_eq!((&manifest["verdict"], times(&manifest, "gate.readyz")), (&json!("pass"), 3));
}

#[test]
fn the_tag_latest_names_no_version_and_is_announced() {
    let ran = Staging::of("healthy").with("IMAGE_TAG", "").run().exits(0).says("latest (the default");
    let announced = ran.stderr.find("latest (the default").unwrap();
    assert!(announced < ran.stderr.find("2 Deploy").unwrap(), "{}", ran.stderr);
    let manifest = ran.manifest();
    assert_eq!((&manifest["verdict"], &manifest["target"]["image_tag"]), (&json!("pass"), &json!("latest")));
    assert_eq!((ran.criterion("health-body"), times(&manifest, "body.health")), ("not evaluated".into(), 0));
    assert_eq!(ran.criterion("readyz-body"), "met");
}

#[test]
fn strict_exits_3_where_a_plain_run_exits_0_with_smoke_not_ok() {
    let plain = scenario_ran("smoke-8-of-10");
    let manifest = plain.manifest();
    assert_eq!(
        (plain.status, &manifest["smoke"]["ok"], &manifest["smoke"]["checks_passed"]),
        (Some(0), &json!(false), &json!(8))
    );
    assert!(plain.stdout.starts_with("Smoke: 8/10 FAIL\n"), "{}", plain.stdout);
    let strict = Staging::of("smoke-8-of-10").option("--strict").run().exits(3).manifest();
    assert_eq!((&strict["exit_code"], &strict["verdict"]), (&json!(3), &manifest["verdict"]));
}

// The user's own files and surroundings.

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
        Some(Outcome::Configured),
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
fn a_run_without_git_needs_none() {
    let staging = Staging::of("healthy");
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
    let staging = Staging::of("healthy");
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
    let first = Staging::of("healthy").run().exits(0);
    let (folder, before) = (first.evidence(), files_below(&first.evidence()));
    let run_id = first.manifest()["run_id"].clone();

    let second = first.staging.option("--no-apply").run().exits(0);
    assert_eq!(second.evidence(), folder, "the date is the day's latest run");
    let kept = folder.with_extension("1");
    assert!(files_below(&kept) == before, "{kept:?} is not what it was");
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
        let there: BTreeSet<&str> =
            there.keys().map(String::as_str).filter(|file| *file != "SHA256SUMS").collect();
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
    let staging = Staging::of("healthy");
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

// Pipes, terminals, signals.

#[test]
fn a_closed_pipe_ends_nothing() {
    let staging = Staging::of("healthy");
    let output = through_bash(&staging, "\"$0\" run 2>&1 | head -1; exit \"${PIPESTATUS[0]}\"");
    let ran = staging.ran(output).exits(0);
    assert_eq!((ran.stdout.lines().count(), &ran.manifest()["verdict"]), (1, &json!("pass")));
    assert!(ran.evidence().join("SHA256SUMS").exists());
}

#[test]
fn no_terminal_and_no_standard_streams_are_needed() {
    let staging = Staging::of("healthy");
    let output = through_bash(&staging, "exec \"$0\" run <&- >&- 2>&-");
    let ran = staging.ran(output).exits(0);
    assert_eq!((ran.stdout.as_str(), &ran.manifest()["verdict"]), ("", &json!("pass")));
}

/// A run under way, and what it has said on standard error so far.
struct UnderWay {
    child: Child,
    stderr: BufReader<std::process::ChildStderr>,
    said: String,
}

impl UnderWay {
    /// Starts a subcommand and waits until it says this.
    fn until(staging: &Staging, arguments: &[&str], words: &str) -> Self {
        let mut child =
            staging.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let mut run = Self { child, stderr, said: String::new() };
        while !run.said.contains(words) {
            assert_ne!(run.stderr.read_line(&mut run.said).unwrap(), 0, "never said: {words}\n{}", run.said);
        }
        run
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn end(mut self) -> Output {
        self.stderr.read_to_string(&mut self.said).unwrap();
        let output = self.child.wait_with_output().unwrap();
        Output { stderr: self.said.into_bytes(), ..output }
    }
}

/// The processes that have this folder in their environment, as every child of a run in it does.
#[cfg(target_os = "linux")]
fn left_running(folder: &Path) -> Vec<String> {
    let mut left = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        // Processes of others, and those that end meanwhile, can't be read.
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        if holds(&environment, folder.to_str().unwrap()) {
            let arguments = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            left.push(String::from_utf8_lossy(&arguments).replace('\0', " "));
        }
    }
    left
}

#[test]
fn an_interrupted_run_says_so_and_leaves_no_child() {
    for (signal, number) in [(Signal::INT, 2), (Signal::TERM, 15)] {
        let staging = Staging::of("rollout-timeout");
        let run = UnderWay::until(&staging, &["run", "-v"], "> rollout.api ");
        #[cfg(target_os = "linux")]
        assert!(!left_running(staging.folder.path()).is_empty());
        run.signal(signal);
        let output = run.end();
        #[cfg(target_os = "linux")]
        assert_eq!(left_running(staging.folder.path()), Vec::<String>::new());

        let ran = staging.ran(output).exits(128 + number);
        let manifest = ran.manifest();
        assert_eq!(
            (&manifest["verdict"], &manifest["exit_code"], &manifest["incomplete"]),
            (&json!("incomplete"), &json!(128 + number), &json!(format!("ended by signal {number}")))
        );
        let commands = manifest["commands"].as_array().unwrap();
        let rollout = commands.iter().find(|command| command["id"] == "rollout.api").unwrap();
        assert_eq!(rollout["ended_by"], "staging-dry-run");
        assert_eq!((&manifest["stop"], ran.stdout.lines().count()), (&Value::Null, 4), "{}", ran.stdout);
    }
}

#[test]
fn an_interrupted_preflight_or_smoke_is_no_success() {
    let hangs = || Staging::on(healthy().answer("/readyz", Answer::new(200, Body::Hang)));
    let run = |staging: &Staging, arguments: &[&str], words: &str| {
        let run = UnderWay::until(staging, arguments, words);
        run.signal(Signal::INT);
        run.end()
    };
    let staging = hangs();
    let output = run(&staging, &["preflight", "-v"], "> version.kubectl ");
    let staging = staging.ran(output).exits(130).wrote_nothing().staging;
    let output = run(&staging, &["smoke", "-v"], "> gate.readyz ");
    staging.ran(output).exits(130).wrote_nothing();

    // All ten checks are answered by then.
    let slow = Answer { takes: Duration::from_millis(400), ..Answer::new(200, Body::Usual) };
    let staging = Staging::on(healthy().answer("/health", slow));
    let output = run(&staging, &["smoke", "-v"], "> latency.health ");
    staging.ran(output).exits(130).wrote_nothing();
}

// plan, and no arguments at all.

#[test]
fn plan_runs_nothing_and_lists_every_command_of_a_run() {
    let staging = Staging::of("healthy").with("STAGING_API_KEY", API_KEY);
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
    let staging = Staging::of("healthy");
    let output = staging.command(&[]).output().unwrap();
    let ran = staging.ran(output).exits(2).changed_nothing().wrote_nothing();
    assert!(ran.staging.cluster.requests().is_empty());
    for name in ["STAGING_CONTEXT", "STAGING_NAMESPACE", "STAGING_BASE_URL"] {
        assert!(ran.stderr.contains(name) || ran.stdout.contains(name), "{}{}", ran.stdout, ran.stderr);
    }
}
