use std::collections::BTreeSet;

use crate::facts::pod_table::{self, PodRow, WatchEvent};

/// What STATUS says of a pod that is being deleted, until its containers end.
pub const TERMINATING: &str = "Terminating";

/// What ends the reason for letting a pod pass that was shown being deleted; the command stands before it.
pub const SHOWN_GOING: &str = "had shown it Terminating before";

/// What is known of the pods from the rows that were seen so far: of those of a watch, and of lists beside it.
#[derive(Debug, Default)]
pub struct PodTracker {
    /// Pods whose state was looked into already.
    judged: BTreeSet<String>,
    /// Pods that were shown being deleted, which nothing undoes.
    going: BTreeSet<String>,
}

/// What a row asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowAction {
    /// Nothing: it stops no run, or was looked into already.
    None,
    /// To look into it: it may stop the run (stop rule 2).
    Closely,
    /// To let it pass: it was shown being deleted before.
    Going,
}

impl PodTracker {
    /// Takes a row in; `stop_on` are words that stop a run beside the runbook's.
    pub fn look(&mut self, row: &PodRow, stop_on: &[String]) -> RowAction {
        match (row.event, row.status.as_str()) {
            // Another pod may come under the name of one that was judged: a StatefulSet's does.
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
