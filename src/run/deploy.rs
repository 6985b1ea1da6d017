//! Steps 2 to 4 of the runbook: apply, wait for the rollouts, and read the state afterwards.

use std::time::Instant;

use super::{Interruption, Run};
use crate::runbook::{Deployment, StepId};

impl Run {
    /// Step 2: applies the manifests in the runbook's order.
    pub(super) fn deploy(&self) -> Result<(), Interruption> {
        let start = Instant::now();
        self.perform(&StepId::UseContext)?;
        for deployment in &self.job.runbook.deployments {
            self.apply(deployment)?;
        }
        self.step_ended(2, start)?;
        self.reconsider_excused()
    }

    fn apply(&self, deployment: &Deployment) -> Result<(), Interruption> {
        let done = self.perform_live(&StepId::Apply(deployment.id.clone()))?;
        self.record_facts(&done)?;
        self.check_may_continue()
    }

    /// Judges the excused pods again after the apply.
    ///
    /// A pod that was failing before is excused because the rollout may fix it. If the apply changed nothing
    /// about its Deployment, the excuse ends.
    fn reconsider_excused(&self) -> Result<(), Interruption> {
        let excused = self
            .recorder
            .read(|run| run.pods_before.as_ref().is_some_and(|(_, failing)| !failing.is_empty()));
        if !excused {
            return Ok(());
        }
        let done = self.perform(&StepId::ObjectsApplied)?;
        self.record_facts(&done)?;
        self.look_again_at_excused()?;
        self.check_may_continue()
    }

    /// Step 3: waits for one rollout after the other, as the runbook does; a STOP by the watch ends the wait
    /// at once.
    pub(super) fn rollout(&self) -> Result<(), Interruption> {
        let start = Instant::now();
        for deployment in &self.job.runbook.deployments {
            let done = self.perform(&StepId::Rollout(deployment.id.clone()))?;
            self.record_facts(&done)?;
            self.check_may_continue()?;
        }
        self.step_ended(3, start)
    }

    /// Step 4: reads the state of the cluster, including the facts for the success criteria.
    pub(super) fn after(&self) -> Result<(), Interruption> {
        let start = Instant::now();
        let invocations = self.invocations(&[StepId::StatusAfter, StepId::ObjectsAfter])?;
        let completed = self.side_by_side(&invocations)?;
        completed.iter().try_for_each(|done| self.record_facts(done))?;
        self.check_may_continue()?;
        self.step_ended(4, start)
    }
}
