use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::certificates::{Authority, Pair, Request, openssl};
use crate::client::Curl;
use crate::gateway::Setup;
use crate::secrets;

const RSA_2048: &[&str] = &["-newkey", "rsa:2048"];
const RSA_4096: &[&str] = &["-newkey", "rsa:4096"];
const P256: &[&str] = &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
const P384: &[&str] = &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"];
const ED25519: &[&str] = &["-newkey", "ed25519"];

/// The form of the PEM file of a key.
enum Form {
    Pkcs8,
    /// PKCS#1 for RSA, SEC1 for elliptic curves.
    Traditional,
}

#[test]
fn w11_every_usual_kind_of_key_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let root = Authority::new(folder.path(), "example.com");
    let intermediate = root.intermediate("intermediate");
    let kinds = [
        ("rsa2048-pkcs8", RSA_2048, Form::Pkcs8, &root),
        ("rsa2048-pkcs1", RSA_2048, Form::Traditional, &root),
        ("rsa4096-pkcs8", RSA_4096, Form::Pkcs8, &root),
        ("p256-pkcs8", P256, Form::Pkcs8, &root),
        ("p256-sec1", P256, Form::Traditional, &root),
        ("p384-pkcs8", P384, Form::Pkcs8, &root),
        ("p384-sec1", P384, Form::Traditional, &root),
        ("ed25519-pkcs8", ED25519, Form::Pkcs8, &root),
        ("rsa2048-chain", RSA_2048, Form::Pkcs8, &intermediate),
        ("p256-chain", P256, Form::Pkcs8, &intermediate),
    ];
    let mut setup = Setup::new();
    let mut listeners = String::new();
    for (name, key, form, authority) in &kinds {
        let host = format!("{name}.example.com");
        let request = Request {
            key,
            ..Request::as_documented(&host)
        };
        let pair = authority.issue_as(name, &request);
        if authority.certificate() != root.certificate() {
            append(&pair.certificate, &intermediate.certificate());
        }
        if matches!(form, Form::Traditional) {
            make_traditional(&pair);
        }
        setup = setup.file(
            &format!("{name}.yaml"),
            &secrets::tls("default", name, &pair),
        );
        listeners.push_str(&listener(name));
    }
    let gateway = setup
        .file("gateway.yaml", &gateway_of(&listeners))
        .file("route.yaml", ROUTE)
        .start();
    for (name, ..) in &kinds {
        for version in [["--tls-max", "1.2"], ["--tlsv1.3", "--http2"]] {
            let answer = Curl::new(
                "https",
                &format!("{name}.example.com"),
                gateway.port(443),
                "/status/418",
            )
            .trusting(&root.certificate())
            .with(&version)
            .run();
            assert_eq!(answer.status, 418, "{name} {version:?}: {answer:?}");
        }
    }
}

#[test]
fn w11_unusable_credentials_are_refused_with_the_reason_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let root = Authority::new(folder.path(), "example.com");
    let good = root.issue("good.example.com");
    let other = root.issue("other.example.com");
    let expired = Request {
        validity: &["-days", "-1"],
        ..Request::as_documented("expired.example.com")
    };
    let garbage = folder.path().join("garbage");
    fs::write(&garbage, "this is not PEM\n").unwrap();
    let with = |certificate: &Path, key: &Path| Pair {
        certificate: certificate.into(),
        key: key.into(),
    };
    let cases = [
        (
            "mismatched",
            with(&good.certificate, &other.key),
            "does not belong",
        ),
        ("expired", root.issue_as("expired", &expired), "expired"),
        (
            "garbage-certificate",
            with(&garbage, &good.key),
            "certificate file that is not PEM",
        ),
        ("garbage-key", with(&good.certificate, &garbage), "PEM"),
    ];
    let mut setup = Setup::new()
        .file("good.yaml", &secrets::tls("default", "good", &good))
        .file("route.yaml", ROUTE);
    let mut listeners = listener("good");
    for (name, pair, _) in &cases {
        setup = setup.file(
            &format!("{name}.yaml"),
            &secrets::tls("default", name, pair),
        );
        listeners.push_str(&listener(name));
    }
    let gateway = setup
        .file("gateway.yaml", &gateway_of(&listeners))
        .start_unready();
    let status = gateway.status_of("Gateway", "kinds");
    for (name, _, said) in &cases {
        let resolved = status.listener_condition(name, "ResolvedRefs");
        assert_eq!(
            resolved,
            ("False".into(), "InvalidCertificateRef".into()),
            "{name}: {status}"
        );
        let message = status.listener_message(name, "ResolvedRefs");
        assert!(message.contains(said), "{name}: {message}");
    }
    gateway.until("the good listener serves on", || {
        Curl::new(
            "https",
            "good.example.com",
            gateway.port(443),
            "/status/418",
        )
        .trusting(&root.certificate())
        .run()
        .status
            == 418
    });
}

fn append(file: &Path, more: &Path) {
    let both = [fs::read(file).unwrap(), fs::read(more).unwrap()].concat();
    fs::write(file, both).unwrap();
}

fn make_traditional(pair: &Pair) {
    let key = openssl([
        "pkey".as_ref(),
        "-traditional".as_ref(),
        "-in".as_ref(),
        pair.key.as_os_str(),
    ]);
    let first = String::from_utf8_lossy(&key);
    assert!(
        first.starts_with("-----BEGIN RSA PRIVATE") || first.starts_with("-----BEGIN EC PRIVATE"),
        "{first}"
    );
    fs::write(&pair.key, &key).unwrap();
}

fn listener(name: &str) -> String {
    let mut text = String::new();
    write!(
        text,
        "
  - name: {name}
    hostname: {name}.example.com
    port: 443
    protocol: HTTPS
    tls: {{certificateRefs: [{{name: {name}}}]}}"
    )
    .unwrap();
    text
}

fn gateway_of(listeners: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: kinds
  namespace: default
spec:
  gatewayClassName: portcullis
  listeners:{listeners}
"
    )
}

const ROUTE: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: httpbin
  namespace: default
spec:
  parentRefs:
  - name: kinds
  rules:
  - backendRefs:
    - name: httpbin
      port: 8000
";
