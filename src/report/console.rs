//! The thin layer that prints. Errors are ignored: a closed pipe ends nothing.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// The line at the end of the terminal that says what is waited for, and is overwritten by the next text.
/// There is one terminal for the process, hence one of these.
static MEANWHILE: Mutex<Option<usize>> = Mutex::new(None);

/// Whether standard error is at its beginning or behind a blank line, where another one would be too many.
static AFTER_BLANK: AtomicBool = AtomicBool::new(true);

/// Prints an answer on standard output.
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

/// Shows what is waited for until something else is printed; nothing without a terminal.
pub(super) fn status_line(text: &str) {
    if !io::stderr().is_terminal() {
        return;
    }
    wipe();
    *MEANWHILE.lock().unwrap_or_else(PoisonError::into_inner) = Some(text.chars().count());
    write_parts(&mut anstream::stderr(), text);
}

/// Blanks rather than an escape sequence: with `NO_COLOR` those are taken out.
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
