//! A rollout's course: what moves pods on, and when. Mostly there is no clock in it, only what is
//! asked of the server.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::deployments::{fate_of, kind, scale, update_statuses, view};
use super::json::{list, number, text};
use super::{World, events, pods};
use crate::scenarios::{Fate, When};

/// How long a rollout is watched before the others have rolled out, and how long again before its new pods fail:
/// `kubectl rollout status` has said what it waits for, and the watch of pods what became of the others.
const FIRST_WORDS: Duration = Duration::from_millis(500);

/// Something happened that new pods of this Deployment may have waited for.
pub(crate) fn go_on(world: &mut World, place: &str, name: &str, now: When) {
    let Some(deployment) = world.store.get(kind("Deployment"), place, name) else { return };
    let (fate, when) = fate_of(world, &deployment);
    let (fate, when) = match (fate, when) {
        (_, When::ApiAsked(_)) => (Fate::Ready, When::RolloutWatched),
        (Fate::Ready, when) if !matches!(when, When::After(_)) => (Fate::Ready, When::RolloutWatched),
        other => other,
    };
    if when != now {
        return;
    }
    for _ in 0..1000 {
        let Some(view) = view(world, &deployment) else { return };
        let next = view.new_pods.iter().filter(|pod| untouched(pod)).min_by_key(|pod| revision_of(pod));
        let Some(pod) = next else { return };
        let pod = Arc::unwrap_or_clone(Arc::clone(pod));
        meets(world, pod, &fate);
        if fate == Fate::PastDeadline {
            update_statuses(world, &deployment);
            return;
        }
        if matches!(fate, Fate::NeverReady) {
            return;
        }
        scale(world, &deployment);
    }
}

/// As [`go_on`], after a while.
pub(crate) fn go_on_later(world: &World, place: &str, name: &str, now: When, delay: Duration) {
    let (place, name) = (place.to_owned(), name.to_owned());
    later(world, delay, move |world| go_on(world, &place, &name, now));
}

fn later(world: &World, delay: Duration, what: impl FnOnce(&mut World) + Send + 'static) {
    let cluster = world.cluster.clone();
    if let Some(runtime) = cluster.upgrade().map(|cluster| cluster.runtime.clone()) {
        runtime.spawn(async move {
            tokio::time::sleep(delay).await;
            if let Some(cluster) = cluster.upgrade() {
                what(&mut cluster.world());
            }
        });
    }
}

/// Meanwhile the other Deployments of the namespace, whose pods become ready, have rolled out: their controller
/// waits for nobody who watches.
fn others_roll_out(world: &mut World, place: &str, but: &str) {
    for deployment in world.store.list(kind("Deployment"), Some(place)) {
        let name = text(&deployment, "/metadata/name");
        if name != but && fate_of(world, &deployment).0 == Fate::Ready {
            go_on(world, place, name, When::RolloutWatched);
            end_replaced_pods(world, Some((place, name)));
        }
    }
}

fn revision_of(pod: &Value) -> (String, u64) {
    (
        text(pod, "/metadata/creationTimestamp").to_owned(),
        text(pod, "/metadata/resourceVersion").parse().unwrap_or(0),
    )
}

/// Whether no fate has come over the pod yet.
fn untouched(pod: &Value) -> bool {
    !pods::is_ready(pod)
        && list(pod, "/status/containerStatuses").iter().all(|status| {
            status.pointer("/state/running").is_some()
                || text(status, "/state/waiting/reason") == "ContainerCreating"
        })
}

/// The fate comes over the pod.
pub(crate) fn meets(world: &mut World, mut pod: Value, fate: &Fate) {
    let now = world.now();
    let ip = text(&pod, "/status/podIP").to_owned();
    match fate {
        Fate::Ready => pods::running(&mut pod, &ip, true, now),
        Fate::CrashLoop { exit_code, restarts } => {
            events::crash_loop(world, &pod, *restarts);
            pods::crash_loop(&mut pod, *exit_code, *restarts, now);
        }
        Fate::Error { exit_code } => pods::error(&mut pod, *exit_code, now),
        Fate::ImagePull => {
            let image = text(&pod, "/spec/containers/0/image").to_owned();
            let message = events::image_pull(world, &pod, &image);
            pods::waiting(&mut pod, "ErrImagePull", Some(&message), now);
            pod = Arc::unwrap_or_clone(world.store.put(pod));
            let message = format!("Back-off pulling image \"{image}\": ErrImagePull: {message}");
            pods::waiting(&mut pod, "ImagePullBackOff", Some(&message), now);
        }
        Fate::NeverReady | Fate::PastDeadline => {
            events::unhealthy(world, &pod);
        }
        Fate::Evicted => {
            events::warning(world, &pod, "Evicted", pods::EVICTED, "kubelet");
            pods::evicted(&mut pod, now);
        }
        Fate::Hidden => pods::hidden_crash_loop(&mut pod, now),
        Fate::NotCreated { .. } => {}
    }
    world.store.put(pod);
}

