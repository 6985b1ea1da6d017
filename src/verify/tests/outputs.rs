//! What is found against the recorded files: the bytes that the commands printed, and the manifests.

use super::evidence::{MANIFEST, Row, assert_rows};
use super::folder::Folder;
use crate::events::{EventKind, ManifestFile};

fn manifest(folder: &mut Folder, change: impl Fn(&mut ManifestFile)) {
    folder.events.change(|kind| match kind {
        EventKind::ManifestRead(manifest) => {
            change(manifest);
            true
        }
        _ => false,
    });
}

fn more(folder: &mut Folder, file: &str) {
    folder.files.get_mut(file).unwrap().extend(b"more\n");
}

fn interrupt(folder: &mut Folder) {
    folder.events.add(EventKind::Interrupted { signal: 2 });
}

const BYTES: &str = "each byte of an output belongs to one command";
const AGREES: &str = "commands printed agrees with how they ended";
const NOT_SWITCHED: &str = "use-context: it exited 0, and did not print that it switched to staging-cluster";
const MANIFESTS: &str = "the manifests are the ones that were read";
const LISTED: &str = "files that the run listed are there";
const INPUT: &str = "inputs/k8s/api-deployment.yaml";

#[test]
fn bytes_that_belong_to_no_command_are_found() {
    let length = "Switched to context \"staging-cluster\".\n".len();
    assert_eq!(length, 39);
    assert_rows(&[
        Row {
            case: "a gap",
            alter: |folder| {
                folder.events.outcome("use-context", |outcome| outcome.stdout.as_mut().unwrap().from = 1);
            },
            found: &[
                (AGREES, NOT_SWITCHED),
                (BYTES, "deploy/stdout.log: bytes 1 to 39 do not follow on byte 0"),
            ],
        },
        Row {
            case: "a range without bytes",
            alter: |folder| {
                folder.events.outcome("use-context", |outcome| outcome.stdout.as_mut().unwrap().to = 0);
            },
            found: &[
                (AGREES, NOT_SWITCHED),
                (BYTES, "deploy/stdout.log: bytes 0 to 0 do not follow on byte 0"),
                (BYTES, "deploy/stdout.log: bytes 39 to 74 do not follow on byte 0"),
            ],
        },
        Row {
            case: "the file is gone",
            alter: |folder| _ = folder.files.remove("deploy/stderr.log"),
            found: &[
                (BYTES, "deploy/stderr.log is missing, but commands printed into it"),
                (LISTED, "deploy/stderr.log follows from the journal, and the run did not list it"),
            ],
        },
        Row {
            case: "more bytes",
            alter: |folder| more(folder, "deploy/stderr.log"),
            found: &[(BYTES, "deploy/stderr.log has 18 bytes, and the commands printed 13")],
        },
        Row {
            case: "near: more bytes, of a command that was ended with the run",
            alter: |folder| {
                more(folder, "deploy/stderr.log");
                interrupt(folder);
            },
            found: &[],
        },
        Row {
            case: "fewer bytes, of a run that was interrupted",
            alter: |folder| {
                folder.files.get_mut("deploy/stderr.log").unwrap().truncate(12);
                interrupt(folder);
            },
            found: &[(BYTES, "deploy/stderr.log has 12 bytes, and the commands printed 13")],
        },
    ]);
}

#[test]
fn a_manifest_that_was_not_read_so_is_found() {
    const OTHER: &[(&str, &str)] =
        &[(MANIFESTS, "inputs/k8s/api-deployment.yaml is not the manifest that was read")];
    const MISSING: &[(&str, &str)] =
        &[(LISTED, "inputs/k8s/api-deployment.yaml follows from the journal, and the run did not list it")];
    assert!(MANIFEST.contains("${"));
    assert_rows(&[
        Row {
            case: "blank",
            alter: |folder| manifest(folder, |manifest| manifest.blank = true),
            found: OTHER,
        },
        Row {
            case: "a Secret",
            alter: |folder| {
                folder.events.began(|began| {
                    began.options.keep_secrets = true;
                    began.program.argv.push("--keep-secrets".into());
                });
                manifest(folder, |manifest| manifest.holds_secret = true);
            },
            found: OTHER,
        },
        Row {
            case: "a Secret that is not to be kept",
            alter: |folder| manifest(folder, |manifest| manifest.holds_secret = true),
            found: &[
                (MANIFESTS, "inputs/k8s/api-deployment.yaml is not the manifest that was read"),
                (LISTED, "inputs/k8s/api-deployment.yaml follows from no event of the journal"),
            ],
        },
        Row {
            case: "another hash",
            alter: |folder| manifest(folder, |manifest| manifest.sha256 = None),
            found: OTHER,
        },
        Row {
            case: "no placeholder",
            alter: |folder| manifest(folder, |manifest| manifest.placeholders.clear()),
            found: OTHER,
        },
        Row { case: "missing", alter: |folder| _ = folder.files.remove(INPUT), found: MISSING },
        Row {
            case: "near: not kept, since it holds a Secret",
            alter: |folder| {
                folder.files.remove(INPUT);
                manifest(folder, |manifest| manifest.holds_secret = true);
            },
            found: &[],
        },
        Row {
            case: "near: not kept, since it could not be read",
            alter: |folder| {
                folder.files.remove(INPUT);
                manifest(folder, |manifest| manifest.unreadable = Some("no such file".into()));
            },
            found: &[],
        },
        Row {
            case: "near: not kept, since it holds a named value",
            alter: |folder| {
                folder.files.remove(INPUT);
                manifest(folder, |manifest| manifest.holds_named = vec!["TOKEN".into()]);
            },
            found: &[],
        },
    ]);
}
