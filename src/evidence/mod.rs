//! The evidence tree: the only module that writes it.
//!
//! Every byte of a child's output passes through [`Sink`]. It is the one point that removes named values, so
//! none of them reaches the disk.

mod disk_space;
mod http_headers;
mod journal;
mod lock;
pub mod redaction;
mod run_folders;
mod sums;
mod tree;

pub use disk_space::{LEAST_FREE, Reserve, free};
pub use http_headers::{HeaderFilter, SECRET_FIELDS};
pub use journal::{Journal, UnreadableJournal, events_of, torn_bytes};
pub use lock::{Lock, LockError};
pub use run_folders::{ManifestHeader, RunFolder, latest, latest_run, make_room, run_folders};
pub use sums::{
    ABOVE_THE_SUMS, ATTESTATION, RUNBOOK, SIGNATURE, SUMS, seal, sha256_of, sha256_of_bytes, sha256_of_file,
};
pub use tree::{Kept, Sink, Tree};

/// The size in bytes of the largest file of evidence that is read into memory.
pub const LARGEST_READ: u64 = 512 * 1024 * 1024;

/// Returns the flag that makes an open for writing fail on a symbolic link, so no write follows one out of
/// the tree.
fn not_a_link() -> i32 {
    i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or_default()
}
