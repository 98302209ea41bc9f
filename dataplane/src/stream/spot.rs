//! Where a connection was taken: how it is counted and logged.

use std::sync::Arc;

use portcullis_ir::ObjectKey;
use portcullis_table::ForwardSite;

use crate::access_log::Place;
use crate::metrics::{ForwardMetrics, GatewayMetrics};

/// Where a connection or datagram was taken: a layer 4 route on a listener.
#[derive(Debug)]
pub(crate) struct ForwardSpot {
    /// For the access log.
    pub(crate) place: Arc<Place>,
    pub(crate) metrics: Arc<ForwardMetrics>,
}

impl ForwardSpot {
    pub(crate) fn new(
        gateway: &ObjectKey,
        site: &ForwardSite<'_>,
        metrics: &GatewayMetrics,
    ) -> Arc<Self> {
        let ForwardSite {
            listener,
            route,
            rule,
        } = *site;
        let name = rule.name.as_deref().unwrap_or("0");
        let place = Place {
            gateway: gateway.clone(),
            listener: Some(listener.clone()),
            route: Some(route.clone()),
            rule: Some(name.into()),
        };
        Arc::new(Self {
            place: Arc::new(place),
            metrics: metrics.forward(listener, route),
        })
    }
}
