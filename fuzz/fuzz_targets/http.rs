//! Answers of HTTP: their heads are read, and the values in them that open a session never reach a file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use staging_dry_run::evidence::HeaderFilter;
use staging_dry_run::facts::body::{is_healthy, is_ready};
use staging_dry_run::facts::http::{header, split, status, status_line};

const SECRET_FIELDS: [&str; 4] = ["authorization", "proxy-authorization", "cookie", "set-cookie"];

fuzz_target!(|bytes: &[u8]| {
    let answer = split(bytes);
    assert!(bytes.ends_with(&[answer.head, answer.body].concat()));
    assert_eq!(answer.head.is_empty(), status_line(answer.head).is_none());
    let _ = (status(answer.head), header(answer.head, "content-type"));
    let both = [is_healthy(bytes, "1.2"), is_ready(bytes)];
    assert_ne!(both, [Some(true); 2], "its status is one word");

    let cut = bytes.first().map_or(0, |first| usize::from(*first)).min(bytes.len());
    let kept = filtered(&[bytes]);
    assert_eq!(filtered(&[&bytes[..cut], &bytes[cut..]]), kept, "cut at {cut}");

    let kept_head = split(&kept).head;
    for line in kept_head.split(|byte| *byte == b'\n').skip(1) {
        let line = String::from_utf8_lossy(line);
        let Some((name, value)) = line.split_once(':') else { continue };
        if SECRET_FIELDS.iter().any(|field| name.trim_ascii().eq_ignore_ascii_case(field)) {
            let value = value.trim_ascii();
            assert!(value.starts_with("[redacted:") && value.ends_with(']'), "{line:?}");
        }
    }
});

fn filtered(pieces: &[&[u8]]) -> Vec<u8> {
    let (mut filter, mut kept) = (HeaderFilter::default(), Vec::new());
    for piece in pieces {
        filter.pass(piece, &mut kept).expect("memory takes all");
    }
    filter.finish(&mut kept).expect("memory takes all");
    kept
}
