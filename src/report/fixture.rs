//! Records for the tests, made event by event as a run makes them.

use std::collections::BTreeMap;

use crate::events::{
    Began, Conclusion, Effect, EndedBy, Event, EventKind, Git, Intent, ManifestFile, Options, Outcome,
    Program, RunbookId, Sighting, Target, ToolVersion, Who,
};
use crate::facts::apply::{self, Applied};
use crate::facts::context::Context;
use crate::facts::curl::Transfer;
use crate::facts::deployments::Deployment;
use crate::facts::dry_run::Landing;
use crate::facts::endpoints::{Assignment, ServiceEndpoints};
use crate::facts::pods::{Container, Failing, Pod, State, Trouble};
use crate::facts::rollout::Ending;
use crate::moment::Moment;
use crate::run_state::RunState;
use crate::runbook::{CHECKS, DEPLOYMENTS, EVIDENCE_FILES, Phase};

/// Events with their moments, a tenth of a second apart.
#[derive(Default)]
pub(super) struct Events(pub(super) Vec<Event>);

impl Events {
    pub(super) fn add(&mut self, what: EventKind) -> &mut Self {
        let seq = self.0.len() as u64 + 1;
        self.0.push(Event { seq, at: at(seq * 100), kind: what });
        self
    }

    pub(super) fn run(&self) -> RunState {
        RunState::of(&self.0)
    }

    /// A command from its beginning to its end.
    pub(super) fn command(&mut self, id: &str, effect: Effect, exit: &[i32]) -> &mut Self {
        self.starts(id, effect).ends(id, exit, None)
    }

    pub(super) fn starts(&mut self, id: &str, effect: Effect) -> &mut Self {
        let text = format!("kubectl {id}");
        self.add(EventKind::CommandStarts(Intent {
            id: id.into(),
            phase: Phase::Deploy,
            effect,
            text,
            reads_key: false,
        }))
    }

    pub(super) fn ends(&mut self, id: &str, exit: &[i32], said: Option<&str>) -> &mut Self {
        let started = at(self.0.len() as u64 * 100);
        self.add(EventKind::CommandEnded(Outcome {
            id: id.into(),
            started,
            duration_ms: 100,
            exit: exit.to_vec(),
            ended_by: EndedBy::Itself,
            note: None,
            stdout: None,
            stderr: None,
            first_error: said.map(str::to_owned),
            redactions: Vec::new(),
        }))
    }

    pub(super) fn step(&mut self, step: u8, duration_ms: u64) -> &mut Self {
        self.add(EventKind::StepEnded { step, duration_ms })
    }

    pub(super) fn preflight(&mut self) -> &mut Self {
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
        for deployment in DEPLOYMENTS {
            let file = deployment.manifest.to_owned();
            self.add(EventKind::ManifestRead(manifest(&file)));
            self.add(EventKind::WouldLand {
                file,
                objects: vec![landing(deployment.name)],
                warnings: Vec::new(),
            });
        }
        let (question, needed_for) = ("get pods -n dpp-staging".to_owned(), "stop rule 2".to_owned());
        self.add(EventKind::PermissionAnswered {
            id: "can-i.get-pods".into(),
            question,
            needed_for,
            answer: Some(true),
        })
    }

    pub(super) fn applied(&mut self, manifest: &str, objects: &[(&str, apply::ApplyOutcome)]) -> &mut Self {
        let applied = |(object, outcome): &(&str, apply::ApplyOutcome)| Applied {
            object: (*object).to_owned(),
            outcome: outcome.clone(),
        };
        self.add(EventKind::Applied { file: manifest.into(), objects: objects.iter().map(applied).collect() })
    }

    pub(super) fn deploy(&mut self) -> &mut Self {
        self.command("use-context", Effect::Reads, &[0]);
        for deployment in DEPLOYMENTS {
            self.command(&format!("apply.{}", deployment.key), Effect::Changes, &[0, 0, 0, 0]);
            let object = format!("deployment.apps/{}", deployment.name);
            self.applied(deployment.manifest, &[(&object, apply::ApplyOutcome::Configured)]);
        }
        self.step(2, 712)
    }

