//! `replay`: what a run read, read again on the cluster as it is now.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use super::support::replayed::{Replayed, later, replayed};
use super::support::under_way::{UnderWay, assert_nothing_left};
use super::support::{Ran, Staging, files_below, shortened};
use super::verified::Moved;

/// A run, and the folder of its evidence.
struct Then {
    ran: Ran,
    evidence: PathBuf,
}

impl Then {
    fn of(staging: Staging, status: i32) -> Self {
        let ran = staging.run().exits(status);
        ran.staging.cluster.forget_requests();
        Self { evidence: ran.evidence(), ran }
    }

    fn replayed(&self, options: &[&str]) -> Replayed {
        replayed(&self.ran.staging, &self.evidence, options)
    }

    fn later(&self, kubectl: &[&str]) {
        later(&self.ran.staging, kubectl);
    }
}

const KEY: &str = "sk_replayed_k3y";

#[test]
fn right_after_the_run_nothing_has_changed_and_nothing_is_written_but_the_new_folder() {
    for (staging, status) in [
        (Staging::of("healthy").remembering().with("STAGING_API_KEY", KEY), 0),
        (Staging::of("crash-loop").remembering(), 1),
        (Staging::of("smoke-7-of-10").remembering(), 1),
        (shortened("rollout-timeout"), 1),
        (Staging::of("forbidden"), 2),
    ] {
        let then = Then::of(staging, status);
        let was = files_below(&then.evidence);
        let replayed = then.replayed(&[]).exits(0).says("NOTHING CHANGED: ").says(" 0 changed, ");
        assert!(replayed.said.contains("same      uids\n"), "{}", replayed.said);
        assert_eq!(files_below(&then.evidence), was);
        let writes = then.ran.staging.cluster.writes();
        assert!(writes.is_empty(), "{writes:?}");

        // Files of the same names, and nothing of the key.
        let now = files_below(&replayed.folder.path().join("new/now"));
        assert!(now.len() > 20, "{:?}", now.keys());
        let server = "preflight/out/server.out";
        assert_eq!(now.get(server), was.get(server), "it stands there once");
        for (file, bytes) in &now {
            assert!(was.contains_key(file), "{file}");
            assert!(!String::from_utf8_lossy(bytes).contains(KEY), "{file}");
        }
    }
}

#[test]
fn what_a_later_deploy_changed_is_told() {
    let then = Then::of(Staging::of("healthy").remembering(), 0);
    let staging = then.ran.staging.with("IMAGE_TAG", "v0.4.2.3");
    let later = staging.run().exits(0);
    let first = later.evidence().with_extension("1");
    let told = replayed(&later.staging, &first, &[]).exits(1).says("\nCHANGED: ");
    let images = told.of("objects.after");
    assert!(
        images.contains("- dpp-api runs 123456789012.dkr.ecr.us-east-1.amazonaws.com/dpp-api:v0.4.2.2 ("),
        "{images}"
    );
    assert!(
        images.contains("+ dpp-api runs 123456789012.dkr.ecr.us-east-1.amazonaws.com/dpp-api:v0.4.2.3 ("),
        "{images}"
    );
    // jq is asked of the answer as it is now.
    assert_eq!(told.of("body.health"), "CHANGED   body.health\n- exit 0\n+ exit 1");
}

#[test]
fn endpoints_and_replicas_that_are_gone_and_a_status_that_is_another_are_told() {
    let then = Then::of(Staging::of("healthy").remembering(), 0);
    then.later(&["delete", "service", "dpp-api"]);
    then.later(&["delete", "deployment", "dpp-reaper"]);
    let elsewhere = r#"exec "$REAL" "${@/%llms.txt/none.txt}""#;
    let staging = then.ran.staging.in_place_of("curl", elsewhere);
    let told = replayed(&staging, &then.evidence, &[]).exits(1);
    let objects = told.of("objects.after");
    assert!(objects.contains("- service dpp-api has endpoints"), "{objects}");
    assert!(objects.contains("- dpp-reaper: 2 wanted, 2 ready, 2 updated, 2 available"), "{objects}");
    assert_eq!(told.of("check.04"), "CHANGED   check.04\n- answered 200\n+ answered 404");
    assert!(told.of("rollout.reaper").contains("+ exit 1"), "{}", told.said);
}

