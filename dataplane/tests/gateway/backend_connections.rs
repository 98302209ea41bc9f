//! Connections over TLS to backends: kept, changed, upgraded, forwarded.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use portcullis_ir::tls::{BackendTls, BackendTrust};
use portcullis_ir::{BackendProtocol, TrustBundleId};
use rustls::HandshakeKind;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Barrier;

use crate::certs::{Ca, ca};
use crate::client::{Connection, get_request};
use crate::snapshot::{Plane, Scene, scene};
use crate::tls_backend::{TlsBackend, echo_over_tls, over_tls, server};

fn trusting(bundles: &[&str]) -> BackendTls {
    let ids = bundles.iter().map(|id| TrustBundleId::new(*id));
    BackendTls {
        hostname: "abc.example.com".into(),
        subject_alt_names: Vec::new(),
        trust: BackendTrust::Bundles(ids.collect()),
        client_certificate: None,
    }
}

fn to_tls_backend(at: SocketAddr, protocol: BackendProtocol, ca: &Ca) -> Scene {
    scene()
        .http("web", 80, "")
        .tls_backend("a", protocol, &[at], trusting(&["ca"]))
        .trust("ca", ca.bundle())
        .route("web", "a.example", "/", "a")
}

async fn backend(ca: &Ca) -> TlsBackend {
    let identity = ca.sign(&["abc.example.com"]);
    echo_over_tls(server(&identity, &["h2", "http/1.1"], None)).await
}

const PROTOCOLS: [BackendProtocol; 2] = [BackendProtocol::Http1, BackendProtocol::H2c];

#[tokio::test]
async fn requests_that_follow_each_other_share_a_connection() {
    for protocol in PROTOCOLS {
        let ca = ca("ca");
        let backend = backend(&ca).await;
        let plane = Plane::serving(&to_tls_backend(backend.at, protocol, &ca)).await;
        let mut connection = Connection::open(plane.at(80)).await;
        for _ in 0..10 {
            let reply = connection.exchange(get_request("a.example", "/x")).await;
            assert_eq!(reply.status, 200, "{reply:?}");
        }
        assert_eq!(backend.handshakes().len(), 1, "{protocol:?}");
    }
}

#[tokio::test]
async fn a_backend_over_http2_is_told_that_the_scheme_is_https() {
    let ca = ca("ca");
    let backend = backend(&ca).await;
    let plane = Plane::serving(&to_tls_backend(backend.at, BackendProtocol::H2c, &ca)).await;
    let mut connection = Connection::open(plane.at(80)).await;
    let reply = connection.exchange(get_request("a.example", "/x?y")).await;
    let line = reply.body.lines().next().unwrap();
    assert_eq!(line, "GET https://a.example/x?y HTTP/2.0");
}

#[tokio::test]
async fn bodies_pass_whole_in_both_directions() {
    for protocol in PROTOCOLS {
        let ca = ca("ca");
        let backend = backend(&ca).await;
        let plane = Plane::serving(&to_tls_backend(backend.at, protocol, &ca)).await;
        let mut connection = Connection::open(plane.at(80)).await;
        let body: String = (0..1_000_000_u32)
            .map(|n| char::from(b'a' + (n % 23) as u8))
            .collect();
        let length = body.len();
        let head =
            format!("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: {length}\r\n\r\n");
        let reply = connection.exchange(format!("{head}{body}")).await;
        assert_eq!(reply.status, 200, "{protocol:?}");
        assert!(
            reply.body.ends_with(&body),
            "{protocol:?}: {} bytes",
            reply.body.len()
        );
    }
}

#[tokio::test]
async fn requests_at_once_have_connections_of_their_own_or_share_one() {
    for protocol in PROTOCOLS {
        let ca = ca("ca");
        let backend = backend(&ca).await;
        let plane = Plane::serving(&to_tls_backend(backend.at, protocol, &ca)).await;
        let at = plane.at(80);
        let clients = (0..16).map(|client| {
            tokio::spawn(async move {
                let mut connection = Connection::open(at).await;
                for request in 0..20 {
                    let path = format!("/{client}/{request}");
                    let reply = connection.exchange(get_request("a.example", &path)).await;
                    assert_eq!(reply.status, 200, "{reply:?}");
                    let line = reply.body.lines().next().unwrap();
                    assert!(line.contains(&format!("{path} ")), "{line}");
                }
            })
        });
        for client in clients.collect::<Vec<_>>() {
            client.await.unwrap();
        }
        // Two workers, and never more connections than requests under way.
        assert!(backend.handshakes().len() <= 2 * 16, "{protocol:?}");
    }
}

