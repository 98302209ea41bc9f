# shellcheck shell=bash disable=SC2154
# The driver of machines without a container engine; sourced by hack/cluster.
#
# node/init runs as the first process of new process, mount and network namespaces. What belongs to
# the cluster is in there, below $state, or in the cgroup; so ending it is: kill that process.

local_programs=(containerd runc /usr/lib/cni/ptp iptables ip openssl curl unshare nsenter setpriv)
local_cgroup=/portcullis-$cluster

local_needs() {
    local program absent=()
    [ "$(uname -s)" = Linux ] || fail "needs Docker or Podman; without them it works on Linux only"
    [ "$(id -u)" = 0 ] || fail "needs root, or Docker or Podman that answer to this user"
    for program in "${local_programs[@]}"; do
        command -v "$program" >/dev/null || absent+=("$program")
    done
    [ ${#absent[@]} -eq 0 ] || fail "missing: ${absent[*]}; install them with: hack/deps cluster"
}

local_build() {
    build_node
    build_echo_image
}

# Whether the process that $state/pid names lives: the number alone may be another's by now.
local_runs() {
    local pid started fields
    [ -r "$state/pid" ] && read -r pid started <"$state/pid" || return 1
    { read -ra fields <"/proc/$pid/stat"; } 2>/dev/null || return 1
    [ "${fields[21]}" = "$started" ] && [ "${fields[2]}" != Z ]
}

local_up() {
    modules
    mkdir -p "$state/log"
    setsid unshare --net --mount --pid --fork --kill-child --propagation private \
        bash "$root/hack/cluster.d/node/init" "$state" "$parts/bin" "$local_cgroup" \
        </dev/null >"$state/log/init.log" 2>&1 {lock}>&- &
    disown
    await "the API server" 120 kubectl get --raw /readyz
    kubectl apply --server-side --filename "$(metallb)/config/crd/bases" >/dev/null
    await "the node" 120 kubectl wait --for=condition=Ready node/node0 --timeout=1s
}

# The kernel modules that are used before something loads them; most kernels have them built in.
modules() {
    local module
    for module in overlay bridge nf_conntrack; do
        modprobe "$module" 2>/dev/null || true
    done
}

metallb() { module_directory "$go_sources" go.universe.tf/metallb "$cluster_toolchain"; }

local_load_balancer() {
    await "MetalLB's kinds" 60 kubectl apply --filename "$root/hack/cluster.d/node/addresses.yaml"
}

local_load() { (local_exec ctr --namespace k8s.io images import "$1") >/dev/null; }

# In all of the cluster's namespaces. nsenter would outlive a killed parent; its child must not.
local_exec() {
    local pid rest
    read -r pid rest <"$state/pid"
    exec nsenter --target "$pid" --net --mount --pid \
        setpriv --pdeathsig TERM \
        env --chdir="$PWD" KUBECONFIG="$kubeconfig" KUBECACHEDIR="$state/kubectl" PATH="$state/bin:$PATH" "$@"
}

local_down() {
    local pid rest
    if local_runs; then
        read -r pid rest <"$state/pid"
        kill -KILL "$pid"
        while local_runs; do sleep 0.1; done
    fi
    local_remove_cgroups
    rm -rf "$state"
}

# Directories of cgroups, the deepest first; a process that is about to end may hold one a moment.
local_remove_cgroups() {
    local _ paths
    for _ in {1..50}; do
        mapfile -t paths < <(find /sys/fs/cgroup{,/*}"$local_cgroup" -depth -type d 2>/dev/null)
        [ ${#paths[@]} -gt 0 ] || return 0
        rmdir "${paths[@]}" 2>/dev/null || sleep 0.1
    done
    echo "hack/cluster: left behind: ${paths[*]}" >&2
}
