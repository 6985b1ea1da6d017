//! The rehearsal: a simulated Kubernetes API server and a stand-in for the API under test, on loopback, that the
//! real kubectl, curl and jq talk to.
//!
//! ```no_run
//! let cluster = rehearsal::Rehearsal::start(rehearsal::scenario("crash-loop").unwrap())?;
//! cluster.write_kubeconfig("kubeconfig".as_ref(), "staging-cluster", Some("dpp-staging"), "ci-deployer")?;
//! println!("{} {}", cluster.server_url(), cluster.base_url());
//! # Ok::<(), std::io::Error>(())
//! ```

mod api;
mod before;
mod cluster;
mod http;
mod log;
mod query;
mod scenarios;
mod servers;
mod time;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use camino::Utf8Path;

pub use log::{ApiRequest, Request};
pub use scenarios::{
    Answer, Body, Denied, FATE, Fate, Row, SCENARIOS, Scenario, Text, Until, When, With, scenario,
};

use cluster::Cluster;
use log::Log;

/// Who the API server takes its user for: kubectl sends no credentials over plain HTTP.
pub const USER: &str = "ci-deployer";

/// The namespace that is deployed to.
pub const NAMESPACE: &str = cluster::STAGING;

/// A running rehearsal; it ends when this is dropped.
#[derive(Debug)]
pub struct Rehearsal {
    scenario: Scenario,
    cluster: Arc<Cluster>,
    log: Arc<Log>,
    server: SocketAddr,
    base: SocketAddr,
    metrics: SocketAddr,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Rehearsal {
    /// Starts a rehearsal of this scenario on ports of its own.
    ///
    /// # Errors
    /// When there are no ports or no threads to be had.
    pub fn start(scenario: Scenario) -> io::Result<Rehearsal> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let cluster = Cluster::new(scenario.clone(), runtime.handle().clone());
        let log = Arc::new(Log::default());
        let listeners = [listener()?, listener()?, listener()?];
        let mut addresses = Vec::new();
        for listener in &listeners {
            addresses.push(listener.local_addr()?);
        }
        let [server, base, metrics] = listeners;
        let api = Arc::new(servers::Api::new(Arc::clone(&cluster), Arc::clone(&log)));
        runtime.spawn(servers::cluster(server, Arc::clone(&cluster), Arc::clone(&log)));
        runtime.spawn(servers::api(base, Arc::clone(&api), false));
        runtime.spawn(servers::api(metrics, api, true));
        let (server, base, metrics) = (addresses[0], addresses[1], addresses[2]);
        Ok(Rehearsal { scenario, cluster, log, server, base, metrics, runtime: Some(runtime) })
    }

    /// The scenario that runs.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// The API server's address, for a kubeconfig.
    pub fn server_url(&self) -> String {
        format!("http://{}", self.server)
    }

    /// The address of the API under test.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.base)
    }

    /// The address of the listener that has `/metrics` only.
    pub fn metrics_url(&self) -> String {
        format!("http://{}", self.metrics)
    }

    /// Writes a kubeconfig with one context, which is not the current one.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn write_kubeconfig(
        &self,
        path: &Utf8Path,
        context: &str,
        namespace: Option<&str>,
        user: &str,
    ) -> io::Result<()> {
        let mut entry = serde_json::json!({"cluster": "staging", "user": user});
        if let Some(namespace) = namespace {
            entry["namespace"] = serde_json::json!(namespace);
        }
        let config = serde_json::json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "staging", "cluster": {"server": self.server_url()}}],
            "contexts": [{"name": context, "context": entry}],
            "users": [{"name": user, "user": {}}],
            "current-context": "",
        });
        fs_err::write(path, format!("{config:#}\n"))
    }

    /// The default namespace the scenario wants the kubeconfig's context to have.
    pub fn context_namespace(&self) -> Option<&str> {
        self.scenario.context_namespace()
    }

    /// What `STAGING_NAMESPACE` is to whoever deploys.
    pub fn staging_namespace(&self) -> &str {
        self.scenario.staging_namespace()
    }

    /// Every request to the API server, in the order they came.
    pub fn requests(&self) -> Vec<Request> {
        self.log.requests()
    }

    /// The requests that really changed something, or would have had they not been refused: writes that are no
    /// server-side dry run and no review.
    pub fn writes(&self) -> Vec<Request> {
        self.requests().into_iter().filter(Request::is_write).collect()
    }

    /// Requests to the API server that it does not know. A test should see none.
    pub fn unknown_requests(&self) -> Vec<Request> {
        self.requests().into_iter().filter(|request| request.status == 501).collect()
    }

    /// Every request to the stand-in API, in the order they came.
    pub fn api_requests(&self) -> Vec<ApiRequest> {
        self.log.api_requests()
    }

    /// Waits until the stand-in API is asked for this path; whether it was.
    pub fn await_api_request(&self, path: &str, patience: Duration) -> bool {
        self.log.await_api(path, patience)
    }

    /// Forgets all requests so far.
    pub fn forget_requests(&self) {
        self.log.forget();
    }

    /// When a watch of pods was told of a `CrashLoopBackOff`: `CrashLoopBackOff POD`, just before the write.
    pub fn instants(&self) -> Vec<(String, SystemTime)> {
        self.cluster.instants()
    }
}

/// The inputs of a run on a cluster, as whoever deploys would set them.
pub fn environment(
    kubeconfig: &Utf8Path,
    namespace: &str,
    base_url: String,
    metrics_url: String,
) -> [(&'static str, String); 8] {
    [
        ("KUBECONFIG", kubeconfig.to_string()),
        ("STAGING_CONTEXT", "staging-cluster".to_owned()),
        ("STAGING_NAMESPACE", namespace.to_owned()),
        ("STAGING_BASE_URL", base_url),
        ("STAGING_METRICS_URL", metrics_url),
        ("AWS_ACCOUNT_ID", "123456789012".to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("IMAGE_TAG", "v0.4.2.2".to_owned()),
    ]
}

/// A command's status as a shell gives it: 128 and the signal's number, if one ended it.
pub fn exit_code(status: std::process::ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}

fn listener() -> io::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

impl Drop for Rehearsal {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
