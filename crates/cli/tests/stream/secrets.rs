//! What must not be in the logs.

use std::io;
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;
use portcullis_ir::CertificateId;
use portcullis_ir::tls::{Certificate, CertificateChain, CertificateInfo, Secret};
use rcgen::{CertificateParams, KeyPair};
use tracing_subscriber::fmt::MakeWriter;

use crate::controller::{Authority, Controller, token};
use crate::harness::until;
use crate::pod::Pod;
use crate::snapshot::of_gateway;

/// Everything that this process logged.
static LOGGED: LazyLock<Mutex<Vec<u8>>> = LazyLock::new(Mutex::default);

struct Memory;

impl io::Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOGGED.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Memory {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        Self
    }
}

#[test]
fn neither_tokens_nor_keys_are_logged_at_any_level() {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(Memory)
        .with_ansi(false);
    subscriber.init();

    let authority = Authority::new();
    let controller = Controller::leader(&authority);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let mut snapshot = of_gateway("g", 1, 1);
    let (certificate, secret) = usable(certificate.der(), &key);
    let id = CertificateId::new("Secret/default/tls");
    snapshot.certificates.insert(id, certificate);
    controller.publish(&Arc::new(snapshot));

    let shown = token("g", "a-token-of-a-pod");
    let pod = Pod::of("g", &shown, &authority, &controller.url());
    pod.until_it_serves(1);
    let refused = "not-even-three-parts";
    let _stranger = Pod::of("g", refused, &authority, &controller.url());
    until("the other is refused", || {
        (controller.metrics.refused.value() > 0).then_some(())
    });

    let logged = String::from_utf8_lossy(&LOGGED.lock()).into_owned();
    assert!(logged.contains("applied an update"), "{}", logged.len());
    for token in [shown.as_str(), refused] {
        assert!(!logged.contains(token));
    }
    let as_numbers = format!("{:?}", &secret[40..60]);
    let as_text = format!("{:?}", bytes_text(&secret[40..60]));
    assert!(!logged.contains(as_numbers.trim_matches(['[', ']'])));
    assert!(!logged.contains(as_text.trim_matches('"')));
}

/// As `Bytes` prints them.
fn bytes_text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

fn usable(certificate: &[u8], key: &KeyPair) -> (Certificate, Vec<u8>) {
    let der = key.serialize_der();
    let chain = CertificateChain {
        chain: vec![Arc::from(certificate)],
        key: Secret::new(der.clone()),
        leaf: CertificateInfo {
            subject: "CN=a".to_owned(),
            issuer: String::new(),
            subject_alt_names: vec!["a.example".to_owned()],
            not_before: 0,
            not_after: i64::MAX,
            serial: "01".to_owned(),
        },
    };
    (Certificate::Usable(Arc::new(chain)), der)
}
