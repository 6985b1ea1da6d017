//! The tables of the documents name everything that the program has.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use regex_lite::Regex;
use serde_json::Value;

use super::markdown::{documents, read, root};
use super::support::files_below;

fn program(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_staging-dry-run")).args(arguments).output().unwrap();
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
}

#[track_caller]
fn names_all(page: &str, names: impl IntoIterator<Item = String>) {
    let spans: BTreeSet<String> = read(page).code_spans().into_iter().collect();
    let missing: Vec<String> = names.into_iter().filter(|name| !spans.contains(name)).collect();
    assert!(missing.is_empty(), "{page} does not name {missing:?}");
}

#[test]
fn the_readme_fits_on_three_screens() {
    let lines = read("README.md").text.lines().count();
    assert!(lines <= 160, "{lines} lines");
}

/// The words after a heading of `explain`, up to an empty line.
fn ids(table: &str) -> Vec<String> {
    let listing = program(&["explain"]);
    let (_, rest) =
        listing.split_once(&format!("\n{table}\n")).unwrap_or_else(|| panic!("no {table} in {listing}"));
    rest.split("\n\n").next().unwrap().split_whitespace().map(str::to_owned).collect()
}

#[test]
fn every_guard_and_criterion_is_described() {
    names_all("docs/how-it-stops.md", ids("guards"));
    names_all("docs/how-it-stops.md", ids("success criteria"));
    let rules = ids("stop rules").len();
    let page = read("docs/how-it-stops.md");
    let numbers: Vec<String> = page.rows().into_iter().map(|(first, _)| first).collect();
    assert!((1..=rules).all(|rule| numbers.contains(&rule.to_string())), "{numbers:?}");
}

/// The subcommands, from the program's own help.
fn subcommands() -> Vec<String> {
    let help = program(&["--help"]);
    let (_, rest) = help.split_once("Commands:\n").unwrap();
    let rows = rest.split("\n\n").next().unwrap().lines();
    let names = rows.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .filter(|name| name != "help")
        .collect()
}

#[test]
fn every_subcommand_option_input_and_exit_code_is_described() {
    let rows: String = read("README.md").rows().iter().fold(String::new(), |mut text, (first, _)| {
        let _ = writeln!(text, "{first}");
        text
    });
    let options = Regex::new(r"(?m)^ +(?:-\w, )?(--[a-z-]+)").unwrap();
    let pages = ["docs/inputs.md", "docs/verify-and-replay.md"].map(|page| read(page).text).concat();
    for subcommand in subcommands() {
        assert!(rows.contains(&format!("`{subcommand}")), "README.md: {subcommand}");
        for option in options.captures_iter(&program(&[&subcommand, "--help"])) {
            let option = &option[1];
            assert!(option == "--help" || pages.contains(option), "{subcommand} {option} is not described");
        }
    }
    let help = program(&["--help"]);
    let inputs = Regex::new(r"(?m)^  ([A-Z][A-Z_]{5,}) ").unwrap();
    names_all("docs/inputs.md", inputs.captures_iter(&help).map(|found| found[1].to_owned()));
    let codes = help.split_once("\nExit ").unwrap().1;
    let codes = Regex::new(r"(?m)^  (\d+) ")
        .unwrap()
        .captures_iter(codes)
        .map(|found| found[1].to_owned())
        .collect::<Vec<_>>();
    assert!(codes.len() >= 6, "{codes:?}");
    for code in codes {
        let code = if code == "128" { "128+n" } else { &code };
        assert!(rows.lines().any(|first| first == code), "README.md: exit code {code}");
    }
}

/// Options of other programs that the documents speak of.
const OF_OTHERS: &[&str] = &[
    "--all-containers",
    "--dry-run=server",
    "--from-env-file",
    "--help",
    "--ignored",
    "--list",
    "--previous",
    "--short",
    "--show-events=true",
    "--sort-by=.lastTimestamp",
    "--subresource=log",
    "--tail",
    "--timeout",
    "--timeout=5m",
    "--timeout=20s",
    "--to-revision",
    "--output-watch-events",
    "--watch",
    "--wait",
    "--config",
    "--log-bytes",
    "--crash-after",
    "--dry-run",
    "--version",
];

