//! The command line: parses subcommands and options, and calls the module that does the work.
//!
//! Every error becomes one message and one exit code here. Nothing is run and nothing is written before the
//! inputs are valid.

mod auditing;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use clap::{Args, Parser, Subcommand};
use rustix::fs::Mode;

use crate::events::{Options, Scope};
use crate::inputs::{self, Inputs};
use crate::moment::{go_duration, millis};
use crate::plan;
use crate::report::{self, Verbosity};
use crate::run::{self, Job, StartError};
use crate::runbook::{EXIT_CODES, Runbook, exit_of_signal};
use crate::session::{self, HostEnvironment, find_root};

/// Carries out the Staging Dry Run Runbook with kubectl, curl and jq, and records what they print as evidence
#[derive(Parser)]
#[command(version, long_about = None, after_help = inputs_help(), max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    asked: Request,
}

#[derive(Subcommand)]
enum Request {
    /// Carry out the whole runbook: check, deploy, wait, smoke-test; record evidence
    Run(RunOptions),
    /// Check inputs, tools, access, permissions and guards; change nothing
    Preflight {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        sources: Sources,
    },
    /// Run only the ten smoke checks
    Smoke {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        patience: Patience,
    },
    /// List every command of a run, in order; run none of them
    #[command(long_flag_alias = "dry-run")]
    Plan {
        /// The repository; the plan is the same for every repository
        #[arg(long, value_name = "DIR", hide = true)]
        root: Option<Utf8PathBuf>,
    },
    /// Verify evidence offline: nothing was altered, and the verdict follows from the recorded output
    Verify(auditing::VerifyArgs),
    /// Re-run a recorded run's read-only commands and compare their output with the evidence
    Replay(auditing::ReplayArgs),
    /// Print the runbook's text for a step, stop rule, criterion, check or exit code
    Explain {
        /// The id to explain; without it, list all ids
        id: Option<String>,
    },
}

#[derive(Args)]
struct Common {
    /// The repository [default: the git top level, or else the current directory]
    #[arg(long, value_name = "DIR")]
    root: Option<Utf8PathBuf>,
    /// Print only the verdict
    #[arg(short, long)]
    quiet: bool,
    /// Print every command as it starts and ends, and the output of the deploy and rollout commands
    #[arg(short, long, conflicts_with = "quiet")]
    verbose: bool,
}

#[derive(Args)]
struct Sources {
    /// The directory of the manifests, relative to the root
    #[arg(long, value_name = "DIR", default_value = "k8s")]
    manifests: Utf8PathBuf,
    /// A placeholder that may remain in a manifest
    #[arg(long, value_name = "NAME")]
    allow_placeholder: Vec<String>,
    /// Accept manifests that contain a Secret: its data becomes part of the evidence
    #[arg(long)]
    keep_secrets: bool,
}

#[derive(Args)]
struct Patience {
    /// How long /health and /readyz may take to answer 200 (stop rule 3) [default: from the runbook, 2m]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    health_timeout: Option<Duration>,
}

#[derive(Args)]
struct RunOptions {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    patience: Patience,
    /// The directory of the dated evidence directories, relative to the root
    #[arg(long, value_name = "DIR", default_value = "evidence/staging")]
    evidence: Utf8PathBuf,
    /// Skip step 2: apply nothing; wait for and test the existing deployment
    #[arg(long)]
    no_apply: bool,
    /// Exit with code 3 if a success criterion is not met, even if no stop rule fired
    #[arg(long)]
    strict: bool,
    /// Make the evidence readable only by you: directories have mode 0700 and files 0600, whatever the umask
    #[arg(long)]
    private: bool,
    /// Sign the checksums of the evidence with this SSH key: a private key, or a public key whose private key
    /// is in ssh-agent
    #[arg(long, value_name = "KEY")]
    sign_with: Option<Utf8PathBuf>,
    /// Pod STATUS words that stop the run in addition to `CrashLoopBackOff` and `Error` (stop rule 2)
    #[arg(long, value_name = "STATUS", value_delimiter = ',')]
    stop_on: Vec<String>,
    /// How long each `kubectl rollout status` waits (step 3) [default: from the runbook, 5m]
    #[arg(long, value_name = "DURATION", value_parser = kept_as_text)]
    rollout_timeout: Option<String>,
}

