//! What is served now: one value that requests load once, replaced whole by each apply.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use portcullis_ir::{ListenerId, ObjectKey, PortKey, Snapshot, Transport};
use portcullis_table::Family;
use tokio::sync::Semaphore;

use crate::access_log::AccessLog;
use crate::admin::Kept;
use crate::config::Config;
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
    /// Who has been here.
    pub(crate) visits: Visits,
    /// All backends.
    pub(crate) clusters: Clusters,
    /// Where requests are logged.
    pub(crate) access_log: AccessLog,
    /// How long a client may pause within a request's body.
    pub(crate) body_timeout: Duration,
}

/// What is served by one snapshot.
#[derive(Debug)]
pub(crate) struct Live {
    /// The snapshot itself, to show and to compare the next with.
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) routing: Arc<Routing>,
    /// By listener; those without are not TLS.
    pub(crate) terminators: BTreeMap<ListenerId, Arc<Terminator>>,
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
}

impl Shared {
    /// Serves nothing.
    pub(crate) fn new(config: &Config) -> Self {
        let clusters = Clusters::default();
        let nothing = Snapshot::empty(ObjectKey::new("", ""), 0);
        let metrics = Metrics::new().gateway(&nothing.gateway);
        let routing = Routing::new(&nothing, None, &clusters, &metrics);
        let live = Live {
            routing: Arc::new(routing),
            kept: Kept::default(),
            terminators: BTreeMap::new(),
            snapshot: Arc::new(nothing),
        };
        Self {
            live: ArcSwap::from_pointee(live),
            connections: Arc::new(Semaphore::new(limits::MAX_CONNECTIONS)),
            visits: Visits::default(),
            clusters,
            access_log: config.access_log.clone(),
            body_timeout: config.body_timeout,
        }
    }
}

/// How many client connections are open, and when the last began or ended.
#[derive(Debug)]
pub(crate) struct Visits {
    start: Instant,
    open: AtomicUsize,
    /// Milliseconds after `start`; zero is never.
    last: AtomicU64,
}

impl Default for Visits {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            open: AtomicUsize::new(0),
            last: AtomicU64::new(0),
        }
    }
}

impl Visits {
    /// A connection began.
    pub(crate) fn begin(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.note();
    }

    /// A connection ended.
    pub(crate) fn end(&self) {
        self.note();
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether there is a connection, or was one within the last `span`.
    pub(crate) fn any_within(&self, span: Duration) -> bool {
        let last = self.last.load(Ordering::Relaxed);
        let lately = || {
            let span = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
            last > 0 && self.now().saturating_sub(last) <= span
        };
        self.open.load(Ordering::Relaxed) > 0 || lately()
    }

    fn note(&self) {
        self.last.store(self.now(), Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        let millis = self.start.elapsed().as_millis();
        u64::try_from(millis).unwrap_or(u64::MAX).max(1)
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
            Family::Tcp | Family::Udp => None,
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
