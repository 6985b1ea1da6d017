//! What `verify` finds in evidence of another format, and in a journal that the format does not allow.

use std::path::Path;

use super::support::scenario_ran;
use super::verified::{Moved, verify};

#[test]
fn evidence_of_another_format_is_named_and_not_judged() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-1");
    let (status, said) = verify(&fixture, &[]);
    assert!(status == Some(2), "{said}");
    assert!(said.contains("made by format 1 (0.1.0): verify it with that version"), "{said}");
    assert!(!said.contains("Integrity"), "{said}");
    let passed = scenario_ran("healthy");
    for (number, told) in
        [("1", "made by format 1 (0.1.0)"), ("3", "made by format 3, which is newer than this program")]
    {
        let other = |line: &str| {
            line.replace("staging-dry-run/journal/2", &format!("staging-dry-run/journal/{number}"))
        };
        let moved = Moved::of(passed);
        moved.edit("journal.jsonl", |text| other(&text));
        let (status, said) = verify(&moved.path(""), &[]);
        assert!(status == Some(2) && said.contains(told) && !said.contains("HOLD"), "{said}");
        let _told =
            super::support::replayed::replayed(&passed.staging, &moved.path("."), &[]).exits(2).says(told);
    }
    // A manifest that claims another number than its journal.
    let moved = Moved::of(passed);
    moved.edit("manifest.json", |text| {
        text.replace("staging-dry-run/manifest/2", "staging-dry-run/manifest/1")
    });
    moved.with_the_sums_mended().does_not_hold("manifest.json: schema is \"staging-dry-run/manifest/1\"");
}

#[test]
fn an_event_or_a_field_that_the_format_does_not_have_is_named() {
    let passed = scenario_ran("healthy");
    for (from, to, told) in [
        (
            r#""event":"run-ended""#,
            r#""event":"run-ended","note":"x""#,
            "it has a field \"note\", which is unknown",
        ),
        (r#""event":"run-ended""#, r#""event":"run-paused""#, "unknown variant `run-paused`"),
        (
            r#""id":"namespaces","phase""#,
            r#""id":"everything","phase""#,
            "\"everything\" is not the id of a step",
        ),
    ] {
        let moved = Moved::of(passed);
        moved.edit("journal.jsonl", |text| text.replacen(from, to, 1));
        moved.does_not_hold(told);
    }
}
