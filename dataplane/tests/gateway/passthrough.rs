//! TLS listeners that pass TLS through, alone and beside others on their port.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;

use portcullis_ir::BackendProtocol;
use portcullis_ir::backend::BackendTarget;

use rustls::{ClientConnection, ServerConfig};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::backend::{TestBackend, custom, echo};
use crate::certs::{Ca, Identity, ca, client};
use crate::client::{Connection, get_request};
use crate::snapshot::{Plane, Scene, scene};
use crate::streams::{all, some};
use crate::tls::{connect, status};

/// Ends TLS as `identity`, says its name and the SNI, and sends back what it gets.
async fn tls_backend(name: &'static str, identity: &Identity) -> TestBackend {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(identity.key.clone()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![identity.der.clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    custom(move |stream, _| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let sni = stream.get_ref().1.server_name().unwrap_or("-").to_owned();
            let (mut read, mut write) = tokio::io::split(stream);
            let _ = write.write_all(format!("{name} {sni}\n").as_bytes()).await;
            let _ = tokio::io::copy(&mut read, &mut write).await;
            let _ = write.shutdown().await;
        }
    })
    .await
}

/// `a` behind the passthrough listener for `host`.
fn passing(host: &str, at: SocketAddr) -> Scene {
    scene()
        .passthrough("tls", 443, host)
        .backend("a", BackendProtocol::Opaque, &[at])
        .forward("tls", host, "a")
}

/// What the backend behind `name` says first.
async fn greeting(ca: &Ca, at: SocketAddr, name: &str) -> String {
    let mut stream = connect(&client(ca).config(), at, name).await.unwrap();
    let mut greeting = String::new();
    while !greeting.ends_with('\n') {
        greeting.push_str(&some(&mut stream, 1).await);
    }
    greeting.trim_end().to_owned()
}

/// The ClientHello of a current rustls, with post-quantum key shares, for `name`.
fn hello(name: &str, alpn: usize) -> Vec<u8> {
    let mut config = (*client(&ca("nobody")).config()).clone();
    config.alpn_protocols = (0..alpn)
        .map(|n| vec![u8::try_from(n % 251).unwrap(); 200])
        .collect();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    hello
}

/// The same handshake message in records of at most `size` bytes.
fn in_records_of(hello: &[u8], size: usize) -> Vec<u8> {
    let record = |part: &[u8]| {
        let length = u16::try_from(part.len()).unwrap().to_be_bytes();
        [&[22, 3, 1], &length[..], part].concat()
    };
    hello[5..].chunks(size).flat_map(record).collect()
}

/// Sends back nothing but what came before the end.
async fn recorder() -> TestBackend {
    custom(|mut stream, _| async move {
        let mut seen = Vec::new();
        let _ = stream.read_to_end(&mut seen).await;
        let _ = stream.write_all(&seen).await;
    })
    .await
}

#[tokio::test]
async fn tls_is_between_client_and_backend() {
    let ca = ca("backend's");
    let backend = tls_backend("a", &ca.sign(&["a.example"])).await;
    let plane = Plane::serving(&passing("a.example", backend.at)).await;
    let mut stream = connect(&client(&ca).config(), plane.at(443), "a.example")
        .await
        .unwrap();
    assert_eq!(some(&mut stream, 12).await, "a a.example\n");
    stream.write_all(b"ping").await.unwrap();
    assert_eq!(some(&mut stream, 4).await, "ping");
    stream.shutdown().await.unwrap();
    assert_eq!(all(&mut stream).await.unwrap(), "");
}

