//! Runs one command of the runbook: its environment and kubeconfig, the files for its output, signals and a
//! clock.
//!
//! Everything that a command prints passes the redactor before it is stored, shown or read. The caller
//! decides which events follow from the outcome.

mod clock;
mod host_environment;
mod kubeconfig;
mod signals;

use std::ffi::OsString;
use std::io::{self, Write};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::command::Pipeline;
use crate::error::Error;
use crate::events::{Began, ByteRange, Intent, Outcome};
use crate::evidence::Tree;
use crate::evidence::redaction::SecretPatterns;
use crate::exec::{self, Cancel, Programs};
use crate::inputs::Inputs;
use crate::interpret;
use crate::moment::{go_duration, millis};
use crate::runbook::{Step, StepId};
use crate::verdict;

pub use clock::Clock;
pub use host_environment::{HostEnvironment, find_root};
pub use kubeconfig::{Kubeconfig, temporary_folder};
pub use signals::Signals;

/// A step's command with its variables filled in.
pub struct Invocation {
    /// The row of the runbook.
    pub step: Step,
    /// The event that is recorded before the command starts.
    pub intent: Intent,
    pipeline: Pipeline,
}

/// The variables for names that the run found on the cluster.
pub const MET: [&str; 2] = ["POD", "CONTAINER"];

/// A name that the run found on the cluster, for a command about it.
#[derive(Debug, Clone, Copy)]
pub struct Met<'a> {
    /// One of [`MET`].
    pub variable: &'a str,
    /// The name as the evidence has it, with secrets redacted.
    pub recorded: &'a str,
    /// The real name on the cluster.
    pub name: &'a str,
}

impl Invocation {
    /// Fills in the variables of a row; `patterns` are the secrets that are redacted from the recorded
    /// command.
    ///
    /// # Errors
    /// When a variable has no value.
    pub fn new(
        step: &Step,
        began: &Began,
        met: &[Met<'_>],
        patterns: &SecretPatterns,
    ) -> Result<Self, Error> {
        let value = |variable: &str| {
            let met = met.iter().find(|met| met.variable == variable).map(|met| met.name.to_owned());
            met.or_else(|| verdict::variable(began, variable))
        };
        let line = step.line(began.with_key);
        let pipeline =
            line.expand(value).map_err(|unset| Error::Row { id: step.id.clone(), why: unset.to_string() })?;
        let rollout = go_duration(&began.options.rollout_timeout).unwrap_or_default();
        let intent = Intent {
            n: 0,
            id: step.id.clone(),
            phase: step.phase,
            effect: step.effect,
            // Redact before quoting, because the replacement of a value has to be quoted too.
            text: pipeline.map_words(|word| patterns.redact_str(word)).to_shell(),
            met: met.iter().map(|met| (met.variable.to_owned(), met.recorded.to_owned())).collect(),
            because: None,
            deadline_ms: millis(step.limit.deadline(rollout)),
            reads_key: pipeline.reads_header(),
        };
        Ok(Self { step: step.clone(), intent, pipeline })
    }
}

/// A command that has ended.
pub struct Completed {
    /// How it ended.
    pub outcome: Outcome,
    /// Its standard output, if no file contains it.
    unkept: Option<Unkept>,
}

/// The standard output of a step that no file contains.
struct Unkept {
    /// The output with secrets redacted, for facts.
    redacted: Vec<u8>,
    /// The output as it was printed, used only for the run's own kubeconfig.
    raw: Vec<u8>,
}

impl Completed {
    /// Returns standard output, if [`interpret::events`] needs it, and standard error.
    ///
    /// # Errors
    /// When they can't be read.
    pub fn needed(&self, tree: &Tree) -> io::Result<(Vec<u8>, Vec<u8>)> {
        let needs_stdout = interpret::needs_stdout(&self.outcome.id);
        let stdout = if needs_stdout { self.stdout(tree)? } else { Vec::new() };
        Ok((stdout, self.stderr(tree)?))
    }

    /// Returns standard output with secrets redacted, read back from its file if it has one.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn stdout(&self, tree: &Tree) -> io::Result<Vec<u8>> {
        match &self.unkept {
            Some(unkept) => Ok(unkept.redacted.clone()),
            None => tree.read(self.outcome.stdout.as_ref()),
        }
    }

    /// Returns the unredacted standard output of a step whose output no file contains; it must not become
    /// evidence.
    pub fn raw_stdout(&self) -> Option<&[u8]> {
        self.unkept.as_ref().map(|unkept| unkept.raw.as_slice())
    }

    /// Returns standard error.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn stderr(&self, tree: &Tree) -> io::Result<Vec<u8>> {
        tree.read(self.outcome.stderr.as_ref())
    }
}

/// What the commands of a run or of a replay have in common.
pub struct Session {
    /// The paths of the programs.
    pub programs: Programs,
    /// The tree for their output; its `inputs/` is their current directory.
    pub tree: Tree,
    /// The kubeconfig that they use.
    pub kubeconfig: Kubeconfig,
    /// Variables that name a file, with paths made absolute, because child processes have another current directory.
    pub paths: Vec<(OsString, OsString)>,
    /// The API key, for the commands that send it; `None` if there is none, or if it must not be sent.
    pub key: Option<SecretString>,
    /// The clock for their start times.
    pub clock: Clock,
    /// The signals that end them. The second one kills those that are being ended without waiting for their grace
    /// period.
    pub signals: Signals,
}

