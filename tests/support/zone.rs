//! Time zones in which it is as late as a test wants it.

use std::sync::OnceLock;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// A time zone in which it is midnight so long from now, as POSIX writes it.
pub(crate) fn zone_where_midnight_is_in(left: SignedDuration) -> String {
    const DAY: i64 = 24 * 60 * 60;
    let wanted = DAY - left.as_secs();
    let ahead = (wanted - Timestamp::now().as_second()).rem_euclid(DAY);
    // Of the two places on earth where it is that late, the one that is nearer to Greenwich.
    let ahead = if ahead > DAY / 2 { ahead - DAY } else { ahead };
    let (sign, offset) = (if ahead > 0 { "-" } else { "" }, ahead.abs());
    format!("<THERE>{sign}{}:{:02}:{:02}", offset / 3600, offset / 60 % 60, offset % 60)
}

/// Where no test sees the date change: it was noon there when they began.
pub(crate) fn noon() -> &'static str {
    static NOON: OnceLock<String> = OnceLock::new();
    NOON.get_or_init(|| zone_where_midnight_is_in(SignedDuration::from_hours(12)))
}

/// The date in a zone, as the folders of evidence have it.
pub(crate) fn today(zone: &str) -> String {
    let zone = TimeZone::posix(zone).unwrap();
    Timestamp::now().to_zoned_datetime(zone).strftime("%Y%m%d").to_string()
}
