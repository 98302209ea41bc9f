//! What is made for a Gateway, as objects. Pure: the same wants give the same objects.

mod deployment;
mod service;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;
use std::hash::Hasher as _;

use portcullis_api::parameters::Overlays;
use portcullis_ir::ObjectKey;
use portcullis_translate::infra::{Infra, Parameters};
use serde_json::{Value as Json, json};
use siphasher::sip::SipHasher13;

use super::overlay;
use super::resource::{ResourceId, ResourceKind};

/// The annotation with a hash of what was rendered: by it, a controller that starts sees whether
/// the one before it made an object otherwise than it would itself.
pub const RENDERED: &str = "portcullis.dev/rendered";

/// What is the same for all Gateways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The image of data-plane pods, where parameters name none.
    pub image: String,
    /// Where data planes find the controller, such as
    /// `https://portcullis-controller.portcullis-system.svc:18000`.
    pub controller: String,
}

/// An object to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    /// Which.
    pub id: ResourceId,
    /// All that we have to say about it; what is absent is not ours.
    pub object: Json,
}

/// What one Gateway is rendered from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    gateway: &'a ObjectKey,
    infra: &'a Infra,
    parameters: &'a Parameters,
    settings: &'a Settings,
}

/// Everything that a Gateway needs, in the order in which it is to be made. `bundle` are the
/// certificates (PEM) by which data planes know the controller.
pub fn render(
    gateway: &ObjectKey,
    infra: &Infra,
    parameters: &Parameters,
    settings: &Settings,
    bundle: &str,
) -> Vec<Rendered> {
    let subject = Subject {
        gateway,
        infra,
        parameters,
        settings,
    };
    let mut objects = vec![
        subject.object(
            ResourceKind::ServiceAccount,
            &json!({ "automountServiceAccountToken": false }),
        ),
        subject.object(
            ResourceKind::ConfigMap,
            &json!({ "data": { "ca.crt": bundle } }),
        ),
        subject.object(ResourceKind::Service, &service::body(&subject)),
    ];
    if subject.has_disruption_budget() {
        let spec = json!({ "maxUnavailable": 1, "selector": { "matchLabels": infra.selector() } });
        let body = json!({ "spec": spec });
        objects.push(subject.object(ResourceKind::PodDisruptionBudget, &body));
    }
    objects.push(subject.object(ResourceKind::Deployment, &deployment::body(&subject)));
    objects
}

impl Subject<'_> {
    /// The whole object with this body, overlays laid on.
    fn object(&self, kind: ResourceKind, body: &Json) -> Rendered {
        let Infra {
            name,
            uid,
            intent: _,
            ports: _,
            labels,
            annotations,
            addresses: _,
        } = self.infra;
        let mut object = json!({
            "apiVersion": kind.api_version(),
            "kind": kind.as_str(),
            "metadata": {
                "name": name,
                "namespace": &*self.gateway.namespace,
                "labels": labels,
                "ownerReferences": [{
                    "apiVersion": "gateway.networking.k8s.io/v1",
                    "kind": "Gateway",
                    "name": &*self.gateway.name,
                    "uid": uid,
                    "controller": true,
                    "blockOwnerDeletion": true,
                }],
            },
        });
        let own = match kind {
            ResourceKind::Service => self.service_annotations(),
            _ => BTreeMap::new(),
        };
        if !annotations.is_empty() || !own.is_empty() {
            let all: BTreeMap<_, _> = annotations.clone().into_iter().chain(own).collect();
            overlay::merge(&mut object, &json!({ "metadata": { "annotations": all } }));
        }
        overlay::merge(&mut object, body);
        for overlay in self.overlays(kind) {
            overlay::merge(&mut object, overlay);
        }
        Rendered {
            id: ResourceId {
                namespace: self.gateway.namespace.to_string(),
                name: name.clone(),
                kind,
            },
            object,
        }
    }

    fn overlays(&self, kind: ResourceKind) -> impl Iterator<Item = &Json> {
        self.parameters.overlays.iter().filter_map(move |overlays| {
            let Overlays {
                deployment,
                service,
                service_account,
                pod_disruption_budget,
            } = overlays;
            match kind {
                ResourceKind::ServiceAccount => service_account.as_ref(),
                ResourceKind::ConfigMap => None,
                ResourceKind::Service => service.as_ref(),
                ResourceKind::PodDisruptionBudget => pod_disruption_budget.as_ref(),
                ResourceKind::Deployment => deployment.as_ref(),
            }
        })
    }

    /// With one pod, a budget would keep its node from being drained.
    fn has_disruption_budget(&self) -> bool {
        let several = self.parameters.values.replicas.is_some_and(|n| n > 1);
        several
            || self
                .overlays(ResourceKind::PodDisruptionBudget)
                .next()
                .is_some()
    }
}

/// Writes down in the object's annotations what it was rendered as.
pub(super) fn seal(object: &mut Json) {
    let mut hasher = SipHasher13::new();
    hasher.write(object.to_string().as_bytes());
    let hash = format!("{:016x}", hasher.finish());
    let annotations = json!({ "metadata": { "annotations": { RENDERED: hash } } });
    overlay::merge(object, &annotations);
}
