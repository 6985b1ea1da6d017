//! The environment in which the program was started: variables, current directory, user, CI job and git
//! commit.
//!
//! Of the variables that change the behavior of kubectl and curl, only the names are recorded.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use crate::events::{Ci, Git, Who};
use crate::evidence::sha256_of_file;
use crate::exec::{self, Programs};

/// Variables that change the behavior of kubectl and curl; their names are recorded, never their values.
const TELLING: &[&str] = &[
    "ALL_PROXY",
    "CURL_CA_BUNDLE",
    "CURL_SSL_BACKEND",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "KUBECONFIG",
    "KUBE_EDITOR",
    "NO_PROXY",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// CI systems: the variable that identifies the system, its name, and the variables with the user who started
/// the job and the URL of the job.
const CI_SYSTEMS: &[(&str, &str, &str, &str)] = &[
    ("GITHUB_ACTIONS", "github", "GITHUB_ACTOR", "GITHUB_RUN_ID"),
    ("GITLAB_CI", "gitlab", "GITLAB_USER_LOGIN", "CI_JOB_URL"),
    ("JENKINS_URL", "jenkins", "BUILD_USER_ID", "BUILD_URL"),
    ("BUILDKITE", "buildkite", "BUILDKITE_BUILD_CREATOR", "BUILDKITE_BUILD_URL"),
    ("CIRCLECI", "circleci", "CIRCLE_USERNAME", "CIRCLE_BUILD_URL"),
    ("CI", "unknown", "", ""),
];

/// The environment and the current directory of the program, read once.
pub struct HostEnvironment {
    /// The environment variables.
    pub environment: BTreeMap<OsString, OsString>,
    /// The current directory.
    pub folder: PathBuf,
}

impl HostEnvironment {
    /// Returns the value of a variable, or `None` if it is unset or empty.
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        self.environment.get(OsStr::new(name)).filter(|value| !value.is_empty()).map(OsString::as_os_str)
    }

    /// Returns the variables that name a file, with absolute paths, because the child processes have another
    /// current directory.
    pub fn absolute_paths(&self) -> Vec<(OsString, OsString)> {
        ["CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"]
            .into_iter()
            .filter_map(|name| Some((name.into(), self.folder.join(self.variable(name)?).into_os_string())))
            .collect()
    }

    fn text(&self, name: &str) -> Option<String> {
        self.variable(name)?.to_str().map(str::to_owned)
    }

    /// Returns the user, the machine and the CI job.
    pub fn who(&self) -> Who {
        Who {
            user: self.text("USER").or_else(|| self.text("LOGNAME")),
            host: rustix::system::uname().nodename().to_str().ok().map(str::to_owned),
            ci: self.ci(),
        }
    }

    fn ci(&self) -> Option<Ci> {
        let (_, system, actor, url) =
            CI_SYSTEMS.iter().find(|(shown_by, ..)| self.variable(shown_by).is_some())?;
        let url = match *system {
            "github" => self.github_url(),
            _ => self.text(url),
        };
        Some(Ci { system: (*system).to_owned(), actor: self.text(actor), url })
    }

    fn github_url(&self) -> Option<String> {
        let part = |name: &str| self.text(name);
        let (server, repository) = (part("GITHUB_SERVER_URL")?, part("GITHUB_REPOSITORY")?);
        Some(format!("{server}/{repository}/actions/runs/{}", part("GITHUB_RUN_ID")?))
    }

    /// Returns the names of the variables that change the behavior of kubectl and curl and are set.
    pub fn recorded_variable_names(&self) -> Vec<String> {
        TELLING.iter().filter(|name| self.variable(name).is_some()).map(|name| (*name).to_owned()).collect()
    }

    /// Returns the SHA-256 of this program; `None` if it can't be read.
    pub fn own_sha256() -> Option<String> {
        let path = std::env::current_exe().ok()?;
        sha256_of_file(Utf8Path::from_path(&path)?).ok()
    }

    /// Returns the commit of the repository, or why there is none.
    pub fn git(&self, root: &Utf8Path, manifests: &Utf8Path) -> Git {
        let nothing = |why: String| Git { commit: None, branch: None, manifests_dirty: None, why: Some(why) };
        let Ok(program) = which::which_in("git", self.variable("PATH"), &self.folder) else {
            return nothing("git is not on PATH".to_owned());
        };
        let git = |arguments: &[&str]| ask_git(&program, root, arguments);
        match git(&["rev-parse", "--verify", "HEAD"]) {
            Err(said) if NO_COMMIT.iter().any(|words| said.contains(words)) => {
                nothing("there is no git repository with a commit".to_owned())
            }
            Err(said) => nothing(format!("git reports no commit: {said}")),
            Ok(commit) => Git {
                commit: Some(commit),
                branch: git(&["symbolic-ref", "--short", "-q", "HEAD"]).ok(),
                manifests_dirty: git(&["status", "--porcelain", "--", manifests.as_str()])
                    .map(|said| !said.is_empty())
                    .ok(),
                why: None,
            },
        }
    }
}

/// Messages of git if there is no commit; git's full message differs between machines.
const NO_COMMIT: [&str; 2] = ["not a git repository", "Needed a single revision"];

/// Returns the git top level above a directory, or else the directory itself.
pub fn find_root(folder: &Utf8Path, host: &HostEnvironment) -> Utf8PathBuf {
    which::which_in("git", host.variable("PATH"), folder)
        .ok()
        .and_then(|git| ask_git(&git, folder, &["rev-parse", "--show-toplevel"]).ok())
        .map_or_else(|| folder.to_owned(), Utf8PathBuf::from)
}

/// Runs git and returns its output.
///
/// This is part of the environment, not a command of the runbook, so it is not evidence.
///
/// # Errors
/// When git fails; the text is the first line of its message.
fn ask_git(program: &Path, folder: &Utf8Path, arguments: &[&str]) -> Result<String, String> {
    let programs = Programs::from([("git".to_owned(), program.to_owned())]);
    let words = ["git"].iter().chain(arguments).map(|word| (*word).to_owned());
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let command = exec::Command {
        stages: &[words.collect()],
        programs: &programs,
        dir: folder.as_std_path(),
        env: &[
            ("GIT_OPTIONAL_LOCKS".into(), Some("0".into())),
            ("LC_ALL".into(), Some("C".into())),
            ("STAGING_API_KEY".into(), None),
        ],
        stdin: None,
        deadline: Duration::from_secs(10),
        grace: exec::GRACE,
        kill_now: None,
    };
    let ended = exec::run(&command, &mut stdout, &mut stderr, &[]).map_err(|error| error.to_string())?;
    if ended.exit == [0] {
        return Ok(String::from_utf8_lossy(&stdout).trim().to_owned());
    }
    let stderr = String::from_utf8_lossy(&stderr);
    let fatal = stderr.lines().find(|line| line.starts_with("fatal: "));
    let said = fatal.or(stderr.lines().next()).map(str::to_owned);
    Err(ended
        .by
        .says()
        .map(str::to_owned)
        .or(said)
        .unwrap_or_else(|| "it failed without an error message".to_owned()))
}
