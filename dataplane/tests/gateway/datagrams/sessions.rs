//! One session per client, for as long as it is in use.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::time::Duration;

use portcullis_dataplane::{Config, DatagramConfig};

use super::{Client, Counting, Led, naming};
use crate::snapshot::{Scene, config, scene};

async fn one_backend() -> Scene {
    scene()
        .udp("one", 53, &[("a", 1)])
        .endpoints("a", &[naming("a").await])
}

fn limited(datagrams: DatagramConfig) -> Config {
    Config {
        datagrams,
        ..config()
    }
}

#[tokio::test]
async fn each_client_has_a_session_of_its_own() {
    let plane = Counting::start(&one_backend().await, config()).await;
    let mut seen = BTreeSet::new();
    let mut clients = Vec::new();
    for _ in 0..20 {
        let client = Client::of(plane.plane.udp(53)).await;
        let (_, first) = client.who_answers().await;
        let (_, second) = client.who_answers().await;
        assert_eq!(first, second);
        seen.insert(first);
        clients.push(client);
    }
    assert_eq!(seen.len(), clients.len());
    assert_eq!(plane.sessions(), 20);
    assert_eq!(plane.count("portcullis_udp_sessions_total", ""), 20);
}

#[tokio::test]
async fn a_client_of_two_ports_has_two_sessions() {
    let scene = one_backend().await.udp("other", 54, &[("a", 1)]);
    let plane = Counting::start(&scene, config()).await;
    let client = Client::of(plane.plane.udp(53)).await;
    let (_, first) = client.who_answers().await;
    client.0.connect(plane.plane.udp(54)).await.unwrap();
    let (_, second) = client.who_answers().await;
    assert_ne!(first, second);
    assert_eq!(plane.sessions(), 2);
}

#[tokio::test]
async fn an_idle_session_ends_and_its_client_begins_another() {
    let datagrams = DatagramConfig {
        idle: Duration::from_millis(50),
        ..DatagramConfig::default()
    };
    let plane = Counting::start(&one_backend().await, limited(datagrams)).await;
    let client = Client::of(plane.plane.udp(53)).await;
    let (_, first) = client.who_answers().await;
    plane.until(|plane| plane.sessions() == 0).await;
    let (_, second) = client.who_answers().await;
    assert_ne!(first, second);
    plane.until(|plane| plane.sessions() == 0).await;
    assert_eq!(plane.count("portcullis_udp_sessions_evicted_total", ""), 0);
}

#[tokio::test]
async fn answers_alone_keep_a_session() {
    let idle = Duration::from_millis(300);
    let datagrams = DatagramConfig {
        idle,
        ..DatagramConfig::default()
    };
    let backend = Led::new().await;
    let scene = scene()
        .udp("led", 53, &[("led", 1)])
        .endpoints("led", &[backend.at]);
    let plane = Counting::start(&scene, limited(datagrams)).await;
    let client = Client::of(plane.plane.udp(53)).await;
    client.send("subscribe").await;
    let (_, session) = backend.next().await;
    let start = tokio::time::Instant::now();
    while start.elapsed() < 2 * idle {
        backend.send("news", session).await;
        assert_eq!(client.receive().await, b"news");
    }
    assert_eq!(plane.count("portcullis_udp_sessions_total", ""), 1);
}

#[tokio::test]
async fn the_longest_idle_makes_room() {
    let datagrams = DatagramConfig {
        max_sessions: 4,
        ..DatagramConfig::default()
    };
    let config = Config {
        workers: NonZeroUsize::MIN,
        ..limited(datagrams)
    };
    let plane = Counting::start(&one_backend().await, config).await;
    let mut clients = Vec::new();
    for _ in 0..8 {
        let client = Client::of(plane.plane.udp(53)).await;
        let (_, seen) = client.who_answers().await;
        clients.push((client, seen));
    }
    assert_eq!(plane.sessions(), 4);
    assert_eq!(plane.count("portcullis_udp_sessions_evicted_total", ""), 4);
    for (client, seen) in &clients[4..] {
        assert_eq!(client.who_answers().await.1, *seen, "kept");
    }
    let (client, seen) = &clients[0];
    assert_ne!(client.who_answers().await.1, *seen, "begun again");
    let (client, seen) = &clients[4];
    assert_ne!(client.who_answers().await.1, *seen, "it made room");
}
