# shellcheck shell=bash disable=SC2154
# Certificates and kubeconfigs of a cluster of the local driver, in ./pki and .; sourced by init.

identities() {
    mkdir -p pki
    key ca
    openssl req -x509 -new -key pki/ca.key -subj /CN=cluster-ca -days 3650 -out pki/ca.crt \
        -addext keyUsage=critical,keyCertSign,cRLSign
    key service-accounts
    openssl pkey -in pki/service-accounts.key -pubout -out pki/service-accounts.pub
    certificate apiserver /CN=kube-apiserver \
        "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,DNS:localhost,IP:127.0.0.1,IP:10.96.0.1,IP:$node_ip"
    certificate front-proxy /CN=front-proxy
    user admin /O=system:masters/CN=admin
    user kubelet /O=system:nodes/CN=system:node:node0 "DNS:node0,IP:$node_ip"
    user kube-controller-manager /CN=system:kube-controller-manager
    user kube-scheduler /CN=system:kube-scheduler
    user kube-proxy /CN=system:kube-proxy
    user coredns /CN=coredns
}

# user NAME SUBJECT [ALTERNATIVE-NAMES]: a certificate, and NAME.conf that holds it.
user() {
    certificate "$@"
    cat >"$1.conf.new" <<EOF
apiVersion: v1
kind: Config
clusters:
  - name: cluster
    cluster: {server: "https://127.0.0.1:6443", certificate-authority-data: $(base64 -w 0 pki/ca.crt)}
users:
  - name: $1
    user: {client-certificate-data: $(base64 -w 0 "pki/$1.crt"), client-key-data: $(base64 -w 0 "pki/$1.key")}
contexts:
  - {name: $1, context: {cluster: cluster, user: $1}}
current-context: $1
EOF
    mv "$1.conf.new" "$1.conf"
}

# certificate NAME SUBJECT [ALTERNATIVE-NAMES]
certificate() {
    key "$1"
    openssl req -new -key "pki/$1.key" -subj "$2" |
        openssl x509 -req -CA pki/ca.crt -CAkey pki/ca.key -CAcreateserial -days 3650 -out "pki/$1.crt" \
            -extfile <(printf 'keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\n%s' \
                "${3:+subjectAltName=$3}") 2>/dev/null
}

key() { (umask 077 && openssl ecparam -name prime256v1 -genkey -noout -out "pki/$1.key"); }
