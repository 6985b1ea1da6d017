//! Programs that a test writes itself.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Writes a file to be executed, through another process: a child that a parallel test forks at that moment would hold
/// our own descriptor open, and executing the file would fail with `Text file busy`.
pub(crate) fn executable(path: &Path, content: impl AsRef<[u8]>) {
    let mut install = Command::new("install");
    let mut install =
        install.args(["-D", "-m", "755", "/dev/stdin"]).arg(path).stdin(Stdio::piped()).spawn().unwrap();
    install.stdin.take().unwrap().write_all(content.as_ref()).unwrap();
    assert!(install.wait().unwrap().success());
}
