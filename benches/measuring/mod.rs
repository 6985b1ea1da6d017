//! How the benchmarks measure and print.
#![allow(dead_code, clippy::unwrap_used, clippy::print_stdout, reason = "each of the benchmarks uses a part")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

/// `kubectl get pods --watch` with nothing around it, read as fast as it can be.
pub(crate) struct BareWatch {
    child: Child,
    crash: mpsc::Receiver<Timestamp>,
}

impl BareWatch {
    /// Starts it with `bash` as it is given: with the runbook's inputs.
    pub(crate) fn start(mut bash: Command) -> Self {
        let script = concat!(
            "exec kubectl --context=\"$STAGING_CONTEXT\" get pods -n \"$STAGING_NAMESPACE\"",
            " --watch --output-watch-events"
        );
        let mut child = quiet(bash.args(["-c", script])).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (send, crash) = mpsc::channel();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if line.split_whitespace().nth(3) == Some("CrashLoopBackOff") {
                    let _ = send.send(Timestamp::now());
                    return;
                }
            }
        });
        Self { child, crash }
    }

    /// When it printed the first `CrashLoopBackOff`.
    pub(crate) fn end(mut self) -> Timestamp {
        let crash = self.crash.recv_timeout(Duration::from_mins(1)).unwrap();
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        crash
    }
}

/// The evidence of the day's latest run.
pub(crate) fn evidence(root: &Path) -> std::path::PathBuf {
    let days = fs::read_dir(root.join("evidence/staging")).unwrap().map(|day| day.unwrap().path());
    days.filter(|day| day.is_dir() && day.extension().is_none()).max().unwrap()
}

pub(crate) fn manifest(root: &Path) -> Value {
    serde_json::from_slice(&fs::read(evidence(root).join("manifest.json")).unwrap()).unwrap()
}

/// The longest of the run's commands that `pick` chooses by id and text.
pub(crate) fn command(manifest: &Value, pick: impl Fn(&str, &str) -> bool) -> &Value {
    let commands = manifest["commands"].as_array().unwrap().iter();
    let picked = commands.filter(|one| pick(one["id"].as_str().unwrap(), one["text"].as_str().unwrap()));
    picked.max_by_key(|one| took(one)).unwrap()
}

pub(crate) fn took(command: &Value) -> Duration {
    Duration::from_millis(command["duration_ms"].as_u64().unwrap())
}

pub(crate) fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

/// The manifest holds whole milliseconds, cut off: to our disadvantage, the last moment that it can mean.
pub(crate) fn end_of_millisecond(moment: Timestamp) -> Timestamp {
    moment + Duration::from_millis(1)
}

pub(crate) fn between(earlier: Timestamp, later: Timestamp) -> Duration {
    later.duration_since(earlier).try_into().unwrap()
}

pub(crate) fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}

/// What was measured, and how it stands to what it was measured beside and to its limit.
pub(crate) struct Row<'a> {
    pub(crate) figure: &'a str,
    pub(crate) value: f64,
    pub(crate) beside: Option<(&'a str, f64)>,
    /// The figure is reached when the value is not over it.
    pub(crate) limit: f64,
    pub(crate) unit: &'a str,
}

pub(crate) struct Table {
    pub(crate) missed: bool,
}

impl Table {
    pub(crate) fn row(&mut self, row: &Row<'_>) {
        let Row { figure, value, beside, limit, unit } = row;
        let beside = beside.map_or(String::new(), |(name, other)| {
            format!("{name} {other:.2} {unit}, ratio {:.2}", value / other)
        });
        let reached = value <= limit;
        self.missed |= !reached;
        let verdict = if reached { "reached" } else { "MISSED" };
        println!("{figure:<44} {value:>9.2} {unit:<3}  limit {limit:>8.2}  {verdict:<8} {beside}");
    }
}

pub(crate) fn median(mut taken: Vec<Duration>) -> Duration {
    taken.sort_unstable();
    taken[taken.len() / 2]
}

pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
