//! Run states for tests, built event by event as in a run.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use crate::events::{
    Began, Conclusion, Effect, EndedBy, Event, EventKind, Git, Intent, ManifestFile, Options, Outcome,
    Program, RunbookId, Scope, Sighting, Target, ToolVersion, Who,
};
use crate::facts::apply::{self, Applied};
use crate::facts::context::Context;
use crate::facts::curl::Transfer;
use crate::facts::deployments::DeploymentStatus;
use crate::facts::dry_run::Landing;
use crate::facts::endpoints::{Assignment, ServiceEndpoints};
use crate::facts::pods::{Container, Failing, Pod, State, Trouble};
use crate::facts::rollout::Ending;
use crate::moment::Moment;
use crate::run_state::RunState;
use crate::runbook::{Phase, Runbook, StepId};

/// A list of events, a tenth of a second apart.
#[derive(Default)]
pub(crate) struct Events(pub(crate) Vec<Event>);

/// A command that ended by itself, silently.
pub(crate) fn outcome(id: &str, exit: &[i32]) -> Outcome {
    Outcome {
        n: 1,
        id: step(id),
        started: at(0),
        duration_ms: 100,
        exit: exit.to_vec(),
        ended_by: EndedBy::Itself,
        note: None,
        stdout: None,
        stderr: None,
        first_error: None,
        redactions: Vec::new(),
    }
}

impl Events {
    pub(crate) fn add(&mut self, what: EventKind) -> &mut Self {
        let seq = self.0.len() as u64 + 1;
        self.0.push(Event { seq, at: at(seq * 100), kind: what });
        self
    }

    pub(crate) fn run(&self) -> RunState {
        let mut run = nothing_yet();
        for event in &self.0 {
            run.add(event);
        }
        run
    }

    /// Adds a command, from its start to its end.
    pub(crate) fn command(&mut self, id: &str, effect: Effect, exit: &[i32]) -> &mut Self {
        self.starts(id, effect).ends(id, exit, None)
    }

    pub(crate) fn starts(&mut self, id: &str, effect: Effect) -> &mut Self {
        self.add(EventKind::CommandStarts(Intent {
            n: self.run().commands.len() as u64 + 1,
            id: step(id),
            phase: Phase::Deploy,
            effect,
            text: format!("kubectl {id}"),
            met: BTreeMap::new(),
            because: None,
            deadline_ms: 30_000,
            reads_key: false,
        }))
    }

    pub(crate) fn ends(&mut self, id: &str, exit: &[i32], said: Option<&str>) -> &mut Self {
        let (run, started) = (self.run(), at(self.0.len() as u64 * 100));
        let last = run.commands.iter().rev().find(|command| command.intent.id == step(id));
        self.add(EventKind::CommandEnded(Outcome {
            n: last.map_or(0, |command| command.intent.n),
            started,
            first_error: said.map(str::to_owned),
            ..outcome(id, exit)
        }))
    }

    pub(crate) fn step(&mut self, step: u8, duration_ms: u64) -> &mut Self {
        self.add(EventKind::StepEnded { step, duration_ms })
    }

    pub(crate) fn preflight(&mut self) -> &mut Self {
        for (name, numbers) in [("kubectl", (1, 32)), ("curl", (7, 88)), ("jq", (1, 6))] {
            let version =
                ToolVersion { name: name.into(), version: Some("x".into()), numbers: Some(numbers) };
            self.add(EventKind::ToolVersion(version));
        }
        let server = Some("https://10.0.0.1:6443".to_owned());
        let context = Context { cluster: "c".into(), user: "u".into(), namespace: None, server };
        self.add(EventKind::ContextRead(context));
        self.add(EventKind::ServerVersion { version: Some("v1.34.4".into()) });
        self.add(EventKind::ClusterUser { name: Some("ci-deployer".into()) });
        for deployment in &runbook().deployments {
            let file = deployment.manifest.clone();
            self.add(EventKind::ManifestRead(manifest(&file)));
            self.add(EventKind::WouldLand {
                file,
                objects: vec![landing(&deployment.name)],
                warnings: Vec::new(),
            });
        }
        let (question, needed_for) = ("get pods -n dpp-staging".to_owned(), "stop rule 2".to_owned());
        self.add(EventKind::PermissionAnswered {
            id: step("can-i.get-pods"),
            question,
            needed_for,
            answer: Some(true),
        })
    }

