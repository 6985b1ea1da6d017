//! The figures that the tool must reach, each beside its alternative and measured with it in the same run, in turns.
//!
//! ```text
//! cargo bench --bench figures                         all of them
//! cargo bench --bench figures -- start size           some
//! cargo bench --bench figures -- start --runs=3       fewer turns (10 unless given)
//! cargo bench --bench figures -- crash --by-hand=20s  a shorter `rollout status` by hand than the runbook's 5m
//! ```
//! Exit status 1 when a figure is missed.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that can't be made ends here, aloud"
)]

#[path = "figures/long_run.rs"]
mod long_run;
mod measuring;
#[path = "figures/stage.rs"]
mod stage;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitCode};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use measuring::{
    BareWatch, Row, Table, between, command, end_of_millisecond, evidence, manifest, median, millis, quiet,
    time, took,
};
use serde_json::Value;
use stage::Stage;

/// The runbook by hand.
const BY_HAND: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/runbook_by_hand.sh");

/// The tool, built with this bench: in the release profile, unless Cargo was told otherwise.
const TOOL: &str = env!("CARGO_BIN_EXE_staging-dry-run");

/// Takes one figure or some that belong together, in so many turns.
type Measure = fn(&mut Table, &Asked);

/// The figures, and the name that chooses each.
const FIGURES: &[(&str, Measure)] = &[
    ("start", start),
    ("size", size),
    ("happy", happy),
    ("crash", crash),
    ("checks", checks),
    ("logs", logs),
    ("verify", verify),
    ("commands", commands),
];

/// What the command line asked for.
struct Asked {
    runs: usize,
    /// The timeout of `rollout status` by hand.
    by_hand: String,
}

fn main() -> ExitCode {
    let mut asked = Asked { runs: 10, by_hand: "5m".to_owned() };
    let mut chosen = Vec::new();
    for argument in std::env::args().skip(1) {
        if let Some(number) = argument.strip_prefix("--runs=") {
            asked.runs = number.parse().unwrap();
        } else if let Some(timeout) = argument.strip_prefix("--by-hand=") {
            timeout.clone_into(&mut asked.by_hand);
        } else if !argument.starts_with("--") {
            chosen.push(argument); // Cargo itself passes `--bench`.
        }
    }
    if let Some(unknown) = chosen.iter().find(|one| FIGURES.iter().all(|(name, _)| name != one)) {
        let names: Vec<_> = FIGURES.iter().map(|(name, _)| *name).collect();
        println!("There is no figure \"{unknown}\". There are: {}", names.join(", "));
        return ExitCode::from(2);
    }
    let mut table = Table { missed: false };
    for (_, measure) in
        FIGURES.iter().filter(|(name, _)| chosen.is_empty() || chosen.iter().any(|one| one == name))
    {
        measure(&mut table, &asked);
    }
    ExitCode::from(u8::from(table.missed))
}

/// `--version` beside a program that does nothing.
fn start(table: &mut Table, asked: &Asked) {
    let turns = asked.runs * 20;
    let [tool, nothing] = in_turns(
        turns,
        [&mut || wall(Command::new(TOOL).arg("--version")), &mut || wall(&mut Command::new("/bin/true"))],
    );
    table.row(&Row {
        figure: &format!("--version, median of {turns}"),
        value: millis(tool),
        beside: Some(("/bin/true", millis(nothing))),
        limit: millis(nothing) + 2.0,
        unit: "ms",
    });
}

/// The binary on disk.
fn size(table: &mut Table, _: &Asked) {
    #[allow(clippy::cast_precision_loss, reason = "a file of some megabytes")]
    let value = fs::metadata(TOOL).unwrap().len() as f64 / 1e6;
    table.row(&Row { figure: "the binary", value, beside: None, limit: 3.0, unit: "MB" });
}

