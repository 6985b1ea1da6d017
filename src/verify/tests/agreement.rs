//! What is found where a command's words contradict how it ended.

use super::evidence::{FIGURES, GONE, HEALTHY, Row, assert_rows, honest};
use super::folder::{Folder, RAN, Ran, assert_found, found};
use super::rederived::prints;
use crate::events::{EndedBy, EventKind, Note, Redaction};
use crate::facts::dry_run;

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
            case: "a rollout of another Deployment",
            alter: |folder| prints(folder, "deploy/stdout.log", "\"dpp-api\" success", "\"dpp-apo\" success"),
            found: &[(
                AGREES,
                "rollout.api: it exited 0, and its last line was \"deployment \\\"dpp-apo\\\" successfully rolled out\"",
            )],
        },
        Row {
            case: "a switch to another context",
            alter: |folder| prints(folder, "deploy/stdout.log", "\"staging-cluster\"", "\"staging-clustre\""),
            found: &[(
                AGREES,
                "use-context: it exited 0, and did not print that it switched to staging-cluster",
            )],
        },
        Row {
            case: "a switch, as in the row above, with a value redacted",
            alter: |folder| {
                prints(folder, "deploy/stdout.log", "\"staging-cluster\"", "\"[redacted:AB]-1\"");
                let redaction = Redaction { file: "deploy/stdout.log".into(), name: "AB".into(), count: 1 };
                folder.events.outcome("use-context", |outcome| outcome.redactions = vec![redaction]);
            },
            found: &[],
        },
        Row {
            case: "a namespace that another one stands for",
            alter: |folder| {
                _ = folder.runs("namespace", &Ran { stdout: "NAME STATUS\ndpp-prod Active\n", ..RAN });
            },
            found: &[(AGREES, "namespace: it exited 0, and did not name dpp-staging")],
        },
        Row {
            case: "near: the namespace itself",
            alter: |folder| {
                folder.runs("namespace", &Ran { stdout: "NAME STATUS\ndpp-staging Active\n", ..RAN });
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
fn an_exit_code_that_contradicts_an_error_or_silence_is_found() {
    assert_rows(&[
        Row {
            case: "an error of the server, and success",
            alter: |folder| {
                let refused = "Error from server (Forbidden): pods is forbidden\n";
                folder.runs("status.after", &Ran { stdout: "NAME\n", stderr: refused, ..RAN });
            },
            found: &[(
                AGREES,
                "status.after: it exited 0, and printed \"Error from server (Forbidden): pods is forbidden\"",
            )],
        },
        Row {
            case: "near: an error of a plugin, and a warning",
            alter: |folder| {
                let stderr = "error: the token was stale\nWarning: old\n";
                folder.runs("status.after", &Ran { stdout: "NAME\n", stderr, ..RAN });
            },
            found: &[],
        },
        Row {
            case: "who we are, and failure",
            alter: |folder| {
                let stdout = "{\"status\":{\"userInfo\":{\"username\":\"ci\"}}}";
                folder.runs("whoami", &Ran { stdout, exit: &[1], ..RAN });
            },
            found: &[(AGREES, "whoami: it exited 1, and printed what it was asked for")],
        },
        Row {
            case: "near: a kubectl that could not ask the server tells its own version",
            alter: |folder| {
                let stdout =
                    "{\"clientVersion\":{\"major\":\"1\",\"minor\":\"32\",\"gitVersion\":\"v1.32.0\"}}";
                folder.runs("server", &Ran { stdout, exit: &[1], ..RAN });
            },
            found: &[],
        },
        Row {
            case: "silence of one that succeeded",
            alter: |folder| _ = folder.runs("namespaces", &RAN),
            found: &[(AGREES, "namespaces: it exited 0, and printed nothing")],
        },
        Row {
            case: "near: silence of one that had nothing to show",
            alter: |folder| _ = folder.runs("list.pods", &RAN),
            found: &[],
        },
        Row {
            case: "an object of the dry run that was not applied",
            alter: |folder| {
                let lands =
                    "apps/v1\tDeployment\tdpp-staging\tdpp-api\t2\nv1\tService\tdpp-staging\tdpp-api\t\n";
                folder.events.change(|kind| match kind {
                    EventKind::WouldLand { objects, .. } => {
                        *objects = dry_run::landings(lands.as_bytes()).unwrap();
                        true
                    }
                    _ => false,
                });
            },
            found: &[(
                AGREES,
                "apply.api: it exited 0, and did not apply service/dpp-api, an object of its dry run",
            )],
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

#[test]
fn more_rows_than_the_watch_printed_are_found() {
    let sight = |rows| {
        let mut folder = honest();
        folder.events.add(EventKind::FirstSight { rows, of: 3 });
        folder.close();
        folder.report()
    };
    assert_found("near: as many", &sight(3), &[]);
    let message = "the watch printed 3 lines, and is said to have shown 4 rows";
    assert_found("more", &sight(4), &[(AGREES, message)]);
}

#[test]
fn a_curl_that_reports_each_url_and_does_not_is_found() {
    let found = |version: &str| {
        let mut folder = honest();
        folder.runs("version.curl", &Ran { stdout: version, ..RAN });
        folder.close();
        found(&folder.report())
            .into_iter()
            .filter(|(_, found)| found.contains("does not report the URL"))
            .count()
    };
    assert_eq!(found("curl 7.88.1 (x86_64-pc-linux-gnu)\n"), 6, "gates, checks and latency");
    assert_eq!(found("curl 7.74.0 (x86_64-pc-linux-gnu)\n"), 0);
}

#[test]
fn a_note_or_a_redaction_that_the_output_does_not_show_is_found() {
    assert_rows(&[
        Row {
            case: "a note of one that ended by itself",
            alter: |folder| {
                folder.events.outcome("rollout.api", |outcome| outcome.note = Some(Note::OutputIncomplete));
            },
            found: &[(
                AGREES,
                "rollout.api: no command that ended so has the note \"a process that it started left its process group and keeps its output open: the recorded output may be incomplete\"",
            )],
        },
        Row {
            case: "no note of one that left a process",
            alter: |folder| {
                folder.events.outcome("rollout.api", |outcome| outcome.ended_by = EndedBy::HeldPipes);
            },
            found: &[(AGREES, "rollout.api: no note tells of the process that kept its output open")],
        },
        Row {
            case: "near: a note of one that left a process",
            alter: |folder| {
                folder.events.outcome("rollout.api", |outcome| {
                    (outcome.ended_by, outcome.note) = (EndedBy::HeldPipes, Some(Note::LeftOneRunning));
                });
            },
            found: &[],
        },
        Row {
            case: "a redaction in a file of another command",
            alter: |folder| {
                let redaction = Redaction { file: "deploy/stderr.log".into(), name: "A".into(), count: 1 };
                folder.events.outcome("use-context", |outcome| outcome.redactions = vec![redaction]);
            },
            found: &[(AGREES, "use-context: [redacted:A] is 0 times in deploy/stderr.log, not 1 times")],
        },
        Row {
            case: "near: a marker that the program itself printed",
            alter: |folder| _ = folder.runs("status.after", &Ran { stdout: "[redacted:A]\n", ..RAN }),
            found: &[],
        },
    ]);
}
