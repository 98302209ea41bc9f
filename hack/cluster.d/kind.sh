# shellcheck shell=bash disable=SC2154
# The driver of machines with Docker or Podman: kind; sourced by hack/cluster.

kind_name=portcullis-$cluster

kind_needs() {
    if ! docker info >/dev/null 2>&1; then
        podman info >/dev/null 2>&1 || fail "neither Docker nor Podman answers"
        export KIND_EXPERIMENTAL_PROVIDER=podman
    fi
}

kind_build() {
    build_kind
    build_kubectl
    build_echo_image
}

kind_runs() {
    kind_needs
    [ -x "$kind" ] && "$kind" get clusters 2>/dev/null | grep -qx "$kind_name"
}

kind_up() {
    kind_config | "$kind" create cluster --name "$kind_name" --kubeconfig "$kubeconfig" --wait 120s --config -
}

# FEATURE_GATES and RUNTIME_CONFIG as kind's maps, and the kubelet as the local driver has it.
kind_config() {
    cat <<EOF
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
featureGates: {$(map '"%s": %s' "KubeletCrashLoopBackOffMax=true,${FEATURE_GATES:-}")}
runtimeConfig: {$(map '"%s": "%s"' "${RUNTIME_CONFIG:-}")}
nodes:
  - role: control-plane
    kubeadmConfigPatches:
      - |
        kind: KubeletConfiguration
        maxPods: 500
        podPidsLimit: -1
        syncFrequency: 10s
        crashLoopBackOff: {maxContainerRestartPeriod: 1s}
EOF
}

# map FORMAT A=B,C=D: each as FORMAT says, with commas between.
map() {
    local entry entries format=$1 separator=
    IFS=, read -ra entries <<<"$2"
    for entry in "${entries[@]}"; do
        # shellcheck disable=SC2059 # the format is the caller's
        printf "$separator$format" "${entry%=*}" "${entry##*=}"
        separator=', '
    done
}

# MetalLB with its speaker, which answers for addresses at the end of the engine's network.
kind_load_balancer() {
    local manifests network
    manifests=$(module_directory "$go_sources" go.universe.tf/metallb "$cluster_toolchain")/config/manifests
    kubectl apply --server-side --filename "$manifests/metallb-native.yaml"
    kubectl --namespace metallb-system wait --for=condition=Available --timeout=300s deployment/controller
    network=$(kind_network)
    sed "s/172\.30\.1\./$network.254./g; s/172\.30\.2\./$network.255./g" \
        "$root/hack/cluster.d/node/addresses.yaml" >"$state/addresses.yaml"
    cat >>"$state/addresses.yaml" <<EOF
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: all, namespace: metallb-system}
EOF
    await "MetalLB's webhook" 120 kubectl apply --filename "$state/addresses.yaml"
}

# The first two numbers of kind's IPv4 network, which is a /16.
kind_network() {
    local subnets
    if [ "${KIND_EXPERIMENTAL_PROVIDER:-}" = podman ]; then
        subnets=$(podman network inspect kind --format '{{range .Subnets}}{{.Subnet}} {{end}}')
    else
        subnets=$(docker network inspect kind --format '{{range .IPAM.Config}}{{.Subnet}} {{end}}')
    fi
    tr ' ' '\n' <<<"$subnets" | sed -nE 's|^([0-9]+\.[0-9]+)\.[0-9.]+/16$|\1|p' | grep . ||
        fail "kind's network is no IPv4 /16: $subnets"
}

kind_load() { "$kind" load image-archive "$1" --name "$kind_name"; }

# The engine's network answers on the machine itself (on Linux).
kind_exec() { exec env KUBECONFIG="$kubeconfig" KUBECACHEDIR="$state/kubectl" PATH="$state/bin:$PATH" "$@"; }

kind_down() {
    if kind_runs; then
        "$kind" delete cluster --name "$kind_name" --kubeconfig "$kubeconfig"
    fi
    rm -rf "$state"
}
