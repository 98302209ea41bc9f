//! What to ask of the API server for one Gateway.

use portcullis_ir::ObjectKey;
use portcullis_translate::infra::{Infra, Intent, Parameters};
use tokio::time::Instant;

use super::backlog::Progress;
use super::{Control, Order, Request};
use crate::infra::decide::{Action, Ownership, action, ownership};
use crate::infra::render::{Rendered, render};
use crate::infra::resource::{ResourceId, ResourceKind};
use crate::infra::{Readiness, trouble};

impl Control {
    pub(super) fn plan(&mut self, gateway: &ObjectKey, now: Instant, orders: &mut Vec<Order>) {
        let Some(wanted) = self.wanted.clone() else {
            return;
        };
        if wanted.foreign.contains(gateway) {
            self.clear_away(gateway, |_| true, now, orders);
            return;
        }
        let (Some(infra), Some(bundle)) = (wanted.gateways.get(gateway), self.bundle.clone())
        else {
            return;
        };
        let Intent::Make(parameters) = &infra.intent else {
            return;
        };
        if !infra.uid.is_empty() {
            self.make(gateway, infra, parameters, &bundle, now, orders);
        }
    }

    fn make(
        &mut self,
        gateway: &ObjectKey,
        infra: &Infra,
        parameters: &Parameters,
        bundle: &str,
        now: Instant,
        orders: &mut Vec<Order>,
    ) {
        let rendered = render(gateway, infra, parameters, &self.settings, bundle);
        for object in &rendered {
            if let Some(request) = self.request(gateway, &infra.uid, object, now) {
                self.order(&object.id, request, orders);
            }
        }
        // What a Gateway had under another class serves until there is something in its place.
        let succeeded = self.is_served(gateway, infra);
        let is_left_over = |id: &ResourceId| {
            let is_rendered = rendered.iter().any(|object| object.id == *id);
            !is_rendered && (id.name == infra.name || succeeded)
        };
        self.clear_away(gateway, is_left_over, now, orders);
    }

    /// What to ask for to have one object as it is to be.
    fn request(
        &mut self,
        gateway: &ObjectKey,
        uid: &str,
        rendered: &Rendered,
        now: Instant,
    ) -> Option<Request> {
        let id = &rendered.id;
        if !self.backlog.is_ready(id, now) {
            return None;
        }
        if self.backlog.progress(id) == Progress::MustLook {
            return Some(Request::Look);
        }
        let live = self.live.get(id);
        if id.kind == ResourceKind::Deployment
            && live.is_none()
            && !self.has_needs(gateway, id, uid)
        {
            return None;
        }
        match action(rendered, live, self.backlog.memory(id), &gateway.name, uid) {
            Action::Nothing => {
                self.backlog.settle(id);
                None
            }
            Action::Create(object) => Some(Request::Create(object)),
            Action::Apply { object, before } => Some(Request::Apply { object, before }),
            // What is known of a stranger's object may be old.
            Action::Leave(_) if self.backlog.progress(id) != Progress::Looked => {
                Some(Request::Look)
            }
            Action::Leave(ownership) => {
                let trouble = (ownership == Ownership::Foreign).then(|| trouble::of_taken_name(id));
                self.backlog.fail(id, trouble, now);
                None
            }
        }
    }

    /// Whether what a Deployment's pods cannot start without is there.
    fn has_needs(&self, gateway: &ObjectKey, deployment: &ResourceId, uid: &str) -> bool {
        let mut needs = [ResourceKind::ServiceAccount, ResourceKind::ConfigMap].into_iter();
        needs.all(|kind| {
            let id = ResourceId {
                kind,
                ..deployment.clone()
            };
            let live = self.live.get(&id);
            live.is_some_and(|live| ownership(live, &gateway.name, uid) == Ownership::Ours)
        })
    }

    fn is_served(&self, gateway: &ObjectKey, infra: &Infra) -> bool {
        let key = (gateway.namespace.to_string(), infra.name.clone());
        let pods = self.pods.get(&key).into_iter().flatten();
        pods.into_iter()
            .any(|(_, facts)| facts.pod.readiness == Readiness::Ready)
    }

    /// Orders that what was made for a Gateway be deleted, as far as `is_left_over` says.
    fn clear_away(
        &mut self,
        gateway: &ObjectKey,
        is_left_over: impl Fn(&ResourceId) -> bool,
        now: Instant,
        orders: &mut Vec<Order>,
    ) {
        let owned = self.owned.get(gateway).cloned().unwrap_or_default();
        for id in owned.iter().filter(|id| is_left_over(id)) {
            let Some(live) = self.live.get(id) else {
                continue;
            };
            let metadata = &live["metadata"];
            let text = |field: &str| metadata[field].as_str().unwrap_or_default().to_owned();
            if metadata.get("deletionTimestamp").is_some() {
                continue;
            }
            let request = Request::Delete {
                uid: text("uid"),
                resource_version: text("resourceVersion"),
            };
            if self.backlog.is_ready(id, now) {
                self.order(id, request, orders);
            }
        }
    }

    fn order(&mut self, id: &ResourceId, request: Request, orders: &mut Vec<Order>) {
        self.backlog.mark(id, Progress::Asked);
        orders.push(Order {
            id: id.clone(),
            request,
        });
    }
}
