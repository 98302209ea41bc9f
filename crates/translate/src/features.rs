//! The features of the Gateway API that work, and nothing more.
//!
//! This table is the only source of what is claimed: `GatewayClass.status.supportedFeatures`, the
//! table in `docs/features.md` and the features under conformance test come from it.

/// A feature of `sigs.k8s.io/gateway-api/pkg/features`, and where it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feature {
    /// Its upstream name.
    pub name: &'static str,
    /// What a user gets, in a few words.
    pub what: &'static str,
}

/// All claimed features, sorted by name as `GatewayClass.status.supportedFeatures` must be.
pub const SUPPORTED: &[Feature] = &[
    feature("Gateway", "Gateways, listeners, all statuses"),
    feature(
        "GatewayAddressEmpty",
        "an address of the asked type without a value",
    ),
    feature(
        "GatewayFrontendClientCertificateValidation",
        "client certificates (mutual TLS), by default and per port",
    ),
    feature(
        "GatewayFrontendClientCertificateValidationInsecureFallback",
        "client certificates asked for, but not enforced",
    ),
    feature(
        "GatewayHTTPListenerIsolation",
        "a request is routed by its most specific listener alone",
    ),
    feature("GatewayPort8080", "listeners on port 8080"),
    feature(
        "GatewayRouteHostnameIntersectionPrecedence",
        "precedence by the hostnames as written in the route",
    ),
    feature("HTTPRoute", "HTTP routing"),
    feature("HTTPRoute303RedirectStatusCode", "redirects with 303"),
    feature("HTTPRoute307RedirectStatusCode", "redirects with 307"),
    feature("HTTPRoute308RedirectStatusCode", "redirects with 308"),
    feature(
        "HTTPRouteBackendProtocolH2C",
        "HTTP/2 in clear text to backends with appProtocol kubernetes.io/h2c",
    ),
    feature(
        "HTTPRouteBackendProtocolWebSocket",
        "WebSocket to backends with appProtocol kubernetes.io/ws",
    ),
    feature(
        "HTTPRouteBackendRequestHeaderModification",
        "request headers changed per backend",
    ),
    feature(
        "HTTPRouteBackendURLRewrite",
        "host and path changed per backend",
    ),
    feature("HTTPRouteDestinationPortMatching", "parentRefs with a port"),
    feature("HTTPRouteHostRewrite", "the Host header rewritten"),
    feature("HTTPRouteMethodMatching", "matching by method"),
    feature("HTTPRouteNamedRouteRule", "rules with names"),
    feature("HTTPRouteParentRefPort", "parentRefs with a port"),
    feature("HTTPRoutePathRedirect", "redirects to another path"),
    feature("HTTPRoutePathRewrite", "paths rewritten"),
    feature("HTTPRoutePortRedirect", "redirects to another port"),
    feature(
        "HTTPRouteQueryParamMatching",
        "matching by query parameters",
    ),
    feature(
        "HTTPRouteResponseHeaderModification",
        "response headers changed",
    ),
    feature("HTTPRouteSchemeRedirect", "redirects to https"),
    feature(
        "ListenerSet",
        "listeners added to a Gateway by other objects",
    ),
    feature(
        "ReferenceGrant",
        "references across namespaces, when granted",
    ),
];

const fn feature(name: &'static str, what: &'static str) -> Feature {
    Feature { name, what }
}

#[cfg(test)]
mod tests;
