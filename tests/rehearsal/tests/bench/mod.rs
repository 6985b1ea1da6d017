//! A bench to try real kubectl and curl on a rehearsal.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

use camino::Utf8PathBuf;
use rehearsal::{Rehearsal, Scenario, scenario};
use tempfile::TempDir;

#[path = "../../../support/kubectls.rs"]
mod promised;

/// The promised kubectls of this machine, oldest first.
pub fn kubectls() -> Vec<String> {
    promised::kubectls().into_iter().map(|kubectl| kubectl.path.display().to_string()).collect()
}

pub struct Bench {
    pub cluster: Rehearsal,
    folder: TempDir,
    kubectl: String,
}

/// What a command left.
#[derive(Debug)]
pub struct Left {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Left {
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self.out
    }
}

pub fn named(name: &str) -> Bench {
    bench(scenario(name).expect("a scenario"))
}

pub fn bench(scenario: Scenario) -> Bench {
    let cluster = Rehearsal::start(scenario).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::from_path_buf(folder.path().join("kubeconfig")).unwrap();
    let namespace = cluster.context_namespace().map(ToOwned::to_owned);
    cluster.write_kubeconfig(&path, "staging-cluster", namespace.as_deref(), rehearsal::USER).unwrap();
    Bench { cluster, folder, kubectl: "kubectl".to_owned() }
}

impl Bench {
    pub fn using(mut self, kubectl: &str) -> Bench {
        kubectl.clone_into(&mut self.kubectl);
        self
    }

    fn command(&self, args: &str) -> Command {
        let mut command = Command::new(&self.kubectl);
        command
            .env("KUBECONFIG", self.folder.path().join("kubeconfig"))
            .env("HOME", self.folder.path())
            .env("KUBECTL_KUBERC", "false")
            .args(["--context", "staging-cluster"])
            .args(args.split_whitespace())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub fn kubectl(&self, args: &str) -> Left {
        left(&self.command(args).output().unwrap())
    }

    pub fn apply(&self, manifest: &str, args: &str) -> Left {
        let mut child = self.command(&format!("apply -f - {args}")).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(manifest.as_bytes()).unwrap();
        left(&child.wait_with_output().unwrap())
    }

    /// Applies the next version of a Deployment.
    pub fn deploy(&self, name: &str) -> Left {
        self.apply(&next_version(name), "")
    }

    pub fn rollout(&self, name: &str, timeout: &str) -> Left {
        self.kubectl(&format!("rollout status deployment/{name} -n dpp-staging --timeout={timeout}"))
    }

    /// A watch of pods that has printed what there was.
    pub fn watch(&self) -> Watch {
        let mut child = self
            .command("get pods -n dpp-staging --watch --output-watch-events --request-timeout=20s")
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut text = String::new();
        while text.matches("ADDED").count() < 10 {
            assert_ne!(lines.read_line(&mut text).unwrap(), 0, "the watch ended: {text}");
        }
        // The list is printed; the first write waits until the watch is open, too (see `WritesAwaitPodsWatch`).
        Watch { child, lines, text }
    }

    pub fn curl(&self, args: &[&str], path: &str) -> Left {
        let url = if path.starts_with("http") { path.to_owned() } else { self.cluster.base_url() + path };
        left(
            &Command::new("curl")
                .args(["-q", "-sS", "-i", "--max-time", "5"])
                .args(args)
                .arg(url)
                .output()
                .unwrap(),
        )
    }
}

fn left(output: &std::process::Output) -> Left {
    Left {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

pub struct Watch {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
    text: String,
}

impl Watch {
    /// Reads on until this has been printed.
    pub fn until(&mut self, word: &str) -> &str {
        while !self.text.contains(word) {
            assert_ne!(self.lines.read_line(&mut self.text).unwrap(), 0, "the watch ended: {}", self.text);
        }
        &self.text
    }

    /// Waits for its end.
    pub fn end(mut self) -> (Option<i32>, String) {
        self.lines.read_to_string(&mut self.text).unwrap();
        (self.child.wait().unwrap().code(), std::mem::take(&mut self.text))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// EVENT, NAME and STATUS of each row: what does not depend on time.
pub fn rows(watch: &str) -> Vec<String> {
    watch
        .lines()
        .map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            [fields[0], fields[1], fields[3]].join(" ")
        })
        .collect()
}

pub fn next_version(name: &str) -> String {
    let all = include_str!("../../fixtures/before.json");
    let all = all.replace("${AWS_ACCOUNT_ID}", "123456789012").replace("${IMAGE_TAG}", "v0.4.2.2");
    let all: Vec<serde_json::Value> = serde_json::from_str(&all).unwrap();
    let mine = all.into_iter().filter(|object| object["metadata"]["name"] == name);
    let mine: Vec<String> = mine.map(|object| object.to_string()).collect();
    format!("---\n{}\n", mine.join("\n---\n"))
}
