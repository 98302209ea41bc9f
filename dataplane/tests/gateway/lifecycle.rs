//! Ports that come and go, snapshots that change under load, and the end.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use portcullis_dataplane::{
    BindFailure, Config, DataPlane, DrainConfig, Drained, PortMap, RealPort,
};
use portcullis_ir::tls::Certificate;
use portcullis_ir::{BackendProtocol, HttpRule, Transport};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::backend::{custom, echo, read_head};
use crate::client::{Connection, get, get_request};
use crate::snapshot::{Plane, Scene, config, scene, to, with_filters};

async fn on_80() -> Scene {
    scene()
        .http("web", 80, "")
        .backend("a", BackendProtocol::Http1, &[echo("a").await.at])
        .route("web", "", "/", "a")
}

fn tcp(number: u16) -> RealPort {
    RealPort {
        number,
        transport: Transport::Tcp,
    }
}

fn on_81(scene: Scene) -> Scene {
    scene.http("more", 81, "").route("more", "", "/", "a")
}

#[tokio::test]
async fn ports_come_and_go_without_touching_the_others() {
    let scene = on_80().await;
    let mut plane = Plane::serving(&scene).await;
    let mut open = Connection::open(plane.at(80)).await;
    assert_eq!(open.exchange(get_request("a", "/")).await.status, 200);

    let both = on_81(scene);
    let first = plane.at(80);
    plane.apply(&both).await;
    assert_eq!(plane.at(80), first);
    assert_eq!(get(plane.at(81), "a", "/").await.status, 200);
    assert_eq!(open.exchange(get_request("a", "/")).await.status, 200);

    let mut only_81 = both.clone();
    only_81
        .0
        .listeners
        .remove(&crate::snapshot::listener_id("web"));
    plane.apply(&only_81).await;
    let refused = TcpStream::connect(first).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    assert_eq!(get(plane.at(81), "a", "/").await.status, 200);
    // Nothing was under way on the connection of the removed port.
    assert!(open.is_closed().await);
}

#[tokio::test]
async fn a_request_on_a_removed_port_is_finished_and_its_connection_closed() {
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
    let scene = scene()
        .http("web", 80, "")
        .backend("a", BackendProtocol::Http1, &[backend.at])
        .route("web", "", "/", "a");
    let mut plane = Plane::serving(&scene).await;
    let mut connection = Connection::open(plane.at(80)).await;
    connection.send(get_request("a", "/")).await;
    arrived.notified().await;
    plane.apply(&crate::snapshot::scene()).await;
    answer.notify_one();
    let reply = connection.receive().await.unwrap();
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("connection"), Some("close"));
    assert!(connection.is_closed().await);
}

#[tokio::test]
async fn a_port_in_use_is_reported_and_tried_again() {
    let holder = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let real = holder.local_addr().unwrap().port();
    let ports = PortMap {
        ports: [(81, real)].into(),
        others: Some(0),
    };
    let scene = on_81(on_80().await);
    let mut plane = Plane::start(&scene, Config { ports, ..config() }).await;
    let applied = plane.plane.applied().unwrap();
    let failures: Vec<_> = applied
        .ports
        .values()
        .filter_map(|s| s.clone().err())
        .collect();
    assert_eq!(failures, [BindFailure::InUse { real: tcp(real) }]);
    assert_eq!(
        failures[0].to_string(),
        format!("port {real}: in use by another process")
    );
    assert_eq!(get(plane.at(80), "a", "/").await.status, 200);

    drop(holder);
    assert!(plane.apply(&scene).await.is_complete());
    assert_eq!(get(plane.at(81), "a", "/").await.status, 200);
}

#[tokio::test]
async fn another_data_plane_does_not_share_a_port_by_accident() {
    let first = Plane::serving(&on_80().await).await;
    let real = first.at(80).port();
    let ports = PortMap {
        ports: [(80, real)].into(),
        others: None,
    };
    let second = Plane::start(&on_80().await, Config { ports, ..config() }).await;
    let applied = second.plane.applied().unwrap();
    let failure = applied.ports.values().next().unwrap().clone().unwrap_err();
    assert_eq!(failure, BindFailure::InUse { real: tcp(real) });
}

#[tokio::test]
async fn two_listener_ports_cannot_be_mapped_to_one() {
    let free = crate::backend::refusing().await.port();
    let ports = PortMap {
        ports: [(80, free), (81, free)].into(),
        others: None,
    };
    let plane = Plane::start(&on_81(on_80().await), Config { ports, ..config() }).await;
    let states: Vec<_> = plane.plane.applied().unwrap().ports.into_values().collect();
    assert!(states[0].is_ok());
    assert!(matches!(states[1], Err(BindFailure::MappedTwice { .. })));
}

