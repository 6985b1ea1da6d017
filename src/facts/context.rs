//! Parses a kubeconfig context: its cluster, its user and its namespace.
//!
//! The command prints only three harmless fields with a jsonpath. The whole output of `kubectl config view`
//! would contain the environment of plugins and the password of a proxy.

use serde::{Deserialize, Serialize};

use super::json::{document, non_empty};
use super::{LAST_OF_ITS_OWN, Unreadable};

/// A context of the kubeconfig.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// The name of its cluster entry.
    pub cluster: String,
    /// The name of its user entry; the server may use another name for that user.
    pub user: String,
    /// The namespace of objects that name none; if `None`, kubectl uses `default`.
    pub namespace: Option<String>,
    /// The API server's URL without user and password; `None` if the cluster entry has none.
    pub server: Option<String>,
}

/// Parses the output of `kubectl config view --minify` of the step `context`.
///
/// # Errors
/// When the first line is not the JSON of a context.
pub fn parse(stdout: &[u8]) -> Result<Context, Unreadable> {
    #[derive(Deserialize)]
    struct ContextEntry {
        #[serde(default)]
        cluster: String,
        #[serde(default)]
        user: String,
        #[serde(default)]
        namespace: String,
    }

    let text = String::from_utf8_lossy(stdout);
    let (entry, server) = text.split_once('\n').unwrap_or((&text, ""));
    let entry: ContextEntry = document("kubectl config view --minify", entry.as_bytes())?;
    Ok(Context {
        cluster: entry.cluster,
        user: entry.user,
        namespace: non_empty(entry.namespace),
        server: non_empty(without_credentials(server.trim())),
    })
}

/// Returns how the exit code of `kubectl config use-context` contradicts what it printed; `None` if it does not.
///
/// It prints `Switched to context "NAME".` exactly if it exits 0, with the name as Go quotes it (`%q`). Of a name with
/// other than plain ASCII characters only the first words are compared.
pub fn contradiction_of_switch(exit: i32, name: &str, stdout: &[u8]) -> Option<String> {
    let printed = String::from_utf8_lossy(stdout);
    let is_plain = name.bytes().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\'));
    let switched = if is_plain {
        printed.lines().any(|line| line == format!("Switched to context \"{name}\"."))
    } else {
        printed.contains(SWITCHED)
    };
    match exit {
        0 => (!switched).then(|| format!("it exited 0, and did not print that it switched to {name}")),
        1..=LAST_OF_ITS_OWN => {
            printed.contains(SWITCHED).then(|| format!("it exited {exit}, and printed that it switched"))
        }
        _ => None,
    }
}

/// The first words of a `kubectl config use-context` that succeeded.
const SWITCHED: &str = "Switched to context ";

/// Returns a URL without the `user:password@` before its host.
pub fn without_credentials(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(authority_end);
    // The last `@`: a password may contain one, a host can't.
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::super::hostile;
    use super::*;

    const FULL: &str = r#"{"cluster":"c1","extensions":[{"extension":{"a":1},"name":"x"}],"namespace":"dpp-staging","user":"u1"}
https://bob:pw@10.0.0.1:6443/path"#;

    #[test]
    fn a_switch_that_contradicts_its_exit_code_is_found() {
        let found = |exit, name, stdout: &str| contradiction_of_switch(exit, name, stdout.as_bytes());
        for (exit, name, stdout) in [
            (0, "a", "Switched to context \"a\".\n"),
            (0, "arn:aws:eks:x/y@z", "Switched to context \"arn:aws:eks:x/y@z\".\n"),
            (0, "caf\u{e9}\\", "Switched to context \"caf\u{e9}\\\\\".\n"),
            (1, "a", ""),
            (137, "a", "Switched to context \"a\".\n"),
        ] {
            assert_eq!(found(exit, name, stdout), None, "{exit} {name}");
        }
        for (exit, name, stdout, expected) in [
            (0, "a", "Switched to context \"b\".\n", "it exited 0, and did not print that it switched to a"),
            (0, "caf\u{e9}", "", "it exited 0, and did not print that it switched to caf\u{e9}"),
            (1, "a", "Switched to context \"a\".\n", "it exited 1, and printed that it switched"),
        ] {
            assert_eq!(found(exit, name, stdout).as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_context_is_read_without_its_credentials() {
        let expected = Context {
            cluster: "c1".to_owned(),
            user: "u1".to_owned(),
            namespace: Some("dpp-staging".to_owned()),
            server: Some("https://10.0.0.1:6443/path".to_owned()),
        };
        assert_eq!(parse(FULL.as_bytes()), Ok(expected));
    }

    #[test]
    fn a_context_may_lack_its_namespace_and_its_server() {
        let bare = parse(b"{\"cluster\":\"c1\",\"user\":\"u1\"}\n").unwrap();
        assert_eq!((bare.namespace, bare.server), (None, None));
    }

    #[test]
    fn nothing_printed_is_an_error() {
        assert!(parse(b"").is_err());
        assert!(parse(b"\nhttps://10.0.0.1").is_err());
    }

    #[test]
    fn credentials_go_and_all_else_stays() {
        for (given, left) in [
            ("https://10.0.0.1:6443", "https://10.0.0.1:6443"),
            ("https://bob@h/x", "https://h/x"),
            ("https://bob:p@ss:w@h:1/a@b?c=d@e#f", "https://h:1/a@b?c=d@e#f"),
            ("bob:pw@h:6443", "h:6443"),
            ("https://[::1]:6443", "https://[::1]:6443"),
            ("", ""),
        ] {
            assert_eq!(without_credentials(given), left, "{given}");
        }
    }

    #[test]
    fn no_bytes_panic() {
        hostile::survives(FULL, |bytes| {
            let _ = parse(bytes);
        });
    }
}
