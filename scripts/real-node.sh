#!/usr/bin/env bash
# A real one-node Kubernetes: the control plane of tests/real, containerd, runc, CNI plugins, a registry, kubelet and
# kube-proxy, in namespaces of its own that nothing outside can reach. As root on Debian. One at a time on a machine.
#
#   scripts/real-cluster.sh --node install    installs the Debian packages that it needs
#   scripts/real-cluster.sh --node build      builds the programs and the images, once
#   scripts/real-cluster.sh --node up         starts it, waits until the node is ready, and prints its kubeconfig
#   scripts/real-cluster.sh --node hold       the same, serves until standard input is closed (or TERM), then down
#   scripts/real-cluster.sh --node in CMD…    runs a command in its network; without CMD a shell
#   scripts/real-cluster.sh --node env        shell exports for such a command
#   scripts/real-cluster.sh --node status     a line for each program; exit 0 when all run, else 1
#   scripts/real-cluster.sh --node able       exit 0 if it can run here, else 77 and the reason
#   scripts/real-cluster.sh --node down       ends all of it, also after a crash; no data stays
#
# Its files are in target/real/node. tests/node/README.md has the images and their tags.
# NODE_PROXY_MODE=iptables|nftables and NODE_CPUS=8 set the mode of kube-proxy and the CPUs that kubelet is shown.
# Exit 0: done. 1: it does not run (the logs are named). 2: usage. 3: another one runs. 77: it cannot run here.
set -euo pipefail

# shellcheck source=scripts/real-build.sh
source "$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)/real-build.sh"

script="real-cluster --node"
name=staging-dry-run-node # of its cgroups, and of the directory that says what runs
state=/run/$name
programs=(docker-registry etcd kube-apiserver kube-controller-manager kube-scheduler containerd kubelet kube-proxy)
patience=300
packages=(containerd runc containernetworking-plugins docker-registry umoci skopeo busybox-static python3-minimal
  iptables nftables iproute2 procps util-linux curl openssl)

dir=$(target_folder)/node
run=$dir/run

# --- can it run here ------------------------------------------------------------------------------------------------

unable() {
  if [[ $EUID == 0 && ! -d $state ]]; then remove_cgroups || true; fi
  failed=77 fail "$@"
}

missing_programs() {
  local program
  for program in containerd runc docker-registry umoci skopeo busybox iptables nft ip nsenter unshare ps curl openssl; do
    command -v "$program" >/dev/null || printf '%s ' "$program"
  done
  [[ -x /usr/lib/cni/bridge ]] || printf 'the CNI plugins '
  [[ -x /usr/bin/python3 ]] && dpkg -s "$(readlink -f /usr/bin/python3 | sed 's/.*\///')-minimal" >/dev/null 2>&1 ||
    printf "Debian's python3-minimal "
}

# All in namespaces that end with the command.
try_network() {
  unshare --net bash -c '
    ip link add try0 type veth peer name try1 && ip link add try2 type bridge &&
    iptables -t nat -A POSTROUTING -m comment --comment try -m statistic --mode random --probability 0.5 -j MASQUERADE'
}

try_overlay() {
  local try=$dir/try
  rm -rf -- "$try"
  mkdir -p -- "$try"/{lower,upper,work,merged}
  unshare --mount --propagation private mount -t overlay overlay \
    -o "lowerdir=$try/lower,upperdir=$try/upper,workdir=$try/work" "$try/merged" || return 1
  rm -rf -- "$try"
}

# The first line of a message, without the program and the path before its last colon.
cause() {
  local line=${1%%$'\n'*}
  printf '%s\n' "${line##*: }"
}

