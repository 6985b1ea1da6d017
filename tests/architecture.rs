//! Each module imports what `src/lib.rs` lets it import, and nothing else.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails here")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use regex_lite::Regex;

type Modules = BTreeSet<String>;

/// The names between backticks.
fn named(cell: &str) -> Modules {
    Regex::new("`([a-z_]+)`").unwrap().captures_iter(cell).map(|found| found[1].to_owned()).collect()
}

/// What each module may import, by the table of `src/lib.rs`.
fn table() -> BTreeMap<String, Modules> {
    let source = include_str!("../src/lib.rs");
    let rows = source.lines().filter_map(|line| line.strip_prefix("//! | [`"));
    let rows: Vec<(Modules, &str)> = rows
        .map(|row| {
            let cells: Vec<&str> = row.split(" | ").collect();
            let [modules, _, may] = cells[..] else { panic!("not three cells: {row}") };
            (named(&format!("`{modules}")), may)
        })
        .collect();
    let all: Modules = rows.iter().flat_map(|(modules, _)| modules.clone()).collect();
    let pure = &rows.last().unwrap().0;
    let mut table = BTreeMap::new();
    for (modules, may) in &rows {
        let mut allowed = match may.strip_prefix("everything") {
            Some(but) => &all - &named(but),
            None => named(may),
        };
        if may.contains("pure modules") {
            allowed.extend(pure.clone());
        }
        assert!(allowed.is_subset(&all), "{may}");
        table.extend(modules.iter().map(|module| (module.clone(), allowed.clone())));
    }
    table
}

/// The files of a module, less those of tests alone.
fn files(module: &str) -> Vec<PathBuf> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut files, mut folders) = (vec![src.join(module).with_extension("rs")], vec![src.join(module)]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    let is_a_tests = |path: &Path| {
        path.components().any(|part| part.as_os_str() == "tests")
            || ["tests.rs", "fixture.rs", "hostile.rs"]
                .iter()
                .any(|end| path.to_str().unwrap().ends_with(end))
    };
    files.retain(|path| path.is_file() && !is_a_tests(path));
    files
}

/// The modules that a file names, but in its tests.
fn imported(file: &Path) -> Modules {
    let source = std::fs::read_to_string(file).unwrap();
    let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let paths = Regex::new(r"\bcrate::(?:([a-z_]+)|\{([^}]*)\})").unwrap();
    let names = paths.captures_iter(source).flat_map(|found| {
        let list = found.get(1).or(found.get(2)).unwrap().as_str();
        let heads = list.split(',').map(|path| path.trim().split("::").next().unwrap().to_owned());
        heads.filter(|name| !name.is_empty()).collect::<Vec<_>>()
    });
    names.collect()
}

#[test]
fn each_module_imports_what_it_may() {
    let table = table();
    for (module, may) in &table {
        let files = files(module);
        assert!(!files.is_empty(), "no module {module}");
        for file in files {
            for import in imported(&file) {
                let allowed = import == *module || may.contains(&import);
                assert!(allowed, "{}: {module} may not import {import}", file.display());
            }
        }
    }
    let modules = include_str!("../src/lib.rs").lines().filter_map(|line| line.strip_prefix("pub mod "));
    let modules: Modules = modules.map(|line| line.trim_end_matches(';').to_owned()).collect();
    assert_eq!(modules, table.into_keys().collect());
}
