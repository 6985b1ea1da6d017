//! The scenarios: rows of plain data, and the words they are made of.

use std::borrow::Cow;
use std::time::Duration;

/// A text that a row holds or a test makes up.
pub type Text = Cow<'static, str>;

/// When a pod's fate comes over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// As soon as someone watches the rollout of its Deployment (`kubectl rollout status`).
    RolloutWatched,
    /// When, besides, the pods of the namespace are watched a second time.
    PodsWatchedAgain,
    /// So long after the pod was scheduled.
    After(Duration),
}

/// What becomes of a pod once it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It becomes ready; the rollout goes on.
    Ready,
    /// `CrashLoopBackOff`: the container has ended this often, and waits to be started again.
    CrashLoop {
        /// The container's exit code.
        exit_code: i32,
        /// How often it was started again.
        restarts: u32,
    },
    /// `Error`: the container has ended and is not started again yet.
    Error {
        /// The container's exit code.
        exit_code: i32,
    },
    /// It runs and never becomes ready.
    NeverReady,
    /// `ErrImagePull`, then `ImagePullBackOff`.
    ImagePull,
    /// It runs, never becomes ready, and the Deployment's progress deadline is over.
    PastDeadline,
    /// The pod is never created: the `ReplicaSet` is refused with this message.
    NotCreated {
        /// What the server says, as `pods "…" is forbidden: …` continues.
        message: Text,
    },
}

/// What the stand-in API sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// What it sends when all is well.
    Usual,
    /// This text.
    Text(Text),
    /// The request's head as text, with whatever Authorization it carried.
    Echo,
    /// Nothing: the connection is closed without an answer.
    Drop,
    /// Nothing, and the connection stays open.
    Hang,
}

/// How long an answer holds before the usual one comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Always.
    Ever,
    /// So many requests.
    Asks(u32),
    /// So long after the first request.
    Passed(Duration),
}

/// An answer of the stand-in API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The media type; empty: the usual one of the path.
    pub media_type: Text,
    /// A Location header, if not empty.
    pub location: Text,
    /// The body.
    pub body: Body,
    /// How long it holds.
    pub until: Until,
    /// How long the answer takes.
    pub takes: Duration,
}

impl Answer {
    /// An answer of this status and text, in the usual media type, for ever.
    pub const fn new(status: u16, body: Body) -> Answer {
        Answer {
            status,
            media_type: Cow::Borrowed(""),
            location: Cow::Borrowed(""),
            body,
            until: Until::Ever,
            takes: Duration::ZERO,
        }
    }

    /// An answer of this status and text, so long.
    pub const fn holding(status: u16, body: &'static str, until: Until) -> Answer {
        Answer {
            status,
            media_type: Cow::Borrowed(""),
            location: Cow::Borrowed(""),
            body: Body::Text(Cow::Borrowed(body)),
            until,
            takes: Duration::ZERO,
        }
    }

    /// An answer of this status and text.
    pub const fn text(status: u16, body: &'static str) -> Answer {
        Answer::new(status, Body::Text(Cow::Borrowed(body)))
    }

    /// A redirect.
    pub fn redirect(status: u16, location: impl Into<Text>) -> Answer {
        Answer { location: location.into(), ..Answer::text(status, "") }
    }

    /// The same, only so long.
    #[must_use]
    pub fn until(self, until: Until) -> Answer {
        Answer { until, ..self }
    }
}

/// Something the user may not do; an empty word stands for any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// `get`, `list`, `patch`, …
    pub verb: Text,
    /// The API group; the core group is `""`, and any group is `*`.
    pub group: Text,
    /// `deployments`
    pub resource: Text,
    /// `log`; none is `""`.
    pub subresource: Text,
    /// Denied in this namespace only.
    pub namespace: Text,
}

impl Denied {
    /// This verb on this resource of a group, everywhere.
    pub const fn new(verb: &'static str, group: &'static str, resource: &'static str) -> Denied {
        Denied {
            verb: Cow::Borrowed(verb),
            group: Cow::Borrowed(group),
            resource: Cow::Borrowed(resource),
            subresource: Cow::Borrowed(""),
            namespace: Cow::Borrowed(""),
        }
    }
}

