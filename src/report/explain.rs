//! The runbook's own words for an id, and ours where the runbook has none.

use super::console;
use super::escape::clipped;
use crate::events::Effect;
use crate::runbook::{
    CHECKS, DEPLOYMENTS, EXIT_CODES, Keep, Permission, STEPS, Step, TROUBLESHOOTING, check_step, document,
    guard_step, render_step, step_for,
};
use crate::verdict::{CRITERIA, GUARDS, STOP_RULES};

/// How far an id may be from another to be meant: one wrong letter in three.
const NEAR: usize = 3;

/// How wide the list of ids is.
const LIST_WIDTH: usize = 96;

/// One id and what is said of it.
struct Explained {
    table: &'static str,
    id: String,
    /// What it is, in a line or two of ours.
    ours: String,
    /// The runbook's own words; `None`: it is no part of the runbook.
    quote: Option<String>,
}

/// Prints what stands behind an id: of a step, command, stop rule, criterion, check, guard, permission, entry of
/// the troubleshooting or exit code; without one, every id there is. Returns the exit status: 2 when there is no
/// such id.
pub fn explain(id: Option<&str>) -> u8 {
    match explanation(id) {
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

/// The text of [`explain`], or which ids come near the one that is not there.
fn explanation(id: Option<&str>) -> Result<String, String> {
    let entries = entries();
    let Some(wanted) = id else { return Ok(listing(&entries)) };
    let found: Vec<String> = entries.iter().filter(|entry| entry.id == wanted).map(told).collect();
    if found.is_empty() { Err(no_such(wanted, &entries)) } else { Ok(found.join("\n")) }
}

fn told(entry: &Explained) -> String {
    let mut text = format!("{} · {}\n\n{}\n", entry.id, entry.table, indented(&entry.ours));
    if let Some(quote) = &entry.quote {
        text.push_str(&format!("\nThe runbook ({}):\n\n{}\n", document::id(), indented(quote)));
    }
    text
}

fn indented(text: &str) -> String {
    let lines = text.lines().map(|line| if line.is_empty() { String::new() } else { format!("  {line}") });
    lines.collect::<Vec<_>>().join("\n")
}

fn listing(entries: &[Explained]) -> String {
    let mut text =
        "staging-dry-run explain ID tells what stands behind an id of the screen or the evidence.\n"
            .to_owned();
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
    let hint = if near.is_empty() { String::new() } else { format!(" Near it: {}.", near.join(", ")) };
    format!("There is no id \"{}\".{hint} All of them: staging-dry-run explain", clipped(wanted, 80))
}

/// How many letters have to be changed, put in or left out (Levenshtein).
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

/// Every id of every table.
fn entries() -> Vec<Explained> {
    let mut all = runbook_steps();
    all.extend(STEPS.iter().map(command));
    for deployment in DEPLOYMENTS {
        all.push(command(&render_step(deployment)));
        all.push(command(&guard_step(deployment)));
    }
    all.extend(CHECKS.iter().map(check));
    all.extend(STOP_RULES.iter().map(stop_rule));
    all.extend(CRITERIA.iter().map(|criterion| Explained {
        table: "success criterion",
        id: criterion.id.to_owned(),
        ours: "A line of Success Criteria. Not met, it makes a pass a shortfall.".to_owned(),
        quote: document::line_with(criterion.text).map(str::to_owned),
    }));
    all.extend(GUARDS.iter().map(|guard| Explained {
        table: "guard",
        id: guard.id.to_owned(),
        ours: format!(
            "Before anything is changed it must hold that {}.\nElse the run is refused with exit 2.",
            guard.text
        ),
        quote: None,
    }));
    all.extend(Permission::required().iter().map(permission));
    all.extend(TROUBLESHOOTING.iter().map(|trouble| Explained {
        table: "troubleshooting entry",
        id: trouble.id.to_owned(),
        ours: format!("Shown when stop rule {} fired.", numbers(trouble.stop_rules)),
        quote: document::section(trouble.heading).map(str::to_owned),
    }));
    all.extend(EXIT_CODES.iter().map(|exit| Explained {
        table: "exit code",
        id: exit.id.to_owned(),
        ours: format!("{}.", exit.meaning),
        quote: None,
    }));
    all
}

/// The five steps, by their headings.
fn runbook_steps() -> Vec<Explained> {
    let headings = document::TEXT.lines().filter_map(|line| Some((line, line.strip_prefix("### ")?)));
    headings
        .filter_map(|(line, title)| {
            let number = title.split_once(". ")?.0.parse::<u8>().ok()?;
            Some(Explained {
                table: "step of the runbook",
                id: format!("step-{number}"),
                ours: format!("Step {}", title.replacen(". ", ": ", 1)),
                quote: document::section(line).map(str::to_owned),
            })
        })
        .collect()
}

fn command(step: &Step) -> Explained {
    let effect = match step.effect {
        Effect::Reads => "It only reads.",
        Effect::Asks => "It asks for a server-side dry run, which stores nothing.",
        Effect::Changes => "It changes the cluster.",
    };
    let why = match step.heading {
        Some(_) => "A command of the runbook.".to_owned(),
        None => format!("Ours, beside the runbook's: {}.", step.why),
    };
    Explained {
        table: "command",
        id: step.id.to_string(),
        ours: format!("{why}\n{effect} {}\n\n{}", kept(step), step.text),
        quote: step.heading.and_then(document::section).map(str::to_owned),
    }
}

fn kept(step: &Step) -> String {
    match step.keep {
        Keep::Own => format!("Its output is kept in {}/out/{}.out.", step.phase.folder(), step.id),
        Keep::DeployLog => "Its output is kept in deploy/stdout.log.".to_owned(),
        Keep::File(file) => format!("Its output is kept in {file}."),
        Keep::Response => "Its output is kept in smoke/responses/.".to_owned(),
        Keep::Nowhere => "Its output is not kept.".to_owned(),
    }
}

fn check(check: &crate::runbook::Check) -> Explained {
    let start = format!("| {} | ", check.number);
    let table = document::TEXT.lines().skip_while(|line| !line.starts_with("| # |"));
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
    let text = check_step(check, true).text;
    Explained {
        table: "smoke check",
        id: check.id(),
        ours: format!("{with_key}\nIts answer is kept in smoke/responses/{}.\n\n{text}", check.file_name()),
        // Two lines of a table's head, and the check's own.
        quote: (rows.len() == 3).then(|| rows.join("\n")),
    }
}

fn stop_rule(rule: &crate::verdict::StopRule) -> Explained {
    let action =
        document::section("## Stop Rules").and_then(|section| section.split_once("**Action on STOP**"));
    let line = document::line_with(rule.text);
    Explained {
        table: "stop rule",
        id: rule.id.to_owned(),
        ours: how(rule.number).to_owned(),
        quote: line.zip(action).map(|(line, (_, action))| {
            format!("Immediately STOP if:\n{}. {line}\n\nAction on STOP{}", rule.number, action.trim_end())
        }),
    }
}

/// How a stop rule is decided.
fn how(rule: u8) -> &'static str {
    match rule {
        1 => {
            "Fires when `kubectl rollout status` exits other than 0, or an apply does. A status that this program\n\
             caused itself is never judged."
        }
        2 => {
            "Fires when STATUS of `kubectl get pods` is CrashLoopBackOff, Error or one of these with Init: before it.\n\
             One look at the pod confirms it. Pods being deleted don't count; pods that were failing before the\n\
             deploy count once the rollouts have ended."
        }
        3 => {
            "Fires when /health or /readyz, asked once a second from the beginning of step 5, has not answered 200\n\
             when two minutes (--health-timeout) are over."
        }
        4 => "Fires when all ten checks were asked and fewer than eight passed.",
        _ => "",
    }
}

fn permission(permission: &Permission) -> Explained {
    Explained {
        table: "permission",
        id: permission.id.clone(),
        ours: format!(
            "Asked for before anything is changed; needed for {}.\n\n{}",
            permission.needed_for,
            step_for(permission).text
        ),
        quote: document::section("### Required Permissions").map(str::to_owned),
    }
}

fn numbers(rules: &[u8]) -> String {
    rules.iter().map(u8::to_string).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Every id of every table, counted here once more so that a table that is forgotten above is missed.
    fn ids() -> Vec<String> {
        let mut ids: Vec<String> = STEPS.iter().map(|step| step.id.to_string()).collect();
        ids.extend(
            DEPLOYMENTS.iter().flat_map(|d| [format!("guard.{}", d.key), format!("render.{}", d.key)]),
        );
        ids.extend(CHECKS.iter().map(crate::runbook::Check::id));
        ids.extend(CRITERIA.iter().map(|row| row.id.to_owned()));
        ids.extend(STOP_RULES.iter().map(|row| row.id.to_owned()));
        ids.extend(GUARDS.iter().map(|row| row.id.to_owned()));
        ids.extend(TROUBLESHOOTING.iter().map(|row| row.id.to_owned()));
        ids.extend(EXIT_CODES.iter().map(|row| row.id.to_owned()));
        ids.extend(Permission::required().into_iter().map(|row| row.id));
        ids.extend((1..=5).map(|step| format!("step-{step}")));
        ids
    }

    #[test]
    fn every_row_of_every_table_is_explained() {
        for id in ids() {
            let text = explanation(Some(&id)).unwrap();
            assert!(text.starts_with(&format!("{id} · ")), "{text}");
        }
        assert_eq!(entries().len(), ids().len());
    }

    #[test]
    fn what_is_the_runbooks_is_quoted_and_what_is_ours_says_why() {
        for entry in entries() {
            let ours = match entry.table {
                "guard" | "exit code" => true,
                "command" => entry.ours.starts_with("Ours, beside the runbook's: "),
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
        let list = explanation(None).unwrap();
        let words: BTreeSet<&str> = list.split_whitespace().collect();
        for id in ids() {
            assert!(words.contains(id.as_str()), "{id}: {list}");
        }
        assert!(list.lines().all(|line| line.len() < 110), "{list}");
    }

    #[test]
    fn an_unknown_id_names_its_neighbours() {
        let told = explanation(Some("rolout.api")).unwrap_err();
        assert_eq!(
            told,
            "There is no id \"rolout.api\". Near it: rollout.api. All of them: staging-dry-run explain"
        );
        assert!(explanation(Some("stop")).unwrap_err().contains("stop-1, stop-2, stop-3, stop-4"));
        assert!(explanation(Some("\x1b[2J")).unwrap_err().starts_with("There is no id \"␛[2J\". All"));
        assert!(explanation(Some("")).unwrap_err().starts_with("There is no id \"\". All"));
    }

    #[test]
    fn a_stop_rule_reads_well() {
        assert_eq!(
            explanation(Some("stop-4")).unwrap(),
            "\
stop-4 · stop rule

  Fires when all ten checks were asked and fewer than eight passed.

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
