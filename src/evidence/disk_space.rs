//! Room on the disk.

use std::fs::File;
use std::io::{self, Write};

use camino::Utf8Path;

/// What has to be free before a run begins, in bytes: a usual one keeps less than 1 MiB, a talkative one some more.
pub const LEAST_FREE: u64 = 64 * 1024 * 1024;

/// How much is held back for the end of a run, in bytes: `manifest.json`, each `cmd.txt` and `SHA256SUMS` are written
/// beside the old ones before they replace them.
const RESERVE: usize = 2 * 1024 * 1024;

/// How many bytes we may still write on the file system of `folder`, or of the nearest folder above it that is there.
///
/// # Errors
/// When the system can't say.
pub fn free(folder: &Utf8Path) -> io::Result<u64> {
    let there = folder.ancestors().find(|folder| folder.is_dir()).unwrap_or(folder);
    let system = rustix::fs::statvfs(there.as_std_path())?;
    Ok(system.f_bavail.saturating_mul(system.f_frsize))
}

/// Space of the evidence's file system that is held back, so that what has to be said at the end can be written on a
/// disk that was filled meanwhile. Dropped, it is free again; so it is when the process ends, however it ends.
pub struct Reserve(#[allow(dead_code, reason = "held, not read")] File);

impl Reserve {
    /// Holds space back.
    ///
    /// # Errors
    /// When the disk does not take that much.
    pub fn hold(folder: &Utf8Path) -> io::Result<Self> {
        let unkept =
            |error: io::Error| io::Error::new(error.kind(), format!("no reserve in {folder}: {error}"));
        let mut file = tempfile::tempfile_in(folder).map_err(unkept)?;
        // Written, because a file that is only made long takes no space.
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
