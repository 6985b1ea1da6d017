//! Forges the evidence of every scenario at random, by meaning: events are dropped, repeated, moved, exchanged and
//! relabeled, and everything that follows from them is made again. No forgery may pass for another verdict.
//!
//! `FORGERIES=1000000` tries more of them; `FORGERY_SEED=N` repeats one that is found.

use std::collections::BTreeMap;
use std::path::Path;

use camino::{Utf8Path, Utf8PathBuf};
use staging_dry_run::documents;
use staging_dry_run::events::{Conclusion, EndedBy, Event, EventKind};
use staging_dry_run::evidence::redaction::SecretPatterns;
use staging_dry_run::evidence::{Tree, seal};
use staging_dry_run::facts::rollout::Ending;
use staging_dry_run::manifest::Manifest;
use staging_dry_run::moment::Moment;
use staging_dry_run::procedure::Procedure;
use staging_dry_run::verdict::{self, Verdict};
use staging_dry_run::verify::{self, TrustAnchors, VerifyOutcome};

use super::support::{copy_folder, scenario_ran};

/// The scenarios whose evidence is forged: one for each verdict and rule, and those with pods that come and go.
const SCENARIOS: [&str; 12] = [
    "healthy",
    "crash-loop",
    "error-pod",
    "smoke-7-of-10",
    "smoke-8-of-10",
    "readyz-503",
    "quota-pods",
    "refused-at-the-apply",
    "already-crashing-and-fixed",
    "already-crashing-and-not-fixed",
    "ends-non-zero-on-term",
    "wrong-namespace",
];

/// A source of random numbers that is the same for each seed (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap()
    }
}

/// The evidence of an honest run.
struct Honest {
    name: &'static str,
    root: Utf8PathBuf,
    events: Vec<Event>,
    /// The procedure before each event.
    before: Vec<Procedure>,
    verdict: Verdict,
}

impl Honest {
    fn of(name: &'static str) -> Self {
        let ran = scenario_ran(name);
        let root = Utf8PathBuf::from_path_buf(ran.evidence()).unwrap();
        let events = ran.events();
        let tree = tree(&root);
        let mut procedure = Procedure::default();
        let mut before = Vec::new();
        for event in &events {
            before.push(procedure.clone());
            procedure.fold(event, &tree).unwrap_or_else(|departure| panic!("{name}: {departure}"));
        }
        assert!(procedure.is_done(), "{name}");
        Self { name, root, events, before, verdict: verdict::judge(procedure.state()).verdict }
    }
}

fn tree(root: &Utf8Path) -> Tree {
    Tree::new(root.to_owned(), SecretPatterns::none())
}

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

/// Moves of the forger; each changes the events, and says from which on.
fn forge(random: &mut Random, events: &mut Vec<Event>, others: &[Honest]) -> usize {
    let at = 2 + random.below(events.len() - 2);
    let to = 2 + random.below(events.len() - 2);
    match random.below(16) {
        0 | 1 => _ = events.remove(at),
        2 => {
            let more = 1 + random.below(12);
            let end = (at + more).min(events.len());
            drop(events.drain(at..end));
        }
        3 => drop_command(events, at),
        4 => {
            let event = events[at].clone();
            events.insert(to, event);
        }
        5 => {
            let event = events.remove(at);
            events.insert(to.min(events.len()), event);
        }
        6 => events.swap(at, to),
        7 => {
            let length = 1 + random.below(8);
            let slice: Vec<Event> = events.iter().skip(at).take(length).cloned().collect();
            for event in slice.into_iter().rev() {
                events.insert(to.min(events.len()), event);
            }
        }
        8 => exchange_outcomes(events, at, to),
        9 => return from_another_run(random, events, others),
        10 => relabel(random, events, at),
        11 => end_again(random, events, at),
        12 => {
            let later = random.below(40_000) as u64;
            for event in &mut events[at..] {
                event.at = event.at.after_millis(later);
            }
        }
        13 => return cut(events, at),
        14 => better_fact(random, events, at),
        _ => better_fact(random, events, to),
    }
    at.min(to).min(events.len() - 1)
}

/// Drops a command with all that it printed.
fn drop_command(events: &mut Vec<Event>, at: usize) {
    let Some(number) = events[at..].iter().find_map(|event| match &event.kind {
        EventKind::CommandStarts(intent) => Some(intent.n),
        _ => None,
    }) else {
        return;
    };
    events.retain(|event| match &event.kind {
        EventKind::CommandStarts(intent) => intent.n != number,
        EventKind::CommandEnded(outcome) => outcome.n != number,
        EventKind::PodSeen(sighting) | EventKind::PodJudged { sighting, .. } => sighting.n != number,
        _ => true,
    });
}

