//! The command line: what is asked for, and with which options.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use clap::{Args, Parser, Subcommand};
use jiff::SignedDuration;
use rustix::fs::Mode;

use crate::events::{Options, Scope};
use crate::inputs::{self, Inputs};
use crate::moment::millis;
use crate::report::{self, Verbosity};
use crate::run::{self, Job, NotBegun, Surroundings, find_root};
use crate::verify::{self, Outside, Signers};
use crate::{replay, signature, tools};

/// Carries out the Staging Dry Run Runbook with kubectl, curl and jq, and keeps what they print as evidence.
#[derive(Parser)]
#[command(version, about, long_about = None, after_help = inputs_help(), max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    asked: Asked,
}

#[derive(Subcommand)]
enum Asked {
    /// Do the whole runbook: check, deploy, wait, smoke-test; keep evidence
    Run(RunOptions),
    /// Check inputs, tools, access, permissions and guards; change nothing
    Preflight(Common),
    /// Do the ten smoke checks alone
    Smoke(SmokeOptions),
    /// Show every command a run would run, in order; run none
    #[command(long_flag_alias = "dry-run")]
    Plan {
        /// The repository; the plan is the same for each
        #[arg(long, value_name = "DIR", hide = true)]
        root: Option<Utf8PathBuf>,
    },
    /// Check, offline, that evidence is what its run left, and that its verdict follows from it
    Verify {
        /// The folder of the run: evidence/staging/YYYYMMDD
        dir: Utf8PathBuf,
        /// The hash after `Seal:` in the run's output
        #[arg(long, value_name = "HASH", value_parser = sha256)]
        seal: Option<String>,
        /// A public key, or allowed signers (ssh-keygen(1)): check that one of them signed the run
        #[arg(long, value_name = "FILE")]
        signed_by: Option<Utf8PathBuf>,
        /// DIR is the folder of many runs: check that each names the one before, over days
        #[arg(long, conflicts_with_all = ["seal", "signed_by"])]
        chain: bool,
    },
    /// Run again what a run only read, and compare what is printed now with its evidence
    Replay {
        /// The folder of the run: evidence/staging/YYYYMMDD
        dir: Utf8PathBuf,
        /// Where what is printed is kept: a new folder [default: a temporary one, which stays]
        #[arg(long, value_name = "FOLDER")]
        into: Option<Utf8PathBuf>,
        /// Run the others too (dry runs, and what changes the cluster), if the namespace is the run's
        #[arg(long, requires = "context")]
        include_changes: bool,
        /// The run's context, so that nothing is changed by mistake
        #[arg(long, value_name = "NAME", requires = "include_changes")]
        context: Option<String>,
    },
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
    /// The folder of the manifests, below the root
    #[arg(long, value_name = "DIR", default_value = "k8s")]
    manifests: Utf8PathBuf,
    /// The folder of the dated evidence folders, below the root
    #[arg(long, value_name = "DIR", default_value = "evidence/staging")]
    evidence: Utf8PathBuf,
    /// A placeholder that may be left in a manifest
    #[arg(long, value_name = "NAME")]
    allow_placeholder: Vec<String>,
    /// Take manifests that hold a Secret: its bytes become a part of the evidence
    #[arg(long)]
    keep_secrets: bool,
    /// Show the verdict alone
    #[arg(short, long)]
    quiet: bool,
    /// Show every command as it starts and ends, and what those that deploy and wait print
    #[arg(short, long, conflicts_with = "quiet")]
    verbose: bool,
}

#[derive(Args)]
struct SmokeOptions {
    #[command(flatten)]
    common: Common,
    /// How long /health and /readyz may take to answer 200 (stop rule 3)
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = duration)]
    health_timeout: Duration,
}

#[derive(Args)]
struct RunOptions {
    #[command(flatten)]
    smoke: SmokeOptions,
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
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = go_duration)]
    rollout_timeout: String,
}

/// Stop rule 3: "after 2 minutes".
const HEALTH_TIMEOUT: Duration = Duration::from_mins(2);

/// Reads the command line, does what it asks for, and returns the exit status.
pub fn main(arguments: Vec<OsString>, surroundings: &Surroundings) -> u8 {
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
        Asked::Explain { id } => report::explain(id.as_deref()),
        Asked::Plan { .. } => plan(surroundings),
        Asked::Verify { dir, chain: true, .. } => verified(verify::chain(&dir)),
        Asked::Verify { dir, seal, signed_by, .. } => {
            check(&dir, seal.as_deref(), signed_by.as_deref(), surroundings)
        }
        Asked::Replay { dir, into, context, .. } => {
            replay(&dir, into.as_deref(), context.as_deref(), surroundings)
        }
        Asked::Preflight(common) => carry_out(Scope::Preflight, common.into(), argv, surroundings),
        Asked::Smoke(smoke) => carry_out(Scope::Smoke, smoke.into(), argv, surroundings),
        Asked::Run(options) => carry_out(Scope::Whole, options, argv, surroundings),
    }
}

