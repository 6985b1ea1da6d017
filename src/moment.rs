//! Moments of a run, in UTC with millisecond precision, and durations.
//!
//! A moment is always printed with three decimal digits, so lines compare as text.

use std::fmt;
use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time, printed as `2026-11-23T16:19:52.085Z`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub Timestamp);

impl Moment {
    /// Returns the moment without its fraction, as `2026-11-23T16:20:00Z`.
    pub fn to_seconds(self) -> String {
        self.0.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// Returns the moment in Korean time, as `2026-11-24 01:20:00 KST`.
    ///
    /// Korea has used UTC+9 without daylight saving time since 1988.
    pub fn to_kst(self) -> String {
        let korea = TimeZone::fixed(Offset::constant(9));
        self.0.to_zoned_datetime(korea).strftime("%Y-%m-%d %H:%M:%S KST").to_string()
    }

    /// Returns the time of day in UTC, as `16:19:52.085`.
    pub fn to_clock(self) -> String {
        self.0.strftime("%H:%M:%S%.3f").to_string()
    }

    /// Returns the milliseconds from an earlier moment to this one; 0 if `earlier` is later.
    pub fn millis_since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.as_millisecond() - earlier.0.as_millisecond()).unwrap_or(0)
    }
}

/// The format of a moment in the name of a run: `20261123T161952Z`.
const COMPACT: &str = "%Y%m%dT%H%M%SZ";

impl Moment {
    /// Returns the moment without its fraction, as in the name of a run: `20261123T161952Z`.
    pub fn to_compact(self) -> String {
        self.0.strftime(COMPACT).to_string()
    }

    /// Parses what [`Self::to_compact`] writes; `None` if the text is something else.
    pub fn of_compact(text: &str) -> Option<Self> {
        let moment = TimeZone::UTC.to_timestamp(DateTime::strptime(COMPACT, text).ok()?).ok()?;
        Some(Self(moment)).filter(|moment| moment.to_compact() == text)
    }

    /// Returns the moment this many milliseconds later, at most the last one that can be written.
    #[must_use]
    pub fn after_millis(self, millis: u64) -> Self {
        let later = SignedDuration::from_millis(i64::try_from(millis).unwrap_or(i64::MAX));
        Self(self.0.saturating_add(later).unwrap_or(self.0))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.0)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

/// Returns a duration in whole milliseconds, the unit of the journal.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Parses a duration as Go and kubectl write it (`90s`, `5m`, `1h30m`); returns `None` for zero and other
/// text.
pub fn go_duration(text: &str) -> Option<Duration> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || b"hms".contains(&byte));
    let parsed = if plain { text.parse::<SignedDuration>().ok() } else { None };
    Duration::try_from(parsed?).ok().filter(|duration| !duration.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_three_digits_and_korean_time() {
        let moment = Moment("2026-11-23T16:20:00.08Z".parse().unwrap());
        assert_eq!(moment.to_string(), "2026-11-23T16:20:00.080Z");
        assert_eq!(moment.to_kst(), "2026-11-24 01:20:00 KST");
        assert_eq!(moment.to_clock(), "16:20:00.080");
        assert_eq!(serde_json::to_string(&moment).unwrap(), "\"2026-11-23T16:20:00.080Z\"");
    }

    #[test]
    fn the_moment_in_a_name_is_read_again_and_nothing_else() {
        let moment = Moment("2026-11-23T16:20:00.08Z".parse().unwrap());
        assert_eq!(moment.to_compact(), "20261123T162000Z");
        assert_eq!(
            Moment::of_compact("20261123T162000Z").map(Moment::to_seconds).unwrap(),
            moment.to_seconds()
        );
        for text in
            ["", "20261123", "20261323T162000Z", "20261123T162000", "2026112T3162000Z", "20261123T162000Z "]
        {
            assert_eq!(Moment::of_compact(text), None, "{text}");
        }
    }

    #[test]
    fn every_moment_is_read_again_as_it_was() {
        for text in ["-009999-01-02T01:59:59.000Z", "0000-01-01T00:00:00.001Z", "9999-12-30T22:00:00.999Z"] {
            let moment: Moment = serde_json::from_value(text.into()).unwrap();
            assert_eq!(moment.to_string(), text);
        }
    }
}
