#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A real Kubernetes of two nodes on this machine, from the programs that fetch.sh makes.
#
#   cluster.sh up [bare] | down | kill-node LETTER | ctl WORDS... | plugin WORDS... | within NAME WORDS...
#
# Each node has a traceloopd, and its containers its hooks; with `bare`, a node has nothing of ours. The control plane is a
# network and a mount namespace, in which `within plane` runs a command. Each node, `within node-a`, has its own of both and
# its own processes, a containerd and a kubelet. All files are in build/cluster. KUBECONFIG_OF=NAME makes ctl and plugin run
# as the user NAME (admin).
set -uo pipefail
project=$(cd "$(dirname "$0")/../.." && pwd)
base=$project/build/cluster
state=$base/state logs=$base/state/log pids=$base/state/pids pki=$base/state/pki
bin=$base/bin debian=$base/root/usr venv=$project/.venv/bin
nodes="a b"
controllers="cpu cpuacct cpuset memory devices freezer blkio pids systemd unified"
group=973 # of the nodes' group traceloop

wait_until() { # SECONDS WHAT COMMAND...
	local end=$((SECONDS + $1)) what=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || { echo "cluster.sh: $what did not happen; see $logs" >&2; exit 1; }
		sleep 0.1
	done
}
within() { # NAMESPACE WORDS...
	local pid
	pid=$(cat "$pids/$1")
	shift
	nsenter -t "$pid" -n -m -p "$@"
}
start() { # NAMESPACE NAME WORDS...: in the background
	local name=$2 pid
	pid=$(cat "$pids/$1")
	shift 2
	(exec nsenter -t "$pid" -n -m -p setsid nohup "$@" >"$logs/$name" 2>&1 </dev/null) &
	wait_until 10 "$name's start" pgrep -P $! # nsenter waits for the program, which is its child
	pgrep -P $! >"$pids/$name"
}
stop() { # NAME...
	local name pid
	for name; do
		[ -f "$pids/$name" ] || continue
		pid=$(cat "$pids/$name")
		kill "$pid" 2>/dev/null
		for _ in $(seq 100); do
			kill -0 "$pid" 2>/dev/null || break
			sleep 0.1
		done
		kill -9 "$pid" 2>/dev/null
		rm -f "$pids/$name"
	done
}
config() { # USER
	cat >"$state/$1.kubeconfig" <<END
apiVersion: v1
kind: Config
clusters: [{name: lab, cluster: {server: "https://10.77.0.1:6443", certificate-authority: $pki/ca.crt}}]
users: [{name: $1, user: {client-certificate: $pki/$1.crt, client-key: $pki/$1.key}}]
contexts: [{name: lab, context: {cluster: lab, user: $1}}]
current-context: lab
END
}
ctl() {
	within plane env KUBECONFIG="$state/${KUBECONFIG_OF:-admin}.kubeconfig" PATH="$bin:$venv:$PATH" kubectl "$@"
}

