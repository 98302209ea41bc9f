//! HTTP/2: with prior knowledge, by ALPN, and to backends.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::client::conn::http2::SendRequest;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use portcullis_ir::BackendProtocol;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::backend::{TestBackend, custom, echo, read_head};
use crate::certs::{Client, ca, client};
use crate::client::Connection;
use crate::snapshot::{Plane, Scene, scene};

pub(crate) type Sender = SendRequest<Full<Bytes>>;

/// An HTTP/2 connection; the task ends when the connection does.
pub(crate) async fn http2<S>(stream: S) -> (Sender, JoinHandle<hyper::Result<()>>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(stream);
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
        .await
        .unwrap();
    (sender, tokio::spawn(connection))
}

pub(crate) fn request(uri: &str, body: &'static str) -> Request<Full<Bytes>> {
    let request = Request::builder().method("POST").uri(uri);
    request
        .header("te", "trailers")
        .body(Full::from(body))
        .unwrap()
}

async fn text(response: Response<hyper::body::Incoming>) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

fn to_backend(protocol: BackendProtocol, at: SocketAddr) -> Scene {
    scene()
        .http("web", 80, "")
        .backend("a", protocol, &[at])
        .route("web", "a.example", "/", "a")
}

#[tokio::test]
async fn every_pair_of_versions_works() {
    let backend = echo("a").await;
    for (protocol, spoken) in [
        (BackendProtocol::Http1, "HTTP/1.1"),
        (BackendProtocol::H2c, "HTTP/2.0"),
    ] {
        let plane = Plane::serving(&to_backend(protocol, backend.at)).await;
        let stream = TcpStream::connect(plane.at(80)).await.unwrap();
        let (mut sender, _connection) = http2(stream).await;
        for _ in 0..3 {
            let request = request("http://a.example/x?y", "hello");
            let response = sender.send_request(request).await.unwrap();
            assert_eq!(
                (response.status(), response.version()),
                (StatusCode::OK, Version::HTTP_2)
            );
            let text = text(response).await;
            assert!(text.contains(spoken), "{text}");
            assert!(text.contains("x-forwarded-for: 127.0.0.1\n"), "{text}");
            assert!(text.ends_with("\n\nhello"), "{text}");
            assert!(text.contains("a.example"), "{text}");
        }
        let mut old = Connection::open(plane.at(80)).await;
        let request = "POST /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello";
        let reply = old.exchange(request).await;
        assert!(
            reply.body.contains(spoken) && reply.body.ends_with("\n\nhello"),
            "{reply:?}"
        );
    }
}

#[tokio::test]
async fn alpn_leads_to_http2_and_requests_share_the_connection() {
    let ca = ca("one");
    let backend = echo("a").await;
    let scene = scene()
        .https("web", 443, "a.example", &["a"])
        .certificate("a", ca.certificate(&["a.example"]))
        .backend("a", BackendProtocol::Http1, &[backend.at])
        .route("web", "", "/", "a");
    let plane = Plane::serving(&scene).await;
    let config = Client {
        alpn: &["h2"],
        ..client(&ca)
    }
    .config();
    let stream = TcpStream::connect(plane.at(443)).await.unwrap();
    let name = ServerName::try_from("a.example").unwrap();
    let stream = tokio_rustls::TlsConnector::from(config)
        .connect(name, stream)
        .await
        .unwrap();
    let (sender, _connection) = http2(stream).await;
    let requests = (0..50).map(|_| {
        let mut sender = sender.clone();
        tokio::spawn(async move {
            let response = sender
                .send_request(request("https://a.example/", "x"))
                .await;
            response.unwrap().status()
        })
    });
    for status in futures_util::future::join_all(requests).await {
        assert_eq!(status.unwrap(), StatusCode::OK);
    }
    let mut sender = sender;
    let misdirected = sender
        .send_request(request("https://b.example/", ""))
        .await
        .unwrap();
    assert_eq!(misdirected.status(), StatusCode::NOT_FOUND);
}

