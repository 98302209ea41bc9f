//! What a Gateway's data planes need around them, as plain values.

use std::collections::{BTreeMap, BTreeSet};

use portcullis_api::gateway::GatewayAddress;
use portcullis_ir::PortKey;

use crate::listeners::{GatewayDraft, ListenerDraft};

/// What a Gateway wants of its infrastructure (GEP-1762).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Infra {
    /// The ports that must reach the data planes.
    pub ports: BTreeSet<PortKey>,
    /// Labels for everything that is made for the Gateway.
    pub labels: BTreeMap<String, String>,
    /// Annotations for everything that is made for the Gateway.
    pub annotations: BTreeMap<String, String>,
    /// The addresses that the user asks for.
    pub addresses: Vec<GatewayAddress>,
}

pub(crate) fn wanted(draft: &GatewayDraft<'_>) -> Infra {
    let listeners = draft.listeners.iter().filter_map(ListenerDraft::lower);
    let mut labels = BTreeMap::new();
    let mut annotations = BTreeMap::new();
    if let Some(infrastructure) = &draft.object.spec.infrastructure {
        labels.clone_from(&infrastructure.labels);
        annotations.clone_from(&infrastructure.annotations);
    }
    let class = draft.object.spec.gateway_class_name.clone();
    labels.insert(
        "gateway.networking.k8s.io/gateway-name".to_owned(),
        draft.key.name.to_string(),
    );
    labels.insert(
        "gateway.networking.k8s.io/gateway-class-name".to_owned(),
        class,
    );
    Infra {
        ports: listeners.map(|listener| listener.port_key()).collect(),
        labels,
        annotations,
        addresses: draft.object.spec.addresses.clone(),
    }
}
