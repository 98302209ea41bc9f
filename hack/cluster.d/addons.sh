# shellcheck shell=bash disable=SC2154
# What both drivers put on a bare cluster; sourced by hack/cluster.

addons() {
    gateway_api_crds "${CHANNEL:-standard}"
    "$(driver)_load_balancer"
    "$(driver)_load" "$parts/echo-basic.tar"
}

# Forbids to change the channel, and to go back in versions.
upgrade_policy=gateway.networking.k8s.io_vap_safeupgrades.yaml

# gateway_api_crds standard|experimental
gateway_api_crds() {
    local directory file files=() previous=
    case $1 in
    standard | experimental) ;;
    *) fail "CHANNEL=$1: standard or experimental" ;;
    esac
    directory=$(module_directory "$root/conformance" sigs.k8s.io/gateway-api "$go_toolchain")/config/crd
    [ ! -e "$state/channel" ] || previous=$(cat "$state/channel")
    [ "${previous:-$1}" = "$1" ] || leave_channel "$directory/$previous"
    for file in "$directory/$1"/gateway.networking.*.yaml; do
        [[ $file = *_vap_* ]] || files+=(-f "$file")
    done
    # The API server takes a moment to forget the policy that forbids the change.
    await "the CRDs" 30 kubectl apply --server-side --force-conflicts "${files[@]}"
    kubectl apply --server-side --force-conflicts --filename "$directory/$1/$upgrade_policy"
    kubectl wait --for=condition=Established --timeout=60s customresourcedefinition --all >/dev/null
    echo "$1" >"$state/channel"
    echo "Gateway API CRDs: $1"
}

# leave_channel DIRECTORY: without what the other channel does not have, and without the policy that
# forbids the change.
leave_channel() {
    local file
    kubectl delete --ignore-not-found --filename "$1/$upgrade_policy"
    for file in "$1"/gateway.networking.x-*.yaml; do
        [ ! -e "$file" ] || kubectl delete --ignore-not-found --filename "$file"
    done
}
