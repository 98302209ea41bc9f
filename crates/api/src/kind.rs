//! The kinds Portcullis reads.

use std::fmt;

/// The group of the Gateway API.
pub const GATEWAY_GROUP: &str = "gateway.networking.k8s.io";

/// The group of our own kinds.
pub const OWN_GROUP: &str = "portcullis.dev";

/// A kind of object that Portcullis reads, in the order in which objects are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `GatewayClass`, cluster-scoped.
    GatewayClass,
    /// `Gateway`
    Gateway,
    /// `ListenerSet`
    ListenerSet,
    /// `HTTPRoute`
    HttpRoute,
    /// `GRPCRoute`
    GrpcRoute,
    /// `TLSRoute`
    TlsRoute,
    /// `TCPRoute`
    TcpRoute,
    /// `UDPRoute`
    UdpRoute,
    /// `ReferenceGrant`
    ReferenceGrant,
    /// `BackendTLSPolicy`
    BackendTlsPolicy,
    /// `Namespace` of the core group, cluster-scoped.
    Namespace,
    /// `Service` of the core group.
    Service,
    /// `EndpointSlice` of `discovery.k8s.io`.
    EndpointSlice,
    /// `Secret` of the core group.
    Secret,
    /// `ConfigMap` of the core group.
    ConfigMap,
    /// `GatewayParameters` of our own group.
    GatewayParameters,
    /// `ClusterTrustBundle` of `certificates.k8s.io`, cluster-scoped; newer clusters have it.
    ClusterTrustBundle,
}

/// Whether objects of a kind live in a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In a namespace.
    Namespaced,
    /// In none; their [`crate::ObjectKey`] has an empty namespace.
    Cluster,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 17] = [
        Self::GatewayClass,
        Self::Gateway,
        Self::ListenerSet,
        Self::HttpRoute,
        Self::GrpcRoute,
        Self::TlsRoute,
        Self::TcpRoute,
        Self::UdpRoute,
        Self::ReferenceGrant,
        Self::BackendTlsPolicy,
        Self::Namespace,
        Self::Service,
        Self::EndpointSlice,
        Self::Secret,
        Self::ConfigMap,
        Self::GatewayParameters,
        Self::ClusterTrustBundle,
    ];

    /// The kind of this group and name, if we read it.
    pub fn find(group: &str, kind: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|k| k.group() == group && k.as_str() == kind)
    }

    /// The name, as in `kind:`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GatewayClass => "GatewayClass",
            Self::Gateway => "Gateway",
            Self::ListenerSet => "ListenerSet",
            Self::HttpRoute => "HTTPRoute",
            Self::GrpcRoute => "GRPCRoute",
            Self::TlsRoute => "TLSRoute",
            Self::TcpRoute => "TCPRoute",
            Self::UdpRoute => "UDPRoute",
            Self::ReferenceGrant => "ReferenceGrant",
            Self::BackendTlsPolicy => "BackendTLSPolicy",
            Self::Namespace => "Namespace",
            Self::Service => "Service",
            Self::EndpointSlice => "EndpointSlice",
            Self::Secret => "Secret",
            Self::ConfigMap => "ConfigMap",
            Self::GatewayParameters => "GatewayParameters",
            Self::ClusterTrustBundle => "ClusterTrustBundle",
        }
    }

    /// The plural, as in URLs and RBAC rules.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::GatewayClass => "gatewayclasses",
            Self::Gateway => "gateways",
            Self::ListenerSet => "listenersets",
            Self::HttpRoute => "httproutes",
            Self::GrpcRoute => "grpcroutes",
            Self::TlsRoute => "tlsroutes",
            Self::TcpRoute => "tcproutes",
            Self::UdpRoute => "udproutes",
            Self::ReferenceGrant => "referencegrants",
            Self::BackendTlsPolicy => "backendtlspolicies",
            Self::Namespace => "namespaces",
            Self::Service => "services",
            Self::EndpointSlice => "endpointslices",
            Self::Secret => "secrets",
            Self::ConfigMap => "configmaps",
            Self::GatewayParameters => "gatewayparameters",
            Self::ClusterTrustBundle => "clustertrustbundles",
        }
    }

    /// The API group; empty for the core group.
    pub const fn group(self) -> &'static str {
        match self {
            Self::GatewayClass
            | Self::Gateway
            | Self::ListenerSet
            | Self::HttpRoute
            | Self::GrpcRoute
            | Self::TlsRoute
            | Self::TcpRoute
            | Self::UdpRoute
            | Self::ReferenceGrant
            | Self::BackendTlsPolicy => GATEWAY_GROUP,
            Self::GatewayParameters => OWN_GROUP,
            Self::EndpointSlice => "discovery.k8s.io",
            Self::ClusterTrustBundle => "certificates.k8s.io",
            Self::Namespace | Self::Service | Self::Secret | Self::ConfigMap => "",
        }
    }

    /// The versions we read, the one we write first. All have the same shape, as far as the
    /// schemas of v1.7.0 say.
    pub const fn versions(self) -> &'static [&'static str] {
        match self {
            Self::GatewayClass | Self::Gateway | Self::HttpRoute | Self::ReferenceGrant => {
                &["v1", "v1beta1"]
            }
            Self::TlsRoute => &["v1", "v1alpha3", "v1alpha2"],
            Self::TcpRoute | Self::UdpRoute => &["v1", "v1alpha2"],
            Self::BackendTlsPolicy => &["v1", "v1alpha3"],
            Self::GatewayParameters => &["v1alpha1"],
            Self::ClusterTrustBundle => &["v1", "v1beta1", "v1alpha1"],
            Self::ListenerSet
            | Self::GrpcRoute
            | Self::Namespace
            | Self::Service
            | Self::EndpointSlice
            | Self::Secret
            | Self::ConfigMap => &["v1"],
        }
    }

    /// The group and version we write, as in `apiVersion:`.
    pub fn api_version(self) -> String {
        match (self.group(), self.versions().first()) {
            ("", version) => version.copied().unwrap_or_default().to_owned(),
            (group, version) => format!("{group}/{}", version.copied().unwrap_or_default()),
        }
    }

    /// Whether objects of this kind live in a namespace.
    pub const fn scope(self) -> Scope {
        match self {
            Self::GatewayClass | Self::Namespace | Self::ClusterTrustBundle => Scope::Cluster,
            _ => Scope::Namespaced,
        }
    }

    /// Whether this kind is of the Gateway API.
    pub fn is_gateway_api(self) -> bool {
        self.group() == GATEWAY_GROUP
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