#[tokio::test]
async fn a_wildcard_address_takes_both_families() {
    let config = Config {
        bind: vec!["::".parse().unwrap()],
        ports: PortMap::any_free(),
        workers: NonZeroUsize::MIN,
        ..Config::default()
    };
    let plane = Plane::start(&on_80().await, config).await;
    let port = plane.at(80).port();
    for at in ["127.0.0.1", "::1"] {
        let at = SocketAddr::new(at.parse().unwrap(), port);
        let reply = get(at, "a", "/").await;
        assert_eq!(reply.status, 200);
        let seen = reply.seen("x-forwarded-for").unwrap();
        assert_eq!(
            seen,
            at.ip().to_string(),
            "IPv4 clients have IPv4 addresses"
        );
    }
}

#[tokio::test]
async fn snapshots_change_under_load_without_a_lost_request() {
    let scene = on_80().await;
    let mut plane = Plane::serving(&scene).await;
    let other = echo("b").await;
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (at, stop) = (plane.at(80), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut served = 0;
                let mut connection = Connection::open(at).await;
                while !stop.load(Ordering::Relaxed) {
                    let reply = connection.exchange(get_request("a", "/")).await;
                    assert_eq!(reply.status, 200);
                    served += 1;
                }
                served
            })
        })
        .collect();
    for round in 0..50 {
        let scene = match round % 4 {
            0 => scene.clone(),
            1 => on_81(scene.clone()),
            2 => scene
                .clone()
                .backend("a", BackendProtocol::Http1, &[other.at]),
            _ => scene.clone().route("web", "a", "/x", "a"),
        };
        plane.apply(&scene).await;
        assert_eq!(get(plane.at(80), "a", "/").await.status, 200);
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        assert!(client.await.unwrap() > 0);
    }
}

#[tokio::test]
async fn certificates_rotate_under_handshakes_without_a_failure() {
    let (one, two) = (crate::certs::ca("one"), crate::certs::ca("two"));
    let scene = |ca: &crate::certs::Ca, at| {
        scene()
            .https("web", 443, "a.example", &["a"])
            .certificate("a", ca.certificate(&["a.example"]))
            .backend("a", BackendProtocol::Http1, &[at])
            .route("web", "", "/", "a")
    };
    let backend = echo("a").await;
    let (of_one, of_two) = (scene(&one, backend.at), scene(&two, backend.at));
    let bad = Certificate::Unusable {
        reason: "garbage".to_owned(),
    };
    let mut plane = Plane::serving(&of_one).await;
    let at = plane.at(443);
    for round in 0..20 {
        let (good, ca) = if round % 2 == 0 {
            (&of_two, &two)
        } else {
            (&of_one, &one)
        };
        plane.apply(good).await;
        plane
            .apply(&good.clone().certificate("a", bad.clone()))
            .await;
        let config = crate::certs::client(ca).config();
        assert_eq!(
            crate::tls::status(&config, at, "a.example").await,
            Some(200),
            "{round}"
        );
    }
}

#[tokio::test]
async fn draining_finishes_what_is_in_flight_and_refuses_the_rest() {
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
    let scene = on_80()
        .await
        .backend("slow", BackendProtocol::Http1, &[backend.at])
        .route("web", "", "/slow", "slow");
    let plane = Plane::serving(&scene).await;
    let at = plane.at(80);
    let mut idle = Connection::open(at).await;
    assert_eq!(idle.exchange(get_request("a", "/")).await.status, 200);
    let mut busy = Connection::open(at).await;
    busy.send(get_request("a", "/slow")).await;
    arrived.notified().await;

    let client = async {
        assert!(idle.is_closed().await);
        while TcpStream::connect(at).await.is_ok() {}
        answer.notify_one();
        let reply = busy.receive().await.unwrap();
        assert_eq!(
            (reply.status, reply.header("connection")),
            (200, Some("close"))
        );
    };
    let (drained, ()) = tokio::join!(plane.plane.drain(), client);
    assert_eq!(drained, Drained::Completely);
}

