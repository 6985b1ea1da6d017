//! A test reads like a sentence: `Staging::of("crash-loop").run().exits(1)`. Staging is on the rehearsal cluster or on
//! a real control plane.

#![allow(dead_code, reason = "each of the tests that share this uses a part")]

pub(super) mod executable;
mod remembering;
pub(super) mod replayed;
pub(super) mod under_way;
pub(super) mod zone;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use camino::Utf8Path;
use real_cluster::Real;
use rehearsal::{Answer, Rehearsal, Scenario, Until, With, environment};
use staging_dry_run::events::Event;
use tempfile::TempDir;

use executable::executable;
use zone::noon;

/// A context's name that has to be quoted.
const CONTEXT: &str = "team's staging";

/// What staging may run on.
pub(super) trait Cluster: Sized {
    fn start(scenario: Scenario) -> io::Result<Self>;

    fn scenario(&self) -> &Scenario;

    fn write_kubeconfig(&self, path: &Utf8Path, context: &str) -> io::Result<()>;

    fn base_url(&self) -> String;

    fn metrics_url(&self) -> String;

    /// What was really asked to be changed, by the cluster's own log.
    fn writes(&self) -> Vec<String>;

    /// Requests that the cluster does not know, which is its fault.
    fn unknown(&self) -> Vec<String>;
}

impl Cluster for Rehearsal {
    fn start(scenario: Scenario) -> io::Result<Self> {
        Rehearsal::start(scenario)
    }

    fn scenario(&self) -> &Scenario {
        self.scenario()
    }

    fn write_kubeconfig(&self, path: &Utf8Path, context: &str) -> io::Result<()> {
        self.write_kubeconfig(path, context, self.context_namespace(), rehearsal::USER)
    }

    fn base_url(&self) -> String {
        self.base_url()
    }

    fn metrics_url(&self) -> String {
        self.metrics_url()
    }

    fn writes(&self) -> Vec<String> {
        self.writes().iter().map(|write| format!("{} {}", write.method, write.path_and_query)).collect()
    }

    fn unknown(&self) -> Vec<String> {
        self.unknown_requests().iter().map(|request| format!("{request:?}")).collect()
    }
}

impl Cluster for Real {
    fn start(scenario: Scenario) -> io::Result<Self> {
        Real::start(scenario)
    }

    fn scenario(&self) -> &Scenario {
        self.scenario()
    }

    fn write_kubeconfig(&self, path: &Utf8Path, context: &str) -> io::Result<()> {
        self.write_kubeconfig(path, context, self.scenario().context_namespace())
    }

    fn base_url(&self) -> String {
        self.base_url()
    }

    fn metrics_url(&self) -> String {
        self.metrics_url()
    }

    fn writes(&self) -> Vec<String> {
        self.writes().unwrap()
    }

