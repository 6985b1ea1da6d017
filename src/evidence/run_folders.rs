use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::PermissionsExt;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use serde::Deserialize;

use super::sha256_of_bytes;
use crate::events::PreviousRun;

/// Makes `root/date` an empty folder. What stood there, an earlier run or a folder made by hand, is renamed to
/// the first free one of `date.1`, `date.2`, … and never overwritten or merged.
///
/// # Errors
/// When the folder can't be renamed or made.
pub fn make_room(root: &Utf8Path, date: &str) -> io::Result<Utf8PathBuf> {
    let folder = root.join(date);
    // Made first: where there is no room for it, what stands there stays.
    let mut new = tempfile::Builder::new();
    let new = new.prefix(".").permissions(PermissionsExt::from_mode(0o777)).tempdir_in(root)?;
    if folder.symlink_metadata().is_ok() {
        fs::rename(&folder, root.join(aside(root, date)))?;
    }
    fs::rename(new.keep(), &folder)?;
    Ok(folder)
}

/// A folder of an evidence root that holds a run, as its manifest names it.
pub struct RunFolder {
    /// The folder's name.
    pub dir: String,
    /// The hash of its manifest; `None`: it can't be read.
    pub sha256: Option<String>,
    /// What the manifest says of itself; `None`: it is none.
    pub told: Option<ManifestHeader>,
}

/// What of a manifest links it to others.
#[derive(Deserialize)]
pub struct ManifestHeader {
    /// The run.
    pub run_id: Option<String>,
    /// The one before.
    pub previous_run: Option<PreviousRun>,
}

/// The runs of an evidence root, in the order of their folders' names: by date, and of a day first those with a number,
/// in its order.
///
/// # Errors
/// When the root can't be read.
pub fn run_folders(root: &Utf8Path) -> io::Result<Vec<RunFolder>> {
    // A name that is no text is none of a run's.
    let names = root.read_dir_utf8()?.filter_map(|entry| Some(entry.ok()?.file_name().to_owned()));
    let mut names: Vec<String> = names.collect();
    names.retain(|name| age(name).is_some() && root.join(name).join("manifest.json").is_file());
    names.sort_unstable_by(|one, other| age(one).cmp(&age(other)));
    let run_folder = |dir: String| {
        let manifest = fs::read(root.join(&dir).join("manifest.json")).ok();
        let told = manifest.as_ref().and_then(|bytes| serde_json::from_slice(bytes).ok());
        RunFolder { dir, sha256: manifest.map(|bytes| sha256_of_bytes(&bytes)), told }
    };
    Ok(names.into_iter().map(run_folder).collect())
}

/// The latest of these: one that no other names as the one before; of several, the last. Dates alone don't tell, where
/// clocks or time zones differ.
pub fn latest(run_folders: &[RunFolder]) -> Option<&RunFolder> {
    let before = run_folders
        .iter()
        .filter_map(|run_folder| run_folder.told.as_ref()?.previous_run.as_ref()?.manifest_sha256.as_ref());
    let named: BTreeSet<&String> = before.collect();
    run_folders
        .iter()
        .rfind(|run_folder| run_folder.sha256.as_ref().is_none_or(|sha256| !named.contains(sha256)))
}

/// The run before this one: the latest of an evidence root, named as it will be found once the new run has made room for
/// itself.
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

/// The first of `date.1`, `date.2`, … that is free.
fn aside(root: &Utf8Path, date: &str) -> String {
    let mut number = 1u32;
    while root.join(format!("{date}.{number}")).symlink_metadata().is_ok() {
        number += 1;
    }
    format!("{date}.{number}")
}

/// What orders the folders of runs by their names; `None`: it has not the name of one.
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
