//! The five programs, as `scripts/real-cluster.sh` starts and ends them.

use std::io::{self, BufRead as _, BufReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;

use camino::{Utf8Path, Utf8PathBuf};
use rehearsal::{Scenario, With};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/real-cluster.sh");

/// How soon the API server ends a watch where a scenario wants it cut, in seconds (up to twice that).
const WATCHES_END: &str = "3";

/// A program of the control plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// kube-apiserver
    ApiServer,
    /// kube-controller-manager
    ControllerManager,
    /// kwok
    Kwok,
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Program::ApiServer => "kube-apiserver",
            Program::ControllerManager => "kube-controller-manager",
            Program::Kwok => "kwok",
        }
    }
}

/// Builds the programs, once for this process; what it tells of its progress goes to standard error.
///
/// # Errors
/// When they can't be built.
pub fn build() -> io::Result<()> {
    static BUILT: OnceLock<Result<(), String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let status =
            script("build", None).stderr(Stdio::inherit()).status().map_err(|error| error.to_string())?;
        if status.success() { Ok(()) } else { Err("the control plane could not be built (above)".to_owned()) }
    });
    built.clone().map_err(io::Error::other)
}

fn script(what: &str, folder: Option<&Utf8Path>) -> Command {
    let mut command = Command::new("bash");
    command.arg(SCRIPT).arg(what).args(folder).stdin(Stdio::null());
    command
}

/// A control plane that ends with this process, however that ends: the script that holds it waits for the end of
/// its standard input.
#[derive(Debug)]
pub(crate) struct ControlPlane {
    folder: Utf8PathBuf,
    kubeconfig: Utf8PathBuf,
    script: Child,
    held: Option<ChildStdin>,
}

impl ControlPlane {
    pub(crate) fn start(folder: &Utf8Path, scenario: &Scenario) -> io::Result<ControlPlane> {
        build()?;
        let mut command = script("hold", Some(folder));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Ctrl-C at a terminal ends the command that runs on it first.
        command.process_group(0);
        if scenario.with.contains(&With::CutPodsWatch) {
            command.env("REAL_WATCHES_END", WATCHES_END);
        }
        let mut script = command.spawn()?;
        let held = script.stdin.take();
        let mut kubeconfig = String::new();
        if let Some(stdout) = script.stdout.take() {
            BufReader::new(stdout).read_line(&mut kubeconfig)?;
        }
        if kubeconfig.is_empty() {
            let mut said = String::new();
            if let Some(mut stderr) = script.stderr.take() {
                stderr.read_to_string(&mut said)?;
            }
            script.wait()?;
            return Err(io::Error::other(said));
        }
        let (folder, kubeconfig) = (folder.to_owned(), kubeconfig.trim_end().into());
        Ok(ControlPlane { folder, kubeconfig, script, held })
    }

    pub(crate) fn kubeconfig(&self) -> &Utf8Path {
        &self.kubeconfig
    }

    pub(crate) fn signal(&self, program: Program, signal: &str) -> io::Result<()> {
        let pid = fs_err::read_to_string(self.folder.join(format!("{}.pid", program.name())))?;
        let status = Command::new("kill").arg(format!("-{signal}")).arg(pid.trim()).status()?;
        if status.success() {
            Ok(())
        } else {
            Err(io::Error::other(format!("{} does not run", program.name())))
        }
    }

    pub(crate) fn start_again(&self) -> io::Result<()> {
        let output = script("up", Some(&self.folder)).output()?;
        if output.status.success() {
            return Ok(());
        }
        Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()))
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        drop(self.held.take());
        let _ended = self.script.wait();
    }
}
