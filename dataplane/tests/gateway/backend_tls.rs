//! TLS to backends, as BackendTLSPolicies ask for it.

use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::BodyExt;
use portcullis_dataplane::Config;
use portcullis_dataplane::access_log::{AccessLog, Target};
use portcullis_dataplane::metrics::Metrics;
use portcullis_ir::tls::{BackendTls, BackendTrust, Certificate, SubjectAltName, TrustBundle};
use portcullis_ir::{BackendProtocol, CertificateId, HostPattern, TrustBundleId};
use rcgen::SanType;
use tokio::net::TcpStream;

use crate::backend::echo;
use crate::certs::{Ca, Identity, ca};
use crate::client::{Connection, get, get_request};
use crate::http2::{http2, request, serve_trailers};
use crate::snapshot::{Plane, Scene, config, scene};
use crate::tls_backend::{TlsBackend, echo_over_tls, over_tls, server};

/// A policy for `abc.example.com`, trusting the bundle `ca`.
fn policy() -> BackendTls {
    BackendTls {
        hostname: "abc.example.com".into(),
        subject_alt_names: Vec::new(),
        trust: BackendTrust::Bundles(vec![TrustBundleId::new("ca")]),
        client_certificate: None,
    }
}

fn to_tls_backend(at: SocketAddr, protocol: BackendProtocol, policy: BackendTls, ca: &Ca) -> Scene {
    scene()
        .http("web", 80, "")
        .tls_backend("a", protocol, &[at], policy)
        .trust("ca", ca.bundle())
        .route("web", "a.example", "/", "a")
}

async fn backend_of(identity: &Identity) -> TlsBackend {
    echo_over_tls(server(identity, &["h2", "http/1.1"], None)).await
}

fn dns(name: &str) -> SubjectAltName {
    SubjectAltName::Dns(HostPattern::parse(name).unwrap())
}

fn uri(uri: &str) -> SubjectAltName {
    SubjectAltName::Uri(uri.into())
}

#[tokio::test]
async fn a_request_reaches_a_backend_over_tls() {
    let ca = ca("ca");
    let backend = backend_of(&ca.sign(&["abc.example.com"])).await;
    let scene = to_tls_backend(backend.at, BackendProtocol::Http1, policy(), &ca);
    let plane = Plane::serving(&scene).await;
    let reply = get(plane.at(80), "a.example", "/x").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(reply.body.starts_with("GET /x HTTP/1.1"), "{reply:?}");
    assert_eq!(reply.seen("host"), Some("a.example"));
    let handshakes = backend.handshakes();
    let [handshake] = &handshakes[..] else {
        panic!("{handshakes:?}")
    };
    assert_eq!(handshake.sni.as_deref(), Some("abc.example.com"));
    assert_eq!(handshake.alpn.as_deref(), Some("http/1.1"));
    assert_eq!(handshake.client, None);
}

