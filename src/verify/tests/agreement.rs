//! What is found where a command's words contradict how it ended.

use super::evidence::{FIGURES, GONE, HEALTHY, Row, assert_rows};
use super::folder::{Folder, RAN, Ran};
use crate::events::EndedBy;

const AGREES: &str = "commands printed agrees with how they ended";

fn exits(folder: &mut Folder, id: &str, exit: &[i32]) {
    folder.events.outcome(id, |outcome| outcome.exit = exit.to_vec());
}

#[test]
fn a_first_error_that_was_not_printed_is_found() {
    assert_rows(&[
        Row {
            case: "another one",
            alter: |folder| {
                folder.events.outcome("confirm.pod", |outcome| outcome.first_error = Some("other".into()));
            },
            found: &[(
                AGREES,
                "confirm.pod: its first error is \"Error from server (NotFound): pods \\\"dpp-api-1\\\" not found\", not \"other\"",
            )],
        },
        Row {
            case: "none, of one that failed",
            alter: |folder| _ = folder.events.outcome("confirm.pod", |outcome| outcome.first_error = None),
            found: &[(
                AGREES,
                "confirm.pod: its first error is \"Error from server (NotFound): pods \\\"dpp-api-1\\\" not found\", not none",
            )],
        },
        Row {
            case: "one, of a command that succeeded",
            alter: |folder| {
                folder.events.outcome("use-context", |outcome| outcome.first_error = Some("error".into()));
            },
            found: &[(AGREES, "use-context: its first error is none, not \"error\"")],
        },
        Row {
            case: "near: a warning of one that succeeded",
            alter: |folder| _ = folder.runs("list.pods", &Ran { stderr: "No resources found\n", ..RAN }),
            found: &[],
        },
        Row {
            case: "near: it failed again, with the same error",
            alter: |folder| {
                let met = &[("POD", "dpp-api-1")];
                folder.runs("confirm.pod", &Ran { exit: &[1], stderr: GONE, met, ..RAN });
            },
            found: &[],
        },
    ]);
}

#[test]
fn an_exit_code_that_contradicts_the_words_is_found() {
    assert_rows(&[
        Row {
            case: "a rollout that is to have failed",
            alter: |folder| exits(folder, "rollout.api", &[1]),
            found: &[(AGREES, "rollout.api: it exited 1, and printed that it was rolled out")],
        },
        Row {
            case: "near: it was ended by us after its last line",
            alter: |folder| {
                exits(folder, "rollout.api", &[143]);
                folder.events.outcome("rollout.api", |outcome| outcome.ended_by = EndedBy::Deadline);
            },
            found: &[],
        },
        Row {
            case: "a permission that is to be missing",
            alter: |folder| exits(folder, "can-i.get-pods", &[1]),
            found: &[(AGREES, "can-i.get-pods: it exited 1, and printed yes")],
        },
    ]);
}

#[test]
fn figures_that_contradict_the_answer_or_the_command_are_found() {
    assert_rows(&[
        Row {
            case: "the answer is of another status",
            alter: |folder| {
                let unavailable = HEALTHY.replace("200 OK", "503 No");
                folder.runs("check.03", &Ran { stdout: &unavailable, stderr: FIGURES, ..RAN });
            },
            found: &[(AGREES, "check.03: curl reports the status 200, and the answer has 503")],
        },
        Row {
            case: "the figures are of another URL",
            alter: |folder| {
                let other = FIGURES.replace('{', "{\"url\":\"http://10.0.0.1/\",");
                folder.runs("check.03", &Ran { stdout: HEALTHY, stderr: &other, ..RAN });
            },
            found: &[(
                AGREES,
                "check.03: curl reports a transfer of http://10.0.0.1/, and not of https://staging-api.decisionproof.ai/.well-known/openapi.json",
            )],
        },
        Row {
            case: "one report more",
            alter: |folder| {
                folder.runs("check.03", &Ran { stdout: HEALTHY, stderr: &FIGURES.repeat(2), ..RAN });
            },
            found: &[(AGREES, "check.03: of 1 transfers curl reported 2")],
        },
        Row {
            case: "near: it was killed before it reported anything",
            alter: |folder| _ = folder.runs("check.03", &Ran { exit: &[137], ..RAN }),
            found: &[],
        },
    ]);
}
