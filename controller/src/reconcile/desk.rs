//! What is told to the status writer: what changed, and not before it is certain.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use portcullis_api::gateway::GatewayStatus;
use portcullis_api::listener_set::ListenerSetStatus;
use portcullis_api::meta::{Object, Spec};
use portcullis_api::{Kind, ListenerSet, ObjectKey, Objects};
use portcullis_translate::references::Concern;
use portcullis_translate::{Statuses, ir_key};
use serde_json::Value;
use tokio::time::Instant;

use super::fleet::Fleet;
use super::hold::{Ledger, Programmable};
use crate::status::wanted::{changes, said};
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
    /// As translated last.
    statuses: Statuses,
    gateways: Ledger<GatewayStatus>,
    listener_sets: Ledger<ListenerSetStatus>,
    /// Gateways and ListenerSets of which there may be something to tell.
    due: BTreeSet<Subject>,
    /// Routes and policies of which there is something to tell that is not certain yet.
    withheld: BTreeSet<Subject>,
    /// What was told and is not to be said again: another leader may have said other things since.
    taken_back: Vec<Subject>,
    /// The Gateways of which enough is known to speak.
    settled: BTreeSet<ObjectKey>,
    deadline: Option<Instant>,
}

/// What the Desk looks at.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub(super) objects: &'a Objects,
    pub(super) fleet: &'a Fleet,
    /// Whether `fleet` knows all that there is.
    pub(super) is_complete: bool,
    /// Of which not all is known, for another reason.
    pub(super) withheld: &'a Concern,
    pub(super) now: Instant,
}

impl View<'_> {
    /// Whether what would be said of a route or policy is not certain yet.
    fn withholds(&self, subject: &Subject) -> bool {
        let Subject { kind, key } = subject;
        self.withheld.others.contains(&(*kind, key.clone()))
    }
}

impl Desk {
    pub(super) fn new() -> Self {
        Self {
            role: Role::Follower,
            statuses: Statuses::default(),
            gateways: Ledger::new(),
            listener_sets: Ledger::new(),
            due: BTreeSet::new(),
            withheld: BTreeSet::new(),
            taken_back: Vec::new(),
            settled: BTreeSet::new(),
            deadline: None,
        }
    }

    /// We speak from now on, or no more. Who follows does not hear the data planes.
    pub(super) fn assume(&mut self, role: Role) {
        self.role = role;
        self.settled.clear();
        let gateways = self.gateways.clear().map(|key| (Kind::Gateway, key));
        let sets = self
            .listener_sets
            .clear()
            .map(|key| (Kind::ListenerSet, key));
        let told = gateways
            .chain(sets)
            .map(|(kind, key)| Subject { kind, key });
        self.taken_back.extend(told);
        let of_kind = |kind| move |key: &ObjectKey| subject(kind, key);
        let gateways = self.statuses.gateways.keys().map(of_kind(Kind::Gateway));
        let sets = self.statuses.listener_sets.keys();
        self.due
            .extend(gateways.chain(sets.map(of_kind(Kind::ListenerSet))));
    }

    /// Whether something is told of an object.
    pub(super) fn tells_of(&self, kind: Kind, key: &ObjectKey) -> bool {
        let Statuses {
            gateway_classes,
            gateways,
            listener_sets,
            http_routes,
            grpc_routes,
            tls_routes,
            tcp_routes,
            udp_routes,
            backend_tls_policies,
        } = &self.statuses;
        match kind {
            Kind::GatewayClass => gateway_classes.contains_key(key),
            Kind::Gateway => gateways.contains_key(key),
            Kind::ListenerSet => listener_sets.contains_key(key),
            Kind::HttpRoute => http_routes.contains_key(key),
            Kind::GrpcRoute => grpc_routes.contains_key(key),
            Kind::TlsRoute => tls_routes.contains_key(key),
            Kind::TcpRoute => tcp_routes.contains_key(key),
            Kind::UdpRoute => udp_routes.contains_key(key),
            Kind::BackendTlsPolicy => backend_tls_policies.contains_key(key),
            _ => false,
        }
    }

    /// When there will be more to tell though nothing happens.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Takes the statuses of a translation; gives what is to be told.
    pub(super) fn tell(&mut self, statuses: Statuses, view: View<'_>) -> Vec<Order> {
        let before = std::mem::replace(&mut self.statuses, statuses);
        let taken_back = std::mem::take(&mut self.taken_back).into_iter();
        let mut orders: Vec<Order> = taken_back.map(Order::Forget).collect();
        for (subject, status) in changes(&before, &self.statuses) {
            let live = view.objects.find(subject.kind, &subject.key);
            match (status, live) {
                (Some(_), _) if is_programmable(subject.kind) => {
                    self.due.insert(subject);
                }
                (Some(_), Some(_)) if view.withholds(&subject) => {
                    self.withheld.insert(subject);
                }
                (Some(status), Some(live)) => {
                    self.withheld.remove(&subject);
                    orders.push(Order::Want { live, status });
                }
                _ => orders.push(self.forget(subject)),
            }
        }
        self.tell_withheld(view, &mut orders);
        self.tell_due(view, &mut orders);
        orders
    }

