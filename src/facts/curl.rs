//! Parses curl's figures: `curl -q -sS -g -i --max-time 10 -w '%{stderr}%{json}\n' URL…`.
//!
//! For each URL in order, standard error contains curl's error message, if any, and then one line of JSON.

mod contradiction;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::json::non_empty;

pub use contradiction::{Transfers, contradiction};

/// One transfer, with or without a response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// The HTTP status, always three digits; `000` without a response.
    pub http_status: String,
    /// The time from the start to the last byte, in ms, rounded.
    pub latency_ms: u64,
    /// curl's own exit code for this URL; 0 for every response, also for a 503.
    pub exit_code: i32,
    /// Why there is no complete response; `None` if it is complete.
    pub error: Option<String>,
    /// The response's `Content-Type`; `None` without one.
    pub content_type: Option<String>,
    /// The target of a redirect, which is not followed; `None` without one.
    pub redirect_url: Option<String>,
    /// The address that answered; `None` without a connection.
    pub remote_ip: Option<String>,
    /// OpenSSL's result for the certificate: 0 verified, 18 self-signed, 10 expired; `None` without TLS.
    pub tls_verify: Option<i64>,
}

/// Parses standard error: one transfer for each line of figures, in the order of the URLs.
pub fn transfers(stderr: &[u8]) -> Vec<Transfer> {
    let text = String::from_utf8_lossy(stderr);
    let mut transfers = Vec::new();
    let mut complaint = None;
    for line in text.lines() {
        if let Some(found) = line.strip_prefix("curl: (").and_then(read_complaint) {
            complaint = Some(found);
        } else if let Ok(figures) = serde_json::from_str::<Figures>(line) {
            transfers.push(figures.transfer(complaint.take()));
        }
    }
    transfers
}

/// Parses the rest of `curl: (7) Failed to connect to …`.
fn read_complaint(rest: &str) -> Option<(i32, String)> {
    let (code, message) = rest.split_once(") ")?;
    Some((code.parse().ok()?, message.trim_end().to_owned()))
}

/// The fields of `%{json}`, which curl prints from 7.70 on; `exitcode` and `errormsg` from 7.75 on.
#[derive(Deserialize)]
struct Figures {
    http_code: u16,
    response_code: Option<u16>,
    url: Option<String>,
    time_total: f64,
    time_starttransfer: Option<f64>,
    exitcode: Option<i32>,
    errormsg: Option<String>,
    content_type: Option<String>,
    redirect_url: Option<String>,
    remote_ip: Option<String>,
    scheme: Option<String>,
    ssl_verify_result: Option<i64>,
}

impl Figures {
    fn transfer(self, complaint: Option<(i32, String)>) -> Transfer {
        let (complained_code, complained) = complaint.unzip();
        // Without TLS, the result is 0 as well; only the scheme distinguishes the cases.
        let tls = self.scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
        let some_text = |text: Option<String>| text.and_then(non_empty);
        Transfer {
            http_status: if self.http_code < 1000 {
                format!("{:03}", self.http_code)
            } else {
                "000".to_owned()
            },
            latency_ms: milliseconds(self.time_total),
            exit_code: self.exitcode.or(complained_code).unwrap_or(0),
            error: some_text(self.errormsg).or(complained),
            content_type: some_text(self.content_type),
            redirect_url: some_text(self.redirect_url),
            remote_ip: some_text(self.remote_ip),
            tls_verify: self.ssl_verify_result.filter(|&result| tls || result != 0),
        }
    }
}

