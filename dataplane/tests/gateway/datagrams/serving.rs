//! What goes through, and where it goes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use portcullis_dataplane::Config;
use portcullis_ir::{Backend, BackendProtocol, Endpoint, EndpointHost};
use tokio::net::UdpSocket;

use super::{Client, Counting, Led, clients_by_backend, echo, naming};
use crate::backend::refusing;
use crate::snapshot::{Plane, Scene, backend_id, config, scene};

#[tokio::test]
async fn datagrams_of_any_size_go_there_and_back() {
    let scene = scene()
        .udp("echo", 53, &[("a", 1)])
        .endpoints("a", &[echo().await]);
    let plane = Counting::start(&scene, config()).await;
    let client = Client::of(plane.plane.udp(53)).await;
    let largest: Vec<u8> = (0..65_507_u32).map(|i| i.to_le_bytes()[0]).collect();
    for datagram in [&b"hello"[..], b"", &largest, b"x"] {
        assert_eq!(client.ask(datagram).await, datagram);
    }
    let bytes = 5 + 65_507 + 1;
    for direction in ["received", "sent"] {
        let family = |unit| format!("portcullis_udp_{direction}_{unit}_total");
        plane
            .until(|plane| plane.count(&family("datagrams"), "") == 4)
            .await;
        assert_eq!(plane.count(&family("bytes"), ""), bytes);
    }
}

#[tokio::test]
async fn bursts_of_several_clients_come_back_to_each_in_their_order() {
    const DATAGRAMS: usize = 20;
    let scene = scene()
        .udp("echo", 53, &[("a", 1)])
        .endpoints("a", &[echo().await]);
    for bind in ["127.0.0.1", "0.0.0.0", "::"] {
        let bind = vec![bind.parse().unwrap()];
        let plane = Plane::start(&scene, Config { bind, ..config() }).await;
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, plane.udp(53).port()));
        let mut clients = Vec::new();
        for _ in 0..8 {
            clients.push(Client::of(at).await);
        }
        for round in 0..3 {
            for number in 0..DATAGRAMS {
                for (name, client) in clients.iter().enumerate() {
                    client.send(format!("{name} {round} {number}")).await;
                }
            }
            for (name, client) in clients.iter().enumerate() {
                for number in 0..DATAGRAMS {
                    let expected = format!("{name} {round} {number}");
                    assert_eq!(client.receive().await, expected.as_bytes());
                }
            }
        }
    }
}

#[tokio::test]
async fn answers_come_from_the_address_that_was_asked() {
    let scene = scene()
        .udp("echo", 53, &[("a", 1)])
        .endpoints("a", &[echo().await]);
    for any in [
        IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    ] {
        let bind = vec![any];
        let plane = Plane::start(&scene, Config { bind, ..config() }).await;
        let port = plane.udp(53).port();
        for asked in [[127, 0, 0, 1], [127, 0, 0, 2]] {
            let client = Client::of(SocketAddr::from((asked, port))).await;
            assert_eq!(client.ask("?").await, b"?");
        }
    }
}

#[tokio::test]
async fn clients_and_backends_need_not_be_of_one_address_family() {
    let backend = UdpSocket::bind("[::1]:0").await.unwrap();
    let scene = scene()
        .udp("echo", 53, &[("a", 1)])
        .endpoints("a", &[backend.local_addr().unwrap()]);
    let plane = Plane::serving(&scene).await;
    let client = Client::of(plane.udp(53)).await;
    client.send("?").await;
    let (_, from) = backend.recv_from(&mut [0; 8]).await.unwrap();
    assert!(from.is_ipv6());
    backend.send_to(b"!", from).await.unwrap();
    assert_eq!(client.receive().await, b"!");
}

#[tokio::test]
async fn an_endpoint_given_by_name_is_looked_up() {
    let backend = UdpSocket::bind("[::]:0").await.unwrap();
    let endpoint = Endpoint {
        host: EndpointHost::Dns("localhost".into()),
        port: backend.local_addr().unwrap().port(),
    };
    let mut scene = scene().udp("named", 53, &[("a", 1)]);
    let named = Backend {
        protocol: BackendProtocol::Opaque,
        tls: None,
        endpoints: vec![endpoint],
    };
    scene.0.backends.insert(backend_id("a"), Arc::new(named));
    let plane = Plane::serving(&scene).await;
    let client = Client::of(plane.udp(53)).await;
    // All three are on their way before the name is known; none is lost.
    for datagram in ["1", "2", "3"] {
        client.send(datagram).await;
    }
    let mut received = Vec::new();
    for _ in 0..3 {
        let mut datagram = [0; 8];
        let (length, _) = backend.recv_from(&mut datagram).await.unwrap();
        received.push(datagram[..length].to_vec());
    }
    received.sort();
    assert_eq!(received, [b"1", b"2", b"3"]);
}

