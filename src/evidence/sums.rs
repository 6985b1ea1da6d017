//! The sums of an evidence tree, and the seal over them.
//!
//! `SHA256SUMS` is written last, so a tree with sums is complete.

use std::fmt::Write as _;
use std::io::{self, Read};

use camino::Utf8Path;
use fs_err::File;
use sha2::{Digest, Sha256};

use super::Tree;
use crate::documents;
use crate::run_state::RunState;

/// The file with the sums, in the format of `sha256sum -c`.
pub const SUMS: &str = "SHA256SUMS";

/// The result of the run as an in-toto statement, whose subject is the seal.
pub const ATTESTATION: &str = "attestation.json";

/// The SSH signature of [`SUMS`], if the run signs; named as `ssh-keygen -Y sign` names it.
pub const SIGNATURE: &str = "SHA256SUMS.sig";

/// The document that the run carried out.
pub const RUNBOOK: &str = "inputs/RUNBOOK.md";

/// The files without a sum, because they are made from the sums.
pub const ABOVE_THE_SUMS: [&str; 3] = [SUMS, ATTESTATION, SIGNATURE];

/// Writes `SHA256SUMS` and the attestation, and returns the seal: the SHA-256 of `SHA256SUMS`.
///
/// The sums cover every file of the tree except those that are [made from them](ABOVE_THE_SUMS).
///
/// # Errors
/// When a file can't be read, or the sums or the attestation can't be written.
pub fn seal(tree: &Tree, run: &RunState) -> io::Result<String> {
    let mut sums = String::new();
    for file in tree.list()?.iter().filter(|file| !ABOVE_THE_SUMS.contains(&file.as_str())) {
        // Formatting into a String can't fail.
        let _ = writeln!(sums, "{}  {file}", sha256_of_file(&tree.path(file))?);
    }
    let seal = sha256_of_bytes(sums.as_bytes());
    tree.replace(ATTESTATION, documents::attestation(run, &seal).as_bytes())?;
    // Written last: if this file exists, all others do.
    tree.replace(SUMS, sums.as_bytes())?;
    Ok(seal)
}

/// Returns the SHA-256 of a file's bytes, in lower-case hexadecimal digits.
///
/// # Errors
/// When the file can't be read.
pub fn sha256_of_file(path: &Utf8Path) -> io::Result<String> {
    sha256_of(File::open(path)?)
}

/// Returns the SHA-256 of everything that a reader returns.
///
/// # Errors
/// When the reader fails.
pub fn sha256_of(mut bytes: impl Read) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match bytes.read(&mut buffer)? {
            0 => return Ok(to_hex(&hasher.finalize())),
            count => hasher.update(buffer.get(..count).unwrap_or_default()),
        }
    }
}

/// Returns the SHA-256 of bytes.
pub fn sha256_of_bytes(bytes: &[u8]) -> String {
    to_hex(&Sha256::digest(bytes))
}

fn to_hex(digest: &[u8]) -> String {
    digest.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
