use std::fmt::Write as _;
use std::io::{self, Read};

use camino::Utf8Path;
use fs_err::File;
use sha2::{Digest, Sha256};

use super::Tree;
use crate::documents;
use crate::run_state::RunState;

/// The file the sums stand in, in the form `sha256sum -c` reads.
pub const SUMS: &str = "SHA256SUMS";

/// What is said of the run in a form that other tools know: its subject is the seal.
pub const ATTESTATION: &str = "attestation.json";

/// The signature of [`SUMS`], if the run was told to sign: named as `ssh-keygen -Y sign` does.
pub const SIGNATURE: &str = "SHA256SUMS.sig";

/// What has no sum, because it is made from the sums.
pub const ABOVE_THE_SUMS: [&str; 3] = [SUMS, ATTESTATION, SIGNATURE];

/// Writes `SHA256SUMS` over every file of the tree but [what is made from them](ABOVE_THE_SUMS), and what is attested
/// of their own SHA-256, the seal, which it returns.
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
    tree.replace_text(ATTESTATION, &documents::attestation(run, &seal))?;
    // Last, so that where it is, all is.
    tree.replace(SUMS, sums.as_bytes())?;
    Ok(seal)
}

/// The SHA-256 of a file's bytes, in lower-case hexadecimal digits.
///
/// # Errors
/// When it can't be read.
pub fn sha256_of_file(path: &Utf8Path) -> io::Result<String> {
    sha256_of(File::open(path)?)
}

/// The SHA-256 of all that can be read.
///
/// # Errors
/// When something can't.
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

/// The SHA-256 of bytes.
pub fn sha256_of_bytes(bytes: &[u8]) -> String {
    to_hex(&Sha256::digest(bytes))
}

fn to_hex(digest: &[u8]) -> String {
    digest.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
