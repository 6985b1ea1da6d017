//! Text that others wrote, on its way to a terminal.
#![no_main]

use libfuzzer_sys::fuzz_target;
use staging_dry_run::report::{printable, printable_lines};

fuzz_target!(|text: &str| {
    let line = printable(text);
    assert!(!line.chars().any(steers), "{line:?}");
    assert_eq!(printable(&line), line);
    let lines = printable_lines(text);
    assert!(!lines.chars().any(|c| c != '\n' && steers(c)), "{lines:?}");
    assert_eq!(lines.split('\n').count(), text.lines().count().max(1));
});

/// Whether it moves the cursor (a tab does no harm), begins a line, or turns the direction of reading.
fn steers(c: char) -> bool {
    (c.is_control() && c != '\t')
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
