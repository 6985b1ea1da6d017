//! The crash loop on a real control plane: from the watch's event to the STOP, and the whole run, each beside the runbook
//! by hand, in turns.
//!
//! ```text
//! cargo bench --bench real                 5 turns, `rollout status` by hand with --timeout=20s
//! cargo bench --bench real -- --runs=2
//! ```
#![allow(clippy::unwrap_used, reason = "a measurement that can't be made ends here, aloud")]

mod measuring;

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use camino::Utf8Path;
use jiff::Timestamp;
use measuring::{BareWatch, Row, Table, command, end_of_millisecond, manifest, median, quiet, time, took};
use real_cluster::Real;
use rehearsal::{Fate, When, environment, scenario};
use tempfile::TempDir;

/// The runbook by hand.
const BY_HAND: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/runbook_by_hand.sh");

/// The tool, built with this bench.
const TOOL: &str = env!("CARGO_BIN_EXE_staging-dry-run");

/// The timeout of `rollout status` by hand; the runbook's is 5 minutes.
const TIMEOUT: &str = "20s";

/// So long after it runs the new pod crashes.
const CRASH: Duration = Duration::from_secs(2);

/// A cluster for one measurement, and a folder that holds the manifests.
struct Stage {
    cluster: Real,
    folder: TempDir,
}

impl Stage {
    fn new() -> Self {
        let fate = Fate::CrashLoop { exit_code: 1, restarts: 2 };
        let scenario = scenario("healthy").unwrap().new_pods("dpp-api", fate, When::After(CRASH));
        let cluster = Real::start(scenario).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        fs::create_dir(root.join("k8s")).unwrap();
        for file in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/k8s")).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), folder.path().join("k8s").join(file.file_name())).unwrap();
        }
        cluster.write_kubeconfig(&root.join("kubeconfig"), "staging-cluster", Some("dpp-staging")).unwrap();
        Self { cluster, folder }
    }

    /// A program in the folder, with the runbook's inputs.
    fn command(&self, program: &str) -> Command {
        let root = Utf8Path::from_path(self.folder.path()).unwrap();
        let inputs = environment(
            &root.join("kubeconfig"),
            "dpp-staging",
            self.cluster.base_url(),
            self.cluster.metrics_url(),
        );
        let mut command = Command::new(program);
        command.current_dir(root).env_remove("STAGING_API_KEY").envs(inputs);
        command
    }
}

fn stopped(command: &mut Command) -> Duration {
    let began = Instant::now();
    let status = quiet(command).status().unwrap();
    assert_eq!(status.code(), Some(1), "a crash loop is a STOP");
    began.elapsed()
}

fn main() {
    let runs =
        std::env::args().find_map(|argument| argument.strip_prefix("--runs=")?.parse().ok()).unwrap_or(5);
    let (mut seen, mut decided, mut whole, mut by_hand) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..runs {
        let stage = Stage::new();
        let bare = BareWatch::start(stage.command("bash"));
        whole.push(stopped(stage.command(TOOL).arg("run")));
        let manifest = manifest(stage.folder.path());
        let event = bare.end();
        let look = command(&manifest, |id, _| id == "confirm.pod");
        seen.push(after(event, time(&manifest["stop"]["seen_at"])));
        decided.push(after(event, time(&look["started"]) + took(look)));

        let stage = Stage::new();
        by_hand.push(stopped(stage.command(BY_HAND).env("ROLLOUT_TIMEOUT", TIMEOUT)));
    }
    let mut table = Table { missed: false };
    for (figure, mut values) in [("stop.seen_at", seen), ("the decision", decided)] {
        values.sort_by(f64::total_cmp);
        table.row(&Row {
            figure: &format!("a bare --watch's line to {figure}, median of {runs}"),
            value: values[values.len() / 2],
            beside: None,
            limit: 300.0,
            unit: "ms",
        });
    }
    let [whole, by_hand] = [whole, by_hand].map(median);
    table.row(&Row {
        figure: &format!("crash loop, whole run, median of {runs}"),
        value: whole.as_secs_f64(),
        beside: Some((&format!("by hand (timeout {TIMEOUT})"), by_hand.as_secs_f64())),
        limit: by_hand.as_secs_f64(),
        unit: "s",
    });
}

/// So many ms after the event; less than none, when ours was the first to see it.
fn after(event: Timestamp, moment: Timestamp) -> f64 {
    end_of_millisecond(moment).duration_since(event).as_secs_f64() * 1e3
}