fn exchange_outcomes(events: &mut [Event], at: usize, to: usize) {
    let place = |from: usize| {
        events[from..]
            .iter()
            .position(|event| matches!(event.kind, EventKind::CommandEnded(_)))
            .map(|p| p + from)
    };
    let (Some(one), Some(other)) = (place(at), place(to)) else { return };
    let kinds = [one, other].map(|place| events[place].kind.clone());
    if let [EventKind::CommandEnded(first), EventKind::CommandEnded(second)] = kinds {
        let mut changed = first.clone();
        (changed.exit, changed.ended_by, changed.first_error) =
            (second.exit, second.ended_by, second.first_error);
        events[one].kind = EventKind::CommandEnded(changed);
    }
}

/// Takes an event of another run in place of one of the same kind.
fn from_another_run(random: &mut Random, events: &mut [Event], others: &[Honest]) -> usize {
    let other = &others[random.below(others.len())].events;
    let taken = &other[2 + random.below(other.len() - 2)].kind;
    let is_same = |event: &Event| std::mem::discriminant(&event.kind) == std::mem::discriminant(taken);
    let places: Vec<usize> = (2..events.len()).filter(|place| is_same(&events[*place])).collect();
    if places.is_empty() {
        return events.len() - 1;
    }
    let place = places[random.below(places.len())];
    events[place].kind = taken.clone();
    place
}

fn relabel(random: &mut Random, events: &mut [Event], at: usize) {
    let labels = [
        EndedBy::Itself,
        EndedBy::Deadline,
        EndedBy::StagingDryRun(1 + random.below(events.len()) as u64),
        EndedBy::AskedForTerminal,
        EndedBy::HeldPipes,
    ];
    let label = labels[random.below(labels.len())];
    for event in &mut events[at..] {
        if let EventKind::CommandEnded(outcome) = &mut event.kind {
            outcome.ended_by = label;
            return;
        }
    }
}

fn end_again(random: &mut Random, events: &mut [Event], at: usize) {
    for event in &mut events[at..] {
        if let EventKind::CommandEnded(outcome) = &mut event.kind {
            let stages = outcome.exit.len();
            outcome.exit = vec![i32::from(random.below(2) != 0); stages];
            if random.below(2) == 0 {
                outcome.first_error = None;
            }
            return;
        }
    }
}

/// Ends the run early, with its own last events.
fn cut(events: &mut Vec<Event>, at: usize) -> usize {
    let last: Vec<Event> = events[events.len() - 2..].to_vec();
    events.truncate(at);
    events.extend(last);
    at
}

/// Says something better than was found.
fn better_fact(random: &mut Random, events: &mut [Event], at: usize) {
    for event in &mut events[at..] {
        match &mut event.kind {
            EventKind::PodJudged { conclusion, .. } => {
                *conclusion = Conclusion::RuledOut("the pod is gone".to_owned());
            }
            EventKind::RolloutEnded { ending, .. } => *ending = Ending::RolledOut,
            EventKind::HealthAsked { http_status, .. } => "200".clone_into(http_status),
            EventKind::CheckAnswered { transfer, .. } => "200".clone_into(&mut transfer.http_status),
            EventKind::PodsAfter { pods } if random.below(2) == 0 => pods.clear(),
            EventKind::PodsBefore { failing, .. } => failing.clear(),
            EventKind::FirstSight { rows, .. } => *rows += 1,
            _ => continue,
        }
        return;
    }
}

