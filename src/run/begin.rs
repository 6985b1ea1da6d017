//! The start of a run: checks, the lock, the evidence directory and the first event.
//!
//! Everything that may refuse the run comes before the first file of its evidence. The evidence directory has
//! a manifest from its first event on.

use std::hash::{BuildHasher, RandomState};
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use secrecy::{ExposeSecret, SecretString};

use super::raw_names::RawNames;
use super::{Equipment, Job, StartError};
use crate::documents::cmd_txt;
use crate::error::Error;
use crate::events::{Began, EventKind, FORM, Git, Note, PreviousRun, Program, RunbookId, Scope};
use crate::evidence::redaction::{SecretPatterns, marker};
use crate::evidence::{self, Journal, Lock, LockError, Reserve, Tree, sha256_of_bytes};
use crate::exec::{Cancel, Programs};
use crate::facts::words;
use crate::inputs::Inputs;
use crate::report::{self, Screen};
use crate::run_state::RunState;
use crate::runbook::{DEPLOY_LOGS, Runbook, Step};
use crate::schema::File;
use crate::session::{Clock, HostEnvironment, Kubeconfig, Session, Signals, patterns, temporary_folder};
use crate::verdict::{self, GUARDS, Verdict};
use crate::{signature, tools};

/// The place where a run stores its files.
struct Slot {
    folder: Utf8PathBuf,
    previous: Option<PreviousRun>,
    lock: Option<Lock>,
    reserve: Option<Reserve>,
}

/// A run that is about to begin.
pub(super) struct Start {
    pub(super) equipment: Equipment,
    pub(super) journal: Journal,
    pub(super) screen: Screen,
    /// The first event.
    pub(super) began: EventKind,
    /// Disk space for the files that are written at the end.
    pub(super) reserve: Option<Reserve>,
}

impl Start {
    /// Finds the tools, takes the lock, and creates the evidence directory.
    pub(super) fn new(job: Job, host: &HostEnvironment) -> Result<Self, StartError> {
        let signing = if job.options.sign_with.is_some() { &signature::PROGRAMS[..] } else { &[] };
        let programs = tools::find(&job.runbook, signing, host.variable("PATH"), &host.folder)
            .map_err(|missing| StartError::Refused(missing.to_string()))?;
        let patterns = patterns(&job.inputs)?;
        refuse_a_secret_that_decides(&patterns, &job.runbook, &job.inputs)?;
        refuse_a_secret_that_spans_columns(&job.inputs)?;
        let signals = Signals::heed()?;
        refuse_a_key_that_does_not_sign(&job, &programs, &signals)?;
        // Everything that may fail or take time comes before the evidence directory, which is never without a
        // manifest for long.
        let kubeconfig = Kubeconfig::new(host.variable("KUBECONFIG"), host.variable("HOME"), &host.folder)?;
        let finished = cancel()?;
        let git = host.git(&job.root, &job.manifests);
        let clock = Clock::start();
        let run_id = run_id(&clock);
        let place = place(&job, &run_id, &clock)?;
        let tree = Tree::new(place.folder.clone(), patterns);
        let began = EventKind::RunBegan(Box::new(began(&job, host, run_id, git, &place)));
        let journal = || -> io::Result<Journal> {
            fs_err::create_dir_all(tree.path("inputs"))?;
            DEPLOY_LOGS.iter().try_for_each(|file| tree.touch(file))?;
            Journal::create(&tree.path("journal.jsonl"))
        };
        let journal = journal().map_err(Error::from)?;
        let screen = Screen::new(job.verbosity);
        let key = job.inputs.api_key.clone();
        let paths = host.absolute_paths();
        let equipment = Equipment {
            session: Session { programs, tree, kubeconfig, paths, key, clock, signals },
            raw_names: RawNames::default(),
            finished,
            _lock: place.lock,
            job,
        };
        Ok(Self { equipment, journal, screen, began, reserve: place.reserve })
    }
}

fn place(job: &Job, run_id: &str, clock: &Clock) -> Result<Slot, StartError> {
    if job.scope != Scope::Whole {
        let folder = Utf8PathBuf::from_path_buf(temporary_folder()?.keep()).map_err(|path| Error::Setup {
            what: "a temporary directory",
            cause: format!("{} is not UTF-8", path.display()),
        })?;
        return Ok(Slot { folder, previous: None, lock: None, reserve: None });
    }
    refuse_a_full_disk(&job.evidence)?;
    let holder = format!(
        "run {run_id}, process {}, since {}",
        std::process::id(),
        clock.began().strftime("%F %T %:z")
    );
    let lock = Lock::take(&job.evidence, &holder).map_err(|error| match error {
        LockError::Held { holder } => StartError::Refused(format!(
            "Refused: another dry run is writing to {}: {holder}.\nNothing was run. Wait for it, or give another directory with --evidence.",
            job.evidence
        )),
        LockError::Io(error) => Error::Evidence(error).into(),
    })?;
    let reserve = Some(Reserve::hold(&job.evidence).map_err(Error::from)?);
    let date = clock.began().strftime("%Y%m%d").to_string();
    let previous = evidence::latest_run(&job.evidence, &date).map_err(Error::from)?;
    let folder = evidence::make_room(&job.evidence, &date).map_err(Error::from)?;
    let previous = previous.map(|previous| PreviousRun {
        interrupted: interrupted(&job.evidence.join(&previous.dir)),
        ..previous
    });
    Ok(Slot { folder, previous, lock: Some(lock), reserve })
}

