//! Finds the programs that a run uses, before any of them is started.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::exec::Programs;
use crate::runbook::Runbook;

/// How to get each program.
const HOW_TO_GET: &[(&str, &str)] = &[
    ("kubectl", "https://kubernetes.io/docs/tasks/tools/#kubectl (1.27 or newer)"),
    ("curl", "apt-get install curl, dnf install curl, or brew install curl"),
    ("jq", "apt-get install jq, dnf install jq, or brew install jq"),
    ("cat", "it is a part of coreutils: apt-get install coreutils"),
    ("sed", "apt-get install sed, or dnf install sed"),
    ("ssh-keygen", "it is a part of OpenSSH: apt-get install openssh-client, or dnf install openssh"),
];

/// The programs that were not found.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.told())]
pub struct Missing {
    names: Vec<String>,
    path: String,
}

impl Missing {
    fn told(&self) -> String {
        let count = self.names.len();
        let (programs, are) = if count == 1 { ("program", "is") } else { ("programs", "are") };
        let mut text = format!("Refused: {count} needed {programs} {are} not on PATH. Nothing was run.\n");
        for name in &self.names {
            let how = HOW_TO_GET.iter().find(|(program, _)| program == name).map_or("", |(_, how)| how);
            // Formatting into a String can't fail.
            let _ = write!(text, "\n  {name} is not found\n      get it        {how}\n");
        }
        let _ = write!(text, "\nLooked in PATH={}", self.path);
        text
    }
}

/// Finds every program that the runbook's steps name, and the programs in `more`, in `path`.
///
/// # Errors
/// [`Missing`] with all programs that were not found.
pub fn find(
    runbook: &Runbook,
    more: &[&str],
    path: Option<&OsStr>,
    folder: &Path,
) -> Result<Programs, Missing> {
    look_up(names(runbook).into_iter().chain(more.iter().map(|name| (*name).to_owned())), path, folder)
}

/// Finds these programs in `path`.
///
/// # Errors
/// [`Missing`] with all programs that were not found.
pub fn look_up(
    names: impl IntoIterator<Item = impl Into<String>>,
    path: Option<&OsStr>,
    folder: &Path,
) -> Result<Programs, Missing> {
    let found: Vec<(String, Option<PathBuf>)> = names
        .into_iter()
        .map(Into::into)
        .map(|name| {
            let at = which::which_in(&name, path, folder).ok();
            (name, at)
        })
        .collect();
    if found.iter().all(|(_, at)| at.is_some()) {
        return Ok(found.into_iter().filter_map(|(name, at)| Some((name, at?))).collect());
    }
    let names = found.into_iter().filter(|(_, at)| at.is_none()).map(|(name, _)| name).collect();
    Err(Missing { names, path: path.map(|path| path.to_string_lossy().into_owned()).unwrap_or_default() })
}

fn names(runbook: &Runbook) -> BTreeSet<String> {
    let programs = runbook.steps.iter().flat_map(|step| step.line.programs());
    programs.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature;

    #[test]
    fn every_program_of_the_rows_can_be_got() {
        let known: BTreeSet<String> = HOW_TO_GET.iter().map(|(name, _)| (*name).to_owned()).collect();
        let signing = signature::PROGRAMS.map(str::to_owned);
        let runbook = Runbook::built_in().unwrap();
        assert_eq!(names(&runbook).into_iter().chain(signing).collect::<BTreeSet<_>>(), known);
    }

    #[test]
    fn all_that_are_missing_stand_in_one_message() {
        let empty = tempfile::tempdir().unwrap();
        let missing = find(&Runbook::built_in().unwrap(), &[], Some(empty.path().as_os_str()), empty.path())
            .unwrap_err()
            .to_string();
        assert!(missing.starts_with("Refused: 5 needed programs are not on PATH"), "{missing}");
        assert!(missing.contains("jq is not found\n      get it        apt-get install jq"), "{missing}");
    }
}
