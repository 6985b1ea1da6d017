//! `real-cluster`: runs a command in a scenario on a real control plane of its own.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is the one place that prints")]

use std::process::{Command, ExitCode};

use camino::{Utf8Path, Utf8PathBuf};
use clap::Parser;
use real_cluster::{Real, build};
use rehearsal::{SCENARIOS, environment, scenario};

/// A scenario on a real Kubernetes control plane, with kwok in place of kubelets, for as long as a command runs.
#[derive(Parser, Debug)]
#[command(version)]
struct Options {
    /// The scenario (see --list)
    #[arg(required_unless_present = "list")]
    scenario: Option<String>,
    /// List the scenarios
    #[arg(long)]
    list: bool,
    /// Write what the scenario changes about the manifests into this folder, which holds them
    #[arg(long, value_name = "DIR")]
    manifests: Option<Utf8PathBuf>,
    /// Run this command with the scenario's environment, and end with its status
    #[arg(last = true, required_unless_present = "list")]
    command: Vec<String>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if options.list {
        for row in SCENARIOS {
            println!("{:32} {}", row.name, row.about);
        }
        return ExitCode::SUCCESS;
    }
    match run(&options) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("real-cluster: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> std::io::Result<u8> {
    let name = options.scenario.as_deref().unwrap_or_default();
    let scenario = scenario(name).ok_or_else(|| {
        std::io::Error::other(format!("no scenario {name:?}; real-cluster --list names them"))
    })?;
    if let Some(folder) = &options.manifests {
        scenario.edit_manifests(folder)?;
    }
    build()?;
    let cluster = Real::start(scenario)?;
    let folder = tempfile::tempdir()?;
    let kubeconfig = Utf8Path::from_path(folder.path())
        .ok_or_else(|| std::io::Error::other("the folder for temporary files is not UTF-8"))?
        .join("kubeconfig");
    let scenario = cluster.scenario();
    cluster.write_kubeconfig(&kubeconfig, "staging-cluster", scenario.context_namespace())?;
    let environment =
        environment(&kubeconfig, scenario.staging_namespace(), cluster.base_url(), cluster.metrics_url());
    let [program, arguments @ ..] = &options.command[..] else { return Ok(0) };
    let status = Command::new(program).args(arguments).envs(environment).status()?;
    Ok(rehearsal::exit_code(status))
}
