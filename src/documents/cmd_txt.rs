//! Renders `cmd.txt`: the commands of a phase as they ran, for people to read and for bash to re-run.
//!
//! The script runs only commands that read, unless `MUTATIONS=allowed`, and contains no secret.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::command::quote;
use crate::events::{EndedBy, Outcome};
use crate::run_state::{CommandRecord, RunState};
use crate::runbook::{Phase, StepId};

/// The bash code between the script's header and its commands; each `@…@` is replaced.
pub const PRELUDE: &str = include_str!("cmd_prelude.bash");

/// The text that replaces `@KEY@` if the run sent a key.
const NEEDS_KEY: &str =
    "\n[[ ${STAGING_API_KEY-} ]] || { echo 'The run sent a key: export STAGING_API_KEY.' >&2; exit 2; }";

/// The shortest time limit of a re-run `rollout status`, and the longest one of a command that never ends by
/// itself, in ms.
const SOME_TIME_MS: u64 = 10_000;

/// The argument of `saw` if the run did not see how a command ended.
const UNKNOWN: &str = "unknown";

/// Renders a phase's `cmd.txt`; returns `None` if none of its commands ran.
///
/// `overlay` is the kubeconfig that names the run's context and contains no secret.
pub fn render(run: &RunState, phase: Phase, overlay: &str) -> Option<String> {
    let commands = entries(run, phase);
    let (at, began) = run.began.as_ref()?;
    if commands.is_empty() {
        return None;
    }
    let folder = phase.folder();
    let server = run.context.as_ref().and_then(|context| context.server.as_deref()).unwrap_or("unknown");
    let (program, target) = (&began.program, &began.target);
    let mut text = format!(
        "#!/usr/bin/env bash\n\
         # The commands of this directory ({folder}/), as {} {} ran them: all of them, in their order.\n\
         #   run      {} · {at}\n\
         #   target   context {:?} · namespace {} · server {server}\n",
        one_line(&program.name),
        one_line(&program.version),
        one_line(&began.run_id),
        target.context,
        one_line(&target.namespace),
        server = one_line(server),
    );
    let uid = run.uids.get(&target.namespace).cloned().flatten().unwrap_or_else(|| "unknown".to_owned());
    let key = if commands.iter().any(|command| command.command.intent.reads_key) { NEEDS_KEY } else { "" };
    let (context, namespace, uid) = (quote(&target.context), quote(&target.namespace), quote(&uid));
    text.push_str(&prelude(&[
        ("@KEY@", key),
        ("@FOLDER@", folder),
        ("@OVERLAY@", overlay),
        ("@CONTEXT@", &context),
        ("@NAMESPACE@", &namespace),
        ("@UID@", &uid),
    ]));
    for command in &commands {
        text.push('\n');
        entry(&mut text, command);
    }
    text.push_str(
        "\nprintf '\\n%d same, %d differ, %d left out. What they printed: %s\\n' \"$same\" \"$differ\" \"$left_out\" \"$replay\"\n\
         exit $((differ > 0))\n",
    );
    Some(text)
}

/// Returns the prelude with each marker replaced by its value.
///
/// The template is read once, so a marker inside a value is text like any other and breaks no quotes.
fn prelude(values: &[(&str, &str)]) -> String {
    let (mut text, mut rest) = (String::with_capacity(PRELUDE.len()), PRELUDE);
    let next = |rest: &'static str| {
        let found = values.iter().filter_map(|(marker, value)| Some((rest.find(marker)?, *marker, *value)));
        found.min_by_key(|(at, ..)| *at)
    };
    while let Some((at, marker, value)) = next(rest) {
        text.push_str(&rest[..at]);
        text.push_str(value);
        rest = &rest[at + marker.len()..];
    }
    text.push_str(rest);
    text
}

/// Replaces control characters, since a comment ends at the end of its line.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, "?")
}

/// A command to re-run.
pub struct Rerun<'a> {
    /// Its id; a second command with the same id has the suffix `.2`, and so on.
    pub id: String,
    /// The command with its last outcome.
    pub command: &'a CommandRecord,
    times: u32,
    http: Option<&'a str>,
}

impl Rerun<'_> {
    /// Returns the time limit of the re-run, in ms, if it differs from the original limit.
    ///
    /// It differs for a command that never ended by itself, and for one that would block on a changed
    /// cluster.
    pub fn limit_ms(&self) -> Option<u64> {
        let outcome = self.command.outcome.as_ref()?;
        match self.command.intent.id {
            _ if outcome.ended_by.is_our_doing() => Some(outcome.duration_ms.clamp(1000, SOME_TIME_MS)),
            StepId::WatchPods => Some(SOME_TIME_MS),
            StepId::Rollout(_) => Some(outcome.duration_ms.saturating_mul(2).max(SOME_TIME_MS)),
            _ => None,
        }
    }

    /// Returns the exit codes of the stages, as the re-run under `timeout` has to show them.
    ///
    /// `timeout` exits with 124 for a command that it ended (timeout(1)). If the run ended a command because
    /// it was no longer needed, its own exit code is unknown. The exceptions are commands that always wait.
    fn statuses(&self) -> String {
        let Some(outcome) = &self.command.outcome else { return UNKNOWN.to_owned() };
        match outcome.ended_by {
            EndedBy::StagingDryRun(_) if !self.waits() => UNKNOWN.to_owned(),
            by if by.is_our_doing() => "124".to_owned(),
            _ => outcome.exit.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        }
    }

    /// Returns whether the command always waits for something.
    fn waits(&self) -> bool {
        matches!(self.command.intent.id, StepId::WatchPods | StepId::Rollout(_))
    }
}

