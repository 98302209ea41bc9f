//! TLSRoute.

use serde::{Deserialize, Serialize};

use crate::meta::{Object, namespaced};
use crate::route::{GatewayDefaultScope, L4RouteRule, ParentReference};
use crate::status::RouteStatus;

/// A `TLSRoute`.
pub type TlsRoute = Object<TlsRouteSpec>;

namespaced!(TlsRouteSpec, TlsRoute, RouteStatus);

/// What a TLSRoute wants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TlsRouteSpec {
    /// Where it wants to attach.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parent_refs: Vec<ParentReference>,
    /// Whether it attaches to default Gateways too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_default_gateways: Option<GatewayDefaultScope>,
    /// The names of the TLS SNI it serves. Required in v1, may be empty in older versions.
    #[serde(default)]
    pub hostnames: Vec<String>,
    /// What it does: exactly one rule in v1.
    pub rules: Vec<L4RouteRule>,
}
