#!/usr/bin/env bash
# Makes evidence/samples/ anew: one passing run and one for each stop rule, on a real control plane.
#
#   scripts/samples.sh
#
# Each is a run of the release build on a cluster of its own (scripts/rehearse.sh --real), in a repository of its own
# that holds the manifests. Run as root on Linux, the runs see a machine that is called runner.
# Exit 0: all are there, each with the verdict it is to show. 1: one came out otherwise; the old samples stay.
set -euo pipefail

#     folder  exit  scenario         options
samples=(
  "pass     0     healthy"
  "stop-1   1     quota-pods       --rollout-timeout=10s"
  "stop-2   1     crash-loop"
  "stop-3   1     readyz-503       --health-timeout=5s"
  "stop-4   1     smoke-7-of-10"
)

here=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
cd -- "$here"
fail() {
  printf 'samples: %s\n' "$1" >&2
  exit 1
}

cargo build --release -p staging-dry-run
cargo build -p real-cluster
target=$(cargo metadata --format-version 1 --no-deps | jq -r .target_directory)
scripts/real-cluster.sh build

# The directory's name is in the evidence.
work=/tmp/staging
[[ ! -e $work ]] || fail "$work is there already: move it away, the evidence names the directory it was made in"
mkdir -p -- "$work/new"
trap 'rm -rf -- "$work"' EXIT

as_runner=()
if [[ $EUID -eq 0 ]] && unshare --uts true 2>/dev/null; then
  # shellcheck disable=SC2016 # expanded by the inner shell
  as_runner=(unshare --uts bash -c 'hostname runner && exec "$@"' bash)
fi

for sample in "${samples[@]}"; do
  read -r folder expected scenario options <<<"$sample"
  repository=$work/repository
  rm -rf -- "$repository"
  mkdir -p -- "$repository"
  cp -R -- k8s "$repository/k8s"
  cp -- "$target/release/staging-dry-run" "$work/staging-dry-run"
  git -C "$repository" init -q -b main
  git -C "$repository" add -A
  git -C "$repository" -c user.name=samples -c user.email=samples@localhost commit -q -m "The manifests"
  status=0
  # shellcheck disable=SC2086 # options are words
  env -i PATH="$PATH" HOME="$work" USER=ci TMPDIR="${TMPDIR:-/tmp}" "${as_runner[@]}" \
    "$target/debug/real-cluster" "$scenario" -- "$work/staging-dry-run" run --root "$repository" ${options-} || status=$?
  [[ $status -eq $expected ]] || fail "$scenario ended with $status, not $expected"
  mv -- "$repository"/evidence/staging/2* "$work/new/$folder"
done

# What vouches for a directory stands outside of it.
(cd -- "$work/new" && sha256sum -- */SHA256SUMS >SEALS)
cp -- evidence/samples/README.md "$work/new/" 2>/dev/null || true
rm -rf -- evidence/samples
mkdir -p -- evidence
cp -R -- "$work/new" evidence/samples
ls -- evidence/samples
