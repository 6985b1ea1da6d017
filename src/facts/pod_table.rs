//! Parses rows of `kubectl get pods`, listed or watched: the text of stop rule 2, as an auditor sees it.
//!
//! The server renders the table, so the column widths change in the stream, and RESTARTS contains blanks (`2
//! (3m53s ago)`). Each column before it is one word.
//!
//! Only complete lines may be passed: the last word of a truncated row may be a part of another word.

use serde::{Deserialize, Serialize};

/// The event of a pod in a watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WatchEvent {
    /// The pod exists: it is new, or existed when the watch began (or began again).
    Added,
    /// The pod changed.
    Modified,
    /// The pod is gone; the row shows its last status, often `Error`.
    Deleted,
}

/// The row of one pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodRow {
    /// The event in a watch; `None` in a list, which has no such column.
    pub event: Option<WatchEvent>,
    /// The column NAME.
    pub name: String,
    /// The column READY: ready containers of all containers (`0/1`).
    pub ready: String,
    /// The column STATUS, one word: `Running`, `CrashLoopBackOff`, `Init:0/1`.
    pub status: String,
    /// The number in the column RESTARTS; `None` if there is none.
    pub restarts: Option<u32>,
    /// The whole row as it was printed.
    pub text: String,
}

/// A line of `kubectl get pods --watch --output-watch-events`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WatchRow {
    /// The row of a pod.
    Pod(PodRow),
    /// The column names; for an `ERROR` row they come before it, in the middle of the stream.
    Header,
    /// The server ended the watch: the `ERROR` row without that word. The watch prints nothing more.
    ServerError(String),
    /// Any other line.
    Other,
}

/// Parses one line of a watch.
pub fn watch_row(line: &str) -> WatchRow {
    let row = line.trim();
    let (first, rest) = row.split_once(char::is_whitespace).unwrap_or((row, ""));
    let event = match first {
        "ADDED" => WatchEvent::Added,
        "MODIFIED" => WatchEvent::Modified,
        "DELETED" => WatchEvent::Deleted,
        "EVENT" => return WatchRow::Header,
        "ERROR" => return WatchRow::ServerError(rest.trim().to_owned()),
        _ => return WatchRow::Other,
    };
    pod_row(Some(event), rest, line).map_or(WatchRow::Other, WatchRow::Pod)
}

/// Parses one line of a list; returns `None` if it is not a pod's row (the header, a blank line).
pub fn list_row(line: &str) -> Option<PodRow> {
    pod_row(None, line, line)
}

fn pod_row(event: Option<WatchEvent>, columns: &str, text: &str) -> Option<PodRow> {
    let mut words = columns.split_whitespace();
    let (name, ready, status) = (words.next()?, words.next()?, words.next()?);
    counts(ready)?;
    Some(PodRow {
        event,
        name: name.to_owned(),
        ready: ready.to_owned(),
        status: status.to_owned(),
        restarts: words.next().and_then(|restarts| restarts.parse().ok()),
        text: text.trim_end().to_owned(),
    })
}

/// The STATUS words of stop rule 2, and the same two for a container that initializes.
pub const STOP_WORDS: [&str; 4] = ["CrashLoopBackOff", "Error", "Init:CrashLoopBackOff", "Init:Error"];

/// Returns whether a STATUS stops the run: a whole word of [`STOP_WORDS`] or `extra`, case-sensitive.
///
/// `CreateContainerError` differs from `Error`, and so does a watch's own `ERROR`.
pub fn stops(status: &str, extra: &[String]) -> bool {
    STOP_WORDS.contains(&status) || extra.iter().any(|word| word == status)
}

