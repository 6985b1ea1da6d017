use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use serde::Deserialize;

use super::sha256_of_file;
use crate::events::PreviousRun;

/// Makes `root/date` an empty folder. What stood there, an earlier run or a folder made by hand, is renamed to
/// the first free one of `date.1`, `date.2`, … and never overwritten or merged.
///
/// # Errors
/// When the folder can't be renamed or made.
pub fn make_room(root: &Utf8Path, date: &str) -> io::Result<Utf8PathBuf> {
    let folder = root.join(date);
    if folder.symlink_metadata().is_ok() {
        fs::rename(&folder, root.join(aside(root, date)))?;
    }
    fs::create_dir(&folder)?;
    Ok(folder)
}

/// The run before this one: what stands in the newest folder of an evidence root, named as it will be found
/// once the new run has made room for itself.
pub fn latest_run(root: &Utf8Path, date: &str) -> Option<PreviousRun> {
    let newest = folders(root).into_iter().filter(|name| is_date(name)).max()?;
    let name = if newest == date { aside(root, date) } else { newest.clone() };
    let manifest = root.join(newest).join("manifest.json");
    Some(PreviousRun {
        run_id: fs::read(&manifest).ok().and_then(|bytes| run_id(&bytes)),
        dir: name,
        manifest_sha256: sha256_of_file(&manifest).ok(),
        interrupted: None,
    })
}

/// The first of `date.1`, `date.2`, … that is free.
fn aside(root: &Utf8Path, date: &str) -> String {
    let mut number = 1u32;
    while root.join(format!("{date}.{number}")).symlink_metadata().is_ok() {
        number += 1;
    }
    format!("{date}.{number}")
}

fn folders(root: &Utf8Path) -> Vec<String> {
    let Ok(entries) = root.read_dir_utf8() else { return Vec::new() };
    entries.filter_map(|entry| Some(entry.ok()?.file_name().to_owned())).collect()
}

/// Whether a folder of an evidence root has the name of a run's: a date, or one with a number.
pub fn is_of_a_run(name: &str) -> bool {
    let (date, number) = name.split_once('.').unwrap_or((name, "1"));
    is_date(date) && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_date(name: &str) -> bool {
    name.len() == 8 && name.bytes().all(|byte| byte.is_ascii_digit())
}

/// The id of the run that a `manifest.json` belongs to; `None` when it tells none.
pub fn run_id(manifest: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        run_id: Option<String>,
    }
    serde_json::from_slice::<Named>(manifest).ok()?.run_id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stood_there_is_kept_under_the_first_free_number() {
        let root = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(root.path()).unwrap();
        for run in ["first", "second", "third"] {
            let previous = latest_run(root, "20261123");
            let folder = make_room(root, "20261123").unwrap();
            assert_eq!(folder.read_dir().unwrap().count(), 0);
            fs::write(folder.join("manifest.json"), format!("{{\"run_id\":\"{run}\"}}")).unwrap();
            let expected = match run {
                "first" => None,
                "second" => Some(("first", "20261123.1")),
                _ => Some(("second", "20261123.2")),
            };
            let previous = previous.map(|p| (p.run_id.unwrap_or_default(), p.dir));
            assert_eq!(previous, expected.map(|(id, dir)| (id.to_owned(), dir.to_owned())));
        }
        assert_eq!(
            fs::read_to_string(root.join("20261123.1/manifest.json")).unwrap(),
            "{\"run_id\":\"first\"}"
        );
        assert_eq!(latest_run(root, "20261124").unwrap().dir, "20261123");
    }
}
