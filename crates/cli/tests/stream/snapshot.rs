//! What is served.

use std::sync::Arc;

use portcullis_ir::matcher::{HttpMatch, PathMatcher};
use portcullis_ir::route::{RouteKind, Timeouts};
use portcullis_ir::{
    Attachment, HostPattern, HttpRoute, HttpRule, Listener, ListenerId, ListenerProtocol,
    ObjectKey, RouteHost, RouteId, RouteOrigin, Snapshot,
};

const LISTENER: &str = "Gateway/default/g/web";

/// Gateway `default/g` with one listener and so many routes.
pub(crate) fn snapshot(generation: i64, routes: usize) -> Arc<Snapshot> {
    Arc::new(of_gateway("g", generation, routes))
}

pub(crate) fn of_gateway(gateway: &str, generation: i64, routes: usize) -> Snapshot {
    let mut snapshot = Snapshot::empty(ObjectKey::new("default", gateway), generation);
    let listener = Listener {
        port: 80.try_into().unwrap(),
        hostname: HostPattern::Any,
        protocol: ListenerProtocol::Http,
    };
    snapshot
        .listeners
        .insert(ListenerId::new(LISTENER), listener);
    for number in 0..routes {
        let (id, route) = route(number);
        snapshot.http_routes.insert(id, Arc::new(route));
    }
    snapshot
}

/// The same at another port.
pub(crate) fn at_port(snapshot: &Snapshot, port: u16) -> Arc<Snapshot> {
    let mut moved = snapshot.clone();
    let id = ListenerId::new(LISTENER);
    let listener = Listener {
        port: port.try_into().unwrap(),
        ..snapshot.listeners.get(&id).unwrap().clone()
    };
    moved.listeners.insert(id, listener);
    Arc::new(moved)
}

fn route(number: usize) -> (RouteId, HttpRoute) {
    let host = HostPattern::parse(&format!("host-{number}.example.com")).unwrap();
    let mut matched = HttpMatch::every_request();
    matched.path = PathMatcher::Prefix(format!("/service-{number}"));
    let rule = HttpRule {
        name: None,
        matches: vec![matched],
        filters: Vec::new(),
        backends: Vec::new(),
        timeouts: Timeouts::default(),
        retry: None,
    };
    let name = format!("route-{number}");
    let route = HttpRoute {
        origin: RouteOrigin {
            kind: RouteKind::Http,
            key: ObjectKey::new("default", name.as_str()),
            created: None,
        },
        attachments: vec![Attachment {
            listener: ListenerId::new(LISTENER),
            hosts: vec![RouteHost {
                effective: host.clone(),
                configured: host,
            }],
        }],
        rules: vec![rule],
    };
    (RouteId::new(format!("HTTPRoute/default/{name}")), route)
}
