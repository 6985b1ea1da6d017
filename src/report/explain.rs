//! Prints the runbook's text for an id, or this program's own text if the runbook has none.

use super::console;
use super::escape::clipped;
use crate::events::Effect;
use crate::runbook::{Check, EXIT_CODES, Keep, Permission, Runbook, Step, StepId, TROUBLESHOOTING};
use crate::verdict::{GUARDS, STOP_RULES, StopRule, criteria};

/// The largest edit distance of a suggested id; for a short word the limit is half of its letters.
const NEAR: usize = 3;

/// The width of the list of ids, in columns.
const LIST_WIDTH: usize = 96;

/// An id and its explanation.
struct Explained {
    table: &'static str,
    id: String,
    /// This program's own description, one or two lines.
    ours: String,
    /// The runbook's words; `None` if it is not part of the runbook.
    quote: Option<String>,
}

/// Prints the explanation of an id, or all ids if there is none, and returns the exit code.
///
/// An id names a step, command, stop rule, criterion, check, guard, permission, troubleshooting entry or exit
/// code. The exit code is 2 if the id does not exist.
pub fn explain(runbook: &Runbook, id: Option<&str>) -> u8 {
    match explanation(runbook, id) {
        Ok(text) => {
            console::print(&text);
            0
        }
        Err(text) => {
            console::eprint(&text);
            2
        }
    }
}

/// Returns the text of [`explain`]; the error names similar ids.
fn explanation(runbook: &Runbook, id: Option<&str>) -> Result<String, String> {
    let entries = entries(runbook);
    let Some(wanted) = id else { return Ok(listing(&entries)) };
    let found: Vec<String> =
        entries.iter().filter(|entry| entry.id == wanted).map(|entry| told(runbook, entry)).collect();
    if found.is_empty() { Err(no_such(wanted, &entries)) } else { Ok(found.join("\n")) }
}

fn told(runbook: &Runbook, entry: &Explained) -> String {
    let mut text = format!("{} · {}\n\n{}\n", entry.id, entry.table, indented(&entry.ours));
    if let Some(quote) = &entry.quote {
        text.push_str(&format!("\nThe runbook ({}):\n\n{}\n", runbook.document.id(), indented(quote)));
    }
    text
}

fn indented(text: &str) -> String {
    let lines = text.lines().map(|line| if line.is_empty() { String::new() } else { format!("  {line}") });
    lines.collect::<Vec<_>>().join("\n")
}

fn listing(entries: &[Explained]) -> String {
    let mut text = "staging-dry-run explain ID explains an id from the screen or the evidence.\n".to_owned();
    for rows in entries.chunk_by(|one, next| one.table == next.table) {
        let plural = match rows[0].table {
            "step of the runbook" => "steps of the runbook".to_owned(),
            "success criterion" => "success criteria".to_owned(),
            "troubleshooting entry" => "troubleshooting entries".to_owned(),
            table => format!("{table}s"),
        };
        text.push_str(&format!("\n{plural}\n"));
        let mut line = String::new();
        for entry in rows {
            if line.len() + entry.id.len() > LIST_WIDTH {
                text.push_str(&format!(" {line}\n"));
                line.clear();
            }
            line.push_str(&format!(" {}", entry.id));
        }
        text.push_str(&format!(" {line}\n"));
    }
    text
}

fn no_such(wanted: &str, entries: &[Explained]) -> String {
    let lower = wanted.to_lowercase();
    let mut near: Vec<(usize, &str)> = entries
        .iter()
        .filter_map(|entry| {
            let within = lower.len() > 1 && entry.id.contains(&lower);
            let distance = if within { 0 } else { distance(&lower, &entry.id) };
            (distance <= NEAR.min(lower.len() / 2)).then_some((distance, entry.id.as_str()))
        })
        .collect();
    near.sort_unstable();
    near.dedup();
    let near: Vec<&str> = near.into_iter().take(6).map(|(_, id)| id).collect();
    let hint = if near.is_empty() { String::new() } else { format!(" Similar: {}.", near.join(", ")) };
    format!("Unknown id: \"{}\".{hint} List all ids: staging-dry-run explain", clipped(wanted, 80))
}

/// Returns the number of letters to change, insert or delete (Levenshtein distance).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, a) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = (diagonal + usize::from(a != *b)).min(row[j] + 1).min(above + 1);
            diagonal = above;
        }
    }
    row[b.len()]
}

