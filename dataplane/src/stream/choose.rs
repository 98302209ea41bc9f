//! From a connection's listener and server name to its backend.

use std::sync::Arc;

use portcullis_table::{Destination, Host, ListenerTable};

use super::spot::ForwardSpot;
use crate::access_log::{Place, ResponseFlag};
use crate::http::routing::{Carried, Upstream};

/// Where a connection goes.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) spot: Arc<ForwardSpot>,
    pub(crate) upstream: Arc<Upstream>,
}

/// Why a connection goes nowhere.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) place: Arc<Place>,
    pub(crate) flag: ResponseFlag,
    /// What the flag leaves open.
    pub(crate) detail: Option<Arc<str>>,
}

/// The target of a connection on `listener` for `name` ([`Host::NONE`] on a TCP listener). Its turn
/// among the rule's backends is taken with that.
///
/// "Connection rejections must respect weight; if an invalid backend is requested to have 80% of
/// connections, then 80% of connections must be rejected instead." (`TCPRouteRule.BackendRefs`)
pub(crate) fn choose(
    listener: &ListenerTable<Carried>,
    name: &Host<'_>,
) -> Result<Target, Refused> {
    let Some(rule) = listener.forward(name) else {
        return Err(Refused {
            place: Arc::clone(&listener.attached.place),
            flag: ResponseFlag::NoRoute,
            detail: None,
        });
    };
    let spot = &rule.attached;
    spot.metrics.connections.increment();
    let refused = |flag, detail| Refused {
        place: Arc::clone(&spot.place),
        flag,
        detail,
    };
    match rule.backends.pick() {
        Destination::Backend(upstream) if upstream.cluster.is_empty() => {
            Err(refused(ResponseFlag::NoEndpoints, None))
        }
        Destination::Backend(upstream) => Ok(Target {
            spot: Arc::clone(spot),
            upstream: Arc::clone(upstream),
        }),
        Destination::Invalid { reason } => Err(refused(
            ResponseFlag::InvalidBackend,
            Some(Arc::clone(reason)),
        )),
    }
}