fn milliseconds(seconds: f64) -> u64 {
    let rounded = |time: Duration| (time.as_micros() + 500) / 1000;
    // Out of range or not a number: curl never prints this, and 0 is the least wrong value.
    Duration::try_from_secs_f64(seconds).map_or(0, |time| u64::try_from(rounded(time)).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::super::hostile;
    use super::*;

    /// curl 7.88.1 with three URLs: a name that does not resolve, a file, and a file that does not exist.
    const THREE: &str = r#"curl: (6) Could not resolve host: nonexistent.invalid
{"certs":"","content_type":null,"errormsg":"Could not resolve host: nonexistent.invalid","exitcode":6,"filename_effective":null,"ftp_entry_path":null,"http_code":0,"http_connect":0,"http_version":"0","local_ip":"","local_port":0,"method":"GET","num_certs":0,"num_connects":0,"num_headers":0,"num_redirects":0,"proxy_ssl_verify_result":0,"redirect_url":null,"referer":null,"remote_ip":"","remote_port":0,"response_code":0,"scheme":null,"ssl_verify_result":0,"time_appconnect":0.000000,"time_total":0.003348,"url":"http://nonexistent.invalid/x","urlnum":0,"curl_version":"libcurl/7.88.1 OpenSSL/3.0.19"}
{"certs":"","content_type":"text/plain","errormsg":null,"exitcode":0,"http_code":200,"http_version":"1","num_headers":5,"redirect_url":null,"remote_ip":"127.0.0.1","remote_port":18731,"response_code":200,"scheme":"HTTP","ssl_verify_result":0,"time_total":0.016544,"url":"http://127.0.0.1:18731/a.txt","urlnum":1}
{"certs":"","content_type":"text/html;charset=utf-8","errormsg":null,"exitcode":0,"http_code":404,"redirect_url":null,"remote_ip":"127.0.0.1","scheme":"HTTP","ssl_verify_result":0,"time_total":0.002918,"url":"http://127.0.0.1:18731/nope","urlnum":2}
"#;

    #[test]
    fn each_line_of_figures_is_a_transfer() {
        let found = transfers(THREE.as_bytes());
        let unresolved = Transfer {
            http_status: "000".to_owned(),
            latency_ms: 3,
            exit_code: 6,
            error: Some("Could not resolve host: nonexistent.invalid".to_owned()),
            content_type: None,
            redirect_url: None,
            remote_ip: None,
            tls_verify: None,
        };
        let answered = Transfer {
            http_status: "200".to_owned(),
            latency_ms: 17,
            exit_code: 0,
            error: None,
            content_type: Some("text/plain".to_owned()),
            remote_ip: Some("127.0.0.1".to_owned()),
            ..unresolved.clone()
        };
        assert_eq!(found.len(), 3);
        assert_eq!(found[0], unresolved);
        assert_eq!(found[1], answered);
        assert_eq!(found[2].http_status, "404");
    }

    #[test]
    fn a_certificate_that_does_not_verify_is_told() {
        let stderr = r#"curl: (60) SSL certificate problem: self-signed certificate
More details here: https://curl.se/docs/sslcerts.html

curl failed to verify the legitimacy of the server and therefore could not
establish a secure connection to it. To learn more about this situation and
how to fix it, please visit the web page mentioned above.
{"certs":"","content_type":null,"errormsg":"SSL certificate problem: self-signed certificate","exitcode":60,"http_code":0,"redirect_url":null,"remote_ip":"127.0.0.1","scheme":"HTTPS","ssl_verify_result":18,"time_total":0.023234}
"#;
        let found = transfers(stderr.as_bytes()).remove(0);
        assert_eq!((found.exit_code, found.tls_verify), (60, Some(18)));
        assert_eq!(found.error.as_deref(), Some("SSL certificate problem: self-signed certificate"));
    }

    #[test]
    fn an_older_curl_tells_its_failure_only_in_words() {
        let stderr = b"curl: (7) Failed to connect to 127.0.0.1 port 1: Connection refused\n\
            {\"http_code\":0,\"time_total\":0.000365}\n{\"http_code\":200,\"time_total\":0.0005}\n";
        let found = transfers(stderr);
        assert_eq!((found[0].exit_code, found[1].exit_code), (7, 0));
        assert_eq!(
            found[0].error.as_deref(),
            Some("Failed to connect to 127.0.0.1 port 1: Connection refused")
        );
        assert_eq!((found[1].error.as_deref(), found[1].latency_ms), (None, 1));
    }

    #[test]
    fn a_status_is_always_three_digits() {
        for (code, status) in [(0, "000"), (7, "007"), (200, "200"), (999, "999"), (1000, "000")] {
            let line = format!("{{\"http_code\":{code},\"time_total\":-1}}");
            let found = transfers(line.as_bytes()).remove(0);
            assert_eq!((found.http_status.as_str(), found.latency_ms), (status, 0));
        }
    }

    #[test]
    fn no_bytes_panic() {
        hostile::survives(THREE, |bytes| {
            for found in transfers(bytes) {
                assert!(
                    found.http_status.len() == 3 && found.http_status.bytes().all(|it| it.is_ascii_digit())
                );
            }
        });
    }
}
