//! What is found against the journal itself: its end, its runbook, the files it lists; and what is no journal.

use super::super::{CannotRead, Extent, TrustAnchors, VerifyOutcome, verify};
use super::evidence::{Row, assert_rows, honest};
use super::folder::{Folder, assert_found, found, put};
use crate::events::{Effect, EventKind};
use crate::evidence::sha256_of_bytes;
use crate::runbook::BUILT_IN;

const WHOLE_LINE: &str = "the journal ends with a whole line";
const LISTED: &str = "files that the run listed are there";
const RUNBOOK: &str = "inputs/RUNBOOK.md is the runbook";

#[test]
fn bytes_after_the_last_line_of_a_sealed_journal_are_found() {
    let mut folder = honest();
    let journal = folder.close().join("journal.jsonl");
    let whole = fs_err::read_to_string(&journal).unwrap();
    fs_err::write(&journal, format!("{whole}{{\"seq\":")).unwrap();
    folder.seal();
    let message = "journal.jsonl: there are 7 bytes after its last line";
    assert_found("sealed", &folder.report(), &[(WHOLE_LINE, message)]);

    let mut killed = honest();
    killed.end().events.0.pop();
    killed.write();
    let journal = killed.root().join("journal.jsonl");
    let whole = fs_err::read_to_string(&journal).unwrap();
    fs_err::write(&journal, format!("{whole}{{\"seq\":")).unwrap();
    assert_found("near: a run that was killed", &killed.report(), &[]);
}

/// Ends a run, which lists other files.
fn end_listing(folder: &mut Folder, change: fn(&mut Vec<String>)) {
    end_listing_in_order(folder, change, true);
}

fn end_listing_in_order(folder: &mut Folder, change: fn(&mut Vec<String>), sorted: bool) {
    folder.end().events.change(|kind| match kind {
        EventKind::FilesListed { files } => {
            change(files);
            if sorted {
                files.sort_unstable();
            }
            true
        }
        _ => false,
    });
    folder.write();
}

/// The evidence of a run that ended, which lists other files.
fn listing(change: fn(&mut Vec<String>)) -> Folder {
    let mut folder = honest();
    end_listing(&mut folder, change);
    folder.seal();
    folder
}

#[test]
fn files_that_are_not_those_that_were_listed_are_found() {
    let missing = listing(|files| files.push("deploy/more".into()));
    let of_none = (LISTED, "deploy/more follows from no event of the journal");
    assert_found("missing", &missing.report(), &[(LISTED, "deploy/more is missing"), of_none]);
    put(&missing.root(), "deploy/more", b"");
    missing.seal();
    assert_found("there, and listed", &missing.report(), &[of_none]);
    let more = listing(|files| files.retain(|file| file != "deploy/stderr.log"));
    let follows = "deploy/stderr.log follows from the journal, and the run did not list it";
    let more_found = [(LISTED, "deploy/stderr.log was not listed by the run"), (LISTED, follows)];
    assert_found("more", &more.report(), &more_found);

    let swapped: fn(&mut Vec<String>) = |files| files.swap(0, 1);
    for unordered in [swapped, |files| files.insert(0, files[0].clone())] {
        let mut folder = honest();
        end_listing_in_order(&mut folder, unordered, false);
        folder.seal();
        let message = "the run did not list its files in order, each once";
        assert_found("not in order", &folder.report(), &[(LISTED, message)]);
    }

    let half_written = listing(|_| ());
    put(&half_written.root(), "deploy/.new", b"");
    half_written.seal();
    let message = "deploy/.new was not listed by the run";
    assert_found("one half written, in a run that closed", &half_written.report(), &[(LISTED, message)]);

    let mut killed = honest();
    killed.end().events.0.pop();
    killed.write();
    put(&killed.root(), "deploy/.new", b"");
    assert_found("near: one half written, in a run that was killed", &killed.report(), &[]);
    put(&killed.root(), "deploy/new", b"");
    let message = "deploy/new was not listed by the run";
    assert_found("more, in a run that was killed", &killed.report(), &[(LISTED, message)]);
}

#[test]
fn a_file_that_a_run_can_not_have_made_before_it_listed_them_is_found() {
    let killed = |file: &str| {
        let mut folder = honest();
        folder.events.starts("status.after", Effect::Reads);
        folder.write();
        put(&folder.root(), file, b"");
        folder
    };
    let found = "deploy/new follows from no event of the journal";
    assert_found("planted", &killed("deploy/new").report(), &[("which were not listed", found)]);
    assert_found("near: of the command under way", &killed("deploy/status_after.txt").report(), &[]);
    assert_found("near: half written", &killed("deploy/.new").report(), &[]);
}

