//! Lines of `kubectl get pods`, listed or watched.
#![no_main]

use libfuzzer_sys::fuzz_target;
use staging_dry_run::facts::pod_table::{PodRow, WatchRow, list_row, stops, watch_row};

fuzz_target!(|bytes: &[u8]| {
    for line in String::from_utf8_lossy(bytes).lines() {
        if let WatchRow::Pod(row) = watch_row(line) {
            assert_eq!(row.text, line.trim_end());
            holds_words(&row);
        }
        let Some(listed) = list_row(line) else { continue };
        holds_words(&listed);
        // The watch has one column more, and means the same by all others.
        let WatchRow::Pod(watched) = watch_row(&format!("MODIFIED   {line}")) else {
            panic!("{line:?} is a row of a list, but not of a watch");
        };
        assert_eq!(PodRow { event: None, text: listed.text.clone(), ..watched }, listed);
    }
});

/// What stands in a column is one word, and so is what a rule goes by.
fn holds_words(row: &PodRow) {
    for word in [&row.name, &row.ready, &row.status] {
        assert!(!word.is_empty() && !word.contains(char::is_whitespace), "{row:?}");
    }
    assert!(stops(&row.status, std::slice::from_ref(&row.status)));
}
