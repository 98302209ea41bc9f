//! BackendTLSPolicy.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::keyword::keyword;
use crate::meta::{Object, namespaced};
use crate::route::{LocalObjectReference, LocalPolicyTargetReference};
use crate::status::PolicyStatus;

/// A `BackendTLSPolicy`: how a gateway connects to a backend over TLS.
pub type BackendTlsPolicy = Object<BackendTlsPolicySpec>;

namespaced!(BackendTlsPolicySpec, BackendTlsPolicy, PolicyStatus);

/// What a BackendTLSPolicy wants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendTlsPolicySpec {
    /// The backends it is about.
    pub target_refs: Vec<LocalPolicyTargetReference>,
    /// What their certificates are checked against.
    pub validation: BackendTlsValidation,
    /// Options of an implementation.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
}

/// What a backend's certificate is checked against.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendTlsValidation {
    /// CAs, as ConfigMaps with the key `ca.crt`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ca_certificate_refs: Vec<LocalObjectReference>,
    /// CAs with a name; exactly one of this and `ca_certificate_refs` is set.
    #[serde(
        rename = "wellKnownCACertificates",
        skip_serializing_if = "Option::is_none"
    )]
    pub well_known_ca_certificates: Option<WellKnownCaCertificates>,
    /// The SNI, and the name the certificate must have unless `subject_alt_names` are given.
    pub hostname: String,
    /// Names of which the certificate must have one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subject_alt_names: Vec<SubjectAltName>,
}

keyword! {
    /// CAs with a name.
    WellKnownCaCertificates {
        System = "System",
    }
}

/// A name that a certificate may have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectAltName {
    /// Which of the fields below is set.
    #[serde(rename = "type")]
    pub name_type: SubjectAltNameType,
    /// A DNS name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// A URI, such as a SPIFFE ID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
}

keyword! {
    /// The kinds of name of a certificate.
    SubjectAltNameType {
        Hostname = "Hostname",
        Uri = "URI",
    }
}
