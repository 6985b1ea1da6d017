use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::Error;

/// A new folder that nobody else may look into.
///
/// # Errors
/// When the system gives none.
pub fn temporary_folder() -> Result<TempDir, Error> {
    let setup = |cause: std::io::Error| Error::Setup {
        what: "a temporary folder (TMPDIR)",
        cause: cause.to_string(),
    };
    tempfile::Builder::new().prefix("staging-dry-run.").tempdir().map_err(setup)
}

/// The run's kubeconfig: an overlay of ours before the user's own files, which stay untouched and unlocked.
pub struct Kubeconfig {
    /// The overlay's path.
    pub overlay: OsString,
    /// The overlay and the user's files, as `KUBECONFIG` takes them.
    pub list: OsString,
    /// A folder with mode 0700, removed with the run.
    _folder: TempDir,
}

impl Kubeconfig {
    /// Prepares the list; the overlay holds nothing until the context is known.
    ///
    /// # Errors
    /// When there is no temporary folder, or a path of the list holds a colon.
    pub fn new(users: Option<&OsStr>, home: Option<&OsStr>, folder: &Path) -> Result<Self, Error> {
        let own = temporary_folder()?;
        let overlay = own.path().join("kubeconfig").into_os_string();
        let mut list = vec![PathBuf::from(&overlay)];
        match users {
            // The children's current folder is not ours: a relative path would mean another file there.
            Some(users) => list.extend(
                std::env::split_paths(users)
                    .filter(|path| !path.as_os_str().is_empty())
                    .map(|path| folder.join(path)),
            ),
            None => list.extend(home.map(|home| Path::new(home).join(".kube/config"))),
        }
        let list = std::env::join_paths(list).map_err(|_| Error::Setup {
            what: "KUBECONFIG or TMPDIR",
            cause: "a path with a colon can't stand in a list of paths".to_owned(),
        })?;
        let kubeconfig = Self { overlay, list, _folder: own };
        // Newer kubectls warn of a file on the list that is not there.
        kubeconfig.write("apiVersion: v1\nkind: Config\n")?;
        Ok(kubeconfig)
    }

    /// Writes the overlay.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write(&self, text: &str) -> Result<(), Error> {
        fs_err::write(Path::new(&self.overlay), text)
            .map_err(|cause| Error::Setup { what: "the run's kubeconfig", cause: cause.to_string() })
    }
}
