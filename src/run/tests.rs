//! Whole runs in a simulated world: answers, delays, failures, hangs, signals and a full disk, chosen by a seed.
//!
//! No process is started and nothing waits: the world's clock is moved to the next thing that happens. `SEEDS=N` tries
//! more of them; `SEED=N` runs one again and prints its journal. `CARGO_PROFILE_DEV_OPT_LEVEL=1` makes a run more than
//! three times as fast, and the build a minute longer.

mod answers;
mod observer;
mod plan;
mod recorded_runs;
mod world;

use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::error::Error;
use crate::events::{Effect, Event, EventKind};
use crate::evidence::redaction::SecretPatterns;
use crate::procedure::{NextCommand, Procedure};
use crate::run_state::RunState;
use crate::session::{Invocation, Met};
use crate::verdict::{self, Verdict};

use super::driver::Driver;
use answers::Recorded;
use plan::Plan;
use world::World;

/// The longest simulated run, in ms: each of three rollouts, both gates and all ends at their limits.
const LONGEST_MS: u64 = 45 * 60_000;

/// The number of runs: less than two minutes.
const SEEDS: u64 = 5000;

/// The seeds that found a fault once. A run whose look could not be recorded waited for ever; the observer demanded a
/// watch during a look; a request started at the moment at which a conclusion that stops the run was known.
const FOUND: [u64; 3] = [933, 10_414, 12_692];

/// Every prefix of the journal is judged of one run in this many.
const PREFIXES: u64 = 50;

type Verdicts = BTreeMap<String, u64>;

/// Returns the next command with the words of the runbook, without a value to redact.
fn invocation(command: &NextCommand, run: &RunState) -> Result<Invocation, Error> {
    let (_, began) = run.began.as_ref().unwrap();
    let met: Vec<Met<'_>> =
        command.met.iter().map(|(variable, name)| Met { variable, recorded: name, name }).collect();
    Invocation::new(run.runbook.step(&command.id).unwrap(), began, &met, &SecretPatterns::none())
}

/// A run that is over.
struct Ran {
    plan: Plan,
    procedure: Procedure,
    world: World,
    /// Whether the end could be recorded.
    recorded: bool,
}

fn ran(recorded: &Arc<Recorded>, seed: u64) -> Ran {
    let plan = Plan::of(seed, recorded);
    let mut driver = Driver::new(World::new(plan.clone(), Arc::clone(recorded)));
    let result = driver.begin().and_then(|()| driver.drive());
    Ran { plan, procedure: driver.procedure, recorded: result.is_ok(), world: driver.world }
}

/// What a run broke; `None` if it kept every promise.
fn broken(ran: &Ran) -> Option<String> {
    let journal = &ran.world.journal;
    let took = journal.last()?.at.millis_since(journal.first()?.at);
    if took > LONGEST_MS {
        return Some(format!("it took {took} ms"));
    }
    let verdict = verdict::judge(ran.procedure.state()).verdict;
    if let Some(why) = departs(ran, verdict).or_else(|| ran.world.observer.broken(verdict, journal)) {
        return Some(why);
    }
    match verdict {
        Verdict::Stop if !ran.plan.may_stop() => Some("it was well, and ended as STOP".to_owned()),
        Verdict::Incomplete if ran.plan.is_undisturbed() => {
            Some("nothing disturbed it, and it is incomplete".to_owned())
        }
        _ => None,
    }
}

/// Walks through the journal of a run; returns what is wrong with it.
fn departs(ran: &Ran, verdict: Verdict) -> Option<String> {
    let (mut again, mut told) = (Procedure::default(), Verdict::Incomplete);
    for event in &ran.world.journal {
        if let EventKind::CommandStarts(intent) = &event.kind
            && intent.effect == Effect::Changes
            && let Some(why) = no_change_now(again.state())
        {
            return Some(format!("{} starts though {why}", intent.id));
        }
        if let Err(departure) = again.fold(event, &ran.world) {
            return Some(format!("its journal departs: {departure}"));
        }
        // To judge every prefix of every journal would take most of the time.
        if again.state().ended.is_some() || ran.plan.seed.is_multiple_of(PREFIXES) {
            told = verdict::judge(again.state()).verdict;
        }
        // Killed here, it has no verdict, or the verdict of the whole.
        if again.state().ended.is_some() != again.is_done() || told != Verdict::Incomplete && told != verdict
        {
            return Some(format!("a journal that is cut after event {} says {told:?}", event.seq));
        }
    }
    if ran.recorded && told != verdict {
        return Some(format!("it ended as {verdict:?}, and its journal says {told:?}"));
    }
    let is_whole = again.is_done() || !ran.recorded || ran.plan.disk_full_at.is_some();
    (!is_whole).then(|| "its journal is not whole".to_owned())
}

