//! The command line: what is asked for, and with which options.

mod auditing;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use clap::{Args, Parser, Subcommand};
use rustix::fs::Mode;

use crate::events::{Options, Scope};
use crate::inputs::{self, Inputs};
use crate::moment::{go_duration, millis};
use crate::report::{self, Verbosity};
use crate::run::{self, Job, StartError};
use crate::runbook::{EXIT_CODES, HEALTH_TIMEOUT, ROLLOUT_TIMEOUT, exit_of_signal};
use crate::session::{HostEnvironment, find_root};

/// Carries out the Staging Dry Run Runbook with kubectl, curl and jq, and keeps what they print as evidence.
#[derive(Parser)]
#[command(version, long_about = None, after_help = inputs_help(), max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    asked: Request,
}

#[derive(Subcommand)]
enum Request {
    /// Do the whole runbook: check, deploy, wait, smoke-test; keep evidence
    Run(RunOptions),
    /// Check inputs, tools, access, permissions and guards; change nothing
    Preflight {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        sources: Sources,
    },
    /// Do the ten smoke checks alone
    Smoke {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        patience: Patience,
    },
    /// Show every command a run would run, in order; run none
    #[command(long_flag_alias = "dry-run")]
    Plan {
        /// The repository; the plan is the same for each
        #[arg(long, value_name = "DIR", hide = true)]
        root: Option<Utf8PathBuf>,
    },
    /// Check, offline, that evidence is what its run left, and that its verdict follows from it
    Verify(auditing::VerifyArgs),
    /// Run again what a run only read, and compare what is printed now with its evidence
    Replay(auditing::ReplayArgs),
    /// Show the runbook's own words for a step, stop rule, criterion, check or exit code
    Explain {
        /// What to explain; without it, all there is
        id: Option<String>,
    },
}

#[derive(Args)]
struct Common {
    /// The repository [default: the git top level, else the current folder]
    #[arg(long, value_name = "DIR")]
    root: Option<Utf8PathBuf>,
    /// Show the verdict alone
    #[arg(short, long)]
    quiet: bool,
    /// Show every command as it starts and ends, and what those that deploy and wait print
    #[arg(short, long, conflicts_with = "quiet")]
    verbose: bool,
}

#[derive(Args)]
struct Sources {
    /// The folder of the manifests, below the root
    #[arg(long, value_name = "DIR", default_value = "k8s")]
    manifests: Utf8PathBuf,
    /// A placeholder that may be left in a manifest
    #[arg(long, value_name = "NAME")]
    allow_placeholder: Vec<String>,
    /// Take manifests that hold a Secret: its bytes become a part of the evidence
    #[arg(long)]
    keep_secrets: bool,
}

#[derive(Args)]
struct Patience {
    /// How long /health and /readyz may take to answer 200 (stop rule 3)
    #[arg(long, value_name = "DURATION", default_value = HEALTH_TIMEOUT, value_parser = duration)]
    health_timeout: Duration,
}

#[derive(Args)]
struct RunOptions {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    patience: Patience,
    /// The folder of the dated evidence folders, below the root
    #[arg(long, value_name = "DIR", default_value = "evidence/staging")]
    evidence: Utf8PathBuf,
    /// Leave out step 2: apply nothing, wait for and test what is deployed
    #[arg(long)]
    no_apply: bool,
    /// Exit 3 when a success criterion does not hold, though no stop rule fired
    #[arg(long)]
    strict: bool,
    /// Let nobody else read the evidence: folders of mode 0700, files of 0600, whatever the umask
    #[arg(long)]
    private: bool,
    /// Sign the sums of the evidence with this SSH key: a private one, or a public one whose other half ssh-agent holds
    #[arg(long, value_name = "KEY")]
    sign_with: Option<Utf8PathBuf>,
    /// STATUS words of a pod that stop the run beside `CrashLoopBackOff` and `Error` (stop rule 2)
    #[arg(long, value_name = "STATUS", value_delimiter = ',')]
    stop_on: Vec<String>,
    /// How long each `kubectl rollout status` waits (step 3)
    #[arg(long, value_name = "DURATION", default_value = ROLLOUT_TIMEOUT, value_parser = kept_as_text)]
    rollout_timeout: String,
}

