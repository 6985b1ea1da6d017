use std::io::{self, Write};

use proptest::prelude::*;

use super::{Counts, Redactor, SecretPatterns};

/// The rule in its simplest form: marks the bytes of every occurrence, then replaces the runs.
fn by_the_rule(patterns: &SecretPatterns, text: &[u8]) -> (Vec<u8>, Counts) {
    let mut secret = vec![false; text.len()];
    for (_, pattern) in patterns.patterns() {
        for start in 0..text.len() {
            if text[start..].starts_with(pattern) {
                secret[start..start + pattern.len()].fill(true);
            }
        }
    }
    let (mut out, mut counts) = (Vec::new(), Counts::new());
    for at in 0..text.len() {
        if !secret[at] {
            out.push(text[at]);
        } else if at == 0 || !secret[at - 1] {
            let here = patterns.patterns().filter(|(_, pattern)| text[at..].starts_with(pattern));
            let (name, _) = here.max_by_key(|(_, pattern)| pattern.len()).unwrap();
            out.extend(format!("[redacted:{name}]").bytes());
            *counts.entry(name.to_owned()).or_default() += 1;
        }
    }
    (out, counts)
}

fn redacted<'t>(patterns: &SecretPatterns, pieces: impl IntoIterator<Item = &'t [u8]>) -> (Vec<u8>, Counts) {
    let mut out = Vec::new();
    let mut redactor = Redactor::new(patterns, &mut out);
    for piece in pieces {
        redactor.write_all(piece).unwrap();
    }
    let (_, counts) = redactor.finish().unwrap();
    (out, counts)
}

fn patterns(secrets: &[(&str, &str)]) -> SecretPatterns {
    SecretPatterns::of(secrets).unwrap()
}

/// Generates secrets of few letters, so they overlap, contain and repeat each other, and a text of pieces of
/// their patterns, so near misses are as frequent as hits.
fn secrets_and_text() -> impl Strategy<Value = (Vec<String>, Vec<u8>)> {
    let secrets = prop::collection::vec("[ab\"/]{1,6}|[a-c&é\\\\]{2,5}", 1..4);
    let pieces =
        prop::collection::vec((any::<prop::sample::Index>(), 0..40usize, 0..40usize, "[ab%]{0,2}"), 0..12);
    (secrets, pieces).prop_map(|(secrets, pieces)| {
        let named: Vec<_> = secrets.iter().map(|secret| ("X", secret.as_str())).collect();
        let patterns = patterns(&named);
        let patterns: Vec<_> = patterns.patterns().map(|(_, pattern)| pattern).collect();
        let mut text = Vec::new();
        for (which, from, to, between) in pieces {
            let pattern = patterns[which.index(patterns.len())];
            let (from, to) = (from.min(to) % pattern.len(), from.max(to).min(pattern.len()));
            text.extend_from_slice(&pattern[from.min(to)..to]);
            text.extend(between.bytes());
        }
        (secrets, text)
    })
}

