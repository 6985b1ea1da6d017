//! The clock on the wall: midnight, and one that is set while a run goes on.

use super::super::support::Staging;
use super::super::support::zone::{today, zone_where_midnight_is_in};
use super::healthy;
use jiff::SignedDuration;
use rehearsal::{Fate, When};
use serde_json::Value;
use std::process::Command;
use std::time::Duration;

#[test]
fn a_run_over_midnight_is_of_the_day_it_began() {
    let zone = zone_where_midnight_is_in(SignedDuration::from_secs(20));
    let began = today(&zone);
    let late = healthy().new_pods("dpp-api", Fate::Ready, When::After(Duration::from_secs(25)));
    let ran = Staging::on(late).remembering().with("TZ", &zone).run().exits(0);
    let ended = today(&zone);
    assert_ne!(began, ended, "it was to go on over midnight");
    assert_eq!(ran.evidence().file_name().unwrap().to_str(), Some(began.as_str()));
    assert_eq!(ran.manifest()["verdict"], "pass");

    // The next one stands beside it, and knows it by its name.
    let next = ran.staging.option("--no-apply").run().exits(0);
    assert_eq!(next.evidence().file_name().unwrap().to_str(), Some(ended.as_str()));
    assert_eq!(next.manifest()["previous_run"]["dir"], began);
}

/// Sets the clock of a program back by this many seconds, once the file of this name is there.
const SET_BACK: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *time) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, time);
    if (clock == CLOCK_REALTIME && access(getenv("SET_BACK_WHEN"), F_OK) == 0) time->tv_sec -= 90000;
    return result;
}
"#;

#[test]
#[cfg(target_os = "linux")]
fn a_clock_that_is_set_back_changes_no_duration_and_no_order() {
    let late = healthy().new_pods("dpp-api", Fate::Ready, When::After(Duration::from_secs(2)));
    let staging = Staging::on(late).remembering();
    let (source, library) = (staging.folder.path().join("back.c"), staging.folder.path().join("back.so"));
    std::fs::write(&source, SET_BACK).unwrap();
    let built =
        Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).arg("-ldl").output();
    assert!(built.as_ref().is_ok_and(|output| output.status.success()), "{built:?}");
    let when = staging.folder.path().join("set back");
    let staging = staging
        .in_place_of(
            "kubectl",
            "[[ $* == *'rollout status'* ]] && : >\"$SET_BACK_WHEN\"\nexec \"$REAL\" \"$@\"",
        )
        .with("SET_BACK_WHEN", when.to_str().unwrap())
        // The loader takes a space for the end of a name.
        .with("LD_LIBRARY_PATH", library.parent().unwrap().to_str().unwrap())
        .with("LD_PRELOAD", "back.so");
    let ran = staging.run().exits(0).says("The clock of this machine was moved back by ");
    let manifest = ran.manifest();
    assert_eq!(manifest["verdict"], "pass");
    let moved = manifest["clock_moved_ms"].as_i64().unwrap();
    assert!((-90_001_000..-89_999_000).contains(&moved), "{moved}");
    let durations = |value: &Value| value["duration_ms"].as_u64().unwrap();
    assert!((2_000..600_000).contains(&durations(&manifest)), "{}", manifest["duration_ms"]);
    let events = ran.events();
    assert!(events.is_sorted_by_key(|event| event.at), "the moments are in order");
}
