#!/usr/bin/env bash
# Process 1 of a node's namespaces; scripts/real-node.sh starts it:  init.sh RUN BIN IMAGES NAME
#
# Prepares mounts and network, starts the programs as its children, sets staging up, writes RUN/ready, and stays. Its
# end is the end of every process in here, and with them of the mounts and the network.
set -euo pipefail

run=$1 bin=$2 images=$3 name=$4
here=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
address=10.0.11.21
node=ip-10-0-11-21.ec2.internal
api=https://$address:6443
pki=$run/pki
export TMPDIR=$run/tmp HOME=$run
cd -- "$run"

start() { # PROGRAM COMMAND…
  "${@:2}" </dev/null >>"$run/logs/$1.log" 2>&1 &
}

await() { # COMMAND…
  until "$@" >/dev/null 2>&1; do sleep 0.1; done
}

admin() { kubectl --kubeconfig="$run/kubeconfig" --context=admin "$@"; }

# --- mounts, cgroups and network --------------------------------------------------------------------------------------

mount_own() { # DIRECTORY: its content is the node's; `down` removes one that was made for the mount
  mkdir -p -- "$run/root$1"
  if [[ ! -d $1 ]]; then
    printf '%s\n' "$1" >>"$run/made"
    mkdir -p -- "$1"
  fi
  mount --bind "$run/root$1" "$1"
}

# kubelet shares mounts with containers, which the root has to allow.
prepare_mounts() {
  mkdir -p -- "$TMPDIR"
  mount --make-rshared /
  mount -t tmpfs -o mode=755 tmpfs /run
  mkdir -p /run/lock
  mount_own /var/log
  mount_own /var/lib/cni
  mount_own /var/lib/kubelet
  : >"$run/resolv.conf"
  if [[ -e /etc/resolv.conf ]]; then mount --bind "$run/resolv.conf" /etc/resolv.conf; fi
}

# kubelet sets these for the whole machine; here it sets files.
prepare_sysctls() {
  local key
  for key in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys \
    kernel/keys/root_maxbytes; do
    mkdir -p -- "$run/sysctl/${key%/*}"
    cat "/proc/sys/$key" >"$run/sysctl/$key"
    mount --bind "$run/sysctl/$key" "/proc/sys/$key"
  done
}

# A rollout of the manifests requests more CPUs than a small machine has. kubelet counts directories, and then gives
# their numbers to the kernel: so each CPU is shown under several names of the same number (cpu1, cpu01, cpu001).
prepare_cpus() {
  local shown=$run/sys/cpu cpu=0 real cpus=${NODE_CPUS:-8} folder
  real=$(nproc --all)
  for ((cpu = 0; cpu < (cpus > real ? cpus : real); cpu++)); do
    printf -v folder '%s/cpu%0*d' "$shown" $((cpu / real + 1)) $((cpu % real))
    mkdir -p -- "$folder/topology"
    printf '%d\n' "$cpu" >"$folder/topology/core_id"
    printf '0\n' >"$folder/topology/physical_package_id"
  done
  cp -- /sys/devices/system/cpu/{online,possible,present} "$shown/"
  mkdir -p -- "$run/sys/node"
  mount --bind "$shown" /sys/devices/system/cpu
  if [[ -d /sys/devices/system/node ]]; then mount --bind "$run/sys/node" /sys/devices/system/node; fi
}

