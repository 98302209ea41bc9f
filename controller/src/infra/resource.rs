//! The kinds of object that are made for a Gateway.

use std::fmt;

use kube::core::{ApiResource, GroupVersionKind};

/// A kind that is made, in the order in which objects of a Gateway are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceKind {
    /// `ServiceAccount`: who the pods are.
    ServiceAccount,
    /// `ConfigMap`: by which CA pods know the controller.
    ConfigMap,
    /// `Service`: how clients come to the pods.
    Service,
    /// `PodDisruptionBudget`: that not all pods are taken at once.
    PodDisruptionBudget,
    /// `Deployment`: the pods.
    Deployment,
}

impl ResourceKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::ServiceAccount,
        Self::ConfigMap,
        Self::Service,
        Self::PodDisruptionBudget,
        Self::Deployment,
    ];

    /// The name, as in `kind:`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ServiceAccount => "ServiceAccount",
            Self::ConfigMap => "ConfigMap",
            Self::Service => "Service",
            Self::PodDisruptionBudget => "PodDisruptionBudget",
            Self::Deployment => "Deployment",
        }
    }

    /// Group and version, as in `apiVersion:`.
    pub const fn api_version(self) -> &'static str {
        match self {
            Self::ServiceAccount | Self::ConfigMap | Self::Service => "v1",
            Self::PodDisruptionBudget => "policy/v1",
            Self::Deployment => "apps/v1",
        }
    }

    /// The plural, as in URLs and RBAC rules.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::ServiceAccount => "serviceaccounts",
            Self::ConfigMap => "configmaps",
            Self::Service => "services",
            Self::PodDisruptionBudget => "poddisruptionbudgets",
            Self::Deployment => "deployments",
        }
    }

    /// Where the API server has it.
    pub fn api_resource(self) -> ApiResource {
        let api_version = self.api_version();
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let kind = GroupVersionKind::gvk(group, version, self.as_str());
        ApiResource::from_gvk_with_plural(&kind, self.plural())
    }
}

impl fmt::Display for ResourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One object of those kinds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId {
    /// Its namespace.
    pub namespace: String,
    /// Its name; all objects of a Gateway share it.
    pub name: String,
    /// Its kind.
    pub kind: ResourceKind,
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            namespace,
            name,
            kind,
        } = self;
        write!(f, "{kind} {namespace}/{name}")
    }
}
