//! Instants as Kubernetes writes them, and ages as it prints them.

use jiff::{SignedDuration, Timestamp};

/// `2026-11-24T12:00:00Z`: whole seconds, UTC.
pub(crate) fn stamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The age of an RFC 3339 instant, `<unknown>` if there is none.
pub(crate) fn age(of: &str) -> String {
    of.parse::<Timestamp>()
        .map_or_else(|_| "<unknown>".to_owned(), |then| human(Timestamp::now().duration_since(then)))
}

/// `duration.HumanDuration` of apimachinery.
pub(crate) fn human(duration: SignedDuration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let two = |big: i64, big_unit: &str, small: i64, small_unit: &str| {
        if small == 0 { format!("{big}{big_unit}") } else { format!("{big}{big_unit}{small}{small_unit}") }
    };
    match seconds {
        ..=-2 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        _ if minutes < 10 => two(minutes, "m", seconds % 60, "s"),
        _ if minutes < 180 => format!("{minutes}m"),
        _ if hours < 8 => two(hours, "h", minutes % 60, "m"),
        _ if hours < 48 => format!("{hours}h"),
        _ if hours < 24 * 8 => two(hours / 24, "d", hours % 24, "h"),
        _ if hours < 24 * 365 * 2 => format!("{}d", hours / 24),
        _ if hours < 24 * 365 * 8 => two(hours / 24 / 365, "y", (hours / 24) % 365, "d"),
        _ => format!("{}y", hours / 24 / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_printed_as_kubernetes_prints_them() {
        let rows = [
            (-5, "<invalid>"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (190, "3m10s"),
            (3600, "60m"),
            (3 * 3600 + 60, "3h1m"),
            (9 * 3600, "9h"),
            (76 * 3600 + 1800, "3d4h"),
            (9 * 86400, "9d"),
            (731 * 86400, "2y1d"),
        ];
        for (seconds, printed) in rows {
            assert_eq!(human(SignedDuration::from_secs(seconds)), printed);
        }
    }
}
