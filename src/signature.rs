//! Signs `SHA256SUMS` and verifies the signature with ssh-keygen(1), in its namespace `file`.
//!
//! The key and its passphrase stay with ssh-keygen and ssh-agent.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use camino::Utf8Path;

use crate::evidence::{SIGNATURE, SUMS};
use crate::exec::{self, Cancel, Programs};
use crate::moment::Moment;

/// The programs that sign and verify.
pub use crate::procedure::SIGNING_PROGRAMS as PROGRAMS;

/// How long ssh-keygen may take: a hardware key waits to be touched.
const DEADLINE: Duration = Duration::from_mins(1);

/// The reason why there is no signature, or no valid one.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// ssh-keygen ended with an error; the text is its message.
    #[error("{0}")]
    Said(String),
    /// ssh-keygen could not be started, or a file it needs could not be read or written.
    #[error("{0}")]
    NotRun(String),
}

/// Checks that `key` can sign, before anything depends on it.
///
/// # Errors
/// The message of ssh-keygen: the key does not exist, or nobody can be asked for its passphrase.
pub fn try_key(programs: &Programs, key: &Utf8Path, cancel: &Cancel) -> Result<(), SignatureError> {
    sign_file(programs, Path::new("/dev/null"), key, cancel, &[cancel]).map(drop)
}

/// Signs `SHA256SUMS` in `folder` with a private key, or with the private key that ssh-agent has for a public
/// key.
///
/// # Errors
/// The message of ssh-keygen.
pub fn sign(
    programs: &Programs,
    folder: &Utf8Path,
    key: &Utf8Path,
    kill_now: &Cancel,
) -> Result<Vec<u8>, SignatureError> {
    sign_file(programs, folder.join(SUMS).as_std_path(), key, kill_now, &[])
}

fn sign_file(
    programs: &Programs,
    file: &Path,
    key: &Utf8Path,
    kill_now: &Cancel,
    cancels: &[&Cancel],
) -> Result<Vec<u8>, SignatureError> {
    let words = ["-Y", "sign", "-q", "-n", "file", "-f", key.as_str()];
    keygen(programs, Some(file), &words, kill_now, cancels)
}

/// Verifies the signature of `SHA256SUMS` in `folder`, and returns ssh-keygen's message with the signer.
///
/// `signers` is a public key file, or an allowed signers file (ssh-keygen(1)). The key must have been valid
/// at the time `at`, as in git.
///
/// # Errors
/// When the signature is not valid; the error is the reason.
pub fn signed_by(
    programs: &Programs,
    folder: &Utf8Path,
    signers: &Utf8Path,
    at: Option<Moment>,
) -> Result<String, SignatureError> {
    let not_run = |error: std::io::Error| SignatureError::NotRun(error.to_string());
    let never = Cancel::new().map_err(not_run)?;
    let allowed = allowed_signers(&fs_err::read(signers).map_err(not_run)?).map_err(not_run)?;
    let (allowed, signature) = (allowed.path().to_string_lossy(), folder.join(SIGNATURE));
    let time = at.map(|at| format!("-Overify-time={}", at.0.strftime("%Y%m%d%H%M%S")));
    let ask = |file: Option<&Path>, words: &[&str]| {
        let words: Vec<&str> = words.iter().copied().chain(time.as_deref()).collect();
        keygen(programs, file, &words, &never, &[])
    };
    let found = ask(None, &["-Y", "find-principals", "-f", &allowed, "-s", signature.as_str()])?;
    // Several people may share a key, and not all of them may be allowed to sign files.
    let mut said = Err(SignatureError::Said("No principal matched.".to_owned()));
    for who in String::from_utf8_lossy(&found).lines() {
        let check = ["-Y", "verify", "-f", &allowed, "-I", who, "-n", "file", "-s", signature.as_str()];
        said = ask(Some(folder.join(SUMS).as_std_path()), &check);
        if said.is_ok() {
            break;
        }
    }
    said.map(|said| String::from_utf8_lossy(&said).trim().to_owned())
}

/// Writes a file of allowed signers, in which a line with only a public key accepts any principal.
fn allowed_signers(signers: &[u8]) -> std::io::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::NamedTempFile::new()?;
    for line in String::from_utf8_lossy(signers).lines() {
        let mut words = line.split_whitespace();
        let is_key = ["ssh-", "ecdsa-", "sk-"]
            .iter()
            .any(|kind| words.clone().next().is_some_and(|word| word.starts_with(kind)))
            && words.nth(1).is_some_and(|word| word.starts_with("AAAA"));
        writeln!(file, "{}{line}", if is_key { "* " } else { "" })?;
    }
    Ok(file)
}

/// Runs ssh-keygen with these arguments and the file as standard input, and returns its output.
fn keygen(
    programs: &Programs,
    stdin: Option<&Path>,
    words: &[&str],
    kill_now: &Cancel,
    cancels: &[&Cancel],
) -> Result<Vec<u8>, SignatureError> {
    let not_run = |cause: String| SignatureError::NotRun(cause);
    let stage = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let file = stdin.map(|file| stage(&["cat", "--", &file.to_string_lossy()]));
    let stages: Vec<Vec<String>> =
        file.into_iter().chain([stage(&[&["ssh-keygen"], words].concat())]).collect();
    let set = |name: &str, value: &str| (OsString::from(name), Some(OsString::from(value)));
    let command = exec::Command {
        stages: &stages,
        programs,
        dir: Path::new("."),
        // ssh-keygen reads a time without a zone as local time.
        env: &[set("LC_ALL", "C"), set("TZ", "UTC"), ("STAGING_API_KEY".into(), None)],
        stdin: None,
        deadline: DEADLINE,
        grace: exec::GRACE,
        kill_now: Some(kill_now),
    };
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let ended =
        exec::run(&command, &mut stdout, &mut stderr, cancels).map_err(|error| not_run(error.to_string()))?;
    // A command that was cancelled before it started has no exit codes.
    if ended.exit.len() == stages.len() && ended.exit.iter().all(|status| *status == 0) {
        return Ok(stdout);
    }
    let said =
        String::from_utf8_lossy(&[stderr, stdout].concat()).trim().lines().collect::<Vec<_>>().join("; ");
    Err(SignatureError::Said(ended.by.says().map_or(said, str::to_owned)))
}
