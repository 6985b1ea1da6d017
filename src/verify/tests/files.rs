//! What is found against the files: the sums, the seal, the documents and the manifest.

use camino::Utf8Path;
use serde_json::{Value, json};

use super::super::{Extent, Report, Signers, TrustAnchors, VerifyOutcome};
use super::evidence::honest;
use super::folder::{Folder, assert_found, evidence, found, put, verified};
use crate::documents;
use crate::events::EventKind;
use crate::evidence::{sha256_of_bytes, sha256_of_file};
use crate::exec::Programs;

const SUMS: &str = "files are what SHA256SUMS says";
const SET: &str = "no file is missing or added, and there is no link";
const LISTED: &str = "files that the run listed are there";
const ATTESTED: &str = "attestation.json is about these SHA256SUMS";
const DOCUMENTS: &str = "documents agree with the journal";
const MANIFEST: &str = "criteria and checks are what manifest.json says";
const LOG: &str = "deploy/stderr.log";

/// An alteration of a sealed folder, and what is found: a part of the check's name, and the message.
struct Row {
    case: &'static str,
    alter: fn(&Utf8Path),
    found: &'static [(&'static str, &'static str)],
}

fn assert_sealed(rows: &[Row]) {
    for row in rows {
        let mut folder = honest();
        (row.alter)(&folder.close());
        assert_found(row.case, &folder.report(), row.found);
    }
}

/// Changes the sums, and writes the attestation that goes with them.
fn sums(root: &Utf8Path, change: impl Fn(String) -> String) {
    let sums = change(fs_err::read_to_string(root.join("SHA256SUMS")).unwrap());
    put(root, "SHA256SUMS", sums.as_bytes());
    let statement = documents::attestation(&evidence(root).run, &sha256_of_bytes(sums.as_bytes()));
    put(root, "attestation.json", statement.as_bytes());
}

fn line_of(sums: &str, file: &str) -> String {
    sums.lines().find(|line| line.ends_with(file)).unwrap().to_owned() + "\n"
}

#[test]
fn a_file_that_is_too_large_to_be_read_is_found_and_not_read() {
    let with_a_file_of = |bytes: u64| {
        let mut folder = honest();
        let file = fs_err::File::create(folder.close().join("deploy/large")).unwrap();
        // A hole takes no space on the disk.
        file.set_len(bytes).unwrap();
        folder.report()
    };
    let message = "deploy/large has 536870913 bytes, and verify reads files of at most 512 MiB";
    assert_found("too large", &with_a_file_of(512 * 1024 * 1024 + 1), &[(SET, message)]);
    let added = "deploy/large was added after the run was sealed";
    let listed = "deploy/large was not listed by the run";
    assert_found("near", &with_a_file_of(512 * 1024 * 1024), &[(SET, added), (LISTED, listed)]);
}

#[test]
fn a_file_that_is_not_what_was_sealed_is_found() {
    assert_sealed(&[
        Row {
            case: "other bytes",
            alter: |root| put(root, LOG, b"Warning: new\n"),
            found: &[(SUMS, "deploy/stderr.log was altered")],
        },
        Row {
            case: "missing",
            alter: |root| fs_err::remove_file(root.join(LOG)).unwrap(),
            found: &[
                (SET, "deploy/stderr.log is missing"),
                ("each byte of an output", "deploy/stderr.log is missing, but commands printed into it"),
                (LISTED, "deploy/stderr.log is missing"),
            ],
        },
        Row {
            case: "one more",
            alter: |root| put(root, "deploy/more", b""),
            found: &[
                (SET, "deploy/more was added after the run was sealed"),
                (LISTED, "deploy/more was not listed by the run"),
            ],
        },
        Row {
            case: "a link",
            alter: |root| std::os::unix::fs::symlink("stderr.log", root.join("deploy/link")).unwrap(),
            found: &[(SET, "deploy/link is not a regular file")],
        },
        Row {
            case: "an empty directory",
            alter: |root| fs_err::create_dir(root.join("deploy/more")).unwrap(),
            found: &[(SET, "deploy/more is a directory without files")],
        },
    ]);
}

