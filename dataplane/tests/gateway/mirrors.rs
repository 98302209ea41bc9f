//! RequestMirror: what copies are like, and that no request waits for one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use portcullis_dataplane::Config;
use portcullis_dataplane::metrics::Metrics;
use portcullis_ir::filter::{Filter, Header, HeaderEdits, Mirror, PathRewrite, Rewrite, Share};
use portcullis_ir::{BackendProtocol, HttpRule};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, mpsc};

use crate::backend::{TestBackend, custom, echo, refusing};
use crate::client::{Connection, Reply};
use crate::snapshot::{Plane, Scene, backend_id, config, scene, to, with_filters};

/// What a mirror got.
#[derive(Debug)]
struct Copy {
    version: Version,
    target: String,
    fields: http::HeaderMap,
    body: Bytes,
}

/// A mirror that speaks HTTP/1.1 and h2c and tells of every request that is whole.
async fn telling() -> (TestBackend, mpsc::Receiver<Copy>) {
    let (tell, told) = mpsc::channel(1000);
    let backend = custom(move |stream, _| {
        let tell = tell.clone();
        async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let tell = tell.clone();
                async move {
                    let (parts, body) = request.into_parts();
                    let body = body.collect().await?.to_bytes();
                    let copy = Copy {
                        version: parts.version,
                        target: parts.uri.to_string(),
                        fields: parts.headers,
                        body,
                    };
                    tell.send(copy).await.unwrap();
                    Ok::<_, hyper::Error>(Response::new(Full::new(Bytes::from("ignored"))))
                }
            });
            let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        }
    })
    .await;
    (backend, told)
}

fn mirror(name: &str) -> Filter {
    Filter::Mirror(Mirror {
        backend: backend_id(name),
        share: Share::ALL,
    })
}

/// `a` serves, `b` and `c` are mirrors.
fn scene_of(
    serving: SocketAddr,
    mirrors: &[(&str, BackendProtocol, SocketAddr)],
    rule: HttpRule,
) -> Scene {
    let mut scene = scene()
        .http("web", 80, "")
        .backend("a", BackendProtocol::Http1, &[serving])
        .rule("web", "a.example", "/", rule);
    for (name, protocol, at) in mirrors {
        scene = scene.backend(name, *protocol, &[*at]);
    }
    scene
}

struct Counted {
    plane: Plane,
    metrics: Arc<Metrics>,
}

impl Counted {
    async fn serving(scene: &Scene) -> Self {
        let metrics = Metrics::new();
        let config = Config {
            workers: std::num::NonZeroUsize::MIN,
            metrics: Arc::clone(&metrics),
            ..config()
        };
        let plane = Plane::start(scene, config).await;
        Self { plane, metrics }
    }

    async fn ask(&self, head: &str, body: &str) -> Reply {
        let mut connection = Connection::open(self.plane.at(80)).await;
        let request = format!("{head} HTTP/1.1\r\nHost: a.example\r\n{body}");
        connection.exchange(request).await
    }

    /// Waits until so many copies were lost in this way.
    async fn lost(&self, reason: &str, count: usize) {
        let line = format!("reason=\"{reason}\"}} {count}");
        self.shows("portcullis_mirrored_requests_lost_total{", &line)
            .await;
    }

    async fn mirrored(&self, count: usize) {
        self.shows(
            "portcullis_mirrored_requests_total{",
            &format!("}} {count}"),
        )
        .await;
    }

