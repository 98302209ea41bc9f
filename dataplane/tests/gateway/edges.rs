//! The edges of HTTP that the upstream suite does not look at.

use std::sync::Arc;

use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use portcullis_ir::backend::{BackendTarget, WeightedBackend};
use portcullis_ir::filter::{Filter, PathRewrite, Rewrite};
use portcullis_ir::matcher::{HeaderMatcher, HeaderValueMatcher, HttpMatch, PathMatcher};
use portcullis_ir::{BackendProtocol, RouteId};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::backend::{custom, echo, read_head};
use crate::certs::{Client, ca, client};
use crate::client::{Connection, get};
use crate::http2::http2;
use crate::snapshot::{Plane, Scene, backend_id, scene, to, with_filters};

/// One backend for each name, and a listener on port 80.
async fn with_backends(names: &[&'static str]) -> Scene {
    let mut scene = scene().http("web", 80, "");
    for name in names {
        scene = scene.backend(name, BackendProtocol::Http1, &[echo(name).await.at]);
    }
    scene
}

impl Scene {
    /// The last route, matching otherwise than by a prefix.
    fn matching(mut self, change: impl Fn(&mut HttpMatch)) -> Self {
        let id = self.0.http_routes.len() - 1;
        let id = RouteId::new(format!("HTTPRoute/default/route-{id}"));
        let route = self.0.http_routes.get_mut(&id).unwrap();
        let rules = &mut Arc::make_mut(route).rules;
        for rule in rules {
            rule.matches.iter_mut().for_each(&change);
        }
        self
    }
}

#[tokio::test]
async fn a_regular_expression_matches_the_whole_path_as_it_came() {
    let pattern = r"/v[0-9]+/(users|groups)/[^/]*\.json";
    let scene = with_backends(&["api", "rest"])
        .await
        .route("web", "", "/", "api")
        .matching(|it| it.path = PathMatcher::Regex(pattern.to_owned()))
        .route("web", "", "/", "rest");
    let plane = Plane::serving(&scene).await;
    for (path, backend) in [
        ("/v1/users/a.json", "api"),
        ("/v22/groups/.json?x=/", "api"),
        ("/v1/users/a%2Fb.json", "api"),
        ("/v1/users/a.json/", "rest"),
        ("/x/v1/users/a.json", "rest"),
        ("/v1/users/a/b.json", "rest"),
        ("/v1/users/ajson", "rest"),
        ("/V1/users/a.json", "rest"),
    ] {
        let reply = get(plane.at(80), "a", path).await;
        assert_eq!(reply.header("backend"), Some(backend), "{path}");
    }
}

#[tokio::test]
async fn a_prefix_ends_where_a_segment_ends() {
    let scene = with_backends(&["abc", "exact", "rest"])
        .await
        .route("web", "", "/abc", "abc")
        .route("web", "", "/abc/def", "exact")
        .matching(|it| it.path = PathMatcher::Exact("/abc/def".to_owned()))
        .route("web", "", "/", "rest");
    let plane = Plane::serving(&scene).await;
    for (path, backend) in [
        ("/abc", "abc"),
        ("/abc/", "abc"),
        ("/abc?x", "abc"),
        ("/abc//x", "abc"),
        ("/abc/def", "exact"),
        ("/abc/def/", "abc"),
        ("/abcd", "rest"),
        ("/ABC", "rest"),
        ("//abc", "rest"),
        ("/%61bc", "rest"),
        ("/abc%2Fx", "rest"),
        ("/ab", "rest"),
    ] {
        let reply = get(plane.at(80), "a", path).await;
        assert_eq!(reply.header("backend"), Some(backend), "{path}");
        let forwarded = format!("GET {path} HTTP/1.1\n");
        assert!(reply.body.starts_with(&forwarded), "{path}: {reply:?}");
    }
}

#[tokio::test]
async fn a_path_that_climbs_is_refused_by_every_rule() {
    let scene = with_backends(&["public", "rest"])
        .await
        .route("web", "", "/public", "public")
        .route("web", "", "/", "rest");
    let plane = Plane::serving(&scene).await;
    for path in [
        "/public/../private",
        "/public/%2e%2e/private",
        "/public/..%2fprivate",
        "/public/..;/private",
        "/public/..",
        "/./",
    ] {
        let mut connection = Connection::open(plane.at(80)).await;
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(connection.exchange(request).await.status, 400, "{path}");
        let stream = TcpStream::connect(plane.at(80)).await.unwrap();
        let (mut sender, _connection) = http2(stream).await;
        let request = Request::get(format!("http://a{path}")).body(String::new().into());
        let answer = sender.send_request(request.unwrap()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{path}");
    }
    for path in ["/public/..a", "/.well-known/x", "/a?b=/../c"] {
        assert_eq!(get(plane.at(80), "a", path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn replacements_are_text_and_not_patterns() {
    let rewritten = |path| {
        let rewrite = Rewrite {
            hostname: None,
            path: Some(path),
        };
        with_filters(to("a"), vec![Filter::Rewrite(rewrite)])
    };
    let scene = with_backends(&["a"])
        .await
        .rule(
            "web",
            "",
            "/p",
            rewritten(PathRewrite::Prefix("/$1/$0.*(x)+".to_owned())),
        )
        .rule(
            "web",
            "",
            "/f",
            rewritten(PathRewrite::Full("/$&/$$/(a|b)".to_owned())),
        );
    let plane = Plane::serving(&scene).await;
    for (path, forwarded) in [
        ("/p/$2/y?z=$3", "/$1/$0.*(x)+/$2/y?z=$3"),
        ("/f/anything?q", "/$&/$$/(a%7Cb)?q"),
    ] {
        let reply = get(plane.at(80), "a", path).await;
        let forwarded = format!("GET {forwarded} HTTP/1.1\n");
        assert!(reply.body.starts_with(&forwarded), "{path}: {reply:?}");
    }
}

#[tokio::test]
async fn header_names_match_in_any_case_and_values_only_in_theirs() {
    let scene = with_backends(&["blue", "rest"])
        .await
        .route("web", "", "/", "blue")
        .matching(|it| {
            it.headers = vec![HeaderMatcher {
                name: http::HeaderName::from_static("x-color"),
                value: HeaderValueMatcher::Exact(http::HeaderValue::from_static("Blue")),
            }];
        })
        .route("web", "", "/", "rest");
    let plane = Plane::serving(&scene).await;
    for (field, backend) in [
        ("X-Color: Blue", "blue"),
        ("x-color: Blue", "blue"),
        ("X-COLOR:Blue  ", "blue"),
        ("X-Color: blue", "rest"),
        ("X-Colors: Blue", "rest"),
    ] {
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n");
        let reply = Connection::open(plane.at(80)).await.exchange(request).await;
        assert_eq!(reply.header("backend"), Some(backend), "{field}");
    }
}

#[tokio::test]
async fn repeated_fields_and_the_query_keep_their_order() {
    let backend = custom(|mut stream, _| async move {
        let head = read_head(&mut stream).await;
        let answer = format!(
            "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: {}\r\n\r\n{head}",
            head.len()
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
    })
    .await;
    let scene = scene()
        .http("web", 80, "")
        .backend("a", BackendProtocol::Http1, &[backend.at])
        .route("web", "", "/", "a");
    let plane = Plane::serving(&scene).await;
    let request = "GET /?b=2&a=1&b=1&&c&=&a=%20+ HTTP/1.1\r\nHost: a\r\n\
        X-List: one\r\nX-Other: x\r\nx-list: two, three\r\nX-LIST: one\r\n\r\n";
    let reply = Connection::open(plane.at(80)).await.exchange(request).await;
    let seen = reply.body.to_lowercase().replace('\r', "");
    assert!(
        seen.starts_with("get /?b=2&a=1&b=1&&c&=&a=%20+ http/1.1\n"),
        "{seen}"
    );
    let list = seen
        .lines()
        .filter_map(|line| line.strip_prefix("x-list: "));
    assert_eq!(list.collect::<Vec<_>>(), ["one", "two, three", "one"]);
    let cookies = reply
        .head
        .lines()
        .filter(|line| line.starts_with("set-cookie"));
    assert_eq!(
        cookies.collect::<Vec<_>>(),
        ["set-cookie: a=1", "set-cookie: b=2"]
    );
}

#[tokio::test]
async fn the_share_of_an_invalid_backend_is_answered_500() {
    let mut rule = to("a");
    rule.backends = vec![
        WeightedBackend {
            weight: 3,
            target: BackendTarget::Backend(backend_id("a")),
            filters: Vec::new(),
        },
        WeightedBackend {
            weight: 1,
            target: BackendTarget::Invalid {
                reason: "no such Service".to_owned(),
            },
            filters: Vec::new(),
        },
    ];
    let scene = with_backends(&["a"]).await.rule("web", "", "/", rule);
    let plane = Plane::serving(&scene).await;
    let mut refused = 0;
    for _ in 0..40 {
        match get(plane.at(80), "a", "/").await.status {
            200 => {}
            500 => refused += 1,
            status => panic!("{status}"),
        }
    }
    assert_eq!(refused, 10);
}

/// Answers 413 to the head alone, and reads nothing more.
async fn answering_early() -> std::net::SocketAddr {
    let backend = custom(|mut stream, _| async move {
        read_head(&mut stream).await;
        let answer = b"HTTP/1.1 413 Payload Too Large\r\nContent-Length: 3\r\n\
            Connection: close\r\n\r\nno!";
        stream.write_all(answer).await.unwrap();
        // Until the gateway gives up sending.
        let _ = stream.shutdown().await;
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    });
    backend.await.at
}

#[tokio::test]
async fn an_answer_before_the_body_is_read_reaches_the_client() {
    let scene = scene()
        .http("web", 80, "")
        .backend("early", BackendProtocol::Http1, &[answering_early().await])
        .route("web", "", "/", "early");
    let plane = Plane::serving(&scene).await;
    let mut connection = Connection::open(plane.at(80)).await;
    // Nothing of the body is sent before the answer is there.
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n";
    let reply = connection.exchange(head).await;
    assert_eq!((reply.status, reply.body.as_str()), (413, "no!"));

    let stream = TcpStream::connect(plane.at(80)).await.unwrap();
    let io = TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
        .await
        .unwrap();
    tokio::spawn(connection);
    let never = futures_util::stream::pending::<Result<Frame<Bytes>, std::io::Error>>();
    let request = Request::post("http://a/")
        .body(StreamBody::new(never))
        .unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(
        answer.into_body().collect().await.unwrap().to_bytes(),
        "no!"
    );
}

#[tokio::test]
async fn trailers_of_a_request_do_no_harm_to_its_body() {
    let backend = custom(|stream, _| async move {
        let service = service_fn(|request: Request<hyper::body::Incoming>| async move {
            let body = request.into_body().collect().await?.to_bytes();
            Ok::<_, hyper::Error>(Response::new(http_body_util::Full::new(body)))
        });
        let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
        let _ = server.serve_connection(TokioIo::new(stream), service).await;
    })
    .await;
    for protocol in [BackendProtocol::Http1, BackendProtocol::H2c] {
        let scene = scene()
            .http("web", 80, "")
            .backend("a", protocol, &[backend.at])
            .route("web", "", "/", "a");
        let plane = Plane::serving(&scene).await;
        let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\
            Trailer: X-Sum\r\n\r\n4\r\nbody\r\n0\r\nX-Sum: 1\r\n\r\n";
        let reply = Connection::open(plane.at(80)).await.exchange(chunked).await;
        assert_eq!(
            (reply.status, reply.body.as_str()),
            (200, "body"),
            "{protocol:?}"
        );

        let stream = TcpStream::connect(plane.at(80)).await.unwrap();
        let io = TokioIo::new(stream);
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
                .await
                .unwrap();
        tokio::spawn(connection);
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", "1".parse().unwrap());
        let frames = [
            Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(b"body"))),
            Ok(Frame::trailers(trailers)),
        ];
        let body = StreamBody::new(futures_util::stream::iter(frames));
        let request = Request::post("http://a/").body(body).unwrap();
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{protocol:?}");
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "body", "{protocol:?}");
    }
}

/// A listener offers `h2` first. Clients for whom an upgrade is the only way to a WebSocket offer
/// `http/1.1` alone, as browsers do; others, who offer both, get HTTP/2 for their requests.
#[tokio::test]
async fn a_websocket_over_tls_upgrades_beside_http2_on_the_same_listener() {
    let backend = custom(|mut stream, _| async move {
        let head = read_head(&mut stream).await.to_lowercase();
        let answer = if head.contains("upgrade: websocket") {
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: x\r\n\r\n"
        } else {
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        };
        stream.write_all(answer.as_bytes()).await.unwrap();
        let (mut reading, mut writing) = stream.split();
        let _ = tokio::io::copy(&mut reading, &mut writing).await;
    })
    .await;
    let ca = ca("one");
    let scene = scene()
        .https("web", 443, "", &["a"])
        .certificate("a", ca.certificate(&["a.example"]))
        .backend("a", BackendProtocol::Http1, &[backend.at])
        .route("web", "", "/", "a");
    let plane = Plane::serving(&scene).await;
    let connect = async |alpn: &'static [&'static str]| {
        let config = Client {
            alpn,
            ..client(&ca)
        };
        let stream = TcpStream::connect(plane.at(443)).await.unwrap();
        let name = ServerName::try_from("a.example").unwrap();
        let connector = tokio_rustls::TlsConnector::from(config.config());
        connector.connect(name, stream).await.unwrap()
    };
    let both = connect(&["h2", "http/1.1"]).await;
    assert_eq!(both.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, _connection) = http2(both).await;
    let request = Request::get("https://a.example/").body(String::new().into());
    let answer = sender.send_request(request.unwrap()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);

    for alpn in [&["http/1.1"][..], &[]] {
        let mut tunnel = Connection::over(connect(alpn).await);
        let upgrade = "GET / HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\n\
            Connection: Upgrade\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n";
        tunnel.send(upgrade).await;
        let head = tunnel.head().await.unwrap();
        assert!(head.starts_with("http/1.1 101 "), "{head}");
        for message in ["one", "two"] {
            tunnel.send(message).await;
            let mut echoed = [0; 3];
            tunnel.0.read_exact(&mut echoed).await.unwrap();
            assert_eq!(echoed, message.as_bytes());
        }
    }
}

#[tokio::test]
async fn trailers_of_an_answer_reach_a_client_over_http11() {
    let backend = crate::backend::always(
        "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n\
         3\r\none\r\n0\r\nX-Sum: 1\r\n\r\n",
    )
    .await;
    let scene = scene()
        .http("web", 80, "")
        .backend("a", BackendProtocol::Http1, &[backend.at])
        .route("web", "", "/", "a");
    let plane = Plane::serving(&scene).await;
    let mut client = Connection::open(plane.at(80)).await;
    let request = "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE, close\r\n\r\n";
    client.send(request).await;
    let mut answer = String::new();
    (client.0.read_to_string(&mut answer).await).unwrap();
    let end = answer.to_lowercase();
    assert!(
        end.ends_with("3\r\none\r\n0\r\nx-sum: 1\r\n\r\n"),
        "{answer}"
    );
}

#[tokio::test]
async fn interim_answers_reach_a_client_over_http2() {
    let backend = crate::backend::always(
        "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    )
    .await;
    let scene = scene()
        .http("web", 80, "")
        .backend("a", BackendProtocol::Http1, &[backend.at])
        .route("web", "", "/", "a");
    let plane = Plane::serving(&scene).await;
    let stream = TcpStream::connect(plane.at(80)).await.unwrap();
    let (mut sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("http://a/").body(()).unwrap();
    let (mut response, _) = sender.send_request(request, true).unwrap();
    let interim = std::future::poll_fn(|cx| response.poll_informational(cx)).await;
    let interim = interim.unwrap().unwrap();
    assert_eq!(interim.status().as_u16(), 103);
    assert_eq!(interim.headers()["link"], "</x>");
    assert_eq!(response.await.unwrap().status(), StatusCode::OK);
}
