use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};

use portcullis_api::manifest;
use portcullis_dataplane::metrics::Metrics;
use portcullis_dataplane::{DrainConfig, PortMap};
use portcullis_folder::Contents;

use super::super::control::{Control, Network};
use super::*;

const GATEWAY: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: g}
spec:
  gatewayClassName: portcullis
  listeners:
  - {name: http, port: 80, protocol: HTTP}
";
const HERE: &str = "127.0.0.1";
/// Of a documentation range (RFC 5737): no machine has it.
const ELSEWHERE: &str = "192.0.2.77";

/// A fleet with one Gateway.
struct Scene {
    fleet: Fleet,
    snapshot: Arc<Snapshot>,
}

impl Scene {
    fn new(start: Starter) -> Self {
        let metrics = Metrics::new();
        let admin = AdminState::new(Arc::clone(&metrics));
        let template = Config {
            ports: PortMap {
                others: Some(free_port()),
                ..PortMap::default()
            },
            workers: NonZeroUsize::MIN,
            drain: DrainConfig {
                min: Duration::ZERO,
                max: Duration::ZERO,
            },
            metrics,
            ..Config::default()
        };
        Self {
            fleet: Fleet::started_by(start, template, admin),
            snapshot: snapshot(),
        }
    }

    async fn serve(&mut self, bind: &[&str]) -> Option<Applied> {
        let order = Order::Serve {
            gateway: self.snapshot.gateway.clone(),
            bind: bind.iter().map(|ip| ip.parse().unwrap()).collect(),
            snapshot: Arc::clone(&self.snapshot),
        };
        let (_, applied) = self.fleet.carry_out(order).await?;
        Some(applied)
    }

    fn address(&self, ip: &str) -> SocketAddr {
        let port = self.fleet.template.ports.others.unwrap();
        SocketAddr::new(ip.parse().unwrap(), port)
    }
}

fn snapshot() -> Arc<Snapshot> {
    let objects = manifest::parse(GATEWAY).objects.into_iter();
    let contents = Contents {
        objects: objects.map(|located| located.object).collect(),
        ..Contents::default()
    };
    let mut control = Control::new(Network {
        bind: Vec::new(),
        own: Vec::new(),
    });
    let orders = control.replace(contents, &crate::now()).orders;
    match orders.as_slice() {
        [Order::Serve { snapshot, .. }] => Arc::clone(snapshot),
        other => panic!("{other:?}"),
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((HERE, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

#[tokio::test]
async fn addresses_that_cannot_be_bound_leave_what_works() {
    let mut scene = Scene::new(DataPlane::start);
    let served = scene.address(HERE);
    assert!(scene.serve(&[HERE]).await.unwrap().is_complete());
    // The second would fail for its first address alone, which is only held by the one before.
    for bind in [[ELSEWHERE].as_slice(), &[HERE, ELSEWHERE]] {
        let applied = scene.serve(bind).await.unwrap();
        assert!(!applied.is_complete(), "{bind:?}");
        assert!(TcpStream::connect(served).is_ok(), "{bind:?}");
        assert!(scene.fleet.is_incomplete(), "{bind:?}");
        assert_eq!(scene.fleet.retry().await.len(), 0, "{bind:?}");
        assert!(TcpStream::connect(served).is_ok(), "{bind:?}");
        assert!(scene.fleet.admin.readiness().is_ready(), "{bind:?}");
    }
    assert!(scene.serve(&[HERE]).await.unwrap().is_complete());
    assert!(TcpStream::connect(served).is_ok());
    assert!(!scene.fleet.is_incomplete());
}

#[tokio::test]
async fn a_gateway_moves_to_other_addresses() {
    let mut scene = Scene::new(DataPlane::start);
    scene.serve(&[HERE]).await;
    // After one that cannot be bound, and to some that meet the old ones.
    for bind in [ELSEWHERE, "127.0.0.2", "0.0.0.0", "127.0.0.3"] {
        let applied = scene.serve(&[bind]).await.unwrap();
        assert_eq!(applied.is_complete(), bind != ELSEWHERE, "{bind}");
    }
    while scene.fleet.leaving.join_next().await.is_some() {}
    assert!(TcpStream::connect(scene.address("127.0.0.3")).is_ok());
    assert!(TcpStream::connect(scene.address(HERE)).is_err());
}

#[tokio::test]
async fn a_data_plane_that_does_not_start_is_started_later() {
    static FAILS: AtomicBool = AtomicBool::new(true);
    let start = |config| {
        if FAILS.load(Ordering::Relaxed) {
            let error = io::ErrorKind::WouldBlock.into();
            Err(StartError::Worker { index: 0, error })
        } else {
            DataPlane::start(config)
        }
    };
    let mut scene = Scene::new(start);
    assert!(scene.serve(&[HERE]).await.is_none());
    assert!(scene.fleet.is_incomplete());
    assert_eq!(scene.fleet.retry().await.len(), 0);
    assert!(!scene.fleet.admin.readiness().is_ready());

    FAILS.store(false, Ordering::Relaxed);
    let news = scene.fleet.retry().await;
    assert!(matches!(news.as_slice(), [(_, applied)] if applied.is_complete()));
    assert!(!scene.fleet.is_incomplete());
    assert!(scene.fleet.admin.readiness().is_ready());
    assert!(TcpStream::connect(scene.address(HERE)).is_ok());
}