/// One thing in which a scenario differs from the healthy one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum With {
    /// What becomes of the new pods of this Deployment.
    New {
        /// The Deployment.
        deployment: Text,
        /// What becomes of them.
        fate: Fate,
        /// When.
        when: When,
    },
    /// What had become of an old pod before anything began.
    Old {
        /// The Deployment.
        deployment: Text,
        /// Which of its pods, by name.
        pod: usize,
        /// What had become of it.
        fate: Fate,
    },
    /// What the stand-in API answers on a path (of either listener).
    Answer {
        /// The path.
        path: Text,
        /// The answer.
        answer: Answer,
    },
    /// What the user may not do.
    Denied(Denied),
    /// The default namespace of the kubeconfig's context; empty: none.
    ContextNamespace(Text),
    /// The namespace that whoever deploys believes to be the right one.
    StagingNamespace(Text),
    /// The namespace `dpp-staging` is not there, nor anything in it.
    NoNamespace,
    /// The server ends the first watch of pods, silently, when the first rollout is watched.
    CutPodsWatch,
    /// A write waits so long for a watch of pods to be open.
    WritesAwaitPodsWatch(Duration),
    /// `kubectl logs` prints so many bytes.
    LogBytes(u64),
    /// The exit code with which old pods of a Deployment end on TERM.
    TermExitCode {
        /// The Deployment.
        deployment: Text,
        /// The code; 0 prints `Completed`, any other `Error`.
        code: i32,
    },
    /// The image tag that ran before.
    RunningTag(Text),
    /// An object that is there from the start, as someone applied it (JSON).
    Object(Text),
    /// The version `/health` gives, instead of the one that runs.
    Version(Text),
}

/// A row of [`SCENARIOS`].
#[derive(Debug)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// One line about it.
    pub about: &'static str,
    /// In what it differs from the healthy one.
    pub with: &'static [With],
}

/// A scenario to start a [`crate::Rehearsal`] with.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// In what it differs from the healthy one; a later entry beats an earlier one.
    pub with: Vec<With>,
}

impl Scenario {
    /// Derives a scenario.
    #[must_use]
    pub fn with(mut self, with: With) -> Scenario {
        self.with.push(with);
        self
    }

    /// Derives a scenario whose user may not do this.
    #[must_use]
    pub fn denied(self, denied: Denied) -> Scenario {
        self.with(With::Denied(denied))
    }

    /// Derives a scenario in which a path of the stand-in API answers this.
    #[must_use]
    pub fn answer(self, path: impl Into<Text>, answer: Answer) -> Scenario {
        self.with(With::Answer { path: path.into(), answer })
    }

    /// Derives a scenario in which this becomes of the new pods of a Deployment.
    #[must_use]
    pub fn new_pods(self, deployment: impl Into<Text>, fate: Fate, when: When) -> Scenario {
        self.with(With::New { deployment: deployment.into(), fate, when })
    }
}

/// The scenario of this name.
pub fn scenario(name: &str) -> Option<Scenario> {
    let row = SCENARIOS.iter().find(|row| row.name == name)?;
    Some(Scenario { name: row.name.to_owned(), with: row.with.to_vec() })
}

const API: Text = Cow::Borrowed("dpp-api");

const fn new_api_pods(fate: Fate, when: When) -> With {
    With::New { deployment: API, fate, when }
}

const fn answers(path: &'static str, answer: Answer) -> With {
    With::Answer { path: Cow::Borrowed(path), answer }
}

const NOT_FOUND: &str = "{\"detail\":\"Not Found\"}";
const NOT_READY: &str = "{\"status\":\"not_ready\",\"services\":{\"database\":\"down\",\"redis\":\"up\",\"s3\":\"up\",\"sqs\":\"up\"}}";