#[test]
fn a_run_that_failed_may_lack_files_and_have_those_of_a_command_whose_end_is_not_known() {
    let failed = |change: fn(&mut Vec<String>)| {
        let mut folder = honest();
        folder.events.starts("status.after", Effect::Reads);
        folder.files.insert("deploy/status_after.txt".into(), b"NAME\n".to_vec());
        folder.events.add(EventKind::Failed { error: "no space left".into() });
        end_listing(&mut folder, change);
        folder
    };
    let with_more = failed(|files| files.push("deploy/more".into()));
    put(&with_more.root(), "deploy/more", b"");
    with_more.seal();
    let message = "deploy/more follows from no event of the journal";
    assert_found("one that no command prints into", &with_more.report(), &[(LISTED, message)]);
    // The manifest was kept, and that it was read could not be recorded.
    let unread = failed(|files| files.push("inputs/k8s/reaper-deployment.yaml".into()));
    put(&unread.root(), "inputs/k8s/reaper-deployment.yaml", b"kind: Deployment\n");
    unread.seal();
    assert_found("near: an input that was kept just before", &unread.report(), &[]);
    fs_err::create_dir(unread.root().join("deploy/out2")).unwrap();
    assert_found("near: a directory for a file that was not written", &unread.report(), &[]);
    let with_less = failed(|files| files.retain(|file| file != "smoke/results.json"));
    fs_err::remove_file(with_less.root().join("smoke/results.json")).unwrap();
    with_less.seal();
    assert_found("near: a document that the full disk lacks", &with_less.report(), &[]);
}

/// Changes the document that the journal holds, its id or its hash.
fn read(folder: &mut Folder, change: impl Fn(&mut String, &mut String, &mut String)) {
    folder.events.change(|kind| match kind {
        EventKind::RunbookRead { id, sha256, text } => {
            change(id, sha256, text);
            true
        }
        _ => false,
    });
}

#[test]
fn another_runbook_than_the_run_s_is_found() {
    const ANOTHER: &str = "journal.jsonl: the run began with another document";
    assert_rows(&[
        Row {
            case: "the run began with another hash",
            alter: |folder| _ = folder.events.began(|began| began.program.runbook.sha256 = "0".repeat(64)),
            found: &[(RUNBOOK, ANOTHER)],
        },
        Row {
            case: "the run began with another id",
            alter: |folder| _ = folder.events.began(|began| began.program.runbook.id = "DP-OTHER".into()),
            found: &[(RUNBOOK, ANOTHER)],
        },
        Row {
            case: "both names are another than the document's",
            alter: |folder| {
                folder.events.began(|began| began.program.runbook.id = "DP-OTHER".into());
                read(folder, |id, _, _| "DP-OTHER".clone_into(id));
            },
            found: &[(RUNBOOK, ANOTHER)],
        },
        Row {
            case: "the file is another one",
            alter: |folder| _ = folder.files.insert("inputs/RUNBOOK.md".into(), b"# Another\n".to_vec()),
            found: &[(RUNBOOK, "inputs/RUNBOOK.md is not the document of the journal")],
        },
        Row {
            case: "the file is missing",
            alter: |folder| _ = folder.files.remove("inputs/RUNBOOK.md"),
            found: &[
                (RUNBOOK, "inputs/RUNBOOK.md is missing"),
                (LISTED, "inputs/RUNBOOK.md follows from the journal, and the run did not list it"),
            ],
        },
        Row {
            case: "a second one",
            alter: |folder| {
                let second = folder.events.0[1].kind.clone();
                folder.events.add(second);
            },
            found: &[(RUNBOOK, "journal.jsonl: it contains two runbooks")],
        },
    ]);
    let mut folder = honest();
    read(&mut folder, |_, sha256, _| *sha256 = "0".repeat(64));
    folder.events.began(|began| began.program.runbook.sha256 = "0".repeat(64));
    folder.close();
    let is = sha256_of_bytes(BUILT_IN.as_bytes());
    let message = format!("journal.jsonl: the document has the SHA-256 {is}, not {}", "0".repeat(64));
    assert_found("another hash", &folder.report(), &[(RUNBOOK, &message)]);
}

/// A run that began with this document, and ended.
fn with_document(text: &str) -> Folder {
    let mut folder = Folder::begun();
    let hash = sha256_of_bytes(text.as_bytes());
    folder.events.began(|began| began.program.runbook.sha256.clone_from(&hash));
    read(&mut folder, |_, sha256, document| {
        sha256.clone_from(&hash);
        text.clone_into(document);
    });
    folder.files.insert("inputs/RUNBOOK.md".into(), text.as_bytes().to_vec());
    folder.close();
    folder
}

#[test]
fn a_document_of_its_own_is_named_and_one_that_is_no_runbook_is_found() {
    let open = "is not the runbook built into this program";
    let is_named = |folder: &Folder| {
        let checks = folder.report().checks;
        checks.iter().any(|check| check.what.contains(open) && check.extent == Extent::Open)
    };
    assert!(!is_named(&with_document(BUILT_IN)));
    let own = with_document(&format!("{BUILT_IN}\nA last word.\n"));
    assert_found("its own", &own.report(), &[]);
    assert!(is_named(&own));
    let none = with_document(&BUILT_IN.replace("| 4 | GET |", "| 4 | POST |"));
    let found = found(&none.report());
    assert!(found.iter().all(|(check, _)| check.contains(RUNBOOK)), "{found:?}");
    assert!(
        found.iter().any(|(_, found)| found == "inputs/RUNBOOK.md: POST: the method must be GET"),
        "{found:?}"
    );
}