#[test]
fn sums_that_are_none_are_found() {
    type Edit = fn(String) -> String;
    type Told = fn(&str) -> String;
    let lines: [(&str, Edit, Told); 5] = [
        ("no sum", |sums| sums + "x\n", |_| "x\n".into()),
        ("a second sum of a file", |sums| sums.clone() + &line_of(&sums, LOG), |sums| line_of(sums, LOG)),
        ("too short", |sums| sums + &"a".repeat(63) + "  x\n", |_| "a".repeat(63) + "  x\n"),
        ("in upper case", |sums| sums + &"A".repeat(64) + "  x\n", |_| "A".repeat(64) + "  x\n"),
        ("one blank", |sums| sums + &"a".repeat(64) + " x\n", |_| "a".repeat(64) + " x\n"),
    ];
    for (case, change, line) in lines {
        let mut folder = honest();
        let root = folder.close();
        let before = fs_err::read_to_string(root.join("SHA256SUMS")).unwrap();
        sums(&root, change);
        let message = format!("SHA256SUMS contains the malformed line {:?}", line(&before).trim_end());
        assert_found(case, &folder.report(), &[(SUMS, &message)]);
    }
    let mut folder = honest();
    sums(&folder.close(), |sums| sums.trim_end().to_owned());
    assert_found("cut off", &folder.report(), &[(SUMS, "SHA256SUMS does not end with a line")]);
}

#[test]
fn an_attestation_of_something_else_is_found() {
    let altered = |change: &dyn Fn(&mut Value)| {
        let mut folder = honest();
        let file = folder.close().join("attestation.json");
        let mut statement = serde_json::from_slice(&fs_err::read(&file).unwrap()).unwrap();
        change(&mut statement);
        fs_err::write(&file, statement.to_string()).unwrap();
        let seal = sha256_of_file(&folder.root().join("SHA256SUMS")).unwrap();
        let found = found(&folder.report()).into_iter().map(|(_, found)| found.replace(&seal, "SEAL"));
        found.collect::<Vec<_>>()
    };
    let unlike = "attestation.json differs from the journal";
    for (pointer, is) in [
        ("/subject/0/digest/sha256", "\"SEAL\""),
        ("/subject/0/annotations/verdict", "\"shortfall\""),
        ("/predicate/result", "\"WARNED\""),
    ] {
        let found = altered(&|statement| *statement.pointer_mut(pointer).unwrap() = json!("other"));
        assert_eq!(found, [format!("attestation.json: {pointer} is not {is}"), unlike.to_owned()]);
    }
    let mut folder = honest();
    fs_err::remove_file(folder.close().join("attestation.json")).unwrap();
    assert_found("missing", &folder.report(), &[(ATTESTED, "attestation.json is missing")]);
    put(&folder.root(), "attestation.json", b"{");
    let found = found(&folder.report());
    assert!(found[0].1.starts_with("attestation.json can't be read: EOF"), "{found:?}");
}

/// The journal of the run, as it was when it was killed, and what else lies in its folder.
fn killed(change: fn(&mut Folder), files: &[&str]) -> Report {
    let mut folder = honest();
    change(&mut folder);
    folder.write();
    for file in files {
        put(&folder.root(), file, b"x\n");
    }
    folder.report()
}

#[test]
fn a_folder_without_sums_is_of_a_run_that_was_killed() {
    let report = killed(|_| (), &[]);
    assert_found("killed", &report, &[]);
    assert_eq!(report.conclusion(), VerifyOutcome::Holds);
    assert_eq!(report.checks[0].extent, Extent::Open);

    let ended = "SHA256SUMS is missing, though the run ended: it was removed, or the run was killed just before it wrote them";
    let report = killed(|folder| _ = folder.end(), &[]);
    assert_found("it ended", &report, &[("the run was sealed", ended)]);

    let mut folder = honest();
    folder.end().write();
    put(&folder.root(), "attestation.json", b"x\n");
    assert_found(
        "it was killed between the attestation and the sums",
        &folder.report(),
        &[("the run was sealed", ended)],
    );

    let what = "there are only files, and only of the run";
    let attested = "attestation.json is there, but SHA256SUMS is missing";
    assert_found("an attestation", &killed(|_| (), &["attestation.json"]), &[(what, attested)]);
    let failed: fn(&mut Folder) =
        |folder| _ = folder.events.add(EventKind::Failed { error: "no space".into() });
    assert_found("near: of a run that failed as it closed", &killed(failed, &["attestation.json"]), &[]);
    let signed = "SHA256SUMS.sig is there, but SHA256SUMS is missing";
    assert_found(
        "a signature",
        &killed(failed, &["SHA256SUMS.sig"]),
        &[(what, signed), ("the signature", NO_SIGNATURE)],
    );
    let folder = honest();
    folder.write();
    std::os::unix::fs::symlink("out", folder.root().join("deploy/link")).unwrap();
    assert_found("a link", &folder.report(), &[(what, "deploy/link is not a regular file")]);
}

