//! Prints texts on the terminal.
//!
//! Errors are ignored: a closed pipe does not end the run.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// The width of the status line, which the next text overwrites; `None` if there is none.
///
/// The process has one terminal, so there is one of these.
static MEANWHILE: Mutex<Option<usize>> = Mutex::new(None);

/// Whether standard error is at its beginning or after a blank line, so that another blank line would be too
/// many.
static AFTER_BLANK: AtomicBool = AtomicBool::new(true);

/// Prints a text on standard output.
pub(super) fn print(text: &str) {
    wipe();
    write_whole(&mut anstream::stdout(), text);
}

/// Prints progress or an error on standard error.
pub(super) fn eprint(text: &str) {
    wipe();
    let after_blank = AFTER_BLANK.swap(text.ends_with("\n\n"), Ordering::Relaxed);
    let text = if after_blank { text.trim_start_matches('\n') } else { text };
    write_whole(&mut anstream::stderr(), text);
}

/// Prints a status line that is shown until the next text; it prints nothing without a terminal.
pub(super) fn status_line(text: &str) {
    if !io::stderr().is_terminal() {
        return;
    }
    wipe();
    *MEANWHILE.lock().unwrap_or_else(PoisonError::into_inner) = Some(text.chars().count());
    write_parts(&mut anstream::stderr(), text);
}

/// Erases the status line with spaces, because `NO_COLOR` removes escape sequences.
fn wipe() {
    if let Some(width) = MEANWHILE.lock().unwrap_or_else(PoisonError::into_inner).take() {
        write_parts(&mut io::stderr(), &format!("\r{:width$}\r", ""));
    }
}

fn write_whole(to: &mut impl Write, text: &str) {
    let text = if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") };
    write_parts(to, &text);
}

fn write_parts(to: &mut impl Write, text: &str) {
    let _ = to.write_all(text.as_bytes()).and_then(|()| to.flush());
}
