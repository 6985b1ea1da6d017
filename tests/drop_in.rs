//! The drop-in script, copied into another repository and run by a real bash.
//!
//! What it starts is a stand-in that records how it was called: the script is the subject here, not the program.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails here")]

#[path = "support/executable.rs"]
mod executable;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use executable::executable;

/// A stand-in for the program: prints its own path and its arguments, one a line, and exits with `status`.
fn stand_in(path: &Path, status: i32) {
    executable(path, format!("#!/bin/bash\nprintf '%s\\n' \"$0\" \"$@\"\nexit {status}\n"));
}

const SCRIPT: &[u8] = include_bytes!("../scripts/staging_dry_run.sh");

/// A repository with spaces in its path, which holds the script as `tools/staging_dry_run.sh`.
struct Repo {
    folder: tempfile::TempDir,
}

impl Repo {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("a release  repo ").tempdir().unwrap();
        executable(&folder.path().join("tools/staging_dry_run.sh"), SCRIPT);
        Self { folder }
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// The script from its own place, with the system's PATH and no other environment.
    fn script(&self) -> Script {
        Script::at(&self.path("tools/staging_dry_run.sh"))
    }
}

struct Script(Command);

impl Script {
    fn at(path: &Path) -> Self {
        let mut command = Command::new(path);
        command.env_clear().env("PATH", "/usr/bin:/bin").current_dir("/");
        Self(command)
    }

    fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    fn from(mut self, folder: &Path) -> Self {
        self.0.current_dir(folder);
        self
    }

    fn args(mut self, args: &[&str]) -> Self {
        self.0.args(args);
        self
    }

    fn run(mut self) -> Run {
        Run(self.0.output().unwrap())
    }
}

struct Run(Output);

impl Run {
    /// What the stand-in was called with: its path, then its arguments.
    fn called(&self) -> Vec<&str> {
        assert_eq!(self.stderr(), "", "the script says nothing when it starts the program");
        std::str::from_utf8(&self.0.stdout).unwrap().lines().collect()
    }

    fn stderr(&self) -> &str {
        std::str::from_utf8(&self.0.stderr).unwrap()
    }

    fn status(&self) -> Option<i32> {
        self.0.status.code()
    }