#[test]
fn a_seal_from_outside_vouches_for_the_sums() {
    let mut folder = honest();
    let root = folder.close();
    let seal = sha256_of_file(&root.join("SHA256SUMS")).unwrap();
    let with = |seal: Option<&str>| verified(&root, &TrustAnchors { seal, signers: None });
    for right in [seal.clone(), seal.to_uppercase()] {
        let report = with(Some(&right));
        assert_found(&right, &report, &[]);
        let check = report.checks.iter().find(|check| check.what == format!("the seal is {seal}")).unwrap();
        assert_eq!(check.extent, Extent::Checked);
    }
    let message = format!("SHA256SUMS has the hash {seal}, not {}", &seal[1..]);
    assert_found("another", &with(Some(&seal[1..])), &[("the seal", &message)]);
    let open = with(None);
    let check = open.checks.iter().find(|check| check.what.starts_with("the seal is ")).unwrap();
    assert_eq!((check.extent, open.conclusion()), (Extent::Open, VerifyOutcome::Holds));

    let mut killed = honest();
    killed.events.began(|began| {
        began.options.strict = true;
        began.program.argv.push("--strict".into());
    });
    killed.write();
    let report = verified(&killed.root(), &TrustAnchors { seal: Some(&seal), signers: None });
    assert_found("no sums", &report, &[("the seal", "SHA256SUMS is missing")]);
}

const NO_SIGNATURE: &str = "SHA256SUMS.sig is not a signature by ssh-keygen(1)";
const ARMORED: &[u8] = b"-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n";

#[test]
fn a_signature_is_missed_where_there_should_be_one() {
    let to_be_signed = |folder: &mut Folder| {
        folder.events.began(|began| began.options.sign_with = Some("/home/ci/key".into()));
    };
    let mut folder = honest();
    to_be_signed(&mut folder);
    folder.close();
    let though = "there is no SHA256SUMS.sig: though the run was started with --sign-with";
    assert_found("to be signed", &folder.report(), &[("the signature", though)]);
    put(&folder.root(), "SHA256SUMS.sig", b"x");
    assert_found("none", &folder.report(), &[("the signature", NO_SIGNATURE)]);
    put(&folder.root(), "SHA256SUMS.sig", ARMORED);
    let report = folder.report();
    assert_found("near: one that nobody asked about", &report, &[]);
    let open = report.checks.iter().find(|check| check.what.starts_with("SHA256SUMS.sig is a signature"));
    assert_eq!(open.unwrap().extent, Extent::Open);

    let mut killed = honest();
    to_be_signed(&mut killed);
    killed.write();
    assert_found("near: killed before it was sealed", &killed.report(), &[]);

    let mut folder = honest();
    let root = folder.close();
    let signers = Signers { file: Utf8Path::new("/nowhere"), programs: Programs::default() };
    let report = verified(&root, &TrustAnchors { seal: None, signers: Some(signers) });
    let not_told = "there is no SHA256SUMS.sig: the run was started without --sign-with";
    assert_found("asked for", &report, &[("the signature", not_told)]);
}

#[test]
fn a_document_that_says_something_else_is_found() {
    let mut folder = honest();
    let root = folder.close();
    let tree = folder.tree();
    let texts = documents::of(&evidence(&root).run, |range| tree.read(Some(range))).unwrap();
    assert_eq!(texts.len(), 7, "{:?}", texts.keys());
    for (file, text) in &texts {
        put(&root, file, format!("{text} ").as_bytes());
        folder.seal();
        let message = format!("{file} differs from the journal");
        assert_found(file, &folder.report(), &[(DOCUMENTS, &message)]);
        put(&root, file, text.as_bytes());
    }
}

