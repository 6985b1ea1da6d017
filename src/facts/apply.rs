//! Parses the output of `kubectl apply -f -`: one line for each object, `deployment.apps/dpp-api configured`.
//!
//! Errors are on standard error, see [`super::stderr::errors`]. An apply is not atomic within a file, so both
//! outputs can have content.

use serde::{Deserialize, Serialize};

/// The result of applying one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// The kind, group and name of the object, as kubectl prints them: `deployment.apps/dpp-api`.
    pub object: String,
    /// The server's action.
    pub outcome: ApplyOutcome,
}

/// The server's action on an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApplyOutcome {
    /// The object did not exist before.
    Created,
    /// The object was patched.
    ///
    /// This does not prove a change: for quantities that the server normalizes (`1000m`), kubectl prints it
    /// every time. `metadata.generation` shows whether a spec changed.
    Configured,
    /// There was nothing to patch.
    Unchanged,
    /// Another word of kubectl: `serverside-applied`, `pruned`.
    Other(String),
}

/// Parses standard output, and skips lines of any other form.
pub fn applied(stdout: &[u8]) -> Vec<Applied> {
    String::from_utf8_lossy(stdout).lines().filter_map(line).collect()
}

fn line(line: &str) -> Option<Applied> {
    let (object, rest) = line.trim().split_once(' ')?;
    let (kind, name) = object.split_once('/')?;
    if kind.is_empty() || name.is_empty() {
        return None;
    }
    // A dry run adds a suffix: `created (server dry run)`.
    let outcome = match rest.split(" (").next()? {
        "created" => ApplyOutcome::Created,
        "configured" => ApplyOutcome::Configured,
        "unchanged" => ApplyOutcome::Unchanged,
        other => ApplyOutcome::Other(other.to_owned()),
    };
    Some(Applied { object: object.to_owned(), outcome })
}

#[cfg(test)]
mod tests {
    use super::super::hostile;
    use super::*;

    const STDOUT: &str = "serviceaccount/dpp-api created\n\
        service/dpp-api unchanged\n\
        deployment.apps/dpp-api configured\n\
        configmap/a created (server dry run)\n\
        configmap/old pruned\n\
        role.rbac.authorization.k8s.io/x:y serverside-applied\n";

    #[test]
    fn each_line_is_an_object_and_its_outcome() {
        let found = applied(STDOUT.as_bytes());
        let found: Vec<_> = found.iter().map(|it| (it.object.as_str(), &it.outcome)).collect();
        assert_eq!(
            found,
            [
                ("serviceaccount/dpp-api", &ApplyOutcome::Created),
                ("service/dpp-api", &ApplyOutcome::Unchanged),
                ("deployment.apps/dpp-api", &ApplyOutcome::Configured),
                ("configmap/a", &ApplyOutcome::Created),
                ("configmap/old", &ApplyOutcome::Other("pruned".to_owned())),
                ("role.rbac.authorization.k8s.io/x:y", &ApplyOutcome::Other("serverside-applied".to_owned())),
            ]
        );
    }

    #[test]
    fn other_lines_are_no_objects() {
        assert_eq!(applied(b"\nerror: no objects passed to apply\ndeployment.apps/\n/x created\n"), []);
    }

    #[test]
    fn no_bytes_panic() {
        hostile::survives(STDOUT, |bytes| drop(applied(bytes)));
    }
}