/// Returns the entries of all tables.
fn entries(runbook: &Runbook) -> Vec<Explained> {
    let mut all = runbook_steps(runbook);
    // Checks and permissions have their own tables.
    let has_table = |step: &&Step| matches!(step.id, StepId::Check(_) | StepId::CanI(_));
    all.extend(runbook.steps.iter().filter(|step| !has_table(step)).map(|step| command(runbook, step)));
    all.extend(runbook.checks.iter().map(|row| check(runbook, row)));
    all.extend(STOP_RULES.iter().map(|rule| stop_rule(runbook, *rule)));
    all.extend(criteria(runbook).map(|(criterion, text)| Explained {
        table: "success criterion",
        id: criterion.id(runbook),
        ours: "A line of Success Criteria. If it is not met, the verdict is a shortfall.".to_owned(),
        quote: Some(text.to_owned()),
    }));
    all.extend(GUARDS.iter().map(|guard| Explained {
        table: "guard",
        id: guard.id.to_owned(),
        ours: format!(
            "Before anything is changed, this must be true: {}.\nOtherwise the run is refused with exit code 2.",
            guard.text
        ),
        quote: None,
    }));
    all.extend(runbook.permissions.iter().map(|row| permission(runbook, row)));
    all.extend(TROUBLESHOOTING.iter().map(|trouble| Explained {
        table: "troubleshooting entry",
        id: trouble.id.to_owned(),
        ours: format!("Shown when stop rule {} fired.", numbers(trouble.stop_rules)),
        quote: runbook.document.section(trouble.heading).map(str::to_owned),
    }));
    all.extend(EXIT_CODES.iter().map(|exit| Explained {
        table: "exit code",
        id: exit.id.to_owned(),
        ours: format!("{}.", exit.meaning),
        quote: None,
    }));
    all
}

/// Returns the five steps, by their headings in the runbook.
fn runbook_steps(runbook: &Runbook) -> Vec<Explained> {
    let document = &runbook.document;
    let headings = document.text().lines().filter_map(|line| Some((line, line.strip_prefix("### ")?)));
    headings
        .filter_map(|(line, title)| {
            let number = title.split_once(". ")?.0.parse::<u8>().ok()?;
            Some(Explained {
                table: "step of the runbook",
                id: format!("step-{number}"),
                ours: format!("Step {}", title.replacen(". ", ": ", 1)),
                quote: document.section(line).map(str::to_owned),
            })
        })
        .collect()
}

fn command(runbook: &Runbook, step: &Step) -> Explained {
    let effect = match step.effect {
        Effect::Reads => "It only reads.",
        Effect::DryRun => "It asks for a server-side dry run, which stores nothing.",
        Effect::Changes => "It changes the cluster.",
    };
    let why = match &step.heading {
        Some(_) => "A command of the runbook.".to_owned(),
        None => format!("Added by this program: {}.", step.why),
    };
    Explained {
        table: "command",
        id: step.id.to_string(),
        ours: format!("{why}\n{effect} {}\n\n{}", kept(step), step.line),
        quote: step.heading.as_ref().and_then(|heading| runbook.document.section(heading)).map(str::to_owned),
    }
}

fn kept(step: &Step) -> String {
    match &step.keep {
        Keep::Own => format!("Its output is stored in {}/out/{}.out.", step.phase.folder(), step.id),
        Keep::DeployLog => "Its output is stored in deploy/stdout.log.".to_owned(),
        Keep::File(file) => format!("Its output is stored in {file}."),
        Keep::Nowhere => "Its output is not stored.".to_owned(),
    }
}

fn check(runbook: &Runbook, check: &Check) -> Explained {
    let start = format!("| {} | ", check.number.get());
    let table = runbook.document.text().lines().skip_while(|line| !line.starts_with("| # |"));
    let rows: Vec<&str> = table
        .enumerate()
        .filter(|(at, line)| *at < 2 || line.starts_with(&start))
        .map(|(_, line)| line)
        .collect();
    let passes = check.accepts.join(" or ");
    let with_key = if check.takes_key() {
        format!("Without an API key {passes} passes, with one {}.", check.accepts_with_key.join(" or "))
    } else {
        format!("{passes} passes. The API key is not sent to it.")
    };
    let text = runbook.step(&check.id()).map(|step| step.line(true).to_string()).unwrap_or_default();
    Explained {
        table: "smoke check",
        id: check.id().to_string(),
        ours: format!("{with_key}\nIts answer is stored in smoke/responses/{}.\n\n{text}", check.file_name()),
        // The two lines of the table's head, and the row of the check.
        quote: (rows.len() == 3).then(|| rows.join("\n")),
    }
}

fn stop_rule(runbook: &Runbook, rule: StopRule) -> Explained {
    let section = runbook.document.section("## Stop Rules");
    let action = section.and_then(|section| section.split_once("**Action on STOP**"));
    let line = rule.text(runbook);
    Explained {
        table: "stop rule",
        id: rule.id.to_owned(),
        ours: how(rule.number).to_owned(),
        quote: action.map(|(_, action)| {
            format!("Immediately STOP if:\n{}. {line}\n\nAction on STOP{}", rule.number, action.trim_end())
        }),
    }
}

