//! GatewayClass and Gateway.

mod class;
mod listener;
mod tls;

pub use self::class::{GatewayClass, GatewayClassSpec, GatewayClassStatus, SupportedFeature};
pub use self::listener::{
    AllowedListeners, AllowedRoutes, FromNamespaces, Listener, ListenerFilters, ListenerNamespaces,
    ListenerTls, ProtocolType, RouteNamespaces, TlsMode,
};
pub use self::tls::{
    FrontendTls, FrontendTlsConfig, FrontendTlsValidation, FrontendValidationMode,
    GatewayBackendTls, GatewayTls, PortTlsConfig,
};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::keyword::keyword;
use crate::meta::{Object, namespaced};
use crate::route::{GatewayDefaultScope, LocalParametersReference};
use crate::status::{Condition, ListenerStatus};

/// A `Gateway`.
pub type Gateway = Object<GatewaySpec>;

namespaced!(GatewaySpec, Gateway, GatewayStatus);

/// What a Gateway wants.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewaySpec {
    /// The name of its GatewayClass.
    pub gateway_class_name: String,
    /// Its listeners.
    pub listeners: Vec<Listener>,
    /// The addresses it asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<GatewayAddress>,
    /// What is made for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub infrastructure: Option<GatewayInfrastructure>,
    /// Which ListenerSets may add listeners.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_listeners: Option<AllowedListeners>,
    /// TLS towards clients and backends, for all listeners.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<GatewayTls>,
    /// Whether routes that ask for a default Gateway attach.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_scope: Option<GatewayDefaultScope>,
}

/// An address, asked for (`GatewaySpecAddress`) or given (`GatewayStatusAddress`).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GatewayAddress {
    /// What the value is.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub address_type: Option<AddressType>,
    /// The address; if absent or empty, any one of the type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// From where it can be reached (GEP-1651).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routability: Option<String>,
}

impl GatewayAddress {
    /// What the value is; `IPAddress` by default.
    pub fn address_type(&self) -> &AddressType {
        self.address_type
            .as_ref()
            .unwrap_or(&AddressType::IpAddress)
    }
}

keyword! {
    /// The kinds of address.
    AddressType {
        IpAddress = "IPAddress",
        Hostname = "Hostname",
        NamedAddress = "NamedAddress",
    }
}

/// What is made for a Gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayInfrastructure {
    /// Labels of what is made.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations of what is made.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Parameters of an implementation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters_ref: Option<LocalParametersReference>,
}

/// What is said about a Gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayStatus {
    /// Where it is reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<GatewayAddress>,
    /// About the whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// About each listener.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listeners: Vec<ListenerStatus>,
    /// How many ListenerSets were accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attached_listener_sets: Option<i32>,
}
