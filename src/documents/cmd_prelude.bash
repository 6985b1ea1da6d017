#
#   bash cmd.txt                     re-run the read-only commands, and compare with the run
#   MUTATIONS=allowed bash cmd.txt   run the others too (server-side dry runs, and changes of the cluster)
#
# Needs bash 4.4+, coreutils, kubectl, curl, jq, and a kubeconfig with that context. Writes to a new temporary
# directory and nowhere else; your kubeconfig stays as it is.   Exit 0: all the same. 1: some differ. 2: cannot start.
set -euo pipefail
export LC_ALL=C KUBECTL_KUBERC=false@KEY@
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../inputs" || exit 2     # the manifests as the run read them
replay=$(mktemp -d "${TMPDIR:-/tmp}/replay-@FOLDER@.XXXXXX") || exit 2

# The run's context stands before the user's kubeconfig: use-context and `kubectl apply` need no other.
overlay=$replay/kubeconfig
cat >"$overlay" <<'KUBECONFIG'
@OVERLAY@
KUBECONFIG
both=$overlay:${KUBECONFIG:-$HOME/.kube/config}
export KUBECONFIG=$both KUBECACHEDIR=$replay/cache

if [[ ${MUTATIONS-} == allowed ]]; then                 # only ever on the namespace of the run
  namespace=@NAMESPACE@ want=@UID@
  uid=$(kubectl --context=@CONTEXT@ get namespace "$namespace" -o 'jsonpath={.metadata.uid}') || exit 2
  [[ $uid == "$want" ]] || { echo "Namespace $namespace here is $uid, not the run's ($want): nothing was run." >&2; exit 2; }
fi

same=0 differ=0 left_out=0 left='' id=''
exec 3>&1 4>&2
# may EFFECT ID [alone]: whether to run it; if so, what it prints goes to $replay/ID.out and ID.err.
may() {
  id=$2 left=''
  if [[ $1 != reads && ${MUTATIONS-} != allowed ]]; then left=$1; return 1; fi
  if [[ ${3-} == alone ]]; then export KUBECONFIG=$overlay; else export KUBECONFIG=$both; fi
  exec >"$replay/$id.out" 2>"$replay/$id.err"
}
# saw STATUS… [http CODE]: what the run saw; compares, and counts.
saw() {
  local got="${PIPESTATUS[*]}" want="$*"
  exec >&3 2>&4
  if [[ $left ]]; then left_out=$((left_out + 1)); printf 'left out  %s: %s\n' "$id" "$left"; return; fi
  if [[ $want == *' http '* ]]; then
    got+=" http $(tail -n 1 "$replay/$id.err" | jq -r '.http_code | tostring | if . == "0" then "000" else . end')"
  fi
  if [[ $want == unknown ]]; then
    left_out=$((left_out + 1)); printf 'left out  %s: %s, what the run saw is unknown\n' "$id" "$got"
  elif [[ $got == "$want" ]]; then
    same=$((same + 1)); printf 'same      %s: %s\n' "$id" "$got"
  else
    differ=$((differ + 1)); printf 'differs   %s: %s, the run saw %s\n' "$id" "$got" "$want"
  fi
}
set +e    # from here on an exit code other than 0 may be what the run saw: saw judges, not the shell
