use std::time::Instant;

use super::{Break, Run};
use crate::error::Error;
use crate::events::What;
use crate::facts::{apply, deployments, endpoints, pods, rollout};
use crate::runbook::{DEPLOYMENTS, Deployment, step};

impl Run {
    /// Step 2: what the runbook applies, in its order.
    pub(super) fn deploy(&self) -> Result<(), Break> {
        let start = Instant::now();
        self.perform(step("use-context"))?;
        for deployment in DEPLOYMENTS {
            self.apply(deployment)?;
        }
        self.step_ended(2, start)?;
        self.reconsider_excused()
    }

    fn apply(&self, deployment: &Deployment) -> Result<(), Break> {
        let done = self.perform_live(step(&format!("apply.{}", deployment.key)))?;
        // Of one that failed, too: what it had changed before it did.
        let objects = apply::applied(&self.stdout(&done)?);
        self.note(What::Applied { file: deployment.manifest.to_owned(), objects })?;
        self.go_on()
    }

    /// A pod that was failing before is excused because the rollout may mend it. Where the apply changed
    /// nothing about its Deployment, nothing will.
    fn reconsider_excused(&self) -> Result<(), Break> {
        let excused = self
            .ledger
            .read(|record| record.pods_before.as_ref().is_some_and(|(_, failing)| !failing.is_empty()));
        if !excused {
            return Ok(());
        }
        let done = self.perform(step("objects.applied"))?;
        if done.outcome.succeeded() {
            self.note_generations(true, &self.stdout(&done)?)?;
        }
        self.look_again_at_excused()?;
        self.go_on()
    }

    /// Step 3: one rollout after the other, as the runbook waits. A STOP by the watch ends the waiting at once.
    /// Returns when it ended: stop rule 3 counts from there.
    pub(super) fn rollout(&self) -> Result<Instant, Break> {
        let start = Instant::now();
        for deployment in DEPLOYMENTS {
            let done = self.perform(step(&format!("rollout.{}", deployment.key)))?;
            if !done.outcome.ended_by.is_our_doing() {
                let exit = done.outcome.exit.last().copied().unwrap_or_default();
                let ending = rollout::ending(exit, &self.stderr(&done)?);
                self.note(What::RolloutEnded { deployment: deployment.name.to_owned(), ending })?;
            }
            self.go_on()?;
        }
        self.step_ended(3, start)?;
        Ok(Instant::now())
    }

    /// Step 4, and the facts the success criteria are judged by.
    pub(super) fn after(&self) -> Result<(), Break> {
        let start = Instant::now();
        let calls = self.calls(&["status.after", "objects.after"])?;
        let dones = self.side_by_side(&calls)?;
        if let Some(objects) = dones.last().filter(|done| done.outcome.succeeded()) {
            self.note_objects_after(&self.stdout(objects)?)?;
        }
        self.go_on()?;
        self.step_ended(4, start)
    }

    pub(super) fn note_objects_after(&self, printed: &[u8]) -> Result<(), Error> {
        let pods = pods::pods(printed)?;
        let deployments = deployments::deployments(printed)?;
        let services = endpoints::of_services(printed, printed)?;
        let ours = self.services_of_the_manifests();
        let services =
            services.into_iter().filter(|s| ours.as_ref().is_none_or(|ours| ours.contains(&s.service)));
        let services = services.collect();
        self.note(What::DeploymentsAfter { deployments })?;
        self.note(What::Endpoints { services })?;
        self.note(What::PodsAfter { pods: pods.into_iter().filter(|pod| !pod.deleting).collect() })
    }

    /// The Services the run applies; `None` when it applies nothing, so that all of the namespace count.
    fn services_of_the_manifests(&self) -> Option<Vec<String>> {
        self.job.options.apply.then(|| {
            self.ledger.read(|record| {
                let objects = record.landings.iter().flat_map(|landed| &landed.objects);
                objects.filter(|object| object.kind == "Service").map(|object| object.name.clone()).collect()
            })
        })
    }
}