namespace() { # NAME SCRIPT: makes the namespaces and runs the script in them, then sleeps; words before that follow
	local name=$1 script=$2 pid
	shift 2
	("$@" bash -euc "$script; exec sleep infinity" </dev/null >"$logs/$name" 2>&1) &
	wait_until 10 "the namespace $name" sleeper "$name" $!
}
sleeper() { # NAME PID: writes the number of the process that sleeps in the namespaces, which is PID or below it
	local pid=$2 below
	while below=$(pgrep -P "$pid"); do pid=$below; done
	[ "$(cat "/proc/$pid/comm")" = sleep ] && echo "$pid" >"$pids/$1"
}
plane() {
	namespace plane "
		ip link set lo up
		ip link add br0 type bridge
		ip addr add 10.77.0.1/24 dev br0
		ip link set br0 up
		echo 1 >/proc/sys/net/ipv4/ip_forward
		ip route add default via 10.77.0.254 dev br0
		mount -t tmpfs none /run
		mkdir -p /run/lock
		mount -t tmpfs none /var/log
		sed '/^traceloop:/d' /etc/group >/run/group; echo traceloop:x:$group: >>/run/group; mount --bind /run/group /etc/group" \
		setsid unshare -n -m --propagation private
	for user in admin alice controllers scheduler; do config $user; done
	local etcd=http://127.0.0.1:2379 peer=http://127.0.0.1:2380
	start plane etcd "$debian/bin/etcd" --data-dir "$state/etcd" --listen-client-urls $etcd --advertise-client-urls $etcd \
		--listen-peer-urls $peer --initial-advertise-peer-urls $peer --initial-cluster default=$peer --unsafe-no-fsync
	start plane apiserver "$bin/kube-apiserver" --etcd-servers=$etcd --bind-address=0.0.0.0 --advertise-address=10.77.0.1 \
		--secure-port=6443 --client-ca-file="$pki/ca.crt" --tls-cert-file="$pki/apiserver.crt" \
		--tls-private-key-file="$pki/apiserver.key" --cert-dir="$state/apiserver" \
		--kubelet-client-certificate="$pki/admin.crt" --kubelet-client-key="$pki/admin.key" \
		--kubelet-certificate-authority="$pki/ca.crt" --kubelet-preferred-address-types=InternalIP \
		--service-account-issuer=https://kubernetes.default.svc --service-account-signing-key-file="$pki/sa.key" \
		--service-account-key-file="$pki/sa.pub" --service-cluster-ip-range=10.96.0.0/24 \
		--authorization-mode=Node,RBAC --allow-privileged=true --profiling=false
	wait_until 60 "the API server's start" ctl get --raw /readyz
	start plane controllers "$bin/kube-controller-manager" --kubeconfig="$state/controllers.kubeconfig" \
		--service-account-private-key-file="$pki/sa.key" --root-ca-file="$pki/ca.crt" \
		--use-service-account-credentials=true --leader-elect=false --bind-address=127.0.0.1 --port=0 \
		--node-monitor-grace-period=8s --node-monitor-period=1s
	start plane scheduler "$bin/kube-scheduler" --kubeconfig="$state/scheduler.kubeconfig" --leader-elect=false \
		--bind-address=127.0.0.1 --port=0
}
node() { # LETTER NUMBER
	local n=$1 number=$2 address=10.77.0.1$2
	mkdir -p "$state/cni-$n" "$state/kubelet-$n" "$state/traceloop-$n" "$state/traceloop-ship-$n" "$base/compiled-$n"
	# kubelet would set the settings machine-wide; it finds that they are set already.
	namespace "node-$n" "
		mount --make-rprivate /
		mount -t proc proc /proc
		mount -t bpf bpf /sys/fs/bpf
		mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing
		mount -t tmpfs none /var/lib
		mount -t tmpfs none /var/cache
		mkdir /var/lib/cni /var/lib/traceloop /var/cache/traceloop
		mount --bind $state/traceloop-$n /var/lib/traceloop
		mount --bind $base/compiled-$n /var/cache/traceloop
		mount -t tmpfs none /run
		mkdir -p /run/lock /run/settings
		setting() { echo \$2 >/run/settings/\${1//\\//_}; mount --bind /run/settings/\${1//\\//_} /proc/sys/\$1; }
		setting vm/overcommit_memory 1; setting vm/panic_on_oom 0; setting kernel/panic 10; setting kernel/panic_on_oops 1
		setting kernel/keys/root_maxkeys 1000000; setting kernel/keys/root_maxbytes 25000000
		mount -t tmpfs none /var/log
		mkdir -p /var/log/pods /var/log/containers
		mount --make-rshared / # as systemd does; pods may ask for HostToContainer
		ip link set lo up" \
		nsenter -t "$(cat "$pids/plane")" -n -m setsid unshare -n -m -p --fork --propagation private
	within plane ip link add "to-$n" type veth peer name eth0 netns "$(cat "$pids/node-$n")"
	within plane ip link set "to-$n" master br0 up
	within "node-$n" sh -c "ip addr add $address/24 dev eth0; ip link set eth0 up; ip route add default via 10.77.0.1"
	within plane ip route replace "10.78.$number.0/24" via "$address"
	config "node-$n"
	cat >"$state/cni-$n/10-lab.conflist" <<END
{"cniVersion":"0.4.0","name":"lab$n","plugins":[{"type":"bridge","bridge":"cni0","isGateway":true,
"ipam":{"type":"host-local","dataDir":"$state/ipam-$n","ranges":[[{"subnet":"10.78.$number.0/24"}]],"routes":[{"dst":"0.0.0.0/0"}]}}]}
END
	cat >"$state/containerd-$n.toml" <<END
version = 2
root = "$state/containerd-$n"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.internal.v1.tracing"]
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/lab/pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$debian/lib/cni"
    conf_dir = "$state/cni-$n"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
END
	[ "$mode" = bare ] || packaged "$n"
	cat >"$state/kubelet-$n.yaml" <<END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $pki/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $pki/node-$n.crt
tlsPrivateKeyFile: $pki/node-$n.key
cgroupDriver: cgroupfs
cgroupRoot: /traceloop-lab-$n
failSwapOn: false
protectKernelDefaults: true
makeIPTablesUtilChains: false
oomScoreAdj: 0
resolvConf: ""
evictionHard: {memory.available: "100Mi"}
imageGCHighThresholdPercent: 100
nodeStatusUpdateFrequency: 1s
volumePluginDir: $state/volumes
END
	for one in $controllers; do
		[ ! -d "/sys/fs/cgroup/$one" ] || mkdir -p "/sys/fs/cgroup/$one/traceloop-lab-$n"
	done
	local path=$debian/bin:$debian/sbin:$PATH
	start "node-$n" "containerd-$n" env PATH="$path" "$debian/bin/containerd" -c "$state/containerd-$n.toml"
	wait_until 30 "containerd's start on node-$n" containers "$n" version
	containers "$n" images import "$state/images.tar" >/dev/null
	start "node-$n" "kubelet-$n" env PATH="$path" "$bin/kubelet" --config="$state/kubelet-$n.yaml" \
		--kubeconfig="$state/node-$n.kubeconfig" --container-runtime=remote \
		--container-runtime-endpoint=unix:///run/containerd/containerd.sock --node-ip="$address" \
		--hostname-override="node-$n" --root-dir="$state/kubelet-$n" --cert-dir="$state/kubelet-$n/pki"
}
packaged() { # LETTER: starts the daemon on the node, and wires its hooks
	local n=$1
	printf 'node = "node-%s"\n[record]\nexclude_namespaces = ["traceloop", "traceloop-control"]\n' "$n" >"$state/traceloop-$n.toml"
	start "node-$n" "traceloopd-$n" "$venv/traceloopd" --config "$state/traceloop-$n.toml" --state-dir "$state/traceloop-$n"
	wait_until 60 "traceloopd's start on node-$n" grep -q 'traceloopd: ready' "$logs/traceloopd-$n"
	within "node-$n" "$debian/bin/ctr" oci spec | "$venv/python" -c '
import json, sys
spec, hook = json.load(sys.stdin), sys.argv[1]
spec["hooks"] = {stage: [{"path": hook, "args": ["traceloop-hook", word]}] for stage, word in (("prestart", "start"), ("poststop", "stop"))}
json.dump(spec, sys.stdout)' "$venv/traceloop-hook" >"$state/spec-$n.json"
	echo "    base_runtime_spec = \"$state/spec-$n.json\"" >>"$state/containerd-$n.toml"
}
containers() { # LETTER WORDS...
	local n=$1
	shift
	within "node-$n" "$debian/bin/ctr" -a /run/containerd/containerd.sock -n k8s.io "$@"
}
kill_node() { # LETTER: without a farewell
	local n=$1 one process
	[ -f "$pids/node-$n" ] || return 0
	process=$(cat "$pids/node-$n")
	kill -9 "$process" # the kernel kills all processes of its pid namespace, and removes their mounts
	rm -f "$pids"/*-"$n"
	wait_until 30 "the end of node-$n's processes" gone "$process"
	for one in $controllers; do
		one=/sys/fs/cgroup/$one/traceloop-lab-$n
		[ ! -d "$one" ] || find "$one" -depth -type d -exec rmdir {} +
	done
}
gone() { ! kill -0 "$1" 2>/dev/null; }
up() {
	[ ! -e "$pids/plane" ] || { echo "cluster.sh: a cluster is up already, or was not ended: run \`$0 down\`" >&2; exit 1; }
	rm -rf "$state"
	mkdir -p "$pki" "$logs" "$pids"
	(cd "$pki" && "$project/tests/cluster/pki.sh") || exit 1
	"$venv/python" "$project/tests/cluster/images.py" "$base/root/bin/busybox" "$state/images.tar" || exit 1
	plane
	local number=1 n beginning=
	for n in $nodes; do
		node "$n" $number &
		beginning="$beginning $!"
		number=$((number + 1))
	done
	for n in $beginning; do
		wait "$n" || exit 1
	done
	for n in $nodes; do
		wait_until 90 "node-$n's becoming ready" ctl wait --for=condition=Ready "node/node-$n" --timeout=2s
	done
}
down() {
	local n
	[ -d "$pids" ] || return 0
	for n in $nodes; do kill_node "$n"; done
	stop scheduler controllers apiserver etcd
	[ ! -f "$pids/plane" ] || kill -9 "$(cat "$pids/plane")"
	rm -f "$pids/plane"
}

words=$1
shift
case $words in
up)
	mode=${1-packaged}
	up
	;;
down) down ;;
kill-node) kill_node "$1" ;;
ctl) ctl "$@" ;;
plugin) ctl traceloop "$@" ;;
within) within "$@" ;;
esac
