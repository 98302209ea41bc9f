//! What `translate` gives back.

use std::collections::BTreeSet;
use std::sync::Arc;

use portcullis_api::Kind;
use portcullis_api::gateway::{GatewayClassStatus, GatewayStatus};
use portcullis_api::listener_set::ListenerSetStatus;
use portcullis_api::status::{PolicyStatus, RouteStatus};
use portcullis_ir::{SharedMap, Snapshot};

use crate::infra::Infra;
use crate::listeners::GatewayDraft;
use crate::tls::termination::TlsFacts;

/// Everything that follows from the inputs.
///
/// Outputs of one [`crate::Translator`] that follow each other share what did not change: of any of
/// these maps, [`SharedMap::changes_since`] tells what is new at a cost that goes with what is new,
/// and what is equal to before is the same in memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Output {
    /// One entry per Gateway of ours.
    pub gateways: SharedMap<portcullis_ir::ObjectKey, GatewayOutput>,
    /// Gateways whose class is another controller's: what was made for them when they were ours is
    /// to go. A Gateway whose class is gone is in neither, and keeps what it has.
    pub foreign: BTreeSet<portcullis_ir::ObjectKey>,
    /// What is to be said about the users' objects.
    pub statuses: Statuses,
    /// When time alone will change the answer next, in seconds since the Unix epoch: a certificate
    /// begins or ceases to be valid. `None`: never.
    pub recheck_at: Option<i64>,
}

/// What one Gateway becomes.
#[derive(Clone, Debug, PartialEq)]
pub struct GatewayOutput {
    /// For its data planes.
    pub snapshot: Arc<Snapshot>,
    /// What its data planes need around them.
    pub infra: Arc<Infra>,
}

/// Statuses of the objects that are ours, or that name something of ours.
///
/// Conditions have no `lastTransitionTime`: who writes them fills it in, with
/// [`crate::status::carry_transition_times`]. A route's status holds our entries only; those of
/// other controllers must be kept by who writes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statuses {
    /// GatewayClasses of our controller.
    pub gateway_classes: StatusMap<GatewayClassStatus>,
    /// Gateways of those classes.
    pub gateways: StatusMap<GatewayStatus>,
    /// ListenerSets of those Gateways.
    pub listener_sets: StatusMap<ListenerSetStatus>,
    /// HTTPRoutes that name those Gateways or ListenerSets, or did: then without entries.
    pub http_routes: StatusMap<RouteStatus>,
    /// GRPCRoutes, likewise.
    pub grpc_routes: StatusMap<RouteStatus>,
    /// TLSRoutes, likewise.
    pub tls_routes: StatusMap<RouteStatus>,
    /// TCPRoutes, likewise.
    pub tcp_routes: StatusMap<RouteStatus>,
    /// UDPRoutes, likewise.
    pub udp_routes: StatusMap<RouteStatus>,
    /// BackendTLSPolicies about Services that routes on those Gateways name, or did: then without
    /// entries.
    pub backend_tls_policies: StatusMap<PolicyStatus>,
}

impl Statuses {
    /// Those of routes, kind by kind.
    pub fn routes(&self) -> [(Kind, &StatusMap<RouteStatus>); 5] {
        let Self {
            gateway_classes: _,
            gateways: _,
            listener_sets: _,
            http_routes,
            grpc_routes,
            tls_routes,
            tcp_routes,
            udp_routes,
            backend_tls_policies: _,
        } = self;
        [
            (Kind::HttpRoute, http_routes),
            (Kind::GrpcRoute, grpc_routes),
            (Kind::TlsRoute, tls_routes),
            (Kind::TcpRoute, tcp_routes),
            (Kind::UdpRoute, udp_routes),
        ]
    }

    /// Those of a kind of route; `None` for other kinds.
    pub(crate) fn routes_mut(&mut self, kind: Kind) -> Option<&mut StatusMap<RouteStatus>> {
        match kind {
            Kind::HttpRoute => Some(&mut self.http_routes),
            Kind::GrpcRoute => Some(&mut self.grpc_routes),
            Kind::TlsRoute => Some(&mut self.tls_routes),
            Kind::TcpRoute => Some(&mut self.tcp_routes),
            Kind::UdpRoute => Some(&mut self.udp_routes),
            _ => None,
        }
    }
}

/// Statuses by the objects they are of.
pub type StatusMap<S> = SharedMap<portcullis_api::ObjectKey, Arc<S>>;

/// A Gateway's snapshot without routes and backends, and without the CA bundles of backends. What is
/// equal in the one before is shared.
pub(crate) fn bare(
    key: portcullis_ir::ObjectKey,
    draft: &GatewayDraft<'_>,
    before: Option<&Snapshot>,
) -> Snapshot {
    let mut snapshot = Snapshot::empty(key, draft.object.generation());
    for listener in &draft.listeners {
        let Some(lowered) = listener.lower() else {
            continue;
        };
        if let Some(tls) = &listener.tls {
            let TlsFacts {
                certificates,
                bundles,
                termination: _,
                refused: _,
                unresolved: _,
            } = tls;
            snapshot.certificates.extend(certificates.clone());
            snapshot.trust_bundles.extend(bundles.clone());
        }
        snapshot.listeners.insert(listener.id.clone(), lowered);
    }
    let shown = draft.client_certificate.named.iter().cloned();
    snapshot.certificates.extend(shown);
    if let Some(before) = before {
        share(&mut snapshot.listeners, &before.listeners);
        share(&mut snapshot.certificates, &before.certificates);
    }
    snapshot
}

/// Puts an equal map of before in the place of a new one.
pub(crate) fn share<K: Ord, V: PartialEq>(map: &mut SharedMap<K, V>, before: &SharedMap<K, V>) {
    if map == before {
        map.clone_from(before);
    }
}
