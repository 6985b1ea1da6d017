# shellcheck shell=bash
# Sourced by scripts/real-cluster.sh and scripts/real-node.sh: where the programs of a real cluster are, how they are
# built from the Go modules that tests/real/*/go.mod pin, and what both scripts say of themselves. Needs go.

here=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
kubernetes=v1.34.4

say() { printf '%s\n' "$@" >&2; }
fail() {
  say "${script:-real-cluster}: $1" "${@:2}"
  exit "${failed:-1}"
}

target_folder() { printf '%s/real\n' "${CARGO_TARGET_DIR:-$here/target}"; }

# One directory for each state of the two modules, so that a new version is built beside the old one.
bin_folder() {
  printf '%s/bin-%s\n' "$(target_folder)" "$(cat "$here"/tests/real/*/go.mod "$here"/tests/real/*/go.sum | cksum | cut -d' ' -f1)"
}

bin=$(bin_folder)

is_built() { # PROGRAM…
  local program
  for program; do [[ -x $bin/$program ]] || return 1; done
}

go_build() { # MODULE OUTPUT PACKAGE
  local started=$SECONDS info="k8s.io/component-base/version"
  if is_built "$2"; then return; fi
  printf '  %-24s ' "$2" >&2
  (cd "$here/tests/real/$1" && CGO_ENABLED=0 go build -mod=readonly -trimpath -o "$bin/.$2" \
    -ldflags "-s -w -X $info.gitVersion=$kubernetes -X $info.gitMajor=1 -X $info.gitMinor=34" "$3") >&2 ||
    fail "$2 could not be built (above)"
  mv -f -- "$bin/.$2" "$bin/$2"
  say "$((SECONDS - started)) s"
}

build_control_plane() {
  if is_built etcd kube-apiserver kube-controller-manager kube-scheduler; then return; fi
  command -v go >/dev/null || fail "go is needed to build the control plane: https://go.dev/dl/"
  mkdir -p -- "$bin"
  say "Building a Kubernetes $kubernetes control plane from its Go modules, once (about 7 minutes on two cores) …"
  go_build control-plane etcd go.etcd.io/etcd/server/v3
  go_build control-plane kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver
  go_build control-plane kube-controller-manager k8s.io/kubernetes/cmd/kube-controller-manager
  go_build control-plane kube-scheduler k8s.io/kubernetes/cmd/kube-scheduler
}

build_kwok() {
  if is_built kwok; then return; fi
  command -v go >/dev/null || fail "go is needed to build kwok: https://go.dev/dl/"
  go_build kwok kwok sigs.k8s.io/kwok/cmd/kwok
}

build_node() {
  if is_built kubelet kube-proxy; then return; fi
  command -v go >/dev/null || fail "go is needed to build kubelet and kube-proxy: https://go.dev/dl/"
  mkdir -p -- "$bin"
  say "Building kubelet and kube-proxy $kubernetes from the same modules, once …"
  go_build control-plane kubelet k8s.io/kubernetes/cmd/kubelet
  go_build control-plane kube-proxy k8s.io/kubernetes/cmd/kube-proxy
}

secret() { openssl rand -hex 16; }

usage() {
  sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"
}

# A line for each program, by the script's own pid_of.
status() { # PROGRAM…
  local program pid all=0
  for program; do
    if pid=$(pid_of "$program"); then
      printf '%-24s runs, process %s\n' "$program" "$pid"
    else
      printf '%-24s does not run\n' "$program"
      all=1
    fi
  done
  return "$all"
}

# Waits until standard input is closed. Not in the foreground: a signal ends a wait at once, but not a read.
until_input_ends() {
  exec 4<&0
  cat <&4 >/dev/null &
  wait "$!"
}
