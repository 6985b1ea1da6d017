#!/usr/bin/env bash
# Builds the images of the node and pushes them into a registry's storage:  tests/node/images.sh DIR
#
# DIR/registry is afterwards the storage of a registry that has the images of tests/node/images/tags under the
# manifests' names. Needs root, go, umoci, skopeo, docker-registry, busybox-static and python3-minimal. The registry
# listens on loopback in a network namespace that ends with this script.
set -euo pipefail

here=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
sources=$here/tests/node/images
if [[ ${1-} != --inside ]]; then
  [[ $# == 1 ]] || {
    sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2
    exit 2
  }
  mkdir -p -- "$1"
  exec unshare --net --mount --pid --fork --kill-child --mount-proc --propagation private \
    bash "${BASH_SOURCE[0]}" --inside "$(CDPATH='' cd -- "$1" && pwd)"
fi
dir=$2 work=$2/work
layout=$work/layout
rm -rf -- "$work" "$dir/registry"
mkdir -p -- "$work/containers"

# skopeo keeps a cache there, which is of no use to others.
cache=/var/lib/containers
if [[ ! -d $cache ]]; then
  trap 'umount -l "$cache"; rmdir "$cache"' EXIT
  mkdir -p -- "$cache"
fi
mount --bind "$work/containers" "$cache"
ip link set lo up

(cd -- "$sources/dpp" && CGO_ENABLED=0 go build -mod=readonly -trimpath -ldflags "-s -w" -o "$work/dpp" .)

# --- root file systems ----------------------------------------------------------------------------------------------

# The probes of the manifests run sh, test, find and grep.
lay_busybox() {
  local applet
  mkdir -p bin tmp etc app state
  cp -- "$(command -v busybox)" bin/busybox
  while IFS= read -r applet; do
    if [[ $applet != busybox ]]; then ln -sf busybox "bin/$applet"; fi
  done < <(bin/busybox --list)
  chmod 1777 tmp state
  printf 'app:x:10001:10001::/:/bin/sh\n' >etc/passwd
}

lay_api() {
  lay_busybox
  mkdir -p srv/api
  cp -- "$work/dpp" app/dpp
  cp -- "$here"/tests/rehearsal/fixtures/api/* srv/api/
}

# Debian's smallest Python: its interpreter, its modules, and the libraries that the interpreter is linked with.
lay_python() {
  local python file
  lay_api
  python=$(readlink -f /usr/bin/python3)
  while IFS= read -r file; do
    if [[ -f $file && $file == /usr/@(bin|lib)/* ]]; then cp --parents -- "$file" .; fi
  done < <(dpkg -L "${python##*/}-minimal" "lib${python##*/}-minimal")
  while IFS= read -r file; do cp -L --parents -- "$file" .; done < <(ldd "$python" | grep -o '/[^ ]*')
  ln -sf "${python##*/}" usr/bin/python3
  cp -- "$sources/python/start.py" app/start.py
}

lay_pause() { cp -- "$work/dpp" pause; }

image() { # NAME LAYER UMOCI-OPTION…
  umoci new --image "$layout:$1"
  umoci unpack --image "$layout:$1" "$work/$1"
  (cd -- "$work/$1/rootfs" && "$2")
  umoci repack --image "$layout:$1" "$work/$1"
  umoci config --image "$layout:$1" --config.env=PATH=/app:/bin "${@:3}"
  rm -rf -- "${work:?}/$1"
}

# --- the images and their tags --------------------------------------------------------------------------------------

push() { skopeo copy -q --dest-tls-verify=false "oci:$layout:$1" "docker://127.0.0.1:5000/$2"; }

variant() { # IMAGE NAME:TAG UMOCI-OPTION…
  umoci config --image "$layout:$1" --tag variant "${@:3}"
  push variant "$2"
}

push_tag() { # TAG FAILURE TIME
  local version=--config.env=VERSION=$1 failure=--config.env=FAILURE=$2 after=--config.env=FAILURE_AFTER=$3 of_loop=
  case $2 in
  no-image) ;;
  no-program) variant api "dpp-api:$1" "$version" --config.entrypoint=/app/start.sh ;;
  python) variant python "dpp-api:$1" "$version" ;;
  works) variant api "dpp-api:$1" "$version" ;;
  *) variant api "dpp-api:$1" "$version" "$failure" "$after" ;;
  esac
  # A failure at the end is of all three; any other is of the API alone.
  if [[ $2 == term ]]; then of_loop=$failure; fi
  variant loop "dpp-worker:$1" ${of_loop:+"$of_loop"}
  variant loop "dpp-reaper:$1" ${of_loop:+"$of_loop"}
}

umoci init --layout "$layout"
image pause lay_pause --config.entrypoint=/pause --config.entrypoint=pause --config.user=65535:65535
image api lay_api --config.entrypoint=/app/dpp --config.entrypoint=api --config.user=10001
image python lay_python --config.entrypoint=/usr/bin/python3 --config.entrypoint=/app/start.py --config.user=10001
umoci config --image "$layout:api" --tag loop --config.entrypoint=/app/dpp --config.entrypoint=loop
umoci config --image "$layout:api" --tag init --config.entrypoint=/app/dpp --config.entrypoint=init

cat >"$work/registry.yaml" <<YAML
version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $dir/registry}}
http: {addr: "127.0.0.1:5000"}
YAML
docker-registry serve "$work/registry.yaml" >"$work/registry.log" 2>&1 &
for _ in {1..200}; do
  if curl -sf http://127.0.0.1:5000/v2/ >/dev/null; then break; fi
  sleep 0.05
done

push pause pause:1
push init dpp-init:1
push loop dpp-sidecar:1
while read -r tag failure time; do
  case $tag in '#'* | '') ;; *) push_tag "$tag" "$failure" "${time:-0s}" </dev/null ;; esac
done <"$sources/tags"
rm -rf -- "$work"
