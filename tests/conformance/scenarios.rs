use std::collections::BTreeSet;

use real_cluster::Real;
use rehearsal::Rehearsal;

use super::compare::essence;
use super::support::{Cluster, shortened};

/// What kwok or the moment decides in one scenario: lines of the screen, commands and files, by their beginning.
const BUT: &[(&str, &[&str], &str)] = &[
    (
        "already-crashing-and-fixed",
        &["confirm.pod", "deploy/out/confirm.pod.", "deploy/cmd.txt", "screen pod dpp-api"],
        "whether the replaced pod is still there at the second look",
    ),
    (
        "watch-cut",
        &["deploy/cmd.txt", "screen shown by   watch.pods: "],
        "how often the watch is cut, and whether the next one shows a pod as ADDED or as MODIFIED",
    ),
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
            fn $test() {
                is_the_same_on_both($scenario);
            }
        )*
    };
}

rehearsal::for_each_scenario!(scenarios);
