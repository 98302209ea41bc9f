//! What a Gateway's data planes need around them, as plain values.

mod name;
mod overlay;
pub(crate) mod parameters;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use portcullis_api::gateway::{AddressType, Gateway};
use portcullis_ir::PortKey;
use serde::Serialize;

pub use self::name::{label_value, object_name};
pub use self::parameters::Parameters;
use crate::listeners::{GatewayDraft, ListenerDraft};
use crate::status::gateway::infrastructure_refusal;

/// "MUST label all generated resources (Service, Deployment, etc) with
/// `gateway.networking.k8s.io/gateway-name: my-gateway`" (GEP-1762). Of a longer name than a label
/// can hold, [`label_value`] makes one.
pub const GATEWAY_NAME_LABEL: &str = "gateway.networking.k8s.io/gateway-name";
/// "SHOULD label all generated resources … with `gateway.networking.k8s.io/gateway-class-name`"
/// (GEP-1762).
pub const GATEWAY_CLASS_LABEL: &str = "gateway.networking.k8s.io/gateway-class-name";
/// The label by which we find what we made.
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
/// The value of [`MANAGED_BY_LABEL`].
pub const MANAGED_BY: &str = "portcullis";

/// Labels whose values are ours, whatever a user says.
const RESERVED_LABELS: [&str; 3] = [GATEWAY_NAME_LABEL, GATEWAY_CLASS_LABEL, MANAGED_BY_LABEL];
/// What `kubectl apply` writes down for itself; it is of the object it stands on, and no other.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What a Gateway wants of its infrastructure (GEP-1762).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Infra {
    /// The name of everything that is made: "SHOULD name all generated resources
    /// `my-gateway-example` (`<NAME>-<GATEWAY CLASS>`)" (GEP-1762), see [`object_name`].
    pub name: String,
    /// The Gateway's `metadata.uid`; empty where there is none, as in a folder.
    pub uid: String,
    /// What is to be done.
    pub intent: Intent,
    /// The ports that must reach the data planes.
    pub ports: BTreeSet<PortKey>,
    /// Labels for everything that is made for the Gateway.
    pub labels: BTreeMap<String, String>,
    /// Annotations for everything that is made for the Gateway.
    pub annotations: BTreeMap<String, String>,
    /// The addresses to ask for: at most one of each family, as a Service has no more.
    pub addresses: Vec<IpAddr>,
}

/// What is to be done about the infrastructure of a Gateway.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub enum Intent {
    /// Whatever there is stays as it is, and what there is not is not made. The Gateway's status
    /// says why: its parameters or its addresses are refused, or no port of it can be served. A bad
    /// edit must not stop what worked. So it is, too, for a Gateway that is being deleted.
    #[default]
    Keep,
    /// It is to be as these parameters say.
    Make(Arc<Parameters>),
}

impl Infra {
    /// The labels by which a Service and a Deployment know the Gateway's pods. Nobody can change
    /// them on a Deployment: they name the Gateway and its class, and nothing else.
    pub fn selector(&self) -> BTreeMap<String, String> {
        let of_pods = [GATEWAY_NAME_LABEL, GATEWAY_CLASS_LABEL];
        let labels = self.labels.iter();
        labels
            .filter(|(key, _)| of_pods.contains(&key.as_str()))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }
}

pub(crate) fn wanted(draft: &GatewayDraft<'_>) -> Infra {
    let gateway = draft.object;
    let class = &gateway.spec.gateway_class_name;
    let listeners = draft.listeners.iter().filter_map(ListenerDraft::lower);
    let ports: BTreeSet<PortKey> = listeners.map(|listener| listener.port_key()).collect();
    // What is made for a Gateway goes before it, if it is deleted in the foreground; nobody is to
    // make it anew meanwhile.
    let is_going = gateway.metadata.deletion_timestamp.is_some();
    let is_refused = infrastructure_refusal(draft).is_some();
    let intent = match &draft.parameters {
        Ok(parameters) if !ports.is_empty() && !is_refused && !is_going => {
            Intent::Make(Arc::new(parameters.clone()))
        }
        _ => Intent::Keep,
    };
    Infra {
        name: object_name(&draft.key.name, class),
        uid: gateway.metadata.uid.clone().unwrap_or_default(),
        intent,
        ports,
        labels: labels(gateway, &draft.key.name),
        annotations: annotations(gateway),
        addresses: asked_addresses(gateway),
    }
}

/// "Labels that SHOULD be applied to any resources created in response to this Gateway. … An
/// implementation may chose to add additional implementation-specific labels as they see fit."
/// (`GatewayInfrastructure.Labels`)
fn labels(gateway: &Gateway, name: &str) -> BTreeMap<String, String> {
    let class = &gateway.spec.gateway_class_name;
    let mut labels: BTreeMap<String, String> = [
        ("app.kubernetes.io/name", "portcullis"),
        ("app.kubernetes.io/component", "data-plane"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into();
    labels.insert(
        "app.kubernetes.io/instance".to_owned(),
        object_name(name, class),
    );
    if let Some(infrastructure) = &gateway.spec.infrastructure {
        labels.extend(infrastructure.labels.clone());
    }
    labels.insert(MANAGED_BY_LABEL.to_owned(), MANAGED_BY.to_owned());
    labels.insert(GATEWAY_NAME_LABEL.to_owned(), label_value(name));
    labels.insert(GATEWAY_CLASS_LABEL.to_owned(), label_value(class));
    labels
}

/// "Annotations that SHOULD be applied to any resources created in response to this Gateway."
/// (`GatewayInfrastructure.Annotations`)
fn annotations(gateway: &Gateway) -> BTreeMap<String, String> {
    let infrastructure = gateway.spec.infrastructure.as_ref();
    let mut annotations = infrastructure
        .map(|infrastructure| infrastructure.annotations.clone())
        .unwrap_or_default();
    annotations.remove(LAST_APPLIED);
    annotations
}

/// "For implementations using a `Service`, this means the `clusterIP` or `loadBalancerIP`
/// (depending on the `Service` type)." (GEP-1762) There is one of each family: the first that is
/// asked for. The status says of any other that it is not usable.
fn asked_addresses(gateway: &Gateway) -> Vec<IpAddr> {
    let mut asked: Vec<IpAddr> = Vec::new();
    for address in &gateway.spec.addresses {
        let value = address.value.as_deref().unwrap_or_default();
        if *address.address_type() == AddressType::IpAddress
            && let Ok(address) = value.parse::<IpAddr>()
            && !asked.iter().any(|a| a.is_ipv4() == address.is_ipv4())
        {
            asked.push(address);
        }
    }
    asked
}
