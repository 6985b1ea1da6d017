//! Parses the output of `kubectl apply -f -`: one line for each object, `deployment.apps/dpp-api configured`.
//!
//! Errors are on standard error, see [`super::stderr::errors`]. An apply is not atomic within a file, so both
//! outputs can have content.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::dry_run::Landing;

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

/// Returns how the exit code of an apply that ended by itself contradicts the objects that it printed; `None` if it
/// does not.
///
/// `landed` are the objects of the same manifest by its dry run. An apply that exits 0 names each of them, and one
/// that fails names some.
pub fn contradiction(exit: i32, objects: &[Applied], landed: &[Landing]) -> Option<String> {
    let names: BTreeSet<String> = landed.iter().map(printed_name).collect();
    let applied: BTreeSet<&str> = objects.iter().map(|applied| applied.object.as_str()).collect();
    if let Some(other) = applied.iter().find(|name| !names.contains(**name)) {
        return Some(format!("it applied {other}, which is not among the objects of its dry run"));
    }
    let missing = names.iter().find(|name| !applied.contains(name.as_str()));
    missing
        .filter(|_| exit == 0)
        .map(|name| format!("it exited 0, and did not apply {name}, an object of its dry run"))
}

/// Returns the name of an object as kubectl prints it: the kind in lower case, the group if it has one, and the name.
fn printed_name(object: &Landing) -> String {
    let kind = object.kind.to_lowercase();
    match object.api_version.split_once('/') {
        Some((group, _)) => format!("{kind}.{group}/{}", object.name),
        None => format!("{kind}/{}", object.name),
    }
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
    fn an_apply_that_contradicts_its_dry_run_is_found() {
        let landing = |api_version: &str, kind: &str, name: &str| Landing {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: None,
            name: name.to_owned(),
            generation: None,
        };
        let landed = [
            landing("v1", "Service", "a"),
            landing("apps/v1", "Deployment", "a"),
            landing("rbac.authorization.k8s.io/v1", "Role", "x:y"),
        ];
        let [service, deployment, role] = [
            "service/a unchanged\n",
            "deployment.apps/a configured\n",
            "role.rbac.authorization.k8s.io/x:y created\n",
        ];
        let found =
            |exit, printed: &[&str]| contradiction(exit, &applied(printed.concat().as_bytes()), &landed);
        assert_eq!(found(0, &[role, service, deployment]), None);
        assert_eq!(found(1, &[deployment]), None);
        assert_eq!(found(1, &[]), None);
        for (exit, printed, expected) in [
            (
                0,
                &[role, deployment][..],
                "it exited 0, and did not apply service/a, an object of its dry run",
            ),
            (0, &[], "it exited 0, and did not apply deployment.apps/a, an object of its dry run"),
            (
                1,
                &["service/b created\n"],
                "it applied service/b, which is not among the objects of its dry run",
            ),
        ] {
            assert_eq!(found(exit, printed).as_deref(), Some(expected));
        }
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
