//! Makes text from other sources (logs, server messages, answers, inputs) harmless for a terminal.

use std::borrow::Cow;
use std::fmt::Write;

/// Escapes characters that would move the cursor, start a new line or change the direction of the text:
/// `␛[31m` instead of a color.
///
/// A tab is kept: it is harmless, and stack traces contain many.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            _ if !is_hidden(c) => shown.push(c),
            '\u{7f}' => shown.push('␡'),
            // Unicode has a picture for each of these, in the same order.
            '\0'..='\u{1f}' => shown.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or('␛')),
            // Writing into a String can't fail.
            _ => drop(write!(shown, "\\u{{{:x}}}", u32::from(c))),
        }
    }
    Cow::Owned(shown)
}

/// Escapes a text of several lines like [`printable`], and keeps its line breaks.
pub fn printable_lines(text: &str) -> String {
    text.lines().map(printable).collect::<Vec<_>>().join("\n")
}

/// Escapes a text like [`printable`] and shortens it to `most` characters; `…` replaces the rest.
pub(super) fn clipped(text: &str, most: usize) -> String {
    let text = printable(text);
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}

fn is_hidden(c: char) -> bool {
    let turns_direction =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let starts_a_line = matches!(c, '\u{2028}' | '\u{2029}');
    (c.is_control() && c != '\t') || turns_direction || starts_a_line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_that_steers_it() {
        assert_eq!(printable("plain · 한글\tend"), "plain · 한글\tend");
        assert_eq!(printable("\x1b[31mred\x1b[0m"), "␛[31mred␛[0m");
        assert_eq!(printable("a\r\nb\0\x7f"), "a␍␊b␀␡");
        assert_eq!(printable("\u{9b}2J \u{202e}gpj.exe \u{2028}"), "\\u{9b}2J \\u{202e}gpj.exe \\u{2028}");
        assert_eq!(printable_lines("a\x07\r\nb"), "a␇\nb");
    }

    #[test]
    fn every_control_character_becomes_visible() {
        let all: String = ('\0'..='\u{9f}').filter(|c| c.is_control() && *c != '\t').collect();
        assert!(!printable(&all).chars().any(char::is_control));
    }

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!(clipped("äöü", 3), "äöü");
        assert_eq!(clipped("äöüß", 3), "äöü…");
    }
}
