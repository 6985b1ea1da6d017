//! The kubeconfig of a run: an overlay that selects the context, before the user's own files, which are never
//! written.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::Error;

/// Creates a temporary directory that only the current user can read.
///
/// # Errors
/// When it can't be created.
pub fn temporary_folder() -> Result<TempDir, Error> {
    let setup = |cause: std::io::Error| Error::Setup {
        what: "a temporary directory (TMPDIR)",
        cause: cause.to_string(),
    };
    tempfile::Builder::new().prefix("staging-dry-run.").tempdir().map_err(setup)
}

/// The kubeconfig of a run: an overlay before the user's own files, which are neither changed nor locked.
pub struct Kubeconfig {
    /// The path of the overlay.
    pub overlay: OsString,
    /// The value of `KUBECONFIG`: the overlay, then the user's files.
    pub list: OsString,
    /// A directory with mode 0700 that is removed with the run.
    folder: TempDir,
}

impl Kubeconfig {
    /// Creates the list with an overlay that is empty until the context is known.
    ///
    /// # Errors
    /// When there is no temporary directory, or a path of the list contains a colon.
    pub fn new(users: Option<&OsStr>, home: Option<&OsStr>, folder: &Path) -> Result<Self, Error> {
        let own = temporary_folder()?;
        let overlay = own.path().join("kubeconfig").into_os_string();
        let mut list = vec![PathBuf::from(&overlay)];
        match users {
            // The child processes have another current directory, where a relative path would name another
            // file.
            Some(users) => list.extend(
                std::env::split_paths(users)
                    .filter(|path| !path.as_os_str().is_empty())
                    .map(|path| folder.join(path)),
            ),
            None => list.extend(home.map(|home| Path::new(home).join(".kube/config"))),
        }
        let list = std::env::join_paths(list).map_err(|_| Error::Setup {
            what: "KUBECONFIG or TMPDIR",
            cause: "a path in KUBECONFIG can't contain a colon".to_owned(),
        })?;
        let kubeconfig = Self { overlay, list, folder: own };
        // Newer versions of kubectl print a warning if a file of the list does not exist.
        kubeconfig.write("apiVersion: v1\nkind: Config\n")?;
        Ok(kubeconfig)
    }

    /// Writes the overlay in place of the one before, at once: a command that reads it meanwhile gets one of
    /// them whole.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write(&self, text: &str) -> Result<(), Error> {
        self.replace(text)
            .map_err(|cause| Error::Setup { what: "the run's kubeconfig", cause: cause.to_string() })
    }

    fn replace(&self, text: &str) -> io::Result<()> {
        let new = self.folder.path().join("kubeconfig.new");
        fs_err::write(&new, text)?;
        fs_err::rename(new, &self.overlay)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_command_that_reads_the_overlay_while_it_is_written_gets_one_of_the_two_whole() {
        let kubeconfig = Kubeconfig::new(None, None, Path::new("/")).unwrap();
        kubeconfig.write("the first").unwrap();
        let mut reader = fs_err::File::open(&kubeconfig.overlay).unwrap();
        kubeconfig.write("the second, which is longer").unwrap();
        let mut read = String::new();
        reader.read_to_string(&mut read).unwrap();
        assert_eq!(read, "the first");
        assert_eq!(fs_err::read_to_string(&kubeconfig.overlay).unwrap(), "the second, which is longer");
        let left = fs_err::read_dir(kubeconfig.folder.path()).unwrap().count();
        assert_eq!(left, 1, "a file was left beside the overlay");
    }
}
