//! ClusterTrustBundle of `certificates.k8s.io`.
//!
//! Of our own making, since it is read in every version there is: they have the same shape.

use k8s_openapi::ClusterResourceScope;
use serde::{Deserialize, Serialize};

use crate::kind::Kind;
use crate::meta::{Object, Spec};
use crate::status::NoStatus;

/// A `ClusterTrustBundle`: CA certificates for everybody in the cluster.
pub type ClusterTrustBundle = Object<ClusterTrustBundleSpec>;

impl Spec for ClusterTrustBundleSpec {
    const KIND: Kind = Kind::ClusterTrustBundle;
    const API_VERSION: &'static str = "certificates.k8s.io/v1";
    type Status = NoStatus;
    type Scope = ClusterResourceScope;
}

/// What a ClusterTrustBundle holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterTrustBundleSpec {
    /// The signer whose CAs they are, if of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signer_name: Option<String>,
    /// PEM certificates in no order.
    #[serde(default)]
    pub trust_bundle: String,
}
