//! The objects, and the log of what became of them that watches read.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::watch;

use super::json::{text, uid};
use super::kinds::{self, Kind};

/// What a watch says of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Added,
    Modified,
    Deleted,
}

impl What {
    pub(crate) fn word(self) -> &'static str {
        match self {
            What::Added => "ADDED",
            What::Modified => "MODIFIED",
            What::Deleted => "DELETED",
        }
    }
}

/// One line of the log.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) revision: u64,
    pub(crate) kind: &'static Kind,
    pub(crate) what: What,
    pub(crate) object: Arc<Value>,
}

type Key = (&'static str, String, String);

/// All objects; every write raises the revision, as etcd does.
#[derive(Debug)]
pub(crate) struct Store {
    objects: BTreeMap<Key, (u64, Arc<Value>)>,
    revision: u64,
    log: Vec<Change>,
    tell: watch::Sender<u64>,
}

impl Store {
    pub(crate) fn new() -> Store {
        Store { objects: BTreeMap::new(), revision: 1000, log: Vec::new(), tell: watch::Sender::new(0) }
    }

    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// Wakes when the log has grown.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.tell.subscribe()
    }

    /// Wakes every watch although nothing has changed.
    pub(crate) fn nudge(&self) {
        self.tell.send_modify(|_| ());
    }

    /// The first change after this revision.
    pub(crate) fn after(&self, revision: u64) -> Option<&Change> {
        let index = self.log.partition_point(|change| change.revision <= revision);
        self.log.get(index)
    }

    pub(crate) fn get(&self, kind: &'static Kind, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let key = (kind.plural, namespace.to_owned(), name.to_owned());
        self.objects.get(&key).map(|(_, object)| Arc::clone(object))
    }

    /// The objects of a kind, by name; events in the order they came, so that sorting them by a time that has
    /// whole seconds gives the same order in every run.
    pub(crate) fn list(&self, kind: &'static Kind, namespace: Option<&str>) -> Vec<Arc<Value>> {
        let mut found: Vec<_> = self
            .objects
            .iter()
            .filter(|((plural, place, _), _)| {
                *plural == kind.plural && namespace.is_none_or(|namespace| namespace == place)
            })
            .map(|(_, found)| found)
            .collect();
        if kind.plural == "events" {
            found.sort_by_key(|(revision, _)| *revision);
        }
        found.into_iter().map(|(_, object)| Arc::clone(object)).collect()
    }

    /// Stores an object of its own kind; nothing happens if it is as it was.
    pub(crate) fn put(&mut self, mut object: Value) -> Arc<Value> {
        let Some(kind) = kinds::by_name(text(&object, "/kind")) else { return Arc::new(object) };
        let key = key(kind, &object);
        let before = self.objects.get(&key).map(|(_, before)| Arc::clone(before));
        if let Some(before) = &before {
            object["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"].clone();
            if **before == object {
                return Arc::clone(before);
            }
        }
        self.revision += 1;
        object["metadata"]["resourceVersion"] = json!(self.revision.to_string());
        let object = Arc::new(object);
        self.objects.insert(key, (self.revision, Arc::clone(&object)));
        self.note(kind, if before.is_some() { What::Modified } else { What::Added }, &object);
        object
    }

    /// Removes an object; the log keeps its last form.
    pub(crate) fn remove(&mut self, kind: &'static Kind, namespace: &str, name: &str) {
        let key = (kind.plural, namespace.to_owned(), name.to_owned());
        if let Some((_, object)) = self.objects.remove(&key) {
            self.revision += 1;
            let mut last = Arc::unwrap_or_clone(object);
            last["metadata"]["resourceVersion"] = json!(self.revision.to_string());
            self.note(kind, What::Deleted, &Arc::new(last));
        }
    }

    fn note(&mut self, kind: &'static Kind, what: What, object: &Arc<Value>) {
        self.log.push(Change { revision: self.revision, kind, what, object: Arc::clone(object) });
        self.tell.send_replace(self.revision);
    }
}

fn key(kind: &'static Kind, object: &Value) -> Key {
    let namespace = if kind.namespaced { text(object, "/metadata/namespace") } else { "" };
    (kind.plural, namespace.to_owned(), text(object, "/metadata/name").to_owned())
}

/// The uid an object gets: the same in every run.
pub(crate) fn uid_of(object: &Value) -> String {
    uid(&format!(
        "{}/{}/{}",
        text(object, "/kind"),
        text(object, "/metadata/namespace"),
        text(object, "/metadata/name")
    ))
}
