//! The things a state is made of.

use std::fmt;
use std::sync::Arc;

use portcullis_ir::tls::{Certificate, TrustBundle};
use portcullis_ir::{
    Backend, BackendId, CertificateId, HttpRoute, L4Route, Listener, ListenerId, RouteId,
    TrustBundleId,
};

/// One entry of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Of `Snapshot::listeners`.
    Listener(ListenerId, Listener),
    /// Of `Snapshot::certificates`.
    Certificate(CertificateId, Certificate),
    /// Of `Snapshot::trust_bundles`.
    TrustBundle(TrustBundleId, TrustBundle),
    /// Of `Snapshot::http_routes`.
    HttpRoute(RouteId, Arc<HttpRoute>),
    /// Of `Snapshot::l4_routes`.
    L4Route(RouteId, Arc<L4Route>),
    /// Of `Snapshot::backends`.
    Backend(BackendId, Arc<Backend>),
}

/// The name of one entry of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResourceId {
    /// Of `Snapshot::listeners`.
    Listener(ListenerId),
    /// Of `Snapshot::certificates`.
    Certificate(CertificateId),
    /// Of `Snapshot::trust_bundles`.
    TrustBundle(TrustBundleId),
    /// Of `Snapshot::http_routes`.
    HttpRoute(RouteId),
    /// Of `Snapshot::l4_routes`.
    L4Route(RouteId),
    /// Of `Snapshot::backends`.
    Backend(BackendId),
}

impl Resource {
    /// Its name.
    pub fn id(&self) -> ResourceId {
        match self {
            Self::Listener(id, _) => ResourceId::Listener(id.clone()),
            Self::Certificate(id, _) => ResourceId::Certificate(id.clone()),
            Self::TrustBundle(id, _) => ResourceId::TrustBundle(id.clone()),
            Self::HttpRoute(id, _) => ResourceId::HttpRoute(id.clone()),
            Self::L4Route(id, _) => ResourceId::L4Route(id.clone()),
            Self::Backend(id, _) => ResourceId::Backend(id.clone()),
        }
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listener(id) => write!(f, "listener {id}"),
            Self::Certificate(id) => write!(f, "certificate {id}"),
            Self::TrustBundle(id) => write!(f, "trust bundle {id}"),
            Self::HttpRoute(id) | Self::L4Route(id) => write!(f, "route {id}"),
            Self::Backend(id) => write!(f, "backend {id}"),
        }
    }
}
