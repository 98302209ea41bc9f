//! What happens between gateway and backends: retries, streams, tunnels, timeouts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use portcullis_ir::BackendProtocol;
use portcullis_ir::route::Timeouts;
use portcullis_ir::{HttpRule, WeightedBackend};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, mpsc};

use crate::backend::{always, custom, echo, read_head, refusing};
use crate::client::{Connection, get, get_request};
use crate::snapshot::{Plane, Scene, scene, to};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn to_backends(at: &[SocketAddr]) -> Scene {
    scene()
        .http("web", 80, "")
        .backend("a", BackendProtocol::Http1, at)
        .route("web", "a.example", "/", "a")
}

#[tokio::test]
async fn endpoints_take_turns_and_one_that_refuses_is_passed_over() {
    let (one, two) = (echo("one").await, echo("two").await);
    let scene = to_backends(&[one.at, refusing().await, two.at]);
    let plane = Plane::serving(&scene).await;
    let mut seen = Vec::new();
    for _ in 0..12 {
        let reply = get(plane.at(80), "a.example", "/").await;
        assert_eq!(reply.status, 200, "{reply:?}");
        seen.push(reply.header("backend").unwrap().to_owned());
    }
    let count = |name: &str| seen.iter().filter(|seen| *seen == name).count();
    assert!(count("one") >= 4 && count("two") >= 4, "{seen:?}");
}

#[tokio::test]
async fn no_endpoint_that_takes_connections_is_a_502() {
    let plane = Plane::serving(&to_backends(&[refusing().await])).await;
    let reply = get(plane.at(80), "a.example", "/").await;
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (502, "cannot connect to backend\n")
    );
    assert_eq!(reply.header("server"), None);
}