#[tokio::test]
async fn a_hello_in_pieces_reaches_the_backend_untouched() {
    let plane = Plane::serving(&passing("a.example", recorder().await.at)).await;
    let hello = hello("a.example", 0);
    assert!(hello.len() > 1200, "has a post-quantum key share");
    for records in [16_384, 700, 100, 5, 1] {
        let sent = in_records_of(&hello, records);
        let mut stream = TcpStream::connect(plane.at(443)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        if records == 700 {
            for byte in &sent {
                stream.write_all(&[*byte]).await.unwrap();
                tokio::task::yield_now().await;
            }
        } else {
            stream.write_all(&sent).await.unwrap();
        }
        stream.write_all(b"and what follows").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut seen = Vec::new();
        stream.read_to_end(&mut seen).await.unwrap();
        let expected = [&sent[..], b"and what follows"].concat();
        assert!(seen == expected, "in records of {records}");
    }
}

#[tokio::test]
async fn a_big_hello_passes_and_one_beyond_the_limit_does_not() {
    let plane = Plane::serving(&passing("a.example", recorder().await.at)).await;
    // More than one record holds.
    let big = hello("a.example", 100);
    assert!(big.len() > 20_000);
    let mut stream = TcpStream::connect(plane.at(443)).await.unwrap();
    stream.write_all(&big).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut seen = Vec::new();
    stream.read_to_end(&mut seen).await.unwrap();
    assert!(seen == big);

    let endless = hello("a.example", 250);
    assert!(endless.len() > 32 * 1024);
    let mut stream = TcpStream::connect(plane.at(443)).await.unwrap();
    let _ = stream.write_all(&endless).await;
    let mut answer = Vec::new();
    // Closed with unread input, so reset.
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.is_empty());
}

#[tokio::test]
async fn the_most_specific_name_wins_among_listeners_and_routes() {
    let ca = ca("backends'");
    let names = ["x.a.example", "y.a.example", "z.y.a.example", "q.example"];
    let identity = ca.sign(&names);
    let mut scene = scene()
        .passthrough("exact", 443, "x.a.example")
        .passthrough("wildcard", 443, "*.a.example")
        .passthrough("all", 443, "");
    for name in ["exact", "narrow", "wide", "rest"] {
        let backend = tls_backend(name, &identity).await;
        scene = scene.backend(name, BackendProtocol::Opaque, &[backend.at]);
    }
    let scene = scene
        .forward("wildcard", "*.a.example", "wide")
        .forward("wildcard", "*.y.a.example", "narrow")
        .forward("exact", "*.example", "exact")
        .forward("all", "*.example", "rest");
    let plane = Plane::serving(&scene).await;
    let cases = [
        ("x.a.example", "exact"),
        ("y.a.example", "wide"),
        ("z.y.a.example", "narrow"),
        ("q.example", "rest"),
    ];
    for (name, expected) in cases {
        let greeting = greeting(&ca, plane.at(443), name).await;
        assert_eq!(greeting, format!("{expected} {name}"));
    }
}

#[tokio::test]
async fn of_two_routes_with_the_same_names_there_the_more_specific_wins() {
    let ca = ca("backends'");
    let identity = ca.sign(&["abc.example.com"]);
    let (wide, exact) = (
        tls_backend("wide", &identity).await,
        tls_backend("exact", &identity).await,
    );
    let scene = scene()
        .passthrough("tls", 443, "abc.example.com")
        .backend("wide", BackendProtocol::Opaque, &[wide.at])
        .backend("exact", BackendProtocol::Opaque, &[exact.at])
        .forward("tls", "*.example.com", "wide")
        .forward("tls", "abc.example.com", "exact");
    let plane = Plane::serving(&scene).await;
    let greeting = greeting(&ca, plane.at(443), "abc.example.com").await;
    assert_eq!(greeting, "exact abc.example.com");
}

/// A ClientHello of TLS 1.0 for `a.example`, without signature algorithms.
const OLD_HELLO: &[u8] = b"\x16\x03\x01\0\x43\x01\0\0\x3f\x03\x01\
    0123456789abcdef0123456789abcdef\0\0\x04\0\x2f\0\x35\x01\0\
    \0\x12\0\0\0\x0e\0\x0c\0\0\x09a.example";

#[tokio::test]
async fn clients_too_old_to_be_served_here_may_be_passed_through() {
    let ours = ca("gateway's");
    let scene = passing("a.example", recorder().await.at)
        .terminate("end", 444, "a.example", "c")
        .certificate("c", ours.certificate(&["a.example"]));
    let plane = Plane::serving(&scene).await;
    for (port, passes) in [(443, true), (444, false)] {
        let mut stream = TcpStream::connect(plane.at(port)).await.unwrap();
        stream.write_all(OLD_HELLO).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut seen = Vec::new();
        stream.read_to_end(&mut seen).await.unwrap();
        assert_eq!(seen == OLD_HELLO, passes, "{port}: {seen:?}");
        // An alert of level 2.
        assert_eq!(seen.starts_with(&[21, 3, 3, 0, 2, 2]), !passes, "{seen:?}");
    }
}

