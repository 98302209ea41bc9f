//! Routes: what is attached where, and what its rules say.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;

use crate::backend::WeightedBackend;
use crate::filter::Filter;
use crate::hostname::HostPattern;
use crate::ident::{ListenerId, ObjectKey};
use crate::matcher::HttpMatch;

/// Where a route comes from. Decides ties between routes, see [`crate::order`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct RouteOrigin {
    /// The kind of the user's object.
    pub kind: RouteKind,
    /// Its namespace and name.
    pub key: ObjectKey,
    /// `metadata.creationTimestamp`, seconds since the Unix epoch; `None` sorts after every time.
    pub created: Option<i64>,
}

/// The kinds of route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum RouteKind {
    /// `HTTPRoute`
    Http,
    /// `GRPCRoute`
    Grpc,
    /// `TLSRoute`
    Tls,
    /// `TCPRoute`
    Tcp,
    /// `UDPRoute`
    Udp,
}

/// A route's place on one listener.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Attachment {
    /// The listener that accepted the route.
    pub listener: ListenerId,
    /// The names it serves there; never empty.
    pub hosts: Vec<RouteHost>,
}

/// One name a route serves on a listener.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct RouteHost {
    /// What listener and route have in common: what requests are matched against.
    pub effective: HostPattern,
    /// What the route says: what precedence is taken from.
    ///
    /// "When multiple HTTPRoutes attach to the same Listener and yield identical Listener/Route
    /// intersected hostnames, implementations SHOULD evaluate precedence using the original
    /// hostnames configured on the Route" (`HTTPRouteSpec.Hostnames`).
    pub configured: HostPattern,
}

/// An HTTPRoute or GRPCRoute.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct HttpRoute {
    /// The user's object.
    pub origin: RouteOrigin,
    /// The listeners that accepted it.
    pub attachments: Vec<Attachment>,
    /// Its rules, in the user's order.
    pub rules: Vec<HttpRule>,
}

/// One rule of an HTTP route.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct HttpRule {
    /// The user's name for it.
    pub name: Option<String>,
    /// Alternatives; never empty.
    pub matches: Vec<HttpMatch>,
    /// What is done to what it matches.
    pub filters: Vec<Filter>,
    /// Where it goes. Empty with no redirect: answered 500.
    ///
    /// "If *all* entries in BackendRefs are invalid, and there are also no filters specified in
    /// this route rule, *all* traffic which matches this rule MUST receive a 500 status code."
    /// (`HTTPRouteRule.BackendRefs`)
    pub backends: Vec<WeightedBackend>,
    /// How long it may take.
    pub timeouts: Timeouts,
    /// What is tried again; `None` if the route does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
}

/// `HTTPRouteTimeouts`; `None` is no limit of the route's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Timeouts {
    /// From the whole request's arrival to the answer's end (GEP-1742).
    pub request: Option<Duration>,
    /// One attempt at one backend.
    pub backend_request: Option<Duration>,
}

/// `HTTPRouteRetry` (GEP-1731).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Retry {
    /// The backend's answers after which it is asked again.
    pub codes: BTreeSet<u16>,
    /// How often it is asked again at most; 0 is never.
    pub attempts: u32,
    /// The shortest wait before the first retry; `None` leaves it to the data plane.
    pub backoff: Option<Duration>,
}

/// A TLSRoute, TCPRoute or UDPRoute.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct L4Route {
    /// The user's object.
    pub origin: RouteOrigin,
    /// The listeners that accepted it.
    pub attachments: Vec<Attachment>,
    /// Its rules, in the user's order; the first is served.
    pub rules: Vec<L4Rule>,
}

/// One rule of a layer 4 route.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct L4Rule {
    /// The user's name for it.
    pub name: Option<String>,
    /// Where its connections or datagrams go.
    pub backends: Vec<WeightedBackend>,
}
