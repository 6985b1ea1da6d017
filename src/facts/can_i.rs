//! Parses the output of `kubectl auth can-i VERB RESOURCE`.
//!
//! Only a printed `yes` or `no` is an answer, since an error has the same exit code as a no.

use super::LAST_OF_ITS_OWN;

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

/// Returns how the exit code of a question that ended by itself contradicts its answer; `None` if it does not.
///
/// kubectl exits 0 with a yes and 1 with a no. One that was killed may have answered before.
pub fn contradiction(exit: i32, stdout: &[u8]) -> Option<String> {
    let Some(granted) = answer(stdout) else {
        return (exit == 0).then(|| "it exited 0, and printed neither yes nor no".to_owned());
    };
    let (word, of_word) = if granted { ("yes", 0) } else { ("no", 1) };
    (exit != of_word && exit <= LAST_OF_ITS_OWN).then(|| format!("it exited {exit}, and printed {word}"))
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

    #[test]
    fn an_exit_code_that_contradicts_the_answer_is_found() {
        for (exit, stdout, expected) in [
            (0, "yes\n", None),
            (1, "no\n", None),
            (1, "no - no opinion\n", None),
            (1, "", None),
            (137, "yes\n", None),
            (0, "", Some("it exited 0, and printed neither yes nor no")),
            (1, "yes\n", Some("it exited 1, and printed yes")),
            (0, "no\n", Some("it exited 0, and printed no")),
        ] {
            assert_eq!(contradiction(exit, stdout.as_bytes()).as_deref(), expected, "{exit} {stdout}");
        }
    }
}
