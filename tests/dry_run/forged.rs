//! Forges the evidence of every scenario at random, by meaning: events are dropped, repeated, moved, exchanged and
//! relabeled, and everything that follows from them is made again. No forgery may pass for another verdict.
//!
//! `FORGERIES=1000000` tries more of them; `FORGERY_SEED=N` repeats one that is found.

mod by_hand;
mod honest;
mod moves;

use std::collections::BTreeMap;
use std::thread;
use std::time::Instant;

use staging_dry_run::events::Event;
use staging_dry_run::verdict::{self, Verdict};

use honest::{Honest, SCENARIOS, holds};
use moves::{Random, forge, number};

/// What came of a forgery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Came {
    /// An event was not due.
    Departs,
    /// It is like the evidence of a run that was ended.
    Incomplete,
    /// It conforms, with the verdict of the honest run.
    SameVerdict,
    /// It conforms with another verdict, and another check found it.
    FoundBeside,
    /// It passes for another verdict.
    Passes,
}

/// Tries one forgery.
fn tried(seed: u64, all: &[Honest]) -> (Came, &'static str, Vec<Event>) {
    let mut random = Random(seed);
    let honest = &all[random.below(all.len())];
    let mut events = honest.events.clone();
    let mut first = events.len();
    for _ in 0..=random.below(3) {
        if events.len() > 6 {
            first = first.min(forge(&mut random, &mut events, all));
        }
    }
    number(&mut events);
    // Numbers may have changed from the first event on that was dropped or added.
    let first = events.iter().zip(&honest.events).take(first).take_while(|(one, other)| one == other).count();
    let mut procedure = honest.before[first].clone();
    for event in &events[first..] {
        if procedure.fold(event, &honest.kept).is_err() {
            return (Came::Departs, honest.name, events);
        }
    }
    let verdict = verdict::judge(procedure.state()).verdict;
    let came = match verdict {
        _ if !procedure.is_done() => Came::Incomplete,
        Verdict::Incomplete => Came::Incomplete,
        verdict if verdict == honest.verdict => Came::SameVerdict,
        _ if holds(honest, &events) => Came::Passes,
        _ => Came::FoundBeside,
    };
    (came, honest.name, events)
}

#[test]
fn no_forgery_passes_for_another_verdict() {
    let all: Vec<Honest> = SCENARIOS.into_iter().map(Honest::of).collect();
    let number = |name: &str| std::env::var(name).ok().and_then(|number| number.parse::<u64>().ok());
    let (from, count) = match number("FORGERY_SEED") {
        Some(seed) => (seed, 1),
        None => (0, number("FORGERIES").unwrap_or(20_000)),
    };
    let began = Instant::now();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let of_thread = |thread: usize| {
        let mut came_to = BTreeMap::new();
        for seed in (from..from + count).skip(thread).step_by(threads) {
            let (came, name, events) = tried(seed, &all);
            *came_to.entry(came).or_insert(0_u64) += 1;
            if came == Came::Passes {
                let lines: Vec<String> =
                    events.iter().map(|event| serde_json::to_string(event).unwrap()).collect();
                panic!("FORGERY_SEED={seed}: {name} passes for another verdict:\n{}", lines.join("\n"));
            }
        }
        came_to
    };
    let mut came_to = BTreeMap::new();
    thread::scope(|scope| {
        let of_thread = &of_thread;
        let started: Vec<_> = (0..threads).map(|thread| scope.spawn(move || of_thread(thread))).collect();
        for (came, number) in started.into_iter().flat_map(|thread| thread.join().unwrap()) {
            *came_to.entry(came).or_insert(0) += number;
        }
    });
    println!("{count} forgeries in {:?}: {came_to:?}", began.elapsed());
    assert!(count == 1 || came_to[&Came::Departs] > count / 2, "{came_to:?}");
}

#[test]
fn evidence_that_is_made_again_from_its_own_events_holds() {
    for name in SCENARIOS {
        let honest = Honest::of(name);
        assert!(holds(&honest, &honest.events), "{name}");
    }
}
