use std::collections::BTreeMap;
use std::path::PathBuf;
use std::thread;
use std::time::Instant;

use super::commands::{Call, Done};
use super::{Break, Run, overlay};
use crate::error::Error;
use crate::events::{FailingPod, ManifestFile, Tool, ToolVersion, What};
use crate::evidence::{sha256_of_bytes, sha256_of_file};
use crate::facts::{can_i, context, deployments, dry_run, manifest_text, pods, stderr, versions, whoami};
use crate::runbook::{DEPLOYMENTS, Deployment, Permission, guard_step, render_step, step, step_for};

impl Run {
    /// Step 1: the inputs are kept, and nothing is changed before every guard holds.
    pub(super) fn preflight(&self) -> Result<(), Break> {
        let start = Instant::now();
        self.keep_manifests()?;
        self.ask()?;
        self.describe_target()?;
        self.step_ended(1, start)
    }

    /// What the smoke checks alone need to know: curl and jq.
    pub(super) fn preflight_of_smoke(&self) -> Result<(), Break> {
        self.note_tools(self.tools())?;
        Ok(())
    }

    fn keep_manifests(&self) -> Result<(), Break> {
        fs_err::create_dir_all(self.tree.path("inputs/k8s")).map_err(Error::from)?;
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
                holds_named: self.tree.forms().names_in(&bytes),
                placeholders: manifest_text::placeholders(&bytes).into_iter().collect(),
                unreadable,
            };
            let keep = manifest.unreadable.is_none()
                && manifest.holds_named.is_empty()
                && (!manifest.holds_secret || self.job.options.keep_secrets);
            if keep {
                self.tree.replace(&format!("inputs/{}", deployment.manifest), &bytes).map_err(Error::from)?;
            }
            self.note(What::ManifestRead(manifest))?;
        }
        self.go_on()
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
        tools.into_iter().try_for_each(|tool| self.note(What::ToolFound(tool)))
    }

    /// All questions at once: each only reads, or asks the server for a dry run, and which of the answers counts
    /// the guards decide.
    fn ask(&self) -> Result<(), Break> {
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
        let mut calls = self.calls(&ids)?;
        for permission in &permissions {
            calls.push(self.call(&step_for(permission), &[])?);
        }
        for deployment in guarded {
            calls.push(self.call(&render_step(deployment), &[])?);
            calls.push(self.call(&guard_step(deployment), &[])?);
        }
        let (tools, dones) = thread::scope(|scope| {
            let tools = scope.spawn(|| self.tools());
            let dones = self.all_at_once(&calls, &[&*self.signals.first]);
            (tools.join(), dones)
        });
        self.note_tools(tools.unwrap_or_default())?;
        let dones = dones?;
        let (facts, rest) = dones.split_at(ids.len());
        let (answers, renders) = rest.split_at(permissions.len());
        self.note_facts(facts)?;
        for (permission, answer) in permissions.iter().zip(answers) {
            self.note_permission(permission, answer)?;
        }
        for (deployment, dones) in guarded.iter().zip(renders.chunks(2)) {
            if let [rendered, landed] = dones {
                self.note_rendered(deployment, rendered)?;
                self.note_landings(deployment, landed)?;
            }
        }
        if let Some(text) = self.overlay_text() {
            self.kubeconfig.write(&text)?;
        }
        self.go_on()
    }

    fn note_facts(&self, dones: &[Done]) -> Result<(), Error> {
        let [kubectl, curl, jq, context, _, _, _, server, user, uids, objects] = dones else { return Ok(()) };
        let told = [
            ("kubectl", versions::kubectl_client(&self.stdout(kubectl)?).ok()),
            ("curl", versions::curl(&self.stdout(curl)?)),
            ("jq", versions::jq(&self.stdout(jq)?)),
        ];
        for (name, version) in told {
            let numbers = version.as_ref().map(|version| (version.major, version.minor));
            let version = version.map(|version| version.text);
            self.note(What::ToolVersion(ToolVersion { name: name.to_owned(), version, numbers }))?;
        }
        if let Ok(context) = context::parse(&self.stdout(context)?) {
            self.note(What::ContextRead(context))?;
        }
        self.note_server(server)?;
        self.note_user(user)?;
        self.note_uids(uids)?;
        self.note_objects_before(objects)
    }

    /// The run's kubeconfig as text; `None`: the context is not known.
    pub(super) fn overlay_text(&self) -> Option<String> {
        self.ledger.read(|record| {
            record.context.as_ref().map(|context| overlay::text(&self.job.inputs.context, context))
        })
    }

    fn note_server(&self, done: &Done) -> Result<(), Error> {
        let version = versions::server(&self.stdout(done)?).ok().flatten().map(|version| version.text);
        self.note(What::ServerVersion { version })
    }

    fn note_user(&self, done: &Done) -> Result<(), Error> {
        let name = whoami::username(&self.stdout(done)?).ok().flatten();
        self.note(What::ClusterUser { name })
    }

    fn note_uids(&self, done: &Done) -> Result<(), Error> {
        let printed = self.stdout(done)?;
        let printed = String::from_utf8_lossy(&printed);
        let uids: BTreeMap<&str, &str> = printed.lines().filter_map(|line| line.split_once(' ')).collect();
        for namespace in ["kube-system", &self.job.inputs.namespace] {
            let uid = uids.get(namespace).map(|uid| (*uid).to_owned());
            self.note(What::NamespaceUid { namespace: namespace.to_owned(), uid })?;
        }
        Ok(())
    }

    fn note_objects_before(&self, done: &Done) -> Result<(), Error> {
        if !done.outcome.succeeded() {
            return Ok(());
        }
        let printed = self.stdout(done)?;
        let pods = pods::pods(&printed)?;
        let failing = pods
            .iter()
            .filter(|pod| !pod.deleting)
            .filter_map(|pod| {
                let failing = pod.failing()?;
                let (deployment, uid) = (pod.deployment.clone(), pod.uid.clone());
                Some(FailingPod { pod: pod.name.clone(), uid, deployment, failing })
            })
            .collect();
        self.note(What::PodsBefore { total: pods.len(), failing })?;
        self.note_generations(false, &printed)
    }

    pub(super) fn note_generations(&self, applied: bool, printed: &[u8]) -> Result<(), Error> {
        let deployments = deployments::deployments(printed)?;
        let generations = deployments.into_iter().map(|d| (d.name, d.generation)).collect();
        self.note(What::Generations { applied, generations })
    }

    fn note_permission(&self, permission: &Permission, done: &Done) -> Result<(), Error> {
        let answer = can_i::answer(&self.stdout(done)?);
        let namespace = &self.job.inputs.namespace;
        self.note(What::PermissionAnswered {
            id: permission.id.clone(),
            question: permission.question.replace("\"$STAGING_NAMESPACE\"", namespace),
            needed_for: permission.needed_for.clone(),
            answer,
        })
    }

    fn note_rendered(&self, deployment: &Deployment, done: &Done) -> Result<(), Error> {
        let left = manifest_text::placeholders(&self.stdout(done)?).into_iter().collect();
        self.note(What::Rendered { file: deployment.manifest.to_owned(), left })
    }

    fn note_landings(&self, deployment: &Deployment, done: &Done) -> Result<(), Error> {
        if !done.outcome.succeeded() {
            return Ok(());
        }
        let objects = dry_run::landings(&self.stdout(done)?);
        let warnings = stderr::warnings(&self.stderr(done)?);
        self.note(What::WouldLand { file: deployment.manifest.to_owned(), objects, warnings })
    }

    /// `versions.txt` and `target.txt`, for a person who looks; the journal holds the same.
    fn describe_target(&self) -> Result<(), Error> {
        let (versions, target) =
            self.ledger.read(|record| (super::describe::versions(record), super::describe::target(record)));
        self.tree.replace_text("preflight/versions.txt", &versions)?;
        self.tree.replace_text("preflight/target.txt", &target)?;
        Ok(())
    }

    /// Rows that need no more than the inputs.
    pub(super) fn calls(&self, ids: &[&str]) -> Result<Vec<Call>, Error> {
        ids.iter().map(|id| self.call(step(id), &[])).collect()
    }
}
