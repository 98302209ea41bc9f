//! TLS of a whole Gateway: what is asked of clients, and what is shown to backends.

use serde::{Deserialize, Serialize};

use crate::keyword::keyword;
use crate::route::{ObjectReference, SecretObjectReference};

/// TLS towards clients and backends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayTls {
    /// Towards backends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<GatewayBackendTls>,
    /// Towards clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frontend: Option<FrontendTlsConfig>,
}

/// TLS towards backends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayBackendTls {
    /// What the gateway shows to backends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_certificate_ref: Option<SecretObjectReference>,
}

/// TLS towards clients.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FrontendTlsConfig {
    /// On every port that `per_port` does not name.
    pub default: FrontendTls,
    /// On single ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub per_port: Vec<PortTlsConfig>,
}

impl FrontendTlsConfig {
    /// What holds on this port: "Per port configuration is optional. Once set this configuration
    /// overrides the default configuration" (`FrontendTLSConfig.PerPort`).
    pub fn for_port(&self, port: u16) -> &FrontendTls {
        self.per_port
            .iter()
            .find(|config| config.port == port)
            .map_or(&self.default, |config| &config.tls)
    }
}

/// TLS towards clients on one port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortTlsConfig {
    /// The port.
    pub port: u16,
    /// What holds there.
    pub tls: FrontendTls,
}

/// What is asked of clients. `TLSConfig`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrontendTls {
    /// How client certificates are checked; none is asked for if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<FrontendTlsValidation>,
}

/// How client certificates are checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FrontendTlsValidation {
    /// CAs, as ConfigMaps with the key `ca.crt`.
    #[serde(rename = "caCertificateRefs")]
    pub ca_certificate_refs: Vec<ObjectReference>,
    /// What happens to clients without a valid one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<FrontendValidationMode>,
}

impl FrontendTlsValidation {
    /// What happens to clients without a valid one; `AllowValidOnly` by default.
    pub fn mode(&self) -> &FrontendValidationMode {
        let default = &FrontendValidationMode::AllowValidOnly;
        self.mode.as_ref().unwrap_or(default)
    }
}

keyword! {
    /// What happens to clients without a valid certificate.
    FrontendValidationMode {
        AllowValidOnly = "AllowValidOnly",
        AllowInsecureFallback = "AllowInsecureFallback",
    }
}
