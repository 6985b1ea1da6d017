//! Parses the end of `kubectl rollout status deployment/NAME --timeout=…`.
//!
//! A failed rollout and an unreachable server both exit with 1; standard error distinguishes them.

use serde::{Deserialize, Serialize};

use super::{LAST_OF_ITS_OWN, stderr};

/// The end of a `kubectl rollout status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// Exit code 0: all replicas are updated and available, and the old ones are gone.
    RolledOut,
    /// The `--timeout` passed; also the only message for a user who may not list or watch Deployments.
    TimedOut,
    /// The Deployment's `progressDeadlineSeconds` passed, perhaps before this run began.
    ProgressDeadline,
    /// The Deployment was deleted during the rollout.
    Deleted,
    /// The Deployment or the namespace does not exist.
    NotFound,
    /// The server did not answer.
    Unreachable,
    /// The server denied access.
    Forbidden,
    /// Another error, in kubectl's own words.
    Failed(String),
    /// The exit code is not 0 and there is no message, as when kubectl is signaled to end.
    Silent,
}

impl Ending {
    /// Returns the ending in words for users.
    pub fn says(&self) -> &str {
        match self {
            Self::RolledOut => "successfully rolled out",
            Self::TimedOut => "did not finish in time",
            Self::ProgressDeadline => "exceeded its progress deadline",
            Self::Deleted => "was deleted during the rollout",
            Self::NotFound => "was not found",
            Self::Unreachable => "is unknown: the server could not be reached",
            Self::Forbidden => "is unknown: the server forbids reading it",
            Self::Failed(line) => line,
            Self::Silent => "is unknown: kubectl ended without an error message",
        }
    }
}

/// Parses the exit code and standard error.
///
/// The caller must not pass an exit code that this program caused, since it has no meaning.
pub fn ending(exit: i32, stderr: &[u8]) -> Ending {
    if exit == 0 {
        return Ending::RolledOut;
    }
    // A credential plugin may have printed something first, so any known line takes precedence over the first
    // line.
    let lines = stderr::errors(stderr);
    match lines.iter().find_map(|line| known(line)) {
        Some(ending) => ending,
        None => lines.into_iter().next().map_or(Ending::Silent, Ending::Failed),
    }
}

/// Returns how the exit code of a rollout that ended by itself contradicts what it printed; `None` if it does not.
///
/// kubectl prints `deployment "NAME" successfully rolled out` as its last line exactly if it exits 0
/// (`pkg/cmd/rollout/rollout_status.go`). One that was killed may have printed it before.
pub fn contradiction(name: &str, exit: i32, stdout: &[u8], stderr: &[u8]) -> Option<String> {
    let stdout = String::from_utf8_lossy(stdout);
    let last = stdout.lines().map(str::trim_end).rfind(|line| !line.is_empty());
    let rolled_out = last == Some(format!("deployment {name:?} successfully rolled out").as_str());
    if exit != 0 {
        return (rolled_out && exit <= LAST_OF_ITS_OWN)
            .then(|| format!("it exited {exit}, and printed that it was rolled out"));
    }
    if let Some(error) = stderr::errors(stderr).into_iter().find(|line| known(line).is_some()) {
        return Some(format!("it exited 0, and printed {error:?}"));
    }
    (!rolled_out).then(|| format!("it exited 0, and its last line was {:?}", last.unwrap_or_default()))
}

