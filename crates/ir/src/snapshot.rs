//! The whole configuration of one Gateway's data plane.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use portcullis_shared::SharedMap;
use serde::Serialize;
use siphasher::sip::SipHasher13;

use crate::backend::Backend;
use crate::ident::{
    BackendId, CertificateId, ListenerId, ObjectKey, RouteId, TrustBundleId, Version,
};
use crate::listener::Listener;
use crate::route::{HttpRoute, L4Route};
use crate::tls::{Certificate, TrustBundle};

/// Everything one Gateway's data plane serves.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Snapshot {
    /// The Gateway this is for.
    pub gateway: ObjectKey,
    /// `metadata.generation` of that Gateway; a data plane that applied this snapshot has
    /// programmed that generation.
    pub generation: i64,
    /// The listeners to bind. One that is refused (conflicted, of a protocol that is not served) is
    /// not here, unless its absence would open its names to a less specific listener: then it is
    /// here without routes, or with a certificate that is never usable.
    pub listeners: SharedMap<ListenerId, Listener>,
    /// Server certificates that the listeners name, and client certificates that backends name.
    pub certificates: SharedMap<CertificateId, Certificate>,
    /// CA bundles that listeners and backends name.
    pub trust_bundles: SharedMap<TrustBundleId, TrustBundle>,
    /// HTTPRoutes, and GRPCRoutes lowered to the same shape.
    pub http_routes: SharedMap<RouteId, Arc<HttpRoute>>,
    /// TLSRoutes, TCPRoutes and UDPRoutes.
    pub l4_routes: SharedMap<RouteId, Arc<L4Route>>,
    /// The backends that the routes name, with their current endpoints.
    pub backends: SharedMap<BackendId, Arc<Backend>>,
}

impl Snapshot {
    /// The snapshot of a Gateway that serves nothing.
    pub fn empty(gateway: ObjectKey, generation: i64) -> Self {
        Self {
            gateway,
            generation,
            listeners: SharedMap::new(),
            certificates: SharedMap::new(),
            trust_bundles: SharedMap::new(),
            http_routes: SharedMap::new(),
            l4_routes: SharedMap::new(),
            backends: SharedMap::new(),
        }
    }

    /// The content hash of all of it.
    pub fn version(&self) -> Version {
        let mut hasher = SipHasher13::new();
        self.hash(&mut hasher);
        Version(hasher.finish())
    }
}