/// Parses the command line, runs the subcommand, and returns the exit code.
pub fn main(arguments: Vec<OsString>, host: &HostEnvironment) -> u8 {
    let argv = arguments.iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    if arguments.len() <= 1 {
        report::short_help(&required_inputs());
        return 2;
    }
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // A closed pipe is not a failure of this program.
            let _ = error.print();
            return if error.use_stderr() { 2 } else { 0 };
        }
    };
    match cli.asked {
        Request::Explain { id } => with_runbook(|runbook| report::explain(runbook, id.as_deref())),
        Request::Plan { .. } => with_runbook(|runbook| plan_of(runbook, host)),
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
    // Without patterns, the run fails for the same reason, before it reads or prints anything else.
    let patterns = session::patterns(&inputs).ok();
    let redacted = |text: &str| patterns.as_ref().map_or_else(|| text.to_owned(), |all| all.redact_str(text));
    let result = job(scope, asked, inputs, argv, host).and_then(|job| run::run(job, host));
    match result {
        Ok(status) => status,
        Err(StartError::Refused(text)) => {
            report::refuse(&redacted(&text));
            2
        }
        Err(StartError::NotRedactable(text)) => {
            report::refuse(&text);
            2
        }
        Err(error @ StartError::Interrupted(signal)) => {
            report::refuse(&error.to_string());
            exit_of_signal(signal)
        }
        Err(StartError::Failed(error)) => {
            report::fail(&redacted(&error.to_string()));
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
        // The umask applies to the whole process. It is set before anything is written, and the child
        // processes inherit it.
        rustix::process::umask(Mode::RWXG | Mode::RWXO);
    }
    let here = Utf8Path::from_path(&host.folder).ok_or_else(|| {
        StartError::Refused(format!(
            "Refused: the path of the current directory, {}, is not UTF-8.\nStart the run from another directory.",
            host.folder.display()
        ))
    })?;
    let root = common.root.map_or_else(|| find_root(here, host), |root| plain(&here.join(root)));
    if !root.is_dir() {
        return Err(StartError::Refused(format!(
            "Refused: --root {root} is not a directory.\nGive the directory of the repository that contains the manifests."
        )));
    }
    let runbook = built_in().map_err(StartError::Refused)?;
    let rollout_timeout = asked.rollout_timeout.unwrap_or_else(|| runbook.rollout_timeout.clone());
    duration(&rollout_timeout).map_err(StartError::Refused)?;
    Ok(Job {
        scope,
        inputs,
        options: Options {
            apply: !no_apply,
            strict,
            stop_on: asked.stop_on,
            allow_placeholder: sources.allow_placeholder,
            keep_secrets: sources.keep_secrets,
            rollout_timeout,
            health_timeout_ms: patience.health_timeout.map_or(runbook.health_timeout_ms, millis),
            sign_with: asked.sign_with.map(|key| here.join(key)),
        },
        manifests: root.join(sources.manifests),
        evidence: root.join(evidence),
        root,
        argv,
        runbook: Arc::new(runbook),
        verbosity: match (common.quiet, common.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Live,
            _ => Verbosity::Normal,
        },
    })
}

fn plan_of(runbook: &Runbook, host: &HostEnvironment) -> u8 {
    let inputs = inputs::read(|name| host.variable(name).map(ToOwned::to_owned)).ok();
    let with_key = inputs.as_ref().is_some_and(|inputs| inputs.api_key.is_some());
    report::plan(&plan::plan(runbook, inputs.as_ref().map(|inputs| &inputs.target), with_key));
    0
}

/// Removes `.` components from a path, which need not exist.
fn plain(path: &Utf8Path) -> Utf8PathBuf {
    path.components().collect()
}

/// Returns the built-in runbook.
fn built_in() -> Result<Runbook, String> {
    Runbook::built_in().map_err(|error| {
        format!("Refused: the built-in runbook can't be carried out:\n{error}\nNothing was run. Correct src/runbook/RUNBOOK.md and build again.")
    })
}

fn with_runbook(show: impl FnOnce(&Runbook) -> u8) -> u8 {
    match built_in() {
        Ok(runbook) => show(&runbook),
        Err(refused) => {
            report::refuse(&refused);
            2
        }
    }
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
    text.push_str("\nExit codes:\n");
    for row in EXIT_CODES {
        let _ = writeln!(text, "  {:<4} {}", row.code, row.meaning);
    }
    text
}

/// Returns the values of an option group when none of its options is given.
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
