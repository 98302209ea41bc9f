//! Proptest strategies for snapshots, shared by the tests of every crate that takes one.
//!
//! What they make is valid as `translate` makes it: attachments name listeners that take their
//! kind, effective hostnames are intersections, prefixes end without `/`. Names, hosts and paths
//! come from small alphabets, so that rules collide often.

use std::num::NonZeroU16;
use std::sync::Arc;

use portcullis_shared::SharedMap;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::hostname::HostPattern;
use crate::ident::{BackendId, CertificateId, ListenerId, ObjectKey, RouteId, TrustBundleId};
use crate::listener::{Listener, ListenerProtocol};
use crate::route::{HttpRoute, L4Route, RouteKind, RouteOrigin};
use crate::snapshot::Snapshot;

mod action;
mod matcher;
mod route;
mod tls;

pub use action::weighted_backends;
pub use matcher::{grpc_match, http_match};

/// Whole snapshots with everything that may be in one.
pub fn snapshot() -> impl Strategy<Value = Snapshot> {
    listeners().prop_flat_map(|listeners| {
        let served = listeners.clone();
        (
            object_key(),
            any::<i64>(),
            http_routes(&listeners),
            l4_routes(&listeners),
            (tls::certificates(), tls::trust_bundles()),
            btree_map(backend_id(), action::backend().prop_map(Arc::new), 0..3),
        )
            .prop_map(
                move |(gateway, generation, http, l4, tls, backends)| Snapshot {
                    gateway,
                    generation,
                    listeners: served.clone(),
                    certificates: tls.0.into(),
                    trust_bundles: tls.1.into(),
                    http_routes: http,
                    l4_routes: l4,
                    backends: backends.into(),
                },
            )
    })
}

/// Snapshots that differ as two states of one Gateway do: each thing of the second is as in the
/// first, changed, gone or new. The second is a mixture: its listeners may contradict each other.
pub fn two_snapshots() -> impl Strategy<Value = (Snapshot, Snapshot)> {
    (snapshot(), snapshot(), any::<[bool; 6]>()).prop_map(|(old, mut new, kept)| {
        let [listeners, certificates, trust, http, l4, backends] = kept;
        keep(listeners, &old.listeners, &mut new.listeners);
        keep(certificates, &old.certificates, &mut new.certificates);
        keep(trust, &old.trust_bundles, &mut new.trust_bundles);
        keep(http, &old.http_routes, &mut new.http_routes);
        keep(l4, &old.l4_routes, &mut new.l4_routes);
        keep(backends, &old.backends, &mut new.backends);
        new.gateway = old.gateway.clone();
        (old, new)
    })
}

/// Puts every second entry of `old` into `new` too, if `kept`.
fn keep<K: Ord + Clone, V: Clone>(kept: bool, old: &SharedMap<K, V>, new: &mut SharedMap<K, V>) {
    if kept {
        let some = old.iter().step_by(2);
        new.extend(some.map(|(key, value)| (key.clone(), value.clone())));
    }
}

/// Hostnames that cover one another in many ways.
pub fn host_pattern() -> impl Strategy<Value = HostPattern> {
    let name = |text: &str| Arc::<str>::from(text);
    select(vec![
        HostPattern::Any,
        HostPattern::Wildcard(name("com")),
        HostPattern::Wildcard(name("a.com")),
        HostPattern::Wildcard(name("b.a.com")),
        HostPattern::Exact(name("a.com")),
        HostPattern::Exact(name("b.com")),
        HostPattern::Exact(name("b.a.com")),
        HostPattern::Exact(name("c.b.a.com")),
    ])
}

/// Object keys whose alphabetical order as text is not the one of their parts.
pub fn object_key() -> impl Strategy<Value = ObjectKey> {
    (select(vec!["a", "a-b"]), select(vec!["c", "d"]))
        .prop_map(|(namespace, name)| ObjectKey::new(namespace, name))
}

/// Origins that often tie in age.
pub fn origin(kinds: Vec<RouteKind>) -> impl Strategy<Value = RouteOrigin> {
    let created = option::of(-1..=1_i64);
    (select(kinds), object_key(), created).prop_map(|(kind, key, created)| RouteOrigin {
        kind,
        key,
        created,
    })
}

