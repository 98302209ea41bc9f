use std::convert::Infallible;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use kube::client::Body;
use parking_lot::Mutex;
use serde_json::json;
use tokio::time::Instant;
use tonic::codegen::{BoxFuture, Service};

use super::*;

const NOW: i64 = 1_800_000_000;

/// An API server that holds one Secret.
#[derive(Clone, Default)]
struct Cluster(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    secret: Option<Secret>,
    version: u64,
    writes: usize,
    /// Another is faster at the next write.
    is_contended: bool,
}

impl Held {
    fn answer(&mut self, method: &Method, body: &[u8]) -> (u16, Vec<u8>) {
        if method != Method::GET {
            let secret: Secret = serde_json::from_slice(body).unwrap();
            let held = self.secret.as_ref();
            let based_on = secret.metadata.resource_version.clone();
            let is_current = based_on == held.and_then(|it| it.metadata.resource_version.clone());
            if std::mem::take(&mut self.is_contended) || !is_current {
                return (409, status(409));
            }
            self.keep(secret);
            self.writes += 1;
        }
        match &self.secret {
            Some(secret) => (200, serde_json::to_vec(secret).unwrap()),
            None => (404, status(404)),
        }
    }

    fn keep(&mut self, mut secret: Secret) {
        self.version += 1;
        secret.metadata.resource_version = Some(self.version.to_string());
        self.secret = Some(secret);
    }
}

fn status(code: u16) -> Vec<u8> {
    let reason = if code == 404 { "NotFound" } else { "Conflict" };
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure",
        "message": reason, "reason": reason, "code": code,
    });
    status.to_string().into_bytes()
}

impl Service<Request<Body>> for Cluster {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let held = Arc::clone(&self.0);
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let (code, text) = held.lock().answer(&head.method, &body);
            let mut response = Response::new(Full::from(text));
            *response.status_mut() = code.try_into().unwrap();
            Ok(response)
        })
    }
}

/// A replica of the controller.
struct Replica {
    keeper: Keeper,
    authority: Authority,
    leadership: Leadership,
}

impl Replica {
    fn follower(cluster: &Cluster) -> Self {
        let client = Client::new(cluster.clone(), "ns");
        let leadership = Leadership::none();
        let names = Names::of_service("portcullis-controller", "ns");
        let (keeper, authority) = Keeper::new(client, "ns", names, leadership.clone());
        Self {
            keeper,
            authority,
            leadership,
        }
    }

    fn leader(cluster: &Cluster) -> Self {
        let mut replica = Self::follower(cluster);
        let until = Instant::now() + Duration::from_hours(1);
        replica.leadership.grant(until);
        replica.keeper.leading_since = Some(NOW);
        replica
    }

    async fn look(&mut self, now: i64) {
        self.keeper.look(now).await.unwrap();
    }

    fn bundle(&self) -> Option<Bundle> {
        self.authority.bundle().borrow().clone()
    }

    fn certificate(&self) -> Option<Arc<CertifiedKey>> {
        self.authority.server.borrow().clone()
    }
}

#[tokio::test]
async fn the_leader_makes_it_and_the_others_use_it() {
    let cluster = Cluster::default();
    let mut follower = Replica::follower(&cluster);
    follower.look(NOW).await;
    assert_eq!(cluster.0.lock().writes, 0);
    assert!(follower.certificate().is_none());

    let mut leader = Replica::leader(&cluster);
    leader.look(NOW).await;
    assert_eq!(cluster.0.lock().writes, 1);
    follower.look(NOW).await;
    assert!(leader.bundle().is_some());
    assert_eq!(leader.bundle(), follower.bundle());
    assert!(leader.certificate().is_some() && follower.certificate().is_some());

    leader.look(NOW + 1).await;
    assert_eq!(cluster.0.lock().writes, 1, "nothing to change");
}

#[tokio::test]
async fn the_server_certificate_is_made_anew_at_half_of_its_life() {
    let cluster = Cluster::default();
    let mut leader = Replica::leader(&cluster);
    leader.look(NOW).await;
    let first = leader.certificate().unwrap();
    leader.look(NOW + 12 * 3600 - 1).await;
    assert!(Arc::ptr_eq(&first, &leader.certificate().unwrap()));
    leader.look(NOW + 12 * 3600).await;
    assert!(!Arc::ptr_eq(&first, &leader.certificate().unwrap()));
}

#[tokio::test]
async fn what_another_wrote_meanwhile_stays() {
    let cluster = Cluster::default();
    let mut first = Replica::leader(&cluster);
    cluster.0.lock().is_contended = true;
    first.look(NOW).await;
    assert_eq!(first.bundle(), None, "what was not written is not used");
    let mut other = Replica::leader(&cluster);
    other.look(NOW).await;
    first.look(NOW).await;
    assert_eq!(first.bundle(), other.bundle());
    assert_eq!(cluster.0.lock().writes, 1);
}

#[tokio::test]
async fn who_leads_no_more_writes_nothing() {
    let cluster = Cluster::default();
    let mut frozen = Replica::leader(&cluster);
    // Frozen past its lease: it does not know yet.
    frozen.leadership.revoke();
    frozen.look(NOW).await;
    assert_eq!(cluster.0.lock().writes, 0);
    assert_eq!(frozen.bundle(), None);
}

#[tokio::test]
async fn it_is_renewed_with_both_in_the_bundle() {
    let cluster = Cluster::default();
    let mut leader = Replica::leader(&cluster);
    leader.look(NOW).await;
    let count = |bundle: Option<Bundle>| bundle.unwrap().0.matches("BEGIN").count();
    assert_eq!(count(leader.bundle()), 1);
    let due = NOW + 250 * 24 * 3600;
    leader.look(due).await;
    assert_eq!(count(leader.bundle()), 2);
    let before = leader.keeper.signed_by.clone().unwrap().0;
    leader.look(due + 3600).await;
    let after = leader.keeper.signed_by.clone().unwrap().0;
    assert_ne!(before, after);
    assert_eq!(count(leader.bundle()), 2, "the one before is trusted still");
    leader.look(due + 7200).await;
    assert_eq!(count(leader.bundle()), 1);
}
