//! Watches: the log from a revision on, as a stream that lives as long as the client listens.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::unfold;
use hyper::Response;
use serde_json::{Value, json};
use tokio::sync::watch::Receiver;

use super::kinds::Kind;
use super::lists::Selection;
use super::store::{Change, What};
use super::tables::{Beside, table};
use super::{Cluster, pods, rollouts};
use crate::http::{Body, streamed};

/// What a watch request asks for.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) kind: &'static Kind,
    pub(crate) namespace: Option<String>,
    pub(crate) selection: Selection,
    pub(crate) table: Option<Beside>,
    /// From this revision on; without one, first everything there is.
    pub(crate) from: Option<u64>,
    pub(crate) bookmark: bool,
}

struct Watch {
    cluster: Arc<Cluster>,
    asked: Asked,
    cursor: u64,
    first: Vec<Bytes>,
    changed: Receiver<u64>,
    /// Which watch of pods this is, from 1; 0 if it is of something else.
    number: u32,
    /// How far the client has been told.
    told: u64,
}

/// Opens a watch; what waits for it happens now.
pub(crate) fn open(cluster: &Arc<Cluster>, asked: Asked) -> Response<Body> {
    let mut world = cluster.world();
    let revision = world.store.revision();
    let mut first = Vec::new();
    if asked.from.is_none() {
        for object in world.store.list(asked.kind, asked.namespace.as_deref()).into_iter().rev() {
            if asked.selection.matches(&object) {
                first.push(line(&asked, What::Added.word(), &object));
            }
        }
        if asked.bookmark {
            let end = json!({"type": "BOOKMARK", "object": {
                "kind": asked.kind.kind, "apiVersion": asked.kind.api_version(),
                "metadata": {
                    "resourceVersion": revision.to_string(),
                    "annotations": {"k8s.io/initial-events-end": "true"},
                },
            }});
            first.insert(0, Bytes::from(format!("{end}\n")));
        }
    }
    let cursor = asked.from.unwrap_or(revision);
    let number = if asked.kind.kind == "Pod" {
        world.pods_watches += 1;
        world.open_pods_watches += 1;
        world.pods_watches
    } else {
        0
    };
    let changed = world.store.subscribe();
    let watched = (asked.kind.kind == "Deployment")
        .then(|| Some((asked.namespace.clone()?, asked.selection.name()?.to_owned())))
        .flatten();
    if let Some((place, name)) = &watched {
        rollouts::watched(&mut world, place, name);
    } else if number > 1 {
        rollouts::pods_watched_again(&mut world);
    }
    drop(world);
    let watch = Watch { cluster: Arc::clone(cluster), asked, cursor, first, changed, number, told: 0 };
    streamed(200, "application/json", stream(watch))
}

fn stream(watch: Watch) -> impl Stream<Item = Bytes> + Send {
    unfold(watch, |mut watch| async move {
        if let Some(line) = watch.first.pop() {
            return Some((line, watch));
        }
        loop {
            watch.changed.borrow_and_update();
            match watch.next() {
                Next::Line(line) => return Some((line, watch)),
                Next::Cut => return None,
                Next::Nothing => {}
            }
            watch.changed.changed().await.ok()?;
        }
    })
}

enum Next {
    Line(Bytes),
    Nothing,
    Cut,
}

impl Watch {
    /// The one Deployment that is watched, as `rollout status` does.
    fn deployment(&self) -> Option<(&str, &str)> {
        let of_deployments = self.asked.kind.kind == "Deployment";
        of_deployments
            .then(|| Some((self.asked.namespace.as_deref()?, self.asked.selection.name()?)))
            .flatten()
    }

    fn next(&mut self) -> Next {
        let cluster = Arc::clone(&self.cluster);
        let mut world = cluster.world();
        if world.cut && self.number == 1 {
            return Next::Cut;
        }
        loop {
            let Some(Change { revision, kind, what, object }) = world.store.after(self.cursor).cloned()
            else {
                self.told = self.cursor;
                if self.number > 0 {
                    world.told.insert(self.number, self.told);
                } else if let Some((place, name)) = self.deployment() {
                    rollouts::told(&mut world, place, name);
                }
                return Next::Nothing;
            };
            self.cursor = revision;
            let here =
                self.asked.namespace.as_ref().is_none_or(|place| object["metadata"]["namespace"] == **place);
            if kind == self.asked.kind && here && self.asked.selection.matches(&object) {
                if self.number > 0 && pods::is_crash_looping(&object) && what != What::Deleted {
                    let name = format!("CrashLoopBackOff {}", super::json::text(&object, "/metadata/name"));
                    world.instants.push((name, SystemTime::now()));
                }
                return Next::Line(line(&self.asked, what.word(), &object));
            }
        }
    }
}

impl Drop for Watch {
    /// The client has gone: a `rollout status` that saw its success, maybe.
    fn drop(&mut self) {
        let mut world = self.cluster.world();
        if self.number > 0 {
            world.open_pods_watches -= 1;
            world.told.remove(&self.number);
        }
        if let Some(deployment) = self.deployment() {
            rollouts::end_replaced_pods(&mut world, Some(deployment));
        }
    }
}

fn line(asked: &Asked, word: &str, object: &Value) -> Bytes {
    let object = match asked.table {
        Some(beside) => {
            let revision = super::json::text(object, "/metadata/resourceVersion");
            table(asked.kind, &[object], revision, beside)
        }
        None => object.clone(),
    };
    Bytes::from(format!("{}\n", json!({"type": word, "object": object})))
}

/// Waits until every open watch of pods has been told of this revision, or two seconds.
pub(crate) async fn told(cluster: &Cluster, revision: u64) {
    let all_told = || {
        let world = cluster.world();
        let told = world.told.values().filter(|told| **told >= revision).count();
        told >= usize::try_from(world.open_pods_watches).unwrap_or(0)
    };
    for _ in 0..400 {
        if all_told() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until a watch of pods is open, or so long.
pub(crate) async fn opened(cluster: &Cluster, within: Duration) {
    let end = tokio::time::Instant::now() + within;
    while cluster.world().open_pods_watches == 0 && tokio::time::Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
