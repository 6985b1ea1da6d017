//! Manifests, before any program has read them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use staging_dry_run::facts::manifest_text::{holds_secret, is_blank, placeholders};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    for name in placeholders(bytes) {
        assert!(!name.is_empty() && !name.contains(['\n', '}']), "{name:?}");
        assert!(text.contains(&format!("${{{name}}}")), "{name:?}");
    }
    let _ = is_blank(bytes);

    // Whatever stands before, a Secret and a placeholder at the end are seen.
    let more = [bytes, b"\n---\nkind: Secret\nname: ${NAME}\n"].concat();
    assert!(holds_secret(&more));
    assert!(placeholders(&more).contains("NAME"));
    assert!(!is_blank(&more));
});
