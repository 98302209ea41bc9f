//! Request heads that HTTP allows to be written and not to be forwarded as they are.

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, StatusCode, Uri};
use portcullis_ir::BackendProtocol;
use tokio::net::TcpStream;

use crate::backend::echo;
use crate::client::Connection;
use crate::http2::http2;
use crate::snapshot::{Plane, scene};

async fn echoing() -> Plane {
    let scene = scene()
        .http("web", 80, "")
        .backend("a", BackendProtocol::Http1, &[echo("a").await.at])
        .route("web", "", "/", "a");
    Plane::serving(&scene).await
}

fn post() -> http::request::Builder {
    Request::post("http://a.example/")
}

async fn over_http2(plane: &Plane, request: Request<Full<Bytes>>) -> (StatusCode, String) {
    let stream = TcpStream::connect(plane.at(80)).await.unwrap();
    let (mut sender, _connection) = http2(stream).await;
    let reply = sender.send_request(request).await.unwrap();
    let status = reply.status();
    let body = reply.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn bodies_without_one_clear_length_are_refused() {
    let plane = echoing().await;
    let cases = [
        ("Content-Length: 4, 4", 400),
        ("Content-Length: 4\r\nContent-Length: 4", 400),
        ("Transfer-Encoding: gzip, chunked", 501),
        ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", 501),
        ("Transfer-Encoding: identity,chunked", 501),
        ("Transfer-Encoding: chunked,chunked", 400),
    ];
    for (framing, expected) in cases {
        let mut connection = Connection::open(plane.at(80)).await;
        let request = format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n");
        let reply = connection.exchange(request).await;
        assert_eq!(reply.status, expected, "{framing}: {reply:?}");
        assert_eq!(reply.header("connection"), Some("close"), "{framing}");
        assert_eq!(reply.header("server"), None, "{framing}");
        assert!(connection.is_closed().await, "{framing}");
    }
    let repeated = post()
        .header("content-length", "4")
        .header("content-length", "4");
    let repeated = repeated.body(Full::from("four")).unwrap();
    let (status, body) = over_http2(&plane, repeated).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
}

#[tokio::test]
async fn a_host_is_a_name_and_perhaps_a_number() {
    let plane = echoing().await;
    for (host, expected) in [
        ("a.example:80", 200),
        ("a.example:", 200),
        ("[::1]:80", 200),
        ("a.example:foo", 400),
        ("a.example:80:90", 400),
        ("a.example:80foo", 400),
        ("[::1", 400),
    ] {
        let mut connection = Connection::open(plane.at(80)).await;
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let reply = connection.exchange(request).await;
        assert_eq!(reply.status, expected, "{host}: {reply:?}");
    }
}

#[tokio::test]
async fn the_server_as_a_whole_is_a_target_of_options_alone() {
    let plane = echoing().await;
    for (method, expected) in [("GET", 400), ("POST", 400), ("OPTIONS", 200)] {
        let mut connection = Connection::open(plane.at(80)).await;
        let request = format!("{method} * HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
        let reply = connection.exchange(request).await;
        assert_eq!(reply.status, expected, "{method}: {reply:?}");
        if expected == 200 {
            assert!(reply.body.starts_with("OPTIONS * HTTP/1.1\n"), "{reply:?}");
        }
    }
    let mut target = Uri::from_static("http://a.example/").into_parts();
    target.path_and_query = Some("*".parse().unwrap());
    let request = Request::get(Uri::from_parts(target).unwrap());
    let (status, body) = over_http2(&plane, request.body(Full::default()).unwrap()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
}

#[tokio::test]
async fn cookies_that_http2_took_apart_are_put_together() {
    let plane = echoing().await;
    // More than there may be other headers.
    let many = (0..120).fold(post(), |request, n| {
        request.header("cookie", format!("c{n}=1"))
    });
    let (status, body) = over_http2(&plane, many.body(Full::default()).unwrap()).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let cookies: Vec<_> = (body.lines())
        .filter_map(|line| line.strip_prefix("cookie: "))
        .collect();
    let expected: Vec<_> = (0..120).map(|n| format!("c{n}=1")).collect();
    assert_eq!(cookies, [expected.join("; ")]);
}
