//! Evidence of a run with thousands of commands: the sample of stop rule 3, whose gate asked that often.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use staging_dry_run::documents;
use staging_dry_run::events::{EndedBy, Event, EventKind};
use staging_dry_run::evidence::redaction::SecretPatterns;
use staging_dry_run::evidence::{Journal, Tree, seal};
use staging_dry_run::manifest::Manifest;
use staging_dry_run::run_state::RunState;

/// The time from one request of the gate to the next, in ms: its interval, and some for the answer.
const ROUND_MS: u64 = 1012;

/// Writes the evidence of a run with so many commands into a folder below `into`.
pub(super) fn with_commands(into: &Utf8Path, commands: u64) -> Utf8PathBuf {
    let sample = Utf8Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/evidence/samples/stop-3"));
    let root = into.join(format!("of-{commands}"));
    let copied = super::Command::new("cp").args(["-R", sample.as_str(), root.as_str()]).status().unwrap();
    assert!(copied.success());
    let tree = Tree::new(root.clone(), SecretPatterns::none());
    let mut events = Journal::read(&sample.join("journal.jsonl")).unwrap();
    let there =
        events.iter().filter(|event| matches!(event.kind, EventKind::CommandStarts(_))).count() as u64;
    ask_again(&mut events, &tree, commands - there);

    let run = RunState::of(&events);
    let lines: Vec<String> =
        events.iter().map(|event| serde_json::to_string(event).unwrap() + "\n").collect();
    fs::write(root.join("journal.jsonl"), lines.concat()).unwrap();
    fs::write(root.join("manifest.json"), Manifest::text(&run).unwrap()).unwrap();
    for (file, text) in documents::of(&run, |range| tree.read(Some(range))).unwrap() {
        fs::write(root.join(file), text).unwrap();
    }
    for file in ["SHA256SUMS", "attestation.json"] {
        fs::remove_file(root.join(file)).unwrap();
    }
    seal(&tree, &run).unwrap();
    root
}

/// Lets the gate ask for `/readyz` so many times more, before it asks for the last time.
fn ask_again(events: &mut Vec<Event>, tree: &Tree, times: u64) {
    let asks = |event: &Event| matches!(&event.kind, EventKind::CommandStarts(intent) if intent.id.to_string() == "gate.readyz");
    let last = events.iter().rposition(asks).unwrap();
    let round: Vec<Event> = events[last - 2..last].to_vec();
    for event in &mut events[last..] {
        later(event, times, times);
    }
    if let EventKind::RunBegan(began) = &mut events[0].kind {
        began.options.health_timeout_ms += times * ROUND_MS;
    }
    for event in events.iter_mut() {
        if let EventKind::HealthAsked { path, asks, waited_ms, limit_ms, .. } = &mut event.kind {
            *limit_ms += times * ROUND_MS;
            if path == "/readyz" {
                *asks += u32::try_from(times).unwrap();
                *waited_ms += times * ROUND_MS;
            }
        }
    }
    let more = (1..=times).flat_map(|time| {
        let mut round = round.clone();
        for event in &mut round {
            later(event, time, times);
        }
        round
    });
    let more: Vec<Event> = more.collect();
    events.splice(last..last, more);
    repeat(tree, &round, times);
}

/// Moves an event by so many rounds of all that are added: its time, its numbers, and where its command printed.
fn later(event: &mut Event, rounds: u64, all: u64) {
    let by_ms = rounds * ROUND_MS;
    event.seq += 2 * rounds;
    event.at = event.at.after_millis(by_ms);
    match &mut event.kind {
        EventKind::CommandStarts(intent) => intent.n += rounds,
        // The watch began before the gate.
        EventKind::CommandEnded(watch) if watch.id.to_string() == "watch.pods" => {
            watch.duration_ms += by_ms;
            if let EndedBy::StagingDryRun(seq) = &mut watch.ended_by {
                *seq += 2 * all;
            }
        }
        EventKind::CommandEnded(outcome) => {
            outcome.n += rounds;
            outcome.started = outcome.started.after_millis(by_ms);
            let is_gate = outcome.id.to_string() == "gate.readyz";
            let ranges = [&mut outcome.stdout, &mut outcome.stderr].into_iter().flatten().filter(|_| is_gate);
            for range in ranges {
                let length = range.length();
                range.from += rounds * length;
                range.to += rounds * length;
            }
        }
        _ => {}
    }
}

/// Repeats what the gate printed, so many times more.
fn repeat(tree: &Tree, round: &[Event], times: u64) {
    let Some(EventKind::CommandEnded(outcome)) = round.last().map(|event| &event.kind) else { return };
    for range in outcome.stdout.iter().chain(&outcome.stderr) {
        let printed = tree.read(Some(range)).unwrap().repeat(usize::try_from(times).unwrap());
        let path = tree.path(&range.file);
        let mut all = fs::read(&path).unwrap();
        let end = usize::try_from(range.to).unwrap();
        all.splice(end..end, printed);
        fs::write(path, all).unwrap();
    }
}
