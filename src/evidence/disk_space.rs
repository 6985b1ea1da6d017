//! Free disk space: the check before a run, and the reserve for its end.
//!
//! The reserve keeps a run's last files writable even if the disk fills up during the run.

use std::fs::File;
use std::io::{self, Write};

use camino::Utf8Path;

/// The free space that a run requires before it begins, in bytes; a typical run stores less than 1 MiB.
pub const LEAST_FREE: u64 = 64 * 1024 * 1024;

/// The reserved space for the end of a run, in bytes.
///
/// `manifest.json`, each `cmd.txt` and `SHA256SUMS` are written next to the old files before they replace
/// them.
const RESERVE: usize = 2 * 1024 * 1024;

/// Returns the free bytes on the file system of `folder`, or of its nearest existing parent.
///
/// # Errors
/// When the system does not report the free space.
pub fn free(folder: &Utf8Path) -> io::Result<u64> {
    let there = folder.ancestors().find(|folder| folder.is_dir()).unwrap_or(folder);
    let system = rustix::fs::statvfs(there.as_std_path())?;
    Ok(system.f_bavail.saturating_mul(system.f_frsize))
}

/// Reserved space on the evidence's file system, so the last files of a run fit on a disk that filled up
/// meanwhile.
///
/// The space is free again when this is dropped or the process ends.
pub struct Reserve(#[allow(dead_code, reason = "held, not read")] File);

impl Reserve {
    /// Reserves the space.
    ///
    /// # Errors
    /// When the disk has too little space.
    pub fn hold(folder: &Utf8Path) -> io::Result<Self> {
        let unkept = |error: io::Error| {
            io::Error::new(error.kind(), format!("could not reserve 2 MiB in {folder}: {error}"))
        };
        let mut file = tempfile::tempfile_in(folder).map_err(unkept)?;
        // Zeros are written, because a file that is only extended occupies no disk space.
        file.write_all(&vec![0; RESERVE]).map_err(unkept)?;
        Ok(Self(file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_yet_has_the_room_of_the_one_above() {
        let root = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(root.path()).unwrap();
        assert!(free(&root.join("evidence/staging")).unwrap() > 0);
    }

    #[test]
    fn a_reserve_takes_space_and_leaves_no_name() {
        use std::os::unix::fs::MetadataExt;
        let root = tempfile::tempdir().unwrap();
        let reserve = Reserve::hold(Utf8Path::from_path(root.path()).unwrap()).unwrap();
        let held = reserve.0.metadata().unwrap();
        assert!(held.blocks() * 512 >= RESERVE as u64, "{} blocks", held.blocks());
        assert_eq!(root.path().read_dir().unwrap().count(), 0);
    }
}
