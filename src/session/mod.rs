//! What it takes to perform a command of the runbook: its environment and kubeconfig, the places for what it prints,
//! signals and a clock. Whoever calls says what becomes of it.

mod clock;
mod host_environment;
mod kubeconfig;
mod signals;

use std::ffi::OsString;
use std::io::{self, Write};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::command::{self, Pipeline};
use crate::error::Error;
use crate::events::{Intent, Outcome};
use crate::evidence::redaction::SecretPatterns;
use crate::evidence::{Sink, Tree};
use crate::exec::{self, Cancel, Programs};
use crate::inputs::Inputs;
use crate::interpret;
use crate::moment::millis;
use crate::runbook::Step;

pub use clock::Clock;
pub use host_environment::{HostEnvironment, find_root};
pub use kubeconfig::{Kubeconfig, temporary_folder};
pub use signals::Signals;

/// A step with its variables filled in.
pub struct Invocation {
    /// The row.
    pub step: Step,
    /// What is written down before it starts.
    pub intent: Intent,
    pipeline: Pipeline,
}

impl Invocation {
    /// A row, its variables filled in; `forms` are those that are kept out of what is written down of it.
    ///
    /// # Errors
    /// When one of them has no value.
    pub fn filled_in(
        step: &Step,
        patterns: &SecretPatterns,
        value: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Error> {
        let refuse = |why: String| Error::Row { id: step.id.to_string(), why };
        let line = command::parse(&step.text).map_err(|error| refuse(error.to_string()))?;
        let pipeline = line.expand(value).map_err(|unset| refuse(unset.to_string()))?;
        Ok(Self::of(step, patterns, pipeline))
    }

    /// A row, and its command with the variables filled in.
    pub fn of(step: &Step, patterns: &SecretPatterns, pipeline: Pipeline) -> Self {
        let intent = Intent {
            id: step.id.to_string(),
            phase: step.phase,
            effect: step.effect,
            // Before it is quoted: what stands in the place of a value has to be quoted, too.
            text: pipeline.map_words(|word| patterns.redact_str(word)).to_shell(),
            reads_key: pipeline.reads_header(),
        };
        Self { step: step.clone(), intent, pipeline }
    }
}

/// What came of a command.
pub struct Completed {
    /// How it ended.
    pub outcome: Outcome,
    /// Its standard output, where it is kept nowhere else.
    unkept: Option<Vec<u8>>,
}

impl Completed {
    /// What it printed, as far as [`interpret::events`] needs it: standard output and standard error.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn needed(&self, tree: &Tree) -> io::Result<(Vec<u8>, Vec<u8>)> {
        let needs_stdout = interpret::needs_stdout(&self.outcome.id);
        let stdout = if needs_stdout { self.stdout(tree)? } else { Vec::new() };
        Ok((stdout, self.stderr(tree)?))
    }

    /// What it printed, read back from where it is kept.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn stdout(&self, tree: &Tree) -> io::Result<Vec<u8>> {
        match &self.unkept {
            Some(bytes) => Ok(bytes.clone()),
            None => tree.read(self.outcome.stdout.as_ref()),
        }
    }

    /// What it printed on standard error.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn stderr(&self, tree: &Tree) -> io::Result<Vec<u8>> {
        tree.read(self.outcome.stderr.as_ref())
    }
}

/// With what commands are performed.
pub struct CommandContext<'a> {
    /// Where the programs are.
    pub programs: &'a Programs,
    /// What they print is kept here, and `inputs/` of it is their current folder.
    pub tree: &'a Tree,
    /// The kubeconfig they get.
    pub kubeconfig: &'a Kubeconfig,
    /// Variables that name a file by an absolute path.
    pub paths: &'a [(OsString, OsString)],
    /// The key, for those that send it.
    pub key: Option<&'a SecretString>,
    /// Tells when they started.
    pub clock: &'a Clock,
    /// Ends the grace of one that has to end.
    pub kill_now: &'a Cancel,
}

