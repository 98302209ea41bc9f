//! References from one object to another. Defaults are filled in by accessors, so that what was
//! written can be written back (a route's status repeats its parentRefs).

use serde::{Deserialize, Serialize};

use crate::kind::GATEWAY_GROUP;

/// What a reference points at, with defaults filled in: the same for every kind of reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target<'a> {
    /// The API group; empty for the core group.
    pub group: &'a str,
    /// The kind.
    pub kind: &'a str,
    /// The namespace, if the reference names one; else it is that of the referring object.
    pub namespace: Option<&'a str>,
    /// The name.
    pub name: &'a str,
}

/// Where a route or ListenerSet wants to attach.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParentReference {
    /// The API group of the parent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The kind of the parent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The namespace of the parent; that of the referring object by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The name of the parent.
    pub name: String,
    /// The listener's name; every listener by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub section_name: Option<String>,
    /// The listener's port; every port by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

impl ParentReference {
    /// The parent; a `Gateway` of the Gateway API by default.
    pub fn target(&self) -> Target<'_> {
        Target {
            group: self.group.as_deref().unwrap_or(GATEWAY_GROUP),
            kind: self.kind.as_deref().unwrap_or("Gateway"),
            namespace: self.namespace.as_deref(),
            name: &self.name,
        }
    }
}

/// A backend with its share of a rule's traffic. `HTTPBackendRef`, `GRPCBackendRef` and
/// `BackendRef`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendRef {
    /// The API group of the backend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The kind of the backend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The namespace of the backend; that of the route by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The name of the backend.
    pub name: String,
    /// The port; required for a Service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Its share of the sum of the weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// Filters for its share only. HTTP and gRPC routes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<super::RouteFilter>,
}

impl BackendRef {
    /// The backend; a `Service` by default.
    pub fn target(&self) -> Target<'_> {
        Target {
            group: self.group.as_deref().unwrap_or_default(),
            kind: self.kind.as_deref().unwrap_or("Service"),
            namespace: self.namespace.as_deref(),
            name: &self.name,
        }
    }

    /// Its share; 1 by default.
    pub fn weight(&self) -> u32 {
        self.weight.unwrap_or(1)
    }
}

impl From<&BackendObjectReference> for BackendRef {
    /// With the default share and no filters.
    fn from(reference: &BackendObjectReference) -> Self {
        let BackendObjectReference {
            group,
            kind,
            namespace,
            name,
            port,
        } = reference.clone();
        Self {
            group,
            kind,
            namespace,
            name,
            port,
            weight: None,
            filters: Vec::new(),
        }
    }
}

/// A backend without a share: of a mirror or an authorization service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendObjectReference {
    /// The API group of the backend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The kind of the backend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The namespace of the backend; that of the route by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The name of the backend.
    pub name: String,
    /// The port; required for a Service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

impl BackendObjectReference {
    /// The backend; a `Service` by default.
    pub fn target(&self) -> Target<'_> {
        Target {
            group: self.group.as_deref().unwrap_or_default(),
            kind: self.kind.as_deref().unwrap_or("Service"),
            namespace: self.namespace.as_deref(),
            name: &self.name,
        }
    }
}

/// A certificate with its key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretObjectReference {
    /// The API group of the object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The kind of the object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The namespace of the object; that of the referring object by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The name of the object.
    pub name: String,
}

impl SecretObjectReference {
    /// The object; a `Secret` by default.
    pub fn target(&self) -> Target<'_> {
        Target {
            group: self.group.as_deref().unwrap_or_default(),
            kind: self.kind.as_deref().unwrap_or("Secret"),
            namespace: self.namespace.as_deref(),
            name: &self.name,
        }
    }
}

/// An object of any kind, perhaps in another namespace. `ObjectReference`, and
/// `ParametersReference` of a GatewayClass, which has the same fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectReference {
    /// The API group of the object; empty for the core group.
    pub group: String,
    /// The kind of the object.
    pub kind: String,
    /// The namespace of the object; that of the referring object by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The name of the object.
    pub name: String,
}

/// `ParametersReference`.
pub type ParametersReference = ObjectReference;

impl ObjectReference {
    /// The object.
    pub fn target(&self) -> Target<'_> {
        Target {
            group: &self.group,
            kind: &self.kind,
            namespace: self.namespace.as_deref(),
            name: &self.name,
        }
    }
}

/// An object of any kind in the same namespace. `LocalObjectReference`, and
/// `LocalParametersReference`, which has the same fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalObjectReference {
    /// The API group of the object; empty for the core group.
    pub group: String,
    /// The kind of the object.
    pub kind: String,
    /// The name of the object.
    pub name: String,
}

/// `LocalParametersReference`.
pub type LocalParametersReference = LocalObjectReference;

impl LocalObjectReference {
    /// The object.
    pub fn target(&self) -> Target<'_> {
        Target {
            group: &self.group,
            kind: &self.kind,
            namespace: None,
            name: &self.name,
        }
    }
}

/// What a policy is about, in its own namespace. `LocalPolicyTargetReferenceWithSectionName`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LocalPolicyTargetReference {
    /// The API group of the object; empty for the core group.
    pub group: String,
    /// The kind of the object.
    pub kind: String,
    /// The name of the object.
    pub name: String,
    /// A part of it: of a Service, a port's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub section_name: Option<String>,
}

impl LocalPolicyTargetReference {
    /// The object.
    pub fn target(&self) -> Target<'_> {
        Target {
            group: &self.group,
            kind: &self.kind,
            namespace: None,
            name: &self.name,
        }
    }
}

/// A kind of route that a listener takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RouteGroupKind {
    /// The API group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The kind.
    pub kind: String,
}

impl RouteGroupKind {
    /// The API group; the Gateway API's by default.
    pub fn group(&self) -> &str {
        self.group.as_deref().unwrap_or(GATEWAY_GROUP)
    }
}
