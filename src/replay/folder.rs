//! The folder for what is printed now: files of the same names as in the evidence, and the manifests of the run, from
//! which its commands read.

use camino::{Utf8Path, Utf8PathBuf};

use super::CannotReplay;

/// Makes the folder, and copies `inputs/` into it.
pub(super) fn make(evidence: &Utf8Path, into: Option<&Utf8Path>) -> Result<Utf8PathBuf, CannotReplay> {
    let folder = match into {
        Some(into) => {
            fs_err::create_dir_all(into.parent().unwrap_or(into))?;
            fs_err::create_dir(into).map_err(|error| {
                CannotReplay::Folder(format!("--into {into} can't be made anew: {error}"))
            })?;
            into.to_owned()
        }
        None => temporary()?,
    };
    copy(&evidence.join("inputs"), &folder.join("inputs"))?;
    Ok(folder)
}

fn temporary() -> Result<Utf8PathBuf, CannotReplay> {
    let folder = tempfile::Builder::new().prefix("staging-dry-run.replay.").tempdir()?.keep();
    Utf8PathBuf::from_path_buf(folder)
        .map_err(|path| CannotReplay::Folder(format!("the temporary folder {} is not UTF-8", path.display())))
}

fn copy(from: &Utf8Path, to: &Utf8Path) -> Result<(), CannotReplay> {
    fs_err::create_dir_all(to)?;
    if !from.is_dir() {
        return Ok(());
    }
    for entry in from.read_dir_utf8()? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(entry.path(), &to)?;
        } else {
            fs_err::copy(entry.path(), to)?;
        }
    }
    Ok(())
}
