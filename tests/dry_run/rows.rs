//! The manifest against the journal, and the table of faults against the tests it names.

use std::path::Path;

use super::support::scenario_ran;

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
