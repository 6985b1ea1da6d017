//! Walks the journal: each event must have been due, by the procedure that the run obeyed.
//!
//! This finds events that are dropped, repeated, reordered, renamed or added, and ends of commands that no
//! reason in the journal explains. It can't find a journal that is cut like that of a killed run, or the answers
//! of another run put in whole: only a seal in a log, a signature or a chain of runs can.

use std::io;

use super::outputs::printed;
use super::{Evidence, Kind, Point};
use crate::events::ByteRange;
use crate::procedure::{Procedure, RecordedOutput};

impl RecordedOutput for Evidence {
    fn read(&self, range: Option<&ByteRange>) -> io::Result<Vec<u8>> {
        printed(self, range)
    }
}

pub(super) fn check(evidence: &Evidence) -> Point {
    let mut procedure = Procedure::default();
    let number = evidence.events.len();
    for event in &evidence.events {
        if let Err(departure) = procedure.fold(event, evidence) {
            let what = format!("each of the journal's {number} events was due when it came");
            return Point::new(Kind::Truth, what, vec![format!("journal.jsonl, {departure}")]);
        }
    }
    if procedure.is_done() {
        let what = format!("each of the journal's {number} events was due when it came, and none is missing");
        return Point::new(Kind::Truth, what, Vec::new());
    }
    let due: Vec<String> = procedure.due().map(ToString::to_string).collect();
    let what =
        format!("the journal's {number} events were due; it ends where this was due: {}", due.join(", or "));
    Point::open(Kind::Truth, what)
}