/// A whole run beside the runbook by hand, each on a cluster started for it.
fn happy(table: &mut Table, asked: &Asked) {
    let api_takes = |millis| move || Stage::slow_api(Duration::from_millis(millis), Duration::ZERO);
    let stages: [(&str, &dyn Fn() -> Stage); 2] =
        [("", &Stage::healthy), (", API takes 30 ms", &api_takes(30))];
    for (kind, stage) in stages {
        let [tool, by_hand] = in_turns(
            asked.runs,
            [&mut || wall(stage().command(TOOL).arg("run")), &mut || wall(&mut stage().command(BY_HAND))],
        );
        table.row(&Row {
            figure: &format!("happy path{kind}, median of {}", asked.runs),
            value: tool.as_secs_f64(),
            beside: Some(("by hand", by_hand.as_secs_f64())),
            limit: by_hand.as_secs_f64(),
            unit: "s",
        });
    }
}

/// From the crash of a pod, 2 s after it was scheduled, to the STOP.
fn crash(table: &mut Table, asked: &Asked) {
    let (mut seen, mut bare_seen, mut confirmed) = (Vec::new(), Vec::new(), Vec::new());
    let (mut decided, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..asked.runs {
        let stage = Stage::crash_after(Duration::from_secs(2));
        let bare = BareWatch::start(stage.command("bash"));
        let began = Instant::now();
        let status = quiet(stage.command(TOOL).arg("run")).status().unwrap();
        whole.push(began.elapsed());
        assert_eq!(status.code(), Some(1), "a crash loop is a STOP");
        let manifest = manifest(stage.folder());
        let seen_at = end_of_millisecond(time(&manifest["stop"]["seen_at"]));
        let look = command(&manifest, |id, _| id == "confirm.pod");
        let decision = end_of_millisecond(time(&look["started"]) + took(look));
        let written = stage.crash_written();
        seen.push(between(written, seen_at));
        bare_seen.push(between(written, bare.end()));
        confirmed.push(between(written, decision));
        decided.push(between(time(&command(&manifest, |id, _| id == "apply.api")["started"]), decision));
    }
    let [seen, bare_seen, confirmed, decided, whole] =
        [seen, bare_seen, confirmed, decided, whole].map(median);
    let runs = asked.runs;
    table.row(&Row {
        figure: &format!("crash loop, event to stop.seen_at, median of {runs}"),
        value: millis(seen),
        beside: Some(("bare kubectl --watch", millis(bare_seen))),
        limit: 300.0,
        unit: "ms",
    });
    table.row(&Row {
        figure: &format!("crash loop, event to decision, median of {runs}"),
        value: millis(confirmed),
        beside: Some(("bare kubectl --watch", millis(bare_seen))),
        limit: 300.0,
        unit: "ms",
    });
    table.row(&Row {
        figure: &format!("crash loop, apply to decision, median of {runs}"),
        value: decided.as_secs_f64(),
        beside: None,
        limit: 2.9,
        unit: "s",
    });
    let stage = Stage::crash_after(Duration::from_secs(2));
    let began = Instant::now();
    let status = quiet(stage.command(BY_HAND).env("ROLLOUT_TIMEOUT", &asked.by_hand)).status().unwrap();
    let by_hand = began.elapsed();
    assert_eq!(status.code(), Some(1), "a crash loop is a STOP by hand too");
    table.row(&Row {
        figure: &format!("crash loop, whole run, median of {runs}"),
        value: whole.as_secs_f64(),
        beside: Some((&format!("by hand, once (timeout {})", asked.by_hand), by_hand.as_secs_f64())),
        limit: 5.0,
        unit: "s",
    });
}

/// The ten checks beside the slowest of them, and beside the ten by hand, on an API that takes its time.
fn checks(table: &mut Table, asked: &Asked) {
    let (mut ten, mut slowest, mut by_hand) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..asked.runs {
        let stage = Stage::slow_api(Duration::from_millis(50), Duration::from_millis(50));
        wall(stage.command(TOOL).arg("run"));
        let manifest = manifest(stage.folder());
        let checks: Vec<(Timestamp, Duration)> = manifest["commands"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|command| command["id"].as_str().unwrap().starts_with("check."))
            .map(|command| (time(&command["started"]), took(command)))
            .collect();
        assert_eq!(checks.len(), 10);
        let began = checks.iter().map(|(began, _)| *began).min().unwrap();
        ten.push(checks.iter().map(|(started, took)| between(began, *started) + *took).max().unwrap());
        slowest.push(checks.iter().map(|(_, took)| *took).max().unwrap());

        let stage = Stage::slow_api(Duration::from_millis(50), Duration::from_millis(50));
        wall(&mut stage.command(BY_HAND));
        let file = evidence(stage.folder()).join("smoke/ten_checks_ms");
        by_hand.push(Duration::from_millis(fs::read_to_string(file).unwrap().trim().parse().unwrap()));
    }
    let [ten, slowest, by_hand] = [ten, slowest, by_hand].map(median);
    for (name, other) in [("the slowest", slowest), ("one after another, by hand", by_hand)] {
        table.row(&Row {
            figure: &format!("ten checks, median of {}", asked.runs),
            value: millis(ten),
            beside: Some((name, millis(other))),
            limit: millis(slowest) * 1.25,
            unit: "ms",
        });
    }
}

/// The logs of a STOP, 1 GiB of each pod, beside the same `kubectl logs` into a file.
fn logs(table: &mut Table, _: &Asked) {
    const BYTES: u64 = 1 << 30;
    let stage = Stage::long_logs(BYTES);
    // With a key, all forms of which are looked for.
    let with_key = || {
        let mut command = stage.command(TOOL);
        command.env("STAGING_API_KEY", "sk_figures_0123456789");
        command
    };
    let peak = peak_of(quiet(with_key().arg("run")).spawn().unwrap());
    let manifest = manifest(stage.folder());
    let kept = evidence(stage.folder()).join("dump_logs/app_logs_tail.txt");
    let dumps: Vec<&Value> = manifest["commands"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| ["dump.logs", "dump.previous"].contains(&one["id"].as_str().unwrap()))
        .collect();
    let count = u64::try_from(dumps.len()).unwrap();
    let bytes = fs::metadata(&kept).unwrap().len();
    assert!(count > 0 && bytes >= count * BYTES, "{bytes} bytes of {count} logs were kept");
    let again = stage.folder().join("again");
    let peak_again = peak_of(
        quiet(with_key().arg("replay").arg(evidence(stage.folder())).arg("--into").arg(&again))
            .spawn()
            .unwrap(),
    );
    assert_eq!(fs::metadata(again.join("dump_logs/app_logs_tail.txt")).unwrap().len(), bytes);
    fs::remove_dir_all(again).unwrap(); // Some gigabytes: the disk should be as free for the others.
    fs::remove_file(kept).unwrap();

    let direct = dumps.iter().map(|dump| {
        let file = stage.folder().join("direct.log");
        let line = format!("{} > direct.log", dump["text"].as_str().unwrap());
        let took = wall(stage.command("bash").args(["-c", &line]));
        fs::remove_file(file).unwrap();
        took
    });
    let direct = median(direct.collect());
    let took = median(dumps.into_iter().map(took).collect());
    table.row(&Row {
        figure: &format!("{count} x 1 GiB of logs, peak memory (VmHWM)"),
        value: peak,
        beside: None,
        limit: 16.0,
        unit: "MiB",
    });
    table.row(&Row {
        figure: "replay of these, peak memory (VmHWM)",
        value: peak_again,
        beside: None,
        limit: 32.0,
        unit: "MiB",
    });
    table.row(&Row {
        figure: &format!("1 GiB of logs, median of {count}"),
        value: took.as_secs_f64(),
        beside: Some(("kubectl logs > file", direct.as_secs_f64())),
        limit: direct.as_secs_f64() * 2.0,
        unit: "s",
    });
}

/// `verify` of a tree of 1 GiB, the passing sample with one more file, beside coreutils on the sums alone.
fn verify(table: &mut Table, asked: &Asked) {
    let folder = tempfile::tempdir().unwrap();
    let script = "cp -a \"$1\"/. . && head -c 1G /dev/urandom >more.log &&
        find . -type f ! -name SHA256SUMS -printf '%P\\0' | sort -z | xargs -0 sha256sum >SHA256SUMS";
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/evidence/samples/pass");
    let made =
        Command::new("bash").args(["-c", script, "bash", sample]).current_dir(&folder).status().unwrap();
    assert!(made.success());
    let (mut verified, mut summed, mut peak) = (Vec::new(), Vec::new(), 0.0_f64);
    for _ in 0..asked.runs {
        let started = Instant::now();
        peak = peak.max(peak_of(quiet(Command::new(TOOL).arg("verify").arg(folder.path())).spawn().unwrap()));
        verified.push(started.elapsed());
        let started = Instant::now();
        let sums = ["--check", "--quiet", "SHA256SUMS"];
        assert!(Command::new("sha256sum").args(sums).current_dir(&folder).status().unwrap().success());
        summed.push(started.elapsed());
    }
    let (verified, summed) = (median(verified).as_secs_f64(), median(summed).as_secs_f64());
    table.row(&Row {
        figure: "verify of 1 GiB, peak memory (VmHWM)",
        value: peak,
        unit: "MiB",
        limit: 32.0,
        beside: None,
    });
    table.row(&Row {
        figure: "verify of 1 GiB",
        value: verified,
        unit: "s",
        limit: 2.0 * summed,
        beside: Some(("sha256sum -c", summed)),
    });
}

/// `verify` of runs with thousands of commands: the time grows as their number does.
fn commands(table: &mut Table, asked: &Asked) {
    let folder = tempfile::tempdir().unwrap();
    let into = camino::Utf8Path::from_path(folder.path()).unwrap();
    let mut smallest = None;
    for number in [2_500, 5_000, 10_000] {
        let root = long_run::with_commands(into, number);
        let (mut times, mut peak) = (Vec::new(), 0.0_f64);
        for _ in 0..asked.runs {
            let started = Instant::now();
            let child = quiet(Command::new(TOOL).arg("verify").arg(&root)).spawn().unwrap();
            peak = peak.max(peak_of(child));
            times.push(started.elapsed());
        }
        let report = Command::new(TOOL).arg("verify").arg(&root).output().unwrap();
        assert!(report.status.success(), "{}", String::from_utf8_lossy(&report.stdout));
        let seconds = median(times).as_secs_f64();
        let first = *smallest.get_or_insert(seconds);
        table.row(&Row {
            figure: &format!("verify of {number} commands"),
            value: seconds,
            unit: "s",
            limit: 1.0,
            beside: Some(("2500 commands", first)),
        });
        table.row(&Row {
            figure: &format!("verify of {number} commands, peak memory (VmHWM)"),
            value: peak,
            unit: "MiB",
            limit: 64.0,
            beside: None,
        });
    }
}

/// The most memory a process ever had, in MiB: `VmHWM` only grows, so the last look before its end counts.
fn peak_of(mut child: Child) -> f64 {
    let status = format!("/proc/{}/status", child.id());
    let (done, ended) = mpsc::channel::<()>();
    let watcher = thread::spawn(move || {
        let mut peak = 0.0_f64;
        while ended.recv_timeout(Duration::from_millis(5)) == Err(mpsc::RecvTimeoutError::Timeout) {
            let text = fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
            peak = peak.max(kib.unwrap_or(0.0) / 1024.0);
        }
        peak
    });
    child.wait().unwrap();
    drop(done);
    watcher.join().unwrap()
}

/// Measures the one, then the other, so often; gives the median of each. In turns, so that what else this machine does
/// meets both.
fn in_turns(turns: usize, measures: [&mut dyn FnMut() -> Duration; 2]) -> [Duration; 2] {
    let mut taken = [Vec::new(), Vec::new()];
    let mut measures = measures;
    for _ in 0..turns {
        for (measure, taken) in measures.iter_mut().zip(&mut taken) {
            taken.push(measure());
        }
    }
    taken.map(median)
}

/// How long a command takes that has to succeed.
fn wall(command: &mut Command) -> Duration {
    quiet(command);
    let began = Instant::now();
    let status = command.status().unwrap();
    let took = began.elapsed();
    assert!(status.success(), "{command:?}: {status}");
    took
}
