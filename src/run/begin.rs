use std::hash::{BuildHasher, RandomState};
use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use super::ledger::Ledger;
use super::{Job, NotBegun, Run};
use crate::error::Error;
use crate::events::{Began, Event, Git, PreviousRun, Program, RunbookId, Scope, What};
use crate::evidence::redaction::{Forms, marker};
use crate::evidence::{self, Journal, Lock, LockError, Reserve, Tree, cmd_txt, sha256_of_bytes};
use crate::exec::{Halt, Programs};
use crate::inputs::Inputs;
use crate::manifest::Manifest;
use crate::perform::{Clock, Kubeconfig, Signals, Surroundings, forms, temporary_folder};
use crate::record::Record;
use crate::report::{self, Screen};
use crate::runbook::{self, document};
use crate::verdict::{self, Verdict};
use crate::{signature, tools};

/// Where a run keeps what it writes.
struct Place {
    folder: Utf8PathBuf,
    previous: Option<PreviousRun>,
    lock: Option<Lock>,
    reserve: Option<Reserve>,
}

impl Run {
    /// Finds the tools, takes the lock, makes room for the evidence, and writes the first event.
    pub(super) fn begin(job: Job, surroundings: &Surroundings) -> Result<Self, NotBegun> {
        let signing = if job.options.sign_with.is_some() { &signature::PROGRAMS[..] } else { &[] };
        let programs = tools::find(signing, surroundings.variable("PATH"), &surroundings.folder)
            .map_err(|missing| NotBegun::Refused(missing.to_string()))?;
        let forms = forms(&job.inputs)?;
        refuse_a_secret_that_all_evidence_holds(&forms, &job.inputs)?;
        let signals = Signals::heed()?;
        refuse_a_key_that_does_not_sign(&job, &programs, &signals)?;
        // All that may fail or take time comes before the evidence's folder, which is never without a manifest for long.
        let kubeconfig = Kubeconfig::new(
            surroundings.variable("KUBECONFIG"),
            surroundings.variable("HOME"),
            &surroundings.folder,
        )?;
        let (stop, watched_enough) = (halt()?, halt()?);
        let git = surroundings.git(&job.root, &job.manifests);
        let clock = Clock::start();
        let run_id = run_id(&clock);
        let place = place(&job, &run_id, &clock)?;
        let tree = Tree::new(place.folder.clone(), forms);
        let began = began(&job, surroundings, run_id, git, &place);
        let journal = || -> io::Result<Journal> {
            fs_err::create_dir_all(tree.path("inputs"))?;
            tree.touch("deploy/stdout.log")?;
            tree.touch("deploy/stderr.log")?;
            Journal::create(&tree.path("journal.jsonl"))
        };
        let ledger = Ledger::new(clock, journal().map_err(Error::from)?, Screen::new(job.verbosity));
        let run = Self {
            programs,
            paths: surroundings.absolute_paths(),
            kubeconfig,
            tree,
            ledger,
            signals,
            stop,
            watched_enough,
            turns: super::commands::Turns::default(),
            _lock: place.lock,
            reserve: place.reserve,
            job,
        };
        // From the first moment on there is a manifest, and it says `incomplete`.
        let save = |event: &Event| run.save_as(&Record::of([event]));
        run.ledger.note_after(&run.tree, What::RunBegan(Box::new(began)), save)?;
        Ok(run)
    }
}

