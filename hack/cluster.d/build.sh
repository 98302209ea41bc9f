# shellcheck shell=bash disable=SC2154
# Builds what a cluster is made of, from Go modules, once for each version; sourced by hack/cluster.

# The modules' files pin everything, so what is built is known by the hash of the sources here.
go_sources=$root/hack/cluster.d/go
echo_sources=$root/hack/cluster.d/echo
parts=$tools/cluster-$(cat "$go_sources"/go.{mod,sum} "$go_sources"/*/*.go "$echo_sources"/go.{mod,sum} |
    sha256sum | cut -c1-12)

# The node's programs and the image that every pod needs, for the local driver.
build_node() {
    local version name
    [ ! -e "$parts/pause.tar" ] || return 0
    version=v$(module_version k8s.io/kubernetes)
    echo "building Kubernetes $version, CoreDNS and MetalLB's controller (some minutes, once)"
    mkdir -p "$parts/bin"
    go_build "$go_sources" -ldflags "-s -w $(kubernetes_version_flags "$version")" \
        -o "$parts/bin/" ./hyperkube ./coredns ./pause go.universe.tf/metallb/controller
    mv "$parts/bin/controller" "$parts/bin/metallb-controller"
    for name in etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl; do
        ln -sf hyperkube "$parts/bin/$name"
    done
    "$root/hack/image" "$parts/pause.tar" localhost/pause:1 /pause "$parts/bin/pause=/pause"
}

# For the kind driver, which needs no more of Kubernetes.
build_kubectl() {
    [ ! -x "$parts/bin/kubectl" ] || return 0
    echo "building kubectl (a minute or two, once)"
    mkdir -p "$parts/bin"
    go_build "$go_sources" -ldflags "-s -w $(kubernetes_version_flags "v$(module_version k8s.io/kubernetes)")" \
        -o "$parts/bin/kubectl" k8s.io/kubernetes/cmd/kubectl
}

# The server that the conformance suite's backends run. v0.2.0 is not served by the module proxy
# everywhere; v0.1.0 holds the same servers.
build_echo_image() {
    local images=registry.k8s.io/gateway-api/conformance/echo-basic
    [ ! -e "$parts/echo-basic.tar" ] || return 0
    echo "building echo-basic (some seconds, once)"
    mkdir -p "$parts/bin"
    go_build "$echo_sources" -ldflags '-s -w' -o "$parts/bin/" \
        sigs.k8s.io/gateway-api-conformance-images/echo-basic
    "$root/hack/image" "$parts/echo-basic.tar" "$images:v0.1.0,$images:v0.2.0" /echo-basic \
        "$parts/bin/echo-basic=/echo-basic"
}

# Prints where it is.
build_helm() {
    if [ ! -x "$helm" ]; then
        echo "building helm $helm_version (a minute or two, once)" >&2
        go_install "${helm%/*}" "helm.sh/helm/v3/cmd/helm@$helm_version"
    fi
    echo "$helm"
}

build_kind() {
    [ ! -x "$kind" ] || return 0
    echo "building kind $kind_version (a minute, once)"
    go_install "${kind%/*}" "sigs.k8s.io/kind@$kind_version"
}

# go_build MODULE ARG...: with what the directory MODULE pins.
go_build() {
    local module=$1
    shift
    (cd "$module" && GOWORK=off GOTOOLCHAIN=$cluster_toolchain CGO_ENABLED=0 go build -trimpath "$@")
}

# go_install DIRECTORY PACKAGE@VERSION
go_install() {
    (cd / && GOBIN=$1 GOFLAGS=-trimpath GOTOOLCHAIN=$cluster_toolchain CGO_ENABLED=0 go install -ldflags '-s -w' "$2")
}

# What `kubectl version` and the API server say.
kubernetes_version_flags() {
    local package minor=${1#v1.}
    for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
        printf -- '-X %s.gitVersion=%s -X %s.gitMajor=1 -X %s.gitMinor=%s ' \
            "$package" "$1" "$package" "$package" "${minor%%.*}"
    done
}

# The version of a module in go.mod, without the v.
module_version() { sed -nE "s|^(require)?[[:space:]]+$1 v([^ ]+).*|\2|p" "$go_sources/go.mod" | head -n 1; }

# module_directory DIRECTORY MODULE TOOLCHAIN: the sources of a module that DIRECTORY/go.mod pins.
module_directory() { (cd "$1" && GOTOOLCHAIN=$3 go mod download -json "$2" | sed -nE 's/^\t"Dir": "(.*)",$/\1/p'); }
