//! The whole evidence tree of each scenario as one page, as an auditor would see it.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use staging_dry_run::evidence::Tree;
use staging_dry_run::evidence::redaction::Forms;

use super::staging::{Ran, scenario_ran};

/// What differs from run to run, and nothing else.
const FILTERS: [(&str, &str); 12] = [
    // Moments: RFC 3339, as `kubectl describe` prints them, and a clock.
    (
        r"\b2\d{3}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| KST)|\b\w{3}, \d\d \w{3} 2\d{3} \d\d:\d\d:\d\d \+0000|\b\d\d:\d\d:\d\d\.\d{3}\b",
        "<moment>",
    ),
    (r"\b2\d{7}T\d{6}Z-[0-9a-f]{6}\b", "<run id>"),
    (r"evidence/staging/\d{8}", "evidence/staging/<date>"),
    (r#"("(?:(?:duration|latency|waited|p95)_ms|duration_sec)": ?)\d+"#, "$1<time>"),
    // Durations and ages in texts and tables.
    (r" *\b\d+(\.\d+)? m?s\b|\b\d{1,2}s\b|\btimeout \d+\.\d\b", " <duration>"),
    // curl's own numbers and how it was built; then how many bytes these take, and what programs say of themselves.
    (
        r#""(?:time_\w+|speed_\w+|local_port|remote_port|conn_id|xfer_id|size_\w+|num_headers)":[0-9.]+|"curl_version":"[^"]*""#,
        "<curl's>",
    ),
    (
        r#"((?:smoke/out/[a-z0-9.]+\.err|preflight/out/(?:version\.[a-z]+|server)\.(?:out|err))",\s*"from": ?)\d+(,\s*"to": ?)\d+"#,
        "$1<from>$2<to>",
    ),
    // The machine.
    (r"127\.0\.0\.1:\d+", "<loopback>"),
    (r"/[^ :\x22]*/team's staging [A-Za-z0-9]+", "<folder>"),
    (r"\b[0-9a-f]{64}\b", "<sha256>"),
    (r"(?m)^(kubectl|curl|jq): .*$|\bkubectl 1\.\d+, curl \d+\.\d+, jq \d+\.\d+", "<tools>"),
    (
        r#"("path": ?)"[^"]*/(?:cat|curl|jq|kubectl|sed)"|("(?:host|version|gitVersion|buildDate|gitCommit|goVersion|platform|compiler|kustomizeVersion|gitTreeState)": ?)"[^"]*""#,
        "$1$2<of the machine>",
    ),
];

/// The list of files with their modes, then every file, with control bytes shown and a missing last newline marked.
fn page(ran: &Ran) -> String {
    let folder = ran.evidence();
    let tree = Tree::new(folder.clone().try_into().unwrap(), Forms::of(&[]).unwrap());
    let files = tree.list().unwrap();
    let mut page =
        format!("exit {}\n\n--- stderr\n{}--- stdout\n{}", ran.status.unwrap(), ran.stderr, ran.stdout);
    for file in &files {
        let mode = std::fs::metadata(folder.join(file)).unwrap().permissions().mode() & 0o777;
        let _ = write!(page, "\n{mode:o} {file}");
    }
    for file in &files {
        let _ = write!(page, "\n\n=== {file}\n{}", shown(file, &folder));
    }
    page
}

fn shown(file: &str, folder: &Path) -> String {
    if ["version.", "server."].iter().any(|name| file.starts_with(&format!("preflight/out/{name}"))) {
        return "(what this machine's programs say of their versions)".to_owned();
    }
    let bytes = std::fs::read(folder.join(file)).unwrap();
    let mut text = String::new();
    for character in String::from_utf8_lossy(&bytes).chars() {
        match character {
            '\n' => text.push('\n'),
            '\t' => text.push('→'),
            control if control.is_control() => text.extend(control.escape_default()),
            other => text.push(other),
        }
    }
    if let Some(objects) = an_object_a_line(&bytes) {
        text = objects;
    }
    if file == "journal.jsonl" {
        text = with_the_watch_last(&text);
    }
    match text.pop() {
        None => "(empty)".to_owned(),
        Some('\n') => text,
        Some(last) => format!("{text}{last}\n(no newline at the end)"),
    }
}

/// A list that `kubectl get -o json` printed: thousands of lines as it stands, an object a line here.
fn an_object_a_line(bytes: &[u8]) -> Option<String> {
    let list: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    let items = list.get("items")?.as_array()?;
    let lines: Vec<String> = items.iter().map(serde_json::Value::to_string).collect();
    Some(lines.join("\n") + "\n")
}

/// The watch writes into the journal beside the procedure: when, differs. Its lines stand behind the others here.
fn with_the_watch_last(journal: &str) -> String {
    let is_watch = |line: &&str| {
        ["\"confirm.pod\"", "\"pod-seen\"", "\"pod-judged\""].iter().any(|word| line.contains(word))
    };
    let (watch, procedure): (Vec<&str>, Vec<&str>) = journal.lines().partition(is_watch);
    procedure.into_iter().chain(watch).map(unnumbered).map(|line| line + "\n").collect()
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

macro_rules! pages {
    ($($test:ident $scenario:literal)*) => {
        $(#[test] fn $test() { shows_the_page_of($scenario); })*

        #[test]
        fn every_scenario_has_its_page() {
            let of_the_table: Vec<&str> = rehearsal::SCENARIOS.iter().map(|row| row.name).collect();
            assert_eq!(of_the_table, [$($scenario),*]);
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
            let filtered = FILTERS.iter().fold(line.to_owned(), |text, (pattern, replacement)| {
                regex_lite::Regex::new(pattern).unwrap().replace_all(&text, *replacement).into_owned()
            });
            assert_eq!(filtered, line);
        }
    });
}
