use std::net::{IpAddr, Ipv4Addr};

use portcullis_ir::ObjectKey;

use super::*;
use crate::listener::tls::Credentials;
use crate::metrics::Metrics;

fn backend(ports: &[u16]) -> Arc<Backend> {
    let endpoint = |port: &u16| Endpoint {
        host: EndpointHost::Ip(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        port: *port,
    };
    Arc::new(Backend {
        protocol: BackendProtocol::Http1,
        tls: None,
        endpoints: ports.iter().map(endpoint).collect(),
    })
}

fn update(clusters: &Clusters, to: &SharedMap<BackendId, Arc<Backend>>) -> ClusterChange {
    let metrics = Metrics::new().gateway(&ObjectKey::new("default", "gateway"));
    let setup = Setup {
        credentials: &Credentials::default(),
        metrics: &metrics,
    };
    let snapshot = Snapshot {
        backends: to.clone(),
        ..Snapshot::empty(ObjectKey::new("default", "gateway"), 1)
    };
    clusters.update(&snapshot, &setup)
}

async fn next(cluster: &Cluster, tried: &[u16]) -> Option<u16> {
    let tried: Vec<_> = tried
        .iter()
        .map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, *port)))
        .collect();
    cluster.next(&tried).await.map(|pick| pick.address.port())
}

#[tokio::test]
async fn endpoints_take_turns() {
    let cluster = Cluster::new(&backend(&[1, 2, 3]), None, &Names::default());
    let mut picks = Vec::new();
    for _ in 0..6 {
        picks.push(next(&cluster, &[]).await.unwrap());
    }
    assert_eq!(picks, [1, 2, 3, 1, 2, 3]);
}

#[tokio::test]
async fn an_endpoint_that_failed_is_passed_over_unless_it_is_the_only_one() {
    let cluster = Cluster::new(&backend(&[1, 2]), None, &Names::default());
    for _ in 0..4 {
        assert_eq!(next(&cluster, &[1]).await, Some(2));
    }
    let cluster = Cluster::new(&backend(&[1]), None, &Names::default());
    assert_eq!(next(&cluster, &[1]).await, Some(1));
}

#[tokio::test]
async fn further_attempts_take_nobodys_turn() {
    let cluster = Cluster::new(&backend(&[1, 2]), None, &Names::default());
    for expected in [1, 2, 1, 2] {
        let first = next(&cluster, &[]).await.unwrap();
        assert_eq!(first, expected);
        assert_eq!(next(&cluster, &[first]).await, Some(3 - first));
    }
}

#[tokio::test]
async fn further_attempts_are_spread_over_the_endpoints() {
    let cluster = Cluster::new(&backend(&[1, 2, 3, 4]), None, &Names::default());
    let mut picks = [0; 5];
    for _ in 0..12 {
        picks[usize::from(next(&cluster, &[1]).await.unwrap())] += 1;
    }
    assert_eq!(picks[1], 0);
    assert!(picks[2..].iter().all(|count| *count >= 3), "{picks:?}");
    let all = [1, 2, 3, 4];
    assert_ne!(next(&cluster, &all).await, next(&cluster, &all).await);
}

#[tokio::test]
async fn no_endpoint_is_no_pick() {
    let cluster = Cluster::new(&backend(&[]), None, &Names::default());
    assert_eq!(next(&cluster, &[]).await, None);
}

#[tokio::test]
async fn a_cluster_stays_when_its_endpoints_change() {
    let id = BackendId::new("Service/default/a/80");
    let clusters = Clusters::default();
    let first = SharedMap::from([(id.clone(), backend(&[1]))]);
    assert_eq!(update(&clusters, &first), ClusterChange::None);
    let cluster = clusters.cluster(&id).unwrap();
    let second = SharedMap::from([(id.clone(), backend(&[2]))]);
    assert_eq!(update(&clusters, &second), ClusterChange::None);
    assert_eq!(next(&cluster, &[]).await, Some(2));
    assert_eq!(update(&clusters, &SharedMap::new()), ClusterChange::None);
    assert!(clusters.cluster(&id).is_none());
    // A rule may have been compiled without it since.
    assert_eq!(update(&clusters, &first), ClusterChange::Rewired);
    assert!(clusters.cluster(&id).is_some());
    assert_eq!(update(&clusters, &second), ClusterChange::None);
}
