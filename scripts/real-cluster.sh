#!/usr/bin/env bash
# A real Kubernetes control plane on loopback: etcd, kube-apiserver, kube-controller-manager and kube-scheduler, with
# kwok in place of kubelets. No containers and no root. Several run side by side, each in a directory of its own.
#
#   scripts/real-cluster.sh build          builds the five programs, once (minutes, 2.5 GB of memory at the most)
#   scripts/real-cluster.sh up [DIR]       starts what of a cluster does not run, waits until it is ready, and prints
#                                          its kubeconfig (contexts: admin, and staging-cluster, which k8s/rbac.yaml binds)
#   scripts/real-cluster.sh hold [DIR]     the same, serves until standard input is closed (or TERM), then down
#   scripts/real-cluster.sh env [DIR]      shell exports for it: eval "$(scripts/real-cluster.sh env)"
#   scripts/real-cluster.sh status [DIR]   a line for each program; exit 0 when all run, else 1
#   scripts/real-cluster.sh down [DIR]     ends what was started in DIR, also after a crash; the data stays there
#   scripts/real-cluster.sh --node …       the third tier, with a kubelet and containers: scripts/real-node.sh --help
#
# DIR is target/real/cluster unless given. DIR/kwok.yaml, if it is there before the first up, is what the pods live by,
# in place of tests/real/pods.yaml. REAL_WATCHES_END=SECONDS lets the API server end every watch after that to twice
# that time. Versions: tests/real/*/go.mod. Needs go, openssl, curl and kubectl.
# Exit 0: done. 1: it does not run (the logs are named). 2: usage, or something missing.
set -euo pipefail

# shellcheck source=scripts/real-build.sh
source "$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)/real-build.sh"
if [[ ${1-} == --node ]]; then exec bash "$here/scripts/real-node.sh" "${@:2}"; fi

programs=(etcd kube-apiserver kube-controller-manager kube-scheduler kwok) # in the order of their start
nodes=(ip-10-0-11-21.ec2.internal ip-10-0-12-22.ec2.internal ip-10-0-13-23.ec2.internal)
patience=300 # seconds until a program has to be ready, on a busy machine too

build() {
  build_control_plane
  build_kwok
}

# --- processes ------------------------------------------------------------------------------------------------------

# The process of a program of this directory; nothing, if it does not run. A number that the system has given to another
# process since is told by its command line, which has our program's and our directory's path in it.
pid_of() { # PROGRAM
  local pid
  pid=$(cat -- "$dir/$1.pid" 2>/dev/null) && [[ -n $pid ]] || return 1
  [[ $(ps -ww -o args= -p "$pid" 2>/dev/null) == "$bin_of_run/$1 "*"$dir/"* ]] || return 1
  printf '%s\n' "$pid"
}

start() { # PROGRAM ARGUMENT…
  local program=$1
  if pid_of "$program" >/dev/null; then return; fi
  # With job control it gets a process group of its own: Ctrl-C at the terminal is not for it.
  set -m
  (cd -- "$dir" && exec "$bin_of_run/$program" "${@:2}") </dev/null >>"$dir/logs/$program.log" 2>&1 &
  printf '%s\n' "$!" >"$dir/$program.pid"
  set +m
  until pid_of "$program" >/dev/null || ! kill -0 "$!" 2>/dev/null; do sleep 0.01; done # until it has become the program
}

# Asks until it is so; fails at once when the program is gone.
await() { # PROGRAM COMMAND…
  local until=$((SECONDS + patience))
  until "${@:2}" >/dev/null 2>&1; do
    if ! pid_of "$1" >/dev/null; then return 1; fi
    ((SECONDS < until)) || return 1
    sleep 0.05
  done
}

end() { # PROGRAM
  local pid
  if ! pid=$(pid_of "$1"); then
    rm -f -- "$dir/$1.pid"
    return
  fi
  kill -CONT "$pid" 2>/dev/null || true
  kill -TERM "$pid" 2>/dev/null || true
  # An API server with open watches would take half a minute; its data is etcd's, so nothing is lost.
  local until=$((SECONDS + 2))
  while pid_of "$1" >/dev/null; do
    if ((SECONDS >= until)); then kill -KILL "$pid" 2>/dev/null || true; fi
    sleep 0.05
  done
  rm -f -- "$dir/$1.pid"
}