/// Reads the command line, does what it asks for, and returns the exit status.
pub fn main(arguments: Vec<OsString>, host: &HostEnvironment) -> u8 {
    let argv = arguments.iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    if arguments.len() <= 1 {
        report::short_help(&required_inputs());
        return 2;
    }
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // A closed pipe is no failure of ours.
            let _ = error.print();
            return if error.use_stderr() { 2 } else { 0 };
        }
    };
    match cli.asked {
        Request::Explain { id } => report::explain(id.as_deref()),
        Request::Plan { .. } => plan(host),
        Request::Verify(asked) => auditing::verify(&asked, host),
        Request::Replay(asked) => auditing::replay(&asked, host),
        Request::Preflight { common, sources } => {
            let asked = RunOptions { common, sources, ..by_default() };
            carry_out(Scope::Preflight, asked, argv, host)
        }
        Request::Smoke { common, patience } => {
            let asked = RunOptions { common, patience, ..by_default() };
            carry_out(Scope::Smoke, asked, argv, host)
        }
        Request::Run(options) => carry_out(Scope::Whole, options, argv, host),
    }
}

fn carry_out(scope: Scope, asked: RunOptions, argv: Vec<String>, host: &HostEnvironment) -> u8 {
    let inputs = match inputs::read(|name| host.variable(name).map(ToOwned::to_owned)) {
        Ok(inputs) => inputs,
        Err(refused) => {
            report::refuse(&refused.to_string());
            return 2;
        }
    };
    let result = job(scope, asked, inputs, argv, host).and_then(|job| run::run(job, host));
    match result {
        Ok(status) => status,
        Err(StartError::Refused(text)) => {
            report::refuse(&text);
            2
        }
        Err(error @ StartError::Interrupted(signal)) => {
            report::refuse(&error.to_string());
            exit_of_signal(signal)
        }
        Err(StartError::Failed(error)) => {
            report::fail(&error.to_string());
            4
        }
    }
}

fn job(
    scope: Scope,
    asked: RunOptions,
    inputs: Inputs,
    argv: Vec<String>,
    host: &HostEnvironment,
) -> Result<Job, StartError> {
    let RunOptions { common, sources, patience, evidence, no_apply, strict, private, .. } = asked;
    if private {
        // Of the whole process, before anything is written: also for what the children write.
        rustix::process::umask(Mode::RWXG | Mode::RWXO);
    }
    let here = Utf8Path::from_path(&host.folder).ok_or_else(|| {
        StartError::Refused(format!(
            "Refused: the path of the current folder, {}, is not UTF-8.\nStart the run from another folder.",
            host.folder.display()
        ))
    })?;
    let root = common.root.map_or_else(|| find_root(here, host), |root| plain(&here.join(root)));
    if !root.is_dir() {
        return Err(StartError::Refused(format!(
            "Refused: --root {root} is no folder.\nGive the folder of the repository that holds the manifests."
        )));
    }
    Ok(Job {
        scope,
        inputs,
        rollout_timeout: duration(&asked.rollout_timeout).map_err(StartError::Refused)?,
        options: Options {
            apply: !no_apply,
            strict,
            stop_on: asked.stop_on,
            allow_placeholder: sources.allow_placeholder,
            keep_secrets: sources.keep_secrets,
            rollout_timeout: asked.rollout_timeout,
            health_timeout_ms: millis(patience.health_timeout),
            sign_with: asked.sign_with.map(|key| here.join(key)),
        },
        manifests: root.join(sources.manifests),
        evidence: root.join(evidence),
        root,
        argv,
        verbosity: match (common.quiet, common.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Live,
            _ => Verbosity::Normal,
        },
    })
}

fn plan(host: &HostEnvironment) -> u8 {
    let inputs = inputs::read(|name| host.variable(name).map(ToOwned::to_owned)).ok();
    report::plan(&run::plan(inputs.as_ref()));
    0
}

/// A path without `.` in it; it need not exist.
fn plain(path: &Utf8Path) -> Utf8PathBuf {
    path.components().collect()
}

fn required_inputs() -> Vec<(&'static str, &'static str)> {
    inputs::TABLE.iter().filter(|row| row.required).map(|row| (row.name, row.example)).collect()
}

fn inputs_help() -> String {
    let mut text = String::from("Inputs, from the environment:\n");
    for row in &inputs::TABLE {
        let need = if row.required { "required" } else { row.default.unwrap_or("optional") };
        // Formatting into a String can't fail.
        let _ = writeln!(text, "  {:<20} {need:<10} {}", row.name, row.what);
    }
    text.push_str("\nExit status:\n");
    for row in EXIT_CODES {
        let _ = writeln!(text, "  {:<4} {}", row.code, row.meaning);
    }
    text
}

/// What is asked for by whoever gives none of these options.
fn by_default<T: Args>() -> T {
    let command = T::augment_args(clap::Command::new("by-default"));
    let matches = command.get_matches_from(["by-default"]);
    T::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

fn duration(text: &str) -> Result<Duration, String> {
    go_duration(text).ok_or_else(|| "not a duration: write it like 90s, 5m or 1h30m".to_owned())
}

fn kept_as_text(text: &str) -> Result<String, String> {
    duration(text).map(|_| text.to_owned())
}
