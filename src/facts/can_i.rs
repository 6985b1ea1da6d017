//! Parses the output of `kubectl auth can-i VERB RESOURCE`.
//!
//! Only a printed `yes` or `no` is an answer, since an error has the same exit code as a no.

/// Returns the answer on standard output; `None` if there is none.
///
/// No answer differs from a no, although both exit with 1: an unreachable server and a usage error print
/// neither word. An authorizer may add its reason to a no: `no - requires container.pods.list`
/// (`RunAccessCheck` in kubectl's `pkg/cmd/auth/cani.go`). A yes never has a suffix.
pub fn answer(stdout: &[u8]) -> Option<bool> {
    let text = String::from_utf8_lossy(stdout);
    match text.lines().map(str::trim).find(|line| !line.is_empty())? {
        "yes" => Some(true),
        "no" => Some(false),
        line if line.starts_with("no - ") => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::hostile;
    use super::*;

    #[test]
    fn only_yes_and_no_are_answers() {
        for (stdout, expected) in [
            ("yes\n", Some(true)),
            ("no\n", Some(false)),
            ("\n no \n", Some(false)),
            ("no - Azure does not have opinion for this user.\n", Some(false)),
            ("", None),
            ("\n\n", None),
            ("YES\n", None),
            ("yes, perhaps\n", None),
            ("no such host\n", None),
            ("yesterday\nyes\n", None),
        ] {
            assert_eq!(answer(stdout.as_bytes()), expected, "{stdout:?}");
        }
    }

    #[test]
    fn no_bytes_panic() {
        hostile::survives("no - reason\n", |bytes| {
            let _ = answer(bytes);
        });
    }
}
