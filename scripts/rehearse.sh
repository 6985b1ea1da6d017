#!/usr/bin/env bash
# A whole dry run without a cluster: builds the tool and the rehearsal (a simulated Kubernetes API server and a stand-in
# API on loopback), and runs the one against the other with the kubectl, curl and jq of this machine.
#
#   scripts/rehearse.sh                        a healthy staging
#   scripts/rehearse.sh crash-loop             another scenario
#   scripts/rehearse.sh healthy --no-apply     options of `staging-dry-run run` after the scenario,
#   scripts/rehearse.sh healthy plan           or another subcommand (preflight, smoke, plan)
#   scripts/rehearse.sh --real crash-loop      the same on a real control plane (scripts/real-cluster.sh), which is
#                                              built first: once, some minutes, with Go
#   scripts/rehearse.sh --list                 the scenarios
#
# Works on a copy of k8s/ in target/rehearsal/SCENARIO (target/real/SCENARIO); the evidence lands beside it, in evidence/staging/YYYYMMDD, and a
# later run of that day keeps the earlier one's. The exit code is the tool's; 2 if it can't be built or started.
set -euo pipefail

say() { printf '%s\n' "$@" >&2; }
refuse() {
  say "$@"
  exit 2
}

# Shows a number for the hundred lines that cargo prints for the crates, and the others as they are.
progress() {
  local line count=0
  while IFS= read -r line; do
    case $line in
      *Downloading\ * | *Downloaded\ * | *Updating\ * | *Locking\ * | *Adding\ * | *Finished\ * | *Blocking\ *) ;;
      *Compiling\ *)
        count=$((count + 1))
        if [[ -t 2 ]]; then
          printf '\r  %d crates' "$count" >&2
        elif ((count % 25 == 0)); then
          say "  $count crates"
        fi
        ;;
      *) say "$line" ;;
    esac
  done
  if [[ -t 2 ]] && ((count > 0)); then printf '\r\033[K' >&2; fi
}

build() { # WHAT CARGO-ARGUMENT…
  local what=$1 started=$SECONDS
  shift
  say "Building $what (a minute or two the first time) …"
  CARGO_TERM_COLOR=never cargo build "$@" 2>&1 | progress || refuse "Refused: $what could not be built (above)."
  if ((SECONDS - started > 2)); then say "  in $((SECONDS - started)) s"; fi
}

if [[ ${1-} == --help || ${1-} == -h ]]; then
  sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
  exit 0
fi
kind=rehearsal package=rehearsal
if [[ ${1-} == --real ]]; then
  kind=real package=real-cluster
  shift
fi
scenario=healthy
if [[ $# -gt 0 && ($1 != -* || $1 == --list) ]]; then
  scenario=$1
  shift
fi
subcommand=run
case ${1-} in run | preflight | smoke | plan) subcommand=$1 && shift ;; esac

missing=()
has() { command -v "$1" >/dev/null || missing+=("  $1 $2"); }
has cargo "builds the tool: https://rustup.rs"
has cc "links it: apt-get install gcc libc6-dev"
has kubectl "1.27 or newer: scripts/get-kubectl.sh 34 ~/.local/bin, or https://kubernetes.io/docs/tasks/tools/"
has curl "asks the API: apt-get install curl"
has jq "reads its answers: apt-get install jq"
if [[ $kind == real ]]; then
  has go "builds the control plane: https://go.dev/dl/"
  has openssl "makes its keys: apt-get install openssl"
fi
if ((${#missing[@]} > 0)); then
  refuse "Refused: ${#missing[@]} of the programs that a rehearsal needs are not on PATH. Nothing was run." "${missing[@]}"
fi

here=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
cd -- "$here"
target=$(cargo metadata --format-version 1 --no-deps | jq -r .target_directory) || refuse "Refused: cargo can't read this workspace (above)."
tool=$target/release/staging-dry-run cluster=$target/debug/$package

build "the $kind cluster" -p "$package"
if [[ $scenario == --list ]]; then exec "$cluster" --list; fi
[[ $'\n'$("$cluster" --list | awk '{print $1}')$'\n' == *$'\n'"$scenario"$'\n'* ]] ||
  refuse "Refused: \"$scenario\" is not a scenario. There are:" "$("$cluster" --list)"
build "staging-dry-run" --release -p staging-dry-run

work=$target/$kind/$scenario
mkdir -p -- "$work"
rm -rf -- "$work/k8s"
cp -R -- k8s "$work/k8s"
say "Rehearsing $scenario in $work" ""
exec "$cluster" "$scenario" --manifests "$work/k8s" -- "$tool" "$subcommand" --root "$work" "$@"
