//! HTTP/1.1 in clear text: what reaches the backend, and what the gateway answers by itself.

use std::net::SocketAddr;

use portcullis_ir::BackendProtocol;
use portcullis_ir::backend::BackendTarget;
use tokio::io::AsyncReadExt;

use crate::backend::{always, echo};
use crate::client::{Connection, get, get_request};
use crate::snapshot::{Plane, Scene, rule_to, scene};

/// One listener for every host, and one route for `a.example`.
fn to_backend(at: SocketAddr) -> Scene {
    scene()
        .http("web", 80, "")
        .backend("a", BackendProtocol::Http1, &[at])
        .route("web", "a.example", "/", "a")
}

async fn echoing() -> Plane {
    Plane::serving(&to_backend(echo("a").await.at)).await
}

#[tokio::test]
async fn a_request_reaches_its_backend_and_comes_back() {
    let plane = echoing().await;
    let reply = get(plane.at(80), "a.example", "/x?y=z").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(reply.body.starts_with("GET /x?y=z HTTP/1.1\n"), "{reply:?}");
    assert_eq!(reply.seen("host"), Some("a.example"));
    assert_eq!(reply.seen("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(reply.seen("x-forwarded-proto"), Some("http"));
    assert_eq!(reply.header("backend"), Some("a"));
}

#[tokio::test]
async fn the_path_is_forwarded_as_it_came() {
    let plane = echoing().await;
    for path in [
        "/a%2Fb/%7e",
        "/a//b/.c/d..",
        "/?",
        "/a?b=c?d&e=%20",
        "/%C3%A4;x=1",
        "/a\u{e4}",
    ] {
        let reply = get(plane.at(80), "a.example", path).await;
        let expected = format!("GET {path} HTTP/1.1\n");
        assert!(reply.body.starts_with(&expected), "{path}: {reply:?}");
    }
}

#[tokio::test]
async fn heads_that_are_no_requests_are_refused_in_our_own_words() {
    let plane = echoing().await;
    let cases: &[(&str, u16)] = &[
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        (
            "GET / HTTP/1.1\r\nHost: a.example\r\nHost: a.example\r\n\r\n",
            400,
        ),
        ("GET / HTTP/1.1\r\nHost: u@a.example\r\n\r\n", 400),
        (
            "GET http://b.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
            400,
        ),
        (
            "GET / HTTP/1.1\r\nHost: a.example\r\nbad header\r\n\r\n",
            400,
        ),
        ("\x01\x02\r\n\r\n", 400),
        ("GET / HTTP/3.7\r\nHost: a.example\r\n\r\n", 505),
        (
            "CONNECT a.example:80 HTTP/1.1\r\nHost: a.example:80\r\n\r\n",
            405,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: x\r\n\r\n",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: gzip\r\n\r\n",
            400,
        ),
        (
            "POST / HTTP/1.0\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
        ),
    ];
    for (request, expected) in cases {
        let mut connection = Connection::open(plane.at(80)).await;
        let reply = connection.exchange(request).await;
        assert_eq!(reply.status, *expected, "{request:?}: {reply:?}");
        assert_eq!(reply.header("server"), None, "{request:?}");
        assert_eq!(reply.header("connection"), Some("close"), "{request:?}");
        assert!(connection.is_closed().await, "{request:?}");
    }
}

#[tokio::test]
async fn content_length_beside_transfer_encoding_is_refused() {
    let plane = echoing().await;
    for (first, second) in [
        ("Content-Length: 3", "Transfer-Encoding: chunked"),
        ("transfer-encoding: chunked", "content-length: 3"),
        ("Transfer-Encoding: chunked", "CONTENT-LENGTH:0"),
    ] {
        let request =
            format!("POST / HTTP/1.1\r\nHost: a.example\r\n{first}\r\n{second}\r\n\r\n0\r\n\r\n");
        let mut connection = Connection::open(plane.at(80)).await;
        let reply = connection.exchange(request).await;
        assert_eq!(reply.status, 400);
        assert_eq!(reply.body, "both content-length and transfer-encoding\n");
        assert!(connection.is_closed().await);
    }
}

#[tokio::test]
async fn sizes_are_capped_with_their_own_statuses() {
    let plane = echoing().await;
    let long = |length: usize| "x".repeat(length);
    let many = |count: usize| {
        let lines: Vec<_> = (0..count).map(|n| format!("x-{n}: y\r\n")).collect();
        let lines = lines.concat();
        format!("GET / HTTP/1.1\r\nHost: a.example\r\n{lines}\r\n")
    };
    let one = |length| {
        format!(
            "GET / HTTP/1.1\r\nHost: a.example\r\nx: {}\r\n\r\n",
            long(length)
        )
    };
    let cases = [
        (
            "target",
            get_request("a.example", &format!("/{}", long(15_000))),
            200,
        ),
        (
            "longer target",
            get_request("a.example", &format!("/{}", long(17_000))),
            414,
        ),
        ("header", one(60_000), 200),
        ("longer header", one(70_000), 431),
        ("endless header", one(2_000_000), 431),
        ("headers", many(90), 200),
        ("more headers", many(150), 431),
        ("far more headers", many(300), 431),
    ];
    for (name, request, expected) in cases {
        let mut connection = Connection::open(plane.at(80)).await;
        let (mut reading, mut writing) = tokio::io::split(&mut connection.0);
        let send = async {
            use tokio::io::AsyncWriteExt;
            // The gateway may stop reading half way, which is its right.
            let _ = writing.write_all(request.as_bytes()).await;
            writing
        };
        let receive = async {
            use tokio::io::AsyncReadExt;
            let mut status = [0; 12];
            reading.read_exact(&mut status).await.unwrap();
            (String::from_utf8_lossy(&status).into_owned(), reading)
        };
        let (_, (status, _)) = tokio::join!(send, receive);
        assert_eq!(status, format!("HTTP/1.1 {expected}"), "{name}");
    }
}

#[tokio::test]
async fn a_target_in_absolute_form_becomes_origin_form() {
    let plane = echoing().await;
    for (target, host, expected) in [
        (
            "http://a.example/x?y",
            "Host: a.example\r\n",
            "GET /x?y HTTP/1.1\n",
        ),
        (
            "HTTP://a.example",
            "Host: a.example\r\n",
            "GET / HTTP/1.1\n",
        ),
        (
            "http://a.example?q",
            "Host: a.example\r\n",
            "GET /?q HTTP/1.1\n",
        ),
        ("http://a.example/x", "", "GET /x HTTP/1.1\n"),
    ] {
        let request = format!("GET {target} HTTP/1.1\r\n{host}\r\n");
        let reply = Connection::open(plane.at(80)).await.exchange(request).await;
        assert_eq!(reply.status, 200, "{target}: {reply:?}");
        assert!(reply.body.starts_with(expected), "{target}: {reply:?}");
        assert_eq!(reply.seen("host"), Some("a.example"));
    }
}

#[tokio::test]
async fn http10_without_host_is_for_listeners_and_routes_without_a_name() {
    let backend = echo("a").await;
    let scene = to_backend(backend.at).route("web", "", "/any", "a");
    let plane = Plane::serving(&scene).await;
    for (path, expected) in [("/any", 200), ("/", 404)] {
        let request = format!("GET {path} HTTP/1.0\r\n\r\n");
        let mut connection = Connection::open(plane.at(80)).await;
        assert_eq!(
            connection.exchange(request).await.status,
            expected,
            "{path}"
        );
        assert!(connection.is_closed().await);
    }
}

#[tokio::test]
async fn what_is_between_client_and_gateway_stays_there() {
    let plane = echoing().await;
    let request = "GET / HTTP/1.1\r\nHost: a.example\r\n\
        Connection: keep-alive, X-Private\r\nX-Private: 1\r\nX-Public: 2\r\nKeep-Alive: timeout=5\r\n\
        Proxy-Connection: x\r\nTE: gzip\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\
        Proxy-Authorization: x\r\n\r\n";
    let reply = Connection::open(plane.at(80)).await.exchange(request).await;
    assert_eq!(reply.seen("x-public"), Some("2"));
    for name in [
        "connection",
        "x-private",
        "keep-alive",
        "proxy-connection",
        "te",
        "upgrade",
        "http2-settings",
        "proxy-authorization",
    ] {
        assert_eq!(reply.seen(name), None, "{name}");
    }
}

#[tokio::test]
async fn what_is_between_backend_and_gateway_stays_there() {
    let backend = always(
        "HTTP/1.1 200 OK\r\nConnection: X-Private, keep-alive\r\nX-Private: 1\r\nX-Public: 2\r\n\
         Keep-Alive: timeout=5\r\nProxy-Connection: x\r\nUpgrade: h2c\r\nServer: theirs\r\n\
         Content-Length: 0\r\n\r\n",
    )
    .await;
    let plane = Plane::serving(&to_backend(backend.at)).await;
    let reply = get(plane.at(80), "a.example", "/").await;
    assert_eq!(reply.header("x-public"), Some("2"));
    assert_eq!(reply.header("server"), Some("theirs"));
    assert_eq!(reply.header("connection"), Some("keep-alive"));
    for name in ["x-private", "keep-alive", "proxy-connection", "upgrade"] {
        assert_eq!(reply.header(name), None, "{name}");
    }
}

#[tokio::test]
async fn fields_that_do_not_belong_in_an_answer_are_taken_out() {
    let backend = always(
        "HTTP/1.1 200 OK\r\nTE: trailers\r\nTrailer: x-sum\r\nTransfer-Encoding: chunked\r\n\r\n\
         0\r\nx-sum: 1\r\n\r\n",
    )
    .await;
    let plane = Plane::serving(&to_backend(backend.at)).await;
    let reply = get(plane.at(80), "a.example", "/").await;
    assert_eq!(reply.status, 200);
    let (te, trailer) = (reply.header("te"), reply.header("trailer"));
    assert_eq!((te, trailer), (None, Some("x-sum")));

    let backend = always("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n").await;
    let plane = Plane::serving(&to_backend(backend.at)).await;
    let reply = get(plane.at(80), "a.example", "/").await;
    assert_eq!((reply.status, reply.header("content-length")), (204, None));
}

#[tokio::test]
async fn an_http10_client_gets_what_http10_has() {
    for backend in [
        "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n\
         HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nonetwo",
    ] {
        let backend = always(backend).await;
        let plane = Plane::serving(&to_backend(backend.at)).await;
        let mut connection = Connection::open(plane.at(80)).await;
        let request = "GET / HTTP/1.0\r\nHost: a.example\r\nConnection: close\r\n\r\n";
        connection.send(request).await;
        let head = connection.head().await.unwrap();
        assert!(head.starts_with("http/1.1 200 "), "{head}");
        assert!(!head.contains("transfer-encoding"), "{head}");
        let mut body = String::new();
        (connection.0.read_to_string(&mut body).await).unwrap();
        assert_eq!(body, "onetwo");
    }
}

#[tokio::test]
async fn a_malformed_head_behind_another_request_is_refused_like_a_first() {
    let plane = echoing().await;
    let mut connection = Connection::open(plane.at(80)).await;
    let both = get_request("a.example", "/") + "bad\r\n\r\n";
    assert_eq!(connection.exchange(both).await.status, 200);
    let reply = connection.receive().await.unwrap();
    assert_eq!((reply.status, reply.body.as_str()), (400, "bad request\n"));
    assert_eq!(reply.header("server"), None);
    assert_eq!(reply.header("connection"), Some("close"));
    assert!(connection.is_closed().await);
}

#[tokio::test]
async fn forwarding_headers_are_appended_and_not_believed() {
    let plane = echoing().await;
    let request = "GET / HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: 1.2.3.4\r\n\
        X-Forwarded-For: 5.6.7.8\r\nX-Forwarded-Proto: https\r\n\r\n";
    let reply = Connection::open(plane.at(80)).await.exchange(request).await;
    assert_eq!(
        reply.seen("x-forwarded-for"),
        Some("1.2.3.4, 5.6.7.8, 127.0.0.1")
    );
    assert_eq!(reply.seen("x-forwarded-proto"), Some("http"));
}

#[tokio::test]
async fn requests_without_a_backend_are_answered_and_keep_the_connection() {
    let invalid = rule_to(BackendTarget::Invalid {
        reason: "no such Service".to_owned(),
    });
    let scene = to_backend(echo("a").await.at)
        .backend("empty", BackendProtocol::Http1, &[])
        .route("web", "a.example", "/empty", "empty")
        .route("web", "a.example", "/missing", "missing")
        .rule("web", "a.example", "/invalid", invalid);
    let plane = Plane::serving(&scene).await;
    let mut connection = Connection::open(plane.at(80)).await;
    for (host, path, expected) in [
        ("b.example", "/", 404),
        ("a.example", "/invalid", 500),
        ("a.example", "/empty", 503),
        ("a.example", "/missing", 503),
        ("a.example", "/", 200),
    ] {
        let reply = connection.exchange(get_request(host, path)).await;
        assert_eq!(reply.status, expected, "{host}{path}");
        assert_eq!(reply.header("connection"), Some("keep-alive"));
    }
}

#[tokio::test]
async fn an_early_answer_survives_an_unread_body() {
    let plane = echoing().await;
    let body = "x".repeat(200_000);
    let request =
        format!("POST / HTTP/1.1\r\nHost: b.example\r\nContent-Length: 200000\r\n\r\n{body}");
    let reply = Connection::open(plane.at(80)).await.exchange(request).await;
    assert_eq!(reply.status, 404);
    assert_eq!(reply.header("connection"), Some("close"));
}

#[tokio::test]
async fn answers_without_a_body_end_with_their_head() {
    let cases = [
        (
            "HEAD",
            "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
            200,
        ),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n", 204),
        (
            "GET",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n",
            304,
        ),
    ];
    for (method, answer, expected) in cases {
        let backend = always(answer).await;
        let plane = Plane::serving(&to_backend(backend.at)).await;
        let mut connection = Connection::open(plane.at(80)).await;
        for _ in 0..2 {
            connection
                .send(format!("{method} / HTTP/1.1\r\nHost: a.example\r\n\r\n"))
                .await;
            let head = connection.head().await.unwrap();
            assert!(head.starts_with(&format!("http/1.1 {expected} ")), "{head}");
        }
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let plane = echoing().await;
    let mut connection = Connection::open(plane.at(80)).await;
    let requests: String = (0..5)
        .map(|n| get_request("a.example", &format!("/{n}")))
        .collect();
    connection.send(requests).await;
    for n in 0..5 {
        let reply = connection.receive().await.unwrap();
        assert!(reply.body.starts_with(&format!("GET /{n} ")), "{reply:?}");
    }
}

#[tokio::test]
async fn a_head_in_pieces_is_a_head() {
    let plane = echoing().await;
    let mut connection = Connection::open(plane.at(80)).await;
    for byte in get_request("a.example", "/").as_bytes() {
        connection.send([*byte]).await;
    }
    assert_eq!(connection.receive().await.unwrap().status, 200);
    // As short as HTTP/1 gets; and it begins like the preface of HTTP/2.
    let mut connection = Connection::open(plane.at(80)).await;
    assert_eq!(
        connection.exchange("PRI / HTTP/1.0\r\n\r\n").await.status,
        404
    );
}

#[tokio::test]
async fn bodies_travel_both_ways_in_either_framing() {
    let plane = echoing().await;
    let mut connection = Connection::open(plane.at(80)).await;
    for (framing, body) in [
        ("Content-Length: 5", "hello"),
        (
            "Transfer-Encoding: chunked",
            "2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nt: v\r\n\r\n",
        ),
    ] {
        let request = format!("POST / HTTP/1.1\r\nHost: a.example\r\n{framing}\r\n\r\n{body}");
        let reply = connection.exchange(request).await;
        assert!(reply.body.ends_with("\n\nhello"), "{reply:?}");
    }
}
