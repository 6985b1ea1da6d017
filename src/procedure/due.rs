//! What a run has to do next: the words of the table (`table.rs`).

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use super::{Procedure, RecordedOutput, pods};
use crate::events::{EventKind, Sighting};
use crate::moment::Moment;
use crate::runbook::StepId;

/// A command that is due.
#[derive(Debug, Clone, PartialEq)]
pub struct NextCommand {
    /// Its step.
    pub id: StepId,
    /// The objects of the cluster that it is about, by variable, as the evidence names them.
    pub met: BTreeMap<String, String>,
    /// The number of the event that made the run look; `None` for other commands.
    pub because: Option<u64>,
    /// The moment before which it must not start; `None` if it may start at once.
    pub not_before: Option<Moment>,
}

impl NextCommand {
    /// Returns the command of a step.
    pub(super) fn of(id: StepId) -> Self {
        Self { id, met: BTreeMap::new(), because: None, not_before: None }
    }

    /// Returns the command of a step about an object; `met` contains each variable with the object's name.
    pub(super) fn about(id: StepId, met: &[(&str, &str)]) -> Self {
        let met = met.iter().map(|(variable, name)| ((*variable).to_owned(), (*name).to_owned())).collect();
        Self { met, ..Self::of(id) }
    }

    pub(super) fn not_before(self, moment: Moment) -> Self {
        Self { not_before: Some(moment), ..self }
    }
}

/// A function that looks at the record and decides what is due.
pub(super) type Decide = fn(&mut Procedure, &dyn RecordedOutput) -> Result<Vec<Due>, String>;

/// One thing that is due.
#[derive(Clone)]
pub enum Due {
    /// The first event: inputs, options, person and program.
    RunBegan,
    /// The second event: the runbook.
    RunbookRead,
    /// A manifest is read.
    Manifest(String),
    /// These commands start, in this order; then all of them are under way.
    Starts {
        /// The commands that have not started.
        left: VecDeque<NextCommand>,
        /// The numbers of the commands that have.
        begun: Vec<u64>,
    },
    /// These commands end. Their ends are recorded in the order of their starts, whichever ended first, so that two
    /// runs have the same journal.
    Ends {
        /// The numbers of the commands that are under way.
        left: Vec<u64>,
        /// The numbers of all commands, in the order of their starts.
        all: Vec<u64>,
    },
    /// The programs are found, these and in this order.
    Tools(VecDeque<String>),
    /// The context is read; no file contains the output that it was read from.
    Context,
    /// Exactly this event, because it follows from the record.
    Event(Box<EventKind>),
    /// The watch has shown this many pods, and those that fail are judged; or it had its time.
    FirstSight(usize),
    /// A step of the runbook ends.
    StepEnds(u8),
    /// The dump is completed; the text is the end of the failing container's log.
    Dumped(Option<String>),
    /// The run fails, because a command's output can't be read.
    Fails(String),
    /// The signal that ended the run is recorded.
    Interrupted(i32),
    /// A change of the system's clock, if there was one, and then the files of the evidence.
    FilesListed,
    /// The last event.
    RunEnded,

    // The following are done as soon as they are the first of their lane.
    /// The run ends here if a guard refuses, a stop rule fired, or a command that decides gave no answer.
    Judge,
    /// The events that follow from the output of the commands that ended last.
    Facts,
    /// The conclusion about a sighting, from the pod that was read last.
    Conclude(Sighting),
    /// What the record decides.
    Then {
        /// The function that decides.
        decide: Decide,
        /// The steps that it may ask for.
        maybe: &'static [StepId],
    },
    /// A step of the runbook begins.
    StepBegins,
    /// The watch and the lists begin.
    Watch,
    /// The procedure is over; the watch is no longer needed.
    Over,
}

impl Due {
    pub(super) fn starts(commands: impl IntoIterator<Item = NextCommand>) -> Self {
        Self::Starts { left: commands.into_iter().collect(), begun: Vec::new() }
    }

    /// Returns a command that starts and ends.
    pub(super) fn run(id: StepId) -> Self {
        Self::starts([NextCommand::of(id)])
    }

    /// Returns what the record decides.
    pub(super) fn then(decide: Decide) -> Self {
        Self::Then { decide, maybe: &[] }
    }

    /// Returns what the record decides, with the steps that it may ask for.
    pub(super) fn then_maybe(decide: Decide, maybe: &'static [StepId]) -> Self {
        Self::Then { decide, maybe }
    }

    /// Returns the steps that are due or may be.
    pub(super) fn steps(&self) -> Vec<StepId> {
        match self {
            Self::Starts { left, .. } => left.iter().map(|command| command.id.clone()).collect(),
            Self::Then { maybe, .. } => maybe.to_vec(),
            Self::Watch => pods::STEPS.to_vec(),
            _ => Vec::new(),
        }
    }

    pub(super) fn event(kind: EventKind) -> Self {
        Self::Event(Box::new(kind))
    }

    /// Returns whether nothing of it has happened, so that it may be left out when the run is over.
    pub(super) fn is_not_begun(&self) -> bool {
        match self {
            Self::Starts { begun, .. } => begun.is_empty(),
            Self::FirstSight(_) | Self::Manifest(_) => true,
            _ => false,
        }
    }
}

impl fmt::Display for Due {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RunBegan => write!(f, "run-began"),
            Self::RunbookRead => write!(f, "runbook-read"),
            Self::Manifest(file) => write!(f, "manifest-read of {file}"),
            Self::Starts { left, .. } => match left.front() {
                Some(command) => write!(f, "the start of {}", command.id),
                None => write!(f, "nothing"),
            },
            Self::Ends { left, .. } => {
                write!(f, "the end of command {}", left.first().copied().unwrap_or_default())
            }
            Self::Tools(names) => write!(f, "tool-found of {}", names.front().map_or("", String::as_str)),
            Self::Context => write!(f, "context-read"),
            Self::Event(kind) => write!(f, "{}", clipped(&serde_json::to_string(kind).unwrap_or_default())),
            Self::FirstSight(_) => write!(f, "first-sight"),
            Self::StepEnds(step) => write!(f, "step-ended of step {step}"),
            Self::Dumped(_) => write!(f, "dumped"),
            Self::Fails(why) => write!(f, "failed: {}", clipped(why)),
            Self::Interrupted(_) => write!(f, "interrupted"),
            Self::FilesListed => write!(f, "files-listed"),
            Self::RunEnded => write!(f, "run-ended"),
            Self::Judge
            | Self::Facts
            | Self::Conclude(_)
            | Self::Then { .. }
            | Self::StepBegins
            | Self::Watch
            | Self::Over => write!(f, "nothing"),
        }
    }
}

impl fmt::Debug for Due {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

pub(super) fn clipped(text: &str) -> String {
    match text.char_indices().nth(160) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
