//! Splits a response that `curl -i` printed into its headers, the blank line and the body.
//!
//! No byte of the response is lost, except interim headers before it.

/// A response, split into two parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpAnswer<'a> {
    /// The status line and the headers, with the blank line after them; empty if the bytes do not begin with
    /// a status line.
    pub head: &'a [u8],
    /// The rest, unchanged.
    pub body: &'a [u8],
}

/// Splits one response, and skips 1xx headers, such as `103 Early Hints`, which another response follows
/// (RFC 9110, 15.2).
///
/// A proxy's `200 Connection established` is not among the bytes: every curl command of this program has
/// `--suppress-connect-headers`.
pub fn split(answer: &[u8]) -> HttpAnswer<'_> {
    let mut rest = answer;
    loop {
        let found = split_first(rest);
        if is_interim(found.head) && found.body.starts_with(HTTP) {
            rest = found.body;
        } else {
            return found;
        }
    }
}

const HTTP: &[u8] = b"HTTP/";

fn split_first(answer: &[u8]) -> HttpAnswer<'_> {
    if !answer.starts_with(HTTP) {
        return HttpAnswer { head: &[], body: answer };
    }
    let mut end = 0;
    for line in answer.split_inclusive(|&byte| byte == b'\n') {
        end += line.len();
        if matches!(line, b"\n" | b"\r\n") {
            break;
        }
    }
    let (head, body) = answer.split_at(end);
    HttpAnswer { head, body }
}

/// Returns whether another response follows.
fn is_interim(head: &[u8]) -> bool {
    matches!(status(head), Some(100..=199))
}

/// Returns the first line of the headers: `HTTP/1.1 503 Service Unavailable`.
pub fn status_line(head: &[u8]) -> Option<String> {
    let line = head.split(|&byte| byte == b'\n').next()?;
    line.starts_with(HTTP).then(|| String::from_utf8_lossy(line).trim_end().to_owned())
}

/// Returns the number in the status line.
pub fn status(head: &[u8]) -> Option<u16> {
    status_line(head)?.split_whitespace().nth(1)?.parse().ok()
}

/// Returns the value of a header field, by its case-insensitive name; the first one, if there are several.
pub fn header(head: &[u8], name: &str) -> Option<String> {
    let text = String::from_utf8_lossy(head);
    text.lines().skip(1).find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::super::hostile;
    use super::*;

    const ANSWER: &str = "HTTP/1.1 503 Service Unavailable\r\n\
        content-type: application/json\r\nContent-Length: 23\r\n\r\n{\"status\":\"not_ready\"}\n";

    fn text(bytes: &[u8]) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }

    #[test]
    fn head_and_body_are_split_and_nothing_is_lost() {
        let found = split(ANSWER.as_bytes());
        assert_eq!(text(found.body), "{\"status\":\"not_ready\"}\n");
        assert_eq!([found.head, found.body].concat(), ANSWER.as_bytes());
        assert_eq!(status_line(found.head).as_deref(), Some("HTTP/1.1 503 Service Unavailable"));
        assert_eq!(status(found.head), Some(503));
        assert_eq!(header(found.head, "Content-Type").as_deref(), Some("application/json"));
        assert_eq!(header(found.head, "location"), None);
    }

    #[test]
    fn heads_before_the_answer_are_skipped() {
        for before in [
            "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 103 Early Hints\nLink: </a.css>\n\n",
        ] {
            let whole = format!("{before}{ANSWER}");
            assert_eq!(status(split(whole.as_bytes()).head), Some(503), "{before}");
        }
        // One that is not 1xx decides, whatever follows: a forged one is put before the real one.
        let forged = format!("HTTP/1.1 200 OK\r\n\r\n{ANSWER}");
        assert_eq!(status(split(forged.as_bytes()).head), Some(200));
    }

    #[test]
    fn a_body_that_looks_like_an_answer_stays_a_body() {
        let body = "HTTP/1.1 500 is what we print when it breaks\r\n\r\n";
        let whole = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let found = split(whole.as_bytes());
        assert_eq!((status(found.head), text(found.body)), (Some(200), body));
    }

    #[test]
    fn http_2_has_no_reason_and_some_servers_no_carriage_return() {
        let found = split(b"HTTP/2 200 \r\nserver: x\r\n\r\nok");
        assert_eq!((status_line(found.head).as_deref(), text(found.body)), (Some("HTTP/2 200"), "ok"));
        assert_eq!(split(b"HTTP/1.0 200 OK\nA: b\n\nok").body, b"ok");
    }

    #[test]
    fn what_is_no_answer_is_all_body_and_a_cut_head_is_all_head() {
        assert_eq!(split(b""), HttpAnswer { head: b"", body: b"" });
        assert_eq!(split(b"<html>\n\n"), HttpAnswer { head: b"", body: b"<html>\n\n" });
        assert_eq!(
            split(b"HTTP/1.1 200 OK\r\nServ"),
            HttpAnswer { head: b"HTTP/1.1 200 OK\r\nServ", body: b"" }
        );
        assert_eq!(status_line(b""), None);
    }

    #[test]
    fn no_bytes_panic() {
        let whole = format!("HTTP/1.1 103 Early Hints\r\n\r\n{ANSWER}");
        hostile::survives(&whole, |bytes| {
            let found = split(bytes);
            assert!(bytes.ends_with(&[found.head, found.body].concat()));
            let _ = (status(found.head), header(found.head, "content-type"));
        });
    }
}
