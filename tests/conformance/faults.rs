//! What happens to a run when the real API server hangs, dies, or comes back.

use std::time::Duration;

use real_cluster::{Program, Real};
use rehearsal::{Answer, Fate, Scenario, When, scenario};

use super::support::under_way::{UnderWay, assert_nothing_left};
use super::support::{Ran, Staging};

fn real(scenario: Scenario) -> Staging<Real> {
    Staging::with_cluster(scenario)
}

fn healthy() -> Scenario {
    scenario("healthy").unwrap()
}

fn times(ran: &Ran<Real>, id: &str) -> usize {
    ran.manifest()["commands"].as_array().unwrap().iter().filter(|command| command["id"] == id).count()
}

#[test]
#[ignore = "needs a real control plane"]
fn an_api_server_that_hangs_from_the_start_is_told_by_our_own_deadline() {
    let staging = real(healthy());
    staging.cluster.signal(Program::ApiServer, "STOP").unwrap();
    let ran = staging.run().exits(2).changed_nothing();
    let ran = ran.says("could not be asked for its namespaces: it gave no answer in time and was ended");
    assert_nothing_left(ran.staging.folder.path());
}

#[test]
#[ignore = "needs a real control plane"]
fn an_api_server_that_hangs_in_mid_rollout_is_a_stop_that_says_what_is_not_known() {
    let run =
        UnderWay::start(real(scenario("rollout-timeout").unwrap()), &["run", "-v", "--rollout-timeout=15s"]);
    let run = run.until("rollout status deployment/dpp-api").until("Waiting for deployment");
    run.staging.cluster.signal(Program::ApiServer, "STOP").unwrap();
    let ran = run.ends().exits(1).says("STOP by rule 1").says("not known: the pods could not be read");
    assert_nothing_left(ran.staging.folder.path());
}

#[test]
#[ignore = "needs a real control plane"]
fn a_watch_that_is_blind_while_the_checks_pass_is_no_pass() {
    let slow = healthy().answer("/pricing/ssot.json", Answer::slow(Duration::from_secs(9)));
    let run = UnderWay::start(real(slow), &["run", "-v"]).until("/health");
    run.staging.cluster.signal(Program::ApiServer, "STOP").unwrap();
    let ran = run.ends().exits(4).says("INCOMPLETE").says("the pods could not be listed at the end");
    assert_eq!(ran.manifest()["verdict"], "incomplete");
    assert_nothing_left(ran.staging.folder.path());
}

#[test]
#[ignore = "needs a real control plane"]
fn a_run_outlives_an_api_server_that_is_killed_and_comes_back() {
    let late = healthy().new_pods("dpp-api", Fate::Ready, When::After(Duration::from_secs(20)));
    let run = UnderWay::start(real(late), &["run", "-v"]).until("Waiting for deployment \"dpp-api\"");
    run.staging.cluster.signal(Program::ApiServer, "KILL").unwrap();
    run.staging.cluster.start_again().unwrap();
    let ran = run.ends().exits(0);
    assert_eq!(ran.manifest()["verdict"], "pass");
    assert!(times(&ran, "watch.pods") > 1, "the watch that the server ended was not started again");
    assert!(times(&ran, "list.pods") > 0, "a run of more than 10 s lists the pods beside the watch");
    assert_nothing_left(ran.staging.folder.path());
}
