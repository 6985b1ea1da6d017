//! The lock on an evidence root: only one run at a time writes below it.
//!
//! The system releases the lock when the process ends for any reason, so no stale lock remains.

use std::fs::TryLockError;
use std::io::{self, Read, Seek, Write};

use camino::Utf8Path;
use fs_err as fs;
use fs_err::os::unix::fs::OpenOptionsExt as _;

/// The lock on an evidence root, held until it is dropped or the process ends.
pub struct Lock {
    _file: std::fs::File,
}

/// The error for a lock that could not be acquired.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another run holds the lock.
    #[error("{holder}")]
    Held {
        /// The description that the other run wrote into the lock file.
        holder: String,
    },
    /// The evidence root can't be written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Lock {
    /// Acquires the lock of an evidence root, which is created if needed, and writes `holder` into the lock
    /// file.
    ///
    /// # Errors
    /// [`LockError::Held`] when another run holds the lock.
    pub fn take(root: &Utf8Path, holder: &str) -> Result<Self, LockError> {
        fs::create_dir_all(root)?;
        let path = root.join(".lock");
        let (mut file, path) = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .custom_flags(super::not_a_link())
            .open(&path)?
            .into_parts();
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder)?;
                return Err(LockError::Held { holder: holder.trim().to_owned() });
            }
            Err(TryLockError::Error(error)) => {
                return Err(io::Error::new(error.kind(), format!("{}: {error}", path.display())).into());
            }
        }
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{holder}")?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_holds_it_and_the_third_gets_it() {
        let root = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(root.path()).unwrap();
        let first = Lock::take(root, "run A, process 1").unwrap();
        let Err(LockError::Held { holder }) = Lock::take(root, "run B") else { panic!("taken twice") };
        assert_eq!(holder, "run A, process 1");
        drop(first);
        Lock::take(root, "run C").unwrap();
    }
}
