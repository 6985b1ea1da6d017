//! Evaluates the bodies of `/health` and `/readyz`, as the runbook's jq commands do on the same bytes.

use serde_json::Value;

/// Returns whether a response, with its headers, reports `healthy` and this version; `None` if the body is
/// not JSON.
///
/// JSON is parsed by RFC 8259. jq accepts more, such as `NaN`.
pub fn is_healthy(answer: &[u8], version: &str) -> Option<bool> {
    let body = json(answer)?;
    Some(body["status"] == "healthy" && body["version"] == version)
}

/// Returns whether a response reports `ready` and at least one service, each of them `up`; `None` if the body
/// is not JSON.
pub fn is_ready(answer: &[u8]) -> Option<bool> {
    let body = json(answer)?;
    let is_up = |service: &Value| *service == "up" || service.is_object() && service["status"] == "up";
    let services: Vec<&Value> = match &body["services"] {
        Value::Object(services) => services.values().collect(),
        Value::Array(services) => services.iter().collect(),
        _ => Vec::new(),
    };
    Some(body["status"] == "ready" && !services.is_empty() && services.into_iter().all(is_up))
}

/// Parses the text after the first blank line.
fn json(answer: &[u8]) -> Option<Value> {
    let text = String::from_utf8_lossy(answer);
    let (_, body) = text.split_once("\r\n\r\n")?;
    // jq skips one byte order mark, and no more.
    serde_json::from_str(body.strip_prefix('\u{feff}').unwrap_or(body)).ok()
}

#[cfg(test)]
mod tests {
    use super::super::hostile;
    use super::*;

    #[test]
    fn one_byte_order_mark_is_passed_over() {
        let marked = |marks: &str| {
            format!("HTTP/1.1 200 OK\r\n\r\n{marks}{{\"status\":\"ready\",\"services\":{{\"db\":\"up\"}}}}")
        };
        assert_eq!(is_ready(marked("\u{feff}").as_bytes()), Some(true));
        assert_eq!(is_ready(marked("\u{feff}\u{feff}").as_bytes()), None);
    }

    #[test]
    fn no_bytes_panic() {
        let answer = "HTTP/1.1 200 OK\r\n\r\n{\"status\":\"ready\",\"services\":{\"db\":\"up\"}}";
        hostile::survives(answer, |bytes| _ = (is_healthy(bytes, "1"), is_ready(bytes)));
    }
}