able() {
  local missing hierarchy why free
  [[ $EUID == 0 ]] || unable "a node needs root"
  missing=$(missing_programs)
  [[ -z $missing ]] || unable "missing: ${missing% }; scripts/real-cluster.sh --node install"
  mkdir -p -- "$dir"
  chmod 700 "$dir"
  free=$(df --output=avail -k -- "$dir" | tail -n 1)
  ((free > 2 * 1024 * 1024)) || unable "$dir has $((free / 1024)) MiB of free space; a node needs 2048 MiB"
  for hierarchy in cpu cpuacct cpuset memory pids devices; do
    [[ -e /sys/fs/cgroup/$hierarchy/cgroup.procs ]] ||
      unable "there is no cgroup v1 hierarchy of $hierarchy, and a node with cgroup v2 only has not been tried"
    mkdir -p "/sys/fs/cgroup/$hierarchy/$name" 2>/dev/null ||
      unable "no directory can be made in /sys/fs/cgroup/$hierarchy: is this a container?"
  done
  unshare --net --mount --pid --ipc --uts --fork true 2>/dev/null || unable "unshare can make no namespaces here"
  why=$(try_overlay 2>&1) || unable "overlayfs cannot be mounted in $dir: $(cause "$why")"
  why=$(try_network 2>&1) || unable "no veth pair, bridge or iptables rule can be made here: $(cause "$why")"
}

# Debian's packages start services of their own, unless this file forbids it.
install_packages() {
  local policy=/usr/sbin/policy-rc.d made=
  [[ $EUID == 0 ]] || unable "a node needs root"
  if [[ -z $(missing_programs) ]]; then return; fi
  command -v apt-get >/dev/null || unable "missing: $(missing_programs), and there is no apt-get to install it with"
  if [[ ! -e $policy ]]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    made=yes
  fi
  # shellcheck disable=SC2064 # the file of now
  if [[ -n $made ]]; then trap "rm -f -- $policy" EXIT; fi
  apt-get update -qq >/dev/null || say "apt-get update failed"
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends \
    "${packages[@]}" >/dev/null || unable "apt-get could not install: ${packages[*]}"
}

# --- building -------------------------------------------------------------------------------------------------------

images_folder() {
  printf '%s/node-images-%s\n' "$(target_folder)" \
    "$(cat -- "$here"/tests/node/images.sh "$here"/tests/node/images/{tags,*/*} "$here"/tests/rehearsal/fixtures/api/* |
      cksum | cut -d' ' -f1)"
}

build() {
  local images started=$SECONDS
  build_control_plane
  build_node
  images=$(images_folder)
  if [[ -d $images ]]; then return; fi
  [[ $EUID == 0 ]] || unable "a node needs root"
  say "Building the images of the node, once (about half a minute) …"
  rm -rf -- "$images.new"
  bash "$here/tests/node/images.sh" "$images.new" >&2 || fail "the images could not be built (above)"
  mv -- "$images.new" "$images"
  say "  images                   $((SECONDS - started)) s"
}

# --- what runs ------------------------------------------------------------------------------------------------------