    pub(crate) fn applied(&mut self, manifest: &str, objects: &[(&str, apply::ApplyOutcome)]) -> &mut Self {
        let applied = |(object, outcome): &(&str, apply::ApplyOutcome)| Applied {
            object: (*object).to_owned(),
            outcome: outcome.clone(),
        };
        self.add(EventKind::Applied { file: manifest.into(), objects: objects.iter().map(applied).collect() })
    }

    pub(crate) fn deploy(&mut self) -> &mut Self {
        self.command("use-context", Effect::Reads, &[0]);
        for deployment in &runbook().deployments {
            self.command(&format!("apply.{}", deployment.id.as_str()), Effect::Changes, &[0, 0, 0, 0]);
            let object = format!("deployment.apps/{}", deployment.name);
            self.applied(&deployment.manifest, &[(&object, apply::ApplyOutcome::Configured)]);
        }
        self.step(2, 712)
    }

    pub(crate) fn rolled_out(&mut self) -> &mut Self {
        for deployment in &runbook().deployments {
            self.command(&format!("rollout.{}", deployment.id.as_str()), Effect::Reads, &[0]);
            self.add(EventKind::RolloutEnded {
                deployment: deployment.name.clone(),
                ending: Ending::RolledOut,
            });
        }
        self.step(3, 41_180)
    }

    pub(crate) fn after(&mut self) -> &mut Self {
        self.command("status.after", Effect::Reads, &[0]);
        let deployments = runbook().deployments.iter().map(|d| deployment(&d.name, 3, 3)).collect();
        self.add(EventKind::DeploymentsAfter { deployments });
        let service = "dpp-api".to_owned();
        let services = vec![ServiceEndpoints { service, ready_endpoints: 3, state: Assignment::Assigned }];
        self.add(EventKind::Endpoints { services });
        self.add(EventKind::PodsAfter { pods: vec![pod("dpp-api-7d9c-aaaaa", State::Running)] });
        self.step(4, 170)
    }

    pub(crate) fn healthy(&mut self, path: &str, asks: u32, status: &str) -> &mut Self {
        self.add(EventKind::HealthAsked {
            id: step(&format!("gate.{}", &path[1..])),
            path: path.into(),
            asks,
            http_status: status.into(),
            waited_ms: u64::from(asks - 1) * 1000,
            limit_ms: 120_000,
        })
    }

    /// Adds the ten answers: 404 for the checks in `failed`, and the status that the runbook expects for the
    /// others.
    pub(crate) fn checks(&mut self, failed: &[u8]) -> &mut Self {
        for check in &runbook().checks {
            let expected = check.accepted(true)[0].as_str();
            let status = if failed.contains(&check.number.get()) { "404" } else { expected };
            let url = format!("https://staging-api.decisionproof.ai{}", check.path);
            self.add(EventKind::CheckAnswered { check: check.number, url, transfer: transfer(status) });
        }
        self
    }

    pub(crate) fn smoke(&mut self, failed: &[u8]) -> &mut Self {
        self.healthy("/health", 1, "200").healthy("/readyz", 1, "200").checks(failed);
        for id in ["body.health", "body.readyz"] {
            self.command(id, Effect::Reads, &[0]);
        }
        self.add(EventKind::LatencySampled { id: step("latency.health"), samples: 20, p95_ms: Some(18) });
        self.add(EventKind::LatencySampled { id: step("latency.docs"), samples: 20, p95_ms: Some(1044) });
        self.step(5, 1100)
    }

    pub(crate) fn seen(&mut self, pod: &str, status: &str, conclusion: Conclusion) -> &mut Self {
        let line = format!("MODIFIED   {pod}   0/1   {status}   2 (0s ago)   2s");
        let (pod, status, command) = (pod.to_owned(), status.to_owned(), StepId::WatchPods);
        let seen_at = at(self.0.len() as u64 * 100);
        let sighting = Sighting { pod, status, line, command, n: 1, to: 0, seen_at };
        self.add(EventKind::PodJudged { sighting, conclusion, container: Some(failing()) })
    }

