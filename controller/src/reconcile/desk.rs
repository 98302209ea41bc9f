//! What is told to the status writer: what changed, and not before it is certain.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use portcullis_api::gateway::GatewayStatus;
use portcullis_api::listener_set::ListenerSetStatus;
use portcullis_api::meta::{Object, Spec};
use portcullis_api::{Kind, ObjectKey, Objects};
use portcullis_translate::Statuses;
use serde::Serialize;
use tokio::time::Instant;

use super::fleet::Fleet;
use super::hold::{Ledger, Programmable};
use crate::status::wanted::changes;
use crate::status::{Order, Subject};

/// How long a new leader waits for the data planes to come and say what they serve. Until then it
/// says nothing about their Gateways: it does not know.
const ARRIVAL: Duration = Duration::from_secs(10);

/// Whether we speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Follower,
    Leader { since: Instant },
}

/// What was told.
#[derive(Debug)]
pub(super) struct Desk {
    role: Role,
    /// As translated last, but for what is withheld.
    statuses: Statuses,
    gateways: Ledger<GatewayStatus>,
    listener_sets: Ledger<ListenerSetStatus>,
    /// The Gateways of which enough is known to speak.
    settled: BTreeSet<ObjectKey>,
    unsettled: BTreeSet<ObjectKey>,
}

/// What the Desk looks at.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub(super) objects: &'a Objects,
    pub(super) fleet: &'a Fleet,
    /// Whether `fleet` knows all that there is.
    pub(super) is_complete: bool,
    /// Gateways of which not all is known, for another reason.
    pub(super) withheld: &'a BTreeSet<ObjectKey>,
}

impl Desk {
    pub(super) fn new() -> Self {
        Self {
            role: Role::Follower,
            statuses: Statuses::default(),
            gateways: Ledger::new(),
            listener_sets: Ledger::new(),
            settled: BTreeSet::new(),
            unsettled: BTreeSet::new(),
        }
    }

    /// We speak from now on, or no more. Who follows does not hear the data planes.
    pub(super) fn assume(&mut self, role: Role) {
        self.role = role;
        self.settled.clear();
    }

    /// Whether something is told of an object.
    pub(super) fn tells_of(&self, kind: Kind, key: &ObjectKey) -> bool {
        let Statuses {
            gateway_classes,
            gateways,
            listener_sets,
            http_routes,
        } = &self.statuses;
        match kind {
            Kind::GatewayClass => gateway_classes.contains_key(key),
            Kind::Gateway => gateways.contains_key(key),
            Kind::ListenerSet => listener_sets.contains_key(key),
            Kind::HttpRoute => http_routes.contains_key(key),
            _ => false,
        }
    }

    /// Takes the statuses of a translation; gives what is to be told.
    pub(super) fn tell(&mut self, statuses: Statuses, view: View<'_>, now: Instant) -> Vec<Order> {
        let before = std::mem::replace(&mut self.statuses, statuses);
        let mut orders = Vec::new();
        for (subject, status) in changes(&before, &self.statuses) {
            let live = view.objects.find(subject.kind, &subject.key);
            match (status, live) {
                // Gateways and their ListenerSets are told below, with what was held back.
                (Some(_), _) if is_programmable(subject.kind) => {}
                (Some(status), Some(live)) => orders.push(Order::Want {
                    live,
                    status: Arc::new(status),
                }),
                _ => orders.push(self.forget(subject)),
            }
        }
        self.settle(view, now);
        let told = Telling {
            objects: view.objects,
            now,
            orders: &mut orders,
        };
        self.tell_settled(told);
        orders
    }

    fn forget(&mut self, subject: Subject) -> Order {
        match subject.kind {
            Kind::Gateway => self.gateways.forget(&subject.key),
            Kind::ListenerSet => self.listener_sets.forget(&subject.key),
            _ => {}
        }
        Order::Forget(subject)
    }

    /// Finds out of which Gateways enough is known.
    fn settle(&mut self, view: View<'_>, now: Instant) {
        let ours = &self.statuses.gateways;
        self.settled.retain(|key| ours.contains_key(key));
        self.unsettled.clear();
        let Role::Leader { since } = self.role else {
            return;
        };
        for key in ours.keys() {
            let has_come =
                || now >= since + ARRIVAL || view.fleet.has_reported(&super::control::ir_key(key));
            let is_settled = self.settled.contains(key) || (view.is_complete && has_come());
            if !is_settled || view.withheld.contains(key) {
                self.unsettled.insert(key.clone());
            } else {
                self.settled.insert(key.clone());
            }
        }
    }

    fn tell_settled(&mut self, mut telling: Telling<'_>) {
        let may_speak =
            |key: &ObjectKey| self.settled.contains(key) && !self.unsettled.contains(key);
        for (key, status) in &self.statuses.gateways {
            if may_speak(key)
                && let Some(object) = telling.objects.gateways.get(key)
            {
                telling.tell(&mut self.gateways, key, object, status);
            }
        }
        for (key, status) in &self.statuses.listener_sets {
            if let Some(object) = telling.objects.listener_sets.get(key)
                && may_speak(&gateway_of(key, object))
            {
                telling.tell(&mut self.listener_sets, key, object, status);
            }
        }
    }

    /// When there will be more to tell though nothing happens.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let arrival = match self.role {
            Role::Leader { since } if !self.unsettled.is_empty() => Some(since + ARRIVAL),
            _ => None,
        };
        let held = [
            self.gateways.deadline(),
            self.listener_sets.deadline(),
            arrival,
        ];
        held.into_iter().flatten().min()
    }
}

fn is_programmable(kind: Kind) -> bool {
    matches!(kind, Kind::Gateway | Kind::ListenerSet)
}

/// The Gateway that a ListenerSet names.
fn gateway_of(key: &ObjectKey, set: &portcullis_api::ListenerSet) -> ObjectKey {
    let parent = set.spec.parent_ref.target();
    ObjectKey::new(parent.namespace.unwrap_or(&key.namespace), parent.name)
}

struct Telling<'a> {
    objects: &'a Objects,
    now: Instant,
    orders: &'a mut Vec<Order>,
}

impl Telling<'_> {
    fn tell<S: Spec>(
        &mut self,
        ledger: &mut Ledger<S::Status>,
        key: &ObjectKey,
        object: &Arc<Object<S>>,
        status: &S::Status,
    ) where
        S::Status: Programmable + Serialize,
        portcullis_api::AnyObject: From<Object<S>>,
    {
        let uid = object.metadata.uid.as_deref().unwrap_or_default();
        let news = ledger.tell((key, uid), status, object.status.as_ref(), self.now);
        let Some(live) = self.objects.find(S::KIND, key).filter(|_| news.is_some()) else {
            return;
        };
        self.orders.push(Order::Want {
            live,
            // Our own types; see `status::wanted::changes`.
            status: Arc::new(serde_json::to_value(news).unwrap_or_default()),
        });
    }
}