/// The suite's HTTPRouteHTTPSListenerDetectMisdirectedRequests, with all requests of a name on one
/// connection, as a browser coalesces them.
#[tokio::test]
async fn requests_for_another_listener_than_the_connections_are_misdirected() {
    let ca = ca("one");
    let names = ["", "second.org", "*.wildcard.org", "fourth.wildcard.org"];
    let certified = ["example.org", "second.org", "unknown.org", "*.wildcard.org"];
    let backend = echo("a").await;
    let mut scene = scene()
        .backend("a", BackendProtocol::Http1, &[backend.at])
        .certificate("a", ca.certificate(&certified));
    for name in names {
        let listener = if name.is_empty() { "every" } else { name };
        let host = if name.is_empty() { "example.org" } else { name };
        scene = scene
            .https(listener, 443, name, &["a"])
            .route(listener, host, "/", "a");
    }
    let plane = Plane::serving(&scene).await;
    for (sni, hosts) in [
        (
            "example.org",
            &[
                ("example.org", 200),
                ("EXAMPLE.ORG", 200),
                ("example.org:443", 200),
                ("second.org", 421),
                ("third.wildcard.org", 421),
                ("unknown.org", 404),
            ][..],
        ),
        (
            "second.org",
            &[
                ("second.org", 200),
                ("example.org", 421),
                ("unknown.org", 421),
            ],
        ),
        (
            "third.wildcard.org",
            &[
                ("third.wildcard.org", 200),
                ("fifth.wildcard.org", 200),
                ("a.b.wildcard.org", 200),
                ("fourth.wildcard.org", 421),
                ("second.org", 421),
                ("unknown.org", 421),
            ],
        ),
        (
            "fourth.wildcard.org",
            &[("fourth.wildcard.org", 200), ("fifth.wildcard.org", 421)],
        ),
        ("unknown.org", &[("example.org", 200), ("unknown.org", 404)]),
    ] {
        let config = Client {
            alpn: &["h2"],
            ..client(&ca)
        }
        .config();
        let stream = TcpStream::connect(plane.at(443)).await.unwrap();
        let name = ServerName::try_from(sni).unwrap();
        let connector = tokio_rustls::TlsConnector::from(config);
        let stream = connector.connect(name, stream).await.unwrap();
        let (mut sender, _connection) = http2(stream).await;
        for (host, expected) in hosts {
            let request = request(&format!("https://{host}/"), "");
            let response = sender.send_request(request).await.unwrap();
            assert_eq!(response.status().as_u16(), *expected, "{sni} {host}");
        }
    }
}

/// Answers with a body and trailers over h2c, if asked with `TE: trailers`.
async fn with_trailers() -> TestBackend {
    custom(|stream, _| serve_trailers(stream)).await
}

pub(crate) async fn serve_trailers(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    let service = service_fn(|request: Request<hyper::body::Incoming>| async move {
        assert_eq!(request.headers().get("te").unwrap(), "trailers");
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().unwrap());
        let data = Frame::data(Bytes::from_static(b"data"));
        let frames = [Ok::<_, Infallible>(data), Ok(Frame::trailers(trailers))];
        let body = StreamBody::new(futures_util::stream::iter(frames));
        Ok::<_, Infallible>(Response::new(body))
    });
    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

#[tokio::test]
async fn trailers_reach_an_http2_client() {
    let plane = Plane::serving(&to_backend(BackendProtocol::H2c, with_trailers().await.at)).await;
    let stream = TcpStream::connect(plane.at(80)).await.unwrap();
    let (mut sender, _connection) = http2(stream).await;
    let response = sender
        .send_request(request("http://a.example/", ""))
        .await
        .unwrap();
    let collected = response.into_body().collect().await.unwrap();
    assert_eq!(collected.trailers().unwrap()["grpc-status"], "0");
    assert_eq!(collected.to_bytes(), "data");
}