    pub(crate) fn end(&mut self) -> &mut Self {
        let files = runbook().evidence_files.iter().map(|file| file.path.clone()).collect();
        self.add(EventKind::FilesListed { files }).add(EventKind::RunEnded)
    }
}

/// Returns the built-in runbook.
pub(crate) fn runbook() -> Arc<Runbook> {
    static BUILT_IN: LazyLock<Arc<Runbook>> = LazyLock::new(|| Arc::new(Runbook::built_in().unwrap()));
    BUILT_IN.clone()
}

/// Returns the state of a run that has a runbook and has not begun.
pub(crate) fn nothing_yet() -> RunState {
    RunState { runbook: runbook(), ..RunState::default() }
}

/// Parses a step id.
pub(crate) fn step(id: &str) -> StepId {
    id.parse().unwrap()
}

/// Returns the events of a run that began with the runbook's example values.
pub(crate) fn events() -> Events {
    let mut events = Events::default();
    events.add(EventKind::RunBegan(Box::new(began())));
    events
}

pub(crate) fn begun() -> RunState {
    events().run()
}

pub(crate) fn began() -> Began {
    Began {
        schema: crate::schema::File::Journal.schema(),
        scope: Scope::Whole,
        run_id: "20261123T161952Z-106f58".into(),
        evidence_dir: "/repo/evidence/staging/20261123".into(),
        target: Target {
            context: "staging-cluster".into(),
            namespace: "dpp-staging".into(),
            base_url: "https://staging-api.decisionproof.ai".into(),
            metrics_url: None,
            image_tag: "v0.4.2.2".into(),
            aws_account_id: Some("123456789012".into()),
            aws_region: "us-east-1".into(),
        },
        options: Options {
            apply: true,
            strict: false,
            stop_on: Vec::new(),
            allow_placeholder: Vec::new(),
            keep_secrets: false,
            rollout_timeout: "5m".into(),
            health_timeout_ms: 120_000,
            sign_with: None,
        },
        with_key: true,
        who: Who { user: None, host: None, ci: None },
        git: Git { commit: None, branch: None, manifests_dirty: None, why: None },
        program: Program {
            name: "staging-dry-run".into(),
            version: "0.2.0".into(),
            sha256: None,
            argv: vec!["run".into()],
            runbook: RunbookId { id: "DP-STAGING-DRY-RUN-v0.4".into(), sha256: String::new() },
        },
        environment: Vec::new(),
        previous_run: None,
    }
}

pub(crate) fn at(millis: u64) -> Moment {
    let start: jiff::Timestamp = "2026-11-23T16:19:52Z".parse().unwrap();
    Moment(start + std::time::Duration::from_millis(millis))
}

fn manifest(file: &str) -> ManifestFile {
    ManifestFile {
        file: file.into(),
        found_at: file.into(),
        unreadable: None,
        sha256: None,
        blank: false,
        holds_secret: false,
        holds_named: Vec::new(),
        placeholders: Vec::new(),
    }
}

pub(crate) fn failing() -> Failing {
    Failing {
        container: "dpp-api".into(),
        word: "CrashLoopBackOff".into(),
        reason: Some("Error".into()),
        exit_code: Some(1),
        restarts: 2,
        image: "dpp-api:v0.4.2.3".into(),
    }
}

pub(crate) fn deployment(name: &str, ready: u32, updated: u32) -> DeploymentStatus {
    DeploymentStatus {
        name: name.into(),
        uid: String::new(),
        generation: 2,
        observed_generation: 2,
        wanted: 3,
        replicas: 3,
        updated,
        ready,
        available: ready,
        revision: None,
        selector: BTreeMap::new(),
        conditions: Vec::new(),
    }
}

pub(crate) fn pod(name: &str, state: State) -> Pod {
    let running = state == State::Running;
    let status = match &state {
        State::Waiting { reason: Some(reason), .. } => reason.clone(),
        _ => "Running".to_owned(),
    };
    Pod {
        name: name.into(),
        uid: name.into(),
        owner: None,
        deployment: Some("dpp-api".into()),
        labels: BTreeMap::new(),
        deleting: false,
        phase: if running { "Running" } else { "Pending" }.into(),
        status,
        itself: None::<Trouble>,
        containers: vec![Container {
            name: "dpp-api".into(),
            init: false,
            image: "dpp-api:v0.4.2.3".into(),
            image_id: None,
            ready: running,
            restarts: 0,
            state,
            last: None,
        }],
    }
}

