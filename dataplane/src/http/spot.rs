//! Where a request was taken: what is counted and logged for it, prepared per snapshot.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use portcullis_ir::{ListenerId, ObjectKey, RouteId, Snapshot};

use crate::access_log::Place;
use crate::metrics::{GatewayMetrics, RouteMetrics};

/// Where a request was taken.
#[derive(Clone, Debug)]
pub(crate) struct Spot {
    /// For the access log.
    pub(crate) place: Arc<Place>,
    /// `None` if no route took it.
    pub(crate) metrics: Option<Arc<RouteMetrics>>,
}

/// The spots of all rules on all listeners.
#[derive(Debug)]
pub(crate) struct Spots {
    listeners: HashMap<ListenerId, ListenerSpots, RandomState>,
    /// For requests that no listener takes.
    nowhere: Spot,
}

#[derive(Debug)]
struct ListenerSpots {
    /// For requests that no route takes.
    unrouted: Spot,
    /// By route; the rules in their order.
    routes: HashMap<RouteId, Vec<Spot>, RandomState>,
}

impl Spots {
    /// Prepares those of `snapshot`.
    pub(crate) fn new(snapshot: &Snapshot, metrics: &GatewayMetrics) -> Self {
        let gateway = &snapshot.gateway;
        let spots = |id: &ListenerId| ListenerSpots {
            unrouted: unrouted(gateway, Some(id.clone())),
            routes: HashMap::default(),
        };
        let listeners = snapshot.listeners.keys().map(|id| (id.clone(), spots(id)));
        let mut listeners: HashMap<_, _, _> = listeners.collect();
        for (route, content) in &snapshot.http_routes {
            for attachment in &content.attachments {
                let id = &attachment.listener;
                let Some(listener) = listeners.get_mut(id) else {
                    continue;
                };
                let metrics = metrics.route(id, route);
                let names = content.rules.iter().map(|rule| rule.name.as_deref());
                let spot = |(index, name): (usize, Option<&str>)| Spot {
                    place: Arc::new(Place {
                        gateway: gateway.clone(),
                        listener: Some(id.clone()),
                        route: Some(route.clone()),
                        rule: Some(name.map_or_else(|| index.to_string().into(), Arc::from)),
                    }),
                    metrics: Some(Arc::clone(&metrics)),
                };
                let spots = names.enumerate().map(spot).collect();
                listener.routes.insert(route.clone(), spots);
            }
        }
        Self {
            listeners,
            nowhere: unrouted(gateway, None),
        }
    }

    /// That of a rule on a listener.
    pub(crate) fn of_rule(&self, listener: &ListenerId, route: &RouteId, rule: usize) -> Spot {
        let found = self.listeners.get(listener);
        let found = found.and_then(|listener| listener.routes.get(route)?.get(rule));
        found.unwrap_or(&self.nowhere).clone()
    }

    /// That of a listener none of whose rules match.
    pub(crate) fn of_listener(&self, listener: &ListenerId) -> Spot {
        let found = self
            .listeners
            .get(listener)
            .map(|listener| &listener.unrouted);
        found.unwrap_or(&self.nowhere).clone()
    }

    /// That of requests for no listener.
    pub(crate) fn nowhere(&self) -> Spot {
        self.nowhere.clone()
    }
}

fn unrouted(gateway: &ObjectKey, listener: Option<ListenerId>) -> Spot {
    let place = Place {
        gateway: gateway.clone(),
        listener,
        route: None,
        rule: None,
    };
    Spot {
        place: Arc::new(place),
        metrics: None,
    }
}
