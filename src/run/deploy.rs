use std::time::Instant;

use super::{Interruption, Run};
use crate::runbook::{DEPLOYMENTS, Deployment, step};

impl Run {
    /// Step 2: what the runbook applies, in its order.
    pub(super) fn deploy(&self) -> Result<(), Interruption> {
        let start = Instant::now();
        self.perform(step("use-context"))?;
        for deployment in DEPLOYMENTS {
            self.apply(deployment)?;
        }
        self.step_ended(2, start)?;
        self.reconsider_excused()
    }

    fn apply(&self, deployment: &Deployment) -> Result<(), Interruption> {
        let done = self.perform_live(step(&format!("apply.{}", deployment.key)))?;
        self.record_facts(&done)?;
        self.check_may_continue()
    }

    /// A pod that was failing before is excused because the rollout may mend it. Where the apply changed
    /// nothing about its Deployment, nothing will.
    fn reconsider_excused(&self) -> Result<(), Interruption> {
        let excused = self
            .recorder
            .read(|run| run.pods_before.as_ref().is_some_and(|(_, failing)| !failing.is_empty()));
        if !excused {
            return Ok(());
        }
        let done = self.perform(step("objects.applied"))?;
        self.record_facts(&done)?;
        self.look_again_at_excused()?;
        self.check_may_continue()
    }

    /// Step 3: one rollout after the other, as the runbook waits. A STOP by the watch ends the waiting at once.
    pub(super) fn rollout(&self) -> Result<(), Interruption> {
        let start = Instant::now();
        for deployment in DEPLOYMENTS {
            let done = self.perform(step(&format!("rollout.{}", deployment.key)))?;
            self.record_facts(&done)?;
            self.check_may_continue()?;
        }
        self.step_ended(3, start)
    }

    /// Step 4, and the facts the success criteria are judged by.
    pub(super) fn after(&self) -> Result<(), Interruption> {
        let start = Instant::now();
        let invocations = self.invocations(&["status.after", "objects.after"])?;
        let completed = self.side_by_side(&invocations)?;
        completed.iter().try_for_each(|done| self.record_facts(done))?;
        self.check_may_continue()?;
        self.step_ended(4, start)
    }
}
