//! Re-runs a recorded run's commands and compares their output with the evidence.
//!
//! The commands are the ones of the journal, which the walk has found to be the runbook's, each with its outcome; no
//! text is parsed for them. Their output is read by [`crate::interpret`], as in the run. Only reads are re-run unless changes are requested, and the
//! evidence is never modified.

mod change_policy;
mod compare;
mod folder;
mod refused;
#[cfg(test)]
mod tests;

use std::io;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use crate::documents::cmd_txt::{self, Rerun};
use crate::error::Error;
use crate::events::{Began, EventKind, Outcome};
use crate::evidence::Tree;
use crate::evidence::redaction::SecretPatterns;
use crate::facts::context::{self, Context};
use crate::inputs;
use crate::interpret::{self, CommandOutput};
use crate::procedure;
use crate::run_state::RunState;
use crate::runbook::{Phase, StepId};
use crate::session::{
    self, Clock, Completed, Copies, HostEnvironment, Invocation, Kubeconfig, MET, Met, Session, Signals,
    perform,
};
use crate::verify::{self, TrustAnchors, VerifyOutcome};
use crate::{documents, tools};
use change_policy::ChangePolicy;

pub use compare::Line;
use compare::Side;
pub use refused::CannotReplay;

/// The options of a replay.
pub struct ReplayOptions<'a> {
    /// The evidence of the run.
    pub evidence: &'a Utf8Path,
    /// The trust anchors for the evidence.
    pub anchors: TrustAnchors<'a>,
    /// The directory for the new output, which must not exist yet; `None` for a new temporary one.
    pub into: Option<&'a Utf8Path>,
    /// The context on which dry runs and changes are re-run too; `None` to re-run only reads.
    pub changes_on: Option<&'a str>,
}

/// The result of comparing a command with its evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// The output is the same.
    Same,
    /// The output differs only where it changes with time: no run is judged by it.
    Drift,
    /// The command ended differently, or a fact that a run is judged by differs.
    Changed,
    /// The command was not re-run.
    LeftOut,
}

/// A command, and the result of its comparison.
#[derive(Debug)]
pub struct Compared {
    /// The id of the command in `cmd.txt`.
    pub id: String,
    /// The result.
    pub came: Difference,
    /// The reason why it was left out, or why it differs; `None` if the lines show it.
    pub why: Option<String>,
    /// The lines that differ.
    pub lines: Vec<Line>,
}

impl Compared {
    fn left_out(entry: &Rerun<'_>, why: String) -> Self {
        Self { id: entry.id.clone(), came: Difference::LeftOut, why: Some(why), lines: Vec::new() }
    }
}

/// The result of a replay.
#[derive(Debug)]
pub struct Replayed {
    /// The directory of the new output, whose files have the same names as in the evidence.
    pub folder: Utf8PathBuf,
    /// The commands, in the runbook's order.
    pub compared: Vec<Compared>,
    /// The signal that ended the replay early; `None` if none did.
    pub interrupted: Option<i32>,
}

impl Replayed {
    /// Returns whether every command was left out, so that nothing was compared.
    pub fn is_empty(&self) -> bool {
        self.compared.iter().all(|compared| compared.came == Difference::LeftOut)
    }

    /// Returns whether a command changed.
    pub fn changed(&self) -> bool {
        self.compared.iter().any(|compared| compared.came == Difference::Changed)
    }
}

