use crate::certificates::Authority;
use crate::client::Curl;
use crate::gateway::{Running, Setup};
use crate::secrets;

const HOST: &str = "httpbin.example.com";

/// The document's gateway with its Secret.
fn secure_gateway() -> (tempfile::TempDir, Authority, Running) {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), "example.com");
    let pair = authority.issue(HOST);
    let gateway = Setup::new()
        .sample("secure-gateway")
        .file(
            "credential.yaml",
            &secrets::tls("istio-system", "httpbin-credential", &pair),
        )
        .start();
    (folder, authority, gateway)
}

#[test]
fn w4_teapot_is_served_over_a_verified_chain_and_http2() {
    let (_folder, authority, gateway) = secure_gateway();
    let ask = |arguments: &[&str]| {
        Curl::new("https", HOST, gateway.port(443), "/status/418")
            .trusting(&authority.certificate())
            .with(arguments)
            .run()
    };
    let answer = ask(&[]);
    assert_eq!(
        (answer.status, answer.version.as_str()),
        (418, "2"),
        "{answer:?}"
    );
    assert!(answer.body.contains("teapot"), "{answer:?}");
    assert!(
        answer.log.contains("SSL certificate verify ok"),
        "{answer:?}"
    );
    for arguments in [["--http1.1", "--tlsv1.3"], ["--tls-max", "1.2"]] {
        let answer = ask(&arguments);
        assert_eq!(answer.status, 418, "{arguments:?}: {answer:?}");
    }
}

/// The documents' certificates name their host in the CN alone; those of today's CAs do not.
#[test]
fn w4_certificate_with_a_subject_alternative_name_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), "example.com");
    let pair = authority.issue_with_san(HOST);
    let gateway = Setup::new()
        .sample("secure-gateway")
        .file(
            "credential.yaml",
            &secrets::tls("istio-system", "httpbin-credential", &pair),
        )
        .start();
    let answer = Curl::new("https", HOST, gateway.port(443), "/status/418")
        .trusting(&authority.certificate())
        .run();
    assert_eq!(answer.status, 418, "{answer:?}");
    assert!(
        answer
            .log
            .contains("subjectAltName: host \"httpbin.example.com\" matched"),
        "{answer:?}"
    );
}

#[test]
fn w4_status_says_programmed_and_names_an_address() {
    let (_folder, _authority, gateway) = secure_gateway();
    let status = gateway.status_of("Gateway", "mygateway");
    assert_eq!(
        status.condition("Programmed"),
        ("True".into(), "Programmed".into()),
        "{status}"
    );
    assert_eq!(status.text("/addresses/0/value"), "127.0.0.1", "{status}");
    assert_eq!(status.text("/listeners/0/attachedRoutes"), "1", "{status}");
}

#[test]
fn w4_route_from_a_namespace_without_the_label_is_not_attached() {
    let (_folder, authority, gateway) = secure_gateway();
    gateway.write("intruder.yaml", INTRUDER);
    let status = gateway.status_of("HTTPRoute", "intruder");
    let accepted = status.parent_condition("Accepted");
    assert_eq!(
        accepted,
        ("False".into(), "NotAllowedByListeners".into()),
        "{status}"
    );
    let answer = Curl::new("https", HOST, gateway.port(443), "/headers")
        .trusting(&authority.certificate())
        .run();
    assert_eq!(answer.status, 404, "{answer:?}");
}

const INTRUDER: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: intruder
  namespace: other
spec:
  parentRefs:
  - name: mygateway
    namespace: istio-system
  rules:
  - matches:
    - path: {type: PathPrefix, value: /headers}
    backendRefs:
    - name: httpbin
      port: 8000
";