#[tokio::test]
async fn who_is_not_whom_the_policy_says_gets_no_request() {
    struct Case {
        name: &'static str,
        policy: BackendTls,
        reason: &'static str,
        detail: &'static str,
    }
    let (ca, other) = (ca("ca"), ca("ca"));
    let identity = ca.sign_with(&["abc.example.com"], |params| {
        let uri = "spiffe://abc.example.com/id".try_into().unwrap();
        params.subject_alt_names.push(SanType::URI(uri));
    });
    let backend = backend_of(&identity).await;
    let sans = |names: &[SubjectAltName]| BackendTls {
        subject_alt_names: names.to_vec(),
        ..policy()
    };
    let trusting = |id: &str| BackendTls {
        trust: BackendTrust::Bundles(vec![TrustBundleId::new(id)]),
        ..policy()
    };
    let cases = [
        Case {
            name: "another hostname",
            policy: BackendTls {
                hostname: "mismatch.example.com".into(),
                ..policy()
            },
            reason: "name_mismatch",
            detail: "not for mismatch.example.com",
        },
        Case {
            name: "the hostname does not count beside names",
            policy: sans(&[dns("def.example.com"), uri("spiffe://def.example.com/id")]),
            reason: "name_mismatch",
            detail: "not for def.example.com or spiffe://def.example.com/id",
        },
        Case {
            name: "another CA of the same name",
            policy: trusting("other"),
            reason: "unknown_issuer",
            detail: "not issued by a trusted CA",
        },
        Case {
            name: "a bundle that is not there",
            policy: trusting("missing"),
            reason: "not_set_up",
            detail: "no usable CA certificate",
        },
        Case {
            name: "a bundle that never was usable",
            policy: trusting("unusable"),
            reason: "not_set_up",
            detail: "no usable CA certificate",
        },
    ];
    for Case {
        name,
        policy,
        reason,
        detail,
    } in cases
    {
        let unusable = TrustBundle::Unusable {
            reason: "garbage".to_owned(),
        };
        let scene = to_tls_backend(backend.at, BackendProtocol::Http1, policy, &ca)
            .trust("other", other.bundle())
            .trust("unusable", unusable);
        let told = refusal(&scene).await;
        assert_eq!(told.status, 502, "{name}");
        assert!(told.log.contains("backend_tls"), "{name}: {}", told.log);
        assert!(told.log.contains(detail), "{name}: {}", told.log);
        let reason = format!("reason=\"{reason}\"");
        let counted = told.exposition.lines().any(|line| {
            line.starts_with("portcullis_upstream_tls_failures_total") && line.contains(&reason)
        });
        assert!(counted, "{name}: {}", told.exposition);
    }
    assert_eq!(backend.handshakes(), []);
}

#[tokio::test]
async fn a_backend_that_speaks_no_tls_gets_nothing_in_clear_text() {
    let ca = ca("ca");
    let backend = echo("plain").await;
    let scene = to_tls_backend(backend.at, BackendProtocol::Http1, policy(), &ca);
    let told = refusal(&scene).await;
    assert_eq!(told.status, 502);
    assert!(told.log.contains("does not speak TLS"), "{}", told.log);
}

/// What became of a request, and what was told of it.
struct Told {
    status: u16,
    log: String,
    exposition: String,
}

async fn refusal(scene: &Scene) -> Told {
    let metrics = Metrics::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("access.log");
    let access_log = AccessLog::start(&Target::File(file.clone()), &metrics).unwrap();
    let config = Config {
        metrics: Arc::clone(&metrics),
        access_log: access_log.clone(),
        ..config()
    };
    let plane = Plane::start(scene, config).await;
    let status = get(plane.at(80), "a.example", "/").await.status;
    plane.plane.drain().await;
    access_log.flush();
    Told {
        status,
        log: std::fs::read_to_string(file).unwrap(),
        exposition: metrics.exposition(),
    }
}

#[tokio::test]
async fn one_of_the_names_of_a_policy_is_enough() {
    let ca = ca("ca");
    let identity = ca.sign_with(&["abc.example.com", "*.wild.example.com"], |params| {
        let uri = "spiffe://abc.example.com/id".try_into().unwrap();
        params.subject_alt_names.push(SanType::URI(uri));
    });
    let backend = backend_of(&identity).await;
    for names in [
        vec![dns("abc.example.com")],
        vec![uri("spiffe://abc.example.com/id")],
        vec![dns("def.example.com"), uri("spiffe://abc.example.com/id")],
        vec![dns("a.wild.example.com")],
        vec![dns("*.example.com")],
        vec![dns("*.wild.example.com")],
    ] {
        let policy = BackendTls {
            // "can be used for certificate selection but MUST NOT be used for authentication"
            hostname: "other.example.com".into(),
            subject_alt_names: names.clone(),
            ..policy()
        };
        let scene = to_tls_backend(backend.at, BackendProtocol::Http1, policy, &ca);
        let plane = Plane::serving(&scene).await;
        let reply = get(plane.at(80), "a.example", "/").await;
        assert_eq!(reply.status, 200, "{names:?}: {reply:?}");
        let handshake = backend.handshakes().pop().unwrap();
        assert_eq!(handshake.sni.as_deref(), Some("other.example.com"));
    }
}

