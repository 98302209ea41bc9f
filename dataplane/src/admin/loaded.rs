//! What a data plane has loaded, in a form for people and scripts.

mod convert;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use portcullis_ir::listener::Transport;
use portcullis_ir::tls::{CertificateInfo, ClientValidationMode};
use portcullis_ir::{
    BackendId, BackendProtocol, CertificateId, ListenerId, ObjectKey, RouteId, TrustBundleId,
    Version,
};
use serde::Serialize;

/// Everything one data plane serves. No field holds key material.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadedConfig {
    /// The Gateway.
    pub gateway: ObjectKey,
    /// The generation of the Gateway that is in force.
    pub generation: i64,
    /// The content version of the snapshot in force.
    pub version: Version,
    /// The ports it was told to bind.
    pub ports: Vec<LoadedPort>,
    /// The listeners, by id.
    pub listeners: Vec<LoadedListener>,
    /// The routes of every kind, by id.
    pub routes: Vec<LoadedRoute>,
    /// The backends, by id.
    pub backends: Vec<LoadedBackend>,
}

/// One port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadedPort {
    /// As the Gateway has it.
    pub port: u16,
    /// TCP or UDP.
    pub transport: Transport,
    /// Where it is really bound.
    pub addresses: Vec<SocketAddr>,
    /// Why it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// One listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadedListener {
    /// Its id.
    pub id: ListenerId,
    /// Its port, as the Gateway has it.
    pub port: u16,
    /// `HTTP`, `HTTPS`, `TLS`, `TLS passthrough`, `TCP` or `UDP`.
    pub protocol: &'static str,
    /// The names it answers for; `*` for all.
    pub hostname: String,
    /// Its certificates, first choice first.
    pub certificates: Vec<LoadedCertificate>,
    /// What it asks of clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_validation: Option<LoadedValidation>,
}

/// One server certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadedCertificate {
    /// Its id.
    pub id: CertificateId,
    /// The leaf that is served; `None` if there is none to serve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub served: Option<CertificateInfo>,
    /// Why what the Secret holds now is not served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What a listener asks of clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadedValidation {
    /// What happens to a client without a valid certificate.
    pub mode: ClientValidationMode,
    /// Whose certificates are valid.
    pub trust: Vec<LoadedTrust>,
}

/// One bundle of CA certificates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadedTrust {
    /// Its id.
    pub id: TrustBundleId,
    /// The CA certificates in force.
    pub authorities: Vec<CertificateInfo>,
    /// Why what the object holds now is not in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// One route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadedRoute {
    /// Its id.
    pub id: RouteId,
    /// Where it is attached.
    pub attachments: Vec<LoadedAttachment>,
    /// Its rules, in the user's order.
    pub rules: Vec<LoadedRule>,
}

/// A route's place on a listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadedAttachment {
    /// The listener.
    pub listener: ListenerId,
    /// The names the route serves there; `*` for all.
    pub hosts: Vec<String>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadedRule {
    /// The user's name for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What requests it takes, such as `PathPrefix /status, method GET`; empty for routes that
    /// take all.
    pub matches: Vec<String>,
    /// What it does to them, such as `redirect to https, 301`.
    pub filters: Vec<String>,
    /// Where they go.
    pub backends: Vec<LoadedTarget>,
}

/// One backendRef.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadedTarget {
    /// Its backend; `None` if it is invalid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<BackendId>,
    /// Its weight among the rule's.
    pub weight: u32,
    /// What is done to its requests beside the rule's filters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<String>,
    /// Why it is invalid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// One backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadedBackend {
    /// Its id.
    pub id: BackendId,
    /// What its endpoints speak.
    pub protocol: BackendProtocol,
    /// How it is spoken to over TLS; `None` is in clear text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<LoadedBackendTls>,
    /// `address:port` of each.
    pub endpoints: Vec<String>,
}

/// TLS to a backend, as its policy asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadedBackendTls {
    /// The server name that is sent.
    pub hostname: Arc<str>,
    /// The names of which the backend's certificate must have one.
    pub names: Vec<String>,
    /// The CA bundles its chain may end in, or `System`.
    pub trust: Vec<String>,
    /// The certificate that it is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<CertificateId>,
}

/// What is in force although the snapshot says that its source is unusable now: the last usable
/// certificates and CAs, kept by the data plane.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// Leafs still served.
    pub certificates: BTreeMap<CertificateId, CertificateInfo>,
    /// CAs still trusted.
    pub trust: BTreeMap<TrustBundleId, Vec<CertificateInfo>>,
}