    fn unknown(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A repository, a cluster, and the environment a release engineer would have.
pub(super) struct Staging<C = Rehearsal> {
    pub(super) cluster: C,
    pub(super) folder: TempDir,
    pub(super) environment: BTreeMap<String, String>,
    options: Vec<String>,
}

/// A run that is over.
pub(super) struct Ran<C = Rehearsal> {
    pub(super) staging: Staging<C>,
    pub(super) status: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Staging {
    /// The scenario of this name, on the rehearsal.
    pub(super) fn of(name: &str) -> Self {
        Self::on(rehearsal::scenario(name).unwrap_or_else(|| panic!("no scenario {name}")))
    }

    /// A scenario, perhaps a derived one, on the rehearsal.
    pub(super) fn on(scenario: Scenario) -> Self {
        Self::with_cluster(scenario)
    }
}

impl Staging {
    /// With a kubectl that asks the preflight's questions only once for all tests of the process: for tests whose
    /// subject comes later.
    pub(super) fn remembering(self) -> Self {
        let all = self.cluster.scenario().with.iter();
        let of_cluster: Vec<&With> = all.filter(|with| !matches!(with, With::Answer { .. })).collect();
        let mut number = DefaultHasher::new();
        format!("{of_cluster:?}").hash(&mut number);
        let path = format!("{}:{}", remembering::folder().display(), self.path());
        self.with("PATH", &path).with("REHEARSED", &number.finish().to_string())
    }
}

impl<C: Cluster> Staging<C> {
    /// A scenario, perhaps a derived one. The folder has a space and a quote in its path.
    pub(super) fn with_cluster(scenario: Scenario) -> Self {
        let folder = tempfile::Builder::new().prefix("team's staging ").tempdir().unwrap();
        let cluster = C::start(scenario).unwrap();
        let repository = folder.path().join("repository");
        std::fs::create_dir(&repository).unwrap();
        copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("k8s"), &repository.join("k8s"));
        cluster.scenario().edit_manifests(utf8(&repository.join("k8s"))).unwrap();
        let kubeconfig = folder.path().join("kubeconfig");
        cluster.write_kubeconfig(utf8(&kubeconfig), CONTEXT).unwrap();
        let namespace = cluster.scenario().staging_namespace();
        let inputs = environment(utf8(&kubeconfig), namespace, cluster.base_url(), cluster.metrics_url());
        let environment = inputs.map(|(name, value)| (name.to_owned(), value));
        Self { cluster, folder, environment: environment.into(), options: Vec::new() }
            .with("STAGING_CONTEXT", CONTEXT)
    }

    pub(super) fn repository(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    /// Sets a variable; an empty value unsets it.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(super) fn option(mut self, option: &str) -> Self {
        self.options.push(option.to_owned());
        self
    }

    /// The PATH of the run.
    fn path(&self) -> String {
        self.environment.get("PATH").cloned().unwrap_or_else(|| std::env::var("PATH").unwrap())
    }

    /// Puts a bash script in the place of a program that the run will find; `"$REAL"` in it is the real one.
    pub(super) fn in_place_of(mut self, program: &str, script: &str) -> Self {
        let bin = self.folder.path().join("in place of");
        // Not what an earlier call has put there.
        let others = self.path().replace(&format!("{}:", bin.display()), "");
        let real = which_of(&others, program);
        let text = format!("#!/bin/bash\nREAL={}\n{script}\n", quoted(&real));
        executable(&bin.join(program), text);
        self.environment.insert("PATH".to_owned(), format!("{}:{others}", bin.display()));
        self
    }

    /// Edits a manifest.
    pub(super) fn manifest(self, name: &str, edit: impl FnOnce(String) -> String) -> Self {
        let path = self.repository().join("k8s").join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, edit(text)).unwrap();
        self
    }

    /// The program with this environment and nothing else of ours, ready to be started in the repository.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_staging-dry-run"));
        command
            .args(arguments)
            .current_dir(self.repository())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.folder.path())
            .env("TMPDIR", std::env::temp_dir())
            .env("TZ", noon())
            // A kubectl ends before it would pay to collect garbage.
            .env("GOGC", "off")
            .envs(self.environment.iter().filter(|(_, value)| !value.is_empty()))
            .stdin(Stdio::null());
        command
    }

    pub(super) fn run(self) -> Ran<C> {
        self.asks("run")
    }

    /// Runs a subcommand with the options given before.
    pub(super) fn asks(self, subcommand: &str) -> Ran<C> {
        let mut arguments = vec![subcommand];
        arguments.extend(self.options.iter().map(String::as_str));
        let output = self.command(&arguments).output().unwrap();
        self.ran(output)
    }

    pub(super) fn ran(self, output: Output) -> Ran<C> {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let ran = Ran {
            status: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
            staging: self,
        };
        let unknown = ran.staging.cluster.unknown();
        assert!(unknown.is_empty(), "the rehearsal does not know {unknown:?}");
        ran
    }
}

impl<C: Cluster> Ran<C> {
    #[track_caller]
    pub(super) fn exits(self, status: i32) -> Self {
        assert_eq!(self.status, Some(status), "{}\n{}", self.stderr, self.stdout);
        self
    }

    #[track_caller]
    pub(super) fn says(self, words: &str) -> Self {
        assert!(self.stderr.contains(words), "not said: {words}\n{}", self.stderr);
        self
    }