/// Returns the commands of a phase in the runbook's order; identical repetitions become one entry.
pub fn entries(run: &RunState, phase: Phase) -> Vec<Rerun<'_>> {
    let mut entries = Vec::<Rerun>::new();
    let mut named = BTreeMap::<&StepId, u32>::new();
    for command in run.in_runbook_order().into_iter().filter(|command| command.intent.phase == phase) {
        let intent = &command.intent;
        if let Some(same) = entries.iter_mut().find(|entry| entry.command.intent.is_same_command(intent)) {
            same.times += 1;
            same.command = command;
            continue;
        }
        let number = named.entry(&intent.id).or_default();
        *number += 1;
        let id = if *number == 1 { intent.id.to_string() } else { format!("{}.{number}", intent.id) };
        entries.push(Rerun { id, command, times: 1, http: http_status(run, &intent.id) });
    }
    entries
}

fn http_status<'a>(run: &'a RunState, id: &StepId) -> Option<&'a str> {
    let check = run.checks.iter().find(|check| StepId::Check(check.number) == *id);
    let health = run.health.iter().find(|health| health.id == *id);
    check
        .map(|check| check.transfer.http_status.as_str())
        .or(health.map(|health| health.http_status.as_str()))
}

fn entry(text: &mut String, entry: &Rerun) {
    let intent = &entry.command.intent;
    let outcome = entry.command.outcome.as_ref();
    let effect = intent.effect.word();
    // Formatting into a String can't fail.
    let _ = writeln!(text, "# {}  ·  {effect}  ·  {}", entry.id, how_it_went(outcome, entry.times));
    // `use-context` locks every file of the kubeconfig list, so it gets only the overlay.
    let alone = if intent.id == StepId::UseContext { " alone" } else { "" };
    let limit =
        entry.limit_ms().map(|ms| format!("timeout {}.{} ", ms / 1000, ms % 1000 / 100)).unwrap_or_default();
    let statuses = entry.statuses();
    let key =
        if intent.reads_key { " < <(printf 'Authorization: Bearer %s\\n' \"$STAGING_API_KEY\")" } else { "" };
    let http = entry
        .http
        .filter(|_| statuses != UNKNOWN)
        .map(|status| format!(" http {status}"))
        .unwrap_or_default();
    let _ = writeln!(text, "if may {effect} {}{alone}; then", entry.id);
    let _ = writeln!(text, "{limit}{}{key}", intent.text);
    let _ = writeln!(text, "fi; saw {statuses}{http}");
}

fn how_it_went(outcome: Option<&Outcome>, times: u32) -> String {
    let Some(outcome) = outcome else { return "its end was not recorded".to_owned() };
    let seconds = format!("{}.{:03} s", outcome.duration_ms / 1000, outcome.duration_ms % 1000);
    let by = match outcome.ended_by {
        EndedBy::Itself => "",
        EndedBy::Deadline => ", then ended at its deadline",
        EndedBy::StagingDryRun(_) => ", then ended by staging-dry-run",
        EndedBy::AskedForTerminal => ", then ended because it asked for the terminal",
        EndedBy::HeldPipes => ", and left a process running",
        EndedBy::OutputNotKept => ", then ended because its output could not be stored",
    };
    let times = if times > 1 { format!(" · ran {times} times, this was the last") } else { String::new() };
    format!("{}  ·  {seconds}{by}{times}", outcome.started.to_clock())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::fixture;

    const MARKERS: [&str; 6] = ["@KEY@", "@FOLDER@", "@OVERLAY@", "@CONTEXT@", "@NAMESPACE@", "@UID@"];

    fn passing() -> RunState {
        fixture::Events::passing().run()
    }

    /// Runs bash with these arguments and this script on standard input.
    fn bash(arguments: &[&str], script: &str) -> std::process::Output {
        let mut bash = Command::new("bash")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        bash.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        bash.wait_with_output().unwrap()
    }

    #[test]
    fn a_value_with_every_marker_in_it_stays_one_word() {
        let hostile = |name: &str| format!("{name}'; touch ran; {} x'); id; (:", MARKERS.join(" "));
        let (context, namespace, uid) = (hostile("context"), hostile("namespace"), hostile("uid"));
        let mut began = fixture::began();
        (began.target.context, began.target.namespace) = (context.clone(), namespace.clone());
        let mut run = passing();
        run.began.as_mut().unwrap().1 = began;
        run.uids.insert(namespace.clone(), Some(uid.clone()));
        let text = render(&run, Phase::Deploy, "overlay @UID@ @CONTEXT@").unwrap();

        assert!(text.contains(&format!("namespace={} want={}\n", quote(&namespace), quote(&uid))));
        assert!(text.contains(&format!("--context={} get namespace", quote(&context))));
        assert!(text.contains("\noverlay @UID@ @CONTEXT@\nKUBECONFIG\n"));
        let parsed = bash(&["-n"], &text);
        assert!(parsed.status.success(), "{}", String::from_utf8_lossy(&parsed.stderr));

        let assignment = text.lines().find(|line| line.trim_start().starts_with("namespace=")).unwrap();
        let printed = bash(&[], &format!("{assignment}\nprintf '%s|%s' \"$namespace\" \"$want\""));
        assert_eq!(String::from_utf8(printed.stdout).unwrap(), format!("{namespace}|{uid}"));
    }

    #[test]
    fn no_marker_is_left_in_the_prelude() {
        let text = render(&passing(), Phase::Deploy, "apiVersion: v1").unwrap();
        assert!(MARKERS.iter().all(|marker| !text.contains(marker)), "{text}");
    }
}
