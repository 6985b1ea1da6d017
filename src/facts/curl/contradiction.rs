//! Finds contradictions between curl's figures, its exit code, its command line, and the answer that it printed.
//!
//! curl reports each transfer in one line, in the order of the URLs, also one that failed (curl's manual page,
//! `--write-out`).

use super::Figures;
use crate::facts::{LAST_OF_ITS_OWN, http};

/// What is known of a curl command beside its figures.
#[derive(Debug, Clone, Copy)]
pub struct Transfers<'a> {
    /// The URLs of its command line, in order.
    pub urls: &'a [String],
    /// Its exit code; it ended by itself, or a signal of somebody else ended it.
    pub exit: i32,
    /// Its standard output, with each head (`-i`); `None` if the answers were thrown away.
    pub answer: Option<&'a [u8]>,
    /// How long it took, in ms.
    pub duration_ms: u64,
    /// Whether this curl reports the URL and the exit code of each transfer, as from 7.75 on.
    pub reports_all: bool,
    /// Whether its output is as it was printed, with nothing redacted.
    pub is_as_printed: bool,
}

/// Exit codes of a curl that may have begun no transfer: its options, its URL or a file was refused (curl's manual
/// page, "Exit codes").
const NOT_BEGUN: [i32; 5] = [2, 3, 4, 26, 27];

/// How much later than the sum of its transfers a command may seem to have ended, in ms: figures are rounded.
const ROUNDED_MS: f64 = 10.0;

/// Returns how curl's figures contradict each other, or what else is known of the command; `None` if they don't.
pub fn contradiction(known: &Transfers<'_>, stderr: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(stderr);
    let all: Vec<Figures> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let (reports, urls, exit) = (all.len(), known.urls.len(), known.exit);
    let reports_each = exit <= LAST_OF_ITS_OWN && !NOT_BEGUN.contains(&exit);
    if reports > urls || reports_each && reports < urls {
        return Some(format!("of {urls} transfers curl reported {reports}"));
    }
    let of_one = |(figures, url): (&Figures, &String)| names(known, figures, url).or_else(|| times(figures));
    all.iter()
        .zip(known.urls)
        .find_map(of_one)
        .or_else(|| together(known, &all))
        .or_else(|| all.first().filter(|_| urls == 1).and_then(|figures| only_one(known, figures)))
}

/// Compares what curl says of one transfer under two names, and the URL.
fn names(known: &Transfers<'_>, figures: &Figures, url: &String) -> Option<String> {
    let code = figures.http_code;
    if let Some(other) = figures.response_code.filter(|other| *other != code) {
        return Some(format!("curl reports the status {code}, and the response code {other}"));
    }
    if let Some(other) = figures.url.as_ref().filter(|other| known.is_as_printed && *other != url) {
        return Some(format!("curl reports a transfer of {other}, and not of {url}"));
    }
    let lacks_one = figures.url.is_none() || figures.exitcode.is_none();
    (known.reports_all && lacks_one)
        .then(|| format!("curl does not report the URL and the exit code of the transfer of {url}"))
}

/// Compares the moments of one transfer.
fn times(figures: &Figures) -> Option<String> {
    let (first, total) = (figures.time_starttransfer?, figures.time_total);
    (first > total).then(|| format!("curl reports the first byte at {first} s, and the end at {total} s"))
}

/// Compares the only transfer with the head that was printed.
fn only_one(known: &Transfers<'_>, figures: &Figures) -> Option<String> {
    let (code, exit) = (figures.http_code, known.exit);
    let head = http::split(known.answer?).head;
    match http::status(head) {
        // Only interim heads came before the transfer failed.
        Some(100..=199) if exit != 0 => None,
        Some(status) => (code != status && (code != 0 || exit == 0))
            .then(|| format!("curl reports the status {code}, and the answer has {status}")),
        None => (code != 0 && exit == 0)
            .then(|| format!("curl reports the status {code}, and the answer has no head")),
    }
}