    fn refused(&self) -> &str {
        assert_eq!((self.status(), self.0.stdout.as_slice()), (Some(2), &b""[..]));
        self.stderr()
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn the_repository_above_the_script_is_the_root() {
    let repo = Repo::new();
    let program = repo.path("bin/staging-dry-run");
    stand_in(&program, 0);
    let run = repo.script().env("STAGING_DRY_RUN_BIN", &program).run();
    assert_eq!(run.called(), [text(&program), "run", "--root", text(repo.root())]);
}

#[test]
fn the_root_does_not_depend_on_the_current_folder() {
    let repo = Repo::new();
    let program = repo.path("bin/staging-dry-run");
    stand_in(&program, 0);
    let expected = [text(&program), "run", "--root", text(repo.root())];
    // By relative paths too: `./staging_dry_run.sh`, `tools/staging_dry_run.sh`, and past a CDPATH that holds a `tools`.
    for (script, folder) in [
        ("./staging_dry_run.sh", repo.path("tools")),
        ("tools/staging_dry_run.sh", repo.root().to_owned()),
        ("../tools/staging_dry_run.sh", repo.path("bin")),
    ] {
        let mut bash = Command::new("bash");
        bash.arg(script).current_dir(&folder).env_clear().env("PATH", "/usr/bin:/bin");
        bash.env("STAGING_DRY_RUN_BIN", &program).env("CDPATH", repo.root());
        assert_eq!(Run(bash.output().unwrap()).called(), expected, "{script} in {}", folder.display());
    }
}

#[test]
fn a_link_to_the_script_takes_the_repository_of_the_link() {
    let kept = Repo::new();
    let repo = Repo::new();
    let program = repo.path("bin/staging-dry-run");
    stand_in(&program, 0);
    let link = repo.path("tools/dry-run");
    symlink(kept.path("tools/staging_dry_run.sh"), &link).unwrap();
    let run = Script::at(&link).env("STAGING_DRY_RUN_BIN", &program).run();
    assert_eq!(run.called(), [text(&program), "run", "--root", text(repo.root())]);
}

#[test]
fn arguments_are_passed_on_as_they_are() {
    let repo = Repo::new();
    let program = repo.path("bin/staging-dry-run");
    stand_in(&program, 0);
    let args = ["--no-apply", "--stop-on", "Image Pull,  Backoff", "", "*", "$HOME", "it's"];
    let run = repo.script().env("STAGING_DRY_RUN_BIN", &program).args(&args).run();
    let mut expected = vec![text(&program), "run", "--root", text(repo.root())];
    expected.extend(args);
    assert_eq!(run.called(), expected);
}

#[test]
fn a_root_of_the_users_own_takes_the_place_of_the_scripts() {
    let repo = Repo::new();
    let program = repo.path("bin/staging-dry-run");
    stand_in(&program, 0);
    for args in [&["--strict", "--root", "/else where"][..], &["--root=/else where"]] {
        let run = repo.script().env("STAGING_DRY_RUN_BIN", &program).args(args).run();
        let mut expected = vec![text(&program), "run"];
        expected.extend(args);
        assert_eq!(run.called(), expected);
    }
}

#[test]
fn the_exit_status_is_the_programs() {
    let repo = Repo::new();
    let program = repo.path("bin/staging-dry-run");
    for status in [0, 1, 2, 3, 4] {
        stand_in(&program, status);
        assert_eq!(repo.script().env("STAGING_DRY_RUN_BIN", &program).run().status(), Some(status));
    }
}

#[test]
fn a_signal_reaches_the_program_because_it_takes_the_scripts_place() {
    let repo = Repo::new();
    let program = repo.path("bin/staging-dry-run");
    executable(&program, b"#!/bin/bash\necho $$\n");
    let mut script = repo.script().env("STAGING_DRY_RUN_BIN", &program).0;
    let child = script.stdout(Stdio::piped()).spawn().unwrap();
    let pid = child.id().to_string();
    let run = Run(child.wait_with_output().unwrap());
    assert_eq!(String::from_utf8_lossy(&run.0.stdout).trim(), pid);
}

#[test]
fn the_variable_goes_before_path_and_path_before_the_target_folder() {
    let repo = Repo::new();
    let named = repo.path("named/staging-dry-run");
    let on_path = repo.path("on path/staging-dry-run");
    let release = repo.path("target/release/staging-dry-run");
    let debug = repo.path("target/debug/staging-dry-run");
    for program in [&named, &on_path, &release, &debug] {
        stand_in(program, 0);
    }
    let path = format!("{}:/usr/bin:/bin", text(&repo.path("on path")));
    let all = repo.script().env("PATH", &path).env("STAGING_DRY_RUN_BIN", &named).run();
    assert_eq!(all.called()[0], text(&named));
    assert_eq!(repo.script().env("PATH", &path).run().called()[0], text(&on_path));
    assert_eq!(repo.script().run().called()[0], text(&release));
    fs::remove_file(&release).unwrap();
    assert_eq!(repo.script().run().called()[0], text(&debug));
}

#[test]
fn cargos_own_target_folder_is_looked_in_when_it_is_elsewhere() {
    let repo = Repo::new();
    let elsewhere = repo.path("built here/release/staging-dry-run");
    stand_in(&elsewhere, 0);
    let run = repo.script().env("CARGO_TARGET_DIR", repo.path("built here")).run();
    assert_eq!(run.called()[0], text(&elsewhere));
}

#[test]
fn the_variable_may_be_relative_to_the_current_folder_or_a_name_on_path() {
    let repo = Repo::new();
    stand_in(&repo.path("bin/other-name"), 0);
    let relative = repo.script().env("STAGING_DRY_RUN_BIN", "bin/other-name").from(repo.root()).run();
    assert_eq!(relative.called()[0], text(&repo.path("bin/other-name")));
    let path = format!("{}:/usr/bin:/bin", text(&repo.path("bin")));
    let named = repo.script().env("STAGING_DRY_RUN_BIN", "other-name").env("PATH", path).run();
    assert_eq!(named.called()[0], text(&repo.path("bin/other-name")));
}

#[test]
fn without_a_program_it_says_how_to_get_one() {
    let repo = Repo::new();
    let run = repo.script().run();
    let message = run.refused();
    assert!(
        message.starts_with("Refused: the program staging-dry-run was not found. Nothing was run.\n"),
        "{message}"
    );
    assert!(message.contains("cargo install --locked --path"), "{message}");
    assert!(message.contains("export STAGING_DRY_RUN_BIN="), "{message}");
    assert!(message.contains(text(&repo.path("target"))), "{message}");
}

#[test]
fn a_variable_that_names_no_program_is_refused_even_when_path_has_one() {
    let repo = Repo::new();
    stand_in(&repo.path("bin/staging-dry-run"), 0);
    fs::write(repo.path("plain"), "not executable").unwrap();
    let path = format!("{}:/usr/bin:/bin", text(&repo.path("bin")));
    for named in [repo.path("nothing there"), repo.path("plain"), repo.path("bin")] {
        let run = repo.script().env("PATH", &path).env("STAGING_DRY_RUN_BIN", &named).run();
        assert!(run.refused().contains(text(&named)), "{}", run.stderr());
    }
}

#[test]
fn an_empty_variable_is_an_unset_one() {
    let repo = Repo::new();
    let program = repo.path("target/release/staging-dry-run");
    stand_in(&program, 0);
    assert_eq!(repo.script().env("STAGING_DRY_RUN_BIN", "").run().called()[0], text(&program));
}

#[test]
fn the_script_under_the_programs_name_on_path_does_not_call_itself() {
    let repo = Repo::new();
    let script = repo.path("tools/staging_dry_run.sh");
    executable(&repo.path("copy/staging-dry-run"), SCRIPT);
    fs::create_dir(repo.path("link")).unwrap();
    symlink(&script, repo.path("link/staging-dry-run")).unwrap();
    let path = format!("{}:{}:/usr/bin:/bin", text(&repo.path("copy")), text(&repo.path("link")));
    let run = repo.script().env("PATH", &path).run();
    assert!(run.refused().contains("was not found"), "{}", run.stderr());

    // A program further along PATH is still found.
    stand_in(&repo.path("real/staging-dry-run"), 0);
    let path = format!("{path}:{}", text(&repo.path("real")));
    assert_eq!(repo.script().env("PATH", path).run().called()[0], text(&repo.path("real/staging-dry-run")));
}

#[test]
fn a_program_that_this_machine_cannot_run_is_a_refusal() {
    let repo = Repo::new();
    let program = repo.path("target/release/staging-dry-run");
    executable(&program, b"\x7fELF\0\0of another machine\0");
    let run = repo.script().run();
    assert!(run.refused().contains("can't be run on this machine"), "{}", run.stderr());
}
