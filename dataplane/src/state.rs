//! What is served now: one value that requests load once, replaced whole by each apply.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use portcullis_ir::{ListenerId, ObjectKey, PortKey, Snapshot, Transport};
use portcullis_table::Family;
use tokio::sync::Semaphore;

use crate::access_log::AccessLog;
use crate::admin::Kept;
use crate::config::Config;
use crate::datagram::{self, SessionLimits};
use crate::http::routing::Routing;
use crate::limits;
use crate::listener::tls::Terminator;
use crate::metrics::Metrics;
use crate::upstream::cluster::Clusters;

/// What all workers of a data plane share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// What is served now.
    pub(crate) live: ArcSwap<Live>,
    /// Room for client connections.
    pub(crate) connections: Arc<Semaphore>,
    /// All backends.
    pub(crate) clusters: Clusters,
    /// Where requests are logged.
    pub(crate) access_log: AccessLog,
    /// What bounds the UDP sessions of each worker.
    pub(crate) datagrams: SessionLimits,
    /// How long a client may pause within a request's body.
    pub(crate) body_timeout: Duration,
}

/// What is served by one snapshot.
#[derive(Debug)]
pub(crate) struct Live {
    /// One more than what was served before, so that who has looked at this one knows it again.
    pub(crate) serial: u64,
    /// The snapshot itself, to show and to compare the next with.
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) routing: Arc<Routing>,
    /// By listener; those without are not TLS.
    pub(crate) terminators: Arc<BTreeMap<ListenerId, Arc<Terminator>>>,
    /// Credentials in force that the snapshot no longer has; to show.
    pub(crate) kept: Kept,
}

/// What a port speaks, of what is served so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PortFamily {
    /// HTTP in clear text.
    Http,
    /// TLS, with the listener chosen by SNI.
    Tls,
    /// Bytes that are forwarded as they are.
    Tcp,
}

impl Shared {
    /// Serves nothing.
    pub(crate) fn new(config: &Config) -> Self {
        let clusters = Clusters::default();
        let nothing = Snapshot::empty(ObjectKey::new("", ""), 0);
        let metrics = Metrics::new().gateway(&nothing.gateway);
        let routing = Routing::new(&nothing, None, &clusters, &metrics);
        let live = Live {
            serial: 0,
            routing: Arc::new(routing),
            kept: Kept::default(),
            terminators: Arc::default(),
            snapshot: Arc::new(nothing),
        };
        Self {
            live: ArcSwap::from_pointee(live),
            connections: Arc::new(Semaphore::new(limits::MAX_CONNECTIONS)),
            clusters,
            access_log: config.access_log.clone(),
            datagrams: datagram::limits_of_worker(config.datagrams, config.workers),
            body_timeout: config.body_timeout,
        }
    }
}

impl Live {
    /// Whether `snapshot` is routed as this is: endpoints are in the clusters and certificates in
    /// the terminators.
    pub(crate) fn routes_like(&self, snapshot: &Snapshot) -> bool {
        self.snapshot.gateway == snapshot.gateway
            && self.snapshot.listeners == snapshot.listeners
            && self.snapshot.http_routes == snapshot.http_routes
            && self.snapshot.l4_routes == snapshot.l4_routes
    }

    pub(crate) fn family(&self, port: NonZeroU16) -> Option<PortFamily> {
        match self.routing.table.port(tcp(port))?.family() {
            Family::Http => Some(PortFamily::Http),
            Family::Tls => Some(PortFamily::Tls),
            Family::Tcp => Some(PortFamily::Tcp),
            Family::Udp => None,
        }
    }
}

/// A TCP port by its number.
pub(crate) fn tcp(port: NonZeroU16) -> PortKey {
    PortKey {
        port,
        transport: Transport::Tcp,
    }
}
