//! Configuration that changes under sessions.

use std::net::UdpSocket as StdSocket;

use portcullis_dataplane::{Config, PortMap};
use portcullis_ir::{BackendProtocol, PortKey, Transport};

use super::{Client, Counting, Led, naming, route_id, udp_at};
use crate::backend::{echo as http_echo, refusing};
use crate::client::get;
use crate::snapshot::{Plane, Scene, config, listener_id, scene};

#[tokio::test]
async fn a_session_moves_when_its_endpoint_is_gone() {
    let (a, b) = (naming("a").await, naming("b").await);
    let at = |endpoints: &[_]| {
        scene()
            .udp("moving", 53, &[("backend", 1)])
            .endpoints("backend", endpoints)
    };
    let mut plane = Plane::serving(&at(&[a])).await;
    let client = Client::of(plane.udp(53)).await;
    let (name, seen) = client.who_answers().await;
    assert_eq!(name, "a");
    plane.apply(&at(&[b, a])).await;
    assert_eq!(
        client.who_answers().await,
        ("a".to_owned(), seen),
        "it stays"
    );
    plane.apply(&at(&[b])).await;
    assert_eq!(client.who_answers().await.0, "b");
    plane.apply(&at(&[a])).await;
    assert_eq!(client.who_answers().await.0, "a");
}

#[tokio::test]
async fn a_session_moves_when_its_route_goes_elsewhere() {
    let (a, b) = (naming("a").await, naming("b").await);
    let to = |backends: &[_]| {
        scene()
            .udp("moving", 53, backends)
            .endpoints("a", &[a])
            .endpoints("b", &[b])
    };
    let mut plane = Plane::serving(&to(&[("a", 1)])).await;
    let client = Client::of(plane.udp(53)).await;
    assert_eq!(client.who_answers().await.0, "a");
    plane.apply(&to(&[("b", 99), ("a", 1)])).await;
    assert_eq!(client.who_answers().await.0, "a", "it stays");
    plane.apply(&to(&[("b", 99), ("a", 0)])).await;
    assert_eq!(client.who_answers().await.0, "b");
}

#[tokio::test]
async fn a_client_of_nothing_is_served_when_there_is_something() {
    let backend = naming("a").await;
    let nothing = scene().udp("late", 53, &[("a", 1)]).endpoints("a", &[]);
    let mut plane = Counting::start(&nothing, config()).await;
    let client = Client::of(plane.plane.udp(53)).await;
    client.send("?").await;
    plane.until(|plane| plane.dropped("no_endpoint") == 1).await;
    plane.plane.apply(&nothing.endpoints("a", &[backend])).await;
    assert_eq!(client.who_answers().await.0, "a");
}

#[tokio::test]
async fn a_backend_without_a_route_is_not_listened_to_any_more() {
    let backend = Led::new().await;
    let scene = scene()
        .udp("led", 53, &[("led", 1)])
        .endpoints("led", &[backend.at]);
    let mut plane = Counting::start(&scene, config()).await;
    let client = Client::of(plane.plane.udp(53)).await;
    client.send("subscribe").await;
    let (_, session) = backend.next().await;
    backend.send("news", session).await;
    assert_eq!(client.receive().await, b"news");
    let mut unrouted = scene.clone();
    unrouted.0.l4_routes.remove(&route_id("led"));
    plane.plane.apply(&unrouted).await;
    backend.send("more news", session).await;
    plane.until(|plane| plane.sessions() == 0).await;
    assert_eq!(plane.count("portcullis_udp_sent_datagrams_total", ""), 1);
}

