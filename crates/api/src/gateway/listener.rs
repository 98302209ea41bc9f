//! Listeners, of Gateways and ListenerSets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::keyword::keyword;
use crate::meta::LabelSelector;
use crate::route::{RouteFilter, RouteGroupKind, SecretObjectReference};

/// One listener: a port, what is spoken there, for which name, and which routes it takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listener {
    /// Its name within the Gateway.
    pub name: String,
    /// The host it answers for; every one if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The port.
    pub port: u16,
    /// What is spoken there.
    pub protocol: ProtocolType,
    /// How TLS ends or passes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<ListenerTls>,
    /// Filters for everything that arrives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filters: Option<ListenerFilters>,
    /// Which routes it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_routes: Option<AllowedRoutes>,
}

impl Listener {
    /// Namespaces whose routes it takes; `Same` by default.
    pub fn allowed_namespaces(&self) -> &FromNamespaces {
        self.allowed_routes
            .as_ref()
            .and_then(|routes| routes.namespaces.as_ref())
            .and_then(|namespaces| namespaces.from.as_ref())
            .unwrap_or(&FromNamespaces::Same)
    }

    /// The selector that goes with [`FromNamespaces::Selector`].
    pub fn allowed_selector(&self) -> Option<&LabelSelector> {
        let namespaces = self.allowed_routes.as_ref()?.namespaces.as_ref()?;
        namespaces.selector.as_ref()
    }

    /// The kinds of route it takes; by its protocol if empty.
    pub fn allowed_kinds(&self) -> &[RouteGroupKind] {
        self.allowed_routes
            .as_ref()
            .map_or(&[], |routes| &routes.kinds)
    }
}

keyword! {
    /// What is spoken on a listener. Open: implementations may add `example.com/protocol`.
    ProtocolType {
        Http = "HTTP",
        Https = "HTTPS",
        Tls = "TLS",
        Tcp = "TCP",
        Udp = "UDP",
    }
}

/// How TLS ends or passes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenerTls {
    /// Whether it ends here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<TlsMode>,
    /// Certificates with their keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificate_refs: Vec<SecretObjectReference>,
    /// Options of an implementation.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
}

impl ListenerTls {
    /// Whether it ends here; `Terminate` by default.
    pub fn mode(&self) -> &TlsMode {
        self.mode.as_ref().unwrap_or(&TlsMode::Terminate)
    }
}

keyword! {
    /// Whether TLS ends at the gateway.
    TlsMode {
        Terminate = "Terminate",
        Passthrough = "Passthrough",
    }
}

/// Filters of a listener.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerFilters {
    /// Filters for requests: `ExternalAuth` and `ExtensionRef`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<RouteFilter>,
}

/// Which routes a listener takes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AllowedRoutes {
    /// From where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<RouteNamespaces>,
    /// Of which kinds; by the protocol if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<RouteGroupKind>,
}

/// Namespaces whose routes a listener takes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RouteNamespaces {
    /// Which.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<FromNamespaces>,
    /// Labels of the namespaces, for `Selector`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
}

keyword! {
    /// From which namespaces something is taken.
    FromNamespaces {
        All = "All",
        Selector = "Selector",
        Same = "Same",
        None = "None",
    }
}

/// Which ListenerSets may add listeners.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AllowedListeners {
    /// From where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<ListenerNamespaces>,
}

/// Namespaces whose ListenerSets a Gateway takes; has the fields of [`RouteNamespaces`], and
/// another default.
pub type ListenerNamespaces = RouteNamespaces;

impl AllowedListeners {
    /// Namespaces whose ListenerSets may add listeners; `None` by default.
    pub fn from(&self) -> &FromNamespaces {
        self.namespaces
            .as_ref()
            .and_then(|namespaces| namespaces.from.as_ref())
            .unwrap_or(&FromNamespaces::None)
    }

    /// The selector that goes with [`FromNamespaces::Selector`].
    pub fn selector(&self) -> Option<&LabelSelector> {
        self.namespaces.as_ref()?.selector.as_ref()
    }
}
