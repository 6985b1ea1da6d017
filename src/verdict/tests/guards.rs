//! Each guard lets one run pass and refuses its neighbor.

use std::collections::BTreeSet;

use super::super::{Finding, GUARDS, judge};
use super::guard_rows::{asked, left, rows};
use crate::events::EventKind;
use crate::fixture::{Build, Events, events};
use crate::runbook::StepId;

fn record(build: Build) -> Events {
    let mut record = events();
    build(&mut record);
    record
}

fn findings(events: &Events) -> Vec<Finding> {
    judge(&events.run()).findings
}

#[test]
fn each_row_passes_one_run_and_refuses_its_neighbor() {
    for (number, row) in rows().enumerate() {
        let case = format!("row {number}, {}", row.guard);
        assert_eq!(findings(&record(row.passes)), [], "{case}");
        let [guard, found, next] = [row.guard, row.found, row.next].map(str::to_owned);
        assert_eq!(findings(&record(row.refused)), [Finding { guard, found, next }], "{case}");
    }
}

#[test]
fn every_guard_has_a_row() {
    let tested: BTreeSet<&str> = rows().map(|row| row.guard).collect();
    let all: BTreeSet<&str> = GUARDS.iter().map(|guard| guard.id).collect();
    assert_eq!(tested, all);
    assert_eq!(GUARDS.len(), all.len());
}

/// A finding of one of these makes the findings below it echoes.
const ENDS_THE_SEARCH: [&str; 6] =
    ["guard-kubectl", "guard-context", "guard-access", "guard-manifest", "guard-secret", "guard-named-value"];

#[test]
fn a_finding_that_explains_the_ones_below_it_stands_alone() {
    for row in rows().filter(|row| row.guard != "guard-use-context") {
        let mut both = record(row.refused);
        both.fails("use-context", "no");
        let found: Vec<String> = findings(&both).into_iter().map(|finding| finding.guard).collect();
        if ENDS_THE_SEARCH.contains(&row.guard) {
            assert_eq!(found, [row.guard]);
        } else {
            assert_eq!(found, [row.guard, "guard-use-context"]);
        }
    }
}

#[test]
fn of_three_questions_about_access_the_first_that_failed_is_told() {
    let asked = ["namespaces", "namespace", "status.before"];
    for (from, says) in [(0, "its namespaces"), (1, "could not be read"), (2, "could not be listed")] {
        let mut run = events();
        for id in &asked[from..] {
            run.fails(id, "no");
        }
        let found = findings(&run);
        assert_eq!(found.len(), 1);
        assert!(found[0].found.contains(says), "{found:?}");
    }
}

#[test]
fn each_permission_and_each_manifest_decides() {
    let runbook = crate::fixture::runbook();
    assert_eq!((runbook.permissions.len(), runbook.deployments.len()), (8, 3));
    for permission in &runbook.permissions {
        let id = StepId::CanI(permission.id.clone());
        for answer in [Some(true), Some(false), None] {
            let mut run = events();
            for other in &runbook.permissions {
                let is_it = other == permission;
                run.add(EventKind::PermissionAnswered {
                    id: id.clone(),
                    question: other.question.clone(),
                    needed_for: other.needed_for.to_owned(),
                    answer: if is_it { answer } else { Some(true) },
                });
            }
            let found = findings(&run);
            assert_eq!(found.len(), usize::from(answer != Some(true)), "{id}: {answer:?}");
            assert!(found.iter().all(|found| found.found.contains(&permission.question)), "{found:?}");
        }
    }
    for deployment in &runbook.deployments {
        let mut run = events();
        run.fails(&format!("guard.{}", deployment.id.as_str()), "no");
        assert!(findings(&run)[0].found.starts_with(&deployment.manifest));
    }
}

#[test]
fn findings_come_in_the_order_of_the_guards() {
    let mut run = events();
    run.fails("use-context", "no").lands(&[("Service", Some("default"), "dpp-api")]);
    left(&mut run, &["HOST", "PORT"]).fails("guard.reaper", "no").fails("guard.api", "no");
    asked(&mut run, None).fails("uids", "no");
    let found: Vec<String> = findings(&run).into_iter().map(|finding| finding.guard).collect();
    let short = |guard: &String| guard.trim_start_matches("guard-").to_owned();
    assert_eq!(
        found.iter().map(short).collect::<Vec<_>>().join(" "),
        "permissions permissions placeholder placeholder accepted accepted namespace deployment use-context"
    );
}
