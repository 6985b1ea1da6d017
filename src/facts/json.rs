//! Parses JSON that Go programs print, into small structs with only the fields in use.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// The error for a program's output that has an unexpected format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the output of {program} could not be read: {why}")]
pub struct Unreadable {
    /// The command whose output was parsed.
    pub program: &'static str,
    /// The unexpected content and its position.
    pub why: String,
}

/// Parses one JSON document.
pub(super) fn document<T: DeserializeOwned>(program: &'static str, bytes: &[u8]) -> Result<T, Unreadable> {
    parse(program, &String::from_utf8_lossy(bytes))
}

fn parse<'a, T: Deserialize<'a>>(program: &'static str, text: &'a str) -> Result<T, Unreadable> {
    if text.trim().is_empty() {
        return Err(Unreadable { program, why: "it is empty".to_owned() });
    }
    serde_json::from_str(text).map_err(|error| Unreadable { program, why: error.to_string() })
}

/// Parses the objects of one `kind`.
///
/// kubectl prints a single object when it was requested by name, else a `List`. If several kinds were
/// requested, the list also contains objects of other kinds.
pub(super) fn objects<T: DeserializeOwned>(
    program: &'static str,
    kind: &str,
    bytes: &[u8],
) -> Result<Vec<T>, Unreadable> {
    #[derive(Deserialize)]
    struct Typed {
        kind: Option<String>,
    }
    // An item stays text until its kind is known: most of a long list is of other kinds.
    #[derive(Deserialize)]
    struct Listed<'a> {
        #[serde(borrow, default, deserialize_with = "null_as_default")]
        items: Vec<&'a RawValue>,
    }

    let text = String::from_utf8_lossy(bytes);
    let found = parse::<Typed>(program, &text)?.kind.unwrap_or_default();
    if found == kind {
        return Ok(vec![parse(program, &text)?]);
    }
    if found != "List" && found.strip_suffix("List") != Some(kind) {
        let why = format!("its kind is {found:?}, neither {kind} nor a list of them");
        return Err(Unreadable { program, why });
    }
    let mut read = Vec::new();
    for item in parse::<Listed<'_>>(program, &text)?.items {
        // The API's own lists (`PodList`) omit the kind of their items, since all have the same kind.
        if parse::<Typed>(program, item.get())?.kind.is_none_or(|found| found == kind) {
            read.push(parse(program, item.get())?);
        }
    }
    Ok(read)
}

/// Parses `null` as the default value: Go prints a nil slice or map as `null`.
pub(super) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Returns `None` for `""`, which Go prints for a missing string.
pub(super) fn non_empty(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Named {
        name: String,
    }

    fn named(json: &str) -> Result<Vec<Named>, String> {
        objects("kubectl get x -o json", "Pod", json.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn one_object_and_a_list_of_them_read_alike() {
        let one = || vec![Named { name: "a".to_owned() }];
        assert_eq!(named(r#"{"kind":"Pod","name":"a"}"#), Ok(one()));
        assert_eq!(named(r#"{"kind":"List","items":[{"name":"a"}]}"#), Ok(one()));
        assert_eq!(named(r#"{"kind":"PodList","items":[{"name":"a"}]}"#), Ok(one()));
        assert_eq!(named(r#"{"kind":"List","items":null}"#), Ok(vec![]));
        assert_eq!(
            named(r#"{"items":[{"kind":"Node"},{"name":"a","kind":"Pod"}],"kind":"List"}"#),
            Ok(one())
        );
    }

    #[test]
    fn the_error_says_what_was_found() {
        fails_with(&named(r#"{"kind":"Status"}"#), r#"its kind is "Status", neither Pod nor a list of them"#);
        fails_with(&named("\n"), "it is empty");
        fails_with(
            &named(r#"{"kind":"List","items":[{"kind":"Pod","name":"a","name":"b"}]}"#),
            "duplicate field `name` at line 1 column 31",
        );
        fails_with(
            &named(r#"{"kind":"List","items":["a"]}"#),
            "invalid type: string \"a\", expected struct Typed at line 1 column 3",
        );
        fails_with(&named("<html>"), "expected value at line 1 column 1");
    }

    fn fails_with(result: &Result<Vec<Named>, String>, why: &str) {
        let expected = format!("the output of kubectl get x -o json could not be read: {why}");
        assert_eq!(result, &Err(expected));
    }
}
