//! What `kubectl create secret` and `kubectl create configmap` make, as YAML.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::certificates::{Pair, openssl};

/// `kubectl create -n <namespace> secret tls <name> --key=... --cert=...`
pub(crate) fn tls(namespace: &str, name: &str, pair: &Pair) -> String {
    let Pair { certificate, key } = pair;
    secret(
        "kubernetes.io/tls",
        namespace,
        name,
        &[("tls.crt", certificate), ("tls.key", key)],
    )
}

/// `kubectl create -n <namespace> secret generic <name> --from-file=<key>=<file>...`
pub(crate) fn generic(namespace: &str, name: &str, files: &[(&str, &Path)]) -> String {
    secret("Opaque", namespace, name, files)
}

fn secret(kind: &str, namespace: &str, name: &str, files: &[(&str, impl AsRef<Path>)]) -> String {
    let mut text = format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}\n  namespace: {namespace}\ntype: {kind}\ndata:\n"
    );
    for (key, file) in files {
        let encoded = openssl([
            "base64".as_ref(),
            "-A".as_ref(),
            "-in".as_ref(),
            file.as_ref().as_os_str(),
        ]);
        writeln!(text, "  {key}: {}", String::from_utf8(encoded).unwrap()).unwrap();
    }
    text
}

/// `kubectl create -n <namespace> configmap <name> --from-file=ca.crt=<file>`
pub(crate) fn ca_config_map(namespace: &str, name: &str, authority: &Path) -> String {
    let pem = fs::read_to_string(authority)
        .unwrap()
        .replace('\n', "\n    ");
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  namespace: {namespace}\ndata:\n  ca.crt: |\n    {pem}\n"
    )
}
