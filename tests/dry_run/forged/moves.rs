//! The moves of a forger who tries at random, and what keeps the journal in form after them.

use std::collections::BTreeMap;

use staging_dry_run::events::{Conclusion, EndedBy, Event, EventKind};
use staging_dry_run::facts::rollout::Ending;
use staging_dry_run::moment::Moment;

use super::honest::Honest;

/// A source of random numbers that is the same for each seed (splitmix64).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap()
    }
}

/// Moves of the forger; each changes the events, and says from which on.
pub(super) fn forge(random: &mut Random, events: &mut Vec<Event>, others: &[Honest]) -> usize {
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
pub(super) fn number(events: &mut [Event]) {
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
