//! Forgeries that hid a stop, or what a run did not do: each was held for true once.

use staging_dry_run::events::{EndedBy, Event, EventKind};
use staging_dry_run::procedure::Procedure;

use super::honest::{Honest, holds};
use super::moves::number;

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
        let mut procedure = Procedure::default();
        let departs = events.iter().any(|event| procedure.fold(event, &honest.kept).is_err());
        assert!(departs, "{name}");
        assert!(!holds(&honest, &events), "{name}");
    }
}
