//! The whole evidence tree of each scenario as one page, as an auditor would see it.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;

use staging_dry_run::evidence::Tree;
use staging_dry_run::evidence::redaction::SecretPatterns;

use super::page::{FILTERS, LISTING, filtered, is_of_the_listing, replaced, shown};
use super::support::{Ran, scenario_ran};

/// The list of files with their modes, then every file, with control bytes shown and a missing last newline marked.
fn page(ran: &Ran) -> String {
    let folder = ran.evidence();
    let tree = Tree::new(folder.clone().try_into().unwrap(), SecretPatterns::of(&[]).unwrap());
    let mut files = tree.list().unwrap();
    files.retain(|file| !is_of_the_listing(file));
    let mut page =
        format!("exit {}\n\n--- stderr\n{}--- stdout\n{}", ran.status.unwrap(), ran.stderr, ran.stdout);
    for file in &files {
        let mode = std::fs::metadata(folder.join(file)).unwrap().permissions().mode() & 0o777;
        let _ = write!(page, "\n{mode:o} {file}");
    }
    for file in &files {
        let text = shown(file, &folder);
        let text = if file == "journal.jsonl" { with_the_watch_last(&text) } else { text };
        let _ = write!(page, "\n\n=== {file}\n{text}");
    }
    replaced(page, &LISTING)
}

/// The watch writes into the journal beside the procedure: when, differs. Its lines stand behind the others here.
fn with_the_watch_last(journal: &str) -> String {
    let is_watch = |line: &&str| {
        ["\"confirm.pod\"", "\"pod-seen\"", "\"pod-judged\""].iter().any(|word| line.contains(word))
    };
    let (watch, procedure): (Vec<&str>, Vec<&str>) = journal.lines().partition(is_watch);
    procedure.into_iter().chain(watch).map(unnumbered).collect::<Vec<_>>().join("\n")
}

/// An event less its number: that of the next one differs with it.
fn unnumbered(line: &str) -> String {
    let (number, rest) = line.split_once(',').unwrap();
    assert!(number.starts_with("{\"seq\":"), "{line}");
    format!("{{{rest}")
}

fn settings() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../pages");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (pattern, replacement) in FILTERS {
        settings.add_filter(pattern, replacement);
    }
    settings
}

fn shows_the_page_of(scenario: &'static str) {
    settings().bind(|| insta::assert_snapshot!(scenario, page(scenario_ran(scenario))));
}

/// It ends in the middle of the checks: how far they had come is time's, so it has no page that is always the same.
const CUT_SHORT: &str = "crash-during-smoke";

macro_rules! pages {
    ($($test:ident $scenario:literal)*) => {
        $(#[test] fn $test() { shows_the_page_of($scenario); })*

        #[test]
        fn every_scenario_has_its_page() {
            let of_the_table = rehearsal::SCENARIOS.iter().map(|row| row.name);
            let paged: Vec<&str> = of_the_table.filter(|name| *name != CUT_SHORT).collect();
            assert_eq!(paged, [$($scenario),*]);
        }
    };
}

pages! {
    healthy "healthy"
    crash_loop "crash-loop"
    error_pod "error-pod"
    already_crashing_and_fixed "already-crashing-and-fixed"
    rollout_timeout "rollout-timeout"
    image_pull "image-pull"
    smoke_8_of_10 "smoke-8-of-10"
    smoke_7_of_10 "smoke-7-of-10"
    readyz_503 "readyz-503"
    ready_after_30s "ready-after-30s"
    forbidden "forbidden"
    wrong_namespace "wrong-namespace"
    watch_cut "watch-cut"
    progress_deadline "progress-deadline"
    progress_deadline_passed_before "progress-deadline-passed-before"
    already_crashing_and_not_fixed "already-crashing-and-not-fixed"
    left_over_evicted_pod "left-over-evicted-pod"
    ends_non_zero_on_term "ends-non-zero-on-term"
    hidden_crash_loop "hidden-crash-loop"
    quota_no_deployments "quota-no-deployments"
    quota_pods "quota-pods"
    pod_security_warns "pod-security-warns"
    pod_security_refuses "pod-security-refuses"
    refused_at_the_apply "refused-at-the-apply"
}

/// What a page must never lose to a filter.
#[test]
fn no_filter_hides_a_status_a_count_a_file_name_or_a_verdict() {
    let lines = [
        r#""path": "/readyz""#,
        r#""exit": [0, 1, 124, 137]"#,
        "exit 1",
        r#""ended_by": "staging-dry-run""#,
        r#""http_status": "503""#,
        r#""http_code":503,"#,
        "HTTP/1.1 503 Service Unavailable",
        r#""checks_passed": 7, "checks_total": 10"#,
        r#""restarts": 2"#,
        r#""from": 37, "to": 124"#,
        r#""count": 3"#,
        r#""verdict": "stop""#,
        r#""exit_code": 1"#,
        r#""rule": 2"#,
        r#""ok": false"#,
        r#""state": "not met""#,
        "saw 0 0 1 0 http 401",
        "644 deploy/out/watch.pods.out",
        "=== smoke/responses/01-health.http",
        "MODIFIED   dpp-api-6984f9c886-vbg9t   0/1   CrashLoopBackOff   2",
        "10 pods Running, 0 restarts · service dpp-api has 3 endpoints",
        "Smoke: 8/10 FAIL",
        "apps/v1 Deployment dpp-staging dpp-api",
    ];
    settings().bind(|| {
        for line in lines {
            assert_eq!(filtered(line), line);
        }
    });
}
