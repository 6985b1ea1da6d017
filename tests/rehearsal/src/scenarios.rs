//! The words that scenarios are made of.

mod rows;

use std::borrow::Cow;
use std::io;
use std::time::Duration;

use camino::Utf8Path;

pub use rows::SCENARIOS;

/// A text that a row holds or a test makes up.
pub type Text = Cow<'static, str>;

/// When a pod's fate comes over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// As soon as someone watches the rollout of its Deployment (`kubectl rollout status`).
    RolloutWatched,
    /// When, besides, the pods of the namespace are watched a second time.
    PodsWatchedAgain,
    /// When the API under test is first asked for this path: one pod, which had become ready.
    ApiAsked(&'static str),
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
    /// The node was short of memory and ended it: `Error`, and the object stays. Another pod takes its place.
    Evicted,
    /// Its second container is in a crash loop, and STATUS says `Completed` of its first one instead.
    Hidden,
    /// It runs, never becomes ready, and the Deployment's progress deadline is over.
    PastDeadline,
    /// The pod is never created: the `ReplicaSet` is refused with this message.
    NotCreated {
        /// What the server says, as `pods "…" is forbidden: …` continues.
        message: Text,
    },
}

impl Fate {
    /// How the annotation [`FATE`] names it; `None`: it needs none.
    pub fn word(&self) -> Option<&'static str> {
        match self {
            Fate::Ready | Fate::NotCreated { .. } => None,
            Fate::CrashLoop { .. } => Some("crash-loop"),
            Fate::Error { .. } => Some("error"),
            Fate::NeverReady | Fate::PastDeadline => Some("never-ready"),
            Fate::ImagePull => Some("image-pull"),
            Fate::Evicted => Some("evicted"),
            Fate::Hidden => Some("hidden"),
        }
    }
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
    /// A Set-Cookie header, if not empty.
    pub set_cookie: Text,
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
            set_cookie: Cow::Borrowed(""),
            body,
            until: Until::Ever,
            takes: Duration::ZERO,
        }
    }

    /// What is usual, after a while.
    pub const fn slow(takes: Duration) -> Answer {
        Answer {
            status: 200,
            media_type: Cow::Borrowed(""),
            location: Cow::Borrowed(""),
            set_cookie: Cow::Borrowed(""),
            body: Body::Usual,
            until: Until::Ever,
            takes,
        }
    }

    /// An answer of this status and text, so long.
    pub const fn holding(status: u16, body: &'static str, until: Until) -> Answer {
        Answer {
            status,
            media_type: Cow::Borrowed(""),
            location: Cow::Borrowed(""),
            set_cookie: Cow::Borrowed(""),
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

/// The annotation of a pod that names its fate, on both kinds of cluster: [`Fate::word`].
pub const FATE: &str = "staging.test/fate";

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
    /// What had become of every old pod of this Deployment before anything began.
    OldEvery {
        /// The Deployment.
        deployment: Text,
        /// What had become of them.
        fate: Fate,
    },
    /// What was applied before differs in one value.
    Applied {
        /// The object's kind.
        kind: Text,
        /// Its name.
        name: Text,
        /// Where in it (a JSON pointer, RFC 6901).
        pointer: Text,
        /// The value, as JSON; `null`: none.
        value: Text,
    },
    /// Nothing was deployed before: the namespace holds no more than the `ConfigMap` and the Secret.
    NothingDeployed,
    /// A manifest that is about to be applied differs: a text in it, which has to be there.
    Manifest {
        /// The file below `k8s/`.
        file: Text,
        /// What stands there.
        find: Text,
        /// What stands there instead.
        replace: Text,
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
    /// The user may do in this namespace, too, what is granted in `dpp-staging`.
    AlsoGrantedIn(Text),
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
    /// `kubectl logs` prints these bytes.
    Log(Cow<'static, [u8]>),
    /// The exit code with which old pods of a Deployment end on TERM.
    TermExitCode {
        /// The Deployment.
        deployment: Text,
        /// The code; 0 prints `Completed`, any other `Error`.
        code: i32,
    },
    /// The image tag that ran before.
    RunningTag(Text),
    /// An object that is there from the start, as someone applied it (JSON). The annotation [`FATE`] of a pod says
    /// what had become of it.
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

/// What a scenario comes to, entry by entry.
impl Scenario {
    pub(crate) fn new_fate(&self, deployment: &str) -> (Fate, When) {
        let given = self.with.iter().rev().find_map(|with| match with {
            With::New { deployment: named, fate, when } if named == deployment => Some((fate.clone(), *when)),
            _ => None,
        });
        given.unwrap_or((Fate::Ready, When::RolloutWatched))
    }

    pub(crate) fn old_pods_past_deadline(&self, deployment: &str) -> bool {
        self.with.iter().any(|with| {
            matches!(with, With::OldEvery { deployment: named, fate: Fate::PastDeadline } if named == deployment)
        })
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

    /// Writes what the scenario changes about the manifests into the folder that holds them.
    ///
    /// # Errors
    /// When a file can't be read or written, or does not hold what is to be replaced.
    pub fn edit_manifests(&self, folder: &Utf8Path) -> io::Result<()> {
        for with in &self.with {
            let With::Manifest { file, find, replace } = with else { continue };
            let path = folder.join(&**file);
            let text = fs_err::read_to_string(&path)?;
            if !text.contains(&**find) {
                return Err(io::Error::other(format!("{path} does not hold {find:?}")));
            }
            fs_err::write(&path, text.replacen(&**find, replace, 1))?;
        }
        Ok(())
    }

    /// The image tag that ran before.
    pub fn running_tag(&self) -> &str {
        self.last(|with| if let With::RunningTag(tag) = with { Some(&**tag) } else { None })
            .unwrap_or(crate::before::RUNNING_TAG)
    }

    /// The default namespace of the kubeconfig's context.
    pub fn context_namespace(&self) -> Option<&str> {
        let given = self.last(|with| if let With::ContextNamespace(name) = with { Some(name) } else { None });
        given.map(|name| &**name).filter(|name| !name.is_empty())
    }

    /// What `STAGING_NAMESPACE` is to whoever deploys.
    pub fn staging_namespace(&self) -> &str {
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