down() {
  local index
  for ((index = ${#programs[@]} - 1; index >= 0; index--)); do end "${programs[index]}"; done
}

# --- a cluster ------------------------------------------------------------------------------------------------------

# Below the range from which the system takes ports for outgoing connections.
free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    if [[ " ${ports[*]-} " != *" $port "* ]] && ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      ports+=("$port")
      return
    fi
  done
}

choose_ports() {
  ports=()
  free_port && free_port && free_port && free_port
  printf '%s\n' "${ports[@]}" >"$dir/ports"
}

# Keys, tokens and kubeconfigs that a cluster keeps for its life.
make_identity() {
  local pki=$dir/pki
  mkdir -p -- "$pki" "$dir/logs" "$dir/etcd"
  chmod 700 "$dir" "$pki"
  printf '%s\n' "$bin" >"$dir/bin"
  printf '%s,admin,1,system:masters\n%s,ci-deployer,2,deployers\n' "$(secret)" "$(secret)" >"$pki/tokens.csv"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=127.0.0.1 \
    -addext subjectAltName=IP:127.0.0.1 -keyout "$pki/tls.key" -out "$pki/tls.crt" 2>/dev/null
  openssl ecparam -name prime256v1 -genkey -noout -out "$pki/accounts.key" 2>/dev/null
  openssl ec -in "$pki/accounts.key" -pubout -out "$pki/accounts.pub" 2>/dev/null
  if [[ ! -f $dir/kwok.yaml ]]; then cp -- "$here/tests/real/pods.yaml" "$dir/kwok.yaml"; fi
  cp -R -- "$here/tests/real/logs" "$dir/pod-logs"
  # Who deploys is recorded, so that a test can ask the server itself what was written.
  cat >"$dir/audit.yaml" <<'YAML'
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
    users: [ci-deployer]
  - level: None
YAML
}

token_of() { sed -n "s/,$1,.*//p" "$dir/pki/tokens.csv"; }

write_kubeconfig() {
  local new=$dir/.kubeconfig.$$
  cat >"$new" <<YAML
apiVersion: v1
kind: Config
clusters:
- {name: staging, cluster: {server: "https://127.0.0.1:${ports[2]}", certificate-authority: "$dir/pki/tls.crt"}}
users:
- {name: admin, user: {token: "$(token_of admin)"}}
- {name: ci-deployer, user: {token: "$(token_of ci-deployer)"}}
contexts:
- {name: admin, context: {cluster: staging, user: admin}}
- {name: staging-cluster, context: {cluster: staging, user: ci-deployer, namespace: dpp-staging}}
current-context: admin
YAML
  mv -f -- "$new" "$dir/kubeconfig"
}

start_all() {
  local etcd=http://127.0.0.1:${ports[0]} peer=http://127.0.0.1:${ports[1]} pki=$dir/pki config=$dir/kubeconfig
  start etcd --name=real --data-dir="$dir/etcd" --unsafe-no-fsync --log-level=warn \
    --listen-client-urls="$etcd" --advertise-client-urls="$etcd" \
    --listen-peer-urls="$peer" --initial-advertise-peer-urls="$peer" --initial-cluster="real=$peer"
  start kube-apiserver --etcd-servers="$etcd" --bind-address=127.0.0.1 --secure-port="${ports[2]}" \
    --advertise-address=127.0.0.1 --endpoint-reconciler-type=none --service-cluster-ip-range=10.96.0.0/16 \
    --tls-cert-file="$pki/tls.crt" --tls-private-key-file="$pki/tls.key" --cert-dir="$pki" \
    --token-auth-file="$pki/tokens.csv" --authorization-mode=RBAC \
    --service-account-issuer=https://kubernetes.default.svc --service-account-key-file="$pki/accounts.pub" \
    --service-account-signing-key-file="$pki/accounts.key" \
    --audit-policy-file="$dir/audit.yaml" --audit-log-path="$dir/logs/audit.jsonl" \
    --disable-admission-plugins=TaintNodesByCondition --min-request-timeout="${REAL_WATCHES_END:-1800}"
  await etcd curl -sf "$etcd/readyz" || return 1
  await kube-apiserver curl -sf --cacert "$pki/tls.crt" "https://127.0.0.1:${ports[2]}/readyz" || return 1
  start kube-controller-manager --kubeconfig="$config" --authentication-kubeconfig="$config" \
    --authorization-kubeconfig="$config" --secure-port=0 --leader-elect=false --use-service-account-credentials=false \
    --service-account-private-key-file="$pki/accounts.key" --root-ca-file="$pki/tls.crt" \
    --controllers='*,-node-lifecycle-controller,-node-ipam-controller,-node-route-controller,-cloud-node-lifecycle-controller' \
    --concurrent-deployment-syncs=5
  start kube-scheduler --kubeconfig="$config" --authentication-kubeconfig="$config" \
    --authorization-kubeconfig="$config" --secure-port=0 --leader-elect=false
  start kwok --kubeconfig="$config" --config="$dir/kwok.yaml" --manage-all-nodes=true --cidr=10.244.0.0/16 \
    --node-ip=127.0.0.1 --node-port="${ports[3]}" --server-address="127.0.0.1:${ports[3]}" \
    --tls-cert-file="$pki/tls.crt" --tls-private-key-file="$pki/tls.key" --node-lease-duration-seconds=0
}

admin() { kubectl --kubeconfig="$dir/kubeconfig" --context=admin "$@"; }

make_nodes() {
  local node
  for node in "${nodes[@]}"; do
    printf -- '---\napiVersion: v1\nkind: Node\nmetadata: {name: %s, labels: {kubernetes.io/hostname: %s}}\n' "$node" "$node"
  done | admin apply -f - >/dev/null
  admin wait --for=condition=Ready node --all --timeout="${patience}s" >/dev/null
}

ready() {
  local program
  start_all || return 1
  for program in "${programs[@]}"; do pid_of "$program" >/dev/null || return 1; done
  make_nodes
}

up() {
  build
  mkdir -p -- "$dir"
  if [[ ! -f $dir/bin ]]; then make_identity; fi
  bin_of_run=$(cat -- "$dir/bin")
  trap 'if [[ -n ${starting-} ]]; then down; fi' EXIT
  starting=yes
  local try
  for try in 1 2 3 4 5; do
    if [[ -f $dir/ports ]]; then mapfile -t ports <"$dir/ports"; else choose_ports; fi
    write_kubeconfig
    if ready; then
      starting=
      return
    fi
    # Another program may have taken a port between our look at it and the start.
    if ((try == 5)) || ! grep -qs "address already in use" "$dir"/logs/*.log; then break; fi
    down
    rm -f -- "$dir/ports" "$dir"/logs/*.log
  done
  fail "it does not get ready; the end of its logs ($dir/logs):" "$(tail -n 3 -- "$dir"/logs/*.log)"
}

print_env() {
  [[ -f $dir/kubeconfig ]] || fail "there is no cluster in $dir: scripts/real-cluster.sh up"
  printf 'export KUBECONFIG=%q STAGING_CONTEXT=staging-cluster STAGING_NAMESPACE=dpp-staging\n' "$dir/kubeconfig"
}

command=${1-}
[[ $# -le 2 ]] || command=
dir=${2:-$(target_folder)/cluster}
[[ $dir == /* ]] || dir=$PWD/$dir
bin_of_run=$(cat -- "$dir/bin" 2>/dev/null) || bin_of_run=$bin
ports=()

case $command in
build) build ;;
up)
  up
  printf '%s\n' "$dir/kubeconfig"
  ;;
hold)
  trap 'exit 143' TERM INT HUP
  up
  trap down EXIT
  printf '%s\n' "$dir/kubeconfig"
  until_input_ends
  ;;
env) print_env ;;
status) status "${programs[@]}" ;;
down) down ;;
--help | -h) usage ;;
*)
  usage >&2
  exit 2
  ;;
esac
