//! Inspects a manifest as text, before any program parses it.
//!
//! Three questions must be answered before a manifest is copied or applied, and none of them needs a YAML
//! parser.

use std::collections::BTreeSet;

/// Returns whether the text contains a Secret, in block YAML, flow YAML or JSON.
///
/// It searches for the word `kind`, a colon and the word `Secret` (or `SecretList`). It errs on the side of
/// yes: a commented Secret may contain a value too, and a reference to a Secret looks the same. If it misses
/// one (a kind in JSON's `\u` escapes, for example), the server-side dry run still shows the object's kind.
pub fn holds_secret(manifest: &[u8]) -> bool {
    let text = String::from_utf8_lossy(manifest);
    text.match_indices("kind").any(|(at, kind)| {
        let (before, after) = (text.get(..at), text.get(at + kind.len()..));
        !before.is_some_and(|before| before.ends_with(is_word)) && after.is_some_and(value_is_secret)
    })
}

/// Returns whether the text after `kind` is a colon and a Secret.
fn value_is_secret(after: &str) -> bool {
    const QUOTES: [char; 2] = ['"', '\''];
    let Some(value) = after.trim_start_matches(QUOTES).trim_start().strip_prefix(':') else { return false };
    let mut value = value.trim_start();
    // A YAML tag or anchor may precede a value: `kind: !!str Secret`.
    while value.starts_with(['!', '&']) {
        value = value.trim_start_matches(|c: char| !c.is_whitespace()).trim_start();
    }
    let value = value.trim_start_matches(QUOTES);
    let word = value.find(|c| !is_word(c)).and_then(|end| value.get(..end)).unwrap_or(value);
    matches!(word, "Secret" | "SecretList")
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/')
}

/// Returns the names in `${…}` on one line: the placeholders that `sed` has to replace, or has left.
pub fn placeholders(manifest: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(manifest);
    let names = text.split("${").skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name));
    names.filter(|name| !name.is_empty() && !name.contains('\n')).map(str::to_owned).collect()
}

/// Returns whether there is no object: only comments, directives, document markers, or nothing.
pub fn is_blank(manifest: &[u8]) -> bool {
    let text = String::from_utf8_lossy(manifest);
    let text = text.trim_start_matches('\u{feff}');
    text.lines().all(|line| {
        let content = line.split_once(" #").map_or(line, |(content, _)| content).trim();
        matches!(content, "" | "---" | "...") || content.starts_with('#') || line.starts_with('%')
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::hostile;
    use super::*;

    #[test]
    fn a_secret_is_found_however_it_is_written() {
        for manifest in [
            "apiVersion: v1\nkind: Secret\n",
            "kind: Secret",
            "kind:    'Secret'  # ours\n",
            "\"kind\" : \"Secret\"\n",
            "'kind': Secret\r\n",
            "---\n{apiVersion: v1, kind: Secret, metadata: {name: a}}",
            r#"{"apiVersion":"v1","kind":"Secret"}"#,
            "{\"kind\"\n:\n\"Secret\"}",
            "items:\n- kind: Secret\n",
            "-\tkind:\tSecret",
            "kind: !!str Secret",
            "kind: &k Secret",
            "? kind\n: Secret\n",
            "kind: SecretList\n",
            "# kind: Secret\n",
            "kind: Service\nname: \u{fffd}\n---\nkind: Secret",
        ] {
            assert!(holds_secret(manifest.as_bytes()), "{manifest:?}");
        }
        assert!(holds_secret(b"\xff\xfe\nkind: Secret\n"));
    }

    #[test]
    fn what_is_another_word_is_no_secret() {
        for manifest in [
            "",
            "kind: SecretStore\n",
            "kind: ExternalSecret\n",
            "kind: Secret-ish\n",
            "mykind: Secret\n",
            "sub.kind: Secret\n",
            "kinds: Secret\n",
            "kind: secret\n",
            "kind = Secret\n",
            "secretKeyRef:\n  name: db\n",
            "kind: Deployment\nname: Secret\n",
        ] {
            assert!(!holds_secret(manifest.as_bytes()), "{manifest:?}");
        }
    }

    #[test]
    fn placeholders_are_named_once() {
        let manifest =
            b"image: ${AWS_ACCOUNT_ID}.dkr.ecr.x/dpp-api:${IMAGE_TAG}\n# ${IMAGE_TAG} $HOME $(POD_IP)\n\
            a: ${UNCLOSED\nb: ${}\nc: ${OUTER_${INNER}}\n";
        let expected = ["AWS_ACCOUNT_ID", "IMAGE_TAG", "INNER"];
        assert_eq!(placeholders(manifest), expected.map(str::to_owned).into());
    }

    #[test]
    fn comments_and_marks_are_nothing_to_apply() {
        for blank in ["", "\n \n", "# a\n---\n", "\u{feff}--- # first\n  # b\n...\n", "%YAML 1.2\n---\n"] {
            assert!(is_blank(blank.as_bytes()), "{blank:?}");
        }
        for manifest in ["kind: Service", "---\nkind: x", "--- {}", "a#b", "\u{fffd}"] {
            assert!(!is_blank(manifest.as_bytes()), "{manifest:?}");
        }
    }

    proptest! {
        #[test]
        fn a_secret_is_found_among_anything(before in "\\PC*", after in "\\PC*") {
            let manifest = format!("{before}\nkind: Secret\n{after}");
            prop_assert!(holds_secret(manifest.as_bytes()));
        }

        #[test]
        fn a_placeholder_is_found_among_anything(before in "[^$]*", name in "[A-Z_]{1,12}", after in "[^$]*") {
            let manifest = format!("{before}${{{name}}}{after}");
            prop_assert!(placeholders(manifest.as_bytes()).contains(&name));
        }
    }

    #[test]
    fn no_bytes_panic() {
        hostile::survives("kind: \"Secret\" ${A} # \n---\n", |bytes| {
            let _ = (holds_secret(bytes), placeholders(bytes), is_blank(bytes));
        });
    }
}
