//! The rehearsal's scenarios on a real Kubernetes control plane: etcd, kube-apiserver, kube-controller-manager and
//! kube-scheduler as they are, and kwok in place of kubelets. The API under test is the rehearsal's stand-in.
//!
//! ```no_run
//! let cluster = real_cluster::Real::start(rehearsal::scenario("crash-loop").unwrap())?;
//! cluster.write_kubeconfig("kubeconfig".as_ref(), "staging-cluster", Some("dpp-staging"))?;
//! println!("{}", cluster.base_url());
//! # Ok::<(), std::io::Error>(())
//! ```

mod control_plane;
mod fates;
mod kubectl;
pub mod roles;
mod seed;

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use rehearsal::{Rehearsal, Scenario, When, With};
use serde_json::Value;
use tempfile::TempDir;

pub use control_plane::{Program, build};
pub use kubectl::Kubectl;

use control_plane::ControlPlane;

/// Who deploys: bound to what `k8s/rbac.yaml` grants, and to nothing else.
pub const USER: &str = "ci-deployer";

/// How long a scenario's event is waited for.
const PATIENCE: Duration = Duration::from_mins(5);

/// A scenario on a cluster of its own; both end when this is dropped.
#[derive(Debug)]
pub struct Real {
    scenario: Scenario,
    api: Arc<Rehearsal>,
    control_plane: ControlPlane,
    folder: TempDir,
}

impl Real {
    /// Starts a cluster and lays out what the scenario says was there before.
    ///
    /// # Errors
    /// When it can't be built or started, or refuses what is laid out.
    pub fn start(scenario: Scenario) -> io::Result<Real> {
        let folder = tempfile::Builder::new().prefix("real-cluster-").tempdir()?;
        let path = utf8(folder.path())?;
        fs_err::write(path.join("kwok.yaml"), fates::kwok_config(&scenario)?)?;
        let control_plane = ControlPlane::start(&path, &scenario)?;
        let api = Arc::new(Rehearsal::start(of_api(&scenario))?);
        let real = Real { scenario, api, control_plane, folder };
        seed::lay_out(&real.admin(), &real.scenario)?;
        real.let_fate_follow_the_api();
        Ok(real)
    }

    /// The scenario that runs.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// The cluster's folder: its logs, and its kubeconfig.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// kubectl, as one who may do everything.
    pub fn admin(&self) -> Kubectl {
        Kubectl::admin(self.control_plane.kubeconfig())
    }

    /// The address of the API under test.
    pub fn base_url(&self) -> String {
        self.api.base_url()
    }

    /// The address of the listener that has `/metrics` only.
    pub fn metrics_url(&self) -> String {
        self.api.metrics_url()
    }

    /// Every request to the API under test, in the order they came.
    pub fn api_requests(&self) -> Vec<rehearsal::ApiRequest> {
        self.api.api_requests()
    }

    /// Writes a kubeconfig with one context, for the user who deploys; it is not the current one.
    ///
    /// # Errors
    /// When the cluster's own can't be read, or this can't be written.
    pub fn write_kubeconfig(
        &self,
        path: &Utf8Path,
        context: &str,
        namespace: Option<&str>,
    ) -> io::Result<()> {
        let of_cluster = self.admin().json(&["config", "view", "--raw", "-o", "json"])?;
        let named = |list: &str, name: &str| {
            let found = of_cluster[list].as_array().into_iter().flatten().find(|entry| entry["name"] == name);
            found.cloned().ok_or_else(|| io::Error::other(format!("the cluster's kubeconfig has no {name}")))
        };
        let mut entry = serde_json::json!({"cluster": "staging", "user": USER});
        if let Some(namespace) = namespace {
            entry["namespace"] = serde_json::json!(namespace);
        }
        let config = serde_json::json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [named("clusters", "staging")?],
            "contexts": [{"name": context, "context": entry}],
            "users": [named("users", USER)?],
            "current-context": "",
        });
        fs_err::write(path, format!("{config:#}\n"))
    }

    /// What the user who deploys has asked the API server to change, from its own audit log: `VERB URI`. Refused
    /// requests are among them; reads, server-side dry runs and reviews are not.
    ///
    /// # Errors
    /// When the audit log can't be read.
    pub fn writes(&self) -> io::Result<Vec<String>> {
        let log = fs_err::read_to_string(self.folder.path().join("logs/audit.jsonl"))?;
        let events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let of = |event: &Value, field: &str| event[field].as_str().unwrap_or_default().to_owned();
        Ok(events
            .map(|event| (of(&event, "verb"), of(&event, "requestURI"), of(&event, "stage")))
            .filter(|(verb, uri, stage)| {
                stage == "ResponseComplete"
                    && ["create", "update", "patch", "delete", "deletecollection"].contains(&verb.as_str())
                    && !uri.contains("dryRun=All")
                    && !["/apis/authorization.k8s.io/", "/apis/authentication.k8s.io/"]
                        .iter()
                        .any(|group| uri.starts_with(group))
            })
            .map(|(verb, uri, _)| format!("{verb} {uri}"))
            .collect())
    }

    /// Sends a signal (`STOP`, `CONT`, `KILL`) to a program of the control plane.
    ///
    /// # Errors
    /// When it does not run.
    pub fn signal(&self, program: Program, signal: &str) -> io::Result<()> {
        self.control_plane.signal(program, signal)
    }

    /// Starts what does not run any more, on its old port and data, and waits until all is ready.
    ///
    /// # Errors
    /// When it does not get ready.
    pub fn start_again(&self) -> io::Result<()> {
        self.control_plane.start_again()
    }

    /// A fate that waits for a request to the API under test comes over one pod when it is asked.
    fn let_fate_follow_the_api(&self) {
        for with in &self.scenario.with {
            let With::New { deployment, fate, when: When::ApiAsked(path) } = with else { continue };
            let (api, admin, path) = (Arc::clone(&self.api), self.admin(), *path);
            let (deployment, fate) = (deployment.to_string(), fate.clone());
            thread::spawn(move || {
                if api.await_api_request(path, PATIENCE) {
                    let _told = seed::meets(&admin, &deployment, 0, &fate);
                }
            });
        }
    }
}

/// The stand-in API knows no cluster but its own, where nothing is deployed: it is told the version.
fn of_api(scenario: &Scenario) -> Scenario {
    let version = fates::NEW_TAG.trim_start_matches('v');
    let mut of_api = Scenario { name: scenario.name.clone(), with: vec![With::Version(version.into())] };
    of_api.with.extend(
        scenario.with.iter().filter(|with| matches!(with, With::Answer { .. } | With::Version(_))).cloned(),
    );
    of_api
}

fn utf8(path: &std::path::Path) -> io::Result<Utf8PathBuf> {
    Utf8PathBuf::from_path_buf(path.to_owned())
        .map_err(|path| io::Error::other(format!("{} is not UTF-8", path.display())))
}