#[tokio::test]
async fn draining_ends_at_its_deadline() {
    let silent = custom(|mut stream, _| async move {
        use tokio::io::AsyncReadExt;
        read_head(&mut stream).await;
        let _ = stream.read_u8().await;
    })
    .await;
    let scene = scene()
        .http("web", 80, "")
        .backend("a", BackendProtocol::Http1, &[silent.at])
        .route("web", "", "/", "a");
    let drain = DrainConfig {
        min: std::time::Duration::from_millis(10),
        max: std::time::Duration::from_millis(50),
    };
    let plane = Plane::start(&scene, Config { drain, ..config() }).await;
    let mut connection = Connection::open(plane.at(80)).await;
    connection.send(get_request("a", "/")).await;
    let cut = plane.plane.drain().await;
    assert_eq!(cut, Drained::CutOff { connections: 1 });
    drop(plane);
    assert!(connection.is_closed().await);
}

#[tokio::test]
async fn filters_are_applied() {
    use portcullis_ir::filter::{Filter, Header, HeaderEdits, PathRewrite, Redirect, Rewrite};
    let header = |name: &'static str, value: &'static str| Header {
        name: http::HeaderName::from_static(name),
        value: http::HeaderValue::from_static(value),
    };
    let edits = HeaderEdits {
        set: vec![header("x-set", "1")],
        ..HeaderEdits::default()
    };
    let rewrite = Rewrite {
        hostname: Some(http::HeaderValue::from_static("inner.example")),
        path: Some(PathRewrite::Prefix("/new".to_owned())),
    };
    let rewritten: HttpRule = with_filters(
        to("a"),
        vec![
            Filter::RequestHeaders(edits.clone()),
            Filter::ResponseHeaders(edits),
            Filter::Rewrite(rewrite),
        ],
    );
    let redirect = Redirect {
        scheme: Some(portcullis_ir::filter::HttpScheme::Https),
        hostname: None,
        port: None,
        path: Some(PathRewrite::Prefix("/there".to_owned())),
        status: 301,
    };
    let mut redirected = with_filters(to("a"), vec![Filter::Redirect(redirect)]);
    redirected.backends.clear();
    let scene = on_80()
        .await
        .rule("web", "a.example", "/old", rewritten)
        .rule("web", "a.example", "/gone", redirected);
    let plane = Plane::serving(&scene).await;
    let reply = get(plane.at(80), "a.example", "/old/x?y").await;
    assert!(
        reply.body.starts_with("GET /new/x?y HTTP/1.1\n"),
        "{reply:?}"
    );
    assert_eq!(reply.seen("host"), Some("inner.example"));
    assert_eq!(
        (reply.seen("x-set"), reply.header("x-set")),
        (Some("1"), Some("1"))
    );
    let reply = get(plane.at(80), "a.example", "/gone/x?y").await;
    assert_eq!(reply.status, 301);
    assert_eq!(
        reply.header("location"),
        Some("https://a.example/there/x?y")
    );
}

/// Requests until the gateway takes no more connections; every one sent must be answered.
async fn insist(at: SocketAddr) -> usize {
    let mut served = 0;
    while let Ok(stream) = TcpStream::connect(at).await {
        let mut connection = Connection::over(stream);
        loop {
            let reply = connection.exchange(get_request("a", "/")).await;
            assert_eq!(reply.status, 200);
            served += 1;
            if reply.header("connection") == Some("close") {
                break;
            }
        }
    }
    served
}

#[tokio::test]
async fn draining_takes_the_first_client_ever_on_its_way() {
    let drain = DrainConfig {
        min: std::time::Duration::from_hours(1),
        ..DrainConfig::default()
    };
    let plane = Plane::start(&on_80().await, Config { drain, ..config() }).await;
    tokio::select! {
        biased;
        _ = plane.plane.drain() => panic!("it did not wait"),
        reply = get(plane.at(80), "a", "/") => assert_eq!(reply.status, 200),
    }
}

#[tokio::test]
async fn draining_what_never_served_does_not_wait() {
    let drain = DrainConfig {
        min: std::time::Duration::from_hours(1),
        ..DrainConfig::default()
    };
    let plane = DataPlane::start(Config { drain, ..config() }).unwrap();
    assert_eq!(plane.drain().await, Drained::Completely);
}

#[tokio::test]
async fn draining_under_load_loses_no_request() {
    let drain = DrainConfig {
        min: std::time::Duration::from_millis(50),
        ..DrainConfig::default()
    };
    let plane = Plane::start(&on_80().await, Config { drain, ..config() }).await;
    let clients: Vec<_> = (0..8).map(|_| tokio::spawn(insist(plane.at(80)))).collect();
    assert_eq!(get(plane.at(80), "a", "/").await.status, 200);
    assert_eq!(plane.plane.drain().await, Drained::Completely);
    for client in clients {
        assert!(client.await.unwrap() > 0);
    }
}
