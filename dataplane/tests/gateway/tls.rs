//! TLS that ends at the gateway.

use std::net::SocketAddr;
use std::sync::Arc;

use portcullis_ir::tls::{Certificate, ClientValidationMode, TrustBundle};
use portcullis_ir::{BackendProtocol, CertificateId};
use rustls::{ClientConfig, HandshakeKind};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::backend::echo;
use crate::certs::{Client, ca, client, version1_client};
use crate::client::{Connection, Reply, get_request};
use crate::snapshot::{Plane, Scene, scene};

pub(crate) const VERSIONS: [&[&rustls::SupportedProtocolVersion]; 2] =
    [&[&rustls::version::TLS12], &[&rustls::version::TLS13]];

pub(crate) async fn connect(
    config: &Arc<ClientConfig>,
    at: SocketAddr,
    name: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(at).await?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(Arc::clone(config))
        .connect(name, stream)
        .await
}

/// What came of a request; with TLS 1.3 a client learns only when reading that its certificate was
/// refused.
async fn try_get(config: &Arc<ClientConfig>, at: SocketAddr, name: &str) -> Option<Reply> {
    let stream = connect(config, at, name).await.ok()?;
    let mut connection = Connection::over(stream);
    connection.send(get_request(name, "/")).await;
    connection.receive().await
}

pub(crate) async fn status(config: &Arc<ClientConfig>, at: SocketAddr, name: &str) -> Option<u16> {
    try_get(config, at, name).await.map(|reply| reply.status)
}

async fn error_of(config: &Arc<ClientConfig>, at: SocketAddr, name: &str) -> String {
    connect(config, at, name).await.unwrap_err().to_string()
}

/// Hosts `a.example` and `b.example` with a certificate and a listener each.
async fn two_hosts(a: Certificate, b: Certificate) -> Scene {
    let backend = echo("a").await;
    scene()
        .https("a", 443, "a.example", &["a"])
        .https("b", 443, "b.example", &["b"])
        .certificate("a", a)
        .certificate("b", b)
        .backend("a", BackendProtocol::Http1, &[backend.at])
        .route("a", "a.example", "/", "a")
        .route("b", "b.example", "/", "a")
}

