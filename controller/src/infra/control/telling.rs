//! What to tell the reconcile loop of one Gateway.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Service;
use portcullis_api::shape;
use portcullis_ir::ObjectKey;
use portcullis_translate::ObservedInfra;
use serde::de::DeserializeOwned;

use super::Control;
use crate::infra::decide::owner;
use crate::infra::live::LiveDeployment;
use crate::infra::observe::{self, PodFacts};
use crate::infra::resource::{ResourceId, ResourceKind};
use crate::infra::{Event, Observed, Pod};

impl Control {
    /// News of a Gateway, if there are any.
    pub(super) fn observe(&mut self, gateway: &ObjectKey) -> Option<Event> {
        let observed = self.observed(gateway);
        let known = self.told.get(gateway);
        if known == observed.as_ref() {
            return None;
        }
        match &observed {
            Some(observed) => self.told.insert(gateway.clone(), observed.clone()),
            None => self.told.remove(gateway),
        };
        Some(Event::Observed {
            gateway: gateway.clone(),
            observed: observed.unwrap_or_default(),
        })
    }

    /// All there is for a Gateway; `None`: nothing, and nothing is wanted.
    fn observed(&self, gateway: &ObjectKey) -> Option<Observed> {
        let wanted = self.wanted.as_ref();
        let infra = wanted.and_then(|wanted| wanted.gateways.get(gateway));
        let namespace = gateway.namespace.to_string();
        let (name, uid) = if let Some(infra) = infra {
            (infra.name.clone(), infra.uid.as_str())
        } else {
            // Nothing is wanted yet: what there is will do.
            let id = self.owned.get(gateway)?.last()?;
            let (_, uid) = self.live.get(id).and_then(owner)?;
            (id.name.clone(), uid)
        };
        let service: Option<Service> = self.typed(gateway, uid, &name, ResourceKind::Service);
        let deployment: Option<LiveDeployment> =
            self.typed(gateway, uid, &name, ResourceKind::Deployment);
        let no_pods = BTreeMap::new();
        let pods = match &deployment {
            Some(_) => self.pods.get(&(namespace.clone(), name.clone())),
            None => None,
        };
        let pods = pods.unwrap_or(&no_pods);
        let told = |(name, facts): (&Arc<str>, &PodFacts)| -> (Arc<str>, Pod) {
            (Arc::clone(name), facts.pod.clone())
        };
        Some(Observed {
            gateway_uid: uid.into(),
            addresses: observe::addresses(service.as_ref(), pods),
            pods: pods.iter().map(told).collect(),
            infra: ObservedInfra {
                service_type: service.as_ref().map(observe::service_type),
                service_ports: service
                    .as_ref()
                    .map(observe::service_ports)
                    .unwrap_or_default(),
                trouble: self.backlog.trouble(&namespace, &name),
                hint: observe::why_not_ready(deployment.as_ref(), pods),
            },
        })
    }

    fn typed<T: DeserializeOwned>(
        &self,
        gateway: &ObjectKey,
        uid: &str,
        name: &str,
        kind: ResourceKind,
    ) -> Option<T> {
        let id = ResourceId {
            namespace: gateway.namespace.to_string(),
            name: name.to_owned(),
            kind,
        };
        let live = self.live.get(&id)?;
        let is_its = owner(live)? == (&*gateway.name, uid);
        is_its.then(|| shape::known(live).ok()).flatten()
    }
}
