//! What children print, with secrets in it in every form, cut anywhere: nothing of a secret is left.
#![no_main]

use std::io::Write;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use staging_dry_run::evidence::redaction::{Counts, Redactor, SecretPatterns};

/// One with all that an encoding may change, and one that overlaps itself.
const SECRETS: [(&str, &str); 2] = [("KEY", r#"k3y'\"$ecret"#), ("AGAIN", "abbabbab")];

/// The characters of base64 that each decides alone, where it begins a text.
const BASE64: [&str; 2] = ["azN5J1wiJGVjcmV0", "YWJiYWJiYW"];

static FORMS: LazyLock<SecretPatterns> =
    LazyLock::new(|| SecretPatterns::of(&SECRETS).expect("they are short"));

static WRITTEN: LazyLock<Vec<String>> = LazyLock::new(|| {
    let named = SECRETS.into_iter().flat_map(|(_, value)| written_forms(value));
    named.chain(BASE64.map(str::to_owned)).collect()
});

/// A byte that stands for a form: no text holds it.
const STANDS_FOR_A_FORM: u8 = 0xff;

fuzz_target!(|bytes: &[u8]| {
    let text = with_forms(bytes);
    let (out, counts) = redacted([text.as_slice()]);
    for form in &*WRITTEN {
        assert!(!contains(&out, form), "{form:?} in {:?}", String::from_utf8_lossy(&out));
    }
    if counts.is_empty() {
        assert_eq!(out, text);
    }

    // The cuts are as arbitrary as the bytes.
    let mut cuts = bytes.iter().map(|byte| usize::from(byte % 7));
    let (mut pieces, mut rest) = (Vec::new(), text.as_slice());
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(cuts.next().unwrap_or(rest.len()).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    assert_eq!(redacted(pieces), (out, counts));
});

fn redacted<'t>(pieces: impl IntoIterator<Item = &'t [u8]>) -> (Vec<u8>, Counts) {
    let mut redactor = Redactor::new(&FORMS, Vec::new());
    for piece in pieces {
        redactor.write_all(piece).expect("memory takes all");
    }
    redactor.finish().expect("memory takes all")
}

/// The bytes, with the n-th form in place of each byte that stands for one and the `n` behind it; where `n` is
/// large, the form is cut off, so that near misses come as often as hits.
fn with_forms(bytes: &[u8]) -> Vec<u8> {
    let (mut text, mut rest) = (Vec::new(), bytes.iter());
    while let Some(byte) = rest.next() {
        match (byte, rest.as_slice().first()) {
            (&STANDS_FOR_A_FORM, Some(number)) => {
                rest.next();
                let number = usize::from(*number);
                let form = WRITTEN[number % WRITTEN.len()].as_bytes();
                let cut_off = number / WRITTEN.len() * 2;
                text.extend_from_slice(&form[..form.len().saturating_sub(cut_off)]);
            }
            _ => text.push(*byte),
        }
    }
    text
}

/// A value as other programs write it.
fn written_forms(value: &str) -> Vec<String> {
    let json = serde_json::to_string(value).expect("a text is JSON");
    let percent =
        |sign: &str| value.bytes().fold(String::new(), |all, byte| format!("{all}{sign}{byte:02x}"));
    vec![
        value.to_owned(),
        json[1..json.len() - 1].to_owned(),
        percent("%"),
        percent("%").to_ascii_uppercase(),
        percent(""),
        percent("").to_ascii_uppercase(),
    ]
}

fn contains(text: &[u8], part: &str) -> bool {
    text.windows(part.len()).any(|window| window == part.as_bytes())
}
