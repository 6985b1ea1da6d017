//! Reads the smoke checks from the document's table.
//!
//! A row that is not understood is a problem, and the table must agree with the list of step 5.

use super::reader::Problems;
use super::{CheckNumber, Document, HealthPath, StepId};

/// One of the smoke checks (the runbook's Smoke Test Definition).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The runbook's number.
    pub number: CheckNumber,
    /// The path, which is requested with GET.
    pub path: String,
    /// The HTTP statuses that pass without an API key.
    pub accepts: Vec<String>,
    /// The HTTP statuses that pass with the key; if empty, the key is not sent to this path.
    pub accepts_with_key: Vec<String>,
    /// The variable that contains the base URL.
    pub base: &'static str,
    /// The runbook's note.
    pub note: String,
}

impl Check {
    /// Returns the id of its step: `check.01`.
    pub fn id(&self) -> StepId {
        StepId::Check(self.number)
    }

    /// Returns whether the request contains the API key, if the run has one.
    pub fn takes_key(&self) -> bool {
        !self.accepts_with_key.is_empty()
    }

    /// Returns the HTTP statuses that pass, with or without a key.
    pub fn accepted(&self, with_key: bool) -> &[String] {
        if with_key && self.takes_key() { &self.accepts_with_key } else { &self.accepts }
    }

    /// Returns the name in `smoke/results.json`, with a suffix if the check takes a key and the run has none.
    pub fn name(&self, with_key: bool) -> String {
        let suffix = if self.takes_key() && !with_key { " (unauthenticated)" } else { "" };
        format!("GET {}{suffix}", self.path)
    }

    /// Returns the name of the file with its response: `01-health.http`.
    pub fn file_name(&self) -> String {
        let name: String =
            self.path.trim_start_matches(['/', '.']).replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        format!("{:02}-{name}.http", self.number.get())
    }
}

/// The heading of the table, up to the number of its rows.
const HEADING: &str = "### Test Suite (";

/// The names of the table's columns.
const COLUMNS: [&str; 5] = ["#", "Method", "Endpoint", "Expected Status", "Notes"];

/// The length of the longest path in bytes: the name of the response's file is made of it, and a file system
/// accepts 255.
const LONGEST_PATH: usize = 200;

/// Reads the table's rows.
pub(super) fn read(document: &Document, problems: &mut Problems<'_>) -> Vec<Check> {
    let Some(section) = document.section_starting(HEADING) else {
        problems.add(None, format!("there is no section {HEADING}N Checks)"));
        return Vec::new();
    };
    let mut rows = section.lines().filter(|line| line.starts_with('|'));
    if rows.next().map(cells).as_deref() != Some(&COLUMNS) {
        problems.add(Some(section), format!("the columns of the table are not {}", COLUMNS.join(", ")));
        return Vec::new();
    }
    let mut checks = Vec::<Check>::new();
    for row in rows.filter(|row| !row.starts_with("|-")) {
        match check(&cells(row)) {
            Ok(check) if checks.last().is_some_and(|last| last.number >= check.number) => {
                problems.add(Some(row), "numbers must ascend".to_owned());
            }
            Ok(check) => checks.push(check),
            Err(why) => problems.add(Some(row), why),
        }
    }
    for path in HealthPath::ALL.map(HealthPath::path) {
        if !checks.iter().any(|check| check.path == path) {
            problems.add(Some(section), format!("there is no check of {path}"));
        }
    }
    let told = section.lines().next().and_then(|line| line.strip_prefix(HEADING)?.strip_suffix(" Checks)"));
    if told != Some(&checks.len().to_string()) {
        problems.add(Some(section), format!("the table has {} checks", checks.len()));
    }
    compare_with_the_list(document, &checks, problems);
    checks
}

/// Compares the table with the list of the checks in step 5, by number and path.
fn compare_with_the_list(document: &Document, checks: &[Check], problems: &mut Problems<'_>) {
    let Some(section) = document.section_starting("### 5. ") else {
        problems.add(None, "there is no section ### 5. …".to_owned());
        return;
    };
    let behind = section.lines().skip_while(|line| !line.starts_with("**Smoke Test Suite**")).skip(1);
    let listed: Vec<&str> = behind.take_while(|line| !line.is_empty()).collect();
    if !listed.is_empty() && listed.len() != checks.len() {
        problems.add(
            Some(section),
            format!("the table has {} checks, but step 5 lists {}", checks.len(), listed.len()),
        );
    }
    for (line, check) in listed.iter().zip(checks) {
        if !line.starts_with(&format!("{}. GET {} (", check.number.get(), check.path)) {
            problems.add(Some(line), format!("the table's check is GET {}", check.path));
        }
    }
}