/// Whether the rollout has succeeded.
fn is_complete(deployment: &Value) -> bool {
    let replicas = number(deployment, "/spec/replicas");
    ["updatedReplicas", "replicas", "availableReplicas"]
        .iter()
        .all(|field| number(&deployment["status"], &format!("/{field}")) == replicas)
}

/// Someone watches this Deployment.
pub(crate) fn watched(world: &mut World, place: &str, name: &str) {
    end_replaced_pods(world, None);
    world.rollouts.entry((place.to_owned(), name.to_owned())).or_default().watched = true;
    if world.scenario.with.contains(&crate::scenarios::With::CutPodsWatch) {
        world.cut = true;
        world.store.nudge();
    }
    if world.scenario.old_pods_past_deadline(name) {
        return; // All that is to come has come.
    }
    let fate = world.store.get(kind("Deployment"), place, name).map(|deployment| fate_of(world, &deployment));
    match &fate {
        Some((Fate::Ready, _) | (_, When::ApiAsked(_))) | None => {
            go_on(world, place, name, When::RolloutWatched);
        }
        // The rollout's end ends the watch of pods, too: by then it should have printed what became of the others.
        Some((Fate::PastDeadline, _)) => {
            go_on_later(world, place, name, When::RolloutWatched, 4 * FIRST_WORDS);
        }
        Some(_) => go_on_later(world, place, name, When::RolloutWatched, 2 * FIRST_WORDS),
    }
    let by_time = !matches!(fate, Some((_, When::PodsWatchedAgain)));
    let stuck = world.store.get(kind("Deployment"), place, name).is_some_and(|object| !is_complete(&object));
    if stuck && by_time {
        let (of, but) = (place.to_owned(), name.to_owned());
        later(world, FIRST_WORDS, move |world| others_roll_out(world, &of, &but));
    }
    if world.pods_watches > 1 {
        others_roll_out(world, place, name);
        go_on(world, place, name, When::PodsWatchedAgain);
    }
}

/// The API under test is asked for this path: the first new pod of a Deployment whose fate waits for it meets it.
pub(crate) fn api_asked(world: &mut World, path: &str) {
    for deployment in world.store.list(kind("Deployment"), None) {
        let (fate, when) = fate_of(world, &deployment);
        if !matches!(when, When::ApiAsked(awaited) if awaited == path) {
            continue;
        }
        let first = view(world, &deployment).and_then(|view| {
            view.new_pods.iter().find(|pod| pods::is_ready(pod)).map(|pod| Value::clone(pod))
        });
        if let Some(pod) = first {
            meets(world, pod, &fate);
            update_statuses(world, &deployment);
        }
    }
}

/// Pods are watched once more.
pub(crate) fn pods_watched_again(world: &mut World) {
    let watched: Vec<_> =
        world.rollouts.iter().filter(|(_, rollout)| rollout.watched).map(|(key, _)| key.clone()).collect();
    for (place, name) in watched {
        others_roll_out(world, &place, &name);
        go_on(world, &place, &name, When::PodsWatchedAgain);
    }
}

/// Ends the pods that finished rollouts replaced: of one Deployment, or of all that someone has watched.
pub(crate) fn end_replaced_pods(world: &mut World, only: Option<(&str, &str)>) {
    let keys: Vec<_> = match only {
        Some((place, name)) => vec![(place.to_owned(), name.to_owned())],
        None => {
            world.rollouts.iter().filter(|(_, rollout)| rollout.watched).map(|(key, _)| key.clone()).collect()
        }
    };
    for (place, name) in keys {
        let Some(deployment) = world.store.get(kind("Deployment"), &place, &name) else { continue };
        if !is_complete(&deployment) {
            continue;
        }
        let code = world.scenario.term_exit_code(&name);
        let going: Vec<_> = view(world, &deployment)
            .map(|view| {
                view.old
                    .iter()
                    .flat_map(|set| pods::of(world, set))
                    .filter(|pod| pods::is_going(pod))
                    .collect()
            })
            .unwrap_or_default();
        let now = world.now();
        for pod in &going {
            let mut pod = Value::clone(pod);
            pods::ended(&mut pod, code, now);
            world.store.put(pod);
        }
        for pod in &going {
            world.store.remove(kind("Pod"), &place, text(pod, "/metadata/name"));
        }
        if !going.is_empty() {
            update_statuses(world, &deployment);
        }
    }
}

/// The watch of a Deployment has been told everything there is: of the success too, if it was one.
pub(crate) fn told(world: &mut World, place: &str, name: &str) {
    let complete =
        world.store.get(kind("Deployment"), place, name).is_some_and(|object| is_complete(&object));
    if let Some(rollout) = world.rollouts.get_mut(&(place.to_owned(), name.to_owned())) {
        rollout.delivered = complete;
    }
}

/// Ends what rollouts replaced whose success has been told.
pub(crate) fn end_delivered(world: &mut World) {
    let keys: Vec<_> =
        world.rollouts.iter().filter(|(_, rollout)| rollout.delivered).map(|(key, _)| key.clone()).collect();
    for (place, name) in keys {
        end_replaced_pods(world, Some((&place, &name)));
    }
}
