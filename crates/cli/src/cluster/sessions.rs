//! What the data planes' pods hold, as the leading controller knows it.

use std::collections::BTreeMap;

use portcullis_api::ObjectKey;
use portcullis_controller::sessions::{Listing, Session};
use serde_json::Value;

use super::api::Cluster;
use super::error::ClusterError;
use super::pods::{Pod, Readiness};

/// Where a controller shows what it knows.
const ADMIN_PORT: u16 = 8080;

/// By pod.
pub(super) type Sessions = BTreeMap<ObjectKey, Session>;

/// Why the sessions are not known; nothing else fails for it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unknown {
    #[error(
        "no controller is ready in namespace {namespace}; is Portcullis elsewhere (--system-namespace)?"
    )]
    NoController { namespace: String },
    #[error("none of the controllers leads just now")]
    NoLeader,
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

/// Asks every controller until one says that it leads.
pub(super) async fn sessions(cluster: &Cluster, namespace: &str) -> Result<Sessions, Unknown> {
    let path = format!(
        "/api/v1/namespaces/{namespace}/pods?labelSelector=app.kubernetes.io/name=portcullis,\
         app.kubernetes.io/component=controller"
    );
    let pods = cluster.items(&path).await?;
    let ready = |item: &Value| {
        Pod::read(item).filter(|pod| !matches!(pod.readiness, Readiness::Terminating))
    };
    let mut failed = None;
    let mut asked = 0;
    for pod in pods.iter().filter_map(ready) {
        asked += 1;
        match listing(cluster, &pod.key).await {
            Ok(Listing {
                leader: true,
                sessions,
                ..
            }) => return Ok(by_pod(sessions)),
            Ok(_) => {}
            Err(error) => failed = Some(error),
        }
    }
    match (asked, failed) {
        (0, _) => Err(Unknown::NoController {
            namespace: namespace.to_owned(),
        }),
        (_, Some(error)) => Err(error.into()),
        (_, None) => Err(Unknown::NoLeader),
    }
}

async fn listing(cluster: &Cluster, pod: &ObjectKey) -> Result<Listing, ClusterError> {
    let answer = cluster.ask_pod(pod, ADMIN_PORT, "/sessions").await?;
    serde_json::from_str(&answer).map_err(|error| ClusterError::Forward {
        pod: pod.clone(),
        port: ADMIN_PORT,
        reason: format!("its answer cannot be read ({error}); is it of another version?"),
    })
}

fn by_pod(sessions: Vec<Session>) -> Sessions {
    let keyed = |session: Session| {
        let key = ObjectKey::new(session.namespace.as_str(), session.pod.as_str());
        (key, session)
    };
    sessions.into_iter().map(keyed).collect()
}
