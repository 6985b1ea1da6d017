//! Runs that sign their sums with an SSH key, and who may have signed.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::support::{Staging, path_with, scenario_ran};
use super::verified::{Moved, verify};

/// A key of nobody's, and its public half beside it.
fn key(folder: &Path, name: &str, passphrase: &str) -> PathBuf {
    let path = folder.join(name);
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-C", name, "-N", passphrase, "-f"]).arg(&path);
    assert!(keygen.status().unwrap().success());
    path
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn the_signature_is_checked_by_ssh_keygen_and_by_verify() {
    let keys = tempfile::tempdir().unwrap();
    let ours = key(keys.path(), "ours", "");
    let theirs = key(keys.path(), "theirs", "");
    for scenario in ["healthy", "crash-loop"] {
        let staging = Staging::of(scenario).remembering().option(&format!("--sign-with={}", text(&ours)));
        let ran = staging.run();
        let moved = Moved::of(&ran);
        let public = std::fs::read_to_string(ours.with_extension("pub")).unwrap();
        let allowed = keys.path().join("allowed signers");
        std::fs::write(&allowed, format!("release@example.com namespaces=\"file\" {public}")).unwrap();

        let by_hand =
            "ssh-keygen -Y verify -f \"$0\" -I release@example.com -n file -s SHA256SUMS.sig <SHA256SUMS";
        let mut bash = Command::new("bash");
        let verified = bash.args(["-c", by_hand]).arg(&allowed).current_dir(moved.path("")).output().unwrap();
        assert!(verified.status.success(), "{verified:?}");

        // Among others, and for something else as well.
        let others = std::fs::read_to_string(theirs.with_extension("pub")).unwrap();
        let many = keys.path().join("many");
        let text_of_many = format!("# the team\n{others}git@example.com namespaces=\"git\" {public}{public}");
        std::fs::write(&many, text_of_many).unwrap();

        let by = |file: &Path| verify(&moved.path(""), &["--signed-by", text(file)]);
        for signers in [&allowed, &many, &ours.with_extension("pub")] {
            let (status, said) = by(signers);
            assert!(status == Some(0) && said.contains("signed: Good \"file\" signature for "), "{said}");
        }
        let (status, said) = by(&theirs.with_extension("pub"));
        assert!(status == Some(1) && said.contains("SHA256SUMS.sig is not valid: "), "{said}");
        let (status, said) = verify(&moved.path(""), &[]);
        assert!(status == Some(0) && said.contains("give the signer with --signed-by"), "{said}");
        let (status, said) = by(&keys.path().join("none"));
        assert!(
            status == Some(2) && said.contains("--signed-by: ") && said.contains("Give a public key"),
            "{said}"
        );

        // Whoever alters a file can make all but the signature anew.
        moved.edit("inputs/k8s/api-deployment.yaml", |text| text + "\n").with_the_sums_mended();
        let (status, said) = by(&allowed);
        assert!(status == Some(1) && said.contains("incorrect signature"), "{said}");
        std::fs::remove_file(moved.path("SHA256SUMS.sig")).unwrap();
        moved.does_not_hold("there is no SHA256SUMS.sig: though the run was started with --sign-with");
    }
}

#[test]
fn one_that_was_not_to_be_signed_has_no_signature_to_check() {
    let keys = tempfile::tempdir().unwrap();
    let ours = key(keys.path(), "ours", "").with_extension("pub");
    let ran = scenario_ran("healthy");
    let (status, said) = verify(&ran.evidence(), &["--signed-by", text(&ours)]);
    assert!(status == Some(1) && said.contains("the run was started without --sign-with"), "{said}");
}

#[test]
fn a_key_that_does_not_sign_is_refused_before_anything_is_run() {
    let keys = tempfile::tempdir().unwrap();
    let locked = key(keys.path(), "locked", "a passphrase");
    for (key, why) in [(locked, "passphrase"), (keys.path().join("none"), "No such file or directory")] {
        let staging = Staging::of("healthy").remembering().option(&format!("--sign-with={}", text(&key)));
        let ran = staging.run().exits(2).says("can't sign: ").says(why).says("ssh-add -L");
        assert!(ran.staging.cluster.requests().is_empty());
    }
    let staging = Staging::of("healthy").remembering().option("--sign-with=key");
    let path = path_with(staging.folder.path(), &["kubectl", "curl", "jq", "cat", "sed"]);
    let _ran = staging.with("PATH", &path).run().exits(2).says("ssh-keygen is not found");
}

#[test]
fn a_run_that_was_interrupted_twice_is_signed_too() {
    let keys = tempfile::tempdir().unwrap();
    let ours = key(keys.path(), "ours", "");
    // Told to end, it ends nothing but interrupts once more.
    let twice = "[[ $* == *'rollout status'* ]] || exec \"$REAL\" \"$@\"
        trap 'kill -INT $PPID' TERM; kill -INT $PPID; while :; do sleep 0.1 & wait; done";
    let staging = Staging::of("healthy").remembering().in_place_of("kubectl", twice);
    let ran = staging.option(&format!("--sign-with={}", text(&ours))).run().exits(130);
    let (status, said) = verify(&ran.evidence(), &["--signed-by", text(&ours.with_extension("pub"))]);
    assert!(status == Some(0) && said.contains("signed: Good \"file\" signature for "), "{said}");
}

#[test]
fn a_signal_while_the_key_is_tried_ends_the_run() {
    let waits = "kill -INT $PPID; exec sleep 1000";
    let staging =
        Staging::of("healthy").remembering().in_place_of("ssh-keygen", waits).option("--sign-with=key");
    let ran = staging.run().exits(130).says("Ended by signal 2. Nothing was run.").wrote_nothing();
    assert!(ran.staging.cluster.requests().is_empty());
}

#[test]
fn a_run_that_can_not_be_signed_at_its_end_says_so_and_is_kept() {
    let keys = tempfile::tempdir().unwrap();
    let ours = key(keys.path(), "ours", "");
    let once = "if mkdir \"$0.has signed\" 2>/dev/null; then exec \"$REAL\" \"$@\"; fi\necho 'agent refused operation' >&2; exit 255";
    let staging = Staging::of("healthy")
        .remembering()
        .in_place_of("ssh-keygen", once)
        .option(&format!("--sign-with={}", text(&ours)));
    let ran = staging.run().exits(4).says("PASS in ").says("not signed: agent refused operation");
    Moved::of(&ran).does_not_hold("there is no SHA256SUMS.sig");
}
