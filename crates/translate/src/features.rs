//! The features of the Gateway API that work, and nothing more.
//!
//! This table is the only source of what is claimed: `GatewayClass.status.supportedFeatures`, the
//! table in `docs/features.md` and the features under conformance test come from it.

use portcullis_api::Kind;

/// A feature of `sigs.k8s.io/gateway-api/pkg/features`, and where it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feature {
    /// Its upstream name.
    pub name: &'static str,
    /// What a user gets, in a few words.
    pub what: &'static str,
    /// The pair of the golden corpus that shows it, below `tests/golden`.
    pub shown_by: &'static str,
    /// The kind without which it is not claimed: one that not every cluster has.
    pub needs: Option<Kind>,
}

/// All claimed features, sorted by name as `GatewayClass.status.supportedFeatures` must be.
pub const SUPPORTED: &[Feature] = &[
    feature(
        "BackendTLSPolicy",
        "TLS to backends",
        "backend-tls/config-map",
    ),
    feature(
        "BackendTLSPolicySANValidation",
        "names of a backend's certificate, other than the SNI",
        "backend-tls/subject-alt-names",
    ),
    feature(
        "ClusterTrustBundle",
        "CA certificates in ClusterTrustBundles, of backends and of clients",
        "backend-tls/cluster-trust-bundle",
    )
    .needing(Kind::ClusterTrustBundle),
    feature("GRPCRoute", "gRPC routing", "grpc/matches"),
    feature(
        "GRPCRouteNamedRouteRule",
        "rules with names",
        "grpc/matches",
    ),
    feature(
        "GRPCRouteRequestHeaderModifier",
        "request headers changed",
        "grpc/filters",
    ),
    feature(
        "Gateway",
        "Gateways, listeners, all statuses",
        "listeners/minimal",
    ),
    feature(
        "GatewayAddressEmpty",
        "an address of the asked type without a value",
        "listeners/address-without-value",
    ),
    feature(
        "GatewayBackendClientCertificate",
        "a certificate that the Gateway presents to backends",
        "backend-tls/client-certificate",
    ),
    feature(
        "GatewayFrontendClientCertificateValidation",
        "client certificates (mutual TLS), by default and per port",
        "client-validation/per-port",
    ),
    feature(
        "GatewayFrontendClientCertificateValidationInsecureFallback",
        "client certificates asked for, but not enforced",
        "client-validation/insecure-fallback",
    ),
    feature(
        "GatewayHTTPListenerIsolation",
        "a request is routed by its most specific listener alone",
        "hostnames/isolation",
    ),
    feature(
        "GatewayHTTPSListenerDetectMisdirectedRequests",
        "421 to requests on a connection that is for another listener",
        "tls/overlapping-hostnames",
    ),
    feature(
        "GatewayInfrastructure",
        "labels, annotations and parameters of what is made for a Gateway",
        "infrastructure/labels-and-annotations",
    ),
    feature(
        "GatewayPort8080",
        "listeners on port 8080",
        "listeners/several-ports-and-hostnames",
    ),
    feature(
        "GatewayRouteHostnameIntersectionPrecedence",
        "precedence by the hostnames as written in the route",
        "hostnames/intersections",
    ),
    feature(
        "GatewayStaticAddresses",
        "addresses asked for in spec.addresses, or why they cannot be had",
        "infrastructure/address-not-given",
    ),
    feature("HTTPRoute", "HTTP routing", "walkthroughs/w1"),
    feature(
        "HTTPRoute303RedirectStatusCode",
        "redirects with 303",
        "rules/redirect-codes",
    ),
    feature(
        "HTTPRoute307RedirectStatusCode",
        "redirects with 307",
        "rules/redirect-codes",
    ),
    feature(
        "HTTPRoute308RedirectStatusCode",
        "redirects with 308",
        "rules/redirect-codes",
    ),
    feature(
        "HTTPRouteBackendProtocolH2C",
        "HTTP/2 in clear text to backends with appProtocol kubernetes.io/h2c",
        "backends/app-protocols",
    ),
    feature(
        "HTTPRouteBackendProtocolWebSocket",
        "WebSocket to backends with appProtocol kubernetes.io/ws",
        "backends/app-protocols",
    ),
    feature(
        "HTTPRouteBackendRequestHeaderModification",
        "request headers changed per backend",
        "rules/filters-of-backends",
    ),
    feature(
        "HTTPRouteBackendTimeout",
        "a limit for each attempt at a backend",
        "rules/timeouts",
    ),
    feature(
        "HTTPRouteBackendURLRewrite",
        "host and path changed per backend",
        "rules/filters-of-backends",
    ),
    feature(
        "HTTPRouteCORS",
        "which pages of other origins may read answers",
        "rules/cors",
    ),
    feature(
        "HTTPRouteDestinationPortMatching",
        "parentRefs with a port",
        "attachment/by-port",
    ),
    feature(
        "HTTPRouteHostRewrite",
        "the Host header rewritten",
        "rules/rewrites",
    ),
    feature(
        "HTTPRouteMethodMatching",
        "matching by method",
        "rules/matches",
    ),
    feature(
        "HTTPRouteNamedRouteRule",
        "rules with names",
        "rules/matches",
    ),
    feature(
        "HTTPRouteParentRefPort",
        "parentRefs with a port",
        "attachment/section-name-and-port-must-both-match",
    ),
    feature(
        "HTTPRoutePathRedirect",
        "redirects to another path",
        "rules/redirects",
    ),
    feature("HTTPRoutePathRewrite", "paths rewritten", "rules/rewrites"),
    feature(
        "HTTPRoutePortRedirect",
        "redirects to another port",
        "rules/redirects",
    ),
    feature(
        "HTTPRouteQueryParamMatching",
        "matching by query parameters",
        "rules/matches",
    ),
    feature(
        "HTTPRouteRequestMirror",
        "requests copied to another backend",
        "rules/mirrors",
    ),
    feature(
        "HTTPRouteRequestMultipleMirrors",
        "requests copied to several backends",
        "rules/mirrors",
    ),
    feature(
        "HTTPRouteRequestPercentageMirror",
        "a share of requests copied",
        "rules/mirrors",
    ),
    feature(
        "HTTPRouteRequestTimeout",
        "a limit for whole requests",
        "rules/timeouts",
    ),
    feature(
        "HTTPRouteResponseHeaderModification",
        "response headers changed",
        "rules/header-filters",
    ),
    feature(
        "HTTPRouteRetryCodes",
        "another attempt after answers with the codes listed",
        "rules/retry",
    ),
    feature(
        "HTTPRouteRetryConnectionError",
        "another attempt when no connection comes about",
        "rules/retry",
    ),
    feature(
        "HTTPRouteSchemeRedirect",
        "redirects to https",
        "rules/redirects",
    ),
    feature(
        "ListenerSet",
        "listeners added to a Gateway by other objects",
        "listenersets/accepted",
    ),
    feature(
        "ReferenceGrant",
        "references across namespaces, when granted",
        "backends/other-namespace-with-grant",
    ),
    feature(
        "TCPRoute",
        "connections forwarded as they are",
        "tcp-routes/forwarded",
    ),
    feature(
        "TLSRoute",
        "TLS passed on by the name that the client asks for",
        "tls-routes/passthrough",
    ),
    feature(
        "TLSRouteModeMixed",
        "listeners of both modes, and of HTTPS, on one port",
        "tls-routes/mixed",
    ),
    feature(
        "TLSRouteModeTerminate",
        "TLS ended, and what is in it forwarded as a stream",
        "tls-routes/terminate",
    ),
    feature(
        "UDPRoute",
        "datagrams forwarded, flow by flow",
        "udp-routes/forwarded",
    ),
];

const fn feature(name: &'static str, what: &'static str, shown_by: &'static str) -> Feature {
    Feature {
        name,
        what,
        shown_by,
        needs: None,
    }
}

impl Feature {
    /// As it is claimed where the cluster has a kind.
    const fn needing(self, kind: Kind) -> Self {
        Self {
            needs: Some(kind),
            ..self
        }
    }
}

#[cfg(test)]
mod tests;
