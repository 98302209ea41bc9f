//! Where requests go.

use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;

use crate::filter::Filter;
use crate::ident::BackendId;
use crate::tls::BackendTls;

/// One port of one Service (or whatever else a backendRef may name), with its endpoints.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Backend {
    /// What its endpoints speak.
    pub protocol: BackendProtocol,
    /// How it is reached over TLS; `None` is in clear text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Arc<BackendTls>>,
    /// Where it is served now, sorted, without duplicates. Empty: there is none ready, and
    /// requests are answered 503.
    pub endpoints: Vec<Endpoint>,
}

/// What a backend speaks, by `appProtocol` (GEP-1911) and the kind of route that names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum BackendProtocol {
    /// HTTP/1.1; the default. Upgrades (`kubernetes.io/ws`) pass through it too. Where
    /// [`Backend::tls`] is there, all of it is within TLS.
    Http1,
    /// HTTP/2 with prior knowledge: `kubernetes.io/h2c`, and gRPC. Where [`Backend::tls`] is there:
    /// HTTP/2 within TLS.
    H2c,
    /// A byte stream or datagrams, for TLS, TCP and UDP routes. Where [`Backend::tls`] is there, the
    /// stream is within TLS.
    Opaque,
}

/// One address that serves a backend.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Endpoint {
    /// The address.
    pub host: EndpointHost,
    /// The port that the endpoint listens on (the Service's `targetPort`).
    pub port: u16,
}

/// The host part of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(untagged)]
pub enum EndpointHost {
    /// From an EndpointSlice.
    Ip(IpAddr),
    /// From a Service of type ExternalName; the data plane resolves it.
    Dns(Arc<str>),
}

/// One backendRef of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct WeightedBackend {
    /// Its share is `weight` / sum of the weights of the rule. Zero: never chosen.
    pub weight: u32,
    /// Where its share goes.
    pub target: BackendTarget,
    /// Filters that apply to its share only.
    pub filters: Vec<Filter>,
}

/// Where a backendRef leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum BackendTarget {
    /// To a backend in [`crate::Snapshot::backends`].
    Backend(BackendId),
    /// Nowhere: "When an HTTPBackendRef refers to a Service that [does not exist, is of another
    /// kind, or is not permitted], requests … MUST receive a 500" in proportion to its weight.
    /// The reason is for access logs.
    Invalid {
        /// Why, in words.
        reason: String,
    },
}