fn carry_out(scope: Scope, asked: RunOptions, argv: Vec<String>, surroundings: &Surroundings) -> u8 {
    let inputs = match inputs::read(|name| surroundings.variable(name).map(ToOwned::to_owned)) {
        Ok(inputs) => inputs,
        Err(refused) => {
            report::refuse(&refused.to_string());
            return 2;
        }
    };
    let result = job(scope, asked, inputs, argv, surroundings).and_then(|job| run::run(job, surroundings));
    match result {
        Ok(status) => status,
        Err(NotBegun::Refused(text)) => {
            report::refuse(&text);
            2
        }
        Err(NotBegun::Failed(error)) => {
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
    surroundings: &Surroundings,
) -> Result<Job, NotBegun> {
    let RunOptions {
        smoke: SmokeOptions { common, health_timeout },
        no_apply,
        strict,
        private,
        sign_with,
        stop_on,
        rollout_timeout,
    } = asked;
    if private {
        // Of the whole process, before anything is written: also for what the children write.
        rustix::process::umask(Mode::RWXG | Mode::RWXO);
    }
    let here = Utf8Path::from_path(&surroundings.folder).ok_or_else(|| {
        NotBegun::Refused(format!(
            "Refused: the path of the current folder, {}, is not UTF-8.\nStart the run from another folder.",
            surroundings.folder.display()
        ))
    })?;
    let root = common.root.map_or_else(|| find_root(here, surroundings), |root| plain(&here.join(root)));
    if !root.is_dir() {
        return Err(NotBegun::Refused(format!(
            "Refused: --root {root} is no folder.\nGive the folder of the repository that holds the manifests."
        )));
    }
    Ok(Job {
        scope,
        inputs,
        rollout_timeout: duration(&rollout_timeout).map_err(NotBegun::Refused)?,
        options: Options {
            apply: !no_apply,
            strict,
            stop_on,
            allow_placeholder: common.allow_placeholder,
            keep_secrets: common.keep_secrets,
            rollout_timeout,
            health_timeout_ms: millis(health_timeout),
            sign_with: sign_with.map(|key| here.join(key)),
        },
        manifests: root.join(common.manifests),
        evidence: root.join(common.evidence),
        paths: surroundings.absolute_paths(),
        root,
        argv,
        verbosity: match (common.quiet, common.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Live,
            _ => Verbosity::Normal,
        },
    })
}

fn plan(surroundings: &Surroundings) -> u8 {
    let inputs = inputs::read(|name| surroundings.variable(name).map(ToOwned::to_owned)).ok();
    report::plan(&run::plan(inputs.as_ref()));
    0
}

fn check(
    dir: &Utf8Path,
    seal: Option<&str>,
    signed_by: Option<&Utf8Path>,
    surroundings: &Surroundings,
) -> u8 {
    let needed = if signed_by.is_some() { &signature::PROGRAMS[..] } else { &[] };
    match tools::look_up(needed.iter().copied(), surroundings.variable("PATH"), &surroundings.folder) {
        Ok(programs) => {
            let signers = signed_by.map(|file| Signers { file, programs: &programs });
            verified(verify::verify(dir, &Outside { seal, signers }))
        }
        Err(missing) => {
            report::refuse(&missing.to_string());
            2
        }
    }
}

/// Exit 0: it holds. 1: it does not. 2: it can't be read.
fn verified(found: Result<verify::Report, verify::CannotRead>) -> u8 {
    match found {
        Ok(found) => {
            report::verified(&found);
            u8::from(!found.holds())
        }
        Err(error) => {
            report::refuse(&format!(
                "Refused: {error}.\nGive the folder of a run, such as evidence/staging/20261124."
            ));
            2
        }
    }
}

/// Exit 0: the same, but for what changes with time. 1: something changed. 2: it can't be compared.
fn replay(
    evidence: &Utf8Path,
    into: Option<&Utf8Path>,
    changes_on: Option<&str>,
    surroundings: &Surroundings,
) -> u8 {
    match replay::replay(&replay::Asked { evidence, into, changes_on }, surroundings, &mut report::replaying)
    {
        Ok(all) => {
            report::replayed(&all);
            let changed = all.compared.iter().any(|compared| compared.came == replay::Came::Changed);
            all.interrupted.map_or(u8::from(changed), |signal| u8::try_from(128 + signal).unwrap_or(u8::MAX))
        }
        Err(replay::CannotReplay::Failed(error)) => {
            report::fail(&error.to_string());
            4
        }
        Err(error) => {
            let said = error.to_string();
            let refused = said.strip_prefix("Refused: ").unwrap_or(&said);
            report::refuse(&format!("Refused: {refused}.\nNothing was run."));
            2
        }
    }
}

fn sha256(text: &str) -> Result<String, String> {
    let is = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is.then(|| text.to_owned())
        .ok_or_else(|| "not a SHA-256: 64 hexadecimal digits, as the line Seal: has them".to_owned())
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
    text.push_str("\nExit: 0 no STOP · 1 STOP · 2 refused, nothing changed · 3 --strict and a shortfall · 4 the tool's own failure");
    text
}

impl From<Common> for RunOptions {
    fn from(common: Common) -> Self {
        SmokeOptions { common, health_timeout: HEALTH_TIMEOUT }.into()
    }
}

impl From<SmokeOptions> for RunOptions {
    fn from(smoke: SmokeOptions) -> Self {
        Self {
            smoke,
            no_apply: false,
            strict: false,
            private: false,
            sign_with: None,
            stop_on: Vec::new(),
            rollout_timeout: "5m".to_owned(),
        }
    }
}

/// A duration as Go and kubectl write it: `90s`, `5m`, `1h30m`.
fn duration(text: &str) -> Result<Duration, String> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || b"hms".contains(&byte));
    let parsed = if plain { text.parse::<SignedDuration>().ok() } else { None };
    parsed
        .and_then(|duration| Duration::try_from(duration).ok())
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "not a duration: write it like 90s, 5m or 1h30m".to_owned())
}

fn go_duration(text: &str) -> Result<String, String> {
    duration(text).map(|_| text.to_owned())
}
