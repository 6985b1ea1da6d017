//! A replay on a real control plane, whose pods get other names, addresses and ages.

use real_cluster::Real;
use rehearsal::scenario;

use super::support::Staging;
use super::support::replayed::{later, replayed};

fn rolled_out(staging: &Staging<Real>, deployment: &str) {
    later(staging, &["rollout", "status", deployment, "--timeout=300s"]);
}

#[test]
#[ignore = "needs a real control plane"]
fn pods_that_were_replaced_are_drift_and_one_that_is_wanted_no_more_is_a_change() {
    let ran = Staging::<Real>::with_cluster(scenario("healthy").unwrap()).run().exits(0);
    let (staging, evidence) = (&ran.staging, ran.evidence());
    let _told = replayed(staging, &evidence, &[]).exits(0).says("NOTHING CHANGED: ");

    later(staging, &["rollout", "restart", "deployment/dpp-api"]);
    rolled_out(staging, "deployment/dpp-api");
    let told = replayed(staging, &evidence, &[]).exits(0);
    for drifted in ["status.after", "objects.after"] {
        assert!(told.of(drifted).starts_with("drift "), "{}", told.said);
    }

    later(staging, &["patch", "deployment", "dpp-reaper", "--patch", r#"{"spec":{"replicas":1}}"#]);
    let one = "--for=jsonpath={.status.replicas}=1";
    later(staging, &["wait", one, "deployment/dpp-reaper", "--timeout=300s"]);
    rolled_out(staging, "deployment/dpp-reaper");
    let told = replayed(staging, &evidence, &[]).exits(1);
    let changed = "CHANGED   objects.after\n- dpp-reaper: 2 wanted, 2 ready, 2 updated, 2 available\n+ dpp-reaper: 1 wanted, 1 ready, 1 updated, 1 available";
    assert_eq!(told.of("objects.after"), changed);
}
