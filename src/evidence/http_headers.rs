//! Redacts the secret fields of HTTP headers in the output of `curl -i`.
//!
//! The result does not depend on how the input is split into writes. Bytes of a body are never changed.

use std::io::{self, Write};

use super::redaction::marker;

/// The header fields whose values never reach an evidence file, because they grant access to a session.
pub const SECRET_FIELDS: [&str; 4] = ["Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie"];

const LINE_END: &[u8] = b"\r\n";

/// A line's beginning that is longer than this, in bytes without surrounding blanks, is none of the names.
const LONGEST_NAME: usize = 32;

/// A filter that redacts the values of the [secret fields](SECRET_FIELDS) in the headers of an HTTP/1.1
/// response (RFC 9112).
///
/// It works on the stream of `curl -i` and passes on the rest unchanged. A response can have several headers,
/// since interim responses come first.
#[derive(Debug, Default)]
pub struct HeaderFilter {
    at: At,
    /// The number of redacted values of each field.
    counts: [u64; SECRET_FIELDS.len()],
}

#[derive(Debug)]
enum At {
    /// At the beginning of a header line.
    ///
    /// After a redacted value, the line end is written later, since this line may continue the value.
    LineBegins {
        held: Vec<u8>,
        owes_line_end: bool,
    },
    /// In a line that is passed on.
    Line,
    /// In a value that is redacted.
    Secret,
    /// After a header: another one follows if the next bytes begin a status line.
    HeadEnded(Vec<u8>),
    Body,
}

impl Default for At {
    fn default() -> Self {
        Self::LineBegins { held: Vec::new(), owes_line_end: false }
    }
}

impl HeaderFilter {
    /// Returns the redacted fields, each with the number of its redacted values.
    pub fn taken_out(&self) -> impl Iterator<Item = (&'static str, u64)> {
        SECRET_FIELDS.into_iter().zip(self.counts).filter(|(_, count)| *count > 0)
    }

    /// Passes on the part of `bytes` that is known not to be secret.
    ///
    /// # Errors
    /// When `to` fails.
    pub fn pass(&mut self, bytes: &[u8], to: &mut dyn Write) -> io::Result<()> {
        let mut kept = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        while let Some((&byte, behind)) = rest.split_first() {
            if matches!(self.at, At::Body) {
                kept.extend_from_slice(rest);
                break;
            }
            self.step(byte, &mut kept);
            rest = behind;
        }
        to.write_all(&kept)
    }

    /// Passes on the bytes that were held back at the end.
    ///
    /// # Errors
    /// When `to` fails.
    pub fn finish(&mut self, to: &mut dyn Write) -> io::Result<()> {
        match std::mem::replace(&mut self.at, At::Body) {
            At::LineBegins { owes_line_end: true, .. } => to.write_all(LINE_END),
            At::LineBegins { held, .. } | At::HeadEnded(held) => to.write_all(&held),
            At::Line | At::Secret | At::Body => Ok(()),
        }
    }

    fn step(&mut self, byte: u8, kept: &mut Vec<u8>) {
        self.at = match std::mem::replace(&mut self.at, At::Body) {
            At::LineBegins { held, owes_line_end } => self.line_begins(held, owes_line_end, byte, kept),
            At::Line => {
                kept.push(byte);
                if byte == b'\n' { At::default() } else { At::Line }
            }
            At::Secret if byte == b'\n' => At::LineBegins { held: Vec::new(), owes_line_end: true },
            At::Secret => At::Secret,
            At::HeadEnded(mut held) => {
                held.push(byte);
                let status_line = b"HTTP/";
                if held == status_line {
                    kept.extend_from_slice(&held);
                    At::Line
                } else if status_line.starts_with(&held) {
                    At::HeadEnded(held)
                } else {
                    kept.extend_from_slice(&held);
                    At::Body
                }
            }
            At::Body => At::Body,
        };
    }