    pub(super) fn rolled_out(&mut self) -> &mut Self {
        for deployment in DEPLOYMENTS {
            self.command(&format!("rollout.{}", deployment.key), Effect::Reads, &[0]);
            self.add(EventKind::RolloutEnded {
                deployment: deployment.name.into(),
                ending: Ending::RolledOut,
            });
        }
        self.step(3, 41_180)
    }

    pub(super) fn after(&mut self) -> &mut Self {
        self.command("status.after", Effect::Reads, &[0]);
        let deployments = DEPLOYMENTS.iter().map(|d| deployment(d.name, 3, 3)).collect();
        self.add(EventKind::DeploymentsAfter { deployments });
        let service = "dpp-api".to_owned();
        let services = vec![ServiceEndpoints { service, ready_endpoints: 3, state: Assignment::Assigned }];
        self.add(EventKind::Endpoints { services });
        self.add(EventKind::PodsAfter { pods: vec![pod("dpp-api-7d9c-aaaaa", State::Running)] });
        self.step(4, 170)
    }

    pub(super) fn healthy(&mut self, path: &str, asks: u32, status: &str) -> &mut Self {
        self.add(EventKind::HealthAsked {
            id: format!("gate.{}", &path[1..]),
            path: path.into(),
            asks,
            http_status: status.into(),
            waited_ms: u64::from(asks - 1) * 1000,
            limit_ms: 120_000,
        })
    }

    /// The ten answers: those of `failed` are 404, the others what the runbook expects.
    pub(super) fn checks(&mut self, failed: &[u8]) -> &mut Self {
        for check in CHECKS {
            let expected = check.accepted(true)[0];
            let status = if failed.contains(&check.number) { "404" } else { expected };
            let url = format!("https://staging-api.decisionproof.ai{}", check.path);
            self.add(EventKind::CheckAnswered { check: check.number, url, transfer: transfer(status) });
        }
        self
    }

    pub(super) fn smoke(&mut self, failed: &[u8]) -> &mut Self {
        self.healthy("/health", 1, "200").healthy("/readyz", 1, "200").checks(failed);
        for id in ["body.health", "body.readyz"] {
            self.command(id, Effect::Reads, &[0]);
        }
        self.add(EventKind::LatencySampled { id: "latency.health".into(), samples: 20, p95_ms: Some(18) });
        self.add(EventKind::LatencySampled { id: "latency.docs".into(), samples: 20, p95_ms: Some(1044) });
        self.step(5, 1100)
    }

    pub(super) fn seen(&mut self, pod: &str, status: &str, conclusion: Conclusion) -> &mut Self {
        let line = format!("MODIFIED   {pod}   0/1   {status}   2 (0s ago)   2s");
        let (pod, status, command) = (pod.to_owned(), status.to_owned(), "watch.pods".to_owned());
        let sighting = Sighting { pod, status, line, command, seen_at: at(self.0.len() as u64 * 100) };
        self.add(EventKind::PodJudged { sighting, conclusion, container: Some(failing()) })
    }

    pub(super) fn end(&mut self) -> &mut Self {
        let files = EVIDENCE_FILES.iter().map(|file| file.path.to_owned()).collect();
        self.add(EventKind::FilesListed { files }).add(EventKind::RunEnded)
    }
}

/// A run that began, on the runbook's own examples.
pub(super) fn events() -> Events {
    let mut events = Events::default();
    events.add(EventKind::RunBegan(Box::new(began())));
    events
}

pub(super) fn begun() -> RunState {
    events().run()
}

pub(super) fn began() -> Began {
    Began {
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
            version: "0.1.0".into(),
            sha256: None,
            argv: vec!["run".into()],
            runbook: RunbookId { id: "DP-STAGING-DRY-RUN-v0.4".into(), sha256: String::new() },
        },
        environment: Vec::new(),
        previous_run: None,
    }
}

pub(super) fn at(millis: u64) -> Moment {
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

pub(super) fn failing() -> Failing {
    Failing {
        container: "dpp-api".into(),
        word: "CrashLoopBackOff".into(),
        reason: Some("Error".into()),
        exit_code: Some(1),
        restarts: 2,
        image: "dpp-api:v0.4.2.3".into(),
    }
}

pub(super) fn deployment(name: &str, ready: u32, updated: u32) -> Deployment {
    Deployment {
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

pub(super) fn pod(name: &str, state: State) -> Pod {
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

pub(super) fn transfer(status: &str) -> Transfer {
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