# A process is told from a later one of the same number by the time of its start.
identity() { # PID
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  [[ ${stat##*) } != Z* ]] || return 1
  # shellcheck disable=SC2086 # its fields
  set -- "$1" ${stat##*) }
  printf '%s %s\n' "$1" "${21}"
}

lives() { # FILE: the process that it names
  local kept
  kept=$(cat -- "$state/$1" 2>/dev/null) && [[ -n $kept && $(identity "${kept% *}") == "$kept" ]]
}

holder() { cut -d' ' -f1 "$state/holder" 2>/dev/null; }

# Process 1 of the namespaces, by its number outside of them.
init_process() {
  local pid
  lives holder || return 1
  pid=$(ps -o pid= --ppid "$(holder)") && [[ -n $pid ]] && printf '%d\n' "$pid"
}

# none, running (an `up` that ended), held (its starter lives), or left (by a starter that was killed, or a crash)
situation() {
  if [[ ! -d $state ]]; then
    printf 'none\n'
  elif lives holder && [[ -e $state/kept ]]; then
    printf 'running\n'
  elif lives starter; then
    printf 'held\n'
  else
    printf 'left\n'
  fi
}

pid_of() { # PROGRAM
  local init
  init=$(init_process) || return 1
  ps -ww -o pid=,args= --ppid "$init" |
    awk -v program="$1" '{ n = split($2, path, "/") } path[n] == program { print $1; found = 1; exit } END { exit !found }'
}

all_run() {
  local program
  for program in "${programs[@]}"; do pid_of "$program" >/dev/null || return 1; done
}

# --- the end --------------------------------------------------------------------------------------------------------

# Waits until so; a process or a namespace takes its time to end.
soon() { # COMMAND…
  local until=$((SECONDS + 20))
  until "$@"; do
    ((SECONDS < until)) || return 1
    sleep 0.05
  done
}

gone() { [[ ! -e /proc/$1 ]] || [[ $(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null) == Z* ]]; }

# Commands of `in` that outlive the node would keep its network.
end_commands_inside() {
  local network process
  network=$(cat "$state/network" 2>/dev/null) || return 0
  for process in /proc/[0-9]*; do
    if [[ $(readlink "$process/ns/net" 2>/dev/null) == "$network" ]]; then kill -KILL "${process#/proc/}" 2>/dev/null || true; fi
  done
}

remove_cgroups() {
  local root
  for root in /sys/fs/cgroup/*/"$name" /sys/fs/cgroup/"$name"; do
    if [[ -d $root ]]; then find "$root" -depth -type d -exec rmdir {} + 2>/dev/null || true; fi
    [[ ! -d $root ]] || return 1
  done
}

# Killing process 1 of a process namespace ends every process in it, and the last process its mounts and its network.
clear_away() {
  local init kept
  if lives holder; then
    init=$(init_process) || init=
    kill -KILL ${init:+"$init"} "$(holder)" 2>/dev/null || true
    soon gone "$(holder)" || fail "process $(holder) does not end"
    if [[ -n $init ]]; then soon gone "$init" || fail "process $init does not end"; fi
  fi
  end_commands_inside
  soon remove_cgroups || fail "processes are left in /sys/fs/cgroup/*/$name: $(cat /sys/fs/cgroup/*/"$name"/cgroup.procs | sort -u | tr '\n' ' ')"
  kept=$(cat "$state/dir" 2>/dev/null) || kept=$dir
  if [[ -f $kept/run/made ]]; then xargs -r -d '\n' rmdir -- <"$kept/run/made" 2>/dev/null || true; fi
  if grep -qF " $kept/" /proc/self/mountinfo; then fail "something is mounted below $kept"; fi
  rm -rf -- "$kept/run" "$state"
}

down() {
  local of
  of=$(cat "$state/dir" 2>/dev/null) || of=$dir
  if [[ $of != "$dir" && $(situation) != left && -d $of ]]; then
    failed=3 fail "the node that runs is of $of: end it there"
  fi
  clear_away
}

# --- the start ------------------------------------------------------------------------------------------------------

lock() {
  exec 9>"/run/$name.lock"
  flock -w 5 9 || failed=3 fail "another \`up\` or \`down\` is under way"
}

# Refuses beside another node; ends first what a killed run left.
make_way() { # kept|held
  local of
  of=$(cat "$state/dir" 2>/dev/null) || of=
  case $(situation) in
  running)
    [[ $of == "$dir" ]] || failed=3 fail "a node runs already, of $of: two on one machine would share cgroups and memory"
    [[ $1 == kept ]] || failed=3 fail "a node runs already; scripts/real-cluster.sh --node down"
    if all_run; then return 1; fi
    say "a program of the node has ended: it is started anew"
    clear_away
    ;;
  held) failed=3 fail "a node runs already, of $of, held by process $(cut -d' ' -f1 "$state/starter")" ;;
  left)
    say "a node that a killed run or a crash left (of $of) is ended first"
    clear_away
    ;;
  none) remove_cgroups || failed=3 fail "/sys/fs/cgroup/*/$name has processes in it that no \`up\` started" ;;
  esac
}

logs() { tail -n 2 -- "$run"/logs/*.log 2>/dev/null; }

start() {
  mkdir -p -- "$run/logs" "$state"
  chmod 711 "$dir" "$run"
  printf '%s\n' "$dir" >"$state/dir"
  identity "$$" >"$state/starter"
  # shellcheck disable=SC2016 # the new shell's
  setsid bash -c '
    identity() { read -r stat <"/proc/$$/stat"; set -- ${stat##*) }; printf "%s %s\n" "$$" "${20}"; }
    identity >"$1/.holder" && mv "$1/.holder" "$1/holder"
    exec unshare --net --mount --pid --ipc --uts --fork --kill-child --mount-proc --propagation private bash "${@:2}"' \
    node "$state" "$here/tests/node/init.sh" "$run" "$bin" "$(images_folder)" "$name" \
    </dev/null >"$run/logs/init.log" 2>&1 9>&- &
  soon lives holder || fail "no namespaces could be made; $run/logs/init.log:" "$(cat "$run/logs/init.log")"
  soon init_process >/dev/null || fail "process 1 did not start; $run/logs/init.log:" "$(cat "$run/logs/init.log")"
  readlink "/proc/$(init_process)/ns/net" >"$state/network"
}

# Once all of them are started, none may be gone.
one_ended() {
  local try
  [[ -e $run/logs/kube-proxy.log ]] || return 1
  for try in 1 2 3; do
    if all_run; then return 1; fi
    sleep 0.2
  done
}

up() { # kept|held
  local until=$((SECONDS + patience))
  able
  command -v kubectl >/dev/null || fail "kubectl is needed: scripts/get-kubectl.sh"
  build
  lock
  trap 'exit 143' TERM INT HUP
  if ! make_way "$1"; then return; fi
  able # its cgroups again
  trap 'if [[ -n ${starting-} ]]; then clear_away; fi' EXIT
  starting=yes
  start
  until [[ -e $run/ready ]]; do
    if ! lives holder || one_ended; then fail "it ended at its start; the end of its logs:" "$(logs)"; fi
    ((SECONDS < until)) || fail "it does not get ready; the end of its logs:" "$(logs)"
    sleep 0.2
  done
  if [[ $1 == kept ]]; then : >"$state/kept"; fi
  starting=
  flock -u 9
}

inside() { # CMD…
  local init
  init=$(init_process) || fail "there is no node: scripts/real-cluster.sh --node up"
  (($#)) || set -- bash
  exec env KUBECONFIG="${KUBECONFIG-$run/kubeconfig}" nsenter --net="/proc/$init/ns/net" -- "$@"
}

print_env() {
  [[ -f $run/kubeconfig ]] || fail "there is no node: scripts/real-cluster.sh --node up"
  printf 'export KUBECONFIG=%q STAGING_CONTEXT=staging-cluster STAGING_NAMESPACE=dpp-staging\n' "$run/kubeconfig"
  printf 'export STAGING_BASE_URL=http://10.96.0.80 STAGING_METRICS_URL=http://10.96.0.80:9090\n'
  printf 'export AWS_ACCOUNT_ID=123456789012 IMAGE_TAG=v0.4.2.2\n'
}

case ${1-} in
install) install_packages ;;
build) build ;;
able)
  able
  if [[ ! -d $state ]]; then remove_cgroups || true; fi # of its trial
  ;;
up)
  up kept
  printf '%s\n' "$run/kubeconfig"
  ;;
hold)
  up held
  trap 'lock; clear_away' EXIT
  printf '%s\n' "$run/kubeconfig"
  until_input_ends
  ;;
in) inside "${@:2}" ;;
env) print_env ;;
status) status "${programs[@]}" ;;
down)
  [[ $EUID == 0 ]] || unable "a node needs root"
  lock
  down
  ;;
--help | -h) usage ;;
*)
  usage >&2
  exit 2
  ;;
esac
