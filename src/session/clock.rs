use std::time::Instant;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ZonedDateTime};

use crate::moment::Moment;

/// How far the system's clock may go from ours before it is worth a word: it is put right by parts of a second all the
/// time.
const WORTH_A_WORD: SignedDuration = SignedDuration::from_secs(1);

/// The run's clock. It begins with the system's and goes on evenly by itself, so that the moments of a run are in order
/// and what lies between them is true, whatever is done to the system's clock meanwhile.
pub struct Clock {
    began: Timestamp,
    since: Instant,
}

impl Clock {
    /// One that begins now.
    pub fn start() -> Self {
        Self { began: Timestamp::now(), since: Instant::now() }
    }

    /// What it shows.
    pub fn now(&self) -> Moment {
        Moment(self.began.saturating_add(self.since.elapsed()).unwrap_or(self.began))
    }

    /// The beginning as the clock on the wall showed it.
    pub fn began(&self) -> ZonedDateTime {
        self.began.to_zoned_datetime(TimeZone::system())
    }

    /// By how many milliseconds the system's clock was moved since, if it is worth a word.
    pub fn was_moved_by(&self) -> Option<i64> {
        let moved = Timestamp::now().duration_since(self.now().0);
        (moved.abs() > WORTH_A_WORD).then(|| i64::try_from(moved.as_millis()).unwrap_or(i64::MAX))
    }
}
