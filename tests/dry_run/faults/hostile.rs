//! Bytes that would steer a terminal, or that are no text at all.

use super::super::support::Staging;
use super::super::support::under_way::UnderWay;
use super::healthy;
use rehearsal::{Fate, When, With};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

/// Sets a terminal's title, wipes it, turns the direction of reading; a lone continuation byte, and a byte that no
/// UTF-8 has.
const HOSTILE: &[u8] = b"\x1b]0;theirs\x07\x1b[2J\xc2\x9b31m\xe2\x80\xae\x08\x80\xff theirs";

/// What reached the terminal steers nothing: without colours there is no control character but those of lines.
#[track_caller]
fn steers_nothing(said: &str) {
    let steering: Vec<char> =
        said.chars().filter(|c| (c.is_control() && !"\r\n\t".contains(*c)) || *c == '\u{202e}').collect();
    assert!(steering.is_empty(), "{steering:?}\n{said}");
    assert!(said.contains("theirs"), "it was not shown at all:\n{said}");
}

/// At a terminal, which is shown everything there is to show.
fn at_a_terminal(staging: Staging) -> super::Ran {
    UnderWay::at_a_terminal(staging.with("NO_COLOR", "1"), &["run", "-v"]).ends()
}

#[test]
fn a_hostile_log_does_not_steer_the_terminal_and_is_kept_byte_for_byte() {
    let log = [b"before\n", HOSTILE, b"\n"].concat();
    let fate = Fate::CrashLoop { exit_code: 1, restarts: 2 };
    let scenario = healthy().new_pods("dpp-api", fate, When::RolloutWatched).with(With::Log(log.into()));
    let ran = at_a_terminal(Staging::on(scenario).remembering()).exits(1).says("its last words");
    steers_nothing(&ran.stderr);
    let kept = std::fs::read(ran.evidence().join("dump_logs/app_logs_tail.txt")).unwrap();
    assert!(kept.windows(HOSTILE.len()).any(|window| window == HOSTILE), "{}", kept.escape_ascii());
}

/// Answers whatever is asked with these bytes, on loopback, as long as the test lives.
fn answering(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for connection in listener.incoming() {
            let (mut connection, mut asked) = (connection.unwrap(), Vec::new());
            while !asked.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if connection.read(&mut byte).unwrap_or(0) == 0 {
                    break;
                }
                asked.push(byte[0]);
            }
            let _ = connection.write_all(&answer);
        }
    });
    url
}

#[test]
fn a_hostile_answer_does_not_steer_the_terminal_and_is_kept_byte_for_byte() {
    let answer =
        [b"HTTP/1.1 200 ", HOSTILE, b"\r\nX-Theirs: ", HOSTILE, b"\r\nConnection: close\r\n\r\n", HOSTILE]
            .concat();
    let staging = Staging::of("healthy").remembering().with("STAGING_BASE_URL", &answering(answer.clone()));
    let ran = at_a_terminal(staging).exits(0);
    steers_nothing(&ran.stderr);
    let kept = std::fs::read(ran.evidence().join("smoke/responses/04-llms-txt.http")).unwrap();
    assert_eq!(kept.escape_ascii().to_string(), answer.escape_ascii().to_string());
}

#[test]
fn a_hostile_message_of_kubectl_does_not_steer_the_terminal_and_is_kept_byte_for_byte() {
    let script = format!(
        "if [[ $* != 'apply -f -' ]]; then exec \"$REAL\" \"$@\"; fi; printf '%b' '{0}\\n'; printf 'error: %b' '{0}\\n' >&2; exit 1",
        HOSTILE.escape_ascii()
    );
    let ran = at_a_terminal(Staging::of("healthy").remembering().in_place_of("kubectl", &script))
        .exits(1)
        .says("STOP by rule 1");
    steers_nothing(&ran.stderr);
    for file in ["deploy/stdout.log", "deploy/stderr.log"] {
        let kept = std::fs::read(ran.evidence().join(file)).unwrap();
        assert!(kept.ends_with(&[HOSTILE, b"\n"].concat()), "{file}: {}", kept.escape_ascii());
    }
}