#[tokio::test]
async fn bad_answers_are_a_502() {
    for answer in ["", "garbage\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Len"] {
        let backend = custom(move |mut stream, _| async move {
            read_head(&mut stream).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        })
        .await;
        let plane = Plane::serving(&to_backends(&[backend.at])).await;
        assert_eq!(
            get(plane.at(80), "a.example", "/").await.status,
            502,
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn connections_to_backends_are_kept() {
    let backend = echo("a").await;
    let config = portcullis_dataplane::Config {
        workers: std::num::NonZeroUsize::MIN,
        ..crate::snapshot::config()
    };
    let plane = Plane::start(&to_backends(&[backend.at]), config).await;
    for _ in 0..5 {
        assert_eq!(get(plane.at(80), "a.example", "/").await.status, 200);
    }
    assert_eq!(backend.connections(), 1);
}

/// Answers one request on its first connection, and closes when the second arrives.
async fn closes_on_second_request() -> crate::backend::TestBackend {
    custom(|mut stream, number| async move {
        let answers = if number == 0 { 1 } else { usize::MAX };
        for _ in 0..answers {
            if read_head(&mut stream).await.is_empty() || stream.write_all(OK).await.is_err() {
                return;
            }
        }
        read_head(&mut stream).await;
    })
    .await
}

#[tokio::test]
async fn a_pooled_connection_that_died_is_replaced_for_requests_that_may_be_repeated() {
    let config = || portcullis_dataplane::Config {
        workers: std::num::NonZeroUsize::MIN,
        ..crate::snapshot::config()
    };
    for (method, expected) in [("GET", 200), ("PUT", 200), ("POST", 502)] {
        let backend = closes_on_second_request().await;
        let plane = Plane::start(&to_backends(&[backend.at]), config()).await;
        assert_eq!(get(plane.at(80), "a.example", "/").await.status, 200);
        let request =
            format!("{method} / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\nhi");
        let reply = Connection::open(plane.at(80)).await.exchange(request).await;
        assert_eq!(reply.status, expected, "{method}");
    }
}

#[tokio::test]
async fn an_answer_streams_while_the_backend_writes_it() {
    let (go, gone) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (wait, _keep) = (Arc::clone(&go), Arc::clone(&gone));
    let backend = custom(move |mut stream, _| {
        let wait = Arc::clone(&wait);
        async move {
            read_head(&mut stream).await;
            let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n";
            stream.write_all(head).await.unwrap();
            wait.notified().await;
            stream.write_all(b"3\r\ntwo\r\n0\r\n\r\n").await.unwrap();
        }
    })
    .await;
    let plane = Plane::serving(&to_backends(&[backend.at])).await;
    let mut connection = Connection::open(plane.at(80)).await;
    connection.send(get_request("a.example", "/")).await;
    connection.head().await.unwrap();
    let mut chunk = [0; 8];
    connection.0.read_exact(&mut chunk).await.unwrap();
    assert_eq!(&chunk, b"3\r\none\r\n");
    go.notify_one();
    let mut rest = [0; 13];
    connection.0.read_exact(&mut rest).await.unwrap();
    assert_eq!(&rest, b"3\r\ntwo\r\n0\r\n\r\n");
}

#[tokio::test]
async fn a_request_streams_while_the_client_writes_it() {
    let (sender, mut received) = mpsc::channel(8);
    let backend = custom(move |mut stream, _| {
        let sender = sender.clone();
        async move {
            read_head(&mut stream).await;
            let mut body = [0; 3];
            stream.read_exact(&mut body).await.unwrap();
            sender.send(body).await.unwrap();
            stream.read_exact(&mut body).await.unwrap();
            stream.write_all(OK).await.unwrap();
        }
    })
    .await;
    let plane = Plane::serving(&to_backends(&[backend.at])).await;
    let mut connection = Connection::open(plane.at(80)).await;
    connection
        .send("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 6\r\n\r\none")
        .await;
    assert_eq!(&received.recv().await.unwrap(), b"one");
    assert_eq!(connection.exchange("two").await.status, 200);
}

#[tokio::test]
async fn a_client_that_does_not_read_stops_its_backend() {
    const TOTAL: usize = 64 * 1024 * 1024;
    let sent = Arc::new(AtomicUsize::new(0));
    let stalled = Arc::new(Notify::new());
    let (counter, stall) = (Arc::clone(&sent), Arc::clone(&stalled));
    let backend = custom(move |mut stream, _| {
        let (counter, stall) = (Arc::clone(&counter), Arc::clone(&stall));
        async move {
            read_head(&mut stream).await;
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {TOTAL}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            let block = vec![0; 64 * 1024];
            while counter.load(Ordering::Relaxed) < TOTAL {
                if let Ok(written) = stream.try_write(&block) {
                    counter.fetch_add(written, Ordering::Relaxed);
                } else {
                    stall.notify_one();
                    stream.writable().await.unwrap();
                }
            }
            stall.notify_one();
        }
    })
    .await;
    let plane = Plane::serving(&to_backends(&[backend.at])).await;
    let mut connection = Connection::open(plane.at(80)).await;
    connection.send(get_request("a.example", "/")).await;
    stalled.notified().await;
    // Standing still is the condition that is waited for.
    let mut seen = 0;
    while seen != sent.load(Ordering::Relaxed) {
        seen = sent.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(seen < TOTAL / 2, "the gateway took {seen} bytes");
    connection.head().await.unwrap();
    let mut body = connection.0.take(u64::try_from(TOTAL).unwrap());
    let received = tokio::io::copy(&mut body, &mut tokio::io::sink()).await;
    assert_eq!(received.unwrap(), u64::try_from(TOTAL).unwrap());
}

#[tokio::test]
async fn expect_100_continue_is_between_client_and_backend() {
    let backend = custom(|mut stream, _| async move {
        assert!(
            read_head(&mut stream)
                .await
                .to_lowercase()
                .contains("expect: 100-continue")
        );
        stream
            .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
            .await
            .unwrap();
        let mut body = [0; 2];
        stream.read_exact(&mut body).await.unwrap();
        stream.write_all(OK).await.unwrap();
    })
    .await;
    let scene = to_backends(&[backend.at])
        .backend("h2", BackendProtocol::H2c, &[echo("h2").await.at])
        .route("web", "h2.example", "/", "h2");
    let plane = Plane::serving(&scene).await;
    for host in ["a.example", "h2.example"] {
        let mut connection = Connection::open(plane.at(80)).await;
        let head = format!(
            "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        );
        connection.send(head).await;
        let go = connection.head().await.unwrap();
        assert!(go.starts_with("http/1.1 100 "), "{host}: {go}");
        assert_eq!(connection.exchange("hi").await.status, 200, "{host}");
    }
}

#[tokio::test]
async fn a_websocket_becomes_a_tunnel() {
    let backend = custom(|mut stream, _| async move {
        let head = read_head(&mut stream).await.to_lowercase();
        assert!(head.contains("upgrade: websocket") && head.contains("connection: upgrade"));
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
            Connection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        let (mut reading, mut writing) = stream.split();
        let _ = tokio::io::copy(&mut reading, &mut writing).await;
    })
    .await;
    let plane = Plane::serving(&to_backends(&[backend.at])).await;
    let mut connection = Connection::open(plane.at(80)).await;
    connection
        .send(
            "GET / HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: x\r\n\r\n",
        )
        .await;
    let head = connection.head().await.unwrap();
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    assert!(head.contains("upgrade: websocket"), "{head}");
    for message in ["one", "GET / HTTP/1.1\r\n\r\n", "three"] {
        connection.send(message).await;
        let mut echoed = vec![0; message.len()];
        connection.0.read_exact(&mut echoed).await.unwrap();
        assert_eq!(echoed, message.as_bytes());
    }
}

#[tokio::test]
async fn a_route_limits_how_long_its_backend_is_waited_for() {
    let silent = custom(|mut stream, _| async move {
        read_head(&mut stream).await;
        let _ = stream.read_u8().await;
    })
    .await;
    let limit = Some(Duration::from_millis(50));
    for timeouts in [
        Timeouts {
            request: limit,
            backend_request: None,
        },
        Timeouts {
            request: None,
            backend_request: limit,
        },
    ] {
        let rule = HttpRule {
            timeouts,
            ..to("slow")
        };
        let scene = scene()
            .http("web", 80, "")
            .backend("slow", BackendProtocol::Http1, &[silent.at])
            .rule("web", "a.example", "/", rule);
        let plane = Plane::serving(&scene).await;
        assert_eq!(get(plane.at(80), "a.example", "/").await.status, 504);
    }
}

fn limited(at: SocketAddr, limit: Duration) -> Scene {
    let timeouts = Timeouts {
        request: None,
        backend_request: Some(limit),
    };
    let rule = HttpRule {
        timeouts,
        ..to("a")
    };
    scene()
        .http("web", 80, "")
        .backend("a", BackendProtocol::Http1, &[at])
        .rule("web", "a.example", "/", rule)
}

#[tokio::test]
async fn no_upgrade_lifts_the_timeouts_of_a_route() {
    let silent = custom(|mut stream, _| async move {
        read_head(&mut stream).await;
        let _ = stream.read_u8().await;
    })
    .await;
    let plane = Plane::serving(&limited(silent.at, Duration::from_millis(50))).await;
    for protocol in ["x", "h2c", "websocket"] {
        let mut connection = Connection::open(plane.at(80)).await;
        let request = format!(
            "GET / HTTP/1.1\r\nHost: a.example\r\nUpgrade: {protocol}\r\nConnection: Upgrade\r\n\r\n"
        );
        let reply = connection.exchange(request).await;
        assert_eq!(
            (reply.status, reply.body.as_str()),
            (504, "backend took too long\n"),
            "{protocol}"
        );
        assert!(connection.is_closed().await, "{protocol}");
    }
}

#[tokio::test]
async fn a_tunnel_may_rest_for_longer_than_its_handshake() {
    let limit = Duration::from_millis(100);
    let backend = custom(move |mut stream, _| async move {
        read_head(&mut stream).await;
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
            Connection: Upgrade\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        tokio::time::sleep(2 * limit).await;
        stream.write_all(b"late").await.unwrap();
    })
    .await;
    let plane = Plane::serving(&limited(backend.at, limit)).await;
    let mut connection = Connection::open(plane.at(80)).await;
    let request =
        "GET / HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    connection.send(request).await;
    let head = connection.head().await.unwrap();
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    let mut late = [0; 4];
    connection.0.read_exact(&mut late).await.unwrap();
    assert_eq!(&late, b"late");
}

#[tokio::test]
async fn a_101_that_nobody_asked_for_is_a_502() {
    let backend =
        always("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n");
    let plane = Plane::serving(&to_backends(&[backend.await.at])).await;
    for request in [
        "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a.example\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    ] {
        let mut connection = Connection::open(plane.at(80)).await;
        let reply = connection.exchange(request).await;
        assert_eq!(reply.status, 502, "{request}");
        assert!(connection.is_closed().await, "{request}");
    }
}

#[tokio::test]
async fn a_failure_after_an_interim_answer_is_answered() {
    let backend = custom(|mut stream, _| async move {
        read_head(&mut stream).await;
        let hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
        stream.write_all(hints).await.unwrap();
    })
    .await;
    let plane = Plane::serving(&to_backends(&[backend.at])).await;
    let mut connection = Connection::open(plane.at(80)).await;
    let request = "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(connection.exchange(request).await.status, 103);
    assert_eq!(connection.receive().await.unwrap().status, 502);
}

#[tokio::test]
async fn weights_share_requests_out() {
    let (one, two) = (echo("one").await, echo("two").await);
    let mut rule = to("one");
    rule.backends[0].weight = 3;
    rule.backends.push(WeightedBackend {
        weight: 1,
        ..to("two").backends.remove(0)
    });
    let scene = scene()
        .http("web", 80, "")
        .backend("one", BackendProtocol::Http1, &[one.at])
        .backend("two", BackendProtocol::Http1, &[two.at])
        .rule("web", "a.example", "/", rule);
    let plane = Plane::serving(&scene).await;
    let mut ones = 0;
    for _ in 0..8 {
        let reply = get(plane.at(80), "a.example", "/").await;
        ones += usize::from(reply.header("backend") == Some("one"));
    }
    assert_eq!(ones, 6);
}

#[tokio::test]
async fn endpoints_given_by_name_are_resolved() {
    let backend = echo("a").await;
    let mut scene = to_backends(&[]);
    let endpoint = portcullis_ir::Endpoint {
        host: portcullis_ir::EndpointHost::Dns("localhost".into()),
        port: backend.at.port(),
    };
    let named = portcullis_ir::Backend {
        protocol: BackendProtocol::Http1,
        tls: None,
        endpoints: vec![endpoint],
    };
    scene
        .0
        .backends
        .insert(crate::snapshot::backend_id("a"), Arc::new(named));
    let plane = Plane::serving(&scene).await;
    assert_eq!(get(plane.at(80), "a.example", "/").await.status, 200);
}
