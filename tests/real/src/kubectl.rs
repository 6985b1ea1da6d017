//! The kubectl on PATH, for laying out what was there before.

use std::io::{self, Write as _};
use std::process::{Command, Output, Stdio};

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;

/// kubectl as one who may do everything on a cluster.
#[derive(Clone, Debug)]
pub struct Kubectl {
    kubeconfig: Utf8PathBuf,
}

impl Kubectl {
    pub(crate) fn admin(kubeconfig: &Utf8Path) -> Kubectl {
        Kubectl { kubeconfig: kubeconfig.to_owned() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("kubectl");
        command.arg("--kubeconfig").arg(&self.kubeconfig).args(["--context", "admin"]).args(arguments);
        command
            .env("KUBECTL_KUBERC", "false")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a command, and gives what it printed.
    ///
    /// # Errors
    /// What it said, when it fails.
    pub fn run(&self, arguments: &[&str]) -> io::Result<String> {
        text(arguments, self.command(arguments).output()?)
    }

    /// Runs a command that prints JSON.
    ///
    /// # Errors
    /// What it said, when it fails or prints something else.
    pub fn json(&self, arguments: &[&str]) -> io::Result<Value> {
        Ok(serde_json::from_str(&self.run(arguments)?)?)
    }

    /// Runs a command that reads these objects from its standard input.
    ///
    /// # Errors
    /// What it said, when it fails.
    pub fn feed(&self, arguments: &[&str], objects: &[Value]) -> io::Result<String> {
        let objects: Vec<String> = objects.iter().map(Value::to_string).collect();
        self.feed_text(arguments, &objects.join("\n"))
    }

    pub(crate) fn feed_text(&self, arguments: &[&str], input: &str) -> io::Result<String> {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes())?;
        }
        text(arguments, child.wait_with_output()?)
    }
}

fn text(arguments: &[&str], output: Output) -> io::Result<String> {
    if output.status.success() {
        return String::from_utf8(output.stdout).map_err(io::Error::other);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("kubectl {}: {said}", arguments.join(" "))))
}
