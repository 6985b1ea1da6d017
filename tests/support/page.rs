//! How evidence is shown and compared.

#![allow(dead_code, reason = "each of the tests that share this uses a part")]

use std::path::Path;

use serde_json::Value;

/// What differs from run to run, and nothing else.
pub(super) const FILTERS: [(&str, &str); 15] = [
    // Moments: RFC 3339, as `kubectl describe` prints them, and a clock.
    (
        r"\b2\d{3}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| KST)|\b\w{3}, \d\d \w{3} 2\d{3} \d\d:\d\d:\d\d \+0000|\b\d\d:\d\d:\d\d\.\d{3}\b",
        "<moment>",
    ),
    (r"\b2\d{7}T\d{6}Z-[0-9a-f]{6}\b", "<run id>"),
    (r"evidence/staging/\d{8}", "evidence/staging/<date>"),
    (r#"("(?:(?:duration|latency|waited|p95)_ms|duration_sec)": ?)\d+"#, "$1<time>"),
    // Durations and ages in texts and tables, and what fills their column.
    (r" *\b\d+(?:\.\d+)? m?s\b|\b\d{1,2}s\b( )? *|\btimeout \d+\.\d\b", " <duration>$1"),
    // curl's own numbers and how it was built; then how many bytes these take, and what programs say of themselves.
    (
        r#""(?:time_\w+|speed_\w+|local_port|remote_port|conn_id|xfer_id|size_\w+|num_headers)":[0-9.]+|"curl_version":"[^"]*""#,
        "<curl's>",
    ),
    (
        r#"((?:smoke/out/[a-z0-9.]+\.err|preflight/out/(?:version\.[a-z]+|server)\.(?:out|err))",\s*"from": ?)\d+(,\s*"to": ?)\d+"#,
        "$1<from>$2<to>",
    ),
    // Numbers of commands and events after a list of the pods, which a slow run has more of; and the place of a row.
    (r#"("n": ?)\d+"#, "$1<n>"),
    (r#"("(?:staging-dry-run|because)": ?)\d+"#, "$1<seq>"),
    (r#"("to": ?)\d+(,\s*"seen_at")"#, "$1<to>$2"),
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

/// The list of pods beside the watch is there only if a run took 10 s: its events, its block of `cmd.txt`, its entry of
/// the manifest, its files wherever they are named.
pub(super) const LISTING: [(&str, &str); 5] = [
    (r#"(?m)^\{[^\n]*"id":"list\.(?:pods|last)"[^\n]*\n"#, ""),
    (r"(?s)# list\.(?:pods|last) .*?\nfi; saw [^\n]*\n\n", ""),
    (r#"(?s)    \{\n      "id": "list\.(?:pods|last)",.*?\n    \},\n"#, ""),
    (r#""deploy/out/list\.(?:pods|last)\.(?:out|err)",\s*"#, ""),
    (r"(?m)^[0-9a-f]{64}  deploy/out/list\.(?:pods|last)\.(?:out|err)\n", ""),
];

/// Whether a file is one of that list.
pub(super) fn is_of_the_listing(file: &str) -> bool {
    file.starts_with("deploy/out/list.pods.") || file.starts_with("deploy/out/list.last.")
}

/// A text with what differs from run to run hidden.
pub(super) fn filtered(text: &str) -> String {
    replaced(text.to_owned(), &FILTERS)
}

/// A text after these patterns, one after another, have been replaced.
pub(super) fn replaced(text: String, table: &[(&str, &str)]) -> String {
    table.iter().fold(text, |text, (pattern, replacement)| {
        regex_lite::Regex::new(pattern).unwrap().replace_all(&text, *replacement).into_owned()
    })
}

/// A file as its page shows it: control bytes escaped, a missing last newline marked.
pub(super) fn shown(file: &str, folder: &Path) -> String {
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
    if file == "dump_logs/app_logs_tail.txt" {
        text = each_pods_containers_in_order(&text);
    }
    match text.pop() {
        None => "(empty)".to_owned(),
        Some('\n') => text,
        Some(last) => format!("{text}{last}\n(no newline at the end)"),
    }
}

/// What `kubectl get -o json` printed: hundreds of lines an object as it stands, an object a line here.
fn an_object_a_line(bytes: &[u8]) -> Option<String> {
    let mut objects = Vec::new();
    for object in serde_json::Deserializer::from_slice(bytes).into_iter() {
        let object: Value = object.ok()?;
        object.get("apiVersion")?;
        if let Some(items) = object.get("items") {
            objects.extend(items.as_array()?.iter().map(Value::to_string));
        } else {
            object.pointer("/metadata/name")?;
            objects.push(object.to_string());
        }
    }
    (!objects.is_empty()).then(|| objects.join("\n") + "\n")
}

/// Logs with the containers of each pod in order: `kubectl logs --all-containers` takes them as a Go map has them.
fn each_pods_containers_in_order(logs: &str) -> String {
    let prefix = |line: &&str| line.split_once(']').map(|(prefix, _)| prefix.to_owned());
    let pod = |line: &&str| prefix(line).and_then(|prefix| Some(prefix.rsplit_once('/')?.0.to_owned()));
    let mut lines: Vec<&str> = logs.split_inclusive('\n').collect();
    for of_a_pod in lines.chunk_by_mut(|one, next| pod(one) == pod(next)) {
        of_a_pod.sort_by_key(prefix);
    }
    lines.concat()
}