#[tokio::test]
async fn a_connection_that_the_backend_has_closed_is_not_used() {
    let ca = ca("ca");
    let identity = ca.sign(&["abc.example.com"]);
    let backend = over_tls(
        server(&identity, &["http/1.1"], None),
        |mut stream| async move {
            read_head(&mut stream).await;
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
            stream.write_all(answer).await.unwrap();
            let _ = stream.shutdown().await;
        },
    )
    .await;
    let plane = Plane::serving(&to_tls_backend(backend.at, BackendProtocol::Http1, &ca)).await;
    let mut connection = Connection::open(plane.at(80)).await;
    for _ in 0..10 {
        let reply = connection.exchange(get_request("a.example", "/")).await;
        assert_eq!((reply.status, &*reply.body), (200, "ok"));
    }
    let handshakes = backend.handshakes();
    assert_eq!(handshakes.len(), 10);
    assert_eq!(handshakes[0].kind, HandshakeKind::Full);
    assert!(
        handshakes[1..]
            .iter()
            .all(|later| later.kind == HandshakeKind::Resumed)
    );
}

#[tokio::test]
async fn a_request_that_meets_the_end_of_an_idle_connection_is_sent_again() {
    let ca = ca("ca");
    let identity = ca.sign(&["abc.example.com"]);
    let config = server(&identity, &["http/1.1"], None);
    let backend = over_tls(config, |mut stream| async move {
        read_head(&mut stream).await;
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        stream.write_all(answer).await.unwrap();
        // The second request is not answered, and TLS not ended either.
        read_head(&mut stream).await;
    })
    .await;
    let plane = Plane::serving(&to_tls_backend(backend.at, BackendProtocol::Http1, &ca)).await;
    let mut connection = Connection::open(plane.at(80)).await;
    for _ in 0..4 {
        let reply = connection.exchange(get_request("a.example", "/")).await;
        assert_eq!((reply.status, &*reply.body), (200, "ok"));
    }
    assert_eq!(backend.handshakes().len(), 4);
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_not_taken_for_whole() {
    let ca = ca("ca");
    let identity = ca.sign(&["abc.example.com"]);
    let config = server(&identity, &["http/1.1"], None);
    let backend = over_tls(config, |mut stream| async move {
        read_head(&mut stream).await;
        // Its end is to be the connection's, which is not ended by close_notify.
        let answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nthe first half";
        stream.write_all(answer).await.unwrap();
        stream.flush().await.unwrap();
    })
    .await;
    let plane = Plane::serving(&to_tls_backend(backend.at, BackendProtocol::Http1, &ca)).await;
    let mut connection = Connection::open(plane.at(80)).await;
    connection.send(get_request("a.example", "/")).await;
    let head = connection.head().await.unwrap();
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    let mut rest = Vec::new();
    let _ = connection.0.read_to_end(&mut rest).await;
    assert!(!rest.ends_with(b"0\r\n\r\n"), "no last chunk");
}

async fn read_head(stream: &mut (impl AsyncRead + Unpin)) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
}

#[tokio::test]
async fn a_websocket_becomes_a_tunnel_in_tls() {
    let ca = ca("ca");
    let identity = ca.sign(&["abc.example.com"]);
    let config = server(&identity, &["h2", "http/1.1"], None);
    let backend = over_tls(config, |mut stream| async move {
        read_head(&mut stream).await;
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
            Connection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\nhello";
        stream.write_all(answer).await.unwrap();
        let (mut read, mut write) = tokio::io::split(stream);
        let _ = tokio::io::copy(&mut read, &mut write).await;
    })
    .await;
    let plane = Plane::serving(&to_tls_backend(backend.at, BackendProtocol::Http1, &ca)).await;
    for _ in 0..2 {
        let mut connection = Connection::open(plane.at(80)).await;
        let handshake = "GET / HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\n\
            Connection: Upgrade\r\nSec-WebSocket-Key: x\r\n\r\n";
        connection.send(handshake).await;
        let head = connection.head().await.unwrap();
        assert!(head.starts_with("http/1.1 101 "), "{head}");
        let mut text = [0; 5];
        connection.0.read_exact(&mut text).await.unwrap();
        assert_eq!(&text, b"hello");
        connection.send("there").await;
        connection.0.read_exact(&mut text).await.unwrap();
        assert_eq!(&text, b"there");
    }
    let handshakes = backend.handshakes();
    assert_eq!(
        handshakes.len(),
        2,
        "a tunnel's connection serves nobody else"
    );
    assert_eq!(handshakes[0].alpn.as_deref(), Some("http/1.1"));
}

