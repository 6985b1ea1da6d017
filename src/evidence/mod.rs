//! The evidence tree: the only room that writes it.
//!
//! Every byte that comes from a child passes [`Sink`], the one point where named values are taken out before
//! they reach the disk.

pub mod cmd_txt;
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
pub use journal::{Journal, events_of};
pub use lock::{Lock, LockError};
pub use run_folders::{ManifestHeader, RunFolder, latest, latest_run, make_room, run_folders};
pub use sums::{
    ABOVE_THE_SUMS, ATTESTATION, SIGNATURE, SUMS, seal, sha256_of, sha256_of_bytes, sha256_of_file,
};
pub use tree::{Kept, Sink, Tree};

/// What opens a file for writing opens no link: it would write where the link points to.
fn not_a_link() -> i32 {
    i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or_default()
}