/// HTTPS, TLS that ends here and TLS that does not on one port.
async fn mixed(gateway: &Ca, backend: &Ca) -> Scene {
    let passed = tls_backend("passed", &backend.sign(&["pass.example", "x.pass.example"])).await;
    let plain = crate::streams::greeting("plain").await;
    let names = ["web.example", "end.example", "x.end.example"];
    scene()
        .https("web", 443, "web.example", &["c"])
        .terminate("end", 443, "*.example", "c")
        .passthrough("pass", 443, "pass.example")
        .certificate("c", gateway.certificate(&names))
        .backend("web", BackendProtocol::Http1, &[echo("web").await.at])
        .backend("plain", BackendProtocol::Opaque, &[plain.at])
        .backend("passed", BackendProtocol::Opaque, &[passed.at])
        .route("web", "", "/", "web")
        .forward("end", "*.example", "plain")
        .forward("pass", "pass.example", "passed")
}

#[tokio::test]
async fn https_and_both_kinds_of_tls_share_a_port() {
    let (ours, theirs) = (ca("gateway's"), ca("backend's"));
    let plane = Plane::serving(&mixed(&ours, &theirs).await).await;
    let at = plane.at(443);
    let config = client(&ours).config();
    assert_eq!(status(&config, at, "web.example").await, Some(200));
    assert_eq!(
        greeting(&theirs, at, "pass.example").await,
        "passed pass.example"
    );
    for name in ["end.example", "x.end.example"] {
        let mut stream = connect(&config, at, name).await.unwrap();
        assert_eq!(some(&mut stream, 5).await, "plain");
    }
    // A request does not get from HTTPS to a name of another kind of listener.
    let stream = connect(&config, at, "web.example").await.unwrap();
    let mut connection = Connection::over(stream);
    let reply = connection.exchange(get_request("end.example", "/")).await;
    assert_eq!(reply.status, 404);
}

async fn hello_is_reset(at: SocketAddr, name: &str) -> bool {
    let mut stream = TcpStream::connect(at).await.unwrap();
    stream.write_all(&hello(name, 0)).await.unwrap();
    let error = all(&mut stream).await.unwrap_err();
    error.kind() == ErrorKind::ConnectionReset
}

#[tokio::test]
async fn what_leads_nowhere_is_reset() {
    let nowhere = BackendTarget::Invalid {
        reason: "the Service does not exist".to_owned(),
    };
    let ours = ca("gateway's");
    let scene = passing("a.example", crate::backend::refusing().await)
        .passthrough("more", 443, "*.b.example")
        .terminate("end", 443, "*.c.example", "c")
        .certificate("c", ours.certificate(&["x.c.example", "y.c.example"]))
        .backend("empty", BackendProtocol::Opaque, &[])
        .forward_to("more", "invalid.b.example", vec![(1, nowhere.clone())])
        .forward("more", "empty.b.example", "empty")
        .forward_to("end", "x.c.example", vec![(1, nowhere)]);
    let plane = Plane::serving(&scene).await;
    let names = [
        "a.example",
        "invalid.b.example",
        "empty.b.example",
        "unrouted.b.example",
        // TLS would end here, but is not begun.
        "x.c.example",
        "y.c.example",
        "unknown.example",
        // Has no SNI.
        "127.0.0.1",
    ];
    for name in names {
        assert!(hello_is_reset(plane.at(443), name).await, "{name}");
    }
}

#[tokio::test]
async fn what_is_no_tls_is_answered_with_an_alert() {
    let plane = Plane::serving(&passing("a.example", recorder().await.at)).await;
    let mut stream = TcpStream::connect(plane.at(443)).await.unwrap();
    stream
        .write_all(get_request("a.example", "/").as_bytes())
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert_eq!(answer.first(), Some(&21), "{answer:?}");
}
