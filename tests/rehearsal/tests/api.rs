//! Real curl on the stand-in for the API under test.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bench;

use std::borrow::Cow;
use std::path::Path;
use std::process::Command;

use bench::{bench, named};
use rehearsal::{Answer, Body, SCENARIOS, Until, scenario};

const PATHS: &[&str] = &[
    "/health",
    "/readyz",
    "/.well-known/openapi.json",
    "/llms.txt",
    "/api-docs",
    "/redoc",
    "/metrics",
    "/pricing/ssot.json",
    "/docs/quickstart.md",
];

#[test]
fn all_ten_paths_answer() {
    let bench = named("healthy");
    for path in PATHS {
        let out = bench.curl(&[], path).ok();
        assert!(out.starts_with("HTTP/1.1 200 OK\r\n"), "{path}: {out}");
        assert!(!out.to_lowercase().contains("\r\ndate:"), "{out}");
    }
    assert!(bench.curl(&[], "/health").out.ends_with("{\"status\":\"healthy\",\"version\":\"0.4.2.1\"}"));
    assert!(bench.curl(&[], "/v1/runs").out.starts_with("HTTP/1.1 401"));
    assert!(bench.curl(&["-H", "Authorization: Bearer x"], "/v1/runs").out.starts_with("HTTP/1.1 200"));
    let with_key: Vec<bool> = bench.cluster.api_requests().iter().map(|asked| asked.authorization).collect();
    assert_eq!(with_key.iter().filter(|with| **with).count(), 1);
    assert!(
        bench.curl(&[], &format!("{}/metrics", bench.cluster.metrics_url())).out.starts_with("HTTP/1.1 200")
    );
    assert!(
        bench.curl(&[], &format!("{}/health", bench.cluster.metrics_url())).out.starts_with("HTTP/1.1 404")
    );
}

#[test]
fn the_version_is_the_one_that_serves() {
    for (name, version, timeout) in [("healthy", "0.4.2.2", "60s"), ("rollout-timeout", "0.4.2.1", "1s")] {
        let bench = named(name);
        bench.deploy("dpp-api").ok();
        bench.rollout("dpp-api", timeout);
        assert!(bench.curl(&[], "/health").out.contains(version), "{name}");
    }
}

#[test]
fn answers_can_be_anything() {
    let html = Answer { media_type: Cow::Borrowed("text/html"), ..Answer::text(200, "<html>") };
    let scenario = scenario("healthy")
        .unwrap()
        .answer("/health", html)
        .answer("/readyz", Answer::text(503, "no").until(Until::Asks(2)))
        .answer("/redoc", Answer::redirect(302, "https://elsewhere.example/"))
        .answer("/llms.txt", Answer::new(200, Body::Drop))
        .answer("/v1/runs", Answer::new(200, Body::Echo));
    let bench = bench(scenario);
    assert!(bench.curl(&[], "/health").out.ends_with("content-length: 6\r\n\r\n<html>"));
    let status = |path| bench.curl(&[], path).out.split(' ').nth(1).map(ToOwned::to_owned);
    assert_eq!(["/readyz"; 4].map(|path| status(path).unwrap()), ["503", "503", "200", "200"]);
    assert!(bench.curl(&[], "/redoc").out.contains("location: https://elsewhere.example/"));
    assert_eq!(bench.curl(&[], "/llms.txt").code, Some(52));
    assert!(bench.curl(&["-H", "Authorization: Bearer secret"], "/v1/runs").out.contains("Bearer secret"));
}

#[test]
fn the_readme_names_every_scenario() {
    let readme = include_str!("../README.md");
    for row in SCENARIOS {
        assert!(readme.contains(&format!("| `{}` | {} |", row.name, row.about)), "{}", row.name);
        assert!(scenario(row.name).is_some());
    }
}

#[test]
fn the_binary_runs_a_command_and_ends_with_it() {
    let binary = Path::new(env!("CARGO_BIN_EXE_rehearsal"));
    let run = |script: &str| {
        let output = Command::new(binary).args(["healthy", "--", "bash", "-c", script]).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    assert_eq!(run("exit 7").0, Some(7));
    assert_eq!(run("kill -9 $$").0, Some(137));
    let (code, out) =
        run("curl -sS $STAGING_BASE_URL/health && kubectl --context $STAGING_CONTEXT get ns -o name");
    assert_eq!(code, Some(0));
    assert!(out.contains("healthy") && out.contains("namespace/dpp-staging"), "{out}");
}
