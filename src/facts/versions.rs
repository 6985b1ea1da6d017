//! Parses the versions of the programs and of the server.

use serde::{Deserialize, Serialize};

use super::Unreadable;
use super::json::document;

/// A version as its program prints it, with the two numbers that can be compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The whole text: `v1.32.4-dispatcher`, `7.88.1`, `1.6`.
    pub text: String,
    /// The major number: 1 in `v1.32.4-dispatcher`.
    pub major: u32,
    /// The minor number: 32 in `v1.32.4-dispatcher`, and in kubectl's own `"minor": "32+"`.
    pub minor: u32,
}

impl Version {
    /// Parses the first two numbers of `text`, after any prefix (`v1.32.4`, `1.7.1`).
    fn read(text: &str) -> Option<Self> {
        let (major, rest) = text.trim_start_matches(|c: char| !c.is_ascii_digit()).split_once('.')?;
        Some(Self { text: text.to_owned(), major: major.parse().ok()?, minor: leading_number(rest)? })
    }
}

/// Parses the client version of `kubectl version --client -o json`.
///
/// # Errors
/// When the bytes are not that document.
pub fn kubectl_client(stdout: &[u8]) -> Result<Version, Unreadable> {
    const PROGRAM: &str = "kubectl version --client -o json";
    let unreadable = |why: &str| Unreadable { program: PROGRAM, why: why.to_owned() };
    let client = document::<Versions>(PROGRAM, stdout)?.client_version;
    let client = client.ok_or_else(|| unreadable("it contains no clientVersion"))?;
    let given = client.git_version.clone();
    client.version().ok_or_else(|| unreadable(&format!("{given:?} is not a version")))
}

/// Parses the server version of `kubectl version -o json`; returns `None` if no server answered.
///
/// Without a server, kubectl still prints its own version.
///
/// # Errors
/// When the bytes are not that document.
pub fn server(stdout: &[u8]) -> Result<Option<Version>, Unreadable> {
    let versions: Versions = document("kubectl version -o json", stdout)?;
    Ok(versions.server_version.and_then(Info::version))
}

/// Parses the first line of `curl --version`: `curl 7.88.1 (x86_64-pc-linux-gnu) libcurl/7.88.1 …`.
pub fn curl(stdout: &[u8]) -> Option<Version> {
    let text = String::from_utf8_lossy(stdout);
    Version::read(text.lines().next()?.strip_prefix("curl ")?.split_whitespace().next()?)
}

/// Parses the line of `jq --version`: `jq-1.6`, `jq-1.7.1-3ubuntu0.24.04.1`.
pub fn jq(stdout: &[u8]) -> Option<Version> {
    let text = String::from_utf8_lossy(stdout);
    Version::read(text.lines().next()?.trim().strip_prefix("jq-")?)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Versions {
    client_version: Option<Info>,
    server_version: Option<Info>,
}

/// `k8s.io/apimachinery/pkg/version.Info`, whose numbers are strings.
///
/// A build from a dirty tree or by a vendor has `"32+"`; a build without version flags has `""`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Info {
    major: String,
    minor: String,
    git_version: String,
}

impl Info {
    fn version(self) -> Option<Version> {
        match (leading_number(&self.major), leading_number(&self.minor)) {
            (Some(major), Some(minor)) => Some(Version { text: self.git_version, major, minor }),
            _ => Version::read(&self.git_version),
        }
    }
}

fn leading_number(text: &str) -> Option<u32> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.get(..end)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::hostile;
    use super::*;

    const DISPATCHER: &str = r#"{
  "clientVersion": {
    "major": "1",
    "minor": "32+",
    "gitVersion": "v1.32.4-dispatcher",
    "gitCommit": "4cb5f0764b8d5f425645c6f433394fede34a8a26",
    "gitTreeState": "clean",
    "buildDate": "2025-05-15T20:09:34Z",
    "goVersion": "go1.23.8",
    "compiler": "gc",
    "platform": "linux/amd64"
  },
  "kustomizeVersion": "v5.5.0"
}
"#;

    fn version(text: &str, major: u32, minor: u32) -> Version {
        Version { text: text.to_owned(), major, minor }
    }

    #[test]
    fn kubectl_of_a_vendor_is_known_by_its_numbers() {
        let found = kubectl_client(DISPATCHER.as_bytes()).unwrap();
        assert_eq!(found, version("v1.32.4-dispatcher", 1, 32));
    }

    #[test]
    fn kubectl_without_numbers_is_known_by_its_git_version() {
        let k3s = br#"{"clientVersion":{"major":"","minor":"","gitVersion":"v1.30.2+k3s1"}}"#;
        assert_eq!(kubectl_client(k3s).unwrap(), version("v1.30.2+k3s1", 1, 30));
    }

    #[test]
    fn kubectl_without_any_version_is_an_error_that_says_so() {
        let error = kubectl_client(br#"{"clientVersion":{"gitVersion":"main"}}"#).unwrap_err();
        assert!(error.why.contains(r#""main" is not a version"#), "{error}");
        let error = kubectl_client(b"{}").unwrap_err();
        assert!(error.why.contains("no clientVersion"), "{error}");
    }

    #[test]
    fn the_server_is_missing_when_none_answered() {
        assert_eq!(server(DISPATCHER.as_bytes()), Ok(None));
        let both = br#"{"clientVersion":{"gitVersion":"v1.33.1"},
            "serverVersion":{"major":"1","minor":"29+","gitVersion":"v1.29.4-eks-036c24b"}}"#;
        assert_eq!(server(both), Ok(Some(version("v1.29.4-eks-036c24b", 1, 29))));
    }

    #[test]
    fn curl_and_jq_are_read_from_their_first_line() {
        let debian = b"curl 7.88.1 (x86_64-pc-linux-gnu) libcurl/7.88.1 OpenSSL/3.0.19 zlib/1.2.13\n\
            Release-Date: 2023-02-20, security patched: 7.88.1-10+deb12u14\n";
        assert_eq!(curl(debian), Some(version("7.88.1", 7, 88)));
        assert_eq!(curl(b"zsh: command not found: curl\n"), None);
        assert_eq!(jq(b"jq-1.6\n"), Some(version("1.6", 1, 6)));
        assert_eq!(jq(b"jq-1.7.1-3ubuntu0.24.04.1\n"), Some(version("1.7.1-3ubuntu0.24.04.1", 1, 7)));
        assert_eq!(jq(b"jq-99999999999.1\n"), None);
    }

    #[test]
    fn no_bytes_panic() {
        hostile::survives(DISPATCHER, |bytes| {
            let _ = (kubectl_client(bytes), server(bytes), curl(bytes), jq(bytes));
        });
        hostile::survives("curl 7.88.1 (x)\n", |bytes| drop((curl(bytes), jq(bytes))));
    }
}