/// Refuses a secret that also occurs in the runbook, in the commands of every run, in the evidence format, or
/// in a word that a rule reads.
///
/// If it were redacted, the evidence could not be read, or a word that decides would be missing.
fn refuse_a_secret_that_decides(
    patterns: &SecretPatterns,
    runbook: &Runbook,
    inputs: &Inputs,
) -> Result<(), StartError> {
    let command = |step: &Step| format!("{} {} {}\n", step.id, step.line(false), step.line(true));
    let commands: String = runbook.steps.iter().map(command).collect();
    let named = inputs.redact.iter().map(|(name, _)| name.as_str()).chain(["STAGING_API_KEY"]);
    let markers: String = named.map(marker).collect();
    let rules: Vec<&str> = GUARDS.iter().map(|guard| guard.id).collect();
    let schemas =
        [File::Journal, File::Manifest, File::Results, File::Attestation].map(File::schema).join(" ");
    let text = [
        &commands,
        &markers,
        cmd_txt::PRELUDE,
        runbook.document.text(),
        FORM,
        &Note::words(),
        &rules.join(" "),
        &schemas,
        &words::DECIDING.join(" "),
    ]
    .join("\n");
    match patterns.secrets_in(text.as_bytes()).first() {
        Some(name) => Err(StartError::NotRedactable(format!(
            "Refused: {name} can't be redacted: its value also occurs in text that every run records or decides by.\nNothing was run. Give {name} another value."
        ))),
        None => Ok(()),
    }
}

/// Refuses a secret that could remove several columns of a table, and a word that decides with them.
///
/// A value with blanks may contain a whole row's end, such as `0/1     Error`. A tab is a boundary in
/// what kubectl prints.
fn refuse_a_secret_that_spans_columns(inputs: &Inputs) -> Result<(), StartError> {
    let spans = |(_, value): &&(String, SecretString)| words::spans_columns(value.expose_secret());
    match inputs.redact.iter().find(spans) {
        Some((name, _)) => Err(StartError::NotRedactable(format!(
            "Refused: {name} can't be redacted: its value contains a tab, or a blank and a word that a rule reads.\nNothing was run. Give {name} another value."
        ))),
        None => Ok(()),
    }
}

/// Refuses a signing key that does not work now: nobody may be there to enter a passphrase when the run ends.
fn refuse_a_key_that_does_not_sign(
    job: &Job,
    programs: &Programs,
    signals: &Signals,
) -> Result<(), StartError> {
    let Some(key) = &job.options.sign_with else { return Ok(()) };
    signature::try_key(programs, key, &signals.first).map_err(|error| match signals.number() {
        Some(signal) => StartError::Interrupted(signal),
        None => StartError::Refused(format!(
            "Refused: --sign-with {key} can't sign: {error}.\nNothing was run. Give a private key without a passphrase, or a public key whose private key is in ssh-agent (ssh-add -L)."
        )),
    })
}

/// Refuses to start with too little free disk space, before anything is written or changed.
fn refuse_a_full_disk(evidence: &Utf8Path) -> Result<(), StartError> {
    let free = evidence::free(evidence).map_err(Error::from)?;
    if free >= evidence::LEAST_FREE {
        return Ok(());
    }
    let mebibytes = |bytes: u64| bytes / (1024 * 1024);
    Err(StartError::Refused(format!(
        "Refused: {} MiB are free on the disk of {evidence}, and the evidence of a run may need {} MiB.\nNothing was run. Make room there, or give a directory on another disk with --evidence.",
        mebibytes(free),
        mebibytes(evidence::LEAST_FREE),
    )))
}

/// Returns the changes that the run in this directory made to the cluster, if it did not reach its end.
fn interrupted(folder: &Utf8Path) -> Option<String> {
    let events = Journal::read(&folder.join("journal.jsonl")).ok()?;
    let run = RunState::of(&events);
    (verdict::judge(&run).verdict == Verdict::Incomplete).then(|| report::applied_in_a_line(&run))
}

fn began(job: &Job, host: &HostEnvironment, run_id: String, git: Git, place: &Slot) -> Began {
    let inputs = &job.inputs;
    Began {
        schema: File::Journal.schema(),
        scope: job.scope,
        run_id,
        evidence_dir: place.folder.to_string(),
        target: inputs.target.clone(),
        options: job.options.clone(),
        with_key: inputs.api_key.is_some(),
        who: host.who(),
        git,
        program: Program {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            sha256: HostEnvironment::own_sha256(),
            argv: job.argv.clone(),
            runbook: RunbookId {
                id: job.runbook.document.id().to_owned(),
                sha256: sha256_of_bytes(job.runbook.document.text().as_bytes()),
            },
        },
        environment: host.recorded_variable_names(),
        previous_run: place.previous.clone(),
    }
}

/// Returns a run id like `20261123T161952Z-106f58`: the time, and a random part that tells runs of the same
/// second apart.
fn run_id(clock: &Clock) -> String {
    let random = RandomState::new().hash_one(std::process::id()) & 0x00ff_ffff;
    format!("{}-{random:06x}", clock.now().to_compact())
}

fn cancel() -> Result<Cancel, Error> {
    Cancel::new().map_err(|error| Error::Setup { what: "a pipe", cause: error.to_string() })
}
