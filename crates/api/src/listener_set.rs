//! ListenerSet: listeners that another team adds to a Gateway.

use serde::{Deserialize, Serialize};

use crate::gateway::Listener;
use crate::meta::{Object, namespaced};
use crate::route::ParentReference;
use crate::status::{Condition, ListenerStatus};

/// A `ListenerSet`.
pub type ListenerSet = Object<ListenerSetSpec>;

namespaced!(ListenerSetSpec, ListenerSet, ListenerSetStatus);

/// What a ListenerSet wants.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenerSetSpec {
    /// The Gateway it adds to. `ParentGatewayReference`, which has no `sectionName` and `port`.
    pub parent_ref: ParentReference,
    /// What it adds.
    pub listeners: Vec<Listener>,
}

/// What is said about a ListenerSet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerSetStatus {
    /// About the whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// About each listener.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listeners: Vec<ListenerStatus>,
}
