//! The clusters: all that this bench knows of the rehearsal.

use std::fs;

use camino::Utf8Path;
use rehearsal::{Answer, Body, Fate, Rehearsal, Scenario, When, With, scenario};
use tempfile::TempDir;

use super::{Command, Duration, Path, Timestamp};

/// The paths of the ten checks, in their order, each with what it answers.
const CHECKS: [(&str, u16); 10] = [
    ("/health", 200),
    ("/readyz", 200),
    ("/.well-known/openapi.json", 200),
    ("/llms.txt", 200),
    ("/api-docs", 200),
    ("/redoc", 200),
    ("/metrics", 200),
    ("/pricing/ssot.json", 200),
    ("/docs/quickstart.md", 200),
    ("/v1/runs", 401),
];

/// A cluster started for one measurement, and a folder that holds the manifests.
pub(super) struct Stage {
    cluster: Rehearsal,
    folder: TempDir,
}

impl Stage {
    pub(super) fn healthy() -> Self {
        Self::of(scenario("healthy").unwrap())
    }

    /// The pod of dpp-api crashes so long after it was scheduled.
    pub(super) fn crash_after(delay: Duration) -> Self {
        let fate = Fate::CrashLoop { exit_code: 1, restarts: 2 };
        Self::of(scenario("healthy").unwrap().new_pods("dpp-api", fate, When::After(delay)))
    }

    /// Each path of the API takes so much longer than the one before it, and the first takes `least`.
    pub(super) fn slow_api(least: Duration, step: Duration) -> Self {
        let mut slow = scenario("healthy").unwrap();
        let mut takes = least;
        for (path, status) in CHECKS {
            slow = slow.answer(path, Answer { takes, ..Answer::new(status, Body::Usual) });
            takes += step;
        }
        Self::of(slow)
    }

    /// A crash loop, with logs of so many bytes.
    pub(super) fn long_logs(bytes: u64) -> Self {
        Self::of(scenario("crash-loop").unwrap().with(With::LogBytes(bytes)))
    }

    fn of(scenario: Scenario) -> Self {
        let cluster = Rehearsal::start(scenario).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("k8s")).unwrap();
        for file in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/k8s")).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), folder.path().join("k8s").join(file.file_name())).unwrap();
        }
        let kubeconfig = folder.path().join("kubeconfig");
        let kubeconfig = Utf8Path::from_path(&kubeconfig).unwrap();
        let namespace = cluster.context_namespace();
        cluster.write_kubeconfig(kubeconfig, "staging-cluster", namespace, rehearsal::USER).unwrap();
        Self { cluster, folder }
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A program in the folder, with the runbook's inputs.
    pub(super) fn command(&self, program: &str) -> Command {
        let kubeconfig = self.folder().join("kubeconfig");
        let inputs = rehearsal::environment(
            Utf8Path::from_path(&kubeconfig).unwrap(),
            rehearsal::NAMESPACE,
            self.cluster.base_url(),
            self.cluster.metrics_url(),
        );
        let mut command = Command::new(program);
        command.current_dir(self.folder()).env_remove("STAGING_API_KEY").envs(inputs);
        command
    }

    /// When the server wrote the first watch event with `CrashLoopBackOff`.
    pub(super) fn crash_written(&self) -> Timestamp {
        let (_, at) = self.cluster.instants().into_iter().next().unwrap();
        at.try_into().unwrap()
    }
}