#[test]
fn every_option_that_is_named_exists() {
    let scripts = files_below(&root().join("scripts")).into_values();
    let scripts = scripts.map(|bytes| String::from_utf8(bytes).unwrap()).collect::<String>();
    let all = subcommands().iter().map(|name| program(&[name, "--help"])).collect::<String>();
    let mut unknown = Vec::new();
    for document in documents().into_iter().filter(|document| document.path != "CHANGELOG.md") {
        for span in document.code_spans().into_iter().filter(|span| span.starts_with("--")) {
            let option = span.split_whitespace().next().unwrap();
            let name = option.split('=').next().unwrap();
            if !all.contains(&format!("{name} "))
                && !all.contains(&format!("{name}\n"))
                && !scripts.contains(option)
                && !OF_OTHERS.contains(&option)
            {
                unknown.push(format!("{}: {span}", document.path));
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
}

/// The keys of an object and of all it holds, but of maps whose keys are data.
fn keys(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                into.insert(key.clone());
                if !["labels", "selector"].contains(&key.as_str()) {
                    keys(value, into);
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| keys(value, into)),
        _ => {}
    }
}

/// Every word between backticks, also inside of `{"other": TEXT}`.
fn words_of_formats() -> BTreeSet<String> {
    let page = read("docs/formats.md");
    let spans = page.code_spans().into_iter().flat_map(|span| {
        let words: Vec<String> =
            span.split(|c: char| !c.is_alphanumeric() && !"_-".contains(c)).map(str::to_owned).collect();
        words
    });
    spans.chain(page.anchors()).collect()
}

#[test]
fn formats_names_every_field_of_the_samples() {
    let mut fields = BTreeSet::new();
    for (file, bytes) in files_below(&root().join("evidence/samples")) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if file.ends_with("journal.jsonl") {
            for line in text.lines() {
                let event: Value = serde_json::from_str(line).unwrap();
                fields.insert(event["event"].as_str().unwrap().to_owned());
                keys(&event, &mut fields);
            }
        } else if Path::new(&file).extension().is_some_and(|extension| extension == "json") {
            keys(&serde_json::from_str(&text).unwrap(), &mut fields);
        }
    }
    assert!(fields.len() > 100, "{fields:?}");
    let missing: Vec<String> = fields.difference(&words_of_formats()).cloned().collect();
    assert!(missing.is_empty(), "docs/formats.md does not name {missing:?}");
}

/// The fields and variants that the sources serialize, as serde names them.
fn serialized(source: &str) -> BTreeSet<String> {
    let source = source.split("#[cfg(test)]").next().unwrap();
    let field = Regex::new(r"^    (?:    )?(?:pub(?:\(super\))? )?([a-z][a-z0-9_]*): [A-Z&\[(a-z]").unwrap();
    let variant = Regex::new(r"^    ([A-Z][A-Za-z]+)(?: \{|\(.*\),|,)$").unwrap();
    let item = Regex::new(r"^(?:pub(?:\(super\))? )?(?:struct|enum) ").unwrap();
    let rename = Regex::new(r#"rename = "([^"]+)""#).unwrap();
    let rule = Regex::new(r#"rename_all = "([^"]+)""#).unwrap();
    let (mut names, mut derived, mut inside, mut kebab, mut renamed) =
        (BTreeSet::new(), false, false, None, None);
    for line in source.lines() {
        if line.starts_with("#[derive(") {
            (derived, kebab) = (line.contains("Serialize"), None);
        }
        if !inside && let Some(found) = rule.captures(line) {
            kebab = Some(found[1].to_owned());
        }
        if item.is_match(line) {
            inside = derived && line.ends_with('{');
        } else if line == "}" {
            inside = false;
        } else if inside {
            if line.contains("#[serde(flatten)]") {
                renamed = Some(String::new());
            } else if let Some(found) = rename.captures(line) {
                renamed = Some(found[1].to_owned());
            } else if let Some(found) = field.captures(line) {
                let name = renamed.take().unwrap_or_else(|| match kebab.as_deref() {
                    Some("camelCase") => camel(&found[1]),
                    _ => found[1].to_owned(),
                });
                names.insert(name);
            } else if let Some(found) = variant.captures(line) {
                let name = renamed.take().unwrap_or_else(|| match kebab.as_deref() {
                    Some("kebab-case") => kebab_case(&found[1]),
                    Some("lowercase") => found[1].to_lowercase(),
                    Some("UPPERCASE") => found[1].to_uppercase(),
                    _ => found[1].to_owned(),
                });
                names.insert(name);
            }
        }
    }
    names.remove("");
    names
}

fn kebab_case(name: &str) -> String {
    name.chars().fold(String::new(), |mut text, c| {
        if c.is_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.extend(c.to_lowercase());
        text
    })
}

fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |text, word| text + &word[..1].to_uppercase() + &word[1..])
}

#[test]
fn formats_names_every_field_that_the_sources_serialize() {
    const SOURCES: [&str; 8] = [
        "src/events",
        "src/manifest.rs",
        "src/documents",
        "src/facts",
        "src/verdict",
        "src/runbook/step.rs",
        "src/run_state.rs",
        "src/moment.rs",
    ];
    // What is read from output and never written to a file; notes are written as texts.
    const NOT_KEPT: [&str; 3] = ["pod_table.rs", "versions.rs", "note.rs"];
    let mut fields = BTreeSet::new();
    for source in SOURCES {
        let path = root().join(source);
        let sources = if path.is_dir() {
            let files = files_below(&path).into_iter();
            files
                .filter(|(file, _)| !NOT_KEPT.contains(&file.as_str()))
                .map(|(_, bytes)| bytes)
                .map(|bytes| String::from_utf8(bytes).unwrap())
                .collect()
        } else {
            vec![std::fs::read_to_string(&path).unwrap()]
        };
        fields.extend(sources.iter().flat_map(|source| serialized(source)));
    }
    assert!(fields.len() > 150, "{fields:?}");
    let words = words_of_formats();
    // The states of a criterion are two words.
    let missing: Vec<&String> =
        fields.iter().filter(|field| !words.contains(*field) && !field.contains(' ')).collect();
    assert!(missing.is_empty(), "docs/formats.md does not name {missing:?}");
}

#[test]
fn contributing_tells_what_each_module_may_import() {
    let source = std::fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let named =
        |cell: &str| -> BTreeSet<String> { cell.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    let told = read("CONTRIBUTING.md").rows();
    let mut count = 0;
    for row in source.lines().filter_map(|line| line.strip_prefix("//! | [`")) {
        let cells: Vec<&str> = row.split(" | ").collect();
        let (module, may) = (cells[0].trim_end_matches("`]"), cells[2]);
        if module.contains(',') {
            continue;
        }
        let cell = format!("`{module}`");
        let (_, told) = told.iter().find(|(first, _)| first.split(", ").any(|name| name == cell)).unwrap();
        assert_eq!(named(told), named(may), "{module}");
        assert_eq!(told.to_lowercase().contains("pure modules"), may.contains("pure modules"), "{module}");
        count += 1;
    }
    assert!(count > 10, "{count}");
}

#[test]
fn the_tree_of_the_evidence_page_has_every_file_of_the_samples() {
    let spans = read("docs/evidence.md").code_spans();
    let patterns: Vec<Regex> = spans
        .iter()
        .map(|span| {
            let pattern = span.replace('.', "[.]").replace("PHASE", "(preflight|deploy|smoke|dump_logs)");
            let pattern = pattern.replace("ID", "[a-z0-9.-]+").replace("NN-name", "[0-9]{2}-[a-z0-9-]+");
            let end = if span.ends_with('/') { ".+" } else { "" };
            Regex::new(&format!("^{}{end}$", pattern.replace('*', ".*"))).unwrap_or(Regex::new("^$").unwrap())
        })
        .collect();
    for sample in ["pass", "stop-1", "stop-2", "stop-3", "stop-4"] {
        for file in files_below(&root().join("evidence/samples").join(sample)).keys() {
            assert!(
                patterns.iter().any(|pattern| pattern.is_match(file)),
                "docs/evidence.md does not name {file}"
            );
        }
    }
}

#[test]
fn the_rehearsals_readme_tells_how_each_scenario_ends() {
    let rows = read("tests/rehearsal/README.md").rows();
    for scenario in rehearsal::SCENARIOS {
        let (_, rest) = rows.iter().find(|(first, _)| *first == format!("`{}`", scenario.name)).unwrap();
        assert!(
            ["PASS", "STOP, rule ", "SHORTFALL", "refused"].iter().any(|end| rest.contains(end)),
            "{rest}"
        );
    }
}

/// Words that the style does not use, in prose.
const NOT_USED: [&str; 9] =
    ["whoever", "whatever", "folder", "folders", "house", "room", "rooms", "mend", "behaviour"];

#[test]
fn no_document_uses_the_words_that_the_style_excludes() {
    let mut found = Vec::new();
    for document in documents() {
        // The words of a scenario are those of its row in the rehearsal.
        let is_scenario =
            |line: &&str| line.starts_with("| `") && document.path == "tests/rehearsal/README.md";
        let lines: String =
            document.prose().lines().filter(|line| !is_scenario(line)).collect::<Vec<_>>().join("\n");
        let words = lines.split('`').step_by(2).collect::<Vec<_>>().join(" ");
        for word in words.split(|c: char| !c.is_alphabetic()) {
            if NOT_USED.contains(&word.to_lowercase().as_str()) {
                found.push(format!("{}: {word}", document.path));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn no_sentence_of_a_document_has_more_than_30_words() {
    let mut long = Vec::new();
    let code = Regex::new("`[^`]*`").unwrap();
    for document in documents() {
        let prose = document.prose();
        let lines =
            prose.lines().map(str::trim).filter(|line| !line.starts_with('|') && !line.starts_with('#'));
        // An item of a list begins a sentence, as an empty line does.
        let text = lines.fold(String::new(), |text, line| match line.split(' ').next().unwrap_or_default() {
            "" | "-" => text + ".\n" + line,
            _ => text + " " + line,
        });
        let text = code.replace_all(&text, "CODE");
        for sentence in text.split_inclusive([' ', '\n']).collect::<Vec<_>>().split(|word| {
            word.trim_end().ends_with(['.', ':', ';', '?', '!']) || word.trim_end().ends_with(".)")
        }) {
            if sentence.len() > 30 {
                long.push(format!("{}: {} words: {}", document.path, sentence.len(), sentence.concat()));
            }
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn no_document_names_a_path_of_this_machine() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).to_str().unwrap();
    for document in documents() {
        assert!(!document.text.contains(here), "{}", document.path);
    }
}
