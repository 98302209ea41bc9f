//! Where a request was taken: how it is counted and logged.

use std::sync::Arc;

use portcullis_ir::{ListenerId, ObjectKey};
use portcullis_table::RuleSite;

use crate::access_log::Place;
use crate::metrics::{GatewayMetrics, RouteMetrics};

/// Where a request was taken.
#[derive(Debug)]
pub(crate) struct Spot {
    /// For the access log.
    pub(crate) place: Arc<Place>,
    /// `None` if no route took it.
    pub(crate) metrics: Option<Arc<RouteMetrics>>,
}

impl Spot {
    /// For requests that no route takes; `listener` is `None` if no listener does either.
    pub(crate) fn unrouted(gateway: &ObjectKey, listener: Option<&ListenerId>) -> Arc<Self> {
        let place = Place {
            gateway: gateway.clone(),
            listener: listener.cloned(),
            route: None,
            rule: None,
        };
        Arc::new(Self {
            place: Arc::new(place),
            metrics: None,
        })
    }

    /// For requests that a rule takes on a listener.
    pub(crate) fn of_rule(
        gateway: &ObjectKey,
        site: &RuleSite<'_>,
        metrics: &GatewayMetrics,
    ) -> Arc<Self> {
        let RuleSite {
            listener,
            route,
            index,
            rule,
        } = *site;
        let name = rule.name.as_deref();
        let place = Place {
            gateway: gateway.clone(),
            listener: Some(listener.clone()),
            route: Some(route.clone()),
            rule: Some(name.map_or_else(|| index.to_string().into(), Arc::from)),
        };
        Arc::new(Self {
            place: Arc::new(place),
            metrics: Some(metrics.route(listener, route)),
        })
    }
}
