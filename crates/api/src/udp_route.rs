//! UDPRoute.

use serde::{Deserialize, Serialize};

use crate::meta::{Object, namespaced};
use crate::route::{GatewayDefaultScope, L4RouteRule, ParentReference};
use crate::status::RouteStatus;

/// A `UDPRoute`.
pub type UdpRoute = Object<UdpRouteSpec>;

namespaced!(UdpRouteSpec, UdpRoute, RouteStatus);

/// What a UDPRoute wants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UdpRouteSpec {
    /// Where it wants to attach.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parent_refs: Vec<ParentReference>,
    /// Whether it attaches to default Gateways too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_default_gateways: Option<GatewayDefaultScope>,
    /// What it does: exactly one rule in v1.
    pub rules: Vec<L4RouteRule>,
}
