//! How long requests and attempts may take.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use portcullis_ir::route::Timeouts;
use portcullis_ir::{BackendProtocol, HttpRule};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::backend::{TestBackend, custom, read_head};
use crate::client::{Connection, get_request};
use crate::failing::{Client, PAIRS, serving};
use crate::http2::http2;
use crate::snapshot::{Plane, Scene, to};

/// Short enough to be waited for, and much longer than anything that should be done within it.
const LIMIT: Duration = Duration::from_millis(300);

/// A limit for all of a request, and one for each attempt: with a single attempt they are the same.
fn both() -> [Timeouts; 2] {
    let whole = Timeouts {
        request: Some(LIMIT),
        backend_request: None,
    };
    let attempt = Timeouts {
        request: None,
        backend_request: Some(LIMIT),
    };
    [whole, attempt]
}

fn limited(timeouts: Timeouts, protocol: BackendProtocol, at: SocketAddr) -> Scene {
    let rule = HttpRule {
        timeouts,
        ..to("a")
    };
    serving(protocol, &[at], rule)
}

/// Takes connections, and what is sent on them, and says nothing.
async fn silent() -> TestBackend {
    custom(|mut stream, _| async move {
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    })
    .await
}

#[tokio::test]
async fn a_silent_backend_is_a_504_for_every_pair_of_versions() {
    let backend = silent().await;
    for timeouts in both() {
        for (client, protocol) in PAIRS {
            let plane = Plane::serving(&limited(timeouts, protocol, backend.at)).await;
            for (method, body) in [("GET", ""), ("POST", "body")] {
                let (status, body) = client.send(plane.at(80), method, body).await;
                let of = format!("{timeouts:?} {client:?} {protocol:?} {method}");
                assert_eq!(
                    (status, body.as_str()),
                    (504, "backend took too long\n"),
                    "{of}"
                );
            }
        }
    }
}

