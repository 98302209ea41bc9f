//! What is served now: one value that requests load once, replaced whole by each apply.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU16;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use portcullis_ir::filter::Filter;
use portcullis_ir::{
    Backend, BackendId, BackendProtocol, ListenerId, ObjectKey, PortKey, RouteId, Snapshot,
    Transport,
};
use portcullis_table::{Family, Rule, Table, Target};
use tokio::sync::Semaphore;

use crate::access_log::AccessLog;
use crate::admin::Kept;
use crate::http::filter::{Filters, Redirect};
use crate::http::spot::Spots;
use crate::limits;
use crate::listener::tls::Terminator;
use crate::metrics::Metrics;
use crate::upstream::cluster::{Cluster, Clusters};
use crate::upstream::resolve::Names;

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

/// What listeners and routes alone decide: kept when only endpoints or certificates change.
#[derive(Debug)]
pub(crate) struct Routing {
    pub(crate) table: Table<Upstream>,
    pub(crate) redirects: Redirects,
    pub(crate) spots: Spots,
}

/// A backendRef of a rule, with what is done to requests that go there.
///
/// The table holds a clone per backendRef, and a clone starts without filters: they are compiled
/// with the first request, since the table shows a rule's filters only then.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) cluster: Arc<Cluster>,
    filters: OnceLock<Arc<Filters>>,
}

impl Clone for Upstream {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.cluster))
    }
}

/// The redirects of the rules that have one.
pub(crate) type Redirects = HashMap<(RouteId, usize), Redirect>;

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
    pub(crate) fn new(access_log: AccessLog) -> Self {
        let clusters = Clusters::default();
        let nothing = Snapshot::empty(ObjectKey::new("", ""), 0);
        let routing = Routing {
            table: Table::build(&nothing, None, |id| upstream(&clusters, id)),
            redirects: Redirects::new(),
            spots: Spots::new(&nothing, &Metrics::new().gateway(&nothing.gateway)),
        };
        let live = Live {
            routing: Arc::new(routing),
            kept: Kept::default(),
            terminators: BTreeMap::new(),
            snapshot: Arc::new(nothing),
        };
        Self {
            live: ArcSwap::from_pointee(live),
            connections: Arc::new(Semaphore::new(limits::MAX_CONNECTIONS)),
            clusters,
            access_log,
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

impl Upstream {
    pub(crate) fn new(cluster: Arc<Cluster>) -> Self {
        Self {
            cluster,
            filters: OnceLock::new(),
        }
    }

    /// The filters for requests of `rule` that go to `target`, whose handle this is.
    pub(crate) fn filters(&self, rule: &Rule<Self>, target: &Target<Self>) -> Arc<Filters> {
        let compile = || Arc::new(Filters::compile(&rule.filters, &target.filters));
        Arc::clone(self.filters.get_or_init(compile))
    }
}

/// The redirects in `snapshot`.
pub(crate) fn redirects(snapshot: &Snapshot) -> Redirects {
    let mut redirects = Redirects::new();
    for (id, route) in &snapshot.http_routes {
        for (index, rule) in route.rules.iter().enumerate() {
            if let Some(redirect) = Filters::compile(&rule.filters, &[]).redirect() {
                redirects.insert((id.clone(), index), redirect.clone());
            }
        }
    }
    redirects
}

/// Whether a rule answers by itself.
pub(crate) fn has_redirect(filters: &[Filter]) -> bool {
    filters
        .iter()
        .any(|filter| matches!(filter, Filter::Redirect(_)))
}

/// The handle for a backend; one without endpoints if `clusters` lacks it.
pub(crate) fn upstream(clusters: &Clusters, id: &BackendId) -> Upstream {
    Upstream::new(clusters.cluster(id).unwrap_or_else(|| {
        let backend = Backend {
            protocol: BackendProtocol::Http1,
            endpoints: Vec::new(),
        };
        Arc::new(Cluster::new(&Arc::new(backend), &Names::default()))
    }))
}
