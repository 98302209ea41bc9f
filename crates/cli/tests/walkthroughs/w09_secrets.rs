use std::path::Path;

use crate::certificates::{Authority, Pair};
use crate::client::Curl;
use crate::gateway::Setup;
use crate::secrets;

const HOST: &str = "httpbin.example.com";

#[test]
fn w9_tls_and_generic_secrets_both_load() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), "example.com");
    let pair = authority.issue(HOST);
    let Pair { certificate, key } = &pair;
    let generic =
        |files: &[(&str, &Path)]| secrets::generic("istio-system", "httpbin-credential", files);
    let ca = authority.certificate();
    for secret in [
        secrets::tls("istio-system", "httpbin-credential", &pair),
        generic(&[("tls.crt", certificate), ("tls.key", key), ("ca.crt", &ca)]),
        generic(&[("cert", certificate), ("key", key)]),
        generic(&[("cert", certificate), ("key", key), ("cacert", &ca)]),
    ] {
        let gateway = Setup::new()
            .sample("secure-gateway")
            .file("credential.yaml", &secret)
            .start();
        let answer = Curl::new("https", HOST, gateway.port(443), "/status/418")
            .trusting(&ca)
            .run();
        assert_eq!(answer.status, 418, "{secret}: {answer:?}");
    }
}

#[test]
fn w9_secret_with_neither_is_named_in_the_listeners_status() {
    let folder = tempfile::tempdir().unwrap();
    let pair = Authority::new(folder.path(), "example.com").issue(HOST);
    let Pair { certificate, key } = &pair;
    let files: [(&str, &Path); 2] = [("certificate", certificate), ("private", key)];
    let secret = secrets::generic("istio-system", "httpbin-credential", &files);
    let gateway = Setup::new()
        .sample("secure-gateway")
        .file("credential.yaml", &secret)
        .start_unready();
    let status = gateway.status_of("Gateway", "mygateway");
    let resolved = status.listener_condition("https", "ResolvedRefs");
    assert_eq!(
        resolved,
        ("False".into(), "InvalidCertificateRef".into()),
        "{status}"
    );
    let message = status.listener_message("https", "ResolvedRefs");
    for word in ["istio-system/httpbin-credential", "tls.crt", "cert"] {
        assert!(message.contains(word), "{word}: {message}");
    }
}