/// The copies of a command's standard output, besides the evidence.
pub struct Copies<'a> {
    /// Receives the output with secrets redacted, after it was stored: for the screen, and for line-by-line
    /// reading.
    pub redacted: &'a mut dyn Write,
    /// Receives the output as it was printed, before it is stored: only for names that other commands need.
    pub raw: &'a mut dyn Write,
}

/// Runs a command; its output is redacted before it is stored, shown or read.
///
/// # Errors
/// When the command can't be started, or its output can't be stored.
pub fn perform(
    invocation: &Invocation,
    session: &Session,
    deadline: Duration,
    copies: Copies<'_>,
    cancels: &[&Cancel],
) -> Result<Completed, Error> {
    let (out_file, err_file) = invocation.step.files();
    let header = invocation.intent.reads_key.then(|| session.key_header()).flatten();
    let env = session.environment(&invocation.step);
    let folder = session.tree.path("inputs");
    let command = exec::Command {
        stages: &invocation.pipeline.stages,
        programs: &session.programs,
        dir: folder.as_std_path(),
        env: &env,
        stdin: header.as_deref().map(str::as_bytes),
        deadline,
        grace: exec::GRACE,
        kill_now: Some(&*session.signals.second),
    };
    let (mut redacted, mut raw, mut nowhere) = (Vec::new(), Vec::new(), io::sink());
    let unkept = out_file.is_none();
    let Copies { redacted: copy_to, raw: raw_to } = copies;
    let mut out = session.tree.sink(out_file.as_deref(), if unkept { &mut redacted } else { copy_to });
    if invocation.pipeline.prints_headers() {
        out = out.of_an_answer();
    }
    let mut err = session.tree.sink(Some(&err_file), &mut nowhere);
    let raw_to: &mut dyn Write = if unkept { &mut raw } else { raw_to };
    let started = session.clock.now();
    let ended = exec::run(&command, &mut Tee(raw_to, &mut out), &mut err, cancels)?;
    if let Some(error) = ended.sink_error {
        // What is read line by line fails with an error of its own.
        return Err(error.downcast::<Error>().unwrap_or_else(Error::Evidence));
    }
    let (out, err) = (out.finish()?, err.finish()?);
    let failed = ended.exit.iter().any(|&status| status != 0);
    let first_error = if failed { first_error(&session.tree, err.range.as_ref())? } else { None };
    let outcome = Outcome {
        n: invocation.intent.n,
        id: invocation.intent.id.clone(),
        started,
        duration_ms: millis(ended.duration),
        exit: ended.exit,
        ended_by: ended.by,
        note: ended.note,
        stdout: out.range,
        stderr: err.range,
        first_error,
        redactions: out.redactions.into_iter().chain(err.redactions).collect(),
    };
    Ok(Completed { outcome, unkept: unkept.then_some(Unkept { redacted, raw }) })
}

/// Returns the first error on standard error, from its first bytes.
fn first_error(tree: &Tree, stderr: Option<&ByteRange>) -> io::Result<Option<String>> {
    let Some(range) = stderr else { return Ok(None) };
    let to = range.to.min(range.from + interpret::FIRST_ERROR_LIMIT);
    Ok(interpret::first_error(&tree.read(Some(&ByteRange { to, ..range.clone() }))?))
}

impl Session {
    fn key_header(&self) -> Option<String> {
        Some(format!("Authorization: Bearer {}\n", self.key.as_ref()?.expose_secret()))
    }

    /// Returns the changes to the environment of a child process: no API key, and the run's kubeconfig first.
    ///
    /// `use-context` would write a lock next to every file of the list, so it gets only the overlay.
    fn environment(&self, step: &Step) -> Vec<(OsString, Option<OsString>)> {
        let kubeconfig =
            if step.id == StepId::UseContext { &self.kubeconfig.overlay } else { &self.kubeconfig.list };
        let mut environment: Vec<(OsString, Option<OsString>)> = vec![
            ("STAGING_API_KEY".into(), None),
            ("KUBECTL_KUBERC".into(), Some("false".into())),
            ("LC_ALL".into(), Some("C".into())),
            // A kubectl process lives for 50 ms, and garbage collection takes a third of that time.
            ("GOGC".into(), Some("400".into())),
            ("KUBECONFIG".into(), Some(kubeconfig.clone())),
        ];
        environment.extend(self.paths.iter().map(|(name, path)| (name.clone(), Some(path.clone()))));
        environment
    }
}

/// Returns the patterns to redact from everything that is written: the API key, and each value that
/// `STAGING_REDACT` names.
///
/// # Errors
/// When there are too many values, or one is too long.
pub fn patterns(inputs: &Inputs) -> Result<SecretPatterns, Error> {
    let key = inputs.api_key.as_ref().map(|key| ("STAGING_API_KEY", key.expose_secret()));
    let more = inputs.redact.iter().map(|(name, value)| (name.as_str(), value.expose_secret()));
    let named: Vec<(&str, &str)> = key.into_iter().chain(more).collect();
    SecretPatterns::of(&named)
        .map_err(|error| Error::Setup { what: "the values to redact", cause: error.to_string() })
}

/// A writer that passes bytes to two writers, in this order.
struct Tee<'a, W: Write>(&'a mut dyn Write, &'a mut W);

impl<W: Write> Write for Tee<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(bytes)?;
        self.1.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
