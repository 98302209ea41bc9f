//! GatewayClass: which controller a Gateway belongs to.

use k8s_openapi::ClusterResourceScope;
use serde::{Deserialize, Serialize};

use crate::kind::Kind;
use crate::meta::{Object, Spec};
use crate::route::ParametersReference;
use crate::status::Condition;

/// A `GatewayClass`.
pub type GatewayClass = Object<GatewayClassSpec>;

impl Spec for GatewayClassSpec {
    const KIND: Kind = Kind::GatewayClass;
    type Status = GatewayClassStatus;
    type Scope = ClusterResourceScope;
}

/// What a GatewayClass wants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayClassSpec {
    /// The controller, such as `portcullis.dev/gateway-controller`.
    pub controller_name: String,
    /// Parameters of the controller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters_ref: Option<ParametersReference>,
    /// What the user says about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// What is said about a GatewayClass.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayClassStatus {
    /// About the class.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// The features its controller supports, sorted by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub supported_features: Vec<SupportedFeature>,
}

/// A feature of the conformance suite.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SupportedFeature {
    /// Its name.
    pub name: String,
}
