//! What happens in a simulated run, chosen by a seed.

use std::collections::{BTreeMap, BTreeSet};

use super::answers::Recorded;
use crate::runbook::{HealthPath, StepId};

/// A source of random numbers that is the same for each seed (splitmix64).
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end.max(1)
    }

    pub(super) fn one_in(&mut self, number: u64) -> bool {
        self.below(number) == 0
    }
}

/// What a failing pod turns out to be when it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// It fails.
    Fails,
    /// It is being deleted.
    Deleting,
    /// It is gone.
    Gone,
    /// The server does not answer.
    Silent,
}

/// What happens in a run.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) random: Random,
    /// The steps that fail, each with its exit code and its error.
    pub(super) fails: BTreeMap<StepId, String>,
    /// The steps that hang until their deadline.
    pub(super) hangs: BTreeSet<StepId>,
    /// How long each path answers 503, in ms; the rest of the run if it is long.
    pub(super) unready_ms: BTreeMap<HealthPath, u64>,
    /// The checks that answer 500.
    pub(super) bad_checks: u64,
    /// Whether a manifest contains nothing.
    pub(super) blank_manifest: bool,
    /// Whether a pod fails before any change, and whether the apply then changes its Deployment.
    pub(super) failed_before: Option<bool>,
    /// Whether a pod fails when the state of the cluster is read after the rollouts.
    pub(super) fails_after: bool,
    /// When a pod fails, after the watch began, in ms, and what it is.
    pub(super) pod_fails: Option<(u64, Look)>,
    /// How often the server ends the watch, in ms; `None` if it never does.
    pub(super) watch_ends: Option<u64>,
    /// How long the watch shows nothing, in ms.
    pub(super) watch_is_slow: u64,
    /// When a signal comes, in ms.
    pub(super) signal_at: Option<u64>,
    /// The command after whose start a signal comes, and how long after it, in ms: most commands are short.
    pub(super) signal_in: Option<(u64, u64)>,
    /// The event that can't be written, as every later one until room is made.
    pub(super) disk_full_at: Option<u64>,
    /// The command whose output can't be kept.
    pub(super) output_lost: Option<StepId>,
    pub(super) clock_moved: Option<i64>,
    /// How many times slower than recorded each program is.
    pub(super) slower: u64,
}

impl Plan {
    pub(super) fn of(seed: u64, recorded: &Recorded) -> Self {
        let mut random = Random(seed);
        let ids: Vec<StepId> = recorded.answers.keys().cloned().collect();
        let any = |random: &mut Random| {
            let place = usize::try_from(random.below(ids.len() as u64)).unwrap_or_default();
            ids[place].clone()
        };
        let mut plan = Self {
            seed,
            fails: BTreeMap::new(),
            hangs: BTreeSet::new(),
            unready_ms: BTreeMap::new(),
            bad_checks: 0,
            blank_manifest: random.one_in(30),
            failed_before: random.one_in(10).then(|| random.one_in(2)),
            fails_after: random.one_in(30),
            pod_fails: None,
            watch_ends: random.one_in(6).then(|| 300 + random.below(20_000)),
            watch_is_slow: if random.one_in(8) { random.below(9000) } else { 0 },
            signal_at: random.one_in(8).then(|| random.below(60_000)),
            signal_in: None,
            disk_full_at: random.one_in(12).then(|| 3 + random.below(180)),
            output_lost: random.one_in(15).then(|| any(&mut random)),
            clock_moved: random.one_in(20).then_some(-3_600_000),
            slower: 1 + random.below(30),
            random: random.clone(),
        };
        while random.one_in(3) {
            plan.fails.insert(any(&mut random), "error: the server said no".to_owned());
        }
        if random.one_in(8) {
            plan.hangs.insert(any(&mut random));
        }
        for path in HealthPath::ALL {
            if random.one_in(4) {
                let long = if random.one_in(3) { 1_000_000 } else { 30_000 };
                plan.unready_ms.insert(path, random.below(long));
            }
        }
        if random.one_in(4) {
            plan.bad_checks = random.below(6);
        }
        if plan.failed_before.is_some() {
            plan.pod_fails = Some((0, Look::Fails));
        } else if random.one_in(3) {
            let looks = [Look::Fails, Look::Deleting, Look::Gone, Look::Silent];
            let look = looks[usize::try_from(random.below(4)).unwrap_or_default()];
            plan.pod_fails = Some((random.below(40_000), look));
        }
        plan.random = random;
        let mut other = Random(!seed);
        plan.signal_in = other.one_in(12).then(|| (1 + other.below(60), other.below(300)));
        plan
    }

    /// Returns whether a stop rule may fire.
    pub(super) fn may_stop(&self) -> bool {
        let deciding = |id: &StepId| {
            matches!(id, StepId::Apply(_) | StepId::Rollout(_) | StepId::Check(_) | StepId::Gate(_))
        };
        self.fails.keys().chain(&self.hangs).any(deciding)
            || self.pod_fails.is_some_and(|(_, look)| matches!(look, Look::Fails | Look::Silent))
            // A signal ends the look at a pod, which then counts.
            || self.pod_fails.is_some() && (self.has_signal() || self.disturbs_looks())
            || self.unready_ms.values().any(|ms| *ms + 60_000 > 120_000)
            || self.bad_checks > 2
            || self.fails_after
    }

    fn has_signal(&self) -> bool {
        self.signal_at.is_some() || self.signal_in.is_some()
    }

    fn disturbs_looks(&self) -> bool {
        self.fails.contains_key(&StepId::ConfirmPod) || self.hangs.contains(&StepId::ConfirmPod)
    }

    /// Returns whether nothing keeps the run from a verdict.
    pub(super) fn is_undisturbed(&self) -> bool {
        !self.has_signal()
            && self.disk_full_at.is_none()
            && self.output_lost.is_none()
            && self.hangs.is_empty()
            && self.fails.is_empty()
    }
}
