//! `replay` of a run's evidence, on the cluster as it is by then.

use std::path::Path;
use std::process::Command;

use super::{Cluster, Staging};

/// What `replay` said.
pub(crate) struct Replayed {
    pub(crate) status: Option<i32>,
    pub(crate) said: String,
    /// What was printed is in `new/now`.
    pub(crate) folder: tempfile::TempDir,
}

/// Replays evidence as whoever has this staging's environment.
pub(crate) fn replayed<C: Cluster>(staging: &Staging<C>, evidence: &Path, options: &[&str]) -> Replayed {
    let folder = tempfile::tempdir().unwrap();
    let into = format!("--into={}", folder.path().join("new/now").display());
    let arguments = [&["replay", evidence.to_str().unwrap(), &into], options].concat();
    let output = staging.command(&arguments).output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    Replayed { status: output.status.code(), said, folder }
}

/// Asks the cluster for something, as whoever came later.
pub(crate) fn later<C: Cluster>(staging: &Staging<C>, kubectl: &[&str]) {
    let mut command = Command::new("kubectl");
    let context = format!("--context={}", staging.environment["STAGING_CONTEXT"]);
    command.arg(context).args(["-n", "dpp-staging"]).args(kubectl);
    let output = command.env("KUBECONFIG", &staging.environment["KUBECONFIG"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

impl Replayed {
    #[track_caller]
    pub(crate) fn exits(self, status: i32) -> Self {
        assert_eq!(self.status, Some(status), "{}", self.said);
        self
    }

    #[track_caller]
    pub(crate) fn says(self, words: &str) -> Self {
        assert!(self.said.contains(words), "not said: {words}\n{}", self.said);
        self
    }

    /// What came of a command, with the lines below it.
    pub(crate) fn of(&self, id: &str) -> String {
        let mut lines =
            self.said.lines().skip_while(|line| line.get(12..) != Some(id) || !line.starts_with("  "));
        let first = lines.next().unwrap_or_else(|| panic!("no {id}\n{}", self.said));
        let more = lines.take_while(|line| line.starts_with("              "));
        [first].into_iter().chain(more).map(str::trim).collect::<Vec<_>>().join("\n")
    }
}