    /// Asserted from the cluster's own log, never from our manifest.
    #[track_caller]
    pub(super) fn changed_nothing(self) -> Self {
        let writes = self.staging.cluster.writes();
        assert!(writes.is_empty(), "{writes:?}");
        self
    }

    #[track_caller]
    pub(super) fn wrote_nothing(self) -> Self {
        let evidence = self.staging.repository().join("evidence");
        assert!(!evidence.exists(), "{} is there", evidence.display());
        self
    }

    /// The evidence folder of the day's latest run.
    pub(super) fn evidence(&self) -> PathBuf {
        let root = self.staging.repository().join("evidence/staging");
        let mut dated: Vec<PathBuf> = std::fs::read_dir(&root)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.len() == 8))
            .collect();
        dated.sort();
        dated.pop().unwrap()
    }

    pub(super) fn manifest(&self) -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(self.evidence().join("manifest.json")).unwrap()).unwrap()
    }

    pub(super) fn events(&self) -> Vec<Event> {
        let journal = std::fs::read_to_string(self.evidence().join("journal.jsonl")).unwrap();
        journal.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What a criterion of this run came to.
    pub(super) fn criterion(&self, id: &str) -> String {
        let manifest = self.manifest();
        let found = manifest["criteria"].as_array().unwrap().iter().find(|criterion| criterion["id"] == id);
        found.unwrap()["state"].as_str().unwrap().to_owned()
    }
}

/// A scenario of the rehearsal's table, run once for all tests, with the times shortened where it waits for one.
pub(super) fn scenario_ran(name: &'static str) -> &'static Ran {
    static RAN: OnceLock<Mutex<BTreeMap<&'static str, &'static OnceLock<Ran>>>> = OnceLock::new();
    let cell = {
        let mut ran = RAN.get_or_init(Mutex::default).lock().unwrap();
        *ran.entry(name).or_insert_with(|| Box::leak(Box::default()))
    };
    cell.get_or_init(|| shortened(name).run())
}

/// The scenarios of the table; values are changed, never the path.
pub(super) fn shortened<C: Cluster>(name: &str) -> Staging<C> {
    let mut scenario = rehearsal::scenario(name).unwrap_or_else(|| panic!("no scenario {name}"));
    if name == "ready-after-30s" {
        let not_yet = Answer::text(503, r#"{"status":"not_ready"}"#).until(Until::Asks(2));
        scenario = scenario.answer("/readyz", not_yet);
    }
    if name == "readyz-503" {
        // Longer than the limit: it is asked just once, on a slow machine too.
        let slow =
            Answer { takes: Duration::from_millis(1500), ..Answer::text(503, r#"{"status":"not_ready"}"#) };
        scenario = scenario.answer("/readyz", slow);
    }
    let staging = Staging::with_cluster(scenario);
    match name {
        "rollout-timeout" | "image-pull" | "quota-pods" | "pod-security-refuses" => {
            staging.option("--rollout-timeout=6s")
        }
        "readyz-503" => staging.option("--health-timeout=1s"),
        _ => staging,
    }
}

/// A PATH with only these programs of ours on it, and what else is given.
pub(super) fn path_with(folder: &Path, programs: &[&str]) -> String {
    let bin = folder.join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    for program in programs {
        let found = which(program);
        std::os::unix::fs::symlink(found, bin.join(program)).unwrap();
    }
    bin.to_str().unwrap().to_owned()
}

pub(super) fn which(program: &str) -> PathBuf {
    which_of(&std::env::var("PATH").unwrap(), program)
}

fn which_of(path: &str, program: &str) -> PathBuf {
    std::env::split_paths(path)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("{program} is not on PATH"))
}

pub(super) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Every file below a folder, by its path.
pub(super) fn files_below(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn add(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                add(root, &path, files);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    let mut files = BTreeMap::new();
    add(folder, folder, &mut files);
    files
}

/// A path as bash reads it.
pub(super) fn quoted(path: &Path) -> String {
    shlex::try_quote(path.to_str().unwrap()).unwrap().into_owned()
}

fn utf8(path: &Path) -> &Utf8Path {
    Utf8Path::from_path(path).unwrap()
}
