//! Runs again what a run read, or all of it if asked to, and compares what is printed now with what its evidence holds.
//!
//! The commands are those of each `cmd.txt`, from the same rows; what follows from what they print is read by
//! [`crate::interpret`], as the run did.

mod change_policy;
mod compare;
mod folder;
mod refused;

use std::ffi::OsString;
use std::io;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use secrecy::SecretString;

use crate::command;
use crate::error::Error;
use crate::events::{Began, EndedBy, EventKind, Outcome};
use crate::evidence::Tree;
use crate::evidence::cmd_txt::{self, Rerun};
use crate::evidence::redaction::SecretPatterns;
use crate::exec::Programs;
use crate::facts::context::Context;
use crate::inputs::{self, Inputs};
use crate::interpret::{self, CommandOutput};
use crate::run_state::RunState;
use crate::runbook::{self, Phase};
use crate::session::{
    self, Clock, CommandContext, Completed, HostEnvironment, Invocation, Kubeconfig, Signals, perform,
};
use crate::verify::{self, TrustAnchors};
use crate::{documents, tools, verdict};
use change_policy::ChangePolicy;

pub use compare::Line;
use compare::Side;
pub use refused::CannotReplay;

/// What is to be run again, and where to.
pub struct ReplayOptions<'a> {
    /// The evidence of the run.
    pub evidence: &'a Utf8Path,
    /// What vouches for it.
    pub anchors: TrustAnchors<'a>,
    /// A folder that is not there yet; `None`: a new temporary one.
    pub into: Option<&'a Utf8Path>,
    /// The context on which what asks for dry runs and what changes the cluster is run, too.
    pub changes_on: Option<&'a str>,
}

/// What came of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// It printed the same.
    Same,
    /// It printed something else, and nothing a run is judged by: what changes with time.
    Drift,
    /// It ended otherwise, or what a run is judged by is something else.
    Changed,
    /// It was not run.
    LeftOut,
}

/// A command, and what came of it.
#[derive(Debug)]
pub struct Compared {
    /// Its id in `cmd.txt`.
    pub id: String,
    /// What came of it.
    pub came: Difference,
    /// Why it was left out, or why it differs.
    pub why: Option<String>,
    /// What differs.
    pub lines: Vec<Line>,
}

impl Compared {
    fn left_out(entry: &Rerun<'_>, why: String) -> Self {
        Self { id: entry.id.clone(), came: Difference::LeftOut, why: Some(why), lines: Vec::new() }
    }
}

/// All that came of it.
#[derive(Debug)]
pub struct Replayed {
    /// Where what is printed now is kept, in files of the same names as in the evidence.
    pub folder: Utf8PathBuf,
    /// The commands, in the runbook's order.
    pub compared: Vec<Compared>,
    /// The signal that ended it before its end.
    pub interrupted: Option<i32>,
}

impl Replayed {
    /// Whether there was nothing to compare: all of it was left out.
    pub fn is_empty(&self) -> bool {
        self.compared.iter().all(|compared| compared.came == Difference::LeftOut)
    }

    /// Whether something changed.
    pub fn changed(&self) -> bool {
        self.compared.iter().any(|compared| compared.came == Difference::Changed)
    }
}

/// What there is to show as it goes on.
pub enum Progress<'a> {
    /// It begins.
    Begins {
        /// The run whose commands are run again.
        run: &'a RunState,
        /// The server that the run's context is on, here and now.
        server: Option<&'a str>,
    },
    /// A command starts.
    Starts(&'a str),
    /// A command was compared.
    Compared(&'a Compared),
}

/// Runs the commands again, tells of each, and returns all that came of them.
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
    // Where nothing can be compared, the folder stays free for the next try.
    replay.reach_the_cluster(tell).inspect_err(|_| drop(fs_err::remove_dir_all(replay.now.root())))?;

    let mut guard = ChangePolicy::new(&run, began, asked.changes_on.is_some());
    let folder = replay.now.root().to_owned();
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
                all.interrupted = replay.signals.number();
                if all.interrupted.is_some() {
                    break;
                }
                guard.learn(&invocation.step, &done.outcome, &replay.events(&done)?);
                let then = Side { outcome: then, tree: &replay.then };
                let now = Side { outcome: &done.outcome, tree: &replay.now };
                compare::compare(entry.id.clone(), &invocation.step, &run, &then, &now)?
            }
        };
        tell(&Progress::Compared(&came));
        all.compared.push(came);
    }
    Ok(all)
}

/// The record of evidence that `verify` finds nothing against.
fn evidence_that_holds(asked: &ReplayOptions<'_>) -> Result<RunState, CannotReplay> {
    let report = verify::verify(asked.evidence, &asked.anchors)?;
    let holds = report.holds();
    let does_not = || CannotReplay::DoesNotHold(asked.evidence.to_owned());
    report.run.filter(|_| holds).ok_or_else(does_not)
}

