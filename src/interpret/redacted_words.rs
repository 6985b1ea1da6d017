//! Words that something is decided by, and that hold a secret: nobody knows what they were.
//!
//! A value that is a known word is refused before a run begins. Any other word from which a secret was taken out could have
//! been one that stops the run: it makes the run incomplete, never well.

use crate::facts::Unreadable;
use crate::facts::dry_run::Landing;
use crate::facts::pod_table::PodRow;
use crate::facts::pods::{Container, Pod, State};

/// Returns whether a secret was taken out of a text.
pub fn is_redacted(text: &str) -> bool {
    text.contains("[redacted:")
}

fn unless_redacted<'a>(
    program: &'static str,
    mut words: impl Iterator<Item = &'a str>,
) -> Result<(), Unreadable> {
    match words.find(|word| is_redacted(word)) {
        Some(word) => Err(Unreadable { program, why: format!("{word:?} is in a word that a rule reads") }),
        None => Ok(()),
    }
}

/// Refuses a line of `kubectl get pods` from which a secret was taken out, unless only the column NAME had it.
///
/// `row` is the line as a row of a pod. A line that is none could be one whose columns the secret contained.
///
/// # Errors
/// When a secret was taken out of another column, or of a line that is no row.
pub fn refuse_in_row(line: &str, row: Option<&PodRow>) -> Result<(), Unreadable> {
    let before = row.map_or(0, |row| 1 + usize::from(row.event.is_some()));
    let others = line.split_whitespace().enumerate().filter(|(at, _)| at + 1 != before);
    unless_redacted("kubectl get pods", others.map(|(_, word)| word))
}

/// Refuses objects whose kind or namespace is not known.
pub(super) fn refuse_in_landings(objects: &[Landing]) -> Result<(), Unreadable> {
    let words = objects.iter().flat_map(|object| {
        [Some(object.kind.as_str()), object.namespace.as_deref(), Some(object.api_version.as_str())]
    });
    unless_redacted("kubectl apply --dry-run=server", words.flatten())
}

/// Refuses pods whose state is not known.
pub(super) fn refuse_in_pods(pods: &[Pod]) -> Result<(), Unreadable> {
    let words = pods.iter().flat_map(|pod| [pod.phase.as_str(), pod.status.as_str()]);
    let of_containers = pods.iter().flat_map(|pod| &pod.containers).filter_map(reason);
    unless_redacted("kubectl get pods -o json", words.chain(of_containers))
}

fn reason(container: &Container) -> Option<&str> {
    match &container.state {
        State::Waiting { reason, .. } => reason.as_deref(),
        State::Terminated(end) => end.reason.as_deref(),
        State::Running => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::pod_table::{WatchRow, list_row, watch_row};
    use crate::fixture;

    #[test]
    fn a_status_that_holds_a_secret_is_refused_and_a_name_is_not() {
        let refused = |line: &str| match watch_row(line) {
            WatchRow::Pod(row) => refuse_in_row(line, Some(&row)),
            _ => refuse_in_row(line, list_row(line).as_ref()),
        };
        for line in [
            "api-[redacted:KEY]   0/1   Running   0   1s",
            "[redacted:KEY]   0/1   Error   0   1s",
            "ADDED   api-[redacted:KEY]   0/1   Running   0   1s",
            "ADDED   api-1   0/1   Running   2 (3m53s ago)   1s",
            "NAME   READY   STATUS   RESTARTS   AGE",
            "",
        ] {
            assert!(refused(line).is_ok(), "{line}");
        }
        for line in [
            "api-1   0/1   [redacted:KEY]   0   1s",
            "api-1   0/1   [redacted:KEY]Off   0   1s",
            "api-1   [redacted:KEY]   0   1s",
            "api-1   0/1   Running   [redacted:KEY]   1s",
            "ADDED   api-1   [redacted:KEY]   0   1s",
            "ADDED   api-[redacted:KEY]   0   1s",
            "[redacted:KEY]",
            "[redacted:KEY]   api-[redacted:KEY]   0/1   Error   0   1s",
        ] {
            assert!(refused(line).is_err(), "{line}");
        }
        let refused = refused("api-1   0/1   [redacted:KEY]   0   1s").unwrap_err();
        assert!(
            refused.to_string().contains("\"[redacted:KEY]\" is in a word that a rule reads"),
            "{refused}"
        );
    }

    #[test]
    fn a_reason_that_holds_a_secret_is_refused_and_a_message_is_not() {
        let waiting = |reason: &str, message: &str| State::Waiting {
            reason: Some(reason.to_owned()),
            message: Some(message.to_owned()),
        };
        let told = |state| refuse_in_pods(&[fixture::pod("api-1", state)]).is_ok();
        assert!(told(State::Running) && told(waiting("ImagePullBackOff", "no [redacted:KEY]")));
        assert!(!told(waiting("Crash[redacted:KEY]", "")));
    }

    #[test]
    fn a_kind_or_a_namespace_that_holds_a_secret_is_refused_and_a_name_is_not() {
        let landing = |kind: &str, namespace: &str, name: &str| Landing {
            api_version: "apps/v1".to_owned(),
            kind: kind.to_owned(),
            namespace: Some(namespace.to_owned()),
            name: name.to_owned(),
            generation: None,
        };
        assert!(refuse_in_landings(&[landing("Deployment", "dpp-staging", "[redacted:KEY]")]).is_ok());
        assert!(refuse_in_landings(&[landing("[redacted:KEY]", "dpp-staging", "a")]).is_err());
        assert!(refuse_in_landings(&[landing("Deployment", "x-[redacted:KEY]", "a")]).is_err());
    }
}
