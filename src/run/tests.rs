//! Whole runs in a simulated world: answers, delays, failures, hangs, signals and a full disk, chosen by a seed.
//!
//! No process is started and nothing waits: the world's clock is moved to the next thing that happens. `SEEDS=N` tries
//! more of them; `SEED=N` runs one again and prints its journal.

mod answers;
mod plan;
mod world;

use std::sync::Arc;
use std::time::Instant;

use crate::events::{Effect, Event, EventKind};
use crate::procedure::Procedure;
use crate::run_state::RunState;
use crate::verdict::{self, Verdict};

use super::driver::Driver;
use answers::Recorded;
use plan::Plan;
use world::World;

/// The longest simulated run, in ms: each of three rollouts, both gates and all ends at their limits.
const LONGEST_MS: u64 = 45 * 60_000;

/// A run that is over.
struct Ran {
    plan: Plan,
    journal: Vec<Event>,
    state: RunState,
    world: World,
    /// Whether the end could be recorded.
    recorded: bool,
}

fn ran(recorded: &Arc<Recorded>, seed: u64) -> Ran {
    let plan = Plan::of(seed, recorded);
    let mut driver = Driver::new(World::new(plan.clone(), Arc::clone(recorded)));
    let result = driver.begin().and_then(|()| driver.drive());
    let state = driver.state().clone();
    let world = driver.world;
    Ran { plan, journal: world.journal.clone(), state, recorded: result.is_ok(), world }
}

/// What a run broke; `None` if it kept every promise.
fn broken(ran: &Ran) -> Option<String> {
    let verdict = verdict::judge(&ran.state).verdict;
    let first = ran.journal.first()?.at;
    let took = ran.journal.last()?.at.millis_since(first);
    if took > LONGEST_MS {
        return Some(format!("it took {took} ms"));
    }
    let told = verdict::judge(&RunState::of(&ran.journal)).verdict;
    if ran.recorded && told != verdict {
        return Some(format!("it ended as {verdict:?}, and its journal says {told:?}"));
    }
    let mut again = Procedure::default();
    for (event, before) in ran.journal.iter().zip(0..) {
        if let EventKind::CommandStarts(intent) = &event.kind
            && intent.effect == Effect::Changes
            && let Some(why) = no_change_now(again.state(), &ran.journal[..before])
        {
            return Some(format!("{} starts though {why}", intent.id));
        }
        if let Err(departure) = again.fold(event, &ran.world) {
            return Some(format!("its journal departs: {departure}"));
        }
        // Killed here, it has no verdict: only the last event ends it.
        if again.state().ended.is_some() != again.is_done() {
            return Some(format!("a journal that is cut after event {} has a verdict", event.seq));
        }
    }
    if ran.recorded && !again.is_done() && ran.plan.disk_full_at.is_none() {
        return Some("its journal is not whole".to_owned());
    }
    match verdict {
        Verdict::Stop if !ran.plan.may_stop() => Some("it was well, and ended as STOP".to_owned()),
        Verdict::Pass | Verdict::Shortfall if ran.world.showed_a_stop() => {
            Some(format!("a stop rule's condition was shown, and it ended as {verdict:?}"))
        }
        Verdict::Incomplete if ran.plan.is_undisturbed() => {
            Some("nothing disturbed it, and it is incomplete".to_owned())
        }
        _ => None,
    }
}

/// Returns why a change must not start now: a guard refuses, a stop rule fired, a signal came, or the run failed.
fn no_change_now(state: &RunState, journal: &[Event]) -> Option<String> {
    let is_end = |event: &&Event| matches!(event.kind, EventKind::Signal { .. } | EventKind::Failed { .. });
    if let Some(end) = journal.iter().find(is_end) {
        return Some(format!("event {} ended the run", end.seq));
    }
    let judgement = verdict::judge(state);
    let refused = judgement.findings.first().map(|finding| format!("{} refuses", finding.guard));
    refused.or(judgement.stop.map(|stop| format!("stop rule {} fired", stop.rule)))
}

fn number(name: &str) -> Option<u64> {
    #[allow(clippy::disallowed_methods, reason = "a test may read its own options")]
    let value = std::env::var(name).ok()?;
    value.parse().ok()
}

#[test]
fn every_promise_is_kept_in_every_world() {
    let recorded = Arc::new(Recorded::read());
    let (from, count) = number("SEED").map_or((0, number("SEEDS").unwrap_or(1000)), |seed| (seed, 1));
    let began = Instant::now();
    let mut verdicts = std::collections::BTreeMap::<String, u64>::new();
    for seed in from..from + count {
        let ran = ran(&recorded, seed);
        if let Some(why) = broken(&ran) {
            let lines: Vec<String> =
                ran.journal.iter().map(|event| serde_json::to_string(event).unwrap()).collect();
            let journal: Vec<&String> =
                lines.iter().filter(|line| !line.contains("\"runbook-read\"")).collect();
            panic!("SEED={seed}: {why}\n{:#?}\n{journal:#?}", ran.plan);
        }
        *verdicts.entry(format!("{:?}", verdict::judge(&ran.state).verdict)).or_default() += 1;
    }
    println!("{count} runs in {:?}: {verdicts:?}", began.elapsed());
    assert!(count == 1 || verdicts.len() == 5, "{verdicts:?}");
}
