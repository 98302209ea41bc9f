//! Certificates, keys and trust.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::hostname::HostPattern;
use crate::ident::{CertificateId, TrustBundleId};
use crate::text;

/// How a listener ends TLS.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct TlsTermination {
    /// The certificates to choose from, first choice first. Never empty, but those named may all be
    /// unusable, or absent from [`crate::Snapshot::certificates`] because their Secret is: then the
    /// listener stays bound and no handshake succeeds.
    pub certificates: Vec<CertificateId>,
    /// What is asked of clients; `None` asks for no certificate.
    pub client_validation: Option<ClientValidation>,
}

/// What a listener asks of client certificates.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct ClientValidation {
    /// The bundles a client's chain may end in. A client is valid if any of them holds its root.
    /// When none of them is in force (all are absent from [`crate::Snapshot::trust_bundles`], or
    /// unusable without a last usable one), no client is let in, whatever the mode.
    pub trust: Vec<TrustBundleId>,
    /// What happens to a client without a valid certificate.
    pub mode: ClientValidationMode,
}

/// `FrontendValidationModeType` of the Gateway API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ClientValidationMode {
    /// "AllowValidOnly": the handshake fails unless the client presents a valid certificate.
    AllowValidOnly,
    /// "AllowInsecureFallback": the connection is accepted even if the certificate is not
    /// presented or is not valid.
    AllowInsecureFallback,
}

/// A server certificate as its Secret stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Certificate {
    /// A chain with its matching key.
    Usable(Arc<CertificateChain>),
    /// The Secret exists but what it holds cannot be used (mismatched key, expired, garbage).
    ///
    /// A data plane keeps the last usable certificate it has served under this id, if any: a bad
    /// rotation must not stop what worked. Status says why the new one is refused. A *deleted*
    /// Secret is not in the snapshot at all, and its certificate is no longer served.
    Unusable {
        /// Why, in words, for logs and the admin page.
        reason: String,
    },
}

/// A certificate chain with its private key. Parsed and checked: key and leaf match.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct CertificateChain {
    /// DER certificates, leaf first.
    #[serde(serialize_with = "text::summarize_der")]
    pub chain: Vec<Arc<[u8]>>,
    /// The DER private key: PKCS#8, PKCS#1 or SEC1.
    pub key: Secret,
    /// What a person wants to see of the leaf.
    pub leaf: CertificateInfo,
}

/// CA certificates a peer's chain may end in, as their ConfigMap or Secret stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum TrustBundle {
    /// At least one CA certificate.
    Usable(Arc<TrustAnchors>),
    /// The object exists but holds no usable CA; as for [`Certificate::Unusable`], the last usable
    /// bundle stays in force.
    Unusable {
        /// Why, in words, for logs and the admin page.
        reason: String,
    },
}

/// Parsed CA certificates.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct TrustAnchors {
    /// DER certificates in the order of the file.
    #[serde(serialize_with = "text::summarize_der")]
    pub certificates: Vec<Arc<[u8]>>,
    /// What a person wants to see of each, in the same order.
    pub info: Vec<CertificateInfo>,
}

/// What a person wants to see of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateInfo {
    /// The subject, as `CN=httpbin.example.com, O=httpbin organization`.
    pub subject: String,
    /// The issuer, in the same form.
    pub issuer: String,
    /// DNS, IP and URI names in the subjectAltName extension.
    pub subject_alt_names: Vec<String>,
    /// Start of validity, seconds since the Unix epoch.
    pub not_before: i64,
    /// End of validity, seconds since the Unix epoch.
    pub not_after: i64,
    /// The serial number in hexadecimal.
    pub serial: String,
}

/// How a backend is reached over TLS: a BackendTLSPolicy.
///
/// A backend whose policy cannot be honoured is not in the snapshot in clear text: routes hold
/// [`crate::backend::BackendTarget::Invalid`] in its place.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendTls {
    /// "Hostname MUST be used as the SNI to connect to the backend … and MUST match the certificate
    /// served by the matching backend, unless SubjectAltNames is specified." Lower case, without
    /// a wildcard.
    pub hostname: Arc<str>,
    /// "The certificate served from the backend MUST have at least one Subject Alternate Name
    /// matching one of the specified SubjectAltNames." Empty: [`Self::hostname`] is checked. Not
    /// empty: `hostname` "MUST NOT be used for authentication".
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subject_alt_names: Vec<SubjectAltName>,
    /// What the certificate's chain must end in.
    pub trust: BackendTrust,
    /// The certificate to present if the backend asks for one
    /// (`Gateway.spec.tls.backend.clientCertificateRef`). If it is not to be had, the backend is not
    /// connected to without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<CertificateId>,
}

/// A name that a backend's certificate may have.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum SubjectAltName {
    /// A DNS name, or a wildcard for names; never [`HostPattern::Any`].
    Dns(HostPattern),
    /// A URI, such as a SPIFFE ID, as the user wrote it.
    Uri(Arc<str>),
}

/// The certificate authorities that a backend's chain may end in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum BackendTrust {
    /// `wellKnownCACertificates: System`: those of the host that the data plane runs on.
    System,
    /// Any of those in [`crate::Snapshot::trust_bundles`]. When none of them is in force, no
    /// connection succeeds.
    Bundles(Vec<TrustBundleId>),
}

/// Bytes that are never printed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(Arc<[u8]>);

impl Secret {
    /// Wraps `bytes`.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes, for the code that must use them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("[redacted]")
    }
}
