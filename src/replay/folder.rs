//! Creates the directory for the new output.
//!
//! Its files have the same names as in the evidence, and it contains the run's manifests, which the commands
//! read. It is never inside the evidence.

use std::io;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

use super::CannotReplay;
use crate::run_state::RunState;

/// Creates the directory and copies the run's manifests into it, but no other file that may be next to them.
pub(super) fn make(
    evidence: &Utf8Path,
    run: &RunState,
    into: Option<&Utf8Path>,
) -> Result<Utf8PathBuf, CannotReplay> {
    let folder = match into {
        Some(into) => {
            new(evidence, into)
                .map_err(|why| CannotReplay::Folder(format!("--into {into} can't be made anew: {why}")))?;
            into.to_owned()
        }
        None => temporary()?,
    };
    fs_err::create_dir(folder.join("inputs"))?;
    for file in run.runbook.deployments.iter().map(|deployment| &deployment.manifest) {
        let is_kept = run.manifests.iter().any(|manifest| manifest.file == *file);
        let (from, to) = (evidence.join("inputs").join(file), folder.join("inputs").join(file));
        if is_kept && from.is_file() {
            fs_err::create_dir_all(to.parent().unwrap_or(&folder))?;
            fs_err::copy(from, to)?;
        }
    }
    Ok(folder)
}

fn new(evidence: &Utf8Path, into: &Utf8Path) -> io::Result<()> {
    // The target of such a path is known only after its first part has been created.
    let way_back = into.components().skip_while(|part| *part == Utf8Component::ParentDir);
    if way_back.filter(|part| *part == Utf8Component::ParentDir).count() > 0 {
        return Err(io::Error::other("it has a .. in the middle"));
    }
    let into = camino::absolute_utf8(into)?;
    let there = into.ancestors().find(|folder| folder.is_dir()).unwrap_or(&into);
    if there.canonicalize_utf8()?.starts_with(evidence.canonicalize_utf8()?) {
        return Err(io::Error::other("it would be a part of the evidence"));
    }
    if let Some(parent) = into.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::create_dir(into)
}

fn temporary() -> Result<Utf8PathBuf, CannotReplay> {
    let folder = tempfile::Builder::new().prefix("staging-dry-run.replay.").tempdir()?.keep();
    Utf8PathBuf::from_path_buf(folder).map_err(|path| {
        CannotReplay::Folder(format!("the path of the temporary directory {} is not UTF-8", path.display()))
    })
}
