//! Backends that go away, orderly or not: no request is lost that can be sent to another.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use portcullis_dataplane::Config;
use portcullis_ir::BackendProtocol;
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::backend::{TestBackend, custom, describe, echo, read_head, refusing};
use crate::client::{Connection, get, get_request};
use crate::failing::{Client, PAIRS, serving};
use crate::snapshot::{Plane, config, scene, to};

/// An endpoint that answers nothing at all, as one whose host has vanished: its queue is full.
struct Silent {
    at: SocketAddr,
    _held: [Socket; 2],
}

impl Silent {
    fn new() -> Self {
        let socket = || Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let listener = socket();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        listener.bind(&any.into()).unwrap();
        listener.listen(0).unwrap();
        let at = listener.local_addr().unwrap().as_socket().unwrap();
        let first = socket();
        first.connect(&at.into()).unwrap();
        Self {
            at,
            _held: [listener, first],
        }
    }
}

#[tokio::test]
async fn endpoints_that_answer_nothing_cost_no_request_its_answer() {
    let silent = [Silent::new(), Silent::new(), Silent::new()];
    for (client, protocol) in PAIRS {
        let good = echo("good").await;
        let endpoints = [silent[0].at, silent[1].at, silent[2].at, good.at];
        let plane = Plane::serving(&serving(protocol, &endpoints, to("a"))).await;
        for method in ["GET", "POST", "POST", "POST"] {
            let (status, _) = client.send(plane.at(80), method, "body").await;
            assert_eq!(status, 200, "{client:?} {protocol:?} {method}");
        }
    }
}

#[tokio::test]
async fn a_connection_is_forwarded_past_endpoints_that_answer_nothing() {
    let silent = [Silent::new(), Silent::new(), Silent::new()];
    let good = custom(|mut stream, _| async move {
        let _ = stream.write_all(b"hello").await;
    })
    .await;
    let endpoints = [silent[0].at, silent[1].at, silent[2].at, good.at];
    let scene = scene()
        .tcp("tcp", 5000)
        .backend("a", BackendProtocol::Opaque, &endpoints)
        .forward("tcp", "", "a");
    let plane = Plane::serving(&scene).await;
    for _ in 0..4 {
        let mut stream = TcpStream::connect(plane.at(5000)).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "hello");
    }
}

#[tokio::test]
async fn endpoints_that_refuse_are_passed_over_until_one_does_not() {
    let good = echo("good").await;
    let mut endpoints = vec![good.at];
    for _ in 0..4 {
        endpoints.push(refusing().await);
    }
    for (client, protocol) in PAIRS {
        let plane = Plane::serving(&serving(protocol, &endpoints, to("a"))).await;
        for _ in 0..5 {
            let (status, _) = client.send(plane.at(80), "POST", "body").await;
            assert_eq!(status, 200, "{client:?} {protocol:?}");
        }
    }
}

#[tokio::test]
async fn an_endpoint_that_listens_again_is_asked_again() {
    let (good, bad) = (echo("good").await, refusing().await);
    let scene = serving(BackendProtocol::Http1, &[good.at, bad], to("a"));
    let plane = Plane::serving(&scene).await;
    for _ in 0..4 {
        assert_eq!(get(plane.at(80), "a.example", "/").await.status, 200);
    }
    let reborn = Mortal::at(TcpListener::bind(bad).await.unwrap());
    let mut connection = Connection::open(plane.at(80)).await;
    loop {
        let reply = connection.exchange(get_request("a.example", "/")).await;
        assert_eq!(reply.status, 200);
        if reply.header("backend") == Some("mortal") {
            break;
        }
    }
    drop(reborn);
}

/// Ends its connections after the head of a request, the first `many` of them.
async fn ending(many: usize) -> TestBackend {
    custom(move |mut stream, number| async move {
        read_head(&mut stream).await;
        if number >= many {
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
            let _ = stream.write_all(answer).await;
        }
    })
    .await
}

#[tokio::test]
async fn a_request_that_may_be_sent_twice_is_where_its_connection_ended_unanswered() {
    for (method, status) in [
        ("GET", 200),
        ("HEAD", 200),
        ("OPTIONS", 200),
        ("PUT", 200),
        ("DELETE", 200),
        ("POST", 502),
        ("PATCH", 502),
    ] {
        let backend = ending(1).await;
        let scene = serving(BackendProtocol::Http1, &[backend.at], to("a"));
        let plane = Plane::serving(&scene).await;
        let mut connection = Connection::open(plane.at(80)).await;
        let request =
            format!("{method} / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n");
        connection.send(request).await;
        let head = connection.head().await.unwrap();
        assert!(
            head.starts_with(&format!("http/1.1 {status} ")),
            "{method}: {head}"
        );
    }
    let backend = ending(3).await;
    let scene = serving(BackendProtocol::Http1, &[backend.at], to("a"));
    let plane = Plane::serving(&scene).await;
    assert_eq!(get(plane.at(80), "a.example", "/").await.status, 502);
    assert_eq!(backend.connections(), 3, "not for ever");
}

