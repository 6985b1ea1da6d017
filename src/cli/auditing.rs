//! The subcommands that read existing evidence: `verify` and `replay`.
//!
//! They turn options into a call of [`crate::verify`] or [`crate::replay`], and its result into an exit code.
//! They decide nothing about the evidence themselves.

use camino::Utf8PathBuf;
use clap::Args;

use crate::replay::{self, CannotReplay};
use crate::runbook::exit_of_signal;
use crate::session::HostEnvironment;
use crate::tools::{self, Missing};
use crate::verify::{self, CannotRead, Report, Signers, TrustAnchors, VerifyOutcome};
use crate::{report, signature};

#[derive(Args)]
#[command(
    after_help = "Exit code: 0 it holds · 1 it does not, with each finding · 2 it can't be read or decided"
)]
pub(super) struct VerifyArgs {
    /// The directory of the run: evidence/staging/YYYYMMDD
    dir: Utf8PathBuf,
    #[command(flatten)]
    vouching: Vouching,
    /// DIR contains many runs: check that each run names the previous one, across days
    #[arg(long, conflicts_with_all = ["seal", "signed_by"])]
    chain: bool,
}

#[derive(Args)]
struct Vouching {
    /// The hash printed after `Seal:` by the run
    #[arg(long, value_name = "HASH", value_parser = sha256)]
    seal: Option<String>,
    /// A public key or an allowed signers file (ssh-keygen(1)): check that one of its keys signed the run
    #[arg(long, value_name = "FILE")]
    signed_by: Option<Utf8PathBuf>,
}

#[derive(Args)]
#[command(
    after_help = "Exit code: 0 the same, or drift · 1 something changed · 2 it can't be compared · 4 the program itself failed · 128+n: signal n ended it"
)]
pub(super) struct ReplayArgs {
    /// The directory of the run: evidence/staging/YYYYMMDD
    dir: Utf8PathBuf,
    #[command(flatten)]
    vouching: Vouching,
    /// Where to store the new output: a new directory [default: a temporary one, which is not deleted]
    #[arg(long, value_name = "DIR")]
    into: Option<Utf8PathBuf>,
    /// Also run the dry runs, and the applies, which change the cluster, if the namespace still has the UID
    /// of the run
    #[arg(long, requires = "context")]
    include_changes: bool,
    /// The context of the run, to confirm which cluster may be changed
    #[arg(long, value_name = "NAME", requires = "include_changes")]
    context: Option<String>,
}

/// Runs `verify` and returns its exit code.
///
/// 0: the evidence holds. 1: it does not. 2: it can't be read, or a check that decides could not be made.
pub(super) fn verify(asked: &VerifyArgs, host: &HostEnvironment) -> u8 {
    match verified(asked, host) {
        Ok(found) => {
            report::verified(&found);
            match found.conclusion() {
                VerifyOutcome::Holds => 0,
                VerifyOutcome::DoesNotHold => 1,
                VerifyOutcome::Undecided => 2,
            }
        }
        Err(said) => refuse(&said),
    }
}

fn verified(asked: &VerifyArgs, host: &HostEnvironment) -> Result<Report, String> {
    let told = |error: CannotRead| error.to_string();
    if asked.chain {
        return verify::chain(&asked.dir).map_err(told);
    }
    let anchors = asked.vouching.anchors(host).map_err(|missing| missing.to_string())?;
    verify::verify(&asked.dir, &anchors).map_err(told)
}

/// Runs `replay` and returns its exit code.
///
/// 0: the same, except for values that change with time. 1: something changed. 2: it can't be compared. 4: a
/// failure of the program itself. 128+n: signal n ended it.
pub(super) fn replay(asked: &ReplayArgs, host: &HostEnvironment) -> u8 {
    match replayed(asked, host) {
        Ok(all) => {
            report::replayed(&all);
            match all.interrupted {
                Some(signal) => exit_of_signal(signal),
                None if all.is_empty() => 2,
                None => u8::from(all.changed()),
            }
        }
        Err(error @ CannotReplay::Interrupted(signal)) => {
            report::refuse(&error.to_string());
            exit_of_signal(signal)
        }
        Err(CannotReplay::Failed(error)) => {
            report::fail(&error.to_string());
            4
        }
        Err(error) => refuse(&error.to_string()),
    }
}

fn replayed(asked: &ReplayArgs, host: &HostEnvironment) -> Result<replay::Replayed, CannotReplay> {
    let asked = replay::ReplayOptions {
        evidence: &asked.dir,
        anchors: asked.vouching.anchors(host)?,
        into: asked.into.as_deref(),
        changes_on: asked.context.as_deref(),
    };
    replay::replay(&asked, host, &mut report::replaying)
}

impl Vouching {
    fn anchors(&self, host: &HostEnvironment) -> Result<TrustAnchors<'_>, Missing> {
        let signers = |file| {
            let path = host.variable("PATH");
            let programs = tools::look_up(signature::PROGRAMS, path, &host.folder)?;
            Ok(Signers { file, programs })
        };
        let signers = self.signed_by.as_deref().map(signers).transpose()?;
        Ok(TrustAnchors { seal: self.seal.as_deref(), signers })
    }
}

fn refuse(said: &str) -> u8 {
    // The message of `Missing` already begins with "Refused".
    let refused = if said.starts_with("Refused") { "" } else { "Refused: " };
    report::refuse(&format!("{refused}{said}"));
    2
}

fn sha256(text: &str) -> Result<String, String> {
    let is = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is.then(|| text.to_owned()).ok_or_else(|| {
        "not a SHA-256: 64 hexadecimal digits, as in the line that begins with Seal:".to_owned()
    })
}