/// A step of the replay, reported while it runs.
pub enum Progress<'a> {
    /// The replay begins.
    Begins {
        /// The run whose commands are re-run.
        run: &'a RunState,
        /// The server of the run's context in the current kubeconfig.
        server: Option<&'a str>,
    },
    /// A command starts; the text is its id.
    Starts(&'a str),
    /// A command was compared.
    Compared(&'a Compared),
}

/// Re-runs the commands, reports each to `tell`, and returns all results.
///
/// # Errors
/// When there is nothing to compare with, or a command can't be run.
pub fn replay(
    asked: &ReplayOptions<'_>,
    host: &HostEnvironment,
    tell: &mut dyn FnMut(&Progress<'_>),
) -> Result<Replayed, CannotReplay> {
    let run = evidence_that_holds(asked)?;
    let nothing_run = || CannotReplay::NothingRun(asked.evidence.to_owned());
    let (_, began) = run.began.as_ref().ok_or_else(nothing_run)?;
    let replay = Replayer::begin(asked, &run, began, host)?;
    // If nothing can be compared, the directory name stays free for the next attempt.
    replay
        .reach_the_cluster(tell)
        .inspect_err(|_| drop(fs_err::remove_dir_all(replay.session.tree.root())))?;

    let mut guard = ChangePolicy::new(&run, began, asked.changes_on.is_some());
    let folder = replay.session.tree.root().to_owned();
    let mut all = Replayed { folder, compared: Vec::new(), interrupted: None };
    for entry in Phase::ALL.into_iter().flat_map(|phase| cmd_txt::entries(&run, phase)) {
        tell(&Progress::Starts(&entry.id));
        let allowed = replay.invocation(&entry).and_then(|(invocation, then)| {
            guard.allows(&invocation.step)?;
            Ok((invocation, then))
        });
        let came = match allowed {
            Err(why) => Compared::left_out(&entry, why),
            Ok((invocation, then)) => {
                let done = replay.perform(&invocation, entry.limit_ms())?;
                all.interrupted = replay.session.signals.number();
                if all.interrupted.is_some() {
                    break;
                }
                guard.learn(&invocation.step, &done.outcome, &replay.events(&done)?);
                let then = Side { outcome: then, tree: &replay.then };
                let now = Side { outcome: &done.outcome, tree: &replay.session.tree };
                compare::compare(entry.id.clone(), &invocation.step, &run, &then, &now)?
            }
        };
        tell(&Progress::Compared(&came));
        all.compared.push(came);
    }
    Ok(all)
}

/// Returns the state of the run, if `verify` finds nothing wrong with its evidence.
fn evidence_that_holds(asked: &ReplayOptions<'_>) -> Result<RunState, CannotReplay> {
    let report = verify::verify(asked.evidence, &asked.anchors)?;
    let holds = report.conclusion() == VerifyOutcome::Holds;
    let does_not = || CannotReplay::DoesNotHold(asked.evidence.to_owned());
    report.run.filter(|_| holds).ok_or_else(does_not)
}

struct Replayer<'a> {
    run: &'a RunState,
    began: &'a Began,
    then: Tree,
    /// The session of the new commands; its key is sent only if the environment has the base URL that the run sent it
    /// to.
    session: Session,
}

impl<'a> Replayer<'a> {
    fn begin(
        asked: &ReplayOptions<'_>,
        run: &'a RunState,
        began: &'a Began,
        host: &HostEnvironment,
    ) -> Result<Self, CannotReplay> {
        let target = &began.target;
        if let Some(given) = asked.changes_on.filter(|given| *given != target.context) {
            let (of_the_run, given) = (target.context.clone(), given.to_owned());
            return Err(CannotReplay::OtherContext { of_the_run, given });
        }
        let inputs = inputs::of_run(target, |name| host.variable(name).map(ToOwned::to_owned))
            .map_err(|refused| CannotReplay::inputs(&refused))?;
        refused::unless_all_is_taken_out(run, &inputs)?;
        let programs = tools::find(&run.runbook, &[], host.variable("PATH"), &host.folder)?;
        let folder = folder::make(asked.evidence, run, asked.into)?;
        let kubeconfig = Kubeconfig::new(host.variable("KUBECONFIG"), host.variable("HOME"), &host.folder)?;
        let same_url = |url: &str| url.trim_end_matches('/') == target.base_url.trim_end_matches('/');
        let may_send_key =
            host.variable("STAGING_BASE_URL").is_some_and(|url| url.to_str().is_some_and(same_url));
        let tree = Tree::new(folder, session::patterns(&inputs)?);
        let key = inputs.api_key.filter(|_| may_send_key);
        let (paths, signals, clock) = (host.absolute_paths(), Signals::heed()?, Clock::start());
        Ok(Self {
            run,
            began,
            then: Tree::new(asked.evidence.to_owned(), SecretPatterns::none()),
            session: Session { programs, tree, kubeconfig, paths, key, clock, signals },
        })
    }

    fn reach_the_cluster(&self, tell: &mut dyn FnMut(&Progress<'_>)) -> Result<(), CannotReplay> {
        let context = self.take_the_context_as_it_is_here()?;
        tell(&Progress::Begins { run: self.run, server: context.server.as_deref() });
        self.ask_whether_it_answers()
    }

    /// Reads the run's context from the current kubeconfig and selects it for all commands, as the run did.
    ///
    /// The context recorded in the evidence is not used: it could name another cluster of this kubeconfig. The
    /// kubeconfig is written from the unredacted output, because a name in it may contain a secret.
    fn take_the_context_as_it_is_here(&self) -> Result<Context, CannotReplay> {
        let (done, events) = self.ask(&StepId::Context)?;
        let read = events.into_iter().find_map(|what| match what {
            EventKind::ContextRead(context) => Some(context),
            _ => None,
        });
        let name = &self.began.target.context;
        let context = read.ok_or_else(|| match self.session.signals.number() {
            Some(signal) => CannotReplay::Interrupted(signal),
            None => CannotReplay::NoContext { name: name.clone(), said: done.outcome.why().to_owned() },
        })?;
        let raw = done.raw_stdout().and_then(|stdout| context::parse(stdout).ok());
        self.session.kubeconfig.write(&documents::overlay(name, raw.as_ref().unwrap_or(&context)))?;
        Ok(context)
    }

    /// Checks once that a cluster which answered the run still answers, so that not every command fails in
    /// turn.
    fn ask_whether_it_answers(&self) -> Result<(), CannotReplay> {
        if self.run.server_version.is_none() {
            return Ok(());
        }
        let outcome = self.ask(&StepId::Server)?.0.outcome;
        match self.session.signals.number() {
            Some(signal) => Err(CannotReplay::Interrupted(signal)),
            None if outcome.succeeded() => Ok(()),
            None => Err(CannotReplay::NoAnswer {
                evidence: self.then.root().to_owned(),
                context: self.began.target.context.clone(),
                said: outcome.why().to_owned(),
            }),
        }
    }

    /// Runs a step ahead of its turn and deletes its output, because the step writes the same files in its
    /// turn.
    fn ask(&self, id: &StepId) -> Result<(Completed, Vec<EventKind>), CannotReplay> {
        let missing = || Error::Row { id: id.clone(), why: "the runbook has no such step".to_owned() };
        let row = self.run.runbook.step(id).ok_or_else(missing)?;
        let invocation = Invocation::new(row, self.began, &[], self.session.tree.patterns())?;
        let done = self.perform(&invocation, None)?;
        let events = self.events(&done)?;
        for range in done.outcome.stdout.iter().chain(&done.outcome.stderr) {
            fs_err::remove_file(self.session.tree.path(&range.file))?;
        }
        Ok((done, events))
    }

    /// Returns the command to re-run and its recorded outcome.
    ///
    /// # Errors
    /// When the command is left out; the text is the reason.
    fn invocation<'e>(&self, entry: &Rerun<'e>) -> Result<(Invocation, &'e Outcome), String> {
        let intent = &entry.command.intent;
        let then = entry.command.outcome.as_ref().ok_or("its end was not recorded")?;
        if then.ended_by.is_cancelled() && intent.id != StepId::WatchPods {
            return Err("the run ended it before it was done".to_owned());
        }
        // The walk has demanded the same.
        let row = self.run.runbook.step(&intent.id).filter(|step| procedure::is_of(step, intent, self.began));
        let row = row.ok_or("it is not a command of the run's runbook")?;
        let met: Vec<Met<'_>> = MET
            .iter()
            .filter_map(|variable| {
                let name = intent.met.get(*variable)?;
                Some(Met { variable, recorded: name, name })
            })
            .collect();
        let invocation = Invocation::new(row, self.began, &met, self.session.tree.patterns());
        let invocation = invocation.map_err(|error| error.to_string())?;
        if invocation.intent.reads_key && self.session.key.is_none() {
            let url = &self.began.target.base_url;
            return Err(format!("it sends a key: export STAGING_API_KEY, and STAGING_BASE_URL={url}"));
        }
        Ok((invocation, then))
    }

    fn perform(&self, invocation: &Invocation, limit_ms: Option<u64>) -> Result<Completed, Error> {
        let as_then = || invocation.step.limit.deadline(Duration::ZERO);
        let deadline = limit_ms.map_or_else(as_then, Duration::from_millis);
        let copies = Copies { redacted: &mut io::sink(), raw: &mut io::sink() };
        perform(invocation, &self.session, deadline, copies, &[&*self.session.signals.first])
    }

    /// Returns the events that follow from the new output of a command; none if a run could not continue with
    /// it.
    fn events(&self, done: &Completed) -> Result<Vec<EventKind>, Error> {
        let (stdout, stderr) = done.needed(&self.session.tree)?;
        let printed = CommandOutput { outcome: &done.outcome, stdout: &stdout, stderr: &stderr };
        Ok(interpret::events(self.run, &printed).unwrap_or_default())
    }
}
