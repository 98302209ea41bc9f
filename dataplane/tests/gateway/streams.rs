//! Connections on TCP listeners.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use portcullis_dataplane::{Config, DrainConfig, Drained};
use portcullis_ir::BackendProtocol;
use portcullis_ir::backend::BackendTarget;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, Notify, mpsc};

use crate::backend::{TestBackend, custom, refusing};
use crate::snapshot::{Plane, Scene, backend_id, config, listener_id, scene};

/// A backend whose connections the test holds.
pub(crate) struct Held {
    pub(crate) backend: TestBackend,
    accepted: Mutex<mpsc::Receiver<TcpStream>>,
}

impl Held {
    pub(crate) async fn next(&self) -> TcpStream {
        self.accepted.lock().await.recv().await.unwrap()
    }
}

pub(crate) async fn held() -> Held {
    let (sender, accepted) = mpsc::channel(64);
    let backend = custom(move |stream, _| {
        let sender = sender.clone();
        async move { sender.send(stream).await.unwrap() }
    })
    .await;
    Held {
        backend,
        accepted: Mutex::new(accepted),
    }
}

/// Says its name, then sends back what it gets.
pub(crate) async fn greeting(name: &'static str) -> TestBackend {
    custom(move |mut stream, _| async move {
        let (mut read, mut write) = stream.split();
        let _ = write.write_all(name.as_bytes()).await;
        let _ = tokio::io::copy(&mut read, &mut write).await;
        let _ = write.shutdown().await;
    })
    .await
}

pub(crate) fn forwarding(at: &[SocketAddr]) -> Scene {
    scene()
        .tcp("tcp", 5000)
        .backend("a", BackendProtocol::Opaque, at)
        .forward("tcp", "", "a")
}