#[tokio::test]
async fn an_endpoint_by_a_name_with_several_addresses_is_reached_at_the_one_that_answers() {
    // `localhost` is ::1 as well, in most places.
    let backend = echo("a").await;
    let endpoint = portcullis_ir::Endpoint {
        host: portcullis_ir::EndpointHost::Dns("localhost".into()),
        port: backend.at.port(),
    };
    let named = portcullis_ir::Backend {
        protocol: BackendProtocol::Http1,
        tls: None,
        endpoints: vec![endpoint],
    };
    let mut scene = serving(BackendProtocol::Http1, &[], to("a"));
    let id = crate::snapshot::backend_id("a");
    scene.0.backends.insert(id, Arc::new(named));
    let plane = Plane::serving(&scene).await;
    for _ in 0..8 {
        let (status, _) = Client::Http1.send(plane.at(80), "POST", "").await;
        assert_eq!(status, 200);
    }
}

#[tokio::test]
async fn idle_connections_to_what_is_no_endpoint_any_more_are_closed() {
    let new = echo("new").await;
    let with = |at| serving(BackendProtocol::Http1, &[at], to("a"));
    let (told, was_told) = tokio::sync::oneshot::channel();
    let told = Arc::new(parking_lot::Mutex::new(Some(told)));
    let watched = custom(move |mut stream, _| {
        let told = Arc::clone(&told);
        async move {
            while !read_head(&mut stream).await.is_empty() {
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                stream.write_all(answer).await.unwrap();
            }
            let _ = told.lock().take().map(|told| told.send(()));
        }
    })
    .await;
    let mut plane = Plane::serving(&with(watched.at)).await;
    assert_eq!(get(plane.at(80), "a.example", "/").await.status, 200);
    plane.apply(&with(new.at)).await;
    was_told.await.unwrap();
}

/// A backend that can be ended with all that it is doing.
struct Mortal {
    at: SocketAddr,
    task: JoinHandle<()>,
}

impl Mortal {
    async fn new() -> Self {
        Self::at(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn at(listener: TcpListener) -> Self {
        let at = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(async move {
                    let service = service_fn(|request| async {
                        tokio::task::yield_now().await;
                        describe("mortal", request).await
                    });
                    let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { at, task }
    }
}

#[tokio::test]
async fn backends_are_replaced_without_warning_under_load_and_no_get_is_lost() {
    for protocol in [BackendProtocol::Http1, BackendProtocol::H2c] {
        let mut backends = Vec::new();
        for _ in 0..6 {
            backends.push(Mortal::new().await);
        }
        let with = |backends: &[Mortal]| {
            let endpoints: Vec<_> = backends.iter().map(|backend| backend.at).collect();
            serving(protocol, &endpoints, to("a"))
        };
        let config = Config {
            workers: NonZeroUsize::new(2).unwrap(),
            ..config()
        };
        let mut plane = Plane::start(&with(&backends), config).await;
        let load = Load::start(plane.at(80), 8);
        for replaced in 0..backends.len() {
            load.goes_on().await;
            let new = Mortal::new().await;
            let old = std::mem::replace(&mut backends[replaced], new);
            // The gateway hears of it late.
            old.task.abort();
            load.goes_on().await;
            plane.apply(&with(&backends)).await;
        }
        load.goes_on().await;
        load.stop().await;
    }
}

/// Clients that ask without a pause, and take nothing but 200 for an answer.
struct Load {
    stopped: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    fn start(at: SocketAddr, clients: usize) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(AtomicUsize::new(0));
        let client = |_| {
            let (stopped, answered) = (Arc::clone(&stopped), Arc::clone(&answered));
            tokio::spawn(async move {
                let mut connection = Connection::open(at).await;
                while !stopped.load(Ordering::Relaxed) {
                    let reply = connection.exchange(get_request("a.example", "/")).await;
                    assert_eq!(reply.status, 200, "{reply:?}");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        Self {
            clients: (0..clients).map(client).collect(),
            stopped,
            answered,
        }
    }

    /// Waits for some more answers.
    async fn goes_on(&self) {
        let goal = self.answered.load(Ordering::Relaxed) + 100;
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
