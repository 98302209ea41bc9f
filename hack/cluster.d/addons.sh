# shellcheck shell=bash disable=SC2154
# What both drivers put on a bare cluster; sourced by hack/cluster.

addons() {
    gateway_api_crds "${CHANNEL:-standard}"
    "$(driver)_load_balancer"
    "$(driver)_load" "$parts/echo-basic.tar"
}

# gateway_api_crds standard|experimental
#
# A policy among them forbids experimental CRDs over standard ones. Here that is what was asked for.
gateway_api_crds() {
    local directory file files=()
    case $1 in
    standard | experimental) ;;
    *) fail "CHANNEL=$1: standard or experimental" ;;
    esac
    directory=$(module_directory "$root/conformance" sigs.k8s.io/gateway-api "$go_toolchain")
    kubectl delete --ignore-not-found validatingadmissionpolicybinding,validatingadmissionpolicy \
        safe-upgrades.gateway.networking.k8s.io >/dev/null
    for file in "$directory/config/crd/$1"/gateway.networking.*.yaml; do
        files+=(-f "$file")
    done
    await "the CRDs" 30 kubectl apply --server-side --force-conflicts "${files[@]}"
    if [ "$1" = standard ] && [ -e "$state/channel" ]; then
        for file in "$directory"/config/crd/experimental/gateway.networking.x-*.yaml; do
            kubectl delete --ignore-not-found --filename "$file"
        done
    fi
    kubectl wait --for=condition=Established --timeout=60s customresourcedefinition --all >/dev/null
    echo "$1" >"$state/channel"
    echo "Gateway API CRDs: $1"
}
