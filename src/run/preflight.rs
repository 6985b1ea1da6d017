use std::path::PathBuf;
use std::thread;
use std::time::Instant;

use super::{Interruption, Run};
use crate::documents;
use crate::error::Error;
use crate::events::{EventKind, ManifestFile, Tool};
use crate::evidence::{sha256_of_bytes, sha256_of_file};
use crate::facts::manifest_text;
use crate::runbook::{DEPLOYMENTS, Deployment, Permission, guard_step, render_step, step, step_for};
use crate::session::Invocation;

impl Run {
    /// Step 1: the inputs are kept, and nothing is changed before every guard holds.
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
        for deployment in DEPLOYMENTS {
            let name = deployment.manifest.trim_start_matches("k8s/");
            let found_at = self.job.manifests.join(name);
            let (bytes, unreadable) = match fs_err::read(&found_at) {
                Ok(bytes) => (bytes, None),
                Err(error) => (Vec::new(), Some(error.to_string())),
            };
            let manifest = ManifestFile {
                file: deployment.manifest.to_owned(),
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

    /// The programs and their sums; those of kubectl's 50 MB take as long as a command.
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

    /// All questions at once: each only reads, or asks the server for a dry run, and which of the answers counts
    /// the guards decide.
    fn ask(&self) -> Result<(), Interruption> {
        let ids = [
            "version.kubectl",
            "version.curl",
            "version.jq",
            "context",
            "namespaces",
            "namespace",
            "status.before",
            "server",
            "whoami",
            "uids",
            "objects.before",
        ];
        let permissions = Permission::required();
        let guarded: &[Deployment] = if self.job.options.apply { DEPLOYMENTS } else { &[] };
        let mut invocations = self.invocations(&ids)?;
        for permission in &permissions {
            invocations.push(self.invocation(&step_for(permission), &[])?);
        }
        for deployment in guarded {
            invocations.push(self.invocation(&render_step(deployment), &[])?);
            invocations.push(self.invocation(&guard_step(deployment), &[])?);
        }
        let (tools, completed) = thread::scope(|scope| {
            let tools = scope.spawn(|| self.tools());
            let completed = self.all_at_once(&invocations, &[&*self.signals.first]);
            (tools.join(), completed)
        });
        self.note_tools(tools.unwrap_or_default())?;
        completed?.iter().try_for_each(|done| self.record_facts(done))?;
        if let Some(text) = self.recorder.read(documents::overlay_of) {
            self.kubeconfig.write(&text)?;
        }
        self.check_may_continue()
    }

    /// `versions.txt` and `target.txt`, for a person who looks; the journal holds the same.
    fn describe_target(&self) -> Result<(), Error> {
        let (versions, target) = self.recorder.read(|run| (documents::versions(run), documents::target(run)));
        self.tree.replace_text("preflight/versions.txt", &versions)?;
        self.tree.replace_text("preflight/target.txt", &target)?;
        Ok(())
    }

    /// Rows that need no more than the inputs.
    pub(super) fn invocations(&self, ids: &[&str]) -> Result<Vec<Invocation>, Error> {
        ids.iter().map(|id| self.invocation(step(id), &[])).collect()
    }
}