fn place(job: &Job, run_id: &str, clock: &Clock) -> Result<Place, NotBegun> {
    if job.scope != Scope::Whole {
        let folder = Utf8PathBuf::from_path_buf(temporary_folder()?.keep()).map_err(|path| Error::Setup {
            what: "a temporary folder",
            cause: format!("{} is not UTF-8", path.display()),
        })?;
        return Ok(Place { folder, previous: None, lock: None, reserve: None });
    }
    refuse_a_full_disk(&job.evidence)?;
    let holder = format!(
        "run {run_id}, process {}, since {}",
        std::process::id(),
        clock.began().strftime("%F %T %:z")
    );
    let lock = Lock::take(&job.evidence, &holder).map_err(|error| match error {
        LockError::Held { holder } => NotBegun::Refused(format!(
            "Refused: another dry run is writing to {}: {holder}.\nNothing was run. Wait for it, or give another --evidence folder.",
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
    Ok(Place { folder, previous, lock: Some(lock), reserve })
}

/// A word of the runbook, of every run's commands, or of what stands around them: without it the evidence could not be
/// read.
fn refuse_a_secret_that_all_evidence_holds(forms: &Forms, inputs: &Inputs) -> Result<(), NotBegun> {
    let commands = runbook::in_order(true).into_iter().map(|step| format!("{} {}\n", step.id, step.text));
    let keys = serde_json::to_string(&Manifest::fold([])).map_err(|error| Error::Evidence(error.into()))?;
    let around = [cmd_txt::PRELUDE, document::TEXT, &keys].concat();
    let named = inputs.redact.iter().map(|(name, _)| name.as_str()).chain(["STAGING_API_KEY"]);
    let text: String = commands.chain(named.map(marker)).chain([around]).collect();
    match forms.names_in(text.as_bytes()).first() {
        Some(name) => Err(NotBegun::Refused(format!(
            "Refused: the value of {name} is a word that the evidence of every run holds, so it can't be kept out of it.\nNothing was run. Give {name} another value."
        ))),
        None => Ok(()),
    }
}

/// Nobody is there to be asked for a passphrase when the run ends.
fn refuse_a_key_that_does_not_sign(
    job: &Job,
    programs: &Programs,
    signals: &Signals,
) -> Result<(), NotBegun> {
    let Some(key) = &job.options.sign_with else { return Ok(()) };
    signature::try_key(programs, key, &signals.first).map_err(|error| match signals.number() {
        Some(signal) => NotBegun::Interrupted(signal),
        None => NotBegun::Refused(format!(
            "Refused: --sign-with {key} signs nothing: {error}.\nNothing was run. Give a private key without a passphrase, or a public key whose other half ssh-agent holds (ssh-add -L)."
        )),
    })
}

/// Before anything is written, and long before anything is changed.
fn refuse_a_full_disk(evidence: &Utf8Path) -> Result<(), NotBegun> {
    let free = evidence::free(evidence).map_err(Error::from)?;
    if free >= evidence::LEAST_FREE {
        return Ok(());
    }
    let mebibytes = |bytes: u64| bytes / (1024 * 1024);
    Err(NotBegun::Refused(format!(
        "Refused: {} MiB are free on the disk of {evidence}, and the evidence of a run may need {} MiB.\nNothing was run. Make room there, or give an --evidence folder on another disk.",
        mebibytes(free),
        mebibytes(evidence::LEAST_FREE),
    )))
}

/// What the run in this folder had changed on the cluster, if it did not come to its end.
fn interrupted(folder: &Utf8Path) -> Option<String> {
    let events = Journal::read(&folder.join("journal.jsonl")).ok()?;
    let record = Record::of(&events);
    (verdict::judge(&record).verdict == Verdict::Incomplete).then(|| report::applied_in_a_line(&record))
}

fn began(job: &Job, surroundings: &Surroundings, run_id: String, git: Git, place: &Place) -> Began {
    let inputs = &job.inputs;
    Began {
        run_id,
        evidence_dir: place.folder.to_string(),
        target: inputs.target.clone(),
        options: job.options.clone(),
        with_key: inputs.api_key.is_some(),
        who: surroundings.who(),
        git,
        program: Program {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            sha256: Surroundings::own_sha256(),
            argv: job.argv.clone(),
            runbook: RunbookId {
                id: document::id().to_owned(),
                sha256: sha256_of_bytes(document::TEXT.as_bytes()),
            },
        },
        environment: surroundings.telling_names(),
        previous_run: place.previous.clone(),
    }
}

/// `20261123T161952Z-106f58`: when, and something no other run of that second has.
fn run_id(clock: &Clock) -> String {
    let random = RandomState::new().hash_one(std::process::id()) & 0x00ff_ffff;
    format!("{}-{random:06x}", clock.now().0.strftime("%Y%m%dT%H%M%SZ"))
}

fn halt() -> Result<Halt, Error> {
    Halt::new().map_err(|error| Error::Setup { what: "a pipe", cause: error.to_string() })
}