#[tokio::test]
async fn each_name_gets_its_own_certificate_and_no_other_name_any() {
    let (one, other) = (ca("one"), ca("other"));
    let scene = two_hosts(
        one.certificate(&["a.example"]),
        other.certificate(&["b.example"]),
    )
    .await;
    let plane = Plane::serving(&scene).await;
    let (one, other) = (client(&one).config(), client(&other).config());
    let reply = try_get(&one, plane.at(443), "a.example").await.unwrap();
    assert_eq!(reply.status, 200);
    assert_eq!(reply.seen("x-forwarded-proto"), Some("https"));
    assert_eq!(status(&other, plane.at(443), "b.example").await, Some(200));
    let error = error_of(&one, plane.at(443), "b.example").await;
    assert!(error.contains("UnknownIssuer"), "{error}");
    for nobody in ["c.example", "x.a.example", "127.0.0.1"] {
        let error = error_of(&one, plane.at(443), nobody).await;
        assert!(
            error.contains("UnrecognizedName") || error.contains("UnrecognisedName"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_listener_for_every_name_takes_clients_without_sni() {
    let ca = ca("one");
    let backend = echo("a").await;
    let scene = scene()
        .https("any", 443, "", &["a"])
        .certificate("a", ca.certificate(&["127.0.0.1"]))
        .backend("a", BackendProtocol::Http1, &[backend.at])
        .route("any", "", "/", "a");
    let plane = Plane::serving(&scene).await;
    let config = client(&ca).config();
    assert_eq!(status(&config, plane.at(443), "127.0.0.1").await, Some(200));
}

#[tokio::test]
async fn a_request_for_another_listeners_host_is_misdirected() {
    let ca = ca("one");
    let both = ca.certificate(&["a.example", "b.example"]);
    let plane = Plane::serving(&two_hosts(both.clone(), both).await).await;
    let config = client(&ca).config();
    let stream = connect(&config, plane.at(443), "a.example").await.unwrap();
    let mut connection = Connection::over(stream);
    for (host, expected) in [("a.example", 200), ("b.example", 421), ("c.example", 404)] {
        let reply = connection.exchange(get_request(host, "/")).await;
        assert_eq!(reply.status, expected, "{host}");
    }
}

#[tokio::test]
async fn alpn_offers_h2_and_http11() {
    let ca = ca("one");
    let both = ca.certificate(&["a.example"]);
    let plane = Plane::serving(&two_hosts(both.clone(), both).await).await;
    let cases: [(&[&str], _); 4] = [
        (&["h2", "http/1.1"], Some("h2")),
        (&["http/1.1"], Some("http/1.1")),
        (&["http/1.0", "h2"], Some("h2")),
        (&[], None),
    ];
    for (alpn, expected) in cases {
        let config = Client {
            alpn,
            ..client(&ca)
        }
        .config();
        let stream = connect(&config, plane.at(443), "a.example").await.unwrap();
        let chosen = stream
            .get_ref()
            .1
            .alpn_protocol()
            .map(String::from_utf8_lossy);
        assert_eq!(chosen.as_deref(), expected);
    }
    let config = Client {
        alpn: &["spdy/3"],
        ..client(&ca)
    }
    .config();
    let error = error_of(&config, plane.at(443), "a.example").await;
    assert!(error.contains("NoApplicationProtocol"), "{error}");
}

#[tokio::test]
async fn a_new_certificate_serves_new_handshakes_and_leaves_open_connections() {
    let (old, new) = (ca("old"), ca("new"));
    let scene = two_hosts(
        old.certificate(&["a.example"]),
        old.certificate(&["b.example"]),
    )
    .await;
    let mut plane = Plane::serving(&scene).await;
    let (trusts_old, trusts_new) = (client(&old).config(), client(&new).config());
    let stream = connect(&trusts_old, plane.at(443), "a.example")
        .await
        .unwrap();
    let mut open = Connection::over(stream);
    assert_eq!(
        open.exchange(get_request("a.example", "/")).await.status,
        200
    );

    let scene = scene.certificate("a", new.certificate(&["a.example"]));
    plane.apply(&scene).await;
    assert_eq!(
        status(&trusts_new, plane.at(443), "a.example").await,
        Some(200)
    );
    let error = error_of(&client(&old).config(), plane.at(443), "a.example").await;
    assert!(error.contains("UnknownIssuer"), "{error}");
    assert_eq!(
        open.exchange(get_request("a.example", "/")).await.status,
        200
    );
    assert_eq!(
        status(&trusts_old, plane.at(443), "b.example").await,
        Some(200)
    );
}

#[tokio::test]
async fn a_bad_certificate_keeps_the_last_good_one_and_a_deleted_one_ends_its_listener_alone() {
    let ca = ca("one");
    let scene = two_hosts(
        ca.certificate(&["a.example"]),
        ca.certificate(&["b.example"]),
    )
    .await;
    let mut plane = Plane::serving(&scene).await;
    let config = client(&ca).config();
    let bad = Certificate::Unusable {
        reason: "garbage".to_owned(),
    };
    plane
        .apply(&scene.clone().certificate("a", bad.clone()))
        .await;
    assert_eq!(status(&config, plane.at(443), "a.example").await, Some(200));

    let mut without = scene.clone();
    without.0.certificates.remove(&CertificateId::new("a"));
    plane.apply(&without).await;
    assert_eq!(status(&config, plane.at(443), "a.example").await, None);
    assert_eq!(status(&config, plane.at(443), "b.example").await, Some(200));

    // Bad after deleted: nothing good is left to keep.
    plane.apply(&scene.clone().certificate("a", bad)).await;
    assert_eq!(status(&config, plane.at(443), "a.example").await, None);
    plane.apply(&scene).await;
    assert_eq!(status(&config, plane.at(443), "a.example").await, Some(200));
}

#[tokio::test]
async fn a_listener_chooses_among_its_certificates_by_name() {
    let ca = ca("one");
    let backend = echo("a").await;
    let scene = scene()
        .https("any", 443, "", &["a", "b", "wild"])
        .certificate("a", ca.certificate(&["a.example"]))
        .certificate("b", ca.certificate(&["b.example"]))
        .certificate("wild", ca.certificate(&["*.wild.example"]))
        .backend("a", BackendProtocol::Http1, &[backend.at])
        .route("any", "", "/", "a");
    let plane = Plane::serving(&scene).await;
    let config = client(&ca).config();
    for name in ["a.example", "b.example", "x.wild.example", "A.Example"] {
        assert_eq!(
            status(&config, plane.at(443), name).await,
            Some(200),
            "{name}"
        );
    }
    let error = error_of(&config, plane.at(443), "y.x.wild.example").await;
    assert!(error.contains("not valid for name"), "{error}");
}

/// `a.example` asks for certificates of `trust`, `b.example` for none.
async fn mutual(
    server: &crate::certs::Ca,
    trust: &[(&str, TrustBundle)],
    mode: ClientValidationMode,
) -> Scene {
    let certificate = server.certificate(&["a.example", "b.example"]);
    let ids: Vec<_> = trust.iter().map(|(id, _)| *id).collect();
    let scene = two_hosts(certificate.clone(), certificate)
        .await
        .clients("a", &ids, mode);
    trust
        .iter()
        .fold(scene, |scene, (id, bundle)| scene.trust(id, bundle.clone()))
}

#[tokio::test]
async fn client_certificates_are_judged_by_mode_and_authority() {
    let (server, good, other) = (ca("server"), ca("good"), ca("other"));
    let (of_good, of_other) = (good.sign(&["client"]), other.sign(&["client"]));
    let (version1, of_version1) = version1_client();
    let garbage = crate::certs::bundle("garbage", b"garbage");
    let gone = TrustBundle::Unusable {
        reason: "empty".to_owned(),
    };
    let valid = ClientValidationMode::AllowValidOnly;
    let fallback = ClientValidationMode::AllowInsecureFallback;
    let none = None;
    let cases = [
        ("none shown", valid, good.bundle(), none, None),
        ("right CA", valid, good.bundle(), Some(&of_good), Some(200)),
        ("other CA", valid, good.bundle(), Some(&of_other), None),
        ("garbage CA", valid, garbage, Some(&of_good), None),
        ("no CA", valid, gone.clone(), Some(&of_good), None),
        ("no CA, none shown", valid, gone.clone(), none, None),
        (
            "version 1",
            valid,
            version1.clone(),
            Some(&of_version1),
            Some(200),
        ),
        (
            "version 1 of another CA",
            valid,
            good.bundle(),
            Some(&of_version1),
            None,
        ),
        (
            "fallback, none shown",
            fallback,
            good.bundle(),
            none,
            Some(200),
        ),
        (
            "fallback, right CA",
            fallback,
            good.bundle(),
            Some(&of_good),
            Some(200),
        ),
        (
            "fallback, other CA",
            fallback,
            good.bundle(),
            Some(&of_other),
            Some(200),
        ),
        (
            "fallback, no CA",
            fallback,
            gone.clone(),
            Some(&of_other),
            None,
        ),
        ("fallback, no CA, none shown", fallback, gone, none, None),
        (
            "fallback, version 1",
            fallback,
            version1,
            Some(&of_version1),
            Some(200),
        ),
    ];
    for (name, mode, bundle, shows, expected) in cases {
        let scene = mutual(&server, &[("ca", bundle)], mode).await;
        let plane = Plane::serving(&scene).await;
        for versions in VERSIONS {
            let config = Client {
                shows,
                versions,
                ..client(&server)
            }
            .config();
            let got = status(&config, plane.at(443), "a.example").await;
            assert_eq!(got, expected, "{name} {versions:?}");
            // The neighbour on the same port asks for nothing.
            assert_eq!(
                status(&config, plane.at(443), "b.example").await,
                Some(200),
                "{name}"
            );
        }
    }
}

#[tokio::test]
async fn any_of_several_authorities_will_do() {
    let (server, one, two) = (ca("server"), ca("one"), ca("two"));
    let trust = [("one", one.bundle()), ("two", two.bundle())];
    let scene = mutual(&server, &trust, ClientValidationMode::AllowValidOnly).await;
    let plane = Plane::serving(&scene).await;
    for of in [one.sign(&["client"]), two.sign(&["client"])] {
        let config = Client {
            shows: Some(&of),
            ..client(&server)
        }
        .config();
        assert_eq!(status(&config, plane.at(443), "a.example").await, Some(200));
    }
}

async fn kind(config: &Arc<ClientConfig>, at: SocketAddr, name: &str) -> Option<HandshakeKind> {
    let stream = connect(config, at, name).await.ok()?;
    let kind = stream.get_ref().1.handshake_kind();
    let mut connection = Connection::over(stream);
    connection.send(get_request(name, "/")).await;
    connection.receive().await.and(kind)
}

#[tokio::test]
async fn sessions_resume_on_their_listener_until_its_settings_change() {
    let (server, old, new) = (ca("server"), ca("old"), ca("new"));
    let trust = [("ca", old.bundle())];
    for versions in VERSIONS {
        let scene = mutual(&server, &trust, ClientValidationMode::AllowValidOnly).await;
        let mut plane = Plane::serving(&scene).await;
        let of_old = old.sign(&["client"]);
        let config = Client {
            shows: Some(&of_old),
            versions,
            ..client(&server)
        }
        .config();
        let full = Some(HandshakeKind::Full);
        assert_eq!(
            kind(&config, plane.at(443), "a.example").await,
            full,
            "{versions:?}"
        );
        let resumed = kind(&config, plane.at(443), "a.example").await;
        assert_eq!(resumed, Some(HandshakeKind::Resumed), "{versions:?}");

        // A change elsewhere leaves the session keys.
        plane.apply(&scene.clone().http("new", 8080, "")).await;
        let resumed = kind(&config, plane.at(443), "a.example").await;
        assert_eq!(resumed, Some(HandshakeKind::Resumed), "{versions:?}");

        // The client's CA is no longer trusted: what it has from before must not let it in.
        plane.apply(&scene.clone().trust("ca", new.bundle())).await;
        assert_eq!(
            kind(&config, plane.at(443), "a.example").await,
            None,
            "{versions:?}"
        );
    }
}

#[tokio::test]
async fn a_session_of_one_listener_opens_no_other() {
    // The client believes both names to be the same server, as one that ignores names would.
    let (server, clients) = (ca("server"), ca("clients"));
    let trust = [("ca", clients.bundle())];
    let scene = mutual(&server, &trust, ClientValidationMode::AllowValidOnly).await;
    let mut plane = Plane::serving(&scene).await;
    let config = client(&server).config();
    assert_eq!(
        kind(&config, plane.at(443), "b.example").await,
        Some(HandshakeKind::Full)
    );
    // `b.example` becomes strict: tickets from when it was not are worth nothing.
    let strict = scene.clients("b", &["ca"], ClientValidationMode::AllowValidOnly);
    plane.apply(&strict).await;
    assert_eq!(kind(&config, plane.at(443), "b.example").await, None);
}