fn known(line: &str) -> Option<Ending> {
    let has = |part: &str| line.contains(part);
    if line.starts_with("error: timed out waiting for the condition") {
        Some(Ending::TimedOut)
    } else if line.starts_with("error: deployment ") && has("exceeded its progress deadline") {
        Some(Ending::ProgressDeadline)
    } else if line.starts_with("error: object has been deleted") {
        Some(Ending::Deleted)
    } else if line.starts_with("Error from server (NotFound)") {
        Some(Ending::NotFound)
    } else if line.starts_with("Error from server (Forbidden)") {
        Some(Ending::Forbidden)
    } else if line.starts_with("Unable to connect to the server")
        || line.starts_with("The connection to the server")
    {
        Some(Ending::Unreachable)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::hostile;
    use super::*;

    #[test]
    fn exit_0_is_a_success_whatever_it_warned_of() {
        assert_eq!(
            ending(0, b"Warning: version difference between client (1.33) and server (1.30)\n"),
            Ending::RolledOut
        );
    }

    #[test]
    fn standard_error_tells_the_failures_apart() {
        for (stderr, expected) in [
            ("error: timed out waiting for the condition\n", Ending::TimedOut),
            ("error: deployment \"dpp-api\" exceeded its progress deadline\n", Ending::ProgressDeadline),
            ("error: object has been deleted\n", Ending::Deleted),
            ("Error from server (NotFound): deployments.apps \"dpp-api\" not found\n", Ending::NotFound),
            (
                "Error from server (Forbidden): deployments.apps \"dpp-api\" is forbidden: User \"ci\" cannot get\n",
                Ending::Forbidden,
            ),
            ("Unable to connect to the server: EOF\n", Ending::Unreachable),
            (
                "The connection to the server 127.0.0.1:18733 was refused - did you specify the right host or port?\n",
                Ending::Unreachable,
            ),
            (
                "error: context \"x\" does not exist\n",
                Ending::Failed("error: context \"x\" does not exist".to_owned()),
            ),
            ("", Ending::Silent),
        ] {
            assert_eq!(ending(1, stderr.as_bytes()), expected, "{stderr}");
        }
    }

    #[test]
    fn klog_and_plugins_do_not_hide_the_ending() {
        let stderr = b"E1123 16:04:04.824840   31129 memcache.go:265] couldn't get current server API group list: EOF\n\
            token cache is stale, refreshing\n\
            error: timed out waiting for the condition\n";
        assert_eq!(ending(1, stderr), Ending::TimedOut);
        assert_eq!(ending(1, b"E1123 16:04:04.824840   31129 memcache.go:265] EOF\n"), Ending::Silent);
    }

    #[test]
    fn an_exit_code_that_contradicts_the_words_is_found() {
        let (waits, done) =
            ("Waiting for 1 of 2 updated replicas...\n", "deployment \"a\" successfully rolled out\n");
        let both = format!("{waits}{done}");
        let timed_out = "error: timed out waiting for the condition\n";
        let found =
            |exit, stdout: &str, stderr: &str| contradiction("a", exit, stdout.as_bytes(), stderr.as_bytes());
        for (exit, stdout, stderr) in [
            (0, &*both, ""),
            (0, done, "Warning: old\n"),
            (0, done, "a plugin refreshed its token\n"),
            (1, waits, timed_out),
            (1, "", timed_out),
            (137, waits, ""),
            (137, done, ""),
        ] {
            assert_eq!(found(exit, stdout, stderr), None, "{exit} {stdout} {stderr}");
        }
        let of_b = "deployment \"b\" successfully rolled out\n";
        for (exit, stdout, stderr, expected) in [
            (0, waits, "", "it exited 0, and its last line was \"Waiting for 1 of 2 updated replicas...\""),
            (
                0,
                of_b,
                "",
                "it exited 0, and its last line was \"deployment \\\"b\\\" successfully rolled out\"",
            ),
            (0, "", "", "it exited 0, and its last line was \"\""),
            (0, "", timed_out, "it exited 0, and printed \"error: timed out waiting for the condition\""),
            (0, done, timed_out, "it exited 0, and printed \"error: timed out waiting for the condition\""),
            (1, &*both, timed_out, "it exited 1, and printed that it was rolled out"),
        ] {
            assert_eq!(found(exit, stdout, stderr).as_deref(), Some(expected), "{exit} {stdout} {stderr}");
        }
    }

    #[test]
    fn no_bytes_panic() {
        hostile::survives(
            "error: deployment \"x\" exceeded its progress deadline\nWaiting for x\n",
            |bytes| {
                drop(ending(1, bytes));
                drop(contradiction("x", 0, bytes, bytes));
            },
        );
    }
}
