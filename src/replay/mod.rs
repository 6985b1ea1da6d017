//! Runs again what a run read, or all of it if asked to, and compares what is printed now with what its evidence holds.
//!
//! The commands are those of each `cmd.txt`, from the same rows; what follows from what they print is read by
//! [`crate::reading`], as the run did.

mod compare;
mod folder;

use std::ffi::OsString;
use std::io;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use crate::command;
use crate::error::Error;
use crate::events::{Effect, What};
use crate::evidence::cmd_txt::{self, Entry};
use crate::evidence::redaction::Forms;
use crate::evidence::{Tree, redaction};
use crate::exec::Programs;
use crate::inputs::{self, Inputs};
use crate::perform::{self, Call, Clock, Done, Kubeconfig, Means, Signals, perform};
use crate::reading::{self, Printed};
use crate::record::Record;
use crate::run::Surroundings;
use crate::runbook::Phase;
use crate::verify::{self, CannotRead, Outside};
use crate::{texts, tools};

pub use compare::Line;

/// What is to be run again, and where to.
pub struct Asked<'a> {
    /// The evidence of the run.
    pub evidence: &'a Utf8Path,
    /// A folder that is not there yet; `None`: a new temporary one.
    pub into: Option<&'a Utf8Path>,
    /// The context on which what asks for dry runs and what changes the cluster is run, too.
    pub changes_on: Option<&'a str>,
}

/// What came of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
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
    pub came: Came,
    /// Why it was left out, or why it differs.
    pub why: Option<String>,
    /// What differs.
    pub lines: Vec<Line>,
}