/// Returns how a stop rule is evaluated.
fn how(rule: u8) -> &'static str {
    match rule {
        1 => {
            "Fires when `kubectl rollout status` exits other than 0, or an apply does. A status that this program\n\
             caused itself is never judged."
        }
        2 => {
            "Fires when STATUS of `kubectl get pods` is CrashLoopBackOff, Error, one of these with Init: before it, or a\n\
             word of `--stop-on`. One read of the pod confirms it. Pods being deleted don't count; pods that were\n\
             failing before the deploy count once the rollouts have ended."
        }
        3 => {
            "Fires when /health or /readyz, requested once a second from the beginning of step 5, has not answered 200\n\
             when two minutes (--health-timeout) are over."
        }
        4 => "Fires when all ten checks were requested and fewer than eight passed.",
        _ => "",
    }
}

fn permission(runbook: &Runbook, permission: &Permission) -> Explained {
    let id = StepId::CanI(permission.id.clone());
    let text = runbook.step(&id).map(|step| step.line.to_string()).unwrap_or_default();
    Explained {
        table: "permission",
        id: id.to_string(),
        ours: format!("Checked before anything is changed; needed for {}.\n\n{text}", permission.needed_for),
        quote: runbook.document.section("### Required Permissions").map(str::to_owned),
    }
}

fn numbers(rules: &[u8]) -> String {
    rules.iter().map(u8::to_string).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn runbook() -> Runbook {
        Runbook::built_in().unwrap()
    }

    /// Returns the ids of all tables, listed independently so that a table missing above is noticed.
    fn ids() -> Vec<String> {
        let runbook = runbook();
        let mut ids: Vec<String> = runbook.steps.iter().map(|step| step.id.to_string()).collect();
        ids.extend(criteria(&runbook).map(|(row, _)| row.id(&runbook)));
        ids.extend(STOP_RULES.iter().map(|row| row.id.to_owned()));
        ids.extend(GUARDS.iter().map(|row| row.id.to_owned()));
        ids.extend(TROUBLESHOOTING.iter().map(|row| row.id.to_owned()));
        ids.extend(EXIT_CODES.iter().map(|row| row.id.to_owned()));
        ids.extend((1..=5).map(|step| format!("step-{step}")));
        ids
    }

    #[test]
    fn every_row_of_every_table_is_explained() {
        for id in ids() {
            let text = explanation(&runbook(), Some(&id)).unwrap();
            assert!(text.starts_with(&format!("{id} · ")), "{text}");
        }
        assert_eq!(entries(&runbook()).len(), ids().len());
    }

    #[test]
    fn what_is_the_runbooks_is_quoted_and_what_is_ours_says_why() {
        for entry in entries(&runbook()) {
            let ours = match entry.table {
                "guard" | "exit code" => true,
                "command" => entry.ours.starts_with("Added by this program: "),
                _ => false,
            };
            assert_eq!(entry.quote.is_none(), ours, "{}", entry.id);
            assert!(entry.ours.trim().len() > 10, "{}", entry.id);
        }
    }

    #[test]
    fn no_id_means_two_things() {
        let distinct: BTreeSet<String> = ids().into_iter().collect();
        assert_eq!(distinct.len(), ids().len());
    }

    #[test]
    fn the_list_names_every_id() {
        let list = explanation(&runbook(), None).unwrap();
        let words: BTreeSet<&str> = list.split_whitespace().collect();
        for id in ids() {
            assert!(words.contains(id.as_str()), "{id}: {list}");
        }
        assert!(list.lines().all(|line| line.len() < 110), "{list}");
    }

    #[test]
    fn an_unknown_id_names_its_neighbours() {
        let told = explanation(&runbook(), Some("rolout.api")).unwrap_err();
        assert_eq!(
            told,
            "Unknown id: \"rolout.api\". Similar: rollout.api. List all ids: staging-dry-run explain"
        );
        assert!(
            explanation(&runbook(), Some("stop")).unwrap_err().contains("stop-1, stop-2, stop-3, stop-4")
        );
        assert!(
            explanation(&runbook(), Some("\x1b[2J"))
                .unwrap_err()
                .starts_with("Unknown id: \"␛[2J\". List all")
        );
        assert!(explanation(&runbook(), Some("")).unwrap_err().starts_with("Unknown id: \"\". List all"));
    }

    #[test]
    fn a_stop_rule_reads_well() {
        assert_eq!(
            explanation(&runbook(), Some("stop-4")).unwrap(),
            "\
stop-4 · stop rule

  Fires when all ten checks were requested and fewer than eight passed.

The runbook (DP-STAGING-DRY-RUN-v0.4):

  Immediately STOP if:
  4. Smoke tests: < 8/10 PASS (80% threshold)

  Action on STOP:
  1. Do NOT proceed to further testing
  2. Capture logs: `kubectl logs`, `kubectl describe`, `kubectl get events`
  3. Save to `evidence/staging/YYYYMMDD/dump_logs/`
  4. Exit with non-zero code
"
        );
    }
}