#[test]
fn a_pod_that_is_gone_is_no_change() {
    let then = Then::of(Staging::of("crash-loop").remembering(), 1);
    let pod = then.ran.manifest()["stop"]["pod"].as_str().unwrap().to_owned();
    then.later(&["delete", "pod", &pod]);
    let told = then.replayed(&[]);
    assert!(told.said.contains("drift     dump.logs: that pod is gone"), "{}", told.said);
    assert!(told.said.contains("drift     dump.previous: that pod is gone"), "{}", told.said);
}

#[test]
fn the_key_goes_only_where_the_run_sent_it_if_whoever_replays_says_so() {
    let then = Then::of(Staging::of("healthy").remembering().with("STAGING_API_KEY", KEY), 0);
    let url = then.ran.staging.environment["STAGING_BASE_URL"].clone();
    let why =
        format!("left out  check.10: it sends a key: export STAGING_API_KEY, and STAGING_BASE_URL={url}");
    let staging = then.ran.staging.with("STAGING_BASE_URL", "http://127.0.0.1:1");
    let told = replayed(&staging, &then.evidence, &[]).exits(0).says(&why);
    let staging = staging.with("STAGING_BASE_URL", &url).with("STAGING_API_KEY", "");
    let _told = replayed(&staging, &then.evidence, &[]).exits(0).says(&why);
    assert!(!told.said.contains(KEY));
    let staging = staging.with("STAGING_API_KEY", KEY);
    let _told = replayed(&staging, &then.evidence, &[]).exits(0).says("same      check.10\n");
    let staging = staging.with("STAGING_BASE_URL", &format!("{url}/"));
    let _told = replayed(&staging, &then.evidence, &[]).exits(0).says("same      check.10\n");
}

#[test]
fn changes_are_run_again_on_the_runs_context_and_namespace_alone() {
    let then = Then::of(Staging::of("healthy").remembering(), 0);
    let context = then.ran.staging.environment["STAGING_CONTEXT"].clone();
    let _told = then.replayed(&["--include-changes"]).exits(2).says("--context");
    let _told = then
        .replayed(&["--include-changes", "--context=another"])
        .exits(2)
        .says("the run used the context \"team's staging\", not \"another\"");
    assert!(then.ran.staging.cluster.requests().is_empty());

    then.later(&["delete", "service", "dpp-api"]);
    then.ran.staging.cluster.forget_requests();
    let changes = ["--include-changes", "--context", &context];
    let told = then.replayed(&changes).exits(0).says(" 0 left out\n");
    assert!(told.said.contains("apply.api\n") && told.said.contains("guard.api\n"), "{}", told.said);
    let writes = then.ran.staging.cluster.writes();
    assert!(!writes.is_empty(), "the service is made again");
    then.ran.staging.cluster.forget_requests();

    // As if the namespace had been made anew since.
    let anew = r#""$REAL" "$@" | if [[ "$*" == *kube-system* ]]; then sed 's/^\(dpp-staging \)./\1x/'; else cat; fi
        exit "${PIPESTATUS[0]}""#;
    let staging = then.ran.staging.in_place_of("kubectl", anew);
    let told = replayed(&staging, &then.evidence, &changes).exits(1);
    let _told = told
        .says("left out  apply.api: the namespace here is not the run's")
        .says("left out  guard.api: the namespace here is not the run's");
    let writes = staging.cluster.writes();
    assert!(writes.is_empty(), "{writes:?}");
}

