//! The end of a run: dump, journal, manifest, seal, signature and verdict.
//!
//! A run ends here whatever happened before. If the evidence can't be completed, its manifest keeps the
//! verdict `incomplete`.

use super::{Interruption, Run};
use crate::error::Error;
use crate::events::{EventKind, Scope};
use crate::evidence::{self, SIGNATURE, cmd_txt};
use crate::manifest::Manifest;
use crate::report::{self, EvidenceLocation};
use crate::run_state::RunState;
use crate::runbook::Phase;
use crate::{documents, signature, verdict};

impl Run {
    /// Ends a run, whatever its result, and returns the exit code.
    pub(super) fn end(mut self, result: Result<(), Interruption>) -> u8 {
        let place = self.close(result).unwrap_or_else(|error| {
            self.print_failure(&error.to_string());
            self.recorder.fail(&self.tree, &error);
            // The disk may accept no more data; the manifest that is on it has the verdict `incomplete`.
            self.seal().unwrap_or(None)
        });
        let unsigned = place.as_ref().and_then(|_| self.sign().err());
        let code = self.recorder.screen(|_, run| {
            let judgement = verdict::judge(run);
            report::closing(run, &judgement, self.job.scope, place.as_ref());
            judgement.exit_code
        });
        if self.job.scope != Scope::Whole {
            // This is the run's own temporary directory, and it contains nothing else.
            let _ = fs_err::remove_dir_all(self.tree.root());
        }
        match unsigned {
            Some(error) => {
                self.print_failure(&format!("the evidence is complete but not signed: {error}"));
                4
            }
            None => code,
        }
    }

    /// Prints a failure without the secrets that a message of the system may quote.
    fn print_failure(&self, error: &str) {
        report::fail(&self.tree.patterns().redact_str(error));
    }

    fn close(&mut self, result: Result<(), Interruption>) -> Result<Option<EvidenceLocation>, Error> {
        let result = match result {
            Err(Interruption::Judged) if self.stopped() && self.job.scope == Scope::Whole => {
                self.dump().map_err(Interruption::from)
            }
            other => other,
        };
        // The remaining files are small and must be written, so the reserved disk space is released for them.
        self.reserve = None;
        match result {
            Ok(()) | Err(Interruption::Judged) => {}
            Err(Interruption::Interrupted(signal)) => self.note(EventKind::Interrupted { signal })?,
            Err(Interruption::Failed(error)) => self.recorder.fail(&self.tree, &error),
        }
        if self.job.scope != Scope::Whole {
            self.note(EventKind::RunEnded)?;
            return Ok(None);
        }
        if let Some(by_ms) = self.recorder.clock.was_moved_by() {
            self.note(EventKind::ClockMoved { by_ms })?;
        }
        self.save()?;
        self.note(EventKind::FilesListed { files: self.tree.list()? })?;
        self.note(EventKind::RunEnded)?;
        self.seal()
    }

    /// Writes the final manifest, the attestation, and the checksums of the other files.
    fn seal(&self) -> Result<Option<EvidenceLocation>, Error> {
        if self.job.scope != Scope::Whole {
            return Ok(None);
        }
        self.save()?;
        let seal = self.recorder.read(|run| evidence::seal(&self.tree, run))?;
        Ok(Some(EvidenceLocation { evidence: self.tree.root().to_string(), seal: Some(seal) }))
    }

    fn sign(&self) -> Result<(), Error> {
        let Some(key) = &self.job.options.sign_with else { return Ok(()) };
        let signature = signature::sign(&self.programs, self.tree.root(), key, &self.signals.second)?;
        Ok(self.tree.replace(SIGNATURE, &signature)?)
    }

    fn stopped(&self) -> bool {
        self.recorder.read(|run| verdict::judge(run).stop.is_some())
    }

    /// Writes the files that are a fold over the journal so far: each phase's `cmd.txt`, and the manifest.
    ///
    /// It is called after each step, because the run may be killed in the next one.
    pub(super) fn save(&self) -> Result<(), Error> {
        self.save_as(&self.recorder.read(RunState::clone))
    }

    /// Writes the same files as [`Run::save`], from the given state.
    pub(super) fn save_as(&self, run: &RunState) -> Result<(), Error> {
        if self.job.scope != Scope::Whole {
            return Ok(());
        }
        let overlay = documents::overlay_of(run).unwrap_or_default();
        for phase in Phase::ALL {
            if let Some(text) = cmd_txt::render(run, phase, &overlay) {
                self.tree.replace(&format!("{}/cmd.txt", phase.folder()), text.as_bytes())?;
            }
        }
        let manifest = Manifest::of(run, &verdict::judge(run));
        let json = serde_json::to_string_pretty(&manifest).map_err(|error| Error::Evidence(error.into()))?;
        self.tree.replace("manifest.json", format!("{json}\n").as_bytes())?;
        Ok(())
    }
}