impl Compared {
    fn left_out(entry: &Entry<'_>, why: String) -> Self {
        Self { id: entry.id.clone(), came: Came::LeftOut, why: Some(why), lines: Vec::new() }
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

/// What there is to show as it goes on.
pub enum Told<'a> {
    /// The run whose commands are to be run again.
    Begins(&'a Record),
    /// A command starts.
    Starts(&'a str),
    /// A command was compared.
    Compared(&'a Compared),
}

/// Why nothing was run again.
#[derive(Debug, thiserror::Error)]
pub enum CannotReplay {
    /// The evidence can't be read.
    #[error(transparent)]
    Unreadable(#[from] CannotRead),
    /// It was altered, or contradicts itself: it is nothing to compare with.
    #[error("{0} is not as its run left it: staging-dry-run verify {0} says where")]
    DoesNotHold(Utf8PathBuf),
    /// No run was begun, so there is nothing to run again.
    #[error("{0} is of a run that ran no command")]
    NothingRun(Utf8PathBuf),
    /// Changes were asked for on another context.
    #[error("the run was on the context {of_the_run:?}, and not on {given:?}")]
    OtherContext {
        /// The run's.
        of_the_run: String,
        /// The one that was given.
        given: String,
    },
    /// Something of the environment, or of what the run was given, is malformed.
    #[error(transparent)]
    Inputs(#[from] inputs::Refused),
    /// A program is not there.
    #[error(transparent)]
    Missing(#[from] tools::Missing),
    /// The folder for what is printed can't be had.
    #[error("{0}")]
    Folder(String),
    /// The tool's own failure.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl From<io::Error> for CannotReplay {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// Runs the commands again, tells of each, and returns all that came of them.
///
/// # Errors
/// When there is nothing to compare with, or a command can't be run.
pub fn replay(
    asked: &Asked<'_>,
    surroundings: &Surroundings,
    tell: &mut dyn FnMut(&Told<'_>),
) -> Result<Replayed, CannotReplay> {
    let record = evidence_that_holds(asked.evidence)?;
    let replay = Replay::begin(asked, &record, surroundings)?;
    tell(&Told::Begins(&record));
    let folder = replay.now.root().to_owned();
    let mut all = Replayed { folder, compared: Vec::new(), interrupted: None };
    let mut is_the_runs_namespace = false;
    for entry in Phase::ALL.into_iter().flat_map(|phase| cmd_txt::entries(&record, phase)) {
        tell(&Told::Starts(&entry.id));
        let came = match replay.call(&entry, is_the_runs_namespace) {
            Err(why) => Compared::left_out(&entry, why),
            Ok(call) => {
                let done = replay.perform(&call, &entry)?;
                all.interrupted = replay.signals.number();
                if all.interrupted.is_some() {
                    break;
                }
                is_the_runs_namespace |= replay.shows_the_runs_namespace(&done)?;
                replay.compare(&call, &entry, &done)?
            }
        };
        tell(&Told::Compared(&came));
        all.compared.push(came);
    }
    Ok(all)
}

/// The record of evidence that `verify` finds nothing against.
fn evidence_that_holds(evidence: &Utf8Path) -> Result<Record, CannotReplay> {
    let report = verify::verify(evidence, &Outside::default())?;
    if !report.holds() {
        return Err(CannotReplay::DoesNotHold(evidence.to_owned()));
    }
    let record = report.record.filter(|record| record.began.is_some());
    record.ok_or_else(|| CannotReplay::NothingRun(evidence.to_owned()))
}

struct Replay<'a> {
    record: &'a Record,
    changes: bool,
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

impl<'a> Replay<'a> {
    fn begin(
        asked: &Asked<'_>,
        record: &'a Record,
        surroundings: &Surroundings,
    ) -> Result<Self, CannotReplay> {
        let Some((_, began)) = &record.began else {
            return Err(CannotReplay::NothingRun(asked.evidence.to_owned()));
        };
        let target = &began.target;
        if let Some(given) = asked.changes_on.filter(|given| *given != target.context) {
            let (of_the_run, given) = (target.context.clone(), given.to_owned());
            return Err(CannotReplay::OtherContext { of_the_run, given });
        }
        // What the run was given, but for secrets: these are the environment's.
        let inputs = inputs::read(|name| match name {
            "STAGING_CONTEXT" => Some(target.context.clone().into()),
            "STAGING_NAMESPACE" => Some(target.namespace.clone().into()),
            "STAGING_BASE_URL" => Some(target.base_url.clone().into()),
            "STAGING_METRICS_URL" | "AWS_ACCOUNT_ID" | "AWS_REGION" | "IMAGE_TAG" => None,
            _ => surroundings.variable(name).map(ToOwned::to_owned),
        })?;
        let programs = tools::find(&[], surroundings.variable("PATH"), &surroundings.folder)?;
        let now = Tree::new(folder::make(asked.evidence, asked.into)?, perform::forms(&inputs)?);
        let kubeconfig = Kubeconfig::new(
            surroundings.variable("KUBECONFIG"),
            surroundings.variable("HOME"),
            &surroundings.folder,
        )?;
        if let Some(context) = &record.context {
            kubeconfig.write(&texts::overlay(&target.context, context))?;
        }
        Ok(Self {
            record,
            changes: asked.changes_on.is_some(),
            may_send_key: surroundings
                .variable("STAGING_BASE_URL")
                .is_some_and(|url| *url == *target.base_url),
            inputs,
            programs,
            paths: surroundings.absolute_paths(),
            kubeconfig,
            signals: Signals::heed()?,
            clock: Clock::start(),
            then: Tree::new(asked.evidence.to_owned(), nothing_redacted()?),
            now,
        })
    }

    /// What is to be run, or why it is left out.
    fn call(&self, entry: &Entry<'_>, is_the_runs_namespace: bool) -> Result<Call, String> {
        let intent = &entry.command.intent;
        let Some((_, began)) = &self.record.began else { return Err("no run was begun".to_owned()) };
        if entry.command.outcome.is_none() {
            return Err("it began, and what came of it is unknown".to_owned());
        }
        let row = verify::row_of(began, intent).ok_or("it is no command of this program's runbook")?;
        match row.effect {
            Effect::Reads => {}
            _ if self.changes && !is_the_runs_namespace => {
                return Err("the namespace here is not the run's".to_owned());
            }
            _ if self.changes => {}
            Effect::Asks => return Err("it asks for a server-side dry run (--include-changes)".to_owned()),
            Effect::Changes => return Err("it changes the cluster (--include-changes)".to_owned()),
        }
        if intent.reads_key && !(self.may_send_key && self.inputs.api_key.is_some()) {
            let url = &began.target.base_url;
            return Err(format!("it sends a key: export STAGING_API_KEY, and STAGING_BASE_URL={url}"));
        }
        let line = command::parse(&intent.text).map_err(|error| error.to_string())?;
        let pipeline = line.expand(|_| None).map_err(|unset| unset.to_string())?;
        Ok(Call::of(&row, pipeline))
    }

    fn perform(&self, call: &Call, entry: &Entry<'_>) -> Result<Done, Error> {
        let means = Means {
            programs: &self.programs,
            tree: &self.now,
            kubeconfig: &self.kubeconfig,
            paths: &self.paths,
            key: self.inputs.api_key.as_ref(),
            clock: &self.clock,
            hurry: &self.signals.second,
        };
        let as_then = || call.step.limit.deadline(Duration::ZERO);
        let deadline = entry.limit_ms().map_or_else(as_then, Duration::from_millis);
        perform(call, &means, deadline, &mut io::sink(), &[&*self.signals.first])
    }

    /// Whether a command shows that the namespace is the one it was, not one that was made anew under its name.
    fn shows_the_runs_namespace(&self, done: &Done) -> Result<bool, Error> {
        let Some((_, began)) = &self.record.began else { return Ok(false) };
        let ours = &began.target.namespace;
        let Some(Some(its)) = self.record.uids.get(ours) else { return Ok(false) };
        let stdout = done.stdout(&self.now)?;
        let printed = Printed { outcome: &done.outcome, stdout: &stdout, stderr: &[] };
        let says_so = |what: &What| matches!(what, What::NamespaceUid { namespace, uid: Some(uid) } if namespace == ours && uid == its);
        Ok(done.outcome.id == "uids" && reading::events(self.record, &printed)?.iter().any(says_so))
    }

    fn compare(&self, call: &Call, entry: &Entry<'_>, done: &Done) -> Result<Compared, Error> {
        let Some(then) = &entry.command.outcome else {
            return Err(Error::Setup {
                what: "internal error",
                cause: format!("{} has not ended", entry.id),
            });
        };
        let [then_out, then_err] = [&then.stdout, &then.stderr].map(|kept| self.then.read(kept.as_ref()));
        let (then_out, then_err) = (then_out?, then_err?);
        let now_out = if then.stdout.is_none() && call.step.is_kept_nowhere() {
            Vec::new()
        } else {
            done.stdout(&self.now)?
        };
        let now_err = done.stderr(&self.now)?;
        let then = Printed { outcome: then, stdout: &then_out, stderr: &then_err };
        let now = Printed { outcome: &done.outcome, stdout: &now_out, stderr: &now_err };
        Ok(compare::compare(entry.id.clone(), &call.step, self.record, &then, &now))
    }
}

fn nothing_redacted() -> Result<Forms, Error> {
    redaction::Forms::of(&[])
        .map_err(|error| Error::Setup { what: "the values to redact", cause: error.to_string() })
}
