//! Decides, row by row, which pods have to be read in full.
//!
//! Each failing pod is read once. A pod that was shown being deleted before it failed is not read: kubectl
//! prints `Error` for a deleted pod whose containers exit non-zero on TERM.

use std::collections::BTreeSet;

use crate::facts::pod_table::{self, PodRow, WatchEvent};

/// The STATUS word of a pod that is being deleted, until its containers end.
pub const TERMINATING: &str = "Terminating";

/// The end of the reason why a deleted pod does not stop the run; the name of the command precedes it.
pub const SHOWN_GOING: &str = "had shown it Terminating before";

/// The state of the pods, from the rows of the watch and of the lists so far.
#[derive(Debug, Clone, Default)]
pub struct PodTracker {
    /// The pods that were read in full already.
    judged: BTreeSet<String>,
    /// The pods that were shown being deleted, which can't be undone.
    going: BTreeSet<String>,
}

/// The action that a row requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowAction {
    /// None: the row stops no run, or its pod was read already.
    None,
    /// Read the pod: it may stop the run (stop rule 2).
    Closely,
    /// Let the pod pass: it was shown being deleted before.
    Going,
}

impl PodTracker {
    /// Adds a row and returns the action it requires; `stop_on` are STATUS words that stop a run besides the
    /// runbook's.
    pub fn look(&mut self, row: &PodRow, stop_on: &[String]) -> RowAction {
        match (row.event, row.status.as_str()) {
            // A new pod may have the name of an earlier one, as in a StatefulSet.
            (Some(WatchEvent::Added), _) => {
                self.judged.remove(&row.name);
                self.going.remove(&row.name);
            }
            (_, TERMINATING) => _ = self.going.insert(row.name.clone()),
            _ => {}
        }
        if !pod_table::stops(&row.status, stop_on) || !self.judged.insert(row.name.clone()) {
            RowAction::None
        } else if self.going.contains(&row.name) {
            RowAction::Going
        } else {
            RowAction::Closely
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::pod_table::{WatchRow, watch_row};

    fn looks(rows: &[&str]) -> Vec<RowAction> {
        let mut tracker = PodTracker::default();
        let look = |row: &&str| match watch_row(row) {
            WatchRow::Pod(row) => tracker.look(&row, &[]),
            other => panic!("{other:?}"),
        };
        rows.iter().map(look).collect()
    }

    const FAILS: &str = "MODIFIED   api-1   0/1   Error         0   5s";
    const GOES: &str = "MODIFIED   api-1   1/1   Terminating   0   5s";
    const COMES: &str = "ADDED      api-1   0/1   Pending       0   0s";

    #[test]
    fn a_pod_is_looked_into_once() {
        let other = FAILS.replace("api-1", "api-2");
        assert_eq!(
            looks(&[COMES, FAILS, FAILS, &other]),
            [RowAction::None, RowAction::Closely, RowAction::None, RowAction::Closely]
        );
    }

    #[test]
    fn one_that_was_shown_going_may_fail() {
        assert_eq!(looks(&[GOES, FAILS]), [RowAction::None, RowAction::Going]);
    }

    #[test]
    fn another_one_under_its_name_is_looked_into_again() {
        let rows = [GOES, FAILS, COMES, FAILS];
        assert_eq!(looks(&rows), [RowAction::None, RowAction::Going, RowAction::None, RowAction::Closely]);
    }
}