/// Answers with a head at once and then drips a body, a byte at a time, until nobody takes it.
async fn dripping() -> (TestBackend, mpsc::Receiver<()>) {
    let (ended, ends) = mpsc::channel(16);
    let backend = custom(move |mut stream, _| {
        let ended = ended.clone();
        async move {
            read_head(&mut stream).await;
            let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            stream.write_all(head).await.unwrap();
            while stream.write_all(b"1\r\nx\r\n").await.is_ok() {
                sleep(LIMIT / 30).await;
            }
            let _ = ended.send(()).await;
        }
    })
    .await;
    (backend, ends)
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_cut_off() {
    for timeouts in both() {
        let (backend, mut ends) = dripping().await;
        let scene = limited(timeouts, BackendProtocol::Http1, backend.at);
        let plane = Plane::serving(&scene).await;

        let mut http1 = Connection::open(plane.at(80)).await;
        http1.send(get_request("a.example", "/")).await;
        assert!(http1.head().await.unwrap().starts_with("http/1.1 200 "));
        let mut rest = Vec::new();
        let _ = http1.0.read_to_end(&mut rest).await;
        assert!(rest.starts_with(b"1\r\nx\r\n"), "{rest:?}");
        assert!(!rest.ends_with(b"0\r\n\r\n"), "{rest:?}");

        let (mut sender, _connection) =
            http2(TcpStream::connect(plane.at(80)).await.unwrap()).await;
        let request = Request::builder().uri("http://a.example/");
        let request = request.body(http_body_util::Full::default()).unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert!(response.into_body().collect().await.is_err());
        // Neither attempt goes on behind the scenes.
        ends.recv().await.unwrap();
        ends.recv().await.unwrap();
    }
}

#[tokio::test]
async fn an_answer_head_that_comes_byte_by_byte_is_not_waited_for() {
    for timeouts in both() {
        let backend = custom(|mut stream, _| async move {
            read_head(&mut stream).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX: ").await;
            while stream.write_all(b"x").await.is_ok() {
                sleep(LIMIT / 30).await;
            }
        })
        .await;
        let scene = limited(timeouts, BackendProtocol::Http1, backend.at);
        let plane = Plane::serving(&scene).await;
        let (status, body) = Client::Http1.send(plane.at(80), "GET", "").await;
        assert_eq!((status, body.as_str()), (504, "backend took too long\n"));
        let (mut sender, _connection) =
            http2(TcpStream::connect(plane.at(80)).await.unwrap()).await;
        let request = Request::builder().uri("http://a.example/");
        let request = request.body(http_body_util::Full::default()).unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
    }
}

#[tokio::test]
async fn interim_answers_do_not_make_a_request_longer() {
    for timeouts in both() {
        let backend = custom(|mut stream, _| async move {
            read_head(&mut stream).await;
            let hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
            while stream.write_all(hints).await.is_ok() {
                sleep(LIMIT / 10).await;
            }
        })
        .await;
        let scene = limited(timeouts, BackendProtocol::Http1, backend.at);
        let plane = Plane::serving(&scene).await;
        let mut client = Connection::open(plane.at(80)).await;
        let mut reply = client.exchange(get_request("a.example", "/")).await;
        while reply.status == 103 {
            reply = client.receive().await.unwrap();
        }
        assert_eq!(reply.status, 504);
    }
}

#[tokio::test]
async fn a_request_that_takes_too_long_to_arrive_is_a_504() {
    let backend = silent().await;
    for protocol in [BackendProtocol::Http1, BackendProtocol::H2c] {
        let [whole, _] = both();
        let plane = Plane::serving(&limited(whole, protocol, backend.at)).await;
        let mut http1 = Connection::open(plane.at(80)).await;
        let half = "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 8\r\n\r\nhalf";
        assert_eq!(http1.exchange(half).await.status, 504, "{protocol:?}");
        assert!(http1.is_closed().await);

        let (status, _writer) = upload(plane.at(80), "half").await;
        assert_eq!(status, 504, "{protocol:?}");
    }
}

#[tokio::test]
async fn a_backend_that_takes_nothing_of_the_body_is_a_504() {
    let backend = custom(|stream, _| async move {
        sleep(Duration::from_mins(10)).await;
        drop(stream);
    })
    .await;
    let [whole, _] = both();
    let plane = Plane::serving(&limited(whole, BackendProtocol::Http1, backend.at)).await;
    let mut client = Connection::open(plane.at(80)).await;
    let head = format!(
        "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: {}\r\n\r\n",
        1 << 30
    );
    client.send(head).await;
    let piece = vec![0; 1 << 20];
    while client.0.get_mut().write_all(&piece).await.is_ok() {
        let mut first = [0];
        // An answer, or an end, comes before all of it is taken.
        if tokio::time::timeout(
            Duration::from_millis(1),
            client.0.get_ref().peek(&mut first),
        )
        .await
        .is_ok()
        {
            break;
        }
    }
    assert_eq!(client.receive().await.unwrap().status, 504);
}

#[tokio::test]
async fn a_client_that_leaves_its_answer_unread_is_cut_off() {
    let (ended, mut ends) = mpsc::channel(4);
    let backend = custom(move |mut stream, _| {
        let ended = ended.clone();
        async move {
            read_head(&mut stream).await;
            let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            stream.write_all(head).await.unwrap();
            let piece = [&b"100000\r\n"[..], &vec![0; 1 << 20], b"\r\n"].concat();
            while stream.write_all(&piece).await.is_ok() {}
            let _ = ended.send(()).await;
        }
    })
    .await;
    let [whole, _] = both();
    let plane = Plane::serving(&limited(whole, BackendProtocol::Http1, backend.at)).await;
    let mut client = Connection::open(plane.at(80)).await;
    client.send(get_request("a.example", "/")).await;
    ends.recv().await.unwrap();
    drop(client);
}

#[tokio::test]
async fn a_tunnel_is_under_no_limit() {
    let backend = custom(|mut stream, _| async move {
        read_head(&mut stream).await;
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
            Connection: Upgrade\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        sleep(3 * LIMIT).await;
        stream.write_all(b"late").await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    for timeouts in both() {
        let scene = limited(timeouts, BackendProtocol::Http1, backend.at);
        let plane = Plane::serving(&scene).await;
        let mut client = Connection::open(plane.at(80)).await;
        let upgrade = "GET / HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\n\
                       Connection: Upgrade\r\n\r\n";
        client.send(upgrade).await;
        assert!(client.head().await.unwrap().starts_with("http/1.1 101 "));
        let mut late = [0; 4];
        client.0.read_exact(&mut late).await.unwrap();
        assert_eq!(&late, b"late");
    }
}

#[tokio::test]
async fn the_next_request_on_a_connection_has_time_of_its_own() {
    let backend = custom(|mut stream, _| async move {
        while !read_head(&mut stream).await.is_empty() {
            sleep(LIMIT / 3).await;
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
            if stream.write_all(answer).await.is_err() {
                return;
            }
        }
    })
    .await;
    let slack = Timeouts {
        request: Some(3 * LIMIT),
        backend_request: Some(2 * LIMIT),
    };
    let plane = Plane::serving(&limited(slack, BackendProtocol::Http1, backend.at)).await;
    let mut client = Connection::open(plane.at(80)).await;
    for _ in 0..12 {
        let reply = client.exchange(get_request("a.example", "/")).await;
        assert_eq!(reply.status, 200);
    }
}

/// The status of a POST over HTTP/2 whose body is `sent` and goes on for as long as the sender lives.
async fn upload(at: SocketAddr, sent: &'static str) -> (u16, mpsc::Sender<Bytes>) {
    let (writer, mut written) = mpsc::channel(1);
    writer
        .send(Bytes::from_static(sent.as_bytes()))
        .await
        .unwrap();
    let frames = futures_util::stream::poll_fn(move |cx| {
        let next = written.poll_recv(cx);
        next.map(|piece: Option<Bytes>| piece.map(|piece| Ok::<_, Infallible>(Frame::data(piece))))
    });
    let io = TokioIo::new(TcpStream::connect(at).await.unwrap());
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = Request::builder().method("POST").uri("http://a.example/");
    let request = request.body(StreamBody::new(frames)).unwrap();
    let response = sender.send_request(request).await.unwrap();
    (response.status().as_u16(), writer)
}