#[tokio::test]
async fn sessions_are_shared_out_by_weight() {
    let scene = scene()
        .udp("weighted", 53, &[("a", 70), ("b", 30), ("c", 0)])
        .endpoints("a", &[naming("a").await])
        .endpoints("b", &[naming("b").await])
        .endpoints("c", &[naming("c").await]);
    let plane = Plane::serving(&scene).await;
    let expected = [("a".to_owned(), 70), ("b".to_owned(), 30)].into();
    assert_eq!(clients_by_backend(plane.udp(53), 100).await, expected);
}

#[tokio::test]
async fn endpoints_of_a_backend_take_turns() {
    let scene = scene()
        .udp("two", 53, &[("a", 1)])
        .endpoints("a", &[naming("a1").await, naming("a2").await]);
    let plane = Plane::serving(&scene).await;
    let expected = [("a1".to_owned(), 10), ("a2".to_owned(), 10)].into();
    assert_eq!(clients_by_backend(plane.udp(53), 20).await, expected);
}

#[tokio::test]
async fn what_an_invalid_backend_would_get_is_dropped_by_weight() {
    let scene = scene()
        .udp("half", 53, &[("a", 1), ("invalid", 3)])
        .endpoints("a", &[naming("a").await]);
    let plane = Counting::start(&scene, config()).await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        let client = Client::of(plane.plane.udp(53)).await;
        // Three datagrams each: a client whose turn was the invalid backend's stays there.
        for _ in 0..3 {
            client.send("?").await;
        }
        clients.push(client);
    }
    plane
        .until(|plane| plane.dropped("invalid_backend") == 15 * 3)
        .await;
    plane
        .until(|plane| plane.count("portcullis_udp_sent_datagrams_total", "") == 5 * 3)
        .await;
}

#[tokio::test]
async fn what_has_no_way_is_dropped_and_counted() {
    let listener = portcullis_ir::ListenerProtocol::Udp;
    let scene = scene()
        .listener("unrouted", 50, "", listener)
        .udp("invalid", 51, &[("invalid", 1)])
        .udp("empty", 52, &[("empty", 1)])
        .endpoints("empty", &[])
        .udp("weightless", 53, &[("a", 0)])
        .endpoints("a", &[echo().await]);
    let plane = Counting::start(&scene, config()).await;
    for (port, reason) in [
        (50, "no_route"),
        (51, "invalid_backend"),
        (52, "no_endpoint"),
        (53, "invalid_backend"),
    ] {
        let before = plane.dropped(reason);
        let client = Client::of(plane.plane.udp(port)).await;
        client.send("1").await;
        client.send("2").await;
        plane
            .until(|plane| plane.dropped(reason) == before + 2)
            .await;
    }
}

#[tokio::test]
async fn a_refusal_of_the_endpoint_s_host_moves_the_session() {
    let nobody = refusing().await;
    let scene = scene()
        .udp("two", 53, &[("a", 1)])
        .endpoints("a", &[nobody, naming("a").await]);
    let plane = Counting::start(&scene, config()).await;
    let at = plane.plane.udp(53);
    for _ in 0..10 {
        let client = Client::of(at).await;
        client.send("who?").await;
        // The datagram that is refused is lost. The next goes elsewhere.
        let mut answer = [0; 64];
        while client.0.try_recv(&mut answer).is_err() {
            client.send("who?").await;
            tokio::task::yield_now().await;
        }
    }
    assert!(plane.dropped("unreachable") > 0);
}

#[tokio::test]
async fn a_backend_that_is_gone_does_not_take_the_port_with_it() {
    let gone = Led::new().await;
    let scene: Scene = scene()
        .udp("gone", 53, &[("gone", 1)])
        .endpoints("gone", &[gone.at]);
    let plane = Counting::start(&scene, config()).await;
    let client = Client::of(plane.plane.udp(53)).await;
    client.send("1").await;
    gone.next().await;
    let at = gone.at;
    drop(gone);
    for count in 1..=5 {
        client.send("lost").await;
        plane
            .until(|plane| plane.dropped("unreachable") >= count)
            .await;
    }
    let back = UdpSocket::bind(at).await.unwrap();
    client.send("2").await;
    let mut datagram = [0; 8];
    let (length, from) = back.recv_from(&mut datagram).await.unwrap();
    assert_eq!(&datagram[..length], b"2");
    back.send_to(b"!", from).await.unwrap();
    assert_eq!(client.receive().await, b"!");
}

#[tokio::test]
async fn a_burst_of_ten_thousand_is_not_lost() {
    const ALL: u32 = 10_000;
    /// So many fit into the socket buffers of a system that was not told otherwise.
    const UNDER_WAY: u32 = 64;
    let scene = scene()
        .udp("echo", 53, &[("a", 1)])
        .endpoints("a", &[echo().await]);
    let plane = Counting::start(&scene, config()).await;
    let client = Client::of(plane.plane.udp(53)).await;
    let mut sent = 0;
    for answered in 0..ALL {
        while sent < ALL && sent - answered < UNDER_WAY {
            client.send(sent.to_le_bytes()).await;
            sent += 1;
        }
        assert_eq!(client.receive().await, answered.to_le_bytes(), "in order");
    }
    let received = |plane: &Counting| plane.count("portcullis_udp_received_datagrams_total", "");
    plane.until(|plane| received(plane) == u64::from(ALL)).await;
}