pub(crate) async fn all(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<String> {
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok(text)
}

pub(crate) async fn some(stream: &mut (impl AsyncRead + Unpin), length: usize) -> String {
    let mut text = vec![0; length];
    stream.read_exact(&mut text).await.unwrap();
    String::from_utf8(text).unwrap()
}

/// Both ends of a connection through the gateway.
pub(crate) async fn joined(plane: &Plane, backend: &Held) -> (TcpStream, TcpStream) {
    let client = TcpStream::connect(plane.at(5000)).await.unwrap();
    (client, backend.next().await)
}

fn reset(stream: TcpStream) {
    SockRef::from(&stream)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(stream);
}

async fn is_reset(stream: &mut TcpStream) -> bool {
    let error = all(stream).await.unwrap_err();
    error.kind() == ErrorKind::ConnectionReset
}

/// Whether a connection at `at` is reset before a byte comes.
pub(crate) async fn is_refused(at: SocketAddr) -> bool {
    match TcpStream::connect(at).await {
        Ok(mut stream) => is_reset(&mut stream).await,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

#[tokio::test]
async fn a_backend_may_speak_first() {
    let plane = Plane::serving(&forwarding(&[greeting("hello").await.at])).await;
    let mut client = TcpStream::connect(plane.at(5000)).await.unwrap();
    assert_eq!(some(&mut client, 5).await, "hello");
    client.write_all(b"ping").await.unwrap();
    assert_eq!(some(&mut client, 4).await, "ping");
}

#[tokio::test]
async fn each_side_ends_on_its_own() {
    let backend = held().await;
    let plane = Plane::serving(&forwarding(&[backend.backend.at])).await;

    let (mut client, mut server) = joined(&plane, &backend).await;
    client.write_all(b"all I have").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(all(&mut server).await.unwrap(), "all I have");
    for _ in 0..3 {
        server.write_all(b"more").await.unwrap();
        assert_eq!(some(&mut client, 4).await, "more");
    }
    server.shutdown().await.unwrap();
    assert_eq!(all(&mut client).await.unwrap(), "");

    let (mut client, mut server) = joined(&plane, &backend).await;
    server.write_all(b"bye").await.unwrap();
    server.shutdown().await.unwrap();
    assert_eq!(all(&mut client).await.unwrap(), "bye");
    for _ in 0..3 {
        client.write_all(b"more").await.unwrap();
        assert_eq!(some(&mut server, 4).await, "more");
    }
    client.shutdown().await.unwrap();
    assert_eq!(all(&mut server).await.unwrap(), "");
}

#[tokio::test]
async fn a_reset_of_one_side_resets_the_other() {
    let backend = held().await;
    let plane = Plane::serving(&forwarding(&[backend.backend.at])).await;
    let (client, mut server) = joined(&plane, &backend).await;
    reset(client);
    assert!(is_reset(&mut server).await);
    let (mut client, server) = joined(&plane, &backend).await;
    reset(server);
    assert!(is_reset(&mut client).await);
}

#[tokio::test]
async fn a_reset_of_a_side_that_has_ended_is_noticed() {
    let backend = held().await;
    let plane = Plane::serving(&forwarding(&[backend.backend.at])).await;

    let (mut client, mut server) = joined(&plane, &backend).await;
    client.shutdown().await.unwrap();
    assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
    reset(client);
    // Writing alone would tell, but the server has nothing to say.
    let ready = server.ready(tokio::io::Interest::ERROR).await.unwrap();
    assert!(ready.is_error());

    let (mut client, mut server) = joined(&plane, &backend).await;
    server.shutdown().await.unwrap();
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    reset(server);
    let ready = client.ready(tokio::io::Interest::ERROR).await.unwrap();
    assert!(ready.is_error());
}

/// Writes until no more is taken; how much was.
async fn fill(stream: &mut TcpStream) -> usize {
    let chunk = vec![7; 64 * 1024];
    let mut written = 0;
    // The kernels' buffers grow for a while.
    while let Ok(more) =
        tokio::time::timeout(Duration::from_millis(300), stream.write(&chunk)).await
    {
        written += more.unwrap();
    }
    written
}

#[tokio::test]
async fn a_side_that_does_not_read_stops_the_other_and_its_reset_is_noticed() {
    let backend = held().await;
    let plane = Plane::serving(&forwarding(&[backend.backend.at])).await;
    let (mut client, mut server) = joined(&plane, &backend).await;
    let written = fill(&mut client).await;
    assert!(written < 64 * 1024 * 1024, "{written} bytes are buffered");
    let mut read = vec![0; written];
    server.read_exact(&mut read).await.unwrap();

    fill(&mut client).await;
    reset(client);
    // What had arrived may still be read; then comes the reset.
    let error = server.read_to_end(&mut Vec::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn much_goes_through_unchanged() {
    const ROUNDS: usize = 2048;
    let plane = Plane::serving(&forwarding(&[greeting("").await.at])).await;
    let (mut read, mut write) = TcpStream::connect(plane.at(5000))
        .await
        .unwrap()
        .into_split();
    let pattern = |round: usize| -> Vec<u8> {
        (0..64 * 1024)
            .map(|i| u8::try_from((i * 31 + round * 7) % 251).unwrap())
            .collect()
    };
    let writer = tokio::spawn(async move {
        for round in 0..ROUNDS {
            write.write_all(&pattern(round)).await.unwrap();
        }
        write.shutdown().await.unwrap();
    });
    let mut chunk = vec![0; 64 * 1024];
    for round in 0..ROUNDS {
        read.read_exact(&mut chunk).await.unwrap();
        assert_eq!(chunk, pattern(round), "{round}");
    }
    assert_eq!(read.read(&mut chunk).await.unwrap(), 0);
    writer.await.unwrap();
}

#[tokio::test]
async fn weights_share_connections_out() {
    let (one, two, three) = (
        greeting("1").await,
        greeting("2").await,
        greeting("3").await,
    );
    let target = |name| BackendTarget::Backend(backend_id(name));
    let scene = scene()
        .tcp("tcp", 5000)
        .backend("one", BackendProtocol::Opaque, &[one.at])
        .backend("two", BackendProtocol::Opaque, &[two.at])
        .backend("three", BackendProtocol::Opaque, &[three.at])
        .forward_to(
            "tcp",
            "",
            vec![(7, target("one")), (3, target("two")), (0, target("three"))],
        );
    let plane = Plane::serving(&scene).await;
    for _ in 0..100 {
        let mut client = TcpStream::connect(plane.at(5000)).await.unwrap();
        some(&mut client, 1).await;
    }
    let shares = [one, two, three].map(|backend| backend.connections());
    assert_eq!(shares, [70, 30, 0]);
}

#[tokio::test]
async fn what_has_no_backend_is_reset_and_keeps_its_share() {
    let nowhere = BackendTarget::Invalid {
        reason: "the Service does not exist".to_owned(),
    };
    let somewhere = BackendTarget::Backend(backend_id("a"));
    let greeting = greeting("a").await;
    let scene = scene()
        .tcp("half", 5000)
        .tcp("invalid", 5001)
        .tcp("empty", 5002)
        .tcp("unrouted", 5003)
        .tcp("refusing", 5004)
        .backend("a", BackendProtocol::Opaque, &[greeting.at])
        .backend("empty", BackendProtocol::Opaque, &[])
        .backend("refusing", BackendProtocol::Opaque, &[refusing().await])
        .forward_to("half", "", vec![(1, nowhere.clone()), (1, somewhere)])
        .forward_to("invalid", "", vec![(1, nowhere)])
        .forward("empty", "", "empty")
        .forward("refusing", "", "refusing");
    let plane = Plane::serving(&scene).await;
    for port in 5001..=5004 {
        assert!(is_refused(plane.at(port)).await, "{port}");
    }
    let mut refused = 0;
    for _ in 0..20 {
        let greeting = async { TcpStream::connect(plane.at(5000)).await?.read_u8().await };
        match greeting.await {
            Ok(greeting) => assert_eq!(greeting, b'a'),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::ConnectionReset);
                refused += 1;
            }
        }
    }
    assert_eq!(refused, 10);
}

#[tokio::test]
async fn an_endpoint_that_refuses_is_passed_over() {
    let dead = [refusing().await, refusing().await];
    let at = [dead[0], dead[1], greeting("a").await.at];
    let plane = Plane::serving(&forwarding(&at)).await;
    for _ in 0..6 {
        let mut client = TcpStream::connect(plane.at(5000)).await.unwrap();
        assert_eq!(some(&mut client, 1).await, "a");
    }
}

#[tokio::test]
async fn of_several_routes_the_oldest_is_served() {
    let (older, newer) = (greeting("older").await, greeting("newer").await);
    let mut scene = scene()
        .tcp("tcp", 5000)
        .backend("older", BackendProtocol::Opaque, &[older.at])
        .backend("newer", BackendProtocol::Opaque, &[newer.at])
        .forward("tcp", "", "newer")
        .forward("tcp", "", "older");
    for (seconds, route) in [(20, 0), (10, 1)] {
        let id = portcullis_ir::RouteId::new(format!("TLSRoute/default/forward-{route}"));
        let route = scene.0.l4_routes.get_mut(&id).unwrap();
        Arc::make_mut(route).origin.created = Some(seconds);
    }
    let plane = Plane::serving(&scene).await;
    let mut client = TcpStream::connect(plane.at(5000)).await.unwrap();
    assert_eq!(some(&mut client, 5).await, "older");
}

#[tokio::test]
async fn connections_outlive_whatever_is_applied() {
    let backend = held().await;
    let scene = forwarding(&[backend.backend.at]);
    let mut plane = Plane::serving(&scene).await;
    let (mut client, mut server) = joined(&plane, &backend).await;
    let mut still_there = async || {
        client.write_all(b"ping").await.unwrap();
        assert_eq!(some(&mut server, 4).await, "ping");
        server.write_all(b"pong").await.unwrap();
        assert_eq!(some(&mut client, 4).await, "pong");
    };
    for round in 0..100_u16 {
        let changed = match round % 4 {
            0 => scene.clone().tcp("more", 6000 + round),
            1 => scene
                .clone()
                .backend("b", BackendProtocol::Http1, &[refusing().await]),
            // Its endpoint is no longer one.
            2 => scene
                .clone()
                .backend("a", BackendProtocol::Opaque, &[refusing().await]),
            _ => scene.clone().http("web", 80, ""),
        };
        plane.apply(&changed).await;
        still_there().await;
    }
    let mut without_route = scene.clone();
    without_route.0.l4_routes = portcullis_ir::SharedMap::new();
    plane.apply(&without_route).await;
    still_there().await;
    assert!(is_refused(plane.at(5000)).await);
    let mut without_listener = without_route;
    without_listener.0.listeners.remove(&listener_id("tcp"));
    let at = plane.at(5000);
    plane.apply(&without_listener).await;
    still_there().await;
    let refused = TcpStream::connect(at).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn draining_waits_for_connections_until_its_deadline() {
    let backend = held().await;
    let plane = Plane::serving(&forwarding(&[backend.backend.at])).await;
    let (mut client, mut server) = joined(&plane, &backend).await;
    let ended = Notify::new();
    let drain = async {
        let drained = plane.plane.drain().await;
        ended.notify_one();
        drained
    };
    let end = async {
        while let Ok(late) = TcpStream::connect(plane.at(5000)).await {
            reset(late);
        }
        server.write_all(b"the last word").await.unwrap();
        drop(server);
        assert_eq!(all(&mut client).await.unwrap(), "the last word");
        drop(client);
        ended.notified().await;
    };
    let (drained, ()) = tokio::join!(drain, end);
    assert_eq!(drained, Drained::Completely);

    let drain = DrainConfig {
        min: Duration::ZERO,
        max: Duration::from_millis(50),
    };
    let scene = forwarding(&[backend.backend.at]);
    let plane = Plane::start(&scene, Config { drain, ..config() }).await;
    let (mut client, _server) = joined(&plane, &backend).await;
    let cut = plane.plane.drain().await;
    assert_eq!(cut, Drained::CutOff { connections: 1 });
    drop(plane);
    assert!(matches!(client.read(&mut [0]).await, Ok(0) | Err(_)));
}
