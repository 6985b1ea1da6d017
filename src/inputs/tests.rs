//! The inputs: each kind of malformed value with its message, and the grammars against regular expressions.

use std::os::unix::ffi::OsStringExt;
use std::process::Command;

use proptest::prelude::*;
use proptest::string::string_regex;
use secrecy::ExposeSecret;

use super::*;

const REQUIRED: [(&str, &str); 3] = [
    ("STAGING_CONTEXT", "staging-cluster"),
    ("STAGING_NAMESPACE", "dpp-staging"),
    ("STAGING_BASE_URL", "https://staging.example"),
];

/// Reads these inputs; a later one of the same name counts.
fn read_from(values: &[(&str, &str)]) -> Result<Inputs, Refused> {
    read(|name| values.iter().rev().find(|(given, _)| *given == name).map(|(_, value)| value.into()))
}

/// Reads the required inputs, with one input added or replaced.
fn read_with(name: &str, value: &str) -> Result<Inputs, Refused> {
    read_from(&[&REQUIRED[..], &[(name, value)]].concat())
}

/// Returns the problem of the one input that is wrong.
fn fault(name: &str, value: &str) -> String {
    let refused = read_with(name, value).expect_err(value);
    let [problem] = refused.problems.as_slice() else { panic!("{refused}") };
    assert_eq!(problem.name, name);
    problem.fault.clone()
}

#[test]
fn what_is_required_is_enough() {
    let inputs = read_from(&REQUIRED).unwrap();
    let target = &inputs.target;
    assert_eq!((&*target.context, &*target.namespace), ("staging-cluster", "dpp-staging"));
    assert_eq!(target.base_url, "https://staging.example");
    assert_eq!((&target.metrics_url, &target.aws_account_id), (&None, &None));
    assert_eq!((&*target.aws_region, &*target.image_tag), ("us-east-1", "latest"));
    assert!(inputs.api_key.is_none());
    assert_eq!(inputs.defaulted, ["AWS_REGION", "IMAGE_TAG"]);
}

#[test]
fn every_example_is_inside_its_own_grammar() {
    let mut examples: Vec<(&str, &str)> = TABLE.iter().map(|row| (row.name, row.example)).collect();
    examples.extend([("DB_PASSWORD", "correct horse"), ("SENTRY_DSN", "https://k@h/1")]);
    let inputs = read_from(&examples).unwrap();
    assert_eq!(inputs.defaulted, Vec::<&str>::new());
    assert_eq!(inputs.redact.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["DB_PASSWORD", "SENTRY_DSN"]);
    for row in TABLE.iter().filter(|row| row.name != REDACT) {
        let expected = (!row.secret).then_some(row.example);
        assert_eq!(inputs.target.input(row.name), expected, "{}", row.name);
    }
    assert_eq!(inputs.api_key.unwrap().expose_secret(), "sk_test_...");
}

#[test]
fn a_default_is_inside_its_own_grammar() {
    for row in &TABLE {
        if let Some(default) = row.default {
            assert_eq!((row.check)(default).as_deref(), Ok(default));
        }
    }
}

#[test]
fn the_rows_are_the_runbooks_inputs_in_its_order() {
    let runbook = include_str!("../runbook/RUNBOOK.md");
    let exported = runbook.lines().filter_map(|line| line.strip_prefix("export ")?.split('=').next());
    let ours = ["STAGING_METRICS_URL", REDACT];
    let rows = TABLE.iter().map(|row| row.name).filter(|name| !ours.contains(name));
    assert_eq!(rows.collect::<Vec<_>>(), exported.collect::<Vec<_>>());
}

#[test]
fn empty_means_unset() {
    assert_eq!(fault("STAGING_CONTEXT", ""), "is empty");
    let inputs = read_with("IMAGE_TAG", "").unwrap();
    assert_eq!((&*inputs.target.image_tag, inputs.defaulted.contains(&"IMAGE_TAG")), ("latest", true));
    assert!(read_with("STAGING_API_KEY", "").unwrap().api_key.is_none());
}

