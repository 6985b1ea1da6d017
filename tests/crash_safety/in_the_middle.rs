//! SIGKILL in the middle of each command that takes its time.

use std::time::Duration;

use rehearsal::{Answer, Body, scenario};
use rustix::process::{Signal, kill_process};

use super::each_on_two_threads;
use super::support::under_way::{UnderWay, left_running};
use super::support::{Staging, files_below};
use super::under_strace::{announced_what_it_changed, folder, healthy, is_true_as_far_as_it_goes, root};

/// An apply that has been done, by a kubectl that has not ended yet.
fn apply_that_does_not_end() -> Staging {
    let script = "if [[ $* != 'apply -f -' ]]; then exec \"$REAL\" \"$@\"; fi
        \"$REAL\" \"$@\"; echo applied, and not ended; exec sleep 1000";
    healthy().in_place_of("kubectl", script)
}

fn answering(path: &'static str, answer: Answer) -> Staging {
    Staging::on(scenario("healthy").unwrap().answer(path, answer))
}

const NOT_KNOWN: &str = "k8s/api-deployment.yaml: its apply was started, and its end was not recorded";
const ALL: &str = "k8s/api-deployment.yaml was applied; k8s/worker-deployment.yaml was applied; k8s/reaper-deployment.yaml was applied";

/// A staging, the words with which a command is in the middle, and what the next start says of the run.
fn middles() -> [(Staging, &'static str, &'static str); 7] {
    let asks_that_hang = "if [[ $* == *'get namespaces'* ]]; then exec sleep 1000; fi; exec \"$REAL\" \"$@\"";
    let slow = Answer { takes: Duration::from_millis(400), ..Answer::new(200, Body::Usual) };
    let describe_that_hangs = "if [[ $* == *describe* ]]; then exec sleep 1000; fi; exec \"$REAL\" \"$@\"";
    [
        (
            Staging::of("healthy").in_place_of("kubectl", asks_that_hang),
            "> namespaces ",
            "nothing was applied",
        ),
        (apply_that_does_not_end(), "applied, and not ended", NOT_KNOWN),
        (Staging::of("rollout-timeout"), "Waiting for deployment", ALL),
        (answering("/readyz", Answer::new(200, Body::Hang)), "> gate.readyz ", ALL),
        (answering("/llms.txt", Answer::new(200, Body::Hang)), "> check.04 ", ALL),
        (answering("/health", slow), "> latency.health ", ALL),
        (Staging::of("crash-loop").in_place_of("kubectl", describe_that_hangs), "> dump.describe ", ALL),
    ]
}

#[test]
#[ignore = "a minute"]
fn a_run_that_is_killed_in_the_middle_of_a_command_leaves_what_is_true() {
    each_on_two_threads(middles().into_iter(), |(staging, words, changed)| {
        let run = UnderWay::start(staging, &["run", "-v"]).until(words);
        let ran = run.signal(Signal::KILL).ends();
        // Nobody is left to end what it had started.
        for (id, _) in left_running(ran.staging.folder.path()) {
            let _ = kill_process(id, Signal::KILL);
        }
        let killed = folder(&ran.staging, false);
        let record = is_true_as_far_as_it_goes(&killed);
        assert!(record.ended.is_none());
        announced_what_it_changed(&ran.staging, &record);

        // The next start comes on another day.
        let kept = files_below(&killed);
        std::fs::rename(&killed, root(&ran.staging).join("20260101")).unwrap();
        let next = ran.staging.with("STAGING_CONTEXT", "unknown").run().exits(2);
        let next = next.says(&format!("kept in 20260101) did not finish: {changed}\n"));
        assert_eq!(next.manifest()["previous_run"]["dir"], "20260101");
        assert!(files_below(&root(&next.staging).join("20260101")) == kept, "{words}: it was altered");
    });
}
