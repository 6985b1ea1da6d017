//! A kubectl that remembers what the real one answered to the preflight's questions.
//!
//! A kubectl takes a tenth of a second of a core to start, and a preflight starts 25. Tests whose subject is what comes
//! later ask the same of the same staging over and over: the first answer of the real kubectl, byte for byte with its
//! exit code, serves every test of the process. The rehearsal answers the same each time until something is applied;
//! from then on only what no run changes (versions, permissions, namespaces) is still remembered.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tempfile::TempDir;

use super::executable::executable;
use super::{quoted, which};

/// `$REHEARSED` is a number for the scenario, and `$HOME` the staging's own folder.
const SCRIPT: &str = r#"
changed=$ANSWERS/changed.${HOME##*/} input=''
case "$*" in
'version --client -o json' | *' version -o json' | *' auth can-i '* | *' auth whoami '* | *' get namespace'*)
    ;;
*' get deploy,po,svc -n dpp-staging -o wide' | *' get deployments.apps,pods -n dpp-staging -o json')
    [[ ! -e $changed ]] || exec "$REAL" "$@" ;;
*' apply --dry-run=server '*)
    [[ ! -e $changed ]] || exec "$REAL" "$@"
    input=$(cat && echo .) ;;
'config '* | *' config '* | *' --watch '*) exec "$REAL" "$@" ;;
*)
    : >"$changed"
    exec "$REAL" "$@" ;;
esac
key="$REHEARSED ${*//[^A-Za-z0-9.=-]/_}"
if [[ $input || ${#key} -gt 240 ]]; then key=$(printf '%s\n' "$key" "$input" | sha256sum); fi
answer=$ANSWERS/$key
if [[ ! -e $answer.code ]]; then
    printf '%s' "${input%.}" | "$REAL" "$@" >"$answer.$$.out" 2>"$answer.$$.err"
    printf '%s\n' "${PIPESTATUS[1]}" >"$answer.$$.code"
    for part in out err code; do mv "$answer.$$.$part" "$answer.$part"; done
fi
if [[ -s $answer.err ]]; then cat "$answer.err" >&2; fi
code=$(<"$answer.code")
if [[ $code == 0 ]]; then exec cat "$answer.out"; fi
cat "$answer.out"
exit "$code"
"#;

/// The folder that has this kubectl, to stand first on PATH; one for all tests of a process.
pub(crate) fn folder() -> &'static Path {
    static FOLDER: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, bin) = FOLDER.get_or_init(|| {
        let folder = tempfile::Builder::new().prefix("remembered answers ").tempdir().unwrap();
        let (answers, bin) = (folder.path().join("answers"), folder.path().join("bin"));
        std::fs::create_dir(&answers).unwrap();
        let (real, answers) = (quoted(&which("kubectl")), quoted(&answers));
        executable(&bin.join("kubectl"), format!("#!/bin/bash\nREAL={real} ANSWERS={answers}\n{SCRIPT}"));
        (folder, bin)
    });
    bin
}