    fn line_begins(&mut self, mut held: Vec<u8>, owes_line_end: bool, byte: u8, kept: &mut Vec<u8>) -> At {
        if owes_line_end {
            if matches!(byte, b' ' | b'\t') {
                return At::Secret;
            }
            kept.extend_from_slice(LINE_END);
        }
        held.push(byte);
        let field = (byte == b':').then(|| secret_field(&held)).flatten();
        if let Some(index) = field {
            self.counts[index] += 1;
            kept.extend_from_slice(&held);
            kept.extend_from_slice(format!(" {}", marker(SECRET_FIELDS[index])).as_bytes());
            return At::Secret;
        }
        let is_blank = byte.is_ascii_whitespace() && byte != b'\n';
        if is_blank || !(matches!(byte, b':' | b'\n') || held.trim_ascii().len() > LONGEST_NAME) {
            return At::LineBegins { held, owes_line_end: false };
        }
        kept.extend_from_slice(&held);
        match held.as_slice() {
            // A line of blanks does not end the header: it continues the line before.
            b"\n" | b"\r\n" => At::HeadEnded(Vec::new()),
            [.., b'\n'] => At::default(),
            _ => At::Line,
        }
    }
}

/// Returns the index of the secret field that `Name:` names.
///
/// A blank before the colon violates the RFC, but must not bypass the redaction.
fn secret_field(name: &[u8]) -> Option<usize> {
    let name = name.strip_suffix(b":")?.trim_ascii();
    SECRET_FIELDS.iter().position(|field| name.eq_ignore_ascii_case(field.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ANSWER: &str = "HTTP/1.1 103 Early Hints\r\nset-cookie: early=1\r\n\r\nHTTP/1.1 200 OK\r\n\
        Content-Type: text/plain\r\nSet-Cookie: session=abc; HttpOnly\r\n folded=too\r\nX-Set-Cookie: kept\r\n\
        SET-COOKIE :b=2\r\nauthorization: Bearer x\r\n\r\nSet-Cookie: in the body\r\n";

    const KEPT: &str = "HTTP/1.1 103 Early Hints\r\nset-cookie: [redacted:Set-Cookie]\r\n\r\nHTTP/1.1 200 OK\r\n\
        Content-Type: text/plain\r\nSet-Cookie: [redacted:Set-Cookie]\r\nX-Set-Cookie: kept\r\n\
        SET-COOKIE : [redacted:Set-Cookie]\r\nauthorization: [redacted:Authorization]\r\n\r\nSet-Cookie: in the body\r\n";

    fn filtered(pieces: &[&[u8]]) -> (Vec<u8>, HeaderFilter) {
        let (mut filter, mut kept) = (HeaderFilter::default(), Vec::new());
        for piece in pieces {
            filter.pass(piece, &mut kept).unwrap();
        }
        filter.finish(&mut kept).unwrap();
        (kept, filter)
    }

    #[test]
    fn values_of_secret_fields_are_left_out_wherever_the_answer_is_split() {
        for split in 0..=ANSWER.len() {
            let (first, second) = ANSWER.as_bytes().split_at(split);
            let (text, filter) = filtered(&[first, second]);
            assert_eq!(String::from_utf8(text).unwrap(), KEPT, "{split}");
            assert_eq!(filter.taken_out().collect::<Vec<_>>(), [("Authorization", 1), ("Set-Cookie", 3)]);
        }
    }

    #[test]
    fn blanks_are_no_way_around_it() {
        let hidden = |head: &str| {
            let (kept, _) = filtered(&[head.as_bytes()]);
            let kept = String::from_utf8(kept).unwrap();
            assert!(kept.contains("[redacted:Set-Cookie]") && !kept.contains("secret"), "{kept:?}");
        };
        hidden(&format!("HTTP/1.1 200 OK\r\nSet-Cookie{}: secret\r\n\r\n", " ".repeat(40)));
        hidden(&format!("HTTP/1.1 200 OK\r\nSet-Cookie{}:secret\r\n\r\n", "\r".repeat(40)));
        // For curl and for this filter the header goes on: the blank line continues the line before.
        hidden("HTTP/1.1 200 OK\r\nX: a\r\n \r\nSet-Cookie: secret\r\n\r\n");
        hidden("HTTP/1.1 200 OK\n\t\nSet-Cookie: secret\n\n");
    }

    proptest! {
        #[test]
        fn what_has_no_secret_field_is_unchanged(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let secret = bytes.split(|byte| *byte == b':').any(|before| {
                let name = before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
                secret_field(&[name, b":"].concat()).is_some()
            });
            prop_assume!(!secret);
            let (first, second) = bytes.split_at(bytes.len() / 2);
            prop_assert_eq!(filtered(&[first, second]).0, bytes);
        }
    }
}