/// Every scenario.
pub static SCENARIOS: &[Row] = &[
    Row { name: "healthy", about: "all three Deployments roll out, all ten checks pass", with: &[] },
    Row {
        name: "crash-loop",
        about: "the new dpp-api pod ends in CrashLoopBackOff; three old ones still serve",
        with: &[new_api_pods(Fate::CrashLoop { exit_code: 1, restarts: 2 }, When::RolloutWatched)],
    },
    Row {
        name: "error-pod",
        about: "the new dpp-api pod's container ends with an error: STATUS Error",
        with: &[new_api_pods(Fate::Error { exit_code: 1 }, When::RolloutWatched)],
    },
    Row {
        name: "already-crashing-and-fixed",
        about: "one dpp-api pod was in CrashLoopBackOff before; the deploy replaces it",
        with: &[With::Old { deployment: API, pod: 0, fate: Fate::CrashLoop { exit_code: 1, restarts: 9 } }],
    },
    Row {
        name: "rollout-timeout",
        about: "the new dpp-api pod runs but never becomes ready",
        with: &[new_api_pods(Fate::NeverReady, When::RolloutWatched)],
    },
    Row {
        name: "image-pull",
        about: "the new dpp-api image can't be pulled: ImagePullBackOff, and no end of the rollout",
        with: &[new_api_pods(Fate::ImagePull, When::RolloutWatched)],
    },
    Row {
        name: "smoke-8-of-10",
        about: "the rollout succeeds; two of the ten checks fail",
        with: &[
            answers("/llms.txt", Answer::text(404, NOT_FOUND)),
            answers("/redoc", Answer::text(404, NOT_FOUND)),
        ],
    },
    Row {
        name: "smoke-7-of-10",
        about: "the rollout succeeds; three of the ten checks fail",
        with: &[
            answers("/llms.txt", Answer::text(404, NOT_FOUND)),
            answers("/redoc", Answer::text(404, NOT_FOUND)),
            answers("/pricing/ssot.json", Answer::text(500, "{\"detail\":\"Internal Server Error\"}")),
        ],
    },
    Row {
        name: "readyz-503",
        about: "the rollout succeeds; /readyz answers 503 for ever",
        with: &[answers("/readyz", Answer::text(503, NOT_READY))],
    },
    Row {
        name: "ready-after-30s",
        about: "the rollout succeeds; /readyz answers 503 for 30 s, then 200",
        with: &[answers("/readyz", Answer::holding(503, NOT_READY, Until::Passed(Duration::from_secs(30))))],
    },
    Row {
        name: "forbidden",
        about: "the user may not patch Deployments",
        with: &[With::Denied(Denied::new("patch", "apps", "deployments"))],
    },
    Row {
        name: "wrong-namespace",
        about: "STAGING_NAMESPACE is another one (default) than the manifests name",
        with: &[With::StagingNamespace(Cow::Borrowed("default"))],
    },
    Row {
        name: "watch-cut",
        about: "the server ends the first watch of pods silently; the crash shows on the next one only",
        with: &[
            With::CutPodsWatch,
            new_api_pods(Fate::CrashLoop { exit_code: 1, restarts: 2 }, When::PodsWatchedAgain),
        ],
    },
];

/// What a scenario comes to, entry by entry.
impl Scenario {
    pub(crate) fn new_fate(&self, deployment: &str) -> (Fate, When) {
        let given = self.with.iter().rev().find_map(|with| match with {
            With::New { deployment: named, fate, when } if named == deployment => Some((fate.clone(), *when)),
            _ => None,
        });
        given.unwrap_or((Fate::Ready, When::RolloutWatched))
    }

    pub(crate) fn denied_list(&self) -> impl Iterator<Item = &Denied> {
        self.with.iter().filter_map(|with| if let With::Denied(denied) = with { Some(denied) } else { None })
    }

    pub(crate) fn answer_for(&self, path: &str) -> Option<&Answer> {
        self.with.iter().rev().find_map(|with| match with {
            With::Answer { path: named, answer } if named == path => Some(answer),
            _ => None,
        })
    }

    /// The last entry for which `pick` gives something.
    pub(crate) fn last<'s, T: 's>(&'s self, pick: impl FnMut(&'s With) -> Option<T>) -> Option<T> {
        self.with.iter().rev().find_map(pick)
    }

    pub(crate) fn context_namespace(&self) -> Option<&str> {
        let given = self.last(|with| if let With::ContextNamespace(name) = with { Some(name) } else { None });
        given.map(|name| &**name).filter(|name| !name.is_empty())
    }

    pub(crate) fn staging_namespace(&self) -> &str {
        let given = self.last(|with| if let With::StagingNamespace(name) = with { Some(name) } else { None });
        given.map_or(crate::NAMESPACE, |name| name)
    }

    pub(crate) fn term_exit_code(&self, deployment: &str) -> i32 {
        let given = self.last(|with| match with {
            With::TermExitCode { deployment: named, code } if named == deployment => Some(*code),
            _ => None,
        });
        given.unwrap_or(if deployment == "dpp-api" { 143 } else { 0 })
    }
}