#[test]
fn a_journal_without_its_runbook_is_found_unless_the_run_was_ended_before() {
    let mut folder = Folder::begun();
    folder.events.0.truncate(1);
    folder.write();
    let report = folder.report();
    assert_found("near: one event", &report, &[]);
    assert!(report.checks.iter().any(|check| check.what.starts_with("the run ended before it recorded")));

    folder.events.add(EventKind::Interrupted { signal: 2 });
    folder.write();
    let message = "journal.jsonl: the second event is not the runbook";
    assert_found("two events", &folder.report(), &[("the runbook", message)]);
}

#[test]
fn an_empty_journal_is_of_a_run_that_was_not_begun() {
    let claims = "manifest.json describes a run, but journal.jsonl is empty";
    let of = |manifest: Option<&str>| {
        let folder = Folder::begun();
        fs_err::create_dir(folder.root()).unwrap();
        put(&folder.root(), "journal.jsonl", b"");
        if let Some(manifest) = manifest {
            put(&folder.root(), "manifest.json", manifest.as_bytes());
        }
        found(&folder.report()).into_iter().map(|(_, found)| found).collect::<Vec<_>>()
    };
    let schema = "\"schema\":\"staging-dry-run/manifest/2\"";
    let manifest = |verdict: &str, commands: &str| {
        format!("{{{schema},\"verdict\":\"{verdict}\",\"commands\":{commands}}}")
    };
    assert_eq!(of(None), [""; 0]);
    assert_eq!(of(Some(&manifest("incomplete", "[]"))), [""; 0]);
    assert_eq!(of(Some(&manifest("pass", "[]"))), [claims]);
    assert_eq!(of(Some(&manifest("incomplete", "[1]"))), [claims]);
    assert_eq!(of(Some("{")), [claims]);
}

#[test]
fn a_journal_that_is_none_is_found() {
    let with = |journal: Option<&[u8]>| {
        let mut folder = honest();
        let root = folder.close();
        match journal {
            Some(journal) => put(&root, "journal.jsonl", journal),
            None => fs_err::remove_file(root.join("journal.jsonl")).unwrap(),
        }
        let report = folder.report();
        assert_eq!(report.conclusion(), VerifyOutcome::DoesNotHold);
        let of_journal = report.checks.into_iter().find(|check| check.what == "journal.jsonl can be read");
        of_journal.map(|check| check.found.concat()).unwrap_or_default()
    };
    assert_eq!(with(None), "journal.jsonl is missing, too large, or not a regular file");
    assert!(with(Some(b"x\ny\n")).starts_with("journal.jsonl: line 1 is not an event of the format: "));
}

#[test]
fn what_is_no_evidence_of_this_format_is_not_judged() {
    let anchors = TrustAnchors::default();
    let mut folder = honest();
    let root = folder.close();
    let why = |error: CannotRead| error.to_string().lines().next().unwrap().to_owned();
    let error = verify(&root.join("nowhere"), &anchors).unwrap_err();
    assert!(matches!(error, CannotRead::NoFolder(_)), "{error}");
    let error = verify(&root.join("deploy"), &anchors).unwrap_err();
    assert!(matches!(error, CannotRead::NoRun(_)), "{error}");

    let journal = fs_err::read_to_string(root.join("journal.jsonl")).unwrap();
    // With a journal of this format, another manifest is found, and does not decide whether it is judged.
    let manifest = fs_err::read(root.join("manifest.json")).unwrap();
    put(&root, "manifest.json", b"{\"schema\":\"staging-dry-run/manifest/1\"}");
    assert!(verify(&root, &anchors).is_ok());
    put(&root, "manifest.json", &manifest);
    put(&root, "journal.jsonl", journal.replacen("journal/2", "journal/3", 1).as_bytes());
    assert!(why(verify(&root, &anchors).unwrap_err()).contains("was made by format 3"));
    // Without a journal the manifest tells.
    fs_err::remove_file(root.join("journal.jsonl")).unwrap();
    assert!(verify(&root, &anchors).is_ok());
    put(&root, "manifest.json", b"{\"schema\":\"staging-dry-run/manifest/1\"}");
    assert!(why(verify(&root, &anchors).unwrap_err()).contains("was made by format 1"));
    put(&root, "journal.jsonl", b"");
    assert!(why(verify(&root, &anchors).unwrap_err()).contains("was made by format 1"));
    // It may be all that is there.
    let folder = Folder::begun();
    put(&folder.root(), "manifest.json", b"{\"schema\":\"staging-dry-run/manifest/1\"}");
    assert!(why(verify(&folder.root(), &anchors).unwrap_err()).contains("was made by format 1"));
}
