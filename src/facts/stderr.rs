//! Parses kubectl's standard error into warnings and errors.

/// Returns the text after each `Warning: `, in order: the server's warnings (deprecations, Pod Security) and
/// kubectl's own.
pub fn warnings(stderr: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(stderr);
    text.lines().filter_map(|line| line.strip_prefix(WARNING)).map(|line| line.trim().to_owned()).collect()
}

/// Returns the error lines: all lines except blank ones, warnings and klog's.
///
/// klog repeats the errors for developers, with a date and a process id.
pub fn errors(stderr: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(stderr);
    text.lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty() && !line.starts_with(WARNING) && !is_klog(line))
        .map(str::to_owned)
        .collect()
}

const WARNING: &str = "Warning: ";

/// Returns whether a line has klog's header (`k8s.io/klog/v2`).
///
/// The header is a letter for the severity with month and day, the time, a process id, and the place in the
/// source: `E1123 16:04:04.824840   31129 memcache.go:265] …`.
fn is_klog(line: &str) -> bool {
    let Some((header, _)) = line.split_once(']') else { return false };
    let mut words = header.split_whitespace();
    let mut next = || words.next().unwrap_or_default();
    let (date, time, pid, place) = (next(), next(), next(), next());

    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let severity_and_date = date.strip_prefix(['I', 'W', 'E', 'F']);
    severity_and_date.is_some_and(|date| date.len() == 4 && digits(date))
        && time.split([':', '.']).all(digits)
        && digits(pid)
        && place.rsplit_once(':').is_some_and(|(_, line)| digits(line))
}

#[cfg(test)]
mod tests {
    use super::super::hostile;
    use super::*;

    const MIXED: &str = r#"Warning: would violate PodSecurity "restricted:latest": allowPrivilegeEscalation != false
W1124 12:12:40.832353    6655 loader.go:222] Config not found: /etc/kube/config
E1123 16:04:04.824840   31129 memcache.go:265] couldn't get current server API group list: EOF
E1124 12:12:41.133339    6660 memcache.go:265] "Unhandled Error" err="couldn't get current server API group list"

Warning: the server doesn't have a resource type 'pods'
The connection to the server localhost:8080 was refused - did you specify the right host or port?
Error from server (Forbidden): pods is forbidden
"#;

    #[test]
    fn warnings_are_told_without_their_prefix() {
        let expected = [
            r#"would violate PodSecurity "restricted:latest": allowPrivilegeEscalation != false"#,
            "the server doesn't have a resource type 'pods'",
        ];
        assert_eq!(warnings(MIXED.as_bytes()), expected);
    }

    #[test]
    fn errors_are_what_is_left_without_klog() {
        let expected = [
            "The connection to the server localhost:8080 was refused - did you specify the right host or port?",
            "Error from server (Forbidden): pods is forbidden",
        ];
        assert_eq!(errors(MIXED.as_bytes()), expected);
    }

    #[test]
    fn an_error_that_only_looks_like_klog_stays() {
        for line in
            ["E1123 is not a time: a.go:1] x", "Error: [E1123 16:04:04.8 1 a.go:2] x", "E1123", "I] x"]
        {
            assert_eq!(errors(line.as_bytes()), [line]);
        }
    }

    #[test]
    fn no_bytes_panic() {
        hostile::survives(MIXED, |bytes| drop((warnings(bytes), errors(bytes))));
    }
}