/// Returns why a change must not start now: a guard refuses, or a stop rule fired.
fn no_change_now(state: &RunState) -> Option<String> {
    let judgement = verdict::judge(state);
    let refused = judgement.findings.first().map(|finding| format!("{} refuses", finding.guard));
    refused.or(judgement.stop.map(|stop| format!("stop rule {} fired", stop.rule)))
}

fn number(name: &str) -> Option<u64> {
    #[allow(clippy::disallowed_methods, reason = "a test may read its own options")]
    let value = std::env::var(name).ok()?;
    value.parse().ok()
}

/// Runs every `step`th seed of a range below `lowest`, the seed that broke a promise elsewhere; returns the number of
/// each verdict.
///
/// # Errors
/// When a promise is broken: the seed, and the promise with the journal.
fn run_every(
    step: u64,
    seeds: Range<u64>,
    recorded: &Arc<Recorded>,
    lowest: &AtomicU64,
) -> Result<Verdicts, (u64, String)> {
    let mut verdicts = Verdicts::new();
    for seed in seeds.step_by(usize::try_from(step).unwrap_or(1)) {
        if lowest.load(Ordering::Relaxed) < seed {
            break;
        }
        let ran = catch_unwind(|| ran(recorded, seed)).map_err(|_| (seed, format!("SEED={seed} panics")))?;
        if let Some(why) = broken(&ran) {
            let is_short = |event: &&Event| !matches!(event.kind, EventKind::RunbookRead { .. });
            let lines = ran.world.journal.iter().filter(is_short);
            let journal: Vec<String> = lines.map(|event| serde_json::to_string(event).unwrap()).collect();
            return Err((seed, format!("SEED={seed}: {why}\n{:#?}\n{journal:#?}", ran.plan)));
        }
        *verdicts.entry(format!("{:?}", verdict::judge(ran.procedure.state()).verdict)).or_default() += 1;
    }
    Ok(verdicts)
}

#[test]
fn the_seeds_that_found_a_fault_find_none() {
    let recorded = Arc::new(Recorded::read());
    for seed in FOUND {
        let found = run_every(1, seed..seed + 1, &recorded, &AtomicU64::new(u64::MAX));
        assert!(found.is_ok(), "{found:?}");
    }
}

#[test]
fn every_promise_is_kept_in_every_world() {
    let recorded = Arc::new(Recorded::read());
    let (from, count) = number("SEED").map_or((0, number("SEEDS").unwrap_or(SEEDS)), |seed| (seed, 1));
    let began = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get() as u64);
    let lowest = AtomicU64::new(u64::MAX);
    let results: Vec<_> = std::thread::scope(|scope| {
        let (recorded, lowest) = (&recorded, &lowest);
        let run = |first| {
            scope.spawn(move || {
                let result = run_every(threads, from + first..from + count, recorded, lowest);
                result.inspect_err(|(seed, _)| _ = lowest.fetch_min(*seed, Ordering::Relaxed))
            })
        };
        let running: Vec<_> = (0..threads).map(run).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let (mut verdicts, mut broken) = (Verdicts::new(), Vec::new());
    for result in results {
        match result {
            Ok(some) => some.into_iter().for_each(|(name, runs)| *verdicts.entry(name).or_default() += runs),
            Err(first) => broken.push(first),
        }
    }
    if let Some((_, why)) = broken.into_iter().min() {
        panic!("{why}");
    }
    println!("{count} runs in {:?}: {verdicts:?}", began.elapsed());
    assert!(count == 1 || verdicts.len() == 5, "{verdicts:?}");
}
