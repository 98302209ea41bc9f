//! UDP.

mod changes;
mod ends;
mod serving;
mod sessions;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use portcullis_dataplane::{Applied, Config};
use portcullis_ir::backend::BackendTarget;
use portcullis_ir::route::{L4Rule, RouteKind};
use portcullis_ir::{
    Attachment, BackendProtocol, HostPattern, L4Route, ListenerProtocol, ObjectKey, PortKey,
    RouteHost, RouteId, RouteOrigin, Transport, WeightedBackend,
};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::snapshot::{Plane, Scene, backend_id, listener_id};

/// Long enough for anything that happens at all.
const PATIENCE: Duration = Duration::from_secs(20);

impl Scene {
    /// A UDP listener whose route goes to these backends by weight.
    fn udp(self, name: &str, port: u16, backends: &[(&str, u32)]) -> Self {
        let backends = backends.iter().map(|(name, weight)| WeightedBackend {
            weight: *weight,
            target: match *name {
                "invalid" => BackendTarget::Invalid {
                    reason: "no such Service".to_owned(),
                },
                name => BackendTarget::Backend(backend_id(name)),
            },
            filters: Vec::new(),
        });
        let backends = backends.collect();
        let mut this = self.listener(name, port, "", ListenerProtocol::Udp);
        let host = RouteHost {
            effective: HostPattern::Any,
            configured: HostPattern::Any,
        };
        let route = L4Route {
            origin: RouteOrigin {
                kind: RouteKind::Udp,
                key: ObjectKey::new("default", name),
                created: None,
            },
            attachments: vec![Attachment {
                listener: listener_id(name),
                hosts: vec![host],
            }],
            rules: vec![L4Rule {
                name: None,
                backends,
            }],
        };
        this.0.l4_routes.insert(route_id(name), Arc::new(route));
        this
    }

    fn endpoints(self, name: &str, at: &[SocketAddr]) -> Self {
        self.backend(name, BackendProtocol::Opaque, at)
    }
}

fn route_id(name: &str) -> RouteId {
    RouteId::new(format!("UDPRoute/default/{name}"))
}

/// Where a UDP listener port really is.
fn udp_at(applied: &Applied, port: u16) -> SocketAddr {
    let key = PortKey {
        port: NonZeroU16::new(port).unwrap(),
        transport: Transport::Udp,
    };
    applied.ports[&key].as_ref().unwrap()[0]
}

impl Plane {
    fn udp(&self, port: u16) -> SocketAddr {
        udp_at(&self.plane.applied().unwrap(), port)
    }
}

/// A client with a port of its own, which takes answers only from where it sends to.
struct Client(UdpSocket);

impl Client {
    async fn of(at: SocketAddr) -> Self {
        let any = if at.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any).await.unwrap();
        socket.connect(at).await.unwrap();
        Self(socket)
    }

    async fn send(&self, datagram: impl AsRef<[u8]>) {
        self.0.send(datagram.as_ref()).await.unwrap();
    }

    async fn receive(&self) -> Vec<u8> {
        let mut answer = vec![0; 65_536];
        let received = timeout(PATIENCE, self.0.recv(&mut answer)).await;
        answer.truncate(received.unwrap().unwrap());
        answer
    }

    async fn ask(&self, datagram: impl AsRef<[u8]>) -> Vec<u8> {
        self.send(datagram).await;
        self.receive().await
    }

    /// Asks a backend that answers with its name and whom it saw; see [`naming`].
    async fn who_answers(&self) -> (String, SocketAddr) {
        let answer = String::from_utf8(self.ask("who?").await).unwrap();
        let (name, seen) = answer.split_once(' ').unwrap();
        (name.to_owned(), seen.parse().unwrap())
    }
}

/// A backend that sends every datagram back.
async fn echo() -> SocketAddr {
    answering(|_, datagram| datagram.to_vec()).await
}

/// A backend that answers with its name and the address that it sees.
async fn naming(name: &'static str) -> SocketAddr {
    answering(move |from, _| format!("{name} {from}").into_bytes()).await
}

async fn answering(answer: impl Fn(SocketAddr, &[u8]) -> Vec<u8> + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let at = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut datagram = vec![0; 65_536];
        while let Ok((length, from)) = socket.recv_from(&mut datagram).await {
            let answer = answer(from, &datagram[..length]);
            let _ = socket.send_to(&answer, from).await;
        }
    });
    at
}

/// A backend that answers when and what the test wants.
struct Led {
    socket: UdpSocket,
    at: SocketAddr,
}

impl Led {
    async fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = socket.local_addr().unwrap();
        Self { socket, at }
    }

    /// The next datagram and where it came from.
    async fn next(&self) -> (Vec<u8>, SocketAddr) {
        let mut datagram = vec![0; 65_536];
        let received = timeout(PATIENCE, self.socket.recv_from(&mut datagram)).await;
        let (length, from) = received.unwrap().unwrap();
        datagram.truncate(length);
        (datagram, from)
    }

    async fn send(&self, datagram: &str, to: SocketAddr) {
        self.socket.send_to(datagram.as_bytes(), to).await.unwrap();
    }
}

/// A data plane whose counters are looked at.
struct Counting {
    plane: Plane,
    config: Config,
}

impl Counting {
    async fn start(scene: &Scene, config: Config) -> Self {
        let plane = Plane::start(scene, config.clone()).await;
        Self { plane, config }
    }

    /// The sum of the samples of a family, of those whose labels contain `label`.
    fn count(&self, family: &str, label: &str) -> u64 {
        let text = self.config.metrics.exposition();
        let samples = text.lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let (name, labels) = series.split_once('{')?;
            (name == family && labels.contains(label)).then(|| value.parse::<u64>().unwrap())
        });
        samples.sum()
    }

    fn sessions(&self) -> u64 {
        self.count("portcullis_udp_sessions_active", "")
    }

    fn dropped(&self, reason: &str) -> u64 {
        let label = format!("reason=\"{reason}\"");
        self.count("portcullis_udp_dropped_datagrams_total", &label)
    }

    async fn until(&self, holds: impl Fn(&Self) -> bool) {
        let held = timeout(PATIENCE, async {
            while !holds(self) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        assert!(held.await.is_ok(), "{}", self.config.metrics.exposition());
    }
}

/// Runs a number of clients, one after the other. Answers how many were answered by each backend.
async fn clients_by_backend(at: SocketAddr, count: usize) -> BTreeMap<String, usize> {
    let (mut by_backend, mut clients) = (BTreeMap::new(), Vec::new());
    for _ in 0..count {
        let client = Client::of(at).await;
        let (name, _) = client.who_answers().await;
        *by_backend.entry(name).or_default() += 1;
        // As long as it lives, no other has its port, and so its session.
        clients.push(client);
    }
    by_backend
}
