//! `rehearsal`: starts a scenario for a person or a script.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is the one place that prints")]

use std::process::ExitCode;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Parser;
use rehearsal::{Fate, Rehearsal, SCENARIOS, USER, When, With, environment, exit_code, scenario};

/// A Kubernetes cluster and an API to rehearse on: simulated, on loopback, for the real kubectl, curl and jq.
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
    /// Where to write the kubeconfig [default: a temporary file]
    #[arg(long)]
    kubeconfig: Option<Utf8PathBuf>,
    /// Print on stderr when a watch of pods is told of a `CrashLoopBackOff`
    #[arg(long)]
    events: bool,
    /// Let kubectl logs print so many bytes
    #[arg(long, value_name = "BYTES")]
    log_bytes: Option<u64>,
    /// Let the new dpp-api pod crash so long after it was scheduled, whoever watches
    #[arg(long, value_name = "SECONDS")]
    crash_after: Option<f64>,
    /// Run this command with the rehearsal's environment, and end with it
    #[arg(last = true)]
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
            eprintln!("rehearsal: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> std::io::Result<u8> {
    let name = options.scenario.as_deref().unwrap_or_default();
    let mut scenario = scenario(name)
        .ok_or_else(|| std::io::Error::other(format!("no scenario {name:?}; rehearsal --list names them")))?;
    if let Some(folder) = &options.manifests {
        scenario.edit_manifests(folder)?;
    }
    if let Some(bytes) = options.log_bytes {
        scenario = scenario.with(With::LogBytes(bytes));
    }
    if let Some(seconds) = options.crash_after {
        let delay = Duration::try_from_secs_f64(seconds).map_err(std::io::Error::other)?;
        let fate = Fate::CrashLoop { exit_code: 1, restarts: 2 };
        scenario = scenario.new_pods("dpp-api", fate, When::After(delay));
    }
    let cluster = Rehearsal::start(scenario)?;
    let folder = tempfile::tempdir()?;
    let folder_path = Utf8Path::from_path(folder.path())
        .ok_or_else(|| std::io::Error::other("the folder for temporary files is not UTF-8"))?;
    let kubeconfig = match &options.kubeconfig {
        Some(path) => camino::absolute_utf8(path)?,
        None => folder_path.join("kubeconfig"),
    };
    cluster.write_kubeconfig(&kubeconfig, "staging-cluster", cluster.context_namespace(), USER)?;
    let environment =
        environment(&kubeconfig, cluster.staging_namespace(), cluster.base_url(), cluster.metrics_url());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let code = runtime.block_on(async {
        tokio::select! {
            code = work(options, &environment) => code,
            () = events(&cluster, options.events) => Ok(0),
        }
    })?;
    if options.events {
        print_events(&cluster, 0);
    }
    runtime.shutdown_background(); // A read of stdin may still be under way.
    Ok(code)
}

async fn work(options: &Options, environment: &[(&str, String)]) -> std::io::Result<u8> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    if let [program, arguments @ ..] = &options.command[..] {
        let mut command = tokio::process::Command::new(program);
        command
            .args(arguments)
            .envs(environment.iter().map(|(name, value)| (*name, value)))
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        let status = tokio::select! {
            status = child.wait() => status?,
            _ = term.recv() => return ended(child, 15).await,
            _ = int.recv() => child.wait().await?, // The terminal sent it to the child too.
        };
        return Ok(exit_code(status));
    }
    for (name, value) in environment {
        println!("export {name}='{}'", value.replace('\'', "'\\''"));
    }
    let mut rest = Vec::new();
    let mut stdin = tokio::io::stdin();
    tokio::select! {
        _ = tokio::io::AsyncReadExt::read_to_end(&mut stdin, &mut rest) => Ok(0),
        _ = term.recv() => Ok(143),
        _ = int.recv() => Ok(130),
    }
}

/// Ends the command by asking its process, then waits for it.
async fn ended(mut child: tokio::process::Child, signal: u8) -> std::io::Result<u8> {
    if let Some(id) = child.id() {
        tokio::process::Command::new("kill").args(["-TERM", &id.to_string()]).status().await?;
    }
    if tokio::time::timeout(Duration::from_secs(20), child.wait()).await.is_err() {
        child.kill().await?;
    }
    Ok(128 + signal)
}

/// Prints events as they come; never ends.
async fn events(cluster: &Rehearsal, wanted: bool) {
    let mut printed = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if wanted {
            printed = print_events(cluster, printed);
        }
    }
}

fn print_events(cluster: &Rehearsal, from: usize) -> usize {
    let instants = cluster.instants();
    for (name, at) in instants.iter().skip(from) {
        let since = at.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        eprintln!("rehearsal: {}.{:06} {name}", since.as_secs(), since.subsec_micros());
    }
    instants.len()
}
