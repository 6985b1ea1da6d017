//! `kubectl auth can-i VERB RESOURCE`: whether the server would let us.

/// The answer on standard output; `None` when there is none, which is not the same as a no: an unreachable
/// server or a usage error exits 1 as a no does.
///
/// An authorizer may give its reason behind a no: `no - requires container.pods.list`. (`RunAccessCheck` in
/// kubectl's `pkg/cmd/auth/cani.go`.) A yes always stands alone.
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
