//! What is said of an event that was not due.

use std::fmt;

use serde_json::Value;

use super::due::{Due, clipped};
use crate::events::Event;

/// The reason of an event that is none of those that were due.
pub(super) const NOT_DUE: &str = "it was not due";

/// An event that was not due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departure {
    /// The number of the event.
    pub seq: u64,
    /// What the event is, as the journal names it.
    pub event: String,
    /// Why it is not accepted.
    pub why: String,
    /// What was due instead.
    pub due: Vec<String>,
}

impl fmt::Display for Departure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let due = if self.due.is_empty() { "nothing".to_owned() } else { self.due.join(", or ") };
        write!(f, "line {}, {}: {}; what was due: {due}", self.seq, self.event, self.why)
    }
}

impl Departure {
    /// Returns what is said of an event; if an event of the same kind was due, the reason names what differs.
    pub(super) fn of<'d>(event: &Event, why: String, due: impl Iterator<Item = &'d Due>) -> Self {
        let due: Vec<&Due> = due.collect();
        let says = serde_json::to_value(&event.kind).unwrap_or_default();
        let differing = due.iter().find_map(|due| match due {
            Due::Event(expected) if why == NOT_DUE => {
                let expected = serde_json::to_value(expected).ok()?;
                (expected.get("event") == says.get("event")).then(|| differences("", &says, &expected))
            }
            _ => None,
        });
        let why = differing.filter(|all| !all.is_empty()).map_or(why, |all| all.join(" and "));
        let kind = says.get("event").and_then(Value::as_str).unwrap_or_default().to_owned();
        Self { seq: event.seq, event: kind, why, due: due.iter().map(ToString::to_string).collect() }
    }
}

/// Returns the fields in which two events differ, each with both values.
fn differences(path: &str, is: &Value, expected: &Value) -> Vec<String> {
    match (is, expected) {
        (Value::Object(is), Value::Object(expected)) => {
            let names = is.keys().chain(expected.keys().filter(|name| !is.contains_key(*name)));
            let field = |name: &String| {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                differences(
                    &path,
                    is.get(name).unwrap_or(&Value::Null),
                    expected.get(name).unwrap_or(&Value::Null),
                )
            };
            names.flat_map(field).collect()
        }
        _ if is == expected => Vec::new(),
        _ => vec![format!("{path} is {}, not {}", clipped(&is.to_string()), clipped(&expected.to_string()))],
    }
}