#[tokio::test]
async fn cas_are_rotated_under_load_without_a_failed_request() {
    for protocol in PROTOCOLS {
        let (old, new) = (ca("ca"), ca("ca"));
        let backend = backend(&old).await;
        let with = |bundles: &[&str]| {
            to_tls_backend(backend.at, protocol, &old)
                .tls_backend("a", protocol, &[backend.at], trusting(bundles))
                .trust("new", new.bundle())
        };
        let mut plane = Plane::serving(&with(&["ca"])).await;
        let load = Load::start(plane.at(80), 4).await;
        load.goes_on().await;
        plane.apply(&with(&["ca", "new"])).await;
        load.goes_on().await;
        let identity = new.sign(&["abc.example.com"]);
        backend.serve(server(&identity, &["h2", "http/1.1"], None));
        load.goes_on().await;
        let before = backend.handshakes().len();
        plane.apply(&with(&["new"])).await;
        load.goes_on().await;
        assert!(backend.handshakes().len() > before, "nothing old is used");
        load.stop().await;
    }
}

#[tokio::test]
async fn a_backend_of_a_ca_that_is_trusted_no_more_gets_no_further_request() {
    for protocol in PROTOCOLS {
        let (old, new) = (ca("ca"), ca("ca"));
        let backend = backend(&old).await;
        let mut plane = Plane::serving(&to_tls_backend(backend.at, protocol, &old)).await;
        let mut connection = Connection::open(plane.at(80)).await;
        let reply = connection.exchange(get_request("a.example", "/")).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        plane
            .apply(&to_tls_backend(backend.at, protocol, &new))
            .await;
        // Neither the idle connection nor its session is used.
        let mut connection = Connection::open(plane.at(80)).await;
        let reply = connection.exchange(get_request("a.example", "/")).await;
        assert_eq!(reply.status, 502, "{protocol:?}: {reply:?}");
        assert_eq!(backend.handshakes().len(), 1);
    }
}

#[tokio::test]
async fn backends_at_one_address_share_nothing() {
    let ca = ca("ca");
    let backend = backend(&ca).await;
    let wrong = BackendTls {
        hostname: "def.example.com".into(),
        ..trusting(&["ca"])
    };
    let scene = to_tls_backend(backend.at, BackendProtocol::Http1, &ca)
        .tls_backend("b", BackendProtocol::Http1, &[backend.at], wrong)
        .route("web", "b.example", "/", "b");
    let plane = Plane::serving(&scene).await;
    let mut connection = Connection::open(plane.at(80)).await;
    for (host, status) in [("a.example", 200), ("b.example", 502), ("a.example", 200)] {
        let mut connection = Connection::open(plane.at(80)).await;
        let reply = connection.exchange(get_request(host, "/")).await;
        assert_eq!(reply.status, status, "{host}");
    }
    let reply = connection.exchange(get_request("b.example", "/")).await;
    assert_eq!(reply.status, 502);
}

#[tokio::test]
async fn streams_are_forwarded_over_tls() {
    let ca = ca("ca");
    let identity = ca.sign(&["abc.example.com"]);
    let backend = over_tls(server(&identity, &[], None), |stream| async move {
        let (mut read, mut write) = tokio::io::split(stream);
        let _ = tokio::io::copy(&mut read, &mut write).await;
        let _ = write.shutdown().await;
    })
    .await;
    let scene = scene()
        .tcp("tcp", 5000)
        .tls_backend(
            "a",
            BackendProtocol::Opaque,
            &[backend.at],
            trusting(&["ca"]),
        )
        .trust("ca", ca.bundle())
        .forward("tcp", "", "a");
    let plane = Plane::serving(&scene).await;
    for _ in 0..2 {
        let mut stream = TcpStream::connect(plane.at(5000)).await.unwrap();
        stream.write_all(b"over tls").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "over tls");
    }
    let handshakes = backend.handshakes();
    assert_eq!(handshakes[0].sni.as_deref(), Some("abc.example.com"));
    assert_eq!(handshakes[0].alpn, None);
    assert_eq!(handshakes[1].kind, HandshakeKind::Resumed);
}

/// Clients that ask without a pause, and take nothing but 200 for an answer.
struct Load {
    stopped: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    clients: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    async fn start(at: SocketAddr, clients: usize) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(AtomicUsize::new(0));
        let ready = Arc::new(Barrier::new(clients + 1));
        let client = |_| {
            let (stopped, answered) = (Arc::clone(&stopped), Arc::clone(&answered));
            let ready = Arc::clone(&ready);
            tokio::spawn(async move {
                let mut connection = Connection::open(at).await;
                ready.wait().await;
                while !stopped.load(Ordering::Relaxed) {
                    let reply = connection.exchange(get_request("a.example", "/")).await;
                    assert_eq!(reply.status, 200, "{reply:?}");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        let clients = (0..clients).map(client).collect();
        ready.wait().await;
        Self {
            stopped,
            answered,
            clients,
        }
    }

    /// Waits for some more answers.
    async fn goes_on(&self) {
        let goal = self.answered.load(Ordering::Relaxed) + 40;
        while self.answered.load(Ordering::Relaxed) < goal {
            assert!(self.clients.iter().all(|client| !client.is_finished()));
            tokio::task::yield_now().await;
        }
    }

    async fn stop(self) {
        self.stopped.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await.unwrap();
        }
    }
}