#[tokio::test]
async fn the_gateways_certificate_is_shown_to_backends_that_ask() {
    let (ca, clients) = (ca("ca"), ca("clients"));
    let identity = ca.sign(&["abc.example.com"]);
    let backend = echo_over_tls(server(&identity, &["http/1.1"], Some(&clients))).await;
    let shown = clients.sign(&["gateway"]);
    let with_certificate = BackendTls {
        client_certificate: Some(CertificateId::new("client")),
        ..policy()
    };
    let scene = to_tls_backend(backend.at, BackendProtocol::Http1, with_certificate, &ca)
        .certificate("client", shown.as_certificate());
    let mut plane = Plane::serving(&scene).await;
    let reply = get(plane.at(80), "a.example", "/").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let handshake = backend.handshakes().pop().unwrap();
    assert_eq!(handshake.client.as_deref(), Some(&*shown.der));

    let without = to_tls_backend(backend.at, BackendProtocol::Http1, policy(), &ca);
    plane.apply(&without).await;
    assert_eq!(get(plane.at(80), "a.example", "/").await.status, 502);
}

#[tokio::test]
async fn a_certificate_that_is_not_to_be_had_is_missed_only_by_backends_that_ask() {
    let (ca, clients) = (ca("ca"), ca("clients"));
    let identity = ca.sign(&["abc.example.com"]);
    let asks = echo_over_tls(server(&identity, &["http/1.1"], Some(&clients))).await;
    let does_not = echo_over_tls(server(&identity, &["http/1.1"], None)).await;
    for named in ["missing", "unusable"] {
        for (backend, status) in [(&asks, 502), (&does_not, 200)] {
            let policy = BackendTls {
                client_certificate: Some(CertificateId::new(named)),
                ..policy()
            };
            let unusable = Certificate::Unusable {
                reason: "garbage".to_owned(),
            };
            let scene = to_tls_backend(backend.at, BackendProtocol::Http1, policy, &ca)
                .certificate("unusable", unusable);
            let plane = Plane::serving(&scene).await;
            let reply = get(plane.at(80), "a.example", "/").await;
            assert_eq!(reply.status, status, "{named}: {reply:?}");
        }
    }
}

#[tokio::test]
async fn http2_is_agreed_on_with_backends_that_speak_it() {
    let ca = ca("ca");
    let backend = backend_of(&ca.sign(&["abc.example.com"])).await;
    let scene = to_tls_backend(backend.at, BackendProtocol::H2c, policy(), &ca);
    let plane = Plane::serving(&scene).await;
    let mut connection = Connection::open(plane.at(80)).await;
    let reply = connection.exchange(get_request("a.example", "/x")).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(reply.body.contains("HTTP/2.0"), "{reply:?}");
    let handshake = backend.handshakes().pop().unwrap();
    assert_eq!(handshake.alpn.as_deref(), Some("h2"));
}

#[tokio::test]
async fn a_hundred_streams_with_trailers_share_few_connections() {
    let ca = ca("ca");
    let identity = ca.sign(&["abc.example.com"]);
    let backend = over_tls(server(&identity, &["h2"], None), serve_trailers).await;
    let scene = to_tls_backend(backend.at, BackendProtocol::H2c, policy(), &ca);
    let plane = Plane::serving(&scene).await;
    let stream = TcpStream::connect(plane.at(80)).await.unwrap();
    let (sender, _connection) = http2(stream).await;
    for _ in 0..2 {
        let answers = (0..100).map(|_| {
            let mut sender = sender.clone();
            tokio::spawn(async move {
                let asked = sender.send_request(request("http://a.example/", "body"));
                let body = asked.await.unwrap().into_body();
                let collected = body.collect().await.unwrap();
                assert_eq!(collected.trailers().unwrap()["grpc-status"], "0");
                assert_eq!(collected.to_bytes(), "data");
            })
        });
        for answer in answers.collect::<Vec<_>>() {
            answer.await.unwrap();
        }
    }
    let connections = backend.handshakes().len();
    // Those that came while the first connection was being made have made their own.
    assert!(connections <= 100, "{connections} for 200 requests");
}
