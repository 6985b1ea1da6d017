//! The API, its key, and curl.

use super::super::support::{Staging, quoted, scenario_ran};
use super::{API_KEY, files_below, healthy, holds, read, times};
use rehearsal::{Answer, Body, Until};
use serde_json::{Value, json};

/// Has the programs write down what they were started with.
fn recorded(staging: Staging) -> Staging {
    let log = quoted(&staging.folder.path().join("started"));
    let script = format!("{{ printf '%s\\n' \"$0\" \"$@\"; env; }} >>{log}\nexec \"$REAL\" \"$@\"");
    let programs = ["kubectl", "curl", "jq", "cat", "sed", "git"];
    programs.into_iter().fold(staging, |staging, program| staging.in_place_of(program, &script))
}

#[test]
fn the_key_is_in_no_argument_no_environment_and_no_file_although_the_api_echoes_it() {
    let staging = Staging::on(healthy().answer("/v1/runs", Answer::new(200, Body::Echo))).remembering();
    let started = staging.folder.path().join("started");
    let ran = recorded(staging).with("STAGING_API_KEY", API_KEY).option("-v").run().exits(0);

    let started = std::fs::read_to_string(started).unwrap();
    for program in ["curl", "kubectl", "git"] {
        assert!(started.contains(&format!("/in place of/{program}\n")), "{program} was not recorded");
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
fn named_values_and_the_heads_that_open_a_session_reach_no_file() {
    let (password, session) = ("correct-horse-battery", "s%3Aeyabc.def");
    let echo = Answer::text(
        200,
        "db=correct-horse-battery b64=Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5 hex=636f72726563742d686f7273652d62617474657279",
    );
    let login =
        Answer { set_cookie: format!("session={session}; HttpOnly").into(), ..Answer::new(200, Body::Usual) };
    let staging = Staging::on(healthy().answer("/llms.txt", echo).answer("/redoc", login)).remembering();
    let staging = staging.with("STAGING_REDACT", "DB_PASSWORD").with("DB_PASSWORD", password);
    let ran = staging.option("-v").run().exits(0);
    assert!(!ran.stdout.contains(password) && !ran.stderr.contains(password));
    for (name, bytes) in files_below(&ran.evidence()) {
        for secret in [password, session, "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5", "636f72726563742d"] {
            assert!(!holds(&bytes, secret), "{secret} is in {name}");
        }
    }
    assert_eq!(
        ran.manifest()["redactions"],
        json!([
            {"file": "smoke/responses/04-llms-txt.http", "name": "DB_PASSWORD", "count": 3},
            {"file": "smoke/responses/06-redoc.http", "name": "Set-Cookie", "count": 1},
        ])
    );
    assert!(read(&ran, "smoke/responses/06-redoc.http").contains("set-cookie: [redacted:Set-Cookie]\r\n"));
}

#[test]
fn a_key_with_quotes_dollars_and_backslashes_arrives_whole() {
    let key = r#"sk_"a$HOME`id`\n'%22&<b>\"#;
    let ran = Staging::on(healthy().answer("/v1/runs", Answer::new(200, Body::Echo)))
        .remembering()
        .with("STAGING_API_KEY", key)
        .run()
        .exits(0);
    // What was cut short or changed would not be the key, and would still stand there.
    let answer = read(&ran, "smoke/responses/10-v1-runs.http").to_ascii_lowercase();
    let header = answer.lines().find(|line| line.starts_with("authorization:")).unwrap();
    assert_eq!(header.trim_end(), "authorization: bearer [redacted:staging_api_key]");
    serde_json::from_str::<Value>(&read(&ran, "manifest.json")).unwrap();
    for (name, bytes) in files_below(&ran.evidence()) {
        // The runbook's own example of a key is no key.
        let text = String::from_utf8_lossy(&bytes).replace("sk_test_...", "");
        assert!(!text.contains("sk_"), "{name}");
    }
}

// curl and the API.

#[test]
fn curl_exits_0_on_a_503_which_passes_no_check() {
    let ran =
        Staging::on(healthy().answer("/llms.txt", Answer::text(503, "down"))).remembering().run().exits(0);
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
    let ran = Staging::on(healthy().answer("/readyz", not_ready)).remembering().run().exits(0);
    let manifest = ran.manifest();
    assert_eq!((&manifest["verdict"], times(&manifest, "gate.readyz")), (&json!("pass"), 3));
}

#[test]
fn the_tag_latest_names_no_version_and_is_announced() {
    let ran =
        Staging::of("healthy").remembering().with("IMAGE_TAG", "").run().exits(0).says("latest (the default");
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
    let strict = Staging::of("smoke-8-of-10").remembering().option("--strict").run().exits(3).manifest();
    assert_eq!((&strict["exit_code"], &strict["verdict"]), (&json!(3), &manifest["verdict"]));
}

// The user's own files and surroundings.
