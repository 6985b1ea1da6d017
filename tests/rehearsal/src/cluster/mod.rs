//! The simulated API server: its objects, and what moves them.
//!
//! Nothing moves by itself. A write is followed at once by what controllers make of it; pods go on when
//! someone watches the rollout of their Deployment; replaced pods end when that watch has been closed.

mod apply;
mod autoscalers;
mod before;
mod defaults;
mod deployments;
mod discovery;
mod errors;
mod events;
mod json;
mod kinds;
mod lists;
mod logs;
mod pod_security;
mod pods;
mod printers;
mod protobuf;
mod quotas;
mod reviews;
mod rollouts;
mod routes;
mod schemas;
mod services;
mod store;
mod tables;
mod watches;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::SystemTime;

use jiff::Timestamp;

pub(crate) use routes::{Request, answer};

use crate::scenarios::{Scenario, With};
use store::Store;

/// The namespace that is deployed to.
pub(crate) const STAGING: &str = "dpp-staging";

/// What is known of a Deployment's rollout besides its objects.
#[derive(Debug, Default)]
struct Rollout {
    /// Someone has watched it since the last change of its pods.
    watched: bool,
    /// The watch has been told of its success.
    delivered: bool,
}

/// Everything the API server knows.
#[derive(Debug)]
pub(crate) struct World {
    store: Store,
    pub(crate) scenario: Scenario,
    /// Not now, but then: while the past is being made.
    past: Option<Timestamp>,
    placed: usize,
    rollouts: BTreeMap<(String, String), Rollout>,
    pods_watches: u32,
    open_pods_watches: u32,
    /// How far each open watch of pods has been told.
    told: BTreeMap<u32, u64>,
    cut: bool,
    instants: Vec<(String, SystemTime)>,
    cluster: Weak<Cluster>,
}

impl World {
    fn now(&self) -> Timestamp {
        self.past.unwrap_or_else(Timestamp::now)
    }
}

/// The world, shared by all requests.
#[derive(Debug)]
pub(crate) struct Cluster {
    world: Mutex<World>,
    runtime: tokio::runtime::Handle,
}

impl Cluster {
    pub(crate) fn new(scenario: Scenario, runtime: tokio::runtime::Handle) -> Arc<Cluster> {
        let cluster = Arc::new_cyclic(|cluster| Cluster {
            world: Mutex::new(World {
                store: Store::new(),
                scenario,
                past: None,
                placed: 0,
                rollouts: BTreeMap::new(),
                pods_watches: 0,
                open_pods_watches: 0,
                told: BTreeMap::new(),
                cut: false,
                instants: Vec::new(),
                cluster: Weak::clone(cluster),
            }),
            runtime,
        });
        before::build(&mut cluster.world());
        cluster
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn instants(&self) -> Vec<(String, SystemTime)> {
        self.world().instants.clone()
    }

    /// The tag of the image a ready pod of the API runs, the Deployment's own if one runs that.
    pub(crate) fn running_tag(&self) -> String {
        let world = self.world();
        let given =
            world.scenario.last(|with| if let With::Version(v) = with { Some(v.to_string()) } else { None });
        given.unwrap_or_else(|| {
            deployments::running_image(&world, STAGING, "dpp-api")
                .rsplit_once(':')
                .map_or(String::new(), |(_, tag)| tag.strip_prefix('v').unwrap_or(tag).to_owned())
        })
    }

    /// The API under test is asked for this path.
    pub(crate) fn api_asked(&self, path: &str) {
        rollouts::api_asked(&mut self.world(), path);
    }

    /// Deletes what a finished rollout replaced, and waits until every open watch has been told.
    pub(crate) async fn settle(&self) {
        let revision = {
            let mut world = self.world();
            rollouts::end_replaced_pods(&mut world, None);
            world.store.revision()
        };
        watches::told(self, revision).await;
    }
}
