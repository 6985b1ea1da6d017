use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use secrecy::ExposeSecret;

use super::lines::Lines;
use super::{Break, Run};
use crate::command::{self, Pipeline};
use crate::error::Error;
use crate::events::{EndedBy, Intent, Outcome, What};
use crate::evidence::Sink;
use crate::exec::{self, Halt};
use crate::moment::millis;
use crate::reading::{self, Printed};
use crate::runbook::{CHECKS, Keep, Limit, Step};
use crate::verdict;

/// Whose turn it is to run a step: the journal tells the end of a command by the step's id, so a step that the watch
/// and the listing beside it both need is done one after the other.
#[derive(Default)]
pub(super) struct Turns(Mutex<BTreeMap<String, Arc<Mutex<()>>>>);

impl Turns {
    fn of(&self, id: &str) -> Arc<Mutex<()>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(id.to_owned()).or_default())
    }
}

/// A step with its variables filled in.
pub(super) struct Call {
    step: Step,
    intent: Intent,
    pipeline: Pipeline,
}

/// What came of a command.
pub(super) struct Done {
    pub(super) outcome: Outcome,
    /// Its standard output, where it is kept nowhere else.
    unkept: Option<Vec<u8>>,
}

impl Run {
    /// A row with its variables filled in; `extra` are those that are no input.
    pub(super) fn call(&self, step: &Step, extra: &[(&str, &str)]) -> Result<Call, Error> {
        let refuse = |why: String| Error::Row { id: step.id.to_string(), why };
        let line = command::parse(&step.text).map_err(|error| refuse(error.to_string()))?;
        let pipeline =
            line.expand(|name| self.variable(name, extra)).map_err(|unset| refuse(unset.to_string()))?;
        let reads_key = pipeline.stages.iter().flatten().any(|argument| argument == "@-");
        let intent = Intent {
            id: step.id.to_string(),
            phase: step.phase,
            effect: step.effect,
            text: pipeline.to_shell(),
            reads_key,
        };
        Ok(Call { step: step.clone(), intent, pipeline })
    }

    /// Runs a row's command to its end.
    pub(super) fn perform(&self, step: &Step) -> Result<Done, Break> {
        let done = self.perform_live(step)?;
        self.go_on()?;
        Ok(done)
    }

    /// As [`Run::perform`], before it is judged whether the run goes on.
    pub(super) fn perform_live(&self, step: &Step) -> Result<Done, Error> {
        let mut live = Lines::new(|line: &str| {
            self.ledger.screen(|screen, _| screen.child_line(line));
            Ok(())
        });
        self.perform_call(&self.call(step, &[])?, &mut live, &[&*self.signals.first, &self.stop])
    }

    /// Runs a command to its end; `tee` gets its standard output too, after it was kept.
    pub(super) fn perform_call(
        &self,
        call: &Call,
        tee: &mut dyn Write,
        halts: &[&Halt],
    ) -> Result<Done, Error> {
        let turn = self.turns.of(&call.intent.id);
        let _mine = turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.note(What::CommandStarts(call.intent.clone()))?;
        let done = self.execute(call, tee, halts)?;
        self.note(What::CommandEnded(done.outcome.clone()))?;
        Ok(done)
    }

    /// Runs commands side by side. All are announced before the first one starts, and what came of them is
    /// written down in their own order.
    pub(super) fn side_by_side(&self, calls: &[Call]) -> Result<Vec<Done>, Break> {
        let dones = self.all_at_once(calls, &[&*self.signals.first, &self.stop])?;
        self.go_on()?;
        Ok(dones)
    }