/// Performs a command; `copy_to` gets its standard output too, after it was kept.
///
/// # Errors
/// When it can't be started, or what it prints can't be kept.
pub fn perform(
    invocation: &Invocation,
    means: &CommandContext<'_>,
    deadline: Duration,
    copy_to: &mut dyn Write,
    cancels: &[&Cancel],
) -> Result<Completed, Error> {
    let tree = means.tree;
    let (out_file, err_file) = invocation.step.files();
    let header = invocation.intent.reads_key.then(|| means.key_header()).flatten();
    let env = means.environment(&invocation.step);
    let folder = tree.path("inputs");
    let command = exec::Command {
        stages: &invocation.pipeline.stages,
        programs: means.programs,
        dir: folder.as_std_path(),
        env: &env,
        stdin: header.as_deref().map(str::as_bytes),
        deadline,
        grace: exec::GRACE,
        kill_now: Some(means.kill_now),
    };
    let with_head = invocation.pipeline.stages.iter().flatten().any(|argument| argument == "-i");
    let sink = |file: &String| if with_head { tree.answer_sink(file) } else { tree.sink(file) };
    let mut kept = out_file.as_ref().map(sink);
    let mut unkept = Vec::new();
    let mut err = tree.sink(&err_file);
    let started = means.clock.now();
    let ended = match &mut kept {
        Some(sink) => exec::run(&command, &mut Tee(sink, copy_to), &mut err, cancels)?,
        None => exec::run(&command, &mut unkept, &mut err, cancels)?,
    };
    if let Some(error) = ended.sink_error {
        return Err(Error::Evidence(error));
    }
    let was_unkept = kept.is_none();
    let out = kept.map(Sink::finish).transpose()?.unwrap_or_default();
    let err = err.finish()?;
    let failed = ended.exit.iter().any(|&status| status != 0);
    let first_error = match &err.range {
        Some(range) if failed => {
            let mut first = range.clone();
            first.to = first.to.min(first.from + interpret::FIRST_ERROR_LIMIT);
            interpret::first_error(&tree.read(Some(&first))?)
        }
        _ => None,
    };
    let outcome = Outcome {
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
    Ok(Completed { outcome, unkept: was_unkept.then_some(unkept) })
}

impl CommandContext<'_> {
    fn key_header(&self) -> Option<String> {
        Some(format!("Authorization: Bearer {}\n", self.key?.expose_secret()))
    }

    /// What every child finds in its environment beside ours: no key, and the run's own kubeconfig first.
    /// `use-context` would write a lock beside every file of the list: it gets the overlay alone.
    fn environment(&self, step: &Step) -> Vec<(OsString, Option<OsString>)> {
        let kubeconfig =
            if step.id == "use-context" { &self.kubeconfig.overlay } else { &self.kubeconfig.list };
        let mut environment: Vec<(OsString, Option<OsString>)> = vec![
            ("STAGING_API_KEY".into(), None),
            ("KUBECTL_KUBERC".into(), Some("false".into())),
            ("LC_ALL".into(), Some("C".into())),
            // A kubectl lives for 50 ms, and collects garbage for a third of it.
            ("GOGC".into(), Some("400".into())),
            ("KUBECONFIG".into(), Some(kubeconfig.clone())),
        ];
        environment.extend(self.paths.iter().map(|(name, path)| (name.clone(), Some(path.clone()))));
        environment
    }
}

/// What is taken out of all that is written: the key, and each value that `STAGING_REDACT` names.
///
/// # Errors
/// When there are too many or too long ones.
pub fn patterns(inputs: &Inputs) -> Result<SecretPatterns, Error> {
    let key = inputs.api_key.as_ref().map(|key| ("STAGING_API_KEY", key.expose_secret()));
    let more = inputs.redact.iter().map(|(name, value)| (name.as_str(), value.expose_secret()));
    let named: Vec<(&str, &str)> = key.into_iter().chain(more).collect();
    SecretPatterns::of(&named)
        .map_err(|error| Error::Setup { what: "the values to redact", cause: error.to_string() })
}

struct Tee<'a, 'b>(&'a mut dyn Write, &'b mut dyn Write);

impl Write for Tee<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(bytes)?;
        self.1.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