struct Replayer<'a> {
    run: &'a RunState,
    began: &'a Began,
    inputs: Inputs,
    /// Whether the key may be sent to where the run sent it.
    may_send_key: bool,
    programs: Programs,
    paths: Vec<(OsString, OsString)>,
    kubeconfig: Kubeconfig,
    signals: Signals,
    clock: Clock,
    then: Tree,
    now: Tree,
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
        let programs = tools::find(&[], host.variable("PATH"), &host.folder)?;
        let folder = folder::make(asked.evidence, run, asked.into)?;
        let kubeconfig = Kubeconfig::new(host.variable("KUBECONFIG"), host.variable("HOME"), &host.folder)?;
        let same_url = |url: &str| url.trim_end_matches('/') == target.base_url.trim_end_matches('/');
        Ok(Self {
            run,
            began,
            may_send_key: host
                .variable("STAGING_BASE_URL")
                .is_some_and(|url| url.to_str().is_some_and(same_url)),
            programs,
            paths: host.absolute_paths(),
            kubeconfig,
            signals: Signals::heed()?,
            clock: Clock::start(),
            then: Tree::new(asked.evidence.to_owned(), SecretPatterns::none()),
            now: Tree::new(folder, session::patterns(&inputs)?),
            inputs,
        })
    }

    fn reach_the_cluster(&self, tell: &mut dyn FnMut(&Progress<'_>)) -> Result<(), CannotReplay> {
        let context = self.take_the_context_as_it_is_here()?;
        tell(&Progress::Begins { run: self.run, server: context.server.as_deref() });
        self.ask_whether_it_answers()
    }

    /// Reads the run's context in the kubeconfig here, and gives it to all commands as the run did. What evidence says
    /// of it counts for nothing: it could mean another cluster of this kubeconfig.
    fn take_the_context_as_it_is_here(&self) -> Result<Context, CannotReplay> {
        let (outcome, events) = self.ask("context")?;
        let read = events.into_iter().find_map(|what| match what {
            EventKind::ContextRead(context) => Some(context),
            _ => None,
        });
        let name = &self.began.target.context;
        let context = read.ok_or_else(|| match self.signals.number() {
            Some(signal) => CannotReplay::Interrupted(signal),
            None => CannotReplay::NoContext { name: name.clone(), said: outcome.why().to_owned() },
        })?;
        self.kubeconfig.write(&documents::overlay(name, &context))?;
        Ok(context)
    }

    /// A cluster that answered the run, and answers no more, is asked once, and not by each command.
    fn ask_whether_it_answers(&self) -> Result<(), CannotReplay> {
        if self.run.server_version.is_none() {
            return Ok(());
        }
        let (outcome, _) = self.ask("server")?;
        match self.signals.number() {
            Some(signal) => Err(CannotReplay::Interrupted(signal)),
            None if outcome.succeeded() => Ok(()),
            None => Err(CannotReplay::NoAnswer {
                evidence: self.then.root().to_owned(),
                context: self.began.target.context.clone(),
                said: outcome.why().to_owned(),
            }),
        }
    }

    /// Asks what will be asked again in its turn: only then it stands in its files.
    fn ask(&self, id: &str) -> Result<(Outcome, Vec<EventKind>), CannotReplay> {
        let row = runbook::step(id);
        let invocation =
            Invocation::filled_in(row, self.now.patterns(), |name| verdict::variable(self.began, name))?;
        let done = self.perform(&invocation, None)?;
        let events = self.events(&done)?;
        for range in done.outcome.stdout.iter().chain(&done.outcome.stderr) {
            fs_err::remove_file(self.now.path(&range.file))?;
        }
        Ok((done.outcome, events))
    }

    /// What is to be run, with what came of it then, or why it is left out.
    fn invocation<'e>(&self, entry: &Rerun<'e>) -> Result<(Invocation, &'e Outcome), String> {
        let intent = &entry.command.intent;
        let then = entry.command.outcome.as_ref().ok_or("it began, and what came of it is unknown")?;
        if then.ended_by == EndedBy::StagingDryRun && intent.id != "watch.pods" {
            return Err("the run ended it before it was done".to_owned());
        }
        let row = verify::row_of(self.began, intent).ok_or("it is no command of this program's runbook")?;
        let line = command::parse(&intent.text).map_err(|error| error.to_string())?;
        let invocation = Invocation::of(
            &row,
            self.now.patterns(),
            line.expand(|_| None).map_err(|unset| unset.to_string())?,
        );
        if invocation.intent.reads_key && self.key().is_none() {
            let url = &self.began.target.base_url;
            return Err(format!("it sends a key: export STAGING_API_KEY, and STAGING_BASE_URL={url}"));
        }
        Ok((invocation, then))
    }

    fn key(&self) -> Option<&SecretString> {
        self.inputs.api_key.as_ref().filter(|_| self.may_send_key)
    }

    fn perform(&self, invocation: &Invocation, limit_ms: Option<u64>) -> Result<Completed, Error> {
        let means = CommandContext {
            programs: &self.programs,
            tree: &self.now,
            kubeconfig: &self.kubeconfig,
            paths: &self.paths,
            key: self.key(),
            clock: &self.clock,
            kill_now: &self.signals.second,
        };
        let as_then = || invocation.step.limit.deadline(Duration::ZERO);
        let deadline = limit_ms.map_or_else(as_then, Duration::from_millis);
        perform(invocation, &means, deadline, &mut io::sink(), &[&*self.signals.first])
    }

    /// What follows from what a command prints now; nothing, where it prints what no run could go on with.
    fn events(&self, done: &Completed) -> Result<Vec<EventKind>, Error> {
        let (stdout, stderr) = done.needed(&self.now)?;
        let printed = CommandOutput { outcome: &done.outcome, stdout: &stdout, stderr: &stderr };
        Ok(interpret::events(self.run, &printed).unwrap_or_default())
    }
}