fn counts(ready: &str) -> Option<(u32, u32)> {
    let (ready, all) = ready.split_once('/')?;
    Some((ready.parse().ok()?, all.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CRASHING: &str = "MODIFIED   dpp-api-6984f9c886-vbg9t   0/1   CrashLoopBackOff   2 (0s ago)   2s";

    fn pod(line: &str) -> PodRow {
        match watch_row(line) {
            WatchRow::Pod(row) => row,
            other => panic!("{line:?} is {other:?}"),
        }
    }

    #[test]
    fn status_is_the_fourth_field_of_a_watch() {
        let expected = PodRow {
            event: Some(WatchEvent::Modified),
            name: "dpp-api-6984f9c886-vbg9t".to_owned(),
            ready: "0/1".to_owned(),
            status: "CrashLoopBackOff".to_owned(),
            restarts: Some(2),
            text: CRASHING.to_owned(),
        };
        assert_eq!(watch_row(CRASHING), WatchRow::Pod(expected));
    }

    #[test]
    fn status_is_the_third_field_of_a_list() {
        let row = list_row("dpp-api-6984f9c886-vbg9t   1/1     Running   1 (3m53s ago)   12m\n").unwrap();
        assert_eq!((row.event, row.status.as_str(), row.restarts), (None, "Running", Some(1)));
        assert!(!row.text.ends_with('\n'));
        assert_eq!(list_row("NAME                       READY   STATUS    RESTARTS   AGE"), None);
        assert_eq!(list_row(""), None);
    }

    #[test]
    fn every_event_is_known() {
        for (word, event) in [
            ("ADDED", WatchEvent::Added),
            ("MODIFIED", WatchEvent::Modified),
            ("DELETED", WatchEvent::Deleted),
        ] {
            let row = pod(&format!("{word}      dpp-reaper-0   0/1   Error   0   3s"));
            assert_eq!((row.event, row.status.as_str()), (Some(event), "Error"));
        }
    }

    #[test]
    fn a_watch_that_broke_off_says_so_on_standard_output() {
        assert_eq!(watch_row("EVENT   STATUS   REASON   MESSAGE"), WatchRow::Header);
        assert_eq!(watch_row("EVENT   NAME   READY   STATUS   RESTARTS   AGE"), WatchRow::Header);
        let row = "ERROR   Failure   InternalError   an error on the server (\"unable to decode an event\")";
        let why = "Failure   InternalError   an error on the server (\"unable to decode an event\")";
        assert_eq!(watch_row(row), WatchRow::ServerError(why.to_owned()));
    }

    #[test]
    fn other_lines_are_no_pods() {
        for line in [
            "",
            "MODIFIED",
            "MODIFIED   dpp-api   0/1",
            "MODIFIED dpp-api CrashLoopBackOff 0/1 1",
            "x 1/1 Error 0",
        ] {
            assert_eq!(watch_row(line), WatchRow::Other, "{line:?}");
        }
    }

    #[test]
    fn four_words_stop_whole_and_case_sensitively() {
        for status in STOP_WORDS {
            assert!(stops(status, &[]), "{status}");
        }
        for status in [
            "CreateContainerError",
            "RunContainerError",
            "StartError",
            "ERROR",
            "error",
            "Init:0/1",
            "OOMKilled",
            "Evicted",
            "Failed",
            "ExitCode:3",
            "Init:ErrImagePull",
            "Terminating",
            "",
        ] {
            assert!(!stops(status, &[]), "{status}");
        }
        let extra = ["OOMKilled".to_owned()];
        assert!(stops("OOMKilled", &extra) && !stops("Init:OOMKilled", &extra));
    }

    proptest! {
        #[test]
        fn no_line_panics(line in any::<String>(), event in "(ADDED|MODIFIED|DELETED|EVENT|ERROR)[ \t]?") {
            let _ = (watch_row(&line), list_row(&line), watch_row(&(event + &line)));
        }

        #[test]
        fn a_pod_row_tells_the_status_it_was_given(status in "[A-Za-z:0-9/]{1,24}", pad in " {1,12}") {
            let line = ["ADDED", "dpp-api-x", "0/2", &status, "7 (2m ago)", "3m"].join(&pad);
            prop_assert_eq!(pod(&line).status, status);
        }
    }
}
