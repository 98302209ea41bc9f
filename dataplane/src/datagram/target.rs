//! Where a session leads, and whether it still does.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::sync::Arc;

use portcullis_ir::{PortKey, Transport};
use portcullis_table::{Backends, Destination, Host};

use crate::http::routing::{Routing, Upstream};
use crate::metrics::DatagramDrop;
use crate::state::Live;
use crate::upstream::cluster::Cluster;

/// What the route of a port has for a new session.
#[derive(Debug)]
pub(super) enum Choice {
    /// Endpoints of a backend.
    Backend(Arc<Cluster>),
    /// Nothing: as long as nothing changes, all its datagrams are dropped.
    ///
    /// "Packet drops must respect weight; if an invalid backend is requested to have 80% of the
    /// packets, then 80% of packets must be dropped instead." (`UDPRouteRule.BackendRefs`) So those
    /// sessions are kept like any other.
    Nothing(DatagramDrop),
    /// There is no route.
    NoRoute,
}

impl Choice {
    /// By the weights of the port's route.
    pub(super) fn next(live: &Live, port: NonZeroU16) -> Self {
        let Some(backends) = backends(&live.routing, port) else {
            return Self::NoRoute;
        };
        match backends.pick() {
            Destination::Backend(upstream) if upstream.cluster.members().is_empty() => {
                Self::Nothing(DatagramDrop::NoEndpoint)
            }
            Destination::Backend(upstream) => Self::Backend(Arc::clone(&upstream.cluster)),
            Destination::Invalid { reason: _ } => Self::Nothing(DatagramDrop::InvalidBackend),
        }
    }
}

/// Whether the port's route still leads to that endpoint of that backend.
pub(super) fn leads_to(
    live: &Live,
    port: NonZeroU16,
    cluster: &Arc<Cluster>,
    endpoint: SocketAddr,
) -> bool {
    let is_same = |destination: &Destination<Arc<Upstream>>| match destination {
        Destination::Backend(upstream) => Arc::ptr_eq(&upstream.cluster, cluster),
        Destination::Invalid { reason: _ } => false,
    };
    backends(&live.routing, port).is_some_and(|backends| backends.destinations().any(is_same))
        && cluster.members().offer(endpoint)
}

fn backends(routing: &Routing, port: NonZeroU16) -> Option<&Backends<Arc<Upstream>>> {
    let key = PortKey {
        port,
        transport: Transport::Udp,
    };
    let listener = routing.table.port(key)?.listener(&Host::NONE)?;
    let rule = listener.forward(&Host::NONE)?;
    Some(&*rule.backends)
}