/// Compares all transfers, which follow on each other, with the time of the command, and the last one with its exit
/// code.
fn together(known: &Transfers<'_>, all: &[Figures]) -> Option<String> {
    let (exit, last) = (known.exit, all.last()?);
    if let Some(other) = last.exitcode.filter(|other| exit <= LAST_OF_ITS_OWN && *other != exit) {
        return Some(format!("it exited {exit}, and curl reports the exit code {other}"));
    }
    let total = all.iter().map(|figures| figures.time_total).sum::<f64>() * 1000.0;
    #[allow(clippy::cast_precision_loss, reason = "2^53 ms are 285,000 years")]
    let most = known.duration_ms as f64 + ROUNDED_MS;
    (total > most).then(|| {
        format!("curl reports transfers of {total:.0} ms, and the command took {} ms", known.duration_ms)
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::hostile;
    use super::*;

    const HEAD: &str = "HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody";
    const CONTINUED: &str = "HTTP/1.1 100 Continue\r\n\r\nHTTP/2 503\r\n\r\nHTTP/2 is down";
    const FORGED: &str = "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 503 Service Unavailable\r\n\r\nno";

    fn figures(code: u16, other: u16, exit: i32, url: &str) -> String {
        format!(
            "{{\"http_code\":{code},\"response_code\":{other},\"exitcode\":{exit},\"url\":\"{url}\",\"time_starttransfer\":0.09,\"time_total\":0.1}}\n"
        )
    }

    /// What is found of a curl 7.88 that requested `u`, and took 105 ms.
    fn one(exit: i32, answer: Option<&str>, stderr: &str) -> Option<String> {
        let (urls, answer) = (["u".to_owned()], answer.map(str::as_bytes));
        let known =
            Transfers { urls: &urls, exit, answer, duration_ms: 105, reports_all: true, is_as_printed: true };
        contradiction(&known, stderr.as_bytes())
    }

    #[test]
    fn what_agrees_is_no_contradiction() {
        let (ok, failed) = (figures(200, 200, 0, "u"), figures(0, 0, 7, "u"));
        for (exit, answer, stderr) in [
            (0, Some(HEAD), &*ok),
            (0, None, &ok),
            (0, Some(CONTINUED), &figures(503, 503, 0, "u")),
            (0, Some("HTTP/1.1 103 Early Hints\nA: b\n\nHTTP/1.1 200 OK\n\n"), &ok),
            (28, Some(HEAD), &figures(200, 200, 28, "u")),
            (28, Some("HTTP/1.1 103 Early Hints\r\n\r\n"), &figures(0, 0, 28, "u")),
            (7, Some(""), &failed),
            (2, Some(""), "curl: option --x: is unknown\n"),
            (137, Some(""), ""),
            (137, Some(HEAD), &ok),
        ] {
            assert_eq!(one(exit, answer, stderr), None, "{exit} {answer:?} {stderr}");
        }
    }

    #[test]
    fn what_does_not_agree_is_found() {
        let (ok, failed) = (figures(200, 200, 0, "u"), figures(0, 0, 7, "u"));
        let late = ok.replace("0.1}", "0.2}");
        let backwards = ok.replace("0.09", "0.11");
        for (exit, answer, stderr, expected) in [
            (0, HEAD, &*figures(200, 503, 0, "u"), "curl reports the status 200, and the response code 503"),
            (0, HEAD, &figures(503, 503, 0, "u"), "curl reports the status 503, and the answer has 200"),
            (0, CONTINUED, &ok, "curl reports the status 200, and the answer has 503"),
            (0, FORGED, &figures(503, 503, 0, "u"), "curl reports the status 503, and the answer has 200"),
            (0, "body", &ok, "curl reports the status 200, and the answer has no head"),
            (0, HEAD, &figures(200, 200, 0, "v"), "curl reports a transfer of v, and not of u"),
            (0, "", &failed, "it exited 0, and curl reports the exit code 7"),
            (28, "", &failed, "it exited 28, and curl reports the exit code 7"),
            (0, HEAD, "", "of 1 transfers curl reported 0"),
            (7, "", "", "of 1 transfers curl reported 0"),
            (0, HEAD, &ok.repeat(2), "of 1 transfers curl reported 2"),
            (0, HEAD, &late, "curl reports transfers of 200 ms, and the command took 105 ms"),
            (0, HEAD, &backwards, "curl reports the first byte at 0.11 s, and the end at 0.1 s"),
            (
                0,
                HEAD,
                "{\"http_code\":200,\"time_total\":0.1}\n",
                "curl does not report the URL and the exit code of the transfer of u",
            ),
        ] {
            assert_eq!(one(exit, Some(answer), stderr).as_deref(), Some(expected));
        }
    }

    #[test]
    fn what_this_curl_does_not_tell_or_was_redacted_is_not_compared() {
        let urls = ["u".to_owned(), "v".to_owned()];
        let known = Transfers {
            urls: &urls,
            exit: 0,
            answer: None,
            duration_ms: 210,
            reports_all: false,
            is_as_printed: true,
        };
        let found = |known: &Transfers<'_>, stderr: &str| contradiction(known, stderr.as_bytes());
        assert_eq!(found(&known, &"{\"http_code\":200,\"time_total\":0.1}\n".repeat(2)), None);
        let redacted = figures(200, 200, 0, "[redacted:X]") + &figures(200, 200, 0, "v");
        assert_eq!(found(&Transfers { is_as_printed: false, ..known }, &redacted), None);
        assert!(found(&known, &redacted).is_some());
        // The last transfer decides the exit code.
        let failed_first = figures(0, 0, 7, "u") + &figures(200, 200, 0, "v");
        assert_eq!(found(&known, &failed_first), None);
        assert!(found(&Transfers { exit: 7, ..known }, &failed_first).is_some());
    }

    #[test]
    fn no_bytes_panic() {
        let urls = ["u".to_owned()];
        hostile::survives(&figures(200, 200, 0, "u"), |bytes| {
            let answer = Some(bytes);
            for (exit, reports_all) in [(0, true), (7, false)] {
                let known =
                    Transfers { urls: &urls, exit, answer, duration_ms: 1, reports_all, is_as_printed: true };
                drop(contradiction(&known, bytes));
            }
        });
    }
}