#[tokio::test]
async fn own_answers_work_over_http2() {
    let plane = Plane::serving(&to_backend(BackendProtocol::Http1, echo("a").await.at)).await;
    let stream = TcpStream::connect(plane.at(80)).await.unwrap();
    let (mut sender, _connection) = http2(stream).await;
    let response = sender
        .send_request(request("http://b.example/", "body"))
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(response.headers().get("server"), None);
    assert_eq!(text(response).await, "no route\n");
    let connect = Request::builder().method("CONNECT").uri("a.example:80");
    let connect = connect.body(Full::default()).unwrap();
    let refused = sender.send_request(connect).await.unwrap();
    assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(refused.headers().get("server"), None);
    let large = Request::builder()
        .uri("http://a.example/")
        .header("x", "y".repeat(70_000));
    let refused = sender
        .send_request(large.body(Full::default()).unwrap())
        .await;
    assert!(refused.map_or(true, |r| r.status()
        == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
}

#[tokio::test]
async fn answers_that_http2_has_no_words_for_still_reach_its_clients() {
    for (answer, expected) in [
        (
            "HTTP/1.1 200 OK\r\nTE: gzip\r\nTrailer: x\r\nContent-Length: 0\r\n\r\n",
            200,
        ),
        ("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", 204),
        (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
            502,
        ),
    ] {
        let backend = crate::backend::always(answer).await;
        let plane = Plane::serving(&to_backend(BackendProtocol::Http1, backend.at)).await;
        let (mut sender, _connection) =
            http2(TcpStream::connect(plane.at(80)).await.unwrap()).await;
        let response = sender.send_request(request("http://a.example/", "")).await;
        let response = response.unwrap();
        assert_eq!(response.status().as_u16(), expected, "{answer}");
        for name in ["te", "trailer"] {
            assert!(!response.headers().contains_key(name), "{answer}");
        }
    }
}

/// Sends the head and the first byte of a body whose end is up to the returned sender.
async fn slow_upload(
    at: SocketAddr,
) -> (
    tokio::sync::mpsc::Sender<&'static str>,
    hyper::Result<Response<hyper::body::Incoming>>,
) {
    let (writer, mut written) = tokio::sync::mpsc::channel(1);
    let frames = futures_util::stream::poll_fn(move |cx| {
        let next = written.poll_recv(cx);
        next.map(|text: Option<&str>| {
            text.map(|text| Ok::<_, Infallible>(Frame::data(Bytes::from(text))))
        })
    });
    let io = TokioIo::new(TcpStream::connect(at).await.unwrap());
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
        .await
        .unwrap();
    tokio::spawn(connection);
    writer.send("x").await.unwrap();
    let request = Request::builder()
        .method("POST")
        .uri("http://a.example/")
        .body(StreamBody::new(frames))
        .unwrap();
    (writer, sender.send_request(request).await)
}

#[tokio::test]
async fn a_client_that_stops_within_its_body_is_given_up() {
    let backend = custom(|mut stream, _| async move {
        use tokio::io::AsyncReadExt;
        let mut everything = Vec::new();
        let _ = stream.read_to_end(&mut everything).await;
    })
    .await;
    let config = portcullis_dataplane::Config {
        body_timeout: std::time::Duration::from_millis(50),
        ..crate::snapshot::config()
    };
    let scene = to_backend(BackendProtocol::Http1, backend.at);
    let plane = Plane::start(&scene, config).await;
    let (_writer, outcome) = slow_upload(plane.at(80)).await;
    assert_eq!(outcome.unwrap().status(), StatusCode::REQUEST_TIMEOUT);
    let mut http1 = Connection::open(plane.at(80)).await;
    let request = "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\nx";
    assert_eq!(http1.exchange(request).await.status, 408);
}

#[tokio::test]
async fn a_stream_that_is_answered_may_rest() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let limit = std::time::Duration::from_millis(50);
    let backend = custom(move |mut stream, _| async move {
        read_head(&mut stream).await;
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(head).await.unwrap();
        tokio::time::sleep(3 * limit).await;
        stream.write_all(b"4\r\nlate\r\n0\r\n\r\n").await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let config = portcullis_dataplane::Config {
        body_timeout: limit,
        ..crate::snapshot::config()
    };
    let scene = to_backend(BackendProtocol::Http1, backend.at);
    let plane = Plane::start(&scene, config).await;
    let (writer, outcome) = slow_upload(plane.at(80)).await;
    let body = outcome.unwrap().into_body();
    let body = tokio::spawn(async { body.collect().await.unwrap().to_bytes() });
    assert_eq!(body.await.unwrap(), "late");
    drop(writer);
}

#[tokio::test]
async fn draining_says_goaway_and_finishes_streams() {
    let (arrived, answer) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (at_backend, go) = (Arc::clone(&arrived), Arc::clone(&answer));
    let backend = custom(move |mut stream, _| {
        let (at_backend, go) = (Arc::clone(&at_backend), Arc::clone(&go));
        async move {
            use tokio::io::AsyncWriteExt;
            read_head(&mut stream).await;
            at_backend.notify_one();
            go.notified().await;
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                .await;
        }
    })
    .await;
    let plane = Plane::serving(&to_backend(BackendProtocol::Http1, backend.at)).await;
    let (idle, idle_ended) = http2(TcpStream::connect(plane.at(80)).await.unwrap()).await;
    let (mut busy, busy_ended) = http2(TcpStream::connect(plane.at(80)).await.unwrap()).await;
    let response = tokio::spawn(async move {
        let response = busy.send_request(request("http://a.example/", "")).await;
        response.unwrap().status()
    });
    arrived.notified().await;
    let clients = async {
        idle_ended.await.unwrap().unwrap();
        answer.notify_one();
        assert_eq!(response.await.unwrap(), StatusCode::OK);
        busy_ended.await.unwrap().unwrap();
    };
    let (drained, ()) = tokio::join!(plane.plane.drain(), clients);
    assert_eq!(drained, portcullis_dataplane::Drained::Completely);
    drop(idle);
}

#[tokio::test]
async fn streams_beyond_the_limit_wait() {
    let (sender_started, mut started) = tokio::sync::mpsc::channel(256);
    let release = Arc::new(Notify::new());
    let held = Arc::clone(&release);
    let backend = custom(move |mut stream, _| {
        let (started, held) = (sender_started.clone(), Arc::clone(&held));
        async move {
            use tokio::io::AsyncWriteExt;
            read_head(&mut stream).await;
            let _ = started.send(()).await;
            held.notified().await;
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                .await;
        }
    })
    .await;
    let plane = Plane::serving(&to_backend(BackendProtocol::Http1, backend.at)).await;
    let stream = TcpStream::connect(plane.at(80)).await.unwrap();
    let io = TokioIo::new(stream);
    let (sender, connection) =
        hyper::client::conn::http2::handshake::<_, _, Empty<Bytes>>(TokioExecutor::new(), io)
            .await
            .unwrap();
    tokio::spawn(connection);
    let requests: Vec<_> = (0..120)
        .map(|_| {
            let mut sender = sender.clone();
            let request = Request::builder()
                .uri("http://a.example/")
                .body(Empty::new())
                .unwrap();
            tokio::spawn(async move { sender.send_request(request).await.unwrap().status() })
        })
        .collect();
    for _ in 0..100 {
        started.recv().await.unwrap();
    }
    // The other twenty come only as the first make room.
    let freeing = tokio::spawn(async move {
        loop {
            release.notify_one();
            tokio::task::yield_now().await;
        }
    });
    for request in requests {
        assert_eq!(request.await.unwrap(), StatusCode::OK);
    }
    freeing.abort();
}
