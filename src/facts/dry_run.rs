//! Parses `kubectl apply --dry-run=server -o go-template=…`: the namespace in which each object would be
//! placed.
//!
//! The command uses a template instead of `-o json`, because JSON would print the data of a Secret.

use serde::{Deserialize, Serialize};

use super::Unreadable;

/// The template: one line for each object, with five fields separated by tabs; a missing field is empty.
///
/// kubectl passes a single object as itself, and several objects as a `List`.
pub const TEMPLATE: &str = concat!(
    r#"{{define "object"}}"#,
    r#"{{with .apiVersion}}{{.}}{{end}}{{"\t"}}"#,
    r#"{{with .kind}}{{.}}{{end}}{{"\t"}}"#,
    r#"{{with .metadata.namespace}}{{.}}{{end}}{{"\t"}}"#,
    r#"{{with .metadata.name}}{{.}}{{end}}{{"\t"}}"#,
    r#"{{with .metadata.generation}}{{.}}{{end}}{{"\n"}}"#,
    r#"{{end}}"#,
    r#"{{if eq .kind "List"}}{{range .items}}{{template "object" .}}{{end}}"#,
    r#"{{else}}{{template "object" .}}{{end}}"#,
);

/// An object as the server would store it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Landing {
    /// The API version, such as `apps/v1`.
    pub api_version: String,
    /// The kind, such as `Deployment`.
    pub kind: String,
    /// The namespace in which it would be placed; `None` for a cluster-scoped object.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// The `metadata.generation` that it would have, unchanged if the spec would not change; `None` for kinds
    /// without it.
    pub generation: Option<i64>,
}

/// Parses kubectl's output for [`TEMPLATE`].
///
/// # Errors
/// When a line has another form: an object that is not read could be placed anywhere.
pub fn landings(stdout: &[u8]) -> Result<Vec<Landing>, Unreadable> {
    let read = |line: &str| {
        landing(line).ok_or_else(|| Unreadable {
            program: "kubectl apply --dry-run=server",
            why: format!("the line {line:?} does not have the five fields of the template"),
        })
    };
    String::from_utf8_lossy(stdout).lines().map(read).collect()
}

fn landing(line: &str) -> Option<Landing> {
    let mut fields = line.split('\t');
    let landing = Landing {
        api_version: fields.next()?.to_owned(),
        kind: fields.next()?.to_owned(),
        namespace: fields.next().map(|namespace| (!namespace.is_empty()).then(|| namespace.to_owned()))?,
        name: fields.next()?.to_owned(),
        generation: match fields.next()? {
            "" => None,
            generation => Some(generation.parse().ok()?),
        },
    };
    fields.next().is_none().then_some(landing)
}

#[cfg(test)]
mod tests {
    use super::super::hostile;
    use super::*;

    const THREE: &str = "v1\tConfigMap\tother\ta\t\n\
        apps/v1\tDeployment\tdpp-staging\tdpp-api\t12345678\n\
        v1\tNamespace\t\tnsx\t\n";

    #[test]
    fn each_line_is_an_object() {
        let landing =
            |api_version: &str, kind: &str, namespace: Option<&str>, name: &str, generation| Landing {
                api_version: api_version.to_owned(),
                kind: kind.to_owned(),
                namespace: namespace.map(str::to_owned),
                name: name.to_owned(),
                generation,
            };
        let expected = [
            landing("v1", "ConfigMap", Some("other"), "a", None),
            landing("apps/v1", "Deployment", Some("dpp-staging"), "dpp-api", Some(12_345_678)),
            landing("v1", "Namespace", None, "nsx", None),
        ];
        assert_eq!(landings(THREE.as_bytes()).unwrap(), expected);
        assert!(landings(b"").unwrap().is_empty());
    }

    #[test]
    fn another_line_is_refused() {
        for line in
            ["", "configmap/a created (server dry run)", "a\tb\tc\td", "a\tb\tc\td\te", "a\tb\tc\td\t1\tf"]
        {
            let error = landings(format!("{THREE}{line}\n").as_bytes()).unwrap_err().to_string();
            assert!(error.contains("does not have the five fields of the template"), "{line:?}: {error}");
        }
    }

    #[test]
    fn no_bytes_panic() {
        hostile::survives(THREE, |bytes| drop(landings(bytes)));
    }
}
