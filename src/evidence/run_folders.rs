//! The run directories of an evidence root: how they are named, ordered and chained.
//!
//! An existing directory is never overwritten or merged; it is renamed. The latest run is found by the chain
//! of manifests, since dates are not reliable if clocks or time zones differ.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::PermissionsExt;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use serde::Deserialize;

use super::{LARGEST_READ, sha256_of_bytes};
use crate::events::PreviousRun;

/// Creates the empty directory `root/date`, and renames an existing one to the first free `date.1`, `date.2`,
/// ….
///
/// The existing one may be an earlier run or made by hand; it is never overwritten or merged.
///
/// # Errors
/// When the old directory can't be renamed, or the new one can't be created.
pub fn make_room(root: &Utf8Path, date: &str) -> io::Result<Utf8PathBuf> {
    let folder = root.join(date);
    // Created first: if the disk is full, the old directory keeps its name.
    let mut new = tempfile::Builder::new();
    let new = new.prefix(".").permissions(PermissionsExt::from_mode(0o777)).tempdir_in(root)?;
    if folder.symlink_metadata().is_ok() {
        fs::rename(&folder, root.join(aside(root, date)))?;
    }
    fs::rename(new.keep(), &folder)?;
    Ok(folder)
}

/// A directory of an evidence root that contains a run.
pub struct RunFolder {
    /// The name of the directory.
    pub dir: String,
    /// The SHA-256 of its `manifest.json`; `None` if the file can't be read.
    pub sha256: Option<String>,
    /// The fields of the manifest that link runs; `None` if the file is not a manifest.
    pub told: Option<ManifestHeader>,
}

/// The fields of a manifest that link it to other runs.
#[derive(Deserialize)]
pub struct ManifestHeader {
    /// The identity of the run; `None` if the manifest has none.
    pub run_id: Option<String>,
    /// The run before it; `None` if there is none.
    pub previous_run: Option<PreviousRun>,
}

/// Returns the runs of an evidence root, ordered by date; on one date, first the numbered directories in
/// their order.
///
/// # Errors
/// When the root can't be read.
pub fn run_folders(root: &Utf8Path) -> io::Result<Vec<RunFolder>> {
    // A name that is not UTF-8 can't be the name of a run directory.
    let names = root.read_dir_utf8()?.filter_map(|entry| Some(entry.ok()?.file_name().to_owned()));
    let mut names: Vec<String> = names.collect();
    names.retain(|name| age(name).is_some() && root.join(name).join("manifest.json").is_file());
    names.sort_unstable_by(|one, other| age(one).cmp(&age(other)));
    let run_folder = |dir: String| {
        let path = root.join(&dir).join("manifest.json");
        let is_readable = fs::metadata(&path).is_ok_and(|metadata| metadata.len() <= LARGEST_READ);
        let manifest = if is_readable { fs::read(&path).ok() } else { None };
        let told = manifest.as_ref().and_then(|bytes| serde_json::from_slice(bytes).ok());
        RunFolder { dir, sha256: manifest.map(|bytes| sha256_of_bytes(&bytes)), told }
    };
    Ok(names.into_iter().map(run_folder).collect())
}

/// Returns the latest run: the last one that no other run names as its previous run.
///
/// Dates alone do not decide, since clocks and time zones can differ.
pub fn latest(run_folders: &[RunFolder]) -> Option<&RunFolder> {
    let before = run_folders
        .iter()
        .filter_map(|run_folder| run_folder.told.as_ref()?.previous_run.as_ref()?.manifest_sha256.as_ref());
    let named: BTreeSet<&String> = before.collect();
    run_folders
        .iter()
        .rfind(|run_folder| run_folder.sha256.as_ref().is_none_or(|sha256| !named.contains(sha256)))
}

/// Returns the previous run for a new run: the latest of an evidence root.
///
/// Its directory is named as it will be after [`make_room`] has renamed it.
///
/// # Errors
/// When the root can't be read.
pub fn latest_run(root: &Utf8Path, date: &str) -> io::Result<Option<PreviousRun>> {
    let run_folders = run_folders(root)?;
    Ok(latest(&run_folders).map(|run_folder| PreviousRun {
        run_id: run_folder.told.as_ref().and_then(|told| told.run_id.clone()),
        dir: if run_folder.dir == date { aside(root, date) } else { run_folder.dir.clone() },
        manifest_sha256: run_folder.sha256.clone(),
        interrupted: None,
    }))
}

/// Returns the first free name of `date.1`, `date.2`, ….
fn aside(root: &Utf8Path, date: &str) -> String {
    let mut number = 1u32;
    while root.join(format!("{date}.{number}")).symlink_metadata().is_ok() {
        number += 1;
    }
    format!("{date}.{number}")
}

/// Returns the sort key of a run directory's name; `None` if the name is not one of a run directory.
fn age(name: &str) -> Option<(&str, u32)> {
    let (date, number) = match name.split_once('.') {
        None => (name, u32::MAX),
        Some((date, number)) => (date, number.parse().ok()?),
    };
    let is_date = date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit());
    is_date.then_some((date, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stood_there_is_kept_under_the_first_free_number() {
        let root = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(root.path()).unwrap();
        for run in ["first", "second", "third"] {
            let previous = latest_run(root, "20261123").unwrap();
            let folder = make_room(root, "20261123").unwrap();
            assert_eq!(folder.read_dir().unwrap().count(), 0);
            let manifest = serde_json::json!({"run_id": run, "previous_run": previous}).to_string();
            fs::write(folder.join("manifest.json"), manifest).unwrap();
            let expected = match run {
                "first" => None,
                "second" => Some(("first", "20261123.1")),
                _ => Some(("second", "20261123.2")),
            };
            let previous = previous.map(|p| (p.run_id.unwrap_or_default(), p.dir));
            assert_eq!(previous, expected.map(|(id, dir)| (id.to_owned(), dir.to_owned())));
        }
        let first = fs::read_to_string(root.join("20261123.1/manifest.json")).unwrap();
        assert!(first.contains(r#""run_id":"first""#), "{first}");
        assert_eq!(latest_run(root, "20261124").unwrap().unwrap().dir, "20261123");
    }

    #[test]
    fn a_folder_without_a_manifest_is_no_run() {
        let root = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(root.path()).unwrap();
        for (dir, run) in [("20261123.2", "first"), ("20261123.10", "second")] {
            fs::create_dir(root.join(dir)).unwrap();
            fs::write(root.join(dir).join("manifest.json"), format!("{{\"run_id\":\"{run}\"}}")).unwrap();
        }
        for dir in ["20261123", "20261124", "20261123.x", "older"] {
            fs::create_dir(root.join(dir)).unwrap();
        }
        let latest = latest_run(root, "20261124").unwrap().unwrap();
        assert_eq!((latest.dir.as_str(), latest.run_id.as_deref()), ("20261123.10", Some("second")));
    }
}
