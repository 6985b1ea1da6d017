//! Texts that kubectl prints for people, and what curl and jq call their versions.
#![no_main]

use libfuzzer_sys::fuzz_target;
use staging_dry_run::facts::rollout::{self, Ending};
use staging_dry_run::facts::{apply, can_i, dry_run, stderr, versions};

fuzz_target!(|bytes: &[u8]| {
    for applied in apply::applied(bytes) {
        assert!(applied.object.contains('/') && !applied.object.contains([' ', '\n']), "{applied:?}");
    }
    for landing in dry_run::landings(bytes).unwrap_or_default() {
        for field in [&landing.api_version, &landing.kind, &landing.name] {
            assert!(!field.contains(['\t', '\n']), "{landing:?}");
        }
        assert_ne!(landing.namespace.as_deref(), Some(""));
    }
    let errors = stderr::errors(bytes);
    for line in errors.iter().chain(&stderr::warnings(bytes)) {
        assert!(!line.contains('\n') && line.trim_end() == line, "{line:?}");
    }
    assert_eq!(rollout::ending(0, bytes), Ending::RolledOut);
    match rollout::ending(1, bytes) {
        Ending::RolledOut => panic!("an exit status of 1 is no success"),
        Ending::Silent => assert!(errors.is_empty()),
        Ending::Failed(line) => assert_eq!(Some(&line), errors.first()),
        _ => assert!(!errors.is_empty()),
    }
    let _ = (can_i::answer(bytes), versions::curl(bytes), versions::jq(bytes));
});
