//! A node for as long as a test runs, and runs of the program on it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tempfile::TempDir;

/// The script that starts and ends it.
pub(super) const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/real-cluster.sh");

const MANIFESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/k8s");

/// A base URL, and the one of the metrics, by a `ClusterIP`.
pub(super) const CLUSTER_IP: [&str; 2] = ["http://10.96.0.80", "http://10.96.0.80:9090"];

/// The same by the `NodePort`.
pub(super) const NODE_PORT: [&str; 2] = ["http://10.0.11.21:30080", "http://10.0.11.21:30090"];

/// The tag that runs before an upgrade.
pub(super) const OLD_TAG: &str = "v0.4.2.2";

/// Waits until no other test of this process has a node.
pub(super) fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `scripts/real-cluster.sh --node …`, in a process group of its own.
pub(super) fn script(arguments: &[&str]) -> Command {
    let mut command = Command::new("bash");
    command.arg(SCRIPT).arg("--node").args(arguments).stdin(Stdio::null()).process_group(0);
    command
}

/// Runs the script to its end.
pub(super) fn script_ran(arguments: &[&str]) -> Output {
    script(arguments).output().unwrap()
}

/// A node that ends with this process: the script that holds it waits for the end of its standard input.
pub(super) struct Node {
    pub(super) script: Child,
    held: Option<ChildStdin>,
}

impl Node {
    pub(super) fn start() -> Node {
        let mut command = script(&["hold"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut script = command.spawn().unwrap();
        let held = script.stdin.take();
        let mut kubeconfig = String::new();
        BufReader::new(script.stdout.take().unwrap()).read_line(&mut kubeconfig).unwrap();
        if kubeconfig.is_empty() {
            let mut message = String::new();
            script.stderr.take().unwrap().read_to_string(&mut message).unwrap();
            panic!("no node: {message}");
        }
        Node { script, held }
    }

    /// A command in the network of the node.
    pub(super) fn inside(arguments: &[&str]) -> Command {
        let mut command = script(&["in"]);
        command.args(arguments);
        command
    }

    /// kubectl as an administrator.
    pub(super) fn kubectl(arguments: &[&str]) -> String {
        let output = Node::inside(&["kubectl", "--context=admin"]).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Deploys a tag as an administrator, and waits until all of its pods are ready.
    pub(super) fn deploy(tag: &str) {
        let mut apply = Node::inside(&["kubectl", "--context=admin", "apply", "-f", "-"]);
        let mut apply = apply.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let files = ["api", "worker", "reaper"].map(|name| {
            let text = std::fs::read_to_string(format!("{MANIFESTS}/{name}-deployment.yaml")).unwrap();
            text.replace("${AWS_ACCOUNT_ID}", "123456789012").replace("${IMAGE_TAG}", tag)
        });
        apply.stdin.take().unwrap().write_all(files.join("---\n").as_bytes()).unwrap();
        assert!(apply.wait().unwrap().success());
        // The autoscaler's first look may take 15 s.
        Node::kubectl(&["scale", "-n", "dpp-staging", "deployment/dpp-worker", "--replicas=5"]);
        for name in ["dpp-api", "dpp-worker", "dpp-reaper"] {
            let deployment = format!("deployment/{name}");
            Node::kubectl(&["rollout", "status", "-n", "dpp-staging", &deployment, "--timeout=120s"]);
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.held.take());
        let _ended = self.script.wait();
    }
}

/// A run that is over.
pub(super) struct Ran {
    pub(super) status: Option<i32>,
    pub(super) screen: String,
    evidence: PathBuf,
    _repository: TempDir,
}

/// Deploys a tag with the program, as the user who deploys.
pub(super) fn run(tag: &str, urls: [&str; 2], options: &[&str]) -> Ran {
    run_edited(tag, urls, options, |api| api)
}

/// The same with another manifest of the API.
pub(super) fn run_edited(
    tag: &str,
    [base, metrics]: [&str; 2],
    options: &[&str],
    edit: impl FnOnce(String) -> String,
) -> Ran {
    let repository = tempfile::Builder::new().prefix("team's staging ").tempdir().unwrap();
    let (path, evidence) = (repository.path(), repository.path().join("evidence"));
    copy_manifests(&path.join("k8s"));
    let api = path.join("k8s/api-deployment.yaml");
    std::fs::write(&api, edit(std::fs::read_to_string(&api).unwrap())).unwrap();
    let mut command = Node::inside(&[env!("CARGO_BIN_EXE_staging-dry-run"), "run", "--evidence"]);
    command
        .arg(&evidence)
        .args(options)
        .current_dir(path)
        .env("STAGING_CONTEXT", "staging-cluster")
        .env("STAGING_NAMESPACE", "dpp-staging")
        .env("STAGING_BASE_URL", base)
        .env("STAGING_METRICS_URL", metrics)
        .env("AWS_ACCOUNT_ID", "123456789012")
        .env("IMAGE_TAG", tag);
    let output = command.output().unwrap();
    let screen = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    let mut dated: Vec<PathBuf> =
        std::fs::read_dir(&evidence).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    dated.retain(|path| path.join("manifest.json").exists());
    dated.sort();
    let evidence = dated.into_iter().next().unwrap_or_else(|| panic!("no evidence: {screen}"));
    Ran { status: output.status.code(), screen, evidence, _repository: repository }
}

fn copy_manifests(to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(MANIFESTS).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

impl Ran {
    #[track_caller]
    pub(super) fn exits(self, status: i32) -> Ran {
        assert_eq!(self.status, Some(status), "{}", self.screen);
        self
    }

    #[track_caller]
    pub(super) fn stops_by(self, rule: u64) -> Ran {
        assert_eq!(self.manifest()["stop"]["rule"], rule, "{}", self.screen);
        self
    }

    #[track_caller]
    pub(super) fn prints(self, words: &str) -> Ran {
        assert!(self.screen.contains(words), "not printed: {words}\n{}", self.screen);
        self
    }

    #[track_caller]
    pub(super) fn recorded(self, file: &str, words: &str) -> Ran {
        let text = std::fs::read_to_string(self.evidence.join(file)).unwrap();
        assert!(text.contains(words), "{file} does not contain {words}:\n{text}");
        self
    }

    /// The evidence holds up to the program's own check.
    #[track_caller]
    pub(super) fn verifies(self) -> Ran {
        let mut verify = Command::new(env!("CARGO_BIN_EXE_staging-dry-run"));
        let output = verify.arg("verify").arg(&self.evidence).output().unwrap();
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        assert!(output.status.success(), "{text}\n{}", self.screen);
        self
    }

    pub(super) fn manifest(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.evidence.join("manifest.json")).unwrap()).unwrap()
    }
}
