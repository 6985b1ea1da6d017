//! Walks the journal: each event must have been due, by the procedure that the run obeyed.
//!
//! This finds events that are dropped, repeated, reordered, renamed or added, and ends of commands that no
//! reason in the journal explains. It can't find a journal that is cut like that of a killed run, or the answers
//! of another run put in whole: only a seal in a log, a signature or a chain of runs can.

use std::io;

use super::{Kind, Point};
use crate::events::{ByteRange, Event};
use crate::evidence::Tree;
use crate::procedure::{Procedure, RecordedOutput};
use crate::run_state::RunState;

/// The recorded output; a file that was not found is not opened, since its name may lead out of the directory.
struct Found<'a> {
    tree: &'a Tree,
    files: &'a [String],
}

impl RecordedOutput for Found<'_> {
    fn read(&self, range: Option<&ByteRange>) -> io::Result<Vec<u8>> {
        printed(self.tree, self.files, range)
    }
}

/// Returns the recorded output of a command; empty if there is none, or if its file was not found.
pub(super) fn printed(tree: &Tree, files: &[String], range: Option<&ByteRange>) -> io::Result<Vec<u8>> {
    let is_there = |range: &&ByteRange| files.binary_search(&range.file).is_ok();
    range.filter(is_there).map_or_else(|| Ok(Vec::new()), |range| tree.read(Some(range)))
}

/// Walks the events; returns what was found, and the state of the run after all of them.
pub(super) fn walk(events: &[Event], tree: &Tree, files: &[String]) -> (Point, RunState) {
    let kept = Found { tree, files };
    let mut procedure = Procedure::default();
    let number = events.len();
    for (at, event) in events.iter().enumerate() {
        if let Err(departure) = procedure.fold(event, &kept) {
            let what = format!("each of the journal's {number} events was due when it came");
            let point = Point::new(Kind::Truth, what, vec![format!("journal.jsonl, {departure}")]);
            let mut state = procedure.into_state();
            events[at..].iter().for_each(|event| state.add(event));
            return (point, state);
        }
    }
    let point = if procedure.is_done() {
        let what = format!("each of the journal's {number} events was due when it came, and none is missing");
        Point::new(Kind::Truth, what, Vec::new())
    } else {
        let due: Vec<String> = procedure.due().map(ToString::to_string).collect();
        let due = due.join(", or ");
        Point::open(
            Kind::Truth,
            format!("the journal's {number} events were due; it ends where this was due: {due}"),
        )
    };
    (point, procedure.into_state())
}