    /// As [`Run::side_by_side`], with halts of the caller's.
    pub(super) fn all_at_once(&self, calls: &[Call], halts: &[&Halt]) -> Result<Vec<Done>, Error> {
        for call in calls {
            self.note(What::CommandStarts(call.intent.clone()))?;
        }
        let results: Vec<Result<Done, Error>> = thread::scope(|scope| {
            let threads: Vec<_> =
                calls.iter().map(|call| scope.spawn(|| self.execute(call, &mut io::sink(), halts))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(panicked()))).collect()
        });
        let mut dones = Vec::with_capacity(calls.len());
        for result in results {
            let done = result?;
            self.note(What::CommandEnded(done.outcome.clone()))?;
            dones.push(done);
        }
        Ok(dones)
    }

    /// Writes down what follows from what a command printed.
    pub(super) fn take_in(&self, done: &Done) -> Result<(), Error> {
        let needed = reading::needs_stdout(&done.outcome.id);
        let (stdout, stderr) = (if needed { self.stdout(done)? } else { Vec::new() }, self.stderr(done)?);
        let printed = Printed { outcome: &done.outcome, stdout: &stdout, stderr: &stderr };
        let events = self.ledger.read(|record| reading::events(record, &printed))?;
        events.into_iter().try_for_each(|what| self.note(what))
    }

    /// What a command printed, read back from where it is kept.
    pub(super) fn stdout(&self, done: &Done) -> Result<Vec<u8>, Error> {
        match &done.unkept {
            Some(bytes) => Ok(bytes.clone()),
            None => Ok(self.tree.read(done.outcome.stdout.as_ref())?),
        }
    }

    /// What a command printed on standard error.
    pub(super) fn stderr(&self, done: &Done) -> Result<Vec<u8>, Error> {
        Ok(self.tree.read(done.outcome.stderr.as_ref())?)
    }

    fn execute(&self, call: &Call, tee: &mut dyn Write, halts: &[&Halt]) -> Result<Done, Error> {
        let (out_file, err_file) = files(&call.step);
        let header = call.intent.reads_key.then(|| self.key_header()).flatten();
        let env = self.environment(&call.step);
        let folder = self.tree.path("inputs");
        let command = exec::Command {
            stages: &call.pipeline.stages,
            programs: &self.programs,
            dir: folder.as_std_path(),
            env: &env,
            stdin: header.as_deref().map(str::as_bytes),
            deadline: self.deadline(call.step.limit),
            grace: exec::GRACE,
            hurry: Some(&self.signals.second),
        };
        let with_head = call.pipeline.stages.iter().flatten().any(|argument| argument == "-i");
        let sink = |file: &String| if with_head { self.tree.answer_sink(file) } else { self.tree.sink(file) };
        let mut kept = out_file.as_ref().map(sink);
        let mut unkept = Vec::new();
        let mut err = self.tree.sink(&err_file);
        let started = self.ledger.clock.now();
        let ended = match &mut kept {
            Some(sink) => exec::run(&command, &mut Tee(sink, tee), &mut err, halts)?,
            None => exec::run(&command, &mut unkept, &mut err, halts)?,
        };
        if let Some(error) = ended.sink_error {
            return Err(Error::Evidence(error));
        }
        let was_unkept = kept.is_none();
        let out = kept.map(Sink::finish).transpose()?.unwrap_or_default();
        let err = err.finish()?;
        let failed = ended.exit.iter().any(|&status| status != 0);
        let said = match &err.stretch {
            Some(stretch) if failed => {
                let mut first = stretch.clone();
                first.to = first.to.min(first.from + reading::SAID_LIMIT);
                reading::said(&self.tree.read(Some(&first))?)
            }
            _ => None,
        };
        let outcome = Outcome {
            id: call.intent.id.clone(),
            started,
            duration_ms: millis(ended.duration),
            exit: ended.exit,
            ended_by: ended.by,
            note: ended.note,
            stdout: out.stretch,
            stderr: err.stretch,
            said,
            redactions: out.redactions.into_iter().chain(err.redactions).collect(),
        };
        Ok(Done { outcome, unkept: was_unkept.then_some(unkept) })
    }

    fn variable(&self, name: &str, extra: &[(&str, &str)]) -> Option<String> {
        if let Some((_, value)) = extra.iter().find(|(extra, _)| *extra == name) {
            return Some((*value).to_owned());
        }
        self.ledger.read(|record| verdict::variable(&record.began.as_ref()?.1, name))
    }

    fn key_header(&self) -> Option<String> {
        let key = self.job.inputs.api_key.as_ref()?;
        Some(format!("Authorization: Bearer {}\n", key.expose_secret()))
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
        environment.extend(self.job.paths.iter().map(|(name, path)| (name.into(), Some(path.into()))));
        environment
    }

    fn deadline(&self, limit: Limit) -> Duration {
        match limit {
            Limit::Quick => Duration::from_secs(30),
            Limit::Confirm => Duration::from_secs(2),
            Limit::Apply => Duration::from_mins(2),
            Limit::Rollout => self.job.rollout_timeout + Duration::from_secs(30),
            Limit::Request => Duration::from_secs(15),
            Limit::Samples => Duration::from_mins(4),
            Limit::Run => Duration::from_hours(24),
        }
    }
}

/// Where a step's standard output and standard error go.
fn files(step: &Step) -> (Option<String>, String) {
    let own = |end: &str| format!("{}/out/{}.{end}", step.phase.folder(), step.id);
    match step.keep {
        Keep::Own => (Some(own("out")), own("err")),
        Keep::DeployLog => (Some("deploy/stdout.log".to_owned()), "deploy/stderr.log".to_owned()),
        Keep::File(file) => (Some(file.to_owned()), own("err")),
        Keep::Response => {
            let check = CHECKS.iter().find(|check| check.id() == step.id);
            (check.map(|check| format!("smoke/responses/{}", check.file_name())), own("err"))
        }
        Keep::Nowhere => (None, own("err")),
    }
}

/// Whether a command was ended because the run was told to stop, so that nothing follows from it.
pub(super) fn was_halted(done: &Done) -> bool {
    done.outcome.ended_by == EndedBy::StagingDryRun
}

fn panicked() -> Error {
    Error::Setup { what: "internal error", cause: "a thread of ours panicked".to_owned() }
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
