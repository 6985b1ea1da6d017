//! The rules that the sources keep: which module imports which, which do no I/O, and how long a function may be.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails here")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use regex_lite::Regex;

type Modules = BTreeSet<String>;

/// The names between backticks.
fn named(cell: &str) -> Modules {
    Regex::new("`([a-z_]+)`").unwrap().captures_iter(cell).map(|found| found[1].to_owned()).collect()
}

/// The rows of the table of `src/lib.rs`: the modules, what they do, and what they may import.
fn rows() -> Vec<(Modules, &'static str, &'static str)> {
    let source = include_str!("../src/lib.rs");
    let rows = source.lines().filter_map(|line| line.strip_prefix("//! | [`"));
    let cells = rows.map(|row| {
        let cells: Vec<&str> = row.split(" | ").collect();
        let [modules, what, may] = cells[..] else { panic!("not three cells: {row}") };
        (named(&format!("`{modules}")), what, may)
    });
    cells.collect()
}

/// The modules of the rows with "no I/O": no clock and no environment either.
fn pure_modules() -> Modules {
    let pure = rows().into_iter().filter(|(_, what, _)| what.contains("no I/O"));
    pure.flat_map(|(modules, ..)| modules).collect()
}

/// What each module may import, by the table of `src/lib.rs`.
fn table() -> BTreeMap<String, Modules> {
    let rows = rows();
    let all: Modules = rows.iter().flat_map(|(modules, ..)| modules.clone()).collect();
    let pure = pure_modules();
    let mut table = BTreeMap::new();
    for (modules, _, may) in &rows {
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

/// Every Rust file below a path.
fn files_below(path: &Path) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![path.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files.sort();
    files
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The files of a module, less those of tests alone.
fn files(module: &str) -> Vec<PathBuf> {
    let mut files = files_below(&src().join(module));
    files.push(src().join(module).with_extension("rs"));
    files.retain(|path| path.is_file() && !is_a_tests(path));
    files
}

/// Whether a file is compiled for tests alone.
fn is_a_tests(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests")
        || ["tests.rs", "fixture.rs", "hostile.rs"].iter().any(|end| path.to_str().unwrap().ends_with(end))
}

/// A file without its tests.
fn source(file: &Path) -> String {
    let source = std::fs::read_to_string(file).unwrap();
    source.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned()
}

/// The modules that a file names, but in its tests.
fn imported(file: &Path) -> Modules {
    let source = source(file);
    let paths = Regex::new(r"\bcrate::(?:([a-z_]+)|\{([^}]*)\})").unwrap();
    let names = paths.captures_iter(&source).flat_map(|found| {
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

/// Imports go in one direction: no module imports one that, over others, imports it.
#[test]
fn no_module_imports_itself_over_others() {
    let mut left: BTreeMap<String, Modules> = BTreeMap::new();
    for module in table().into_keys() {
        let mut imports: Modules = files(&module).iter().flat_map(|file| imported(file)).collect();
        imports.remove(&module);
        left.insert(module, imports);
    }
    while let Some(lowest) = left.iter().find(|(_, imports)| imports.is_empty()).map(|(name, _)| name.clone())
    {
        left.remove(&lowest);
        for imports in left.values_mut() {
            imports.remove(&lowest);
        }
    }
    assert!(left.is_empty(), "these import each other: {left:#?}");
}

#[test]
fn every_file_belongs_to_a_module_of_the_table() {
    let table = table();
    for file in files_below(&src()) {
        let path = file.strip_prefix(src()).unwrap();
        let module = path.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        let is_a_crates_root = ["lib.rs", "main.rs", "fixture.rs"].iter().any(|root| path == Path::new(root));
        assert!(is_a_crates_root || table.contains_key(module), "{}: no row of the table", path.display());
    }
}

/// What reads or changes anything but memory, and what tells the time.
const IMPURE: &str = r"\b(std::(fs|env|process|thread|net)|fs_err|Instant::now|SystemTime|Timestamp::now|Zoned::now)\b|\bsleep\(|\buse std::\{[^;]*\b(fs|env|process|thread|net)\b";

#[test]
fn the_pure_modules_do_no_io_and_read_no_clock() {
    let impure = Regex::new(IMPURE).unwrap();
    for file in pure_modules().iter().flat_map(|module| files(module)) {
        let source = source(&file);
        let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
        let code = code.collect::<Vec<_>>().join("\n");
        let found = impure.find(&code).map(|found| found.as_str());
        assert_eq!(found, None, "{}", file.display());
    }
}

#[test]
fn no_type_has_the_name_of_another() {
    let types = Regex::new(r"(?m)^(?:pub(?:\([^)]*\))? )?(?:struct|enum|trait|type) (\w+)").unwrap();
    let mut where_it_is = BTreeMap::<String, Vec<PathBuf>>::new();
    for file in files_below(&src()).into_iter().filter(|file| !is_a_tests(file)) {
        for found in types.captures_iter(&source(&file)) {
            where_it_is.entry(found[1].to_owned()).or_default().push(file.clone());
        }
    }
    where_it_is.retain(|_, files| files.len() > 1);
    assert!(where_it_is.is_empty(), "{where_it_is:#?}");
}

/// Each function of a file and its number of lines, from `fn` to the closing brace, as rustfmt indents them.
fn functions(source: &str) -> Vec<(String, usize)> {
    let begins = Regex::new(r"^( *)(?:pub(?:\([^)]*\))? )?(?:const )?fn (\w+)").unwrap();
    let lines: Vec<&str> = source.lines().collect();
    let mut functions = Vec::new();
    for (first, line) in lines.iter().enumerate() {
        let Some(found) = begins.captures(line) else { continue };
        let is_whole = |line: &str| line.ends_with('}') || line.ends_with(';');
        let end = format!("{}}}", &found[1]);
        let length = lines[first..].iter().position(|line| *line == end);
        let length = if is_whole(line) { 1 } else { length.unwrap() + 1 };
        functions.push((found[2].to_owned(), length));
    }
    functions
}

#[test]
fn no_file_is_longer_than_450_lines() {
    for file in files_below(&src()) {
        let lines = std::fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= 450, "{}: {lines} lines", file.display());
    }
}

#[test]
fn no_function_is_longer_than_60_lines() {
    let mut long = Vec::new();
    for file in files_below(&src()).into_iter().filter(|file| !is_a_tests(file)) {
        let functions = functions(&source(&file));
        let of_file = functions.into_iter().filter(|(_, lines)| *lines > 60);
        long.extend(of_file.map(|(name, lines)| format!("{}: {name}: {lines} lines", file.display())));
    }
    assert!(long.is_empty(), "{long:#?}");
}