const NAMES: [&str; 3] = ["ONE", "TWO", "THREE"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 400 } else { 20_000 }))]

    #[test]
    fn every_split_gives_what_the_rule_says((secrets, text) in secrets_and_text(), cuts in prop::collection::vec(0..9usize, 1..9)) {
        let named: Vec<_> = NAMES.into_iter().zip(secrets.iter().map(String::as_str)).collect();
        let patterns = patterns(&named);
        let expected = by_the_rule(&patterns, &text);
        for at in 0..=text.len() {
            let (left, right) = text.split_at(at);
            prop_assert_eq!(&redacted(&patterns, [left, right]), &expected, "cut at {}", at);
        }
        prop_assert_eq!(&redacted(&patterns, text.chunks(1)), &expected, "byte by byte");

        let (mut pieces, mut rest) = (Vec::new(), text.as_slice());
        for cut in cuts.iter().cycle().take(200) {
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        pieces.push(rest);
        prop_assert_eq!(&redacted(&patterns, pieces), &expected, "cut into {:?}", cuts);
    }

    #[test]
    fn text_stays_text(secret in "\\PC{2,6}", text in "\\PC{0,20}") {
        let patterns = patterns(&[("S", &secret)]);
        let whole = format!("{text}{secret}{text}");
        prop_assert_eq!(patterns.redact_str(&whole).into_bytes(), by_the_rule(&patterns, whole.as_bytes()).0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn each_form_of_any_value_goes(value in "\\PC{8,40}", before in "[a-z ]{0,5}", after in "[a-z ]{0,5}") {
        let patterns = patterns(&[("KEY", &value)]);
        for encoded in [value.clone(), serde_json::to_string(&value).unwrap(), percent(&value, "%"), percent(&value, "")] {
            let text = patterns.redact_str(&format!("{before}{encoded}{after}"));
            prop_assert!(text.contains("[redacted:KEY]"), "{}", text);
            prop_assert!(!text.contains(&value), "{}", text);
        }
        let base64 = base64(format!("{before}{value}{after}").as_bytes());
        let left = patterns.redact_str(&base64).replace("[redacted:KEY]", "");
        // At either end, one character that is shared with the neighbor may stay, and the padding.
        prop_assert!(left.len() <= (before.len() * 4).div_ceil(3) + (after.len() * 4).div_ceil(3) + 4, "{}", left);
    }
}

fn percent(value: &str, sign: &str) -> String {
    value.bytes().fold(String::new(), |encoded, byte| format!("{encoded}{sign}{byte:02X}"))
}

/// Encoded by coreutils, which is independent of the patterns here.
fn base64(bytes: &[u8]) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let done = std::process::Command::new("base64").arg("-w0").arg(file.path()).output().unwrap();
    String::from_utf8(done.stdout).unwrap()
}

#[test]
fn the_forms_of_a_key_with_special_characters() {
    let patterns = patterns(&[("KEY", "a\"b\\c&d~/ü")]);
    let mut patterns: Vec<_> =
        patterns.patterns().map(|(_, pattern)| String::from_utf8_lossy(pattern).into_owned()).collect();
    patterns.sort();
    let mut expected = [
        "a\"b\\c&d~/ü",
        "6122625c6326647e2fc3bc",
        "6122625C6326647E2FC3BC",
        // JSON, Go's, and in ASCII only.
        "a\\\"b\\\\c&d~/ü",
        "a\\\"b\\\\c\\u0026d~/ü",
        "a\\\"b\\\\c&d~/\\u00fc",
        "%61%22%62%5C%63%26%64%7E%2F%C3%BC",
        "%61%22%62%5c%63%26%64%7e%2f%c3%bc",
        "a%22b%5Cc%26d~%2F%C3%BC",
        "a%22b%5cc%26d~%2f%c3%bc",
        "a%22b%5Cc%26d~/%C3%BC",
        "a%22b%5cc%26d~/%c3%bc",
        "a%22b%5Cc&d~%2F%C3%BC",
        "a%22b%5cc&d~%2f%c3%bc",
        "a%22b%5Cc&d~/%C3%BC",
        "a%22b%5cc&d~/%c3%bc",
        "a%22b%5Cc%26d%7E%2F%C3%BC",
        "a%22b%5cc%26d%7e%2f%c3%bc",
        // JSON in ASCII only with upper-case digits, PHP's, and .NET's.
        "a\\\"b\\\\c&d~/\\u00FC",
        "a\\\"b\\\\c&d~\\/ü",
        "a\\\"b\\\\c&d~\\/\\u00fc",
        "a\\\"b\\\\c&d~\\/\\u00FC",
        "a\\u0022b\\\\c\\u0026d~/\\u00fc",
        "a\\u0022b\\\\c\\u0026d~/\\u00FC",
        // HTML.
        "a\"b\\c&amp;d~/ü",
        "a&quot;b\\c&amp;d~/ü",
        "a&#34;b\\c&amp;d~/ü",
        // Python: base64.b64encode(b'.' * n + key), without what the dots or the padding decide.
        "YSJiXGMmZH4vw7",
        "EiYlxjJmR+L8O8",
        "hImJcYyZkfi/Dv",
        "EiYlxjJmR-L8O8",
        "hImJcYyZkfi_Dv",
    ];
    expected.sort_unstable();
    assert_eq!(patterns, expected);
}

/// What each library prints for one value, as its documentation describes it.
#[test]
fn a_value_is_found_as_each_library_escapes_it() {
    let patterns = patterns(&[("KEY", "a<b>&c=d'e+f\"g/h;i@j k~ü")]);
    for (library, printed) in [
        ("PHP json_encode", r#"a<b>&c=d'e+f\"g\/h;i@j k~\u00fc"#),
        ("PHP json_encode, unescaped Unicode", r#"a<b>&c=d'e+f\"g\/h;i@j k~ü"#),
        ("Go encoding/json", r#"a\u003cb\u003e\u0026c=d'e+f\"g/h;i@j k~ü"#),
        ("Gson", r#"a\u003cb\u003e\u0026c\u003dd\u0027e+f\"g/h;i@j k~ü"#),
        ("System.Text.Json", r"a\u003Cb\u003E\u0026c=d\u0027e\u002Bf\u0022g/h;i@j k~\u00FC"),
        ("Jackson, ASCII only", r#"a<b>&c=d'e+f\"g/h;i@j k~\u00FC"#),
        ("Go user name", "a%3Cb%3E&c=d%27e+f%22g%2Fh;i%40j%20k~%C3%BC"),
        ("Go path", "a%3Cb%3E&c=d%27e+f%22g/h;i@j%20k~%C3%BC"),
        ("encodeURI", "a%3Cb%3E&c=d'e+f%22g/h;i@j%20k~%C3%BC"),
        ("encodeURIComponent", "a%3Cb%3E%26c%3Dd'e%2Bf%22g%2Fh%3Bi%40j%20k~%C3%BC"),
        ("Java URLEncoder", "a%3Cb%3E%26c%3Dd%27e%2Bf%22g%2Fh%3Bi%40j+k%7E%C3%BC"),
        ("Go html.EscapeString", "a&lt;b&gt;&amp;c=d&#39;e+f&#34;g/h;i@j k~ü"),
        ("Python html.escape", "a&lt;b&gt;&amp;c=d&#x27;e+f&quot;g/h;i@j k~ü"),
        ("PHP htmlspecialchars", "a&lt;b&gt;&amp;c=d&#039;e+f&quot;g/h;i@j k~ü"),
        ("XML", "a&lt;b&gt;&amp;c=d&apos;e+f&quot;g/h;i@j k~ü"),
        ("the text of an element", "a&lt;b&gt;&amp;c=d'e+f\"g/h;i@j k~ü"),
    ] {
        assert_eq!(patterns.redact_str(&format!("<{printed}>")), "<[redacted:KEY]>", "{library}");
    }
    let near = r#"a<b>&c=d'e+f\"g\/h;i@j k~\u00fd"#;
    assert_eq!(patterns.redact_str(near), near);
    assert!(patterns.patterns().count() <= 80, "{}", patterns.patterns().count());
}

#[test]
fn a_plain_key_has_eight_forms() {
    assert_eq!(patterns(&[("KEY", "sk1test1abcdefgh1234")]).patterns().count(), 8);
}

#[test]
fn a_space_may_be_a_plus_sign() {
    let patterns = patterns(&[("PHRASE", "open, sesame")]);
    assert_eq!(
        patterns.redact_str("?a=open%2C+sesame&b=open%2c%20sesame"),
        "?a=[redacted:PHRASE]&b=[redacted:PHRASE]"
    );
}

#[test]
fn touching_and_overlapping_occurrences_become_one_marker() {
    let patterns = patterns(&[("KEY", "abcabcab")]);
    let text = |text: &str| patterns.redact_str(text);
    assert_eq!(text("<abcabcab>"), "<[redacted:KEY]>");
    assert_eq!(text("<abcabcababcabcab>"), "<[redacted:KEY]>");
    assert_eq!(text("<abcabcabcab>"), "<[redacted:KEY]>");
    assert_eq!(text("<abcabcab abcabcab>"), "<[redacted:KEY] [redacted:KEY]>");
    assert_eq!(text("<abcabca>"), "<abcabca>");
}

#[test]
fn the_marker_names_the_longest_secret_that_begins_there() {
    let patterns = patterns(&[
        ("SHORT", "abcdefgh"),
        ("LONG", "abcdefghij"),
        ("LATE", "ghijklmn"),
        ("TWIN", "abcdefgh"),
    ]);
    let split = |at: usize| {
        let (left, right) = b"<abcdefghijklmn>".split_at(at);
        redacted(&patterns, [left, right])
    };
    for at in 0..=16 {
        assert_eq!(split(at), (b"<[redacted:LONG]>".to_vec(), Counts::from([("LONG".to_owned(), 1)])));
    }
    assert_eq!(patterns.redact_str("abcdefg abcdefgh"), "abcdefg [redacted:SHORT]");
}

#[test]
fn only_what_could_be_a_secret_is_held_back() {
    let patterns = patterns(&[("KEY", "abcdefgh")]);
    let mut out = Vec::new();
    let mut redactor = Redactor::new(&patterns, &mut out);
    redactor.write_all(b"a line\nab").unwrap();
    assert_eq!(redactor.inner, b"a line\n");
    redactor.write_all(b"c\n").unwrap();
    assert_eq!(redactor.inner, b"a line\nabc\n");
}

#[test]
fn without_secrets_everything_passes() {
    for none in [patterns(&[]), patterns(&[("EMPTY", "")])] {
        assert!(none.is_empty());
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(redacted(&none, [bytes.as_slice()]), (bytes, Counts::new()));
    }
}

#[test]
fn bytes_that_are_no_text_pass_unharmed() {
    let patterns = patterns(&[("KEY", "abcdefgh")]);
    assert_eq!(redacted(&patterns, [&b"\xff\0abcdefgh\xfe"[..]]).0, b"\xff\0[redacted:KEY]\xfe");
}

#[test]
fn an_error_of_the_writer_beneath_is_told() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let patterns = patterns(&[("KEY", "abcdefgh")]);
    let mut redactor = Redactor::new(&patterns, Full);
    assert_eq!(redactor.write_all(b"text").unwrap_err().kind(), io::ErrorKind::StorageFull);
    let mut redactor = Redactor::new(&patterns, Full);
    redactor.write_all(b"abc").unwrap();
    assert_eq!(redactor.finish().err().unwrap().kind(), io::ErrorKind::StorageFull);
}

#[test]
fn a_secret_is_in_no_debug_output() {
    let patterns = patterns(&[("KEY", "abcdefgh")]);
    assert_eq!(format!("{patterns:?}"), "SecretPatterns { names: {\"KEY\"}, .. }");
}

/// `cargo test --release --lib throughput -- --ignored --nocapture`
#[test]
#[ignore = "measures; only of use in a release build"]
fn throughput() {
    let line = "2026-11-23T16:20:00.123Z INFO dpp_api request_id=7f3a9c GET /v1/runs?limit=20 200 in 12 ms\n";
    let lines = line.repeat(64 * 1024 / line.len() + 1);
    let zeros = vec![0; 64 * 1024];
    let random: Vec<u8> =
        (0..64 * 1024u64).map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes()[0]).collect();
    let secrets = patterns(&[("STAGING_API_KEY", "sk_test_4f9aB7xQ2mLw8Rz1"), ("OTHER", "p\"ss/w\\rd&more")]);
    for (what, chunk) in
        [("log lines", &lines.as_bytes()[..64 * 1024]), ("zeros", &zeros), ("random", &random)]
    {
        for patterns in [&secrets, &patterns(&[])] {
            let started = std::time::Instant::now();
            let mut redactor = Redactor::new(patterns, io::sink());
            for _ in 0..(1 << 30) / chunk.len() {
                redactor.write_all(std::hint::black_box(chunk)).unwrap();
            }
            let (_, counts) = redactor.finish().unwrap();
            println!("1 GiB of {what}, {patterns:?}: {:?} {counts:?}", started.elapsed());
        }
    }
}