/// Numbers the events and commands as a run does, with the references to them, and puts the times in order.
fn number(events: &mut [Event]) {
    let seqs: BTreeMap<u64, u64> = events.iter().zip(1..).map(|(event, seq)| (event.seq, seq)).collect();
    let mut commands = BTreeMap::new();
    let mut now = Moment::default();
    for (event, seq) in events.iter_mut().zip(1..) {
        event.seq = seq;
        event.at = event.at.max(now);
        now = event.at;
        let number = |n: &mut u64, commands: &BTreeMap<u64, u64>| {
            if let Some(new) = commands.get(n) {
                *n = *new;
            }
        };
        match &mut event.kind {
            EventKind::CommandStarts(intent) => {
                let next = commands.len() as u64 + 1;
                commands.insert(intent.n, next);
                intent.n = next;
                intent.because = intent.because.map(|seq| seqs.get(&seq).copied().unwrap_or(seq));
            }
            EventKind::CommandEnded(outcome) => {
                number(&mut outcome.n, &commands);
                if let EndedBy::StagingDryRun(seq) = outcome.ended_by {
                    outcome.ended_by = EndedBy::StagingDryRun(seqs.get(&seq).copied().unwrap_or(seq));
                }
            }
            EventKind::PodSeen(sighting) | EventKind::PodJudged { sighting, .. } => {
                number(&mut sighting.n, &commands);
            }
            _ => {}
        }
    }
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
    let tree = tree(&honest.root);
    for event in &events[first..] {
        if procedure.fold(event, &tree).is_err() {
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

/// Makes everything again that follows from the events, and verifies it.
fn holds(honest: &Honest, events: &[Event]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let root = Utf8Path::from_path(folder.path()).unwrap().join("evidence");
    copy_folder(honest.root.as_std_path(), root.as_std_path());
    remake(&root, events);
    let report = verify::verify(&root, &TrustAnchors::default()).unwrap();
    report.conclusion() == VerifyOutcome::Holds
}

fn remake(root: &Utf8Path, events: &[Event]) {
    let tree = tree(root);
    let run = staging_dry_run::run_state::RunState::of(events);
    let lines: Vec<String> =
        events.iter().map(|event| serde_json::to_string(event).unwrap() + "\n").collect();
    std::fs::write(root.join("journal.jsonl"), lines.concat()).unwrap();
    let manifest = serde_json::to_string_pretty(&Manifest::of(&run, &verdict::judge(&run))).unwrap() + "\n";
    std::fs::write(root.join("manifest.json"), manifest).unwrap();
    for (file, text) in documents::of(&run, |range| tree.read(Some(range))).unwrap() {
        std::fs::create_dir_all(Path::new(root.join(&file).as_str()).parent().unwrap()).unwrap();
        std::fs::write(root.join(file), text).unwrap();
    }
    for file in ["SHA256SUMS", "attestation.json"] {
        drop(std::fs::remove_file(root.join(file)));
    }
    seal(&tree, &run).unwrap();
}

#[test]
fn no_forgery_passes_for_another_verdict() {
    let all: Vec<Honest> = SCENARIOS.into_iter().map(Honest::of).collect();
    let number = |name: &str| std::env::var(name).ok().and_then(|number| number.parse::<u64>().ok());
    let (from, count) = match number("FORGERY_SEED") {
        Some(seed) => (seed, 1),
        None => (0, number("FORGERIES").unwrap_or(2000)),
    };
    let mut came_to = BTreeMap::new();
    for seed in from..from + count {
        let (came, name, events) = tried(seed, &all);
        *came_to.entry(came).or_insert(0_u64) += 1;
        if came == Came::Passes {
            let lines: Vec<String> =
                events.iter().map(|event| serde_json::to_string(event).unwrap()).collect();
            panic!("FORGERY_SEED={seed}: {name} passes for another verdict:\n{}", lines.join("\n"));
        }
    }
    println!("{count} forgeries: {came_to:?}");
    assert!(count == 1 || came_to[&Came::Departs] > count / 2, "{came_to:?}");
}

#[test]
fn evidence_that_is_made_again_from_its_own_events_holds() {
    for name in SCENARIOS {
        let honest = Honest::of(name);
        assert!(holds(&honest, &honest.events), "{name}");
    }
}

/// A forgery by hand: its name, the scenario, and the change of its events.
type Forgery = (&'static str, &'static str, fn(&mut Vec<Event>));

/// Forgeries that hid a stop, or what a run did not do.
const FORGERIES: &[Forgery] = &[
    ("the sighting is dropped", "crash-loop", |events| {
        events.retain(|event| !matches!(event.kind, EventKind::PodSeen(_) | EventKind::PodJudged { .. }));
        drop_all(events, "confirm.pod");
    }),
    ("the watch is dropped", "healthy", |events| drop_all(events, "watch.pods")),
    ("one rollout passes for three", "healthy", |events| {
        let of = |event: &Event, id: &str| is_of(event, id) || is_ending(event, id);
        let api: Vec<Event> = events.iter().filter(|event| of(event, "rollout.api")).cloned().collect();
        let from = events.iter().position(|event| is_of(event, "rollout.worker")).unwrap();
        events.retain(|event| !of(event, "rollout.worker") && !of(event, "rollout.reaper"));
        for event in api.iter().chain(&api).rev() {
            events.insert(from, event.clone());
        }
    }),
    ("the failed rollout was ended by the run", "quota-pods", |events| {
        relabel_all(events, "rollout.api", EndedBy::StagingDryRun(9));
        events.retain(|event| !matches!(event.kind, EventKind::RolloutEnded { .. }));
    }),
    ("the failed apply reached its deadline", "refused-at-the-apply", |events| {
        for deployment in ["apply.api", "apply.worker", "apply.reaper"] {
            relabel_all(events, deployment, EndedBy::Deadline);
        }
    }),
    ("a rollout's end is not told", "quota-pods", |events| {
        events.retain(|event| !matches!(event.kind, EventKind::RolloutEnded { .. }));
    }),
    ("a manifest was not read", "healthy", |events| {
        let at = events.iter().position(|event| matches!(event.kind, EventKind::ManifestRead(_))).unwrap();
        events.remove(at);
    }),
    ("the context was not read", "healthy", |events| {
        events.retain(|event| !matches!(event.kind, EventKind::ContextRead(_)));
    }),
    ("a program is not named", "healthy", |events| {
        let at = events.iter().position(|event| matches!(event.kind, EventKind::ToolFound(_))).unwrap();
        events.remove(at);
    }),
    ("a guard was not asked", "wrong-namespace", |events| {
        drop_all(events, "guard.api");
        events.retain(|event| !matches!(event.kind, EventKind::WouldLand { .. }));
    }),
    ("an apply comes before its guard", "healthy", |events| {
        let apply = events.iter().position(|event| is_of(event, "apply.api")).unwrap();
        let event = events.remove(apply);
        let guard = events.iter().position(|event| is_of(event, "guard.api")).unwrap();
        events.insert(guard, event);
    }),
    ("the gate was asked more often than it was", "readyz-503", |events| {
        for event in events {
            if let EventKind::HealthAsked { asks, http_status, .. } = &mut event.kind {
                (*asks, *http_status) = (*asks + 1, "200".to_owned());
            }
        }
    }),
    ("the failing checks were not asked", "smoke-7-of-10", |events| {
        for check in ["check.04", "check.06", "check.08"] {
            drop_all(events, check);
        }
    }),
    ("the smoke tests are left out", "smoke-7-of-10", |events| {
        events.retain(|event| {
            !matches!(event.kind, EventKind::CheckAnswered { .. } | EventKind::Dumped { .. })
        });
        for id in ["dump.describe", "dump.events", "dump.logs", "dump.previous"] {
            drop_all(events, id);
        }
    }),
    ("a step of the runbook did not end", "healthy", |events| {
        events.retain(|event| !matches!(event.kind, EventKind::StepEnded { step: 3, .. }));
    }),
    ("the run ended right after its preflight", "crash-loop", |events| {
        let ends = events.iter().position(|event| matches!(event.kind, EventKind::StepEnded { step: 1, .. }));
        let last = events.split_off(events.len() - 2);
        events.truncate(ends.unwrap() + 1);
        events.extend(last);
    }),
];

fn is_of(event: &Event, id: &str) -> bool {
    match &event.kind {
        EventKind::CommandStarts(intent) => intent.id.to_string() == id,
        EventKind::CommandEnded(outcome) => outcome.id.to_string() == id,
        _ => false,
    }
}

/// Whether the event says how the rollout of this step ended.
fn is_ending(event: &Event, id: &str) -> bool {
    let name = id.replace("rollout.", "dpp-");
    matches!(&event.kind, EventKind::RolloutEnded { deployment, .. } if *deployment == name)
}

fn drop_all(events: &mut Vec<Event>, id: &str) {
    events.retain(|event| !is_of(event, id));
}

fn relabel_all(events: &mut [Event], id: &str, by: EndedBy) {
    for event in events {
        if let EventKind::CommandEnded(outcome) = &mut event.kind
            && outcome.id.to_string() == id
        {
            outcome.ended_by = by;
        }
    }
}

#[test]
fn each_known_forgery_is_found_by_the_walk_alone() {
    for (name, scenario, change) in FORGERIES {
        let honest = Honest::of(scenario);
        let mut events = honest.events.clone();
        change(&mut events);
        assert_ne!(events, honest.events, "{name}");
        number(&mut events);
        let tree = tree(&honest.root);
        let mut procedure = Procedure::default();
        let departs = events.iter().any(|event| procedure.fold(event, &tree).is_err());
        assert!(departs, "{name}");
        assert!(!holds(&honest, &events), "{name}");
    }
}
