#!/usr/bin/env bash
# The staging dry run of a repository, copied into it as tools/staging_dry_run.sh: has staging-dry-run carry out the
# runbook on the directory above the one this file (or a symbolic link to it) stands in. Options are those of
# `staging-dry-run run`, the exit code is its own; 2 when there is no program to run.
set -euo pipefail
here=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname -- "$here")

candidates() {
  if [[ -n ${STAGING_DRY_RUN_BIN-} ]]; then # asked for by name: nothing else will do
    type -P -- "$STAGING_DRY_RUN_BIN" || true
    return
  fi
  type -aP staging-dry-run || true
  local target=${CARGO_TARGET_DIR:-$root/target}
  printf '%s\n' "$target/release/staging-dry-run" "$target/debug/staging-dry-run"
}
refuse() {
  printf '%s\n' "$@" >&2
  exit 2
}

program=
while [[ -z $program ]] && IFS= read -r candidate; do
  # What stands on PATH under the program's name may be this script again.
  if [[ -f $candidate && -x $candidate ]] && ! cmp -s -- "$candidate" "${BASH_SOURCE[0]}" 2>/dev/null; then program=$candidate; fi
done < <(candidates)
if [[ -z $program && -n ${STAGING_DRY_RUN_BIN-} ]]; then
  refuse "Refused: STAGING_DRY_RUN_BIN is \"$STAGING_DRY_RUN_BIN\": there is no program there. Nothing was run."
elif [[ -z $program ]]; then
  refuse "Refused: the program staging-dry-run was not found. Nothing was run." \
    "    looked in   STAGING_DRY_RUN_BIN (not set), PATH, ${CARGO_TARGET_DIR:-$root/target}/{release,debug}" \
    "    get it      cargo install --locked --path THE_FOLDER_OF_ITS_SOURCE" \
    "    or          export STAGING_DRY_RUN_BIN=/path/to/staging-dry-run"
fi

own_root=no
for argument; do
  case $argument in --root | --root=*) own_root=yes ;; esac
done
[[ $own_root == yes ]] || set -- --root "$root" "$@"
shopt -s execfail # a program of another architecture is a refusal too
set +e
# shellcheck disable=SC2093 # the line after it is for when exec fails
exec "$program" run "$@"
refuse "Refused: \"$program\" can't be run on this machine. Nothing was run."