#[test]
fn the_documents_and_the_manifest_of_a_killed_run_may_be_of_an_earlier_moment() {
    let mut folder = honest();
    folder.write();
    let root = folder.root();
    let early: Vec<(String, Vec<u8>)> = ["manifest.json", "smoke/results.json", "smoke/cmd.txt"]
        .map(|file| (file.to_owned(), fs_err::read(root.join(file)).unwrap()))
        .into();
    folder.runs(
        "check.03",
        &super::folder::Ran {
            stdout: super::evidence::HEALTHY,
            stderr: super::evidence::FIGURES,
            ..super::folder::RAN
        },
    );
    let put_early = |folder: &Folder| early.iter().for_each(|(file, bytes)| put(&folder.root(), file, bytes));
    folder.write();
    put_early(&folder);
    assert_found("killed", &folder.report(), &[]);
    put(&root, "smoke/results.json", b"{}");
    let message = "smoke/results.json differs from the journal";
    assert_found("of no moment", &folder.report(), &[(DOCUMENTS, message)]);
    // One that was killed as it closed its folder, and one that was sealed before it ended.
    folder.end().write();
    put_early(&folder);
    let not_sealed = "SHA256SUMS is missing, though the run ended: it was removed, or the run was killed just before it wrote them";
    assert_found("ended, not sealed", &folder.report(), &[("the run was sealed", not_sealed)]);
    folder.events.0.pop();
    folder.write();
    put_early(&folder);
    folder.seal();
    assert_found("sealed, not ended", &folder.report(), &[]);
    folder.events.add(EventKind::RunEnded);
    // One that ended and was sealed wrote all of them last.
    folder.write();
    put_early(&folder);
    folder.seal();
    let found = found(&folder.report());
    let texts = found.iter().filter(|(check, _)| check.contains(DOCUMENTS)).count();
    let fields = found.iter().filter(|(check, _)| check.contains(MANIFEST)).count();
    assert!(texts == 2 && fields >= 3 && found.len() == texts + fields, "{found:?}");
}

#[test]
fn a_manifest_that_does_not_follow_is_found() {
    let altered = |is_closed: bool, change: &dyn Fn(&mut Value)| {
        let mut folder = honest();
        if is_closed {
            folder.close();
        } else {
            folder.write();
        }
        let file = folder.root().join("manifest.json");
        let mut manifest = serde_json::from_slice(&fs_err::read(&file).unwrap()).unwrap();
        change(&mut manifest);
        fs_err::write(&file, manifest.to_string()).unwrap();
        if is_closed {
            folder.seal();
        }
        found(&folder.report()).into_iter().map(|(_, found)| found).collect::<Vec<_>>()
    };
    for is_closed in [true, false] {
        let verdict = if is_closed { "shortfall" } else { "incomplete" };
        let message =
            format!("manifest.json: verdict is \"pass\", but \"{verdict}\" follows from the journal");
        assert_eq!(altered(is_closed, &|manifest| manifest["verdict"] = json!("pass")), [message]);
        assert_eq!(
            altered(is_closed, &|manifest| manifest["extra"] = json!(1)),
            ["manifest.json: extra is 1, but nothing follows from the journal"]
        );
    }
    let long = format!("manifest.json: mechanism is \"{}…, but \"k", "x".repeat(79));
    let found = altered(true, &|manifest| manifest["mechanism"] = json!("x".repeat(80)));
    assert!(found[0].starts_with(&long[..long.len() - 1]), "{found:?}");
    // Why it did not close its folder, a journal may not tell for which there was no room.
    assert_eq!(altered(false, &|manifest| manifest["incomplete"] = json!("no space left")), [""; 0]);
    assert_eq!(altered(true, &|manifest| manifest["incomplete"] = json!("no space left")).len(), 1);
}

#[test]
fn a_manifest_that_is_none_is_found() {
    let mut folder = honest();
    let root = folder.close();
    put(&root, "manifest.json", b"{");
    folder.seal();
    let found = found(&folder.report());
    assert_eq!(found.len(), 1);
    assert!(found[0].1.starts_with("manifest.json can't be read: EOF"), "{found:?}");
    fs_err::remove_file(root.join("manifest.json")).unwrap();
    folder.seal();
    let missing = "manifest.json is missing";
    assert_found("missing", &folder.report(), &[(MANIFEST, missing), (LISTED, missing)]);
}
