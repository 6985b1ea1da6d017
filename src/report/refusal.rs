//! Prints why a run was refused or failed.

use super::console;
use super::escape::printable_lines;
use super::layout::{BAD, BOLD, styled};

/// Prints why a run was refused before it began; the text is complete and contains the next step.
pub fn refuse(text: &str) {
    console::eprint(&refusal(text));
}

/// Prints a failure of this program itself, which implies nothing about the cluster.
pub fn fail(error: &str) {
    console::eprint(&failure(error));
}

/// Prints a short help for a call without a subcommand: the required inputs, each with an example.
pub fn short_help(required: &[(&str, &str)]) {
    console::eprint(&help(required));
}

fn refusal(text: &str) -> String {
    let text = printable_lines(text);
    match text.strip_prefix("Refused") {
        Some(rest) => format!("{}{rest}\n", styled(BAD, "Refused")),
        None => format!("{text}\n"),
    }
}

fn failure(error: &str) -> String {
    let (failed, error) = (styled(BAD, "Failed"), printable_lines(error));
    format!(
        "{failed}: {error}\nThis is a failure of the program itself; it says nothing about staging (exit 4).\n"
    )
}

fn help(required: &[(&str, &str)]) -> String {
    let name = styled(BOLD, "staging-dry-run");
    let inputs: Vec<String> =
        required.iter().map(|(name, example)| format!("  export {name}={}\n", quoted(example))).collect();
    format!(
        "\
{name} carries out the Staging Dry Run Runbook. It deploys, so name a subcommand.

  staging-dry-run run          carry out the whole runbook
  staging-dry-run preflight    check inputs, tools, access, permissions and guards; change nothing
  staging-dry-run smoke        run only the ten smoke checks
  staging-dry-run plan         list every command of a run; run none of them
  staging-dry-run verify DIR   verify evidence offline: nothing was altered, and the verdict follows
  staging-dry-run replay DIR   re-run a recorded run's read-only commands and compare their output
  staging-dry-run explain ID   print the runbook's text for a step, stop rule, criterion or check

It needs these inputs, for example:
{}
More: staging-dry-run --help
",
        inputs.concat()
    )
}

/// Quotes an example, because the runbook writes its examples in double quotes.
fn quoted(example: &str) -> String {
    if example.starts_with('"') { example.to_owned() } else { format!("\"{example}\"") }
}

#[cfg(test)]
mod tests {
    use super::super::layout::plain;
    use super::*;

    #[test]
    fn a_refusal_cannot_steer_the_terminal() {
        assert_eq!(plain(&refusal("Refused: no\n\n  X is \"\x1b[2J\"")), "Refused: no\n\n  X is \"␛[2J\"\n");
    }

    #[test]
    fn a_failure_is_told_apart_from_a_verdict() {
        assert_eq!(
            plain(&failure("evidence could not be written or read: disk full\x07")),
            "Failed: evidence could not be written or read: disk full␇\n\
             This is a failure of the program itself; it says nothing about staging (exit 4).\n"
        );
    }

    #[test]
    fn help_names_the_inputs() {
        let help = help(&[("STAGING_CONTEXT", "staging-cluster"), ("STAGING_NAMESPACE", "\"dpp-staging\"")]);
        let lines =
            "  export STAGING_CONTEXT=\"staging-cluster\"\n  export STAGING_NAMESPACE=\"dpp-staging\"\n";
        assert!(help.contains(lines), "{help}");
    }
}
