//! A key that comes back from the cluster, cut wherever a pipe or a buffer cuts it.

use super::super::support::{Staging, files_below};
use super::{API_KEY, healthy, holds, lone_pod, read};
use rehearsal::{Answer, Body, With};
use serde_json::{Value, json};

/// The key so often, and so far apart, that what cuts a text every 4 KiB (or 16, or 64) cuts it at each of its bytes.
fn cut_at_every_byte() -> (String, u64) {
    let (times, between) = (8000, "\n\n");
    // Odd: then a power of two comes to lie on each byte in turn.
    assert_eq!((API_KEY.len() + between.len()) % 2, 1);
    (format!("{API_KEY}{between}").repeat(times), times as u64)
}

fn redactions(manifest: &Value, file: &str) -> u64 {
    let all = manifest["redactions"].as_array().unwrap().iter();
    all.filter(|redaction| redaction["file"] == file)
        .map(|redaction| redaction["count"].as_u64().unwrap())
        .sum()
}

/// It is nowhere that a run writes, nor in what it says.
#[track_caller]
fn is_nowhere(ran: &super::Ran, key: &str) {
    assert!(!ran.stdout.contains(key) && !ran.stderr.contains(key), "{}{}", ran.stdout, ran.stderr);
    for (name, bytes) in files_below(&ran.staging.repository().join("evidence")) {
        assert!(!holds(&bytes, key), "{name}");
    }
}

#[test]
fn a_key_that_is_cut_at_every_byte_is_taken_out_of_an_answer() {
    let (body, times) = cut_at_every_byte();
    let staging =
        Staging::on(healthy().answer("/llms.txt", Answer::new(200, Body::Text(body.into())))).remembering();
    let ran = staging.with("STAGING_API_KEY", API_KEY).option("-v").run().exits(0);
    is_nowhere(&ran, API_KEY);
    is_nowhere(&ran, &API_KEY[..API_KEY.len() / 2]);
    is_nowhere(&ran, &API_KEY[API_KEY.len() / 2..]);
    assert_eq!(redactions(&ran.manifest(), "smoke/responses/04-llms-txt.http"), times);
}

#[test]
fn a_key_in_a_log_and_in_what_describe_prints_is_taken_out() {
    let (log, _) = cut_at_every_byte();
    let state = json!({"terminated": {"exitCode": 1, "reason": "Error"}});
    let With::Object(pod) = lone_pod("dpp-migrate", "Failed", &state) else { panic!("no object") };
    let mut pod: Value = serde_json::from_str(&pod).unwrap();
    pod["spec"]["containers"][0]["env"] = json!([{"name": "KEY", "value": API_KEY}]);
    let scenario =
        healthy().with(With::Object(pod.to_string().into())).with(With::Log(log.into_bytes().into()));
    let ran =
        Staging::on(scenario).remembering().with("STAGING_API_KEY", API_KEY).option("-v").run().exits(1);
    is_nowhere(&ran, API_KEY);
    let manifest = ran.manifest();
    for file in ["dump_logs/k8s_describe.txt", "deploy/out/objects.after.out", "dump_logs/app_logs_tail.txt"]
    {
        assert!(redactions(&manifest, file) > 0, "{file}: {}", manifest["redactions"]);
    }
    let described = read(&ran, "dump_logs/k8s_describe.txt");
    assert!(described.contains(" [redacted:STAGING_API_KEY]\n"), "{described}");
}

#[test]
fn a_manifest_that_holds_the_key_is_refused_and_not_kept() {
    let staging = Staging::of("healthy").remembering().with("STAGING_API_KEY", API_KEY);
    let ran = staging.manifest("api-deployment.yaml", |text| text + "# " + API_KEY + "\n").run();
    let ran = ran.exits(2).changed_nothing();
    let ran = ran.says("k8s/api-deployment.yaml contains the value of STAGING_API_KEY");
    is_nowhere(&ran, API_KEY);
    assert!(!ran.evidence().join("inputs/k8s/api-deployment.yaml").exists());
}

/// In CI the screen is a log.
#[test]
fn a_key_that_a_rollout_prints_is_on_no_screen() {
    let prints = format!(
        "case \"$*\" in *'rollout status'*) printf '%s\\n' 'the key is {API_KEY}' ;; esac\nexec \"$REAL\" \"$@\""
    );
    let staging = || Staging::of("healthy").in_place_of("kubectl", &prints);
    let ran = staging().with("STAGING_API_KEY", API_KEY).option("-v").run().exits(0);
    is_nowhere(&ran, API_KEY);
    assert!(ran.stderr.contains("the key is [redacted:STAGING_API_KEY]"), "{}", ran.stderr);
    assert!(read(&ran, "deploy/stdout.log").contains("the key is [redacted:STAGING_API_KEY]"));
    // The nearest case: what nobody named is shown as it is.
    let ran = staging().option("-v").run().exits(0);
    assert!(ran.stderr.contains(&format!("the key is {API_KEY}")), "{}", ran.stderr);
}

/// kubectl is asked by the name that the cluster knows; the screen and the evidence have the other one.
#[test]
fn a_value_in_a_pods_name_is_on_no_screen_and_the_pod_is_looked_at_all_the_same() {
    let state = json!({"terminated": {"exitCode": 1, "reason": "Error"}});
    let scenario = healthy().with(lone_pod("job-tenant-4711-x", "Failed", &state));
    for option in ["-q", "-v"] {
        let staging = Staging::on(scenario.clone()).with("TENANT", "tenant-4711").option(option);
        let ran = staging.with("STAGING_REDACT", "TENANT").run().exits(1);
        is_nowhere(&ran, "tenant-4711");
        let manifest = ran.manifest();
        assert_eq!(manifest["stop"]["rule"], 2, "{}", manifest["stop"]);
        assert!(
            manifest["stop"]["pod"].as_str().unwrap().contains("[redacted:TENANT]"),
            "{}",
            manifest["stop"]
        );
        assert!(manifest["stop"].get("unconfirmed").is_none(), "{}", manifest["stop"]);
    }
}

/// Nobody knows what the word was: it could have been one that stops the run.
#[test]
fn a_value_that_stands_where_a_word_decides_makes_the_run_incomplete() {
    let state = json!({"waiting": {"reason": "HouseOnFire"}});
    let scenario = healthy().with(lone_pod("house-1", "Pending", &state));
    let run = |value: &str| {
        let staging = Staging::on(scenario.clone()).with("TENANT", value).with("STAGING_REDACT", "TENANT");
        staging.run()
    };
    let ran = run("HouseOnFire").exits(4).changed_nothing();
    assert_eq!(ran.manifest()["verdict"], "incomplete");
    let why = ran.manifest()["incomplete"].as_str().unwrap().to_owned();
    assert!(why.contains("\"[redacted:TENANT]\" is in a word that a rule reads"), "{why}");
    // A value that stands nowhere decides nothing.
    assert_eq!(run("HouseInOrder").exits(0).manifest()["verdict"], "shortfall");
}
