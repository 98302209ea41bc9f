use std::net::{IpAddr, Ipv4Addr};

use portcullis_ir::ObjectKey;

use super::*;
use crate::limits;
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

async fn pick(cluster: &Cluster) -> Pick {
    cluster.next(&[]).await.unwrap()
}

/// What a request finds that was given an endpoint at that port.
async fn find(cluster: &Cluster, port: u16, note: fn(&Cluster, &Pick)) {
    loop {
        let pick = pick(cluster).await;
        if pick.address.port() == port {
            return note(cluster, &pick);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_reached_is_left_to_a_request_now_and_then() {
    let cluster = Cluster::new(&backend(&[1, 2, 3]), None, &Names::default());
    find(&cluster, 2, Cluster::note_unreached).await;
    let mut picks = [0; 4];
    for _ in 0..300 {
        picks[usize::from(pick(&cluster).await.address.port())] += 1;
    }
    // What it cannot have, the others get alike.
    assert_eq!(picks[2], 0);
    assert!(picks[1] >= 140 && picks[3] >= 140, "{picks:?}");

    tokio::time::advance(limits::SHUNNED_FOR).await;
    let mut trials = 0;
    for _ in 0..300 {
        let pick = pick(&cluster).await;
        assert_eq!(pick.errand == Errand::Trial, pick.address.port() == 2);
        trials += usize::from(pick.errand == Errand::Trial);
    }
    assert_eq!(trials, 1);

    tokio::time::advance(limits::SHUNNED_FOR * 2).await;
    find(&cluster, 2, Cluster::note_reached).await;
    let mut picks = Vec::new();
    for _ in 0..3 {
        let pick = pick(&cluster).await;
        assert_eq!(pick.errand, Errand::Request);
        picks.push(pick.address.port());
    }
    picks.sort_unstable();
    assert_eq!(picks, [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn where_none_can_be_reached_all_are_tried() {
    let cluster = Cluster::new(&backend(&[1, 2]), None, &Names::default());
    for port in [1, 2] {
        find(&cluster, port, Cluster::note_unreached).await;
    }
    let first = pick(&cluster).await;
    assert_eq!(cluster.others(&first, &[]), Others::Unsound);
    let second = cluster.next(&[first.address]).await.unwrap();
    assert_ne!(second.address, first.address);
    assert_eq!(cluster.others(&second, &[first.address]), Others::None);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_comes_back_is_another() {
    let cluster = Cluster::new(&backend(&[1, 2]), None, &Names::default());
    let gone = loop {
        let pick = pick(&cluster).await;
        if pick.address.port() == 1 {
            break pick;
        }
    };
    cluster.note_unreached(&gone);
    cluster.update(&backend(&[2]), None, &Names::default());
    // Who was on its way there finds out late.
    cluster.note_unreached(&gone);
    cluster.update(&backend(&[1, 2]), None, &Names::default());
    let picks = [pick(&cluster).await, pick(&cluster).await];
    assert!(picks.iter().any(|pick| pick.address == gone.address));
    assert!(picks.iter().all(|pick| pick.errand == Errand::Request));
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
