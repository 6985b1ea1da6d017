//! Step 1 of the runbook: copies the inputs into the evidence and checks every guard; it changes nothing on
//! the cluster.

use std::path::PathBuf;
use std::thread;
use std::time::Instant;

use super::{Interruption, Run};
use crate::documents;
use crate::error::Error;
use crate::events::{EventKind, ManifestFile, Tool};
use crate::evidence::{sha256_of_bytes, sha256_of_file};
use crate::facts::{context, manifest_text};
use crate::runbook::{StepId, VersionedTool};
use crate::session::{Completed, Invocation};

impl Run {
    /// Step 1: records the inputs, and checks that every guard holds before anything is changed.
    pub(super) fn preflight(&self) -> Result<(), Interruption> {
        let start = Instant::now();
        self.keep_manifests()?;
        self.ask()?;
        self.describe_target()?;
        self.step_ended(1, start)
    }

    fn keep_manifests(&self) -> Result<(), Interruption> {
        if !self.job.options.apply {
            return Ok(());
        }
        for deployment in &self.job.runbook.deployments {
            let name = deployment.manifest.trim_start_matches("k8s/");
            let found_at = self.job.manifests.join(name);
            let (bytes, unreadable) = match fs_err::read(&found_at) {
                Ok(bytes) => (bytes, None),
                Err(error) => (Vec::new(), Some(error.to_string())),
            };
            let manifest = ManifestFile {
                file: deployment.manifest.clone(),
                found_at: found_at.to_string(),
                sha256: unreadable.is_none().then(|| sha256_of_bytes(&bytes)),
                blank: unreadable.is_none() && manifest_text::is_blank(&bytes),
                holds_secret: manifest_text::holds_secret(&bytes),
                holds_named: self.tree.patterns().secrets_in(&bytes),
                placeholders: manifest_text::placeholders(&bytes).into_iter().collect(),
                unreadable,
            };
            let keep = manifest.unreadable.is_none()
                && manifest.holds_named.is_empty()
                && (!manifest.holds_secret || self.job.options.keep_secrets);
            if keep {
                self.tree.replace(&format!("inputs/{}", deployment.manifest), &bytes).map_err(Error::from)?;
            }
            self.note(EventKind::ManifestRead(manifest))?;
        }
        self.check_may_continue()
    }

    /// Returns the programs with their checksums; hashing kubectl's 50 MB takes as long as a command.
    fn tools(&self) -> Vec<Tool> {
        let tool = |(name, path): (&String, &PathBuf)| {
            let path = path.to_string_lossy().into_owned();
            let sha256 = sha256_of_file(path.as_str().into()).ok();
            Tool { name: name.clone(), path, sha256 }
        };
        self.programs.iter().map(tool).collect()
    }

    fn note_tools(&self, tools: Vec<Tool>) -> Result<(), Error> {
        tools.into_iter().try_for_each(|tool| self.note(EventKind::ToolFound(tool)))
    }

    /// Runs all queries in parallel: each only reads, or requests a server-side dry run.
    ///
    /// The guards decide which of the answers count.
    fn ask(&self) -> Result<(), Interruption> {
        let mut ids: Vec<StepId> = VersionedTool::ALL.into_iter().map(StepId::Version).collect();
        ids.extend([
            StepId::Context,
            StepId::Namespaces,
            StepId::Namespace,
            StepId::StatusBefore,
            StepId::Server,
            StepId::Whoami,
            StepId::Uids,
            StepId::ObjectsBefore,
        ]);
        let runbook = &self.job.runbook;
        ids.extend(runbook.permissions.iter().map(|permission| StepId::CanI(permission.id.clone())));
        for deployment in runbook.deployments.iter().filter(|_| self.job.options.apply) {
            ids.extend([StepId::Render(deployment.id.clone()), StepId::Guard(deployment.id.clone())]);
        }
        let invocations = self.invocations(&ids)?;
        let (tools, completed) = thread::scope(|scope| {
            let tools = scope.spawn(|| self.tools());
            let completed = self.all_at_once(&invocations, &[&*self.signals.first]);
            (tools.join(), completed)
        });
        self.note_tools(tools.unwrap_or_default())?;
        let completed = completed?;
        completed.iter().try_for_each(|done| self.record_facts(done))?;
        self.choose_context(&completed)?;
        self.check_may_continue()
    }

    /// Writes `versions.txt` and `target.txt` for human readers; the journal contains the same facts.
    fn describe_target(&self) -> Result<(), Error> {
        let (versions, target) = self.recorder.read(|run| (documents::versions(run), documents::target(run)));
        self.tree.replace("preflight/versions.txt", versions.as_bytes())?;
        self.tree.replace("preflight/target.txt", target.as_bytes())?;
        Ok(())
    }

    /// Returns the commands of steps that need only the inputs.
    pub(super) fn invocations(&self, ids: &[StepId]) -> Result<Vec<Invocation>, Error> {
        ids.iter().map(|id| self.invocation(id)).collect()
    }

    /// Writes the run's kubeconfig from the unredacted output of kubectl, because a name in it may contain a
    /// secret.
    fn choose_context(&self, completed: &[Completed]) -> Result<(), Error> {
        let printed = completed.iter().find(|done| done.outcome.id == StepId::Context);
        let context = printed.and_then(|done| context::parse(done.raw_stdout()?).ok());
        match context {
            Some(context) => {
                self.kubeconfig.write(&documents::overlay(&self.job.inputs.target.context, &context))
            }
            None => Ok(()),
        }
    }
}