#[test]
fn what_can_not_be_compared_is_refused_and_nothing_is_run() {
    let then = Then::of(Staging::of("healthy").remembering(), 0);
    let moved = Moved::of(&then.ran);
    let delete = |text: String| text.replace("get namespaces\"", "delete namespaces --all\"");
    moved.edit("journal.jsonl", delete).with_the_sums_mended();
    let staging = &then.ran.staging;
    let _told = replayed(staging, &moved.path("").join("."), &[])
        .exits(2)
        .says("`verify` does not report HOLDS for ")
        .says(".\nSee why: staging-dry-run verify ");
    let _told = replayed(staging, &moved.path("none"), &[]).exits(2).says("is not a directory");
    let empty = tempfile::tempdir().unwrap();
    let _told = replayed(staging, empty.path(), &[]).exits(2).says("it is not the evidence of a run");
    let within = then.evidence.join("now");
    let link = empty.path().join("link");
    std::os::unix::fs::symlink(&then.evidence, &link).unwrap();
    let a_part = "it would be a part of the evidence";
    for (into, why) in [
        (empty.path(), "File exists"),
        (&*within, a_part),
        (&*link.join("now"), a_part),
        (&*empty.path().join("none/../now"), "it has a .. in the middle"),
    ] {
        let arguments = ["replay", then.evidence.to_str().unwrap(), "--into", into.to_str().unwrap()];
        let output = staging.command(&arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.code() == Some(2) && said.contains("can't be made anew: ") && said.contains(why),
            "{said}"
        );
    }
    assert!(!within.exists());

    assert!(staging.cluster.requests().is_empty());
    // From within the folder, to one beside it.
    let mut command = staging.command(&["replay", ".", "--into", "../beside"]);
    let output = command.current_dir(&then.evidence).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// Leads the run's context to another server.
fn moved_to(staging: &Staging, address: SocketAddr) {
    let kubeconfig = &staging.environment["KUBECONFIG"];
    let (text, server) = (std::fs::read_to_string(kubeconfig).unwrap(), staging.cluster.server_url());
    assert!(text.contains(&server), "{text}");
    std::fs::write(kubeconfig, text.replace(&server, &format!("http://{address}"))).unwrap();
}

#[test]
fn a_cluster_that_answers_no_more_is_told_once() {
    let then = Then::of(Staging::of("healthy"), 0);
    // A port that is nobody's (tcpmux).
    let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
    moved_to(&then.ran.staging, nobody);
    let refused = format!(
        "Refused: the cluster of context \"team's staging\" does not answer: The connection to the server {nobody} was refused - did you specify the right host or port?"
    );
    let or = format!(
        "\nTry again where it does, or verify offline: staging-dry-run verify {}",
        then.evidence.display()
    );
    let told = then.replayed(&[]).exits(2).says(&refused).says(&or);
    assert!(!told.said.contains("CHANGED"), "{}", told.said);
    assert!(!told.folder.path().join("new/now").exists(), "it is in the way of the next try");
}

#[test]
fn whoever_waits_for_a_silent_cluster_may_end_it() {
    // With a kubectl that remembers nothing: each question has to wait.
    let then = Then::of(Staging::of("healthy"), 0);
    // It takes connections, and that is all.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    moved_to(&then.ran.staging, silent.local_addr().unwrap());
    let arguments = ["replay", then.evidence.to_str().unwrap()];
    let ran = UnderWay::at_a_terminal(then.ran.staging, &arguments).until("again on http").ctrl_c().ends();
    assert_eq!(ran.status, Some(130), "{}", ran.stderr);
    assert!(ran.stderr.contains("Ended by signal 2. Nothing was compared."), "{}", ran.stderr);
    assert_nothing_left(ran.staging.folder.path());
}

#[test]
fn a_signal_while_the_context_is_read_is_no_unknown_context() {
    let Then { ran, evidence } = Then::of(Staging::of("healthy").remembering(), 0);
    let waits = "kill -INT $PPID; exec sleep 1000";
    let staging = ran.staging.in_place_of("kubectl", waits);
    let _told =
        replayed(&staging, &evidence, &[]).exits(130).says("Ended by signal 2. Nothing was compared.");
}

#[test]
fn one_that_is_interrupted_says_so_and_leaves_nothing_running() {
    let then = Then::of(Staging::of("crash-loop").remembering(), 1);
    let waits = r#"if [[ "$*" == *"rollout status"* ]]; then exec "$REAL" get pods -A --watch; fi
        exec "$REAL" "$@""#;
    let staging = then.ran.staging.in_place_of("kubectl", waits);
    let evidence = then.evidence.to_str().unwrap().to_owned();
    let under_way = UnderWay::at_a_terminal(staging, &["replay", &evidence]).until("left out  apply.reaper");
    let ran = under_way.ctrl_c().ends();
    assert_eq!(ran.status, Some(130), "{}", ran.stderr);
    assert!(ran.stderr.contains("Ended by signal 2 before the end"), "{}", ran.stderr);
    assert_nothing_left(ran.staging.folder.path());
}
