//! What routes see of a Gateway or a ListenerSet.

use portcullis_api::gateway::FromNamespaces;
use portcullis_api::meta::LabelSelector;
use portcullis_api::route::RouteGroupKind;
use portcullis_api::{Kind, ObjectKey};
use portcullis_ir::{HostPattern, ListenerId};

use super::{GatewayDraft, ListenerDraft, Owner, passes_tls_on};
use crate::problem::Problem;

/// A Gateway or ListenerSet of ours as far as routes are concerned. While it is equal, so is what
/// becomes of every route that names it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Parent {
    /// The Gateway it is, or is of.
    pub(crate) gateway: ObjectKey,
    /// Why a ListenerSet takes no routes.
    pub(crate) refused: Option<Problem>,
    /// Its own listeners, in its order.
    pub(crate) listeners: Vec<ParentListener>,
}

/// A listener as far as routes are concerned.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ParentListener {
    pub(crate) id: ListenerId,
    pub(crate) name: String,
    pub(crate) port: u16,
    pub(crate) hostname: HostPattern,
    /// The kinds of route it takes.
    pub(crate) kinds: Vec<RouteGroupKind>,
    /// Where from it takes them.
    pub(crate) from: FromNamespaces,
    pub(crate) selector: Option<LabelSelector>,
    /// Whether TLS does not end at it.
    pub(crate) passes_tls_on: bool,
    /// Whether the data plane gets the routes on it.
    pub(crate) takes_requests: bool,
}

impl GatewayDraft<'_> {
    /// The Gateway and its ListenerSets, as routes see them.
    pub(crate) fn parents(&self) -> impl Iterator<Item = (Owner, Parent)> {
        let own = Owner {
            kind: Kind::Gateway,
            key: self.key.clone(),
        };
        let sets = self
            .sets
            .iter()
            .map(|set| (set.owner(), set.refused.clone()));
        [(own, None)]
            .into_iter()
            .chain(sets)
            .map(|(owner, refused)| {
                let listeners = self
                    .listeners_of(&owner)
                    .map(|(_, l)| listener(l))
                    .collect();
                let parent = Parent {
                    gateway: self.key.clone(),
                    refused,
                    listeners,
                };
                (owner, parent)
            })
    }
}

fn listener(draft: &ListenerDraft<'_>) -> ParentListener {
    let spec = draft.spec;
    ParentListener {
        id: draft.id.clone(),
        name: spec.name.clone(),
        port: spec.port,
        hostname: draft.hostname.clone(),
        kinds: draft.kinds.clone(),
        from: spec.allowed_namespaces().clone(),
        selector: spec.allowed_selector().cloned(),
        passes_tls_on: passes_tls_on(spec),
        takes_requests: draft.takes_requests(),
    }
}
