//! The figures that the tool must reach, each beside its alternative and measured with it in the same run, in turns.
//!
//! ```text
//! cargo bench --bench figures                         all of them
//! cargo bench --bench figures -- start size           some
//! cargo bench --bench figures -- start --runs=3       fewer turns (10 unless given)
//! ```
//! Exit status 1 when a figure is missed.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that can't be made ends here, aloud"
)]

use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// The tool, built with this bench: in the release profile, unless Cargo was told otherwise.
const TOOL: &str = env!("CARGO_BIN_EXE_staging-dry-run");

/// Takes one figure or some that belong together, in so many turns.
type Measure = fn(&mut Table, usize);

/// The figures, and the name that chooses each.
const FIGURES: &[(&str, Measure)] = &[("start", start), ("size", size)];

fn main() -> ExitCode {
    let mut runs = 10;
    let mut chosen = Vec::new();
    for argument in std::env::args().skip(1) {
        if let Some(number) = argument.strip_prefix("--runs=") {
            runs = number.parse().unwrap();
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
        measure(&mut table, runs);
    }
    ExitCode::from(u8::from(table.missed))
}

/// `--version` beside a program that does nothing.
fn start(table: &mut Table, runs: usize) {
    let turns = runs * 20;
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
fn size(table: &mut Table, _: usize) {
    #[allow(clippy::cast_precision_loss, reason = "a file of some megabytes")]
    let value = std::fs::metadata(TOOL).unwrap().len() as f64 / 1e6;
    table.row(&Row { figure: "the binary", value, beside: None, limit: 3.0, unit: "MB" });
}

/// What was measured, and how it stands to what it was measured beside and to its limit.
struct Row<'a> {
    figure: &'a str,
    value: f64,
    beside: Option<(&'a str, f64)>,
    /// The figure is reached when the value is not over it.
    limit: f64,
    unit: &'a str,
}

struct Table {
    missed: bool,
}

impl Table {
    fn row(&mut self, row: &Row<'_>) {
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

fn median(mut taken: Vec<Duration>) -> Duration {
    taken.sort_unstable();
    taken[taken.len() / 2]
}

/// How long a command takes that has to succeed.
fn wall(command: &mut Command) -> Duration {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let began = Instant::now();
    let status = command.status().unwrap();
    let took = began.elapsed();
    assert!(status.success(), "{command:?}: {status}");
    took
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
