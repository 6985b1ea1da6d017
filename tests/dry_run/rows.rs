//! The rows against the document, and each row against the runs it decides.

use std::collections::BTreeSet;
use std::path::Path;

use staging_dry_run::command;
use staging_dry_run::run_state::RunState;
use staging_dry_run::runbook::{CHECKS, Check, Permission, STEPS, document};
use staging_dry_run::verdict::{self, CRITERIA, GUARDS, Judgement, STOP_RULES};

use super::support::scenario_ran;

/// A command of the document or of a row, with the variables that only we have at the runbook's own values.
fn in_words(text: &str) -> String {
    let line = command::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let own = |name: &str| match name {
        "ROLLOUT_TIMEOUT" => Some("5m".to_owned()),
        name => Some(format!("<{name}>")),
    };
    let redirect = line.redirect.as_ref().map(|word| word.expand(own).unwrap());
    format!("{:?} > {redirect:?}", line.expand(own).unwrap().stages)
}

/// The commands that step 5 only names: the old script, in place of which we run.
const REPLACED: &str = "bash tools/staging_dry_run.sh";

#[test]
fn the_rows_are_the_documents_code_blocks_word_for_word() {
    let procedure = document::section("## Step-by-Step Procedure").unwrap();
    let of_document: Vec<String> = document::code_blocks(procedure)
        .flat_map(|block| command::parse_block(block).unwrap())
        .map(|line| line.to_string())
        .filter(|line| line != REPLACED)
        .map(|line| in_words(&line))
        .collect();
    let of_rows: Vec<String> = STEPS
        .iter()
        .filter(|row| row.heading.is_some_and(|heading| heading.starts_with("### ")))
        .map(|row| in_words(&row.text))
        .collect();
    assert_eq!(of_document, of_rows);
    assert_eq!(of_document.len(), 11);
}

#[test]
fn every_row_stands_under_a_heading_of_the_document() {
    for row in STEPS.iter() {
        if let Some(heading) = row.heading {
            assert!(document::section(heading).is_some(), "{}: {heading}", row.id);
        }
    }
}

#[test]
fn the_texts_of_rules_and_criteria_are_the_documents() {
    for text in STOP_RULES.iter().map(|rule| rule.text).chain(CRITERIA.iter().map(|criterion| criterion.text))
    {
        assert_eq!(document::line_with(text), Some(text));
    }
    let (rules, _action) =
        document::section("## Stop Rules").unwrap().split_once("**Action on STOP**").unwrap();
    assert_eq!(
        rules.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())).count(),
        STOP_RULES.len()
    );
    let criteria = document::section("## Success Criteria").unwrap();
    // One line a criterion; the rule that all of a checklist's files are there is one of them.
    assert_eq!(criteria.lines().filter(|line| line.starts_with("- [ ] ")).count(), CRITERIA.len());
}

/// For each row a scenario in which its judgement decides something.
fn decided_in(row: &str) -> &'static str {
    match row {
        "stop-1" => "rollout-timeout",
        "stop-2" => "crash-loop",
        "stop-3" => "readyz-503",
        "stop-4" => "smoke-7-of-10",
        _ => "healthy",
    }
}

fn outcome(judgement: &Judgement) -> impl PartialEq + std::fmt::Debug + use<> {
    let criteria: Vec<_> =
        judgement.criteria.iter().map(|criterion| (criterion.id.clone(), criterion.state)).collect();
    (judgement.verdict, judgement.stop.as_ref().map(|stop| stop.rule), criteria)
}

#[test]
fn no_row_is_without_a_scenario_that_it_decides() {
    let rows: BTreeSet<String> = STOP_RULES
        .iter()
        .map(|row| row.id.to_owned())
        .chain(GUARDS.iter().map(|row| row.id.to_owned()))
        .chain(CRITERIA.iter().map(|row| row.id.to_owned()))
        .chain(CHECKS.iter().map(Check::id))
        .chain(Permission::required().into_iter().map(|row| row.id))
        .collect();
    for row in rows {
        let scenario = decided_in(&row);
        let record = RunState::of(&scenario_ran(scenario).events());
        let as_is = outcome(&verdict::judge(&record));
        let inverted = outcome(&verdict::judge_through(&record, &|id, holds| holds != (id == row)));
        assert_ne!(as_is, inverted, "inverting {row} changes nothing in {scenario}");
    }
}

#[test]
fn the_manifest_is_a_fold_over_the_journal() {
    for scenario in ["healthy", "crash-loop", "forbidden"] {
        let ran = scenario_ran(scenario);
        let folded = staging_dry_run::manifest::Manifest::fold(&ran.events());
        assert_eq!(serde_json::to_value(folded).unwrap(), ran.manifest(), "{scenario}");
    }
}

/// Every Rust file below a folder, as one text.
fn sources(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let texts = entries.map(|path| match path.extension() {
        _ if path.is_dir() => sources(&path),
        Some(extension) if extension == "rs" => std::fs::read_to_string(path).unwrap(),
        _ => String::new(),
    });
    texts.collect()
}

#[test]
fn every_fault_of_the_table_names_tests_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let all = ["src", "tests"].map(|folder| sources(&root.join(folder))).concat();
    let readme = std::fs::read_to_string(root.join("tests/README.md")).unwrap();
    let (_, faults) = readme.split_once("## What may go wrong").unwrap();
    let rows = faults
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| fault") && !line.starts_with("| ---"));
    let mut count = 0;
    for row in rows {
        let shown_by = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let names =
            shown_by.split('`').skip(1).step_by(2).filter(|name| name.len() > 20 && !name.contains("::"));
        for name in names {
            assert!(all.contains(&format!("fn {name}()")), "there is no test {name}");
            count += 1;
        }
    }
    assert!(count > 30, "{count}");
}