# Below these are the cgroups of all pods.
prepare_cgroups() {
  local hierarchy kind
  for hierarchy in /sys/fs/cgroup/*/; do
    if [[ -L ${hierarchy%/} || ! -e $hierarchy/cgroup.procs ]]; then continue; fi
    mkdir -p -- "$hierarchy$name"
    for kind in cpus mems; do
      if [[ -e $hierarchy$name/cpuset.$kind ]]; then cat "${hierarchy}cpuset.$kind" >"$hierarchy$name/cpuset.$kind"; fi
    done
  done
}

# An address, a default route, and nobody at the other end.
prepare_network() {
  ip link set lo up
  ip link add node0 type veth peer name nobody0
  ip address add "$address/24" dev node0
  ip link set node0 up
  ip link set nobody0 up
  ip route add default dev node0
  printf '1\n' >/proc/sys/net/ipv4/ip_forward
  if [[ -e /proc/sys/net/bridge/bridge-nf-call-iptables ]]; then
    printf '1\n' >/proc/sys/net/bridge/bridge-nf-call-iptables
  fi
}

# --- identity and configuration ---------------------------------------------------------------------------------------

certificate() { # FILE SUBJECT NAMES
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "$2" \
    -keyout "$pki/$1.key" -out "$pki/$1.csr" 2>/dev/null
  openssl x509 -req -in "$pki/$1.csr" -CA "$pki/ca.crt" -CAkey "$pki/ca.key" -CAcreateserial -days 30 \
    -extfile <(printf 'subjectAltName=%s\n' "$3") -out "$pki/$1.crt" 2>/dev/null
}

make_identity() {
  local user
  mkdir -p -- "$pki"
  chmod 700 "$pki"
  for user in admin ci-deployer node proxy; do openssl rand -hex 16 >"$pki/$user.token"; done
  {
    printf '%s,admin,1,system:masters\n' "$(cat "$pki/admin.token")"
    printf '%s,ci-deployer,2,deployers\n' "$(cat "$pki/ci-deployer.token")"
    printf '%s,system:node:%s,3,system:nodes\n' "$(cat "$pki/node.token")" "$node"
    printf '%s,system:kube-proxy,4,\n' "$(cat "$pki/proxy.token")"
  } >"$pki/tokens.csv"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=node-ca \
    -keyout "$pki/ca.key" -out "$pki/ca.crt" 2>/dev/null
  certificate server /CN=kube-apiserver "IP:$address,IP:127.0.0.1,IP:10.96.0.1"
  certificate kubelet "/CN=$node" "IP:$address,DNS:$node"
  certificate client /O=system:masters/CN=kube-apiserver "DNS:kube-apiserver"
  openssl ecparam -name prime256v1 -genkey -noout -out "$pki/accounts.key" 2>/dev/null
  openssl ec -in "$pki/accounts.key" -pubout -out "$pki/accounts.pub" 2>/dev/null
}

kubeconfig() { # FILE USER…
  local user
  {
    printf 'apiVersion: v1\nkind: Config\ncurrent-context: %s\nclusters:\n' "$2"
    printf -- '- {name: staging, cluster: {server: "%s", certificate-authority: "%s"}}\nusers:\n' "$api" "$pki/ca.crt"
    for user in "${@:2}"; do printf -- '- {name: %s, user: {token: "%s"}}\n' "$user" "$(cat "$pki/$user.token")"; done
    printf 'contexts:\n'
    for user in "${@:2}"; do printf -- '- {name: %s, context: {cluster: staging, user: %s}}\n' "$user" "$user"; done
  } >"$run/$1"
}

write_kubeconfigs() {
  kubeconfig kubelet.conf node
  kubeconfig proxy.conf proxy
  kubeconfig kubeconfig admin ci-deployer
  printf -- '- {name: staging-cluster, context: {cluster: staging, user: ci-deployer, namespace: dpp-staging}}\n' \
    >>"$run/kubeconfig"
  cat >"$run/audit.yaml" <<YAML
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - {level: Metadata, users: [ci-deployer]}
  - {level: None}
YAML
}

# The storage is a copy, since a registry writes into it.
configure_registry() {
  local host
  cp -R -- "$images/registry" "$run/registry"
  cat >"$run/registry.yaml" <<YAML
version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $run/registry}}
http: {addr: "127.0.0.1:5000"}
YAML
  # These names are pulled from the registry of the node, in the way that any name is.
  for host in 123456789012.dkr.ecr.us-east-1.amazonaws.com registry.local; do
    mkdir -p -- "$run/hosts/$host"
    cat >"$run/hosts/$host/hosts.toml" <<TOML
server = "http://127.0.0.1:5000"
[host."http://127.0.0.1:5000"]
  capabilities = ["pull", "resolve"]
TOML
  done
}

# restrict_oom_score_adj: runc would fail where root may not lower this score.
configure_containerd() {
  mkdir -p -- "$run/cni"
  cat >"$run/containerd.toml" <<TOML
version = 2
root = "$run/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "$run/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "$run/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.local/pause:1"
  disable_apparmor = true
  restrict_oom_score_adj = true
  stream_server_address = "127.0.0.1"
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "$run/cni"
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "$run/hosts"
[plugins."io.containerd.grpc.v1.cri".containerd]
  default_runtime_name = "runc"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = false
TOML
  cat >"$run/cni/node.conflist" <<JSON
{"cniVersion": "0.4.0", "name": "node", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true, "ipam": {
    "type": "host-local", "ranges": [[{"subnet": "10.244.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}, "snat": true}]}
JSON
}

# Absolute sizes for evictions: a share of a disk that others fill says nothing of this node.
configure_kubelet() {
  cat >"$run/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $address
healthzBindAddress: 127.0.0.1
containerRuntimeEndpoint: unix://$run/containerd.sock
cgroupDriver: cgroupfs
cgroupRoot: /$name
failCgroupV1: false
failSwapOn: false
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $pki/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $pki/kubelet.crt
tlsPrivateKeyFile: $pki/kubelet.key
resolvConf: $run/resolv.conf
clusterDomain: cluster.local
clusterDNS: [10.96.0.10]
evictionHard: {memory.available: 100Mi, nodefs.available: 200Mi, imagefs.available: 200Mi}
volumePluginDir: $run/volume-plugins
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
YAML
  cat >"$run/proxy.yaml" <<YAML
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: $run/proxy.conf}
mode: ${NODE_PROXY_MODE:-iptables}
clusterCIDR: 10.244.0.0/16
hostnameOverride: $node
bindAddress: $address
healthzBindAddress: 127.0.0.1:10256
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
YAML
}

# --- programs ---------------------------------------------------------------------------------------------------------

start_control_plane() {
  local etcd=http://127.0.0.1:2379 peer=http://127.0.0.1:2380 config=$run/kubeconfig
  start etcd "$bin/etcd" --name=node --data-dir="$run/etcd" --unsafe-no-fsync --log-level=warn \
    --listen-client-urls="$etcd" --advertise-client-urls="$etcd" --listen-peer-urls="$peer" \
    --initial-advertise-peer-urls="$peer" --initial-cluster="node=$peer"
  start kube-apiserver "$bin/kube-apiserver" --etcd-servers="$etcd" --bind-address=0.0.0.0 --secure-port=6443 \
    --advertise-address="$address" --service-cluster-ip-range=10.96.0.0/16 \
    --tls-cert-file="$pki/server.crt" --tls-private-key-file="$pki/server.key" --cert-dir="$pki" \
    --client-ca-file="$pki/ca.crt" --token-auth-file="$pki/tokens.csv" \
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
    --service-account-issuer=https://kubernetes.default.svc --service-account-key-file="$pki/accounts.pub" \
    --service-account-signing-key-file="$pki/accounts.key" \
    --kubelet-client-certificate="$pki/client.crt" --kubelet-client-key="$pki/client.key" \
    --kubelet-certificate-authority="$pki/ca.crt" --kubelet-preferred-address-types=InternalIP \
    --audit-policy-file="$run/audit.yaml" --audit-log-path="$run/logs/audit.jsonl"
  await curl -sf --cacert "$pki/ca.crt" "$api/readyz"
  start kube-controller-manager "$bin/kube-controller-manager" --kubeconfig="$config" --secure-port=0 \
    --leader-elect=false --use-service-account-credentials=true \
    --service-account-private-key-file="$pki/accounts.key" --root-ca-file="$pki/ca.crt"
  start kube-scheduler "$bin/kube-scheduler" --kubeconfig="$config" --secure-port=0 --leader-elect=false
}

start_node() {
  await curl -sf http://127.0.0.1:5000/v2/
  await ctr --address "$run/containerd.sock" version
  start kubelet "$bin/kubelet" --config="$run/kubelet.yaml" --kubeconfig="$run/kubelet.conf" \
    --root-dir="$run/kubelet" --cert-dir="$pki" --hostname-override="$node" --node-ip="$address"
  start kube-proxy "$bin/kube-proxy" --config="$run/proxy.yaml"
}

prepare_mounts
prepare_sysctls
prepare_cpus
prepare_cgroups
prepare_network
make_identity
write_kubeconfigs
configure_registry
configure_containerd
configure_kubelet
start docker-registry docker-registry serve "$run/registry.yaml"
start containerd containerd --config "$run/containerd.toml"
start_control_plane
start_node
await admin get node "$node"
admin apply -f "$here/k8s/namespace.yaml" -f "$here/k8s/rbac.yaml" -f "$here/tests/node/staging.yaml" >/dev/null
admin wait --for=condition=Ready "node/$node" --timeout=300s >/dev/null
: >"$run/ready"

# As process 1 it inherits every orphan, and bash reaps them while it waits.
while :; do
  sleep 86400 &
  wait "$!" || true
done
