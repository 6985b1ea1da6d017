//! The folder for what is printed now: files of the same names as in the evidence, and the manifests of the run, from
//! which its commands read.

use std::io;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

use super::CannotReplay;
use crate::run_state::RunState;
use crate::runbook::DEPLOYMENTS;

/// Makes the folder, and copies the run's manifests into it, and nothing else that may stand beside them.
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
    for file in DEPLOYMENTS.iter().map(|deployment| deployment.manifest) {
        let is_kept = run.manifests.iter().any(|manifest| manifest.file == file);
        let (from, to) = (evidence.join("inputs").join(file), folder.join("inputs").join(file));
        if is_kept && from.is_file() {
            fs_err::create_dir_all(to.parent().unwrap_or(&folder))?;
            fs_err::copy(from, to)?;
        }
    }
    Ok(folder)
}

fn new(evidence: &Utf8Path, into: &Utf8Path) -> io::Result<()> {
    // Where such a path leads is known only once what stands before has been made.
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
    Utf8PathBuf::from_path_buf(folder)
        .map_err(|path| CannotReplay::Folder(format!("the temporary folder {} is not UTF-8", path.display())))
}