fn cells(row: &str) -> Vec<&str> {
    row.trim_matches('|').split('|').map(str::trim).collect()
}

fn check(cells: &[&str]) -> Result<Check, String> {
    let [number, method, path, statuses, note] = cells else {
        return Err(format!("a row must have {} cells", COLUMNS.len()));
    };
    if *method != "GET" {
        return Err(format!("{method}: the method must be GET"));
    }
    let number = number.parse().ok().and_then(|number| CheckNumber::new(number).ok());
    let number = number.ok_or("the number must be from 1 to 99")?;
    if !is_path(path) {
        return Err(format!("{path} is not a path: letters, digits and ._~- between single /"));
    }
    if path.len() > LONGEST_PATH {
        return Err(format!("the path has {} characters; at most {LONGEST_PATH} are possible", path.len()));
    }
    let statuses: Vec<String> = statuses.split(" or ").map(str::to_owned).collect();
    if !statuses.iter().all(|status| status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err("a status must have three digits; separate two by ` or `".to_owned());
    }
    let (accepts, accepts_with_key) = match &statuses[..] {
        [without, with] if *note == format!("{without} if no auth, {with} if valid API key") => {
            (vec![without.clone()], vec![with.clone()])
        }
        _ => (statuses, Vec::new()),
    };
    let base = if note.contains("(port ") { "STAGING_METRICS_URL" } else { "STAGING_BASE_URL" };
    Ok(Check { number, path: (*path).to_owned(), accepts, accepts_with_key, base, note: (*note).to_owned() })
}

fn is_path(path: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || "._~-/".contains(c);
    path.starts_with('/') && path.chars().all(inside) && !path.contains("//") && !path.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_a_check() {
        let check =
            check(&["10", "GET", "/v1/runs", "401 or 200", "401 if no auth, 200 if valid API key"]).unwrap();
        assert_eq!(check.name(false), "GET /v1/runs (unauthenticated)");
        assert_eq!(
            (check.accepted(false), check.accepted(true)),
            (&["401".to_owned()][..], &["200".to_owned()][..])
        );
        let either = super::check(&["3", "GET", "/.well-known/a.json", "200 or 302", "moved"]).unwrap();
        assert_eq!(either.accepted(true), ["200", "302"]);
        assert_eq!(either.file_name(), "03-well-known-a-json.http");
        assert_eq!(
            super::check(&["7", "GET", "/metrics", "200", "(port 9090)"]).unwrap().base,
            "STAGING_METRICS_URL"
        );
    }

    #[test]
    fn other_rows_are_refused() {
        for cells in [
            ["1", "POST", "/a", "200", ""],
            ["0", "GET", "/a", "200", ""],
            ["100", "GET", "/a", "200", ""],
            ["1", "GET", "a", "200", ""],
            ["1", "GET", "/a b", "200", ""],
            ["1", "GET", "/$(id)", "200", ""],
            ["1", "GET", "//evil", "200", ""],
            ["1", "GET", "/../a", "200", ""],
            ["1", "GET", "/a?b", "200", ""],
            ["1", "GET", "/a", "2xx", ""],
            ["1", "GET", "/a", "", ""],
            ["1", "GET", "/a", "200,302", ""],
        ] {
            assert!(check(&cells).is_err(), "{cells:?}");
        }
        assert!(check(&["1", "GET", "/a", "200"]).is_err());
        let path = |length: usize| format!("/{}", "a".repeat(length - 1));
        let longest = check(&["1", "GET", &path(LONGEST_PATH), "200", ""]).unwrap();
        assert!(longest.file_name().len() <= 255);
        let error = check(&["1", "GET", &path(LONGEST_PATH + 1), "200", ""]).unwrap_err();
        assert_eq!(error, "the path has 201 characters; at most 200 are possible");
    }
}