fn backend_id() -> impl Strategy<Value = BackendId> {
    select(vec![
        "Service/a/one/80",
        "Service/a/two/80",
        "Service/b/one/81",
    ])
    .prop_map(BackendId::new)
}

fn certificate_id() -> impl Strategy<Value = CertificateId> {
    select(vec!["Secret/a/one", "Secret/a/two"]).prop_map(CertificateId::new)
}

fn trust_bundle_id() -> impl Strategy<Value = TrustBundleId> {
    select(vec!["ConfigMap/a/ca", "Secret/a/ca"]).prop_map(TrustBundleId::new)
}

/// Listeners of one family on each port, with distinct hostnames.
fn listeners() -> impl Strategy<Value = SharedMap<ListenerId, Listener>> {
    let http = names(&[80, 8080]).prop_map(|names| with_protocol(names, &ListenerProtocol::Http));
    let tls = names(&[443, 8443])
        .prop_flat_map(|names| {
            let protocols = vec(tls::listener_protocol(), names.len());
            (Just(names), protocols)
        })
        .prop_map(|(names, protocols)| names.into_iter().zip(protocols).collect::<Vec<_>>());
    let plain = names(&[9000]).prop_map(|names| {
        let first = names.into_iter().take(1).collect();
        let mut both = with_protocol(first, &ListenerProtocol::Tcp);
        let udp = both
            .iter()
            .map(|(name, _)| (name.clone(), ListenerProtocol::Udp));
        both.extend(udp.collect::<Vec<_>>());
        both
    });
    (http, tls, plain).prop_map(|(http, tls, plain)| {
        let all = http.into_iter().chain(tls).chain(plain).enumerate();
        all.map(|(number, ((port, hostname), protocol))| {
            let id = ListenerId::new(format!("Gateway/a/c/listener-{number}"));
            let listener = Listener {
                port,
                hostname,
                protocol,
            };
            (id, listener)
        })
        .collect()
    })
}

type Name = (NonZeroU16, HostPattern);

fn names(ports: &[u16]) -> impl Strategy<Value = Vec<Name>> + use<> {
    let ports: Vec<_> = ports.iter().copied().filter_map(NonZeroU16::new).collect();
    btree_set((select(ports), host_pattern()), 0..4).prop_map(|names| names.into_iter().collect())
}

fn with_protocol(names: Vec<Name>, protocol: &ListenerProtocol) -> Vec<(Name, ListenerProtocol)> {
    let named = names.into_iter();
    named.map(|name| (name, protocol.clone())).collect()
}

fn http_routes(
    listeners: &SharedMap<ListenerId, Listener>,
) -> impl Strategy<Value = SharedMap<RouteId, Arc<HttpRoute>>> + use<> {
    let takers = listeners.iter().filter(|(_, listener)| {
        matches!(
            listener.protocol,
            ListenerProtocol::Http | ListenerProtocol::Https(_)
        )
    });
    let takers = takers.map(|(id, l)| (id.clone(), l.hostname.clone()));
    vec(route::http_route(takers.collect()), 0..5).prop_map(|routes| {
        let named = routes.into_iter();
        named
            .map(|route| (route_id(&route.origin), Arc::new(route)))
            .collect()
    })
}

fn l4_routes(
    listeners: &SharedMap<ListenerId, Listener>,
) -> impl Strategy<Value = SharedMap<RouteId, Arc<L4Route>>> + use<> {
    let takers = listeners.iter().filter(|(_, listener)| {
        !matches!(
            listener.protocol,
            ListenerProtocol::Http | ListenerProtocol::Https(_)
        )
    });
    let takers = takers.map(|(id, l)| (id.clone(), l.hostname.clone()));
    vec(route::l4_route(takers.collect()), 0..4).prop_map(|routes| {
        let named = routes.into_iter();
        named
            .map(|route| (route_id(&route.origin), Arc::new(route)))
            .collect()
    })
}

fn route_id(origin: &RouteOrigin) -> RouteId {
    let RouteOrigin {
        kind,
        key,
        created: _,
    } = origin;
    RouteId::new(format!("{kind:?}/{key}"))
}