    /// Tells of routes and policies what was held back, once all is known.
    fn tell_withheld(&mut self, view: View<'_>, orders: &mut Vec<Order>) {
        let free = self
            .withheld
            .extract_if(.., |subject| !view.withholds(subject));
        for subject in free {
            let live = view.objects.find(subject.kind, &subject.key);
            if let (Some(live), Some(status)) = (live, said(&self.statuses, &subject)) {
                orders.push(Order::Want {
                    live,
                    status: Arc::new(status),
                });
            }
        }
    }

    fn forget(&mut self, subject: Subject) -> Order {
        self.withheld.remove(&subject);
        match subject.kind {
            Kind::Gateway => {
                self.gateways.forget(&subject.key);
                self.settled.remove(&subject.key);
            }
            Kind::ListenerSet => self.listener_sets.forget(&subject.key),
            _ => {}
        }
        self.due.remove(&subject);
        Order::Forget(subject)
    }

    /// Tells what is due, as far as enough is known. What is held back stays due.
    fn tell_due(&mut self, view: View<'_>, orders: &mut Vec<Order>) {
        let mut deadline: Option<Instant> = None;
        let mut wake = |at: Option<Instant>| {
            let later = at.filter(|at| *at > view.now);
            deadline = deadline.into_iter().chain(later).min();
        };
        for subject in std::mem::take(&mut self.due) {
            let Subject { kind, key } = &subject;
            let gateway = match view.objects.listener_sets.get(key) {
                Some(set) if *kind == Kind::ListenerSet => gateway_of(key, set),
                _ => key.clone(),
            };
            if !self.is_settled(&gateway, view) {
                wake(self.arrival());
                self.due.insert(subject);
                continue;
            }
            let news = if *kind == Kind::Gateway {
                let object = view.objects.gateways.get(key);
                let status = self.statuses.gateways.get(key);
                tell(&mut self.gateways, (key, object, status), view.now)
            } else {
                let object = view.objects.listener_sets.get(key);
                let status = self.statuses.listener_sets.get(key);
                tell(&mut self.listener_sets, (key, object, status), view.now)
            };
            let live = view.objects.find(*kind, key);
            if let (Some(live), Some(status)) = (live, news.status) {
                orders.push(Order::Want {
                    live,
                    status: Arc::new(status),
                });
            }
            if news.deadline.is_some() {
                wake(news.deadline);
                self.due.insert(subject);
            }
        }
        self.deadline = deadline;
    }

    /// Whether enough is known of a Gateway to speak of it; once it is, it is.
    fn is_settled(&mut self, gateway: &ObjectKey, view: View<'_>) -> bool {
        let Some(arrival) = self.arrival() else {
            return false;
        };
        if !view.is_complete || view.withheld.gateways.contains(gateway) {
            return false;
        }
        let is_settled = self.settled.contains(gateway)
            || view.now >= arrival
            || view.fleet.has_reported(&ir_key(gateway));
        if is_settled {
            self.settled.insert(gateway.clone());
        }
        is_settled
    }

    /// Until when data planes are waited for, if we lead.
    fn arrival(&self) -> Option<Instant> {
        match self.role {
            Role::Follower => None,
            Role::Leader { since } => Some(since + ARRIVAL),
        }
    }
}

fn subject(kind: Kind, key: &ObjectKey) -> Subject {
    Subject {
        kind,
        key: key.clone(),
    }
}

fn is_programmable(kind: Kind) -> bool {
    matches!(kind, Kind::Gateway | Kind::ListenerSet)
}

/// The Gateway that a ListenerSet names.
fn gateway_of(key: &ObjectKey, set: &ListenerSet) -> ObjectKey {
    let parent = set.spec.parent_ref.target();
    ObjectKey::new(parent.namespace.unwrap_or(&key.namespace), parent.name)
}

/// What there is to tell of one object.
#[derive(Debug, Default)]
struct Telling {
    status: Option<Value>,
    /// Until when something is held back.
    deadline: Option<Instant>,
}

type Entry<'a, S> = (
    &'a ObjectKey,
    Option<&'a Arc<Object<S>>>,
    Option<&'a Arc<<S as Spec>::Status>>,
);

fn tell<S: Spec>(
    ledger: &mut Ledger<S::Status>,
    (key, object, status): Entry<'_, S>,
    now: Instant,
) -> Telling
where
    S::Status: Programmable,
{
    let (Some(object), Some(status)) = (object, status) else {
        return Telling::default(); // gone
    };
    let uid = object.metadata.uid.as_deref().unwrap_or_default();
    let news = ledger.tell((key, uid), status, object.status.as_deref(), now);
    Telling {
        // Our own types; see `status::wanted::changes`.
        status: news.map(|news| serde_json::to_value(news).unwrap_or_default()),
        deadline: ledger.deadline(key),
    }
}
