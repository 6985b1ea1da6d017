//! What each scenario leaves, as an auditor would see it: of `healthy` every file whole, of the others the screen whole
//! and of the files what differs from `healthy`'s. Files that `healthy` does not have are compared with those of
//! `crash-loop`, whose page shows them whole.
//!
//! A page and the pages that it is compared with hold all of a scenario's text: each test reads it back from them.

mod derived;
mod lines;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::sync::OnceLock;

use staging_dry_run::evidence::Tree;
use staging_dry_run::evidence::redaction::SecretPatterns;

use super::page::{LISTING, filtered, is_of_the_listing, replaced, shown};
use super::support::{Ran, scenario_ran};

/// Files that hold the whole objects of the cluster: an object in another file may be like one of these.
const MODELS: [&str; 2] = ["preflight/out/objects.before.out", "deploy/out/objects.after.out"];

/// What a run has left, with control bytes shown, a missing last newline marked, and the filters applied.
struct Evidence {
    screen: String,
    /// A file a line, with its mode.
    list: String,
    texts: BTreeMap<String, String>,
}

impl Evidence {
    fn of(ran: &Ran) -> Evidence {
        let folder = ran.evidence();
        let tree = Tree::new(folder.clone().try_into().unwrap(), SecretPatterns::of(&[]).unwrap());
        let mut files = tree.list().unwrap();
        files.retain(|file| !is_of_the_listing(file));
        let screen =
            format!("exit {}\n\n--- stderr\n{}--- stdout\n{}", ran.status.unwrap(), ran.stderr, ran.stdout);
        let list: Vec<String> = files
            .iter()
            .map(|file| {
                let mode = std::fs::metadata(folder.join(file)).unwrap().permissions().mode() & 0o777;
                format!("{mode:o} {file}")
            })
            .collect();
        let texts = files.into_iter().map(|file| {
            let text = shown(&file, &folder);
            let text = if file == "journal.jsonl" { with_the_watch_last(&text) } else { text };
            let text = filtered(&replaced(text, &LISTING));
            (file, text)
        });
        Evidence { screen: filtered(&screen), list: filtered(&list.join("\n")), texts: texts.collect() }
    }

    /// A file's text without what follows from the list of files and the journal. It is put back from these.
    fn without_derived(&self, file: &str) -> String {
        let (text, journal) = (&self.texts[file], &self.texts["journal.jsonl"]);
        let without = derived::without_derived(file, text, &self.list, journal);
        assert_eq!(derived::with_derived(file, &without, &self.list, journal), *text, "{file}");
        without
    }

    fn of_scenario(name: &'static str) -> Evidence {
        Evidence::of(scenario_ran(name))
    }
}

fn of_healthy() -> &'static Evidence {
    static HEALTHY: OnceLock<Evidence> = OnceLock::new();
    HEALTHY.get_or_init(|| Evidence::of_scenario("healthy"))
}

fn of_crash_loop() -> &'static Evidence {
    static CRASH_LOOP: OnceLock<Evidence> = OnceLock::new();
    CRASH_LOOP.get_or_init(|| Evidence::of_scenario("crash-loop"))
}

/// The evidence whose file of this name a page's is compared with, and its name.
fn base_of(scenario: &str, file: &str) -> Option<(&'static str, &'static Evidence)> {
    let bases = [("healthy", of_healthy as fn() -> &'static Evidence), ("crash-loop", of_crash_loop)];
    let mut before = bases.into_iter().take_while(|(name, _)| *name != scenario);
    before.find_map(|(name, evidence)| evidence().texts.contains_key(file).then(|| (name, evidence())))
}

fn page(scenario: &'static str) -> String {
    let evidence = Evidence::of_scenario(scenario);
    let list =
        if scenario == "healthy" { evidence.list.clone() } else { list_beside_healthys(&evidence.list) };
    let mut page = format!("{}\n{list}", evidence.screen);
    for (file, text) in &evidence.texts {
        let base = base_of(scenario, file);
        let (beside, differs) = match base {
            None if scenario == "healthy" => (String::new(), Some(text.clone())),
            None => beside_the_models(text),
            Some((name, base)) => {
                let (base, text) = (base.without_derived(file), evidence.without_derived(file));
                (format!(", beside {name}"), (base != text).then(|| difference(file, &base, &text)))
            }
        };
        if let Some(differs) = differs {
            let _ = write!(page, "\n\n=== {file}{beside}\n{differs}");
        }
    }
    page
}

/// The list of files beside `healthy`'s: what is in both is left out.
fn list_beside_healthys(list: &str) -> String {
    let differs = lines::difference(&of_healthy().list, list);
    assert_eq!(lines::applied(&of_healthy().list, &differs).as_deref(), Some(list));
    if differs.is_empty() { "(the files of healthy)".to_owned() } else { differs }
}

/// What differs in a file: value by value if it is JSON, else line by line. The file is read back from it.
fn difference(file: &str, base: &str, text: &str) -> String {
    let models = models();
    let differs = values::difference(Some(base), text, &models);
    let is_read_back =
        |differs: &String| values::applied(Some(base), differs, &models).as_deref() == Some(text);
    if let Some(differs) = differs.filter(is_read_back) {
        return differs;
    }
    let differs = lines::difference(base, text);
    assert_eq!(lines::applied(base, &differs).as_deref(), Some(text), "{file}\n{differs}");
    differs
}

fn models() -> [(String, &'static str); 2] {
    MODELS.map(|file| (file.to_owned(), of_healthy().texts[file].as_str()))
}

/// A file that no other page shows: objects of the cluster beside those of `healthy`, anything else whole.
fn beside_the_models(text: &str) -> (String, Option<String>) {
    let models = models();
    let differs = values::difference(None, text, &models).filter(|differs| differs.contains(" like "));
    match differs.filter(|differs| values::applied(None, differs, &models).as_deref() == Some(text)) {
        Some(differs) => (", beside objects of healthy".to_owned(), Some(differs)),
        None => (String::new(), Some(text.to_owned())),
    }
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
    settings.set_snapshot_path("../../pages");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings
}

fn shows_the_page_of(scenario: &'static str) {
    if scenario == CUT_SHORT {
        assert_eq!(scenario_ran(scenario).status, Some(1));
        return;
    }
    settings().bind(|| insta::assert_snapshot!(scenario, page(scenario)));
}

/// It ends in the middle of the checks: how far they had come is time's, so it has no page that is always the same.
const CUT_SHORT: &str = "crash-during-smoke";

macro_rules! pages {
    ($($test:ident $scenario:literal)*) => {
        $(
            #[test]
            fn $test() {
                shows_the_page_of($scenario);
            }
        )*
    };
}

rehearsal::for_each_scenario!(pages);

#[test]
fn there_is_no_page_without_a_scenario() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pages");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let of_the_table: BTreeSet<String> = rehearsal::SCENARIOS
        .iter()
        .filter(|row| row.name != CUT_SHORT)
        .map(|row| format!("{}.snap", row.name))
        .collect();
    let pages: BTreeSet<String> = files.map(|file| file.into_string().unwrap()).collect();
    assert_eq!(pages, of_the_table);
}

/// What a page must never lose to a filter.
#[test]
fn no_filter_hides_a_status_a_count_a_file_name_or_a_verdict() {
    let lines = [
        r#""path": "/readyz""#,
        r#""exit": [0, 1, 124, 137]"#,
        "exit 1",
        r#""ended_by": "deadline""#,
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
    for line in lines {
        assert_eq!(filtered(line), line);
    }
}