pub(crate) fn transfer(status: &str) -> Transfer {
    Transfer {
        http_status: status.into(),
        latency_ms: 9,
        exit_code: 0,
        error: None,
        content_type: None,
        redirect_url: None,
        remote_ip: None,
        tls_verify: None,
    }
}

fn landing(name: &str) -> Landing {
    Landing {
        api_version: "apps/v1".into(),
        kind: "Deployment".into(),
        namespace: Some("dpp-staging".into()),
        name: name.into(),
        generation: Some(2),
    }
}

/// Builds the events of a row of a table.
pub(crate) type Build = fn(&mut Events) -> &mut Events;

impl Events {
    /// A run that deploys, tests and ends as it should.
    pub(crate) fn passing() -> Self {
        let mut events = events();
        events.preflight().step(1, 900).deploy().rolled_out().after().smoke(&[]).end();
        events
    }

    /// Changes what the run began with.
    pub(crate) fn began(&mut self, change: impl FnOnce(&mut Began)) -> &mut Self {
        match self.0.first_mut().map(|event| &mut event.kind) {
            Some(EventKind::RunBegan(began)) => change(began),
            other => panic!("{other:?} is no beginning"),
        }
        self
    }

    /// Changes each event that `change` is about: it returns whether it did.
    pub(crate) fn change(&mut self, mut change: impl FnMut(&mut EventKind) -> bool) -> &mut Self {
        let changed = self.0.iter_mut().filter_map(|event| change(&mut event.kind).then_some(())).count();
        assert!(changed > 0, "there is no such event");
        self
    }

    /// Leaves out the events that `is_out` names; the others move up.
    pub(crate) fn without(&mut self, is_out: impl Fn(&EventKind) -> bool) -> &mut Self {
        let before = self.0.len();
        self.0.retain(|event| !is_out(&event.kind));
        assert!(self.0.len() < before, "there is no such event");
        for (event, seq) in self.0.iter_mut().zip(1..) {
            (event.seq, event.at) = (seq, at(seq * 100));
        }
        self
    }

    /// Changes the last outcome of a command.
    pub(crate) fn outcome(&mut self, id: &str, change: impl FnOnce(&mut Outcome)) -> &mut Self {
        let id = step(id);
        let outcome = self.0.iter_mut().rev().find_map(|event| match &mut event.kind {
            EventKind::CommandEnded(outcome) if outcome.id == id => Some(outcome),
            _ => None,
        });
        change(outcome.unwrap_or_else(|| panic!("{id} did not end")));
        self
    }

    /// A read that exits 1, with its first error.
    pub(crate) fn fails(&mut self, id: &str, first_error: &str) -> &mut Self {
        self.starts(id, Effect::Reads).ends(id, &[1], Some(first_error))
    }

    /// A read that ended in another way than by itself.
    pub(crate) fn ended_by(&mut self, id: &str, by: EndedBy, first_error: Option<&str>) -> &mut Self {
        self.starts(id, Effect::Reads).ends(id, &[143], first_error);
        self.outcome(id, |outcome| outcome.ended_by = by)
    }

    /// A manifest that was found, changed from one that holds nothing to object to.
    pub(crate) fn manifest(&mut self, change: impl FnOnce(&mut ManifestFile)) -> &mut Self {
        let mut found = manifest("k8s/api-deployment.yaml");
        change(&mut found);
        self.add(EventKind::ManifestRead(found))
    }

    /// The objects of the first manifest, as kind, namespace and name.
    pub(crate) fn lands(&mut self, objects: &[(&str, Option<&str>, &str)]) -> &mut Self {
        let object = |&(kind, namespace, name): &(&str, Option<&str>, &str)| Landing {
            kind: kind.to_owned(),
            namespace: namespace.map(str::to_owned),
            ..landing(name)
        };
        let (file, objects) = ("k8s/api-deployment.yaml".to_owned(), objects.iter().map(object).collect());
        self.add(EventKind::WouldLand { file, objects, warnings: Vec::new() })
    }
}