    async fn shows(&self, family: &str, end: &str) {
        loop {
            let text = self.metrics.exposition();
            let mut lines = text.lines().filter(|line| line.starts_with(family));
            if lines.any(|line| line.ends_with(end)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

const GET: &str = "\r\n";

#[tokio::test]
async fn every_mirror_gets_the_request_and_the_client_one_answer() {
    let serving = echo("a").await;
    let (b, mut at_b) = telling().await;
    let (c, mut at_c) = telling().await;
    let mirrors = [
        ("b", BackendProtocol::Http1, b.at),
        ("c", BackendProtocol::H2c, c.at),
    ];
    let rule = with_filters(to("a"), vec![mirror("b"), mirror("c")]);
    let counted = Counted::serving(&scene_of(serving.at, &mirrors, rule)).await;
    let bodies = [
        (GET, ""),
        ("Content-Length: 5\r\n\r\nhello", "hello"),
        (
            "Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n",
            "onetwo",
        ),
    ];
    for (number, (body, text)) in bodies.into_iter().enumerate() {
        let reply = counted.ask("POST /path?q=1", body).await;
        assert_eq!(reply.header("backend"), Some("a"), "{reply:?}");
        assert!(reply.body.ends_with(text));
        for (copies, version) in [(&mut at_b, Version::HTTP_11), (&mut at_c, Version::HTTP_2)] {
            let copy = copies.recv().await.unwrap();
            assert_eq!((copy.version, &copy.body[..]), (version, text.as_bytes()));
            assert!(copy.target.ends_with("/path?q=1"), "{copy:?}");
            assert_eq!(copy.fields["x-forwarded-for"], "127.0.0.1");
            let host = copy
                .fields
                .get("host")
                .map_or("", |host| host.to_str().unwrap());
            let authority = copy.target.strip_prefix("http://").unwrap_or(host);
            assert!(authority.starts_with("a.example"), "{copy:?}");
        }
        counted.mirrored(2 * (number + 1)).await;
    }
    assert_eq!((b.connections(), c.connections()), (1, 1));
}

#[tokio::test]
async fn a_copy_is_made_after_the_filters_before_its_mirror() {
    let serving = echo("a").await;
    let (b, mut at_b) = telling().await;
    let edit = |name: &str| {
        Filter::RequestHeaders(HeaderEdits {
            set: vec![Header {
                name: name.parse().unwrap(),
                value: "yes".parse().unwrap(),
            }],
            ..HeaderEdits::default()
        })
    };
    let rewrite = Filter::Rewrite(Rewrite {
        hostname: Some("b.example".parse().unwrap()),
        path: Some(PathRewrite::Prefix("/new".to_owned())),
    });
    let mirrors = [("b", BackendProtocol::Http1, b.at)];
    let cases = [
        (
            vec![
                rewrite.clone(),
                edit("x-before"),
                mirror("b"),
                edit("x-after"),
            ],
            "/new/path",
            "b.example",
        ),
        (
            vec![edit("x-before"), mirror("b"), rewrite, edit("x-after")],
            "/path",
            "a.example",
        ),
    ];
    for (filters, target, host) in cases {
        let scene = scene_of(serving.at, &mirrors, with_filters(to("a"), filters));
        let counted = Counted::serving(&scene).await;
        let reply = counted.ask("GET /path", GET).await;
        assert!(reply.body.starts_with("GET /new/path"), "{}", reply.body);
        assert_eq!(reply.seen("x-before"), reply.seen("x-after"));
        let copy = at_b.recv().await.unwrap();
        assert_eq!(copy.target, target);
        assert_eq!(copy.fields["host"], host);
        assert!(copy.fields.contains_key("x-before") && !copy.fields.contains_key("x-after"));
    }
}

#[tokio::test]
async fn a_mirror_that_cannot_be_reached_is_no_matter_to_the_client() {
    let serving = echo("a").await;
    let closing = custom(|stream, _| async move { drop(stream) }).await;
    let cases = [(refusing().await, "connect_failed"), (closing.at, "failed")];
    for (at, reason) in cases {
        let mirrors = [("b", BackendProtocol::Http1, at)];
        let rule = with_filters(to("a"), vec![mirror("b")]);
        let counted = Counted::serving(&scene_of(serving.at, &mirrors, rule)).await;
        assert_eq!(counted.ask("GET /", GET).await.status, 200);
        counted.lost(reason, 1).await;
    }
    let rule = with_filters(to("a"), vec![mirror("b")]);
    let counted = Counted::serving(&scene_of(serving.at, &[], rule)).await;
    assert_eq!(counted.ask("GET /", GET).await.status, 200);
    counted.lost("no_endpoints", 1).await;
}

/// Reads nothing for as long as it lives.
async fn deaf() -> TestBackend {
    custom(|stream, _| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await
}

#[tokio::test]
async fn a_mirror_that_reads_nothing_holds_up_neither_bodies_nor_answers() {
    let serving = echo("a").await;
    let deaf = deaf().await;
    let mirrors = [("b", BackendProtocol::Http1, deaf.at)];
    let rule = with_filters(to("a"), vec![mirror("b")]);
    let counted = Counted::serving(&scene_of(serving.at, &mirrors, rule)).await;
    let size = 16 * 1024 * 1024;
    let body = format!("Content-Length: {size}\r\n\r\n{}", "x".repeat(size));
    let reply = counted.ask("POST /", &body).await;
    assert_eq!((reply.status, reply.body.ends_with("xxx")), (200, true));
    counted.lost("slow", 1).await;
}

#[tokio::test]
async fn more_copies_than_there_is_room_for_are_not_made() {
    let serving = echo("a").await;
    let deaf = deaf().await;
    let mirrors = [("b", BackendProtocol::Http1, deaf.at)];
    let rule = with_filters(to("a"), vec![mirror("b")]);
    let counted = Counted::serving(&scene_of(serving.at, &mirrors, rule)).await;
    let mut connection = Connection::open(counted.plane.at(80)).await;
    for _ in 0..257 {
        let reply = connection
            .exchange("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
            .await;
        assert_eq!(reply.status, 200);
    }
    counted.lost("too_many", 1).await;
}

#[tokio::test]
async fn a_body_that_is_cut_short_reaches_no_mirror_whole() {
    let serving = echo("a").await;
    let (b, mut at_b) = telling().await;
    let mirrors = [("b", BackendProtocol::Http1, b.at)];
    let rule = with_filters(to("a"), vec![mirror("b")]);
    let counted = Counted::serving(&scene_of(serving.at, &mirrors, rule)).await;
    let mut connection = Connection::open(counted.plane.at(80)).await;
    connection
        .send("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 9\r\n\r\nhalf")
        .await;
    drop(connection);
    counted.lost("cut_short", 1).await;
    assert!(at_b.try_recv().is_err());
}

/// The first attempt meets a connection that dies after the request, so that there is another.
#[tokio::test]
async fn a_request_that_is_tried_again_is_copied_once() {
    let dying = custom(|mut stream, number| async move {
        let mut request = [0; 1024];
        let _ = stream.read(&mut request).await;
        if number == 0 {
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                .await;
            let _ = stream.read(&mut request).await;
            return;
        }
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .await;
    })
    .await;
    let (b, mut at_b) = telling().await;
    let mirrors = [("b", BackendProtocol::Http1, b.at)];
    let rule = with_filters(to("a"), vec![mirror("b")]);
    let counted = Counted::serving(&scene_of(dying.at, &mirrors, rule)).await;
    for body in ["one", "two"] {
        let request = format!("Content-Length: 3\r\n\r\n{body}");
        assert_eq!(counted.ask("PUT /", &request).await.status, 200);
        assert_eq!(at_b.recv().await.unwrap().body, body);
    }
    counted.mirrored(2).await;
    assert_eq!(dying.connections(), 2);
    assert!(at_b.try_recv().is_err());
}

#[tokio::test]
async fn an_upgrade_is_not_copied() {
    let serving = echo("a").await;
    let (b, _at_b) = telling().await;
    let mirrors = [("b", BackendProtocol::Http1, b.at)];
    let rule = with_filters(to("a"), vec![mirror("b")]);
    let counted = Counted::serving(&scene_of(serving.at, &mirrors, rule)).await;
    let upgrade = "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    assert_eq!(counted.ask("GET /", upgrade).await.status, 200);
    counted.lost("upgrade", 1).await;
    assert_eq!(b.connections(), 0);
}

/// The client gets the answer's end although its copy is still waited for.
#[tokio::test]
async fn an_answer_does_not_wait_for_the_copy() {
    let go = Arc::new(Notify::new());
    let wait = Arc::clone(&go);
    let slow = custom(move |mut stream, _| {
        let wait = Arc::clone(&wait);
        async move {
            wait.notified().await;
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                .await;
        }
    })
    .await;
    let serving = echo("a").await;
    let mirrors = [("b", BackendProtocol::Http1, slow.at)];
    let rule = with_filters(to("a"), vec![mirror("b")]);
    let counted = Counted::serving(&scene_of(serving.at, &mirrors, rule)).await;
    assert_eq!(counted.ask("GET /", GET).await.status, 200);
    go.notify_one();
    counted.mirrored(1).await;
}

/// Seven standard deviations of a binomial count are missed once in 10^11 runs.
#[tokio::test]
async fn a_share_of_requests_is_copied() {
    const REQUESTS: u32 = 400;
    let serving = echo("a").await;
    let (b, _at_b) = telling().await;
    let mirrors = [("b", BackendProtocol::Http1, b.at)];
    let part = Filter::Mirror(Mirror {
        backend: backend_id("b"),
        share: Share::new(25, 50).unwrap(),
    });
    let none = Filter::Mirror(Mirror {
        backend: backend_id("b"),
        share: Share::new(0, 100).unwrap(),
    });
    let rule = with_filters(to("a"), vec![none, part, mirror("c")]);
    let counted = Counted::serving(&scene_of(serving.at, &mirrors, rule)).await;
    let mut connection = Connection::open(counted.plane.at(80)).await;
    for _ in 0..REQUESTS {
        connection
            .exchange("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
            .await;
    }
    // The mirror without endpoints tells when all copies were begun.
    counted.lost("no_endpoints", 400).await;
    let text = counted.metrics.exposition();
    let line = text
        .lines()
        .find(|line| line.starts_with("portcullis_mirrored_requests_total{"));
    let count: f64 = line.unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    let (expected, deviation) = (
        f64::from(REQUESTS) / 2.0,
        (f64::from(REQUESTS) / 4.0).sqrt(),
    );
    assert!((count - expected).abs() < 7.0 * deviation + 10.0, "{count}");
}