#[tokio::test]
async fn ports_come_and_go_without_touching_the_sessions_of_others() {
    let scene = scene()
        .udp("one", 53, &[("a", 1)])
        .endpoints("a", &[naming("a").await]);
    let mut plane = Plane::serving(&scene).await;
    let first = Client::of(plane.udp(53)).await;
    let (_, seen) = first.who_answers().await;

    let both = scene.clone().udp("two", 54, &[("a", 1)]);
    plane.apply(&both).await;
    let second = Client::of(plane.udp(54)).await;
    assert_eq!(second.who_answers().await.0, "a");
    assert_eq!(first.who_answers().await.1, seen);

    plane.apply(&scene).await;
    second.send("?").await;
    let refused = second.0.recv(&mut [0; 8]).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    assert_eq!(first.who_answers().await.1, seen);

    plane.apply(&both).await;
    let third = Client::of(plane.udp(54)).await;
    assert_eq!(third.who_answers().await.0, "a");
}

/// HTTP and UDP on the same port number, really so.
async fn same_number() -> (Scene, Config, u16) {
    let real = refusing().await.port();
    let ports = PortMap {
        ports: [(80, real)].into(),
        others: Some(0),
    };
    let scene = scene()
        .http("web", 80, "")
        .backend("web", BackendProtocol::Http1, &[http_echo("web").await.at])
        .route("web", "", "/", "web")
        .udp("udp", 80, &[("a", 1)])
        .endpoints("a", &[naming("a").await]);
    (scene, Config { ports, ..config() }, real)
}

fn without(scene: &Scene, listener: &str) -> Scene {
    let mut scene = scene.clone();
    scene.0.listeners.remove(&listener_id(listener));
    scene
}

#[tokio::test]
async fn tcp_and_udp_share_a_number_and_go_their_own_ways() {
    let (both, config, real) = same_number().await;
    let mut plane = Plane::start(&both, config).await;
    let (tcp, udp) = (plane.at(80), plane.udp(80));
    assert_eq!((tcp.port(), udp.port()), (real, real));
    let client = Client::of(udp).await;
    let (_, seen) = client.who_answers().await;
    assert_eq!(get(tcp, "a", "/").await.status, 200);

    plane.apply(&without(&both, "web")).await;
    assert_eq!(client.who_answers().await.1, seen);
    plane.apply(&both).await;
    assert_eq!(get(tcp, "a", "/").await.status, 200);
    assert_eq!(client.who_answers().await.1, seen);

    plane.apply(&without(&both, "udp")).await;
    assert_eq!(get(tcp, "a", "/").await.status, 200);
    let applied = plane.apply(&both).await;
    assert_eq!(udp_at(&applied, 80), udp);
    let client = Client::of(udp).await;
    assert_eq!(client.who_answers().await.0, "a");
}

#[tokio::test]
async fn a_taken_udp_port_is_reported_and_leaves_tcp_alone() {
    let (both, config, real) = same_number().await;
    let holder = StdSocket::bind(("127.0.0.1", real)).unwrap();
    let mut plane = Plane::start(&both, config).await;
    let applied = plane.plane.applied().unwrap();
    let failures = applied.ports.iter().filter_map(|(key, state)| {
        let failure = state.as_ref().err()?;
        Some((*key, failure.to_string()))
    });
    let key = PortKey {
        port: 80.try_into().unwrap(),
        transport: Transport::Udp,
    };
    let expected = format!("port {real}/udp: in use by another process");
    assert_eq!(failures.collect::<Vec<_>>(), [(key, expected)]);
    assert_eq!(get(plane.at(80), "a", "/").await.status, 200);

    drop(holder);
    let applied = plane.apply(&both).await;
    assert!(applied.is_complete());
    let client = Client::of(udp_at(&applied, 80)).await;
    assert_eq!(client.who_answers().await.0, "a");
}

#[tokio::test]
async fn another_data_plane_does_not_share_a_udp_port_by_accident() {
    let (both, config, _) = same_number().await;
    let udp = without(&both, "web");
    let first = Plane::start(&udp, config.clone()).await;
    let second = Plane::start(&udp, config).await;
    assert!(first.plane.applied().unwrap().is_complete());
    assert!(!second.plane.applied().unwrap().is_complete());
}
