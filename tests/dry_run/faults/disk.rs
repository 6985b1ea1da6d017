//! A file that may grow no further: a write error that needs no root and no mount.

use super::super::support::Staging;
use super::{healthy, through_bash};
use rehearsal::{Answer, Body};
use serde_json::json;
use staging_dry_run::events::EventKind;
use staging_dry_run::verify::{TrustAnchors, verify};

#[test]
fn an_answer_that_does_not_fit_ends_the_run_and_what_is_kept_is_true() {
    let long = Answer::new(200, Body::Text("x".repeat(4 << 20).into()));
    let staging = Staging::on(healthy().answer("/llms.txt", long)).remembering();
    let output = through_bash(&staging, "ulimit -f 3072; exec \"$0\" run");
    let ran = staging.ran(output).exits(4).says("INCOMPLETE").says("File too large");
    let ran = ran.says("k8s/reaper-deployment.yaml was applied");
    let manifest = ran.manifest();
    assert_eq!((&manifest["verdict"], &manifest["exit_code"]), (&json!("incomplete"), &json!(4)));
    assert!(matches!(ran.events().last().unwrap().kind, EventKind::RunEnded), "the journal was closed");
    let verified = verify(ran.evidence().as_path().try_into().unwrap(), &TrustAnchors::default()).unwrap();
    assert!(verified.conclusion() == staging_dry_run::verify::VerifyOutcome::Holds, "{:#?}", verified.checks);
}

#[test]
fn a_run_whose_end_could_not_be_written_is_not_begun() {
    let staging = Staging::of("healthy").remembering();
    let output = through_bash(&staging, "ulimit -f 1024; exec \"$0\" run");
    let ran = staging
        .ran(output)
        .exits(4)
        .changed_nothing()
        .says("could not reserve 2 MiB in ")
        .says("File too large");
    assert!(ran.staging.cluster.api_requests().is_empty());
}
