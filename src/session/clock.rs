//! The clock of a run: monotonic, so that the times in the journal are in order.

use std::time::Instant;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ZonedDateTime};

use crate::moment::Moment;

/// The smallest difference between the clocks that is recorded; time synchronization corrects the system
/// clock by fractions of a second all the time.
const WORTH_A_WORD: SignedDuration = SignedDuration::from_secs(1);

/// The clock of a run.
///
/// It starts at the system clock's time and then runs monotonically. The times of a run are in order and its
/// durations are true, even if the system clock is set meanwhile.
pub struct Clock {
    began: Timestamp,
    since: Instant,
}

impl Clock {
    /// Returns a clock that starts now.
    pub fn start() -> Self {
        Self { began: Timestamp::now(), since: Instant::now() }
    }

    /// Returns the current time.
    pub fn now(&self) -> Moment {
        Moment(self.began.saturating_add(self.since.elapsed()).unwrap_or(self.began))
    }

    /// Returns the start time in the system's time zone.
    pub fn began(&self) -> ZonedDateTime {
        self.began.to_zoned_datetime(TimeZone::system())
    }

    /// Returns by how many milliseconds the system clock was moved since the start; `None` if it was at most
    /// one second.
    pub fn was_moved_by(&self) -> Option<i64> {
        let moved = Timestamp::now().duration_since(self.now().0);
        (moved.abs() > WORTH_A_WORD).then(|| i64::try_from(moved.as_millis()).unwrap_or(i64::MAX))
    }
}
