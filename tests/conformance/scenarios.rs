use std::collections::BTreeSet;

use real_cluster::Real;
use rehearsal::{Rehearsal, SCENARIOS};

use super::compare::essence;
use super::support::{Cluster, shortened};

/// What kwok or the moment decides in one scenario: lines of the screen, commands and files, by their beginning.
const BUT: &[(&str, &[&str], &str)] = &[
    (
        "already-crashing-and-fixed",
        &["confirm.pod", "deploy/out/confirm.pod.", "deploy/cmd.txt", "screen pod dpp-api"],
        "whether the replaced pod is still there at the second look",
    ),
    ("watch-cut", &["deploy/cmd.txt"], "how often the watch is cut"),
    (
        "refused-at-the-apply",
        &["dump.events", "dump_logs/out/dump.events."],
        "a cluster that was laid out a moment ago has events",
    ),
    (
        "image-pull",
        &["dump.logs", "dump_logs/"],
        "kwok prints a log of a container that never ran; a kubelet refuses",
    ),
    ("crash-during-smoke", &["check.", "body.", "latency.", "smoke/"], "how far the checks had come"),
];

/// Runs a scenario on both clusters: verdict, stop rule, criteria, commands, screen and evidence must be the same.
fn is_the_same_on_both(name: &str) {
    let but = BUT.iter().find(|(scenario, ..)| *scenario == name).map_or(&[][..], |(_, but, _)| but);
    let (rehearsed, real) = (shortened::<Rehearsal>(name).run(), shortened::<Real>(name).run());
    assert_same(&essence(&rehearsed, but), &essence(&real, but), name);
}

/// Equality whose failure shows the lines that differ, not two pages.
#[track_caller]
fn assert_same(rehearsed: &str, real: &str, name: &str) {
    let only = |these: &str, those: &str, sign: &str| {
        let there: BTreeSet<&str> = those.lines().collect();
        let missing = these.lines().filter(|line| !there.contains(line));
        missing.fold(String::new(), |list, line| list + sign + " " + line + "\n")
    };
    assert!(
        rehearsed == real,
        "{name}: - the rehearsal, + the real cluster\n{}{}",
        only(rehearsed, real, "-"),
        only(real, rehearsed, "+")
    );
}

#[test]
#[ignore = "needs a real control plane"]
fn a_second_healthy_run_over_the_first() {
    fn second<C: Cluster>() -> String {
        let first = shortened::<C>("healthy").run().exits(0);
        let second = first.staging.run().exits(0);
        assert_eq!(
            second.manifest()["previous_run"]["dir"].as_str().map(|dir| dir.ends_with(".1")),
            Some(true)
        );
        essence(&second, &[])
    }
    assert_same(&second::<Rehearsal>(), &second::<Real>(), "healthy, again");
}

macro_rules! scenarios {
    ($($test:ident $scenario:literal)*) => {
        $(
            #[test]
            #[ignore = "needs a real control plane"]
            fn $test() { is_the_same_on_both($scenario); }
        )*

        #[test]
        fn every_scenario_is_compared() {
            let of_the_table: Vec<&str> = SCENARIOS.iter().map(|row| row.name).collect();
            assert_eq!(of_the_table, [$($scenario),*]);
        }
    };
}

scenarios! {
    healthy "healthy"
    crash_loop "crash-loop"
    error_pod "error-pod"
    already_crashing_and_fixed "already-crashing-and-fixed"
    rollout_timeout "rollout-timeout"
    image_pull "image-pull"
    smoke_8_of_10 "smoke-8-of-10"
    smoke_7_of_10 "smoke-7-of-10"
    readyz_503 "readyz-503"
    ready_after_30s "ready-after-30s"
    forbidden "forbidden"
    wrong_namespace "wrong-namespace"
    watch_cut "watch-cut"
    progress_deadline "progress-deadline"
    progress_deadline_passed_before "progress-deadline-passed-before"
    already_crashing_and_not_fixed "already-crashing-and-not-fixed"
    left_over_evicted_pod "left-over-evicted-pod"
    ends_non_zero_on_term "ends-non-zero-on-term"
    hidden_crash_loop "hidden-crash-loop"
    crash_during_smoke "crash-during-smoke"
    quota_no_deployments "quota-no-deployments"
    quota_pods "quota-pods"
    pod_security_warns "pod-security-warns"
    pod_security_refuses "pod-security-refuses"
    refused_at_the_apply "refused-at-the-apply"
}