#[test]
fn variables_of_the_commands_have_values_but_never_the_key() {
    let inputs = read_with("STAGING_API_KEY", "sk_test_123").unwrap();
    assert_eq!(inputs.target.base("STAGING_METRICS_URL"), "https://staging.example");
    assert_eq!(inputs.target.input("AWS_ACCOUNT_ID"), None);
    assert_eq!(inputs.target.input("STAGING_API_KEY"), None);
    assert!(!format!("{inputs:?}").contains("sk_test_123"));
    let inputs = read_with("STAGING_METRICS_URL", "http://staging.example:9090/").unwrap();
    assert_eq!(inputs.target.base("STAGING_METRICS_URL"), "http://staging.example:9090");
}

#[test]
fn a_named_value_that_is_missing_or_short_is_refused_without_a_character_of_it() {
    let with = |names, value| read_from(&[(REDACT, names), ("DB_PASSWORD", value)]).unwrap_err().to_string();
    assert!(with("DB_PASSWORD", "").contains("DB_PASSWORD is not set, so its value can't be looked for"));
    let short = with("DB_PASSWORD", "hunter2");
    assert!(short.contains("has 7 characters; at least 8") && !short.contains("hunter2"), "{short}");
    assert!(
        with("DB_PASSWORD, OTHER", "correct horse").contains(r#"" OTHER" is not the name of a variable"#)
    );
}

#[test]
fn no_message_contains_a_secret_that_is_in_another_input() {
    let key = "qz_live/0123 456{},789";
    let long = "k".repeat(200);
    for (secret, name) in [
        (key, "STAGING_BASE_URL"),
        (key, "STAGING_NAMESPACE"),
        (key, "IMAGE_TAG"),
        (key, REDACT),
        (&long, "STAGING_METRICS_URL"),
        ("qz_live_01234567", "STAGING_CONTEXT"),
        ("qz_live_01234567", "IMAGE_TAG"),
    ] {
        for given in [secret.to_owned(), format!("x{secret}"), format!("https://{secret}@h/?{secret}")] {
            let given = [("STAGING_API_KEY", secret), (name, &given)];
            let refused = read_from(&[&REQUIRED[..], &given].concat()).unwrap_err().to_string();
            for part in [&secret[..8], "456{", "789"] {
                let is_in = secret.contains(part) && refused.contains(part);
                assert!(!is_in, "{name}: {refused}");
            }
        }
    }
    let named = [(REDACT, "DB_PASSWORD,OTHER"), ("DB_PASSWORD", "hunter2 hunter2"), ("OTHER", "hunter2 hun")];
    let given = [&REQUIRED[..], &named, &[("AWS_REGION", "hunter2 hunter2")]].concat();
    let refused = read_from(&given).unwrap_err();
    assert_eq!(refused.problems[0].fault, "contains [redacted:DB_PASSWORD], which must be in no other input");
    let near = read_from(&[&REQUIRED[..], &named, &[("AWS_REGION", "hunter")]].concat()).unwrap_err();
    assert!(near.problems[0].fault.starts_with("is \"hunter\": "), "{near}");
}

#[test]
fn the_message_for_several_bad_inputs() {
    let refused = read_from(&[
        ("STAGING_NAMESPACE", "dpp-staging"),
        ("STAGING_BASE_URL", "https://user:secret@staging.example"),
        ("AWS_ACCOUNT_ID", "12345"),
        ("IMAGE_TAG", "v0.4.2.2"),
    ]);
    insta::assert_snapshot!(refused.unwrap_err(), @r#"
    Refused: 3 inputs can't be used. Nothing was run and nothing was written.

      STAGING_CONTEXT is not set
          for example   export STAGING_CONTEXT="staging-cluster"
          find it       kubectl config get-contexts -o name
      STAGING_BASE_URL is "https://user:…@staging.example": a user name and password don't belong in it
          for example   export STAGING_BASE_URL="https://staging-api.decisionproof.ai"
          find it       the host of the staging ingress: kubectl get ingress -n dpp-staging
      AWS_ACCOUNT_ID is "12345": an account has 12 digits (this has 5)
          for example   export AWS_ACCOUNT_ID="123456789012"
          find it       aws sts get-caller-identity --query Account --output text

    The other inputs are fine: STAGING_NAMESPACE, AWS_REGION (us-east-1, the default), IMAGE_TAG (v0.4.2.2).
    "#);
}

#[test]
fn where_to_find_an_input_names_the_others_that_are_fine() {
    let refused = read_from(&[("STAGING_CONTEXT", "team's staging"), REQUIRED[2]]).unwrap_err();
    insta::assert_snapshot!(refused, @r#"
    Refused: 1 input can't be used. Nothing was run and nothing was written.

      STAGING_NAMESPACE is not set
          for example   export STAGING_NAMESPACE="dpp-staging"
          find it       kubectl --context="team's staging" get namespaces -o name

    The other inputs are fine: STAGING_CONTEXT, STAGING_BASE_URL, AWS_REGION (us-east-1, the default), IMAGE_TAG (latest, the default).
    "#);
    let nothing = read_from(&[("AWS_REGION", "x"), ("IMAGE_TAG", "/")]).unwrap_err();
    assert_eq!(nothing.problems[1].find_it, r#"kubectl --context="$STAGING_CONTEXT" get namespaces -o name"#);
    assert!(nothing.to_string().ends_with("list-images --repository-name dpp-api"), "{nothing}");
}

#[test]
fn a_host_beyond_ascii_is_taken_in_punycode() {
    assert!(is_taken("STAGING_BASE_URL", "https://api.xn--mnchen-3ya.example"));
}

#[test]
fn what_is_wrong_is_said_of_each_kind() {
    let long = "a".repeat(300);
    let url = "STAGING_BASE_URL";
    let faults = [
        ("STAGING_CONTEXT", "a\u{7}b", r#"is "a\u{7}b": '\u{7}' is not printable"#),
        ("STAGING_CONTEXT", "a\nb", r#"is "a\nb": '\n' is not printable"#),
        ("STAGING_CONTEXT", "a\u{202e}b", r#"is "a\u{202e}b": '\u{202e}' is not printable"#),
        (
            "STAGING_CONTEXT",
            "--help",
            r#"is "--help": kubectl would read a name that begins with `-` as an option"#,
        ),
        (
            "STAGING_CONTEXT",
            &long,
            &format!(
                "is \"{}\"… (300 characters): a context's name has at most 253 bytes (this has 300)",
                &long[..80]
            ),
        ),
        (
            "STAGING_NAMESPACE",
            "DPP",
            r#"is "DPP": a namespace has lower-case letters, digits and `-` alone, not 'D'"#,
        ),
        ("STAGING_NAMESPACE", "dpp-", r#"is "dpp-": a namespace begins and ends with a letter or a digit"#),
        (
            "STAGING_NAMESPACE",
            &long[..64],
            &format!("is \"{}\": a namespace has at most 63 bytes (this has 64)", &long[..64]),
        ),
        (url, "staging.example", r#"is "staging.example": a base URL begins with http:// or https://"#),
        (url, "ftp://h", r#"is "ftp://h": a base URL begins with http:// or https://"#),
        (url, "https://", r#"is "https://": this is not a URL: empty host"#),
        (url, "https://h:99999", r#"is "https://h:99999": this is not a URL: invalid port number"#),
        (url, "https://token@h", r#"is "https://…@h": a user name and password don't belong in it"#),
        (url, "https://h/?key=secret", r#"is "https://h/?…": a query doesn't belong in it"#),
        (url, "https://h#top", r#"is "https://h#…": a fragment doesn't belong in it"#),
        (
            url,
            "https://h{a,b}",
            r#"is "https://h{a,b}": a host has letters, digits, `.`, `_` and `-` alone, not '{'"#,
        ),
        (
            url,
            "https://münchen.example",
            r#"is "https://münchen.example": a host has letters, digits, `.`, `_` and `-` alone, not 'ü'"#,
        ),
        (
            url,
            "https://h/a b",
            r#"is "https://h/a b": its path has letters, digits and `._-~/` alone, not ' '"#,
        ),
        (
            url,
            r"https://h/a\b",
            r#"is "https://h/a\\b": its path has letters, digits and `._-~/` alone, not '\\'"#,
        ),
        (url, "https://h/a/../b", r#"is "https://h/a/../b": its plain form is "https://h/b""#),
        (url, "https://H:443//", r#"is "https://H:443//": its plain form is "https://h""#),
        (url, "http://0x7f.1", r#"is "http://0x7f.1": its plain form is "http://127.0.0.1""#),
        ("AWS_ACCOUNT_ID", "1234-5678-90", r#"is "1234-5678-90": an account has digits alone, not '-'"#),
        ("AWS_ACCOUNT_ID", "١٢٣", r#"is "١٢٣": an account has digits alone, not '١'"#),
        (
            "AWS_REGION",
            "us-east",
            r#"is "us-east": a region is two letters, one word or more, and a number, joined by `-`"#,
        ),
        ("IMAGE_TAG", "a/b", r#"is "a/b": a tag has letters, digits, `_`, `.` and `-` alone, not '/'"#),
        ("IMAGE_TAG", ".a", r#"is ".a": a tag begins with a letter, a digit or `_`"#),
        (
            "IMAGE_TAG",
            &long[..129],
            &format!("is \"{}\"… (129 characters): a tag has at most 128 bytes (this has 129)", &long[..80]),
        ),
        ("STAGING_API_KEY", "short", "can't be used: a key has at least 8 characters (this has 5)"),
        (
            "STAGING_API_KEY",
            "sk_test_1\n",
            "can't be used: a key is printable ASCII without spaces (character 10 is not)",
        ),
        (
            "STAGING_API_KEY",
            "sk_tést_1",
            "can't be used: a key is printable ASCII without spaces (character 5 is not)",
        ),
        ("STAGING_METRICS_URL", "h:9090", r#"is "h:9090": a base URL begins with http:// or https://"#),
    ];
    for (name, value, expected) in faults {
        assert_eq!(fault(name, value), expected);
    }
}

#[test]
fn what_is_not_utf8_is_refused() {
    let with_bytes = |bad: &str| {
        let bytes = |name: &str| (name == bad).then(|| OsString::from_vec(b"sk_test_\xff1".to_vec()));
        let fallback =
            |name: &str| REQUIRED.iter().find(|(given, _)| *given == name).map(|(_, value)| value.into());
        read(|name| bytes(name).or_else(|| fallback(name))).unwrap_err().problems.remove(0).fault
    };
    assert_eq!(with_bytes("IMAGE_TAG"), "is \"sk_test_\u{fffd}1\": this is not UTF-8");
    assert_eq!(with_bytes("STAGING_API_KEY"), "can't be used: this is not UTF-8");
}

#[test]
fn a_value_is_shown_without_its_password() {
    let shown = [
        ("https://user:pa/s@s?w#rd@host/x", "https://user:…@host/x"),
        ("user:secret@host", "user:…@host"),
        ("kubernetes-admin@kubernetes", "kubernetes-admin@kubernetes"),
        ("https://host/?key=a@b", "https://…@b"),
        ("what?#", "what?#"),
    ];
    for (value, expected) in shown {
        assert_eq!(refused::shown(value), format!("{expected:?}"));
    }
}

/// The documented grammars: for bash's `=~`, and to generate values from.
const GRAMMARS: [(&str, &str); 6] = [
    ("STAGING_CONTEXT", "[ -,.-~][ -~]{0,252}"),
    ("STAGING_NAMESPACE", "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"),
    ("AWS_ACCOUNT_ID", "[0-9]{12}"),
    ("AWS_REGION", "[a-z]{2}(-[a-z]+)+-[0-9]+"),
    ("IMAGE_TAG", "[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"),
    ("STAGING_API_KEY", "[!-~]{8,}"),
];

/// Everything that gets through is one of these; not every one of these is a host.
const BASE_URL: &str =
    r"https?://([a-z0-9._-]+|\[[0-9a-f:.]+])(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*[A-Za-z0-9._~-])?";

/// Which of the values bash finds to match the whole of the expression, byte by byte.
fn matching(expression: &str, values: &[String]) -> Vec<bool> {
    let script = r#"re="^($1)$"; shift; for v; do [[ $v =~ $re ]] && printf 1 || printf 0; done"#;
    let mut bash = Command::new("bash");
    bash.env("LC_ALL", "C").args(["-c", script, "bash", expression]).args(values);
    bash.output().unwrap().stdout.iter().map(|&answer| answer == b'1').collect()
}

fn is_taken(name: &str, value: &str) -> bool {
    let row = TABLE.iter().find(|row| row.name == name).unwrap();
    !value.is_empty() && (row.check)(value).is_ok()
}

/// A value of the grammar with a few characters taken out of it or put into it; sometimes none.
fn nearly(expression: &str) -> impl Strategy<Value = String> + use<> {
    let edit = (
        any::<prop::sample::Index>(),
        prop::option::of(prop_oneof![
            prop::sample::select(
                " -._~/:@?#%[]{}\"'`$&;\\\n\r\t\u{7f}aAzZ059é\u{a0}\u{202e}٣".chars().collect::<Vec<_>>()
            ),
            any::<char>().prop_filter("no value holds a NUL", |&c| c != '\0'),
        ]),
    );
    let edited = |(value, edits): (String, Vec<(prop::sample::Index, Option<char>)>)| {
        let mut characters = value.chars().collect::<Vec<_>>();
        for (place, put) in edits {
            match put {
                Some(c) => characters.insert(place.index(characters.len() + 1), c),
                None if characters.is_empty() => {}
                None => drop(characters.remove(place.index(characters.len()))),
            }
        }
        String::from_iter(characters)
    };
    (string_regex(expression).unwrap(), prop::collection::vec(edit, 0..3)).prop_map(edited)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_inside_a_grammar_gets_through_and_nothing_else(
        values in GRAMMARS.map(|(_, expression)| prop::collection::vec(nearly(expression), 20))
    ) {
        for ((name, expression), values) in GRAMMARS.into_iter().zip(values) {
            for (value, inside) in values.iter().zip(matching(expression, &values)) {
                // A context may contain bytes beyond ASCII; the next test covers them.
                if name != "STAGING_CONTEXT" || value.is_ascii() {
                    prop_assert_eq!(is_taken(name, value), inside, "{} {:?}", name, value);
                }
            }
        }
    }

    #[test]
    fn a_context_is_what_can_be_shown(name in any::<String>(), letters in "[a-zäß漢字кот][ a-zäß漢字кот]{0,60}") {
        prop_assert!(is_taken("STAGING_CONTEXT", &letters));
        if is_taken("STAGING_CONTEXT", &name) {
            let hides = |c: char| c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202f}');
            let has_odd_blank = name.contains(|c: char| c.is_whitespace() && c != ' ');
            prop_assert!(!name.contains(hides) && !has_odd_blank, "{:?}", name);
            prop_assert!(!name.is_empty() && name.len() <= 253 && !name.starts_with('-'));
        }
    }

    #[test]
    fn a_base_url_is_sent_as_it_was_typed(
        good in r"https?://[a-z]([a-z0-9-]{0,10}[a-z0-9])?(\.[a-z][a-z0-9]{0,8}){0,3}(:[1-9][0-9]{3})?(/[A-Za-z0-9_~-]{1,8}){0,3}/?",
        values in prop::collection::vec(nearly(BASE_URL), 40),
    ) {
        let typed = good.strip_suffix('/').unwrap_or(&good);
        prop_assert_eq!(grammar::base_url(&good), Ok(typed.to_owned()));
        let taken = values.into_iter().filter_map(|value| grammar::base_url(&value).ok()).collect::<Vec<_>>();
        prop_assert!(matching(BASE_URL, &taken).into_iter().all(|inside| inside), "{:?}", taken);
        for url in taken {
            let plain = url::Url::parse(&format!("{url}/health")).unwrap();
            prop_assert_eq!(plain.as_str(), format!("{url}/health"));
        }
    }
}
