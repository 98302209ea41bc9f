//! ReferenceGrant.

use serde::{Deserialize, Serialize};

use crate::meta::{Object, namespaced};
use crate::status::NoStatus;

/// A `ReferenceGrant`: references from elsewhere into its namespace that it allows.
pub type ReferenceGrant = Object<ReferenceGrantSpec>;

namespaced!(ReferenceGrantSpec, ReferenceGrant, NoStatus);

/// What a ReferenceGrant allows: every `from` to every `to`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferenceGrantSpec {
    /// Who may refer.
    pub from: Vec<ReferenceGrantFrom>,
    /// What may be referred to, in the grant's namespace.
    pub to: Vec<ReferenceGrantTo>,
}

/// Who may refer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferenceGrantFrom {
    /// The API group; empty for the core group.
    pub group: String,
    /// The kind.
    pub kind: String,
    /// The namespace.
    pub namespace: String,
}

/// What may be referred to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferenceGrantTo {
    /// The API group; empty for the core group.
    pub group: String,
    /// The kind.
    pub kind: String,
    /// The name; any if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}
