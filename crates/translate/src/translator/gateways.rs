//! What became of every Gateway.

mod backends;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use portcullis_api::{Kind, ObjectKey};
use portcullis_ir::tls::TrustBundle;
use portcullis_ir::{BackendId, HttpRoute, L4Route, RouteId, SharedMap, TrustBundleId};

use self::backends::Named;
use super::routes::Moves;
use super::{Change, Drafting, put};
use crate::backends::Backends;
use crate::facts::{Fact, Readers};
use crate::infra;
use crate::inputs::{ObservedGateway, ir_key};
use crate::listeners::{self, GatewayDraft, Owner, Parent};
use crate::output::{GatewayOutput, Output, bare, share};
use crate::routes::PlacedRoute;
use crate::status;

/// Every Gateway of ours, and what all looked at.
#[derive(Debug, Default)]
pub(super) struct Gateways {
    /// Of Gateways of other classes too: theirs may become ours.
    readers: Readers<ObjectKey>,
    held: BTreeMap<ObjectKey, Held>,
    parents: BTreeMap<Owner, Parent>,
}

/// A Gateway of ours.
#[derive(Debug, Default)]
struct Held {
    /// Itself and its ListenerSets.
    owners: Vec<Owner>,
    /// When it was drafted, in seconds since the Unix epoch.
    drafted_at: i64,
    /// When time alone will make it another.
    recheck_at: Option<i64>,
    http_routes: SharedMap<RouteId, Arc<HttpRoute>>,
    l4_routes: SharedMap<RouteId, Arc<L4Route>>,
    /// The backends that its routes name.
    named: Named,
    /// The CA bundles that its listeners name.
    of_listeners: SharedMap<TrustBundleId, TrustBundle>,
    /// How many routes each listener accepted, by its owner and its number there.
    attached: BTreeMap<(Owner, usize), i32>,
    observed: ObservedGateway,
    /// Whether its routes or backends are not yet in its snapshot.
    served: Change,
    /// Whether `attached` is not yet in its status.
    counted: Change,
}

/// The Gateways that were drafted in this translation.
pub(super) type Drafts<'a> = BTreeMap<ObjectKey, GatewayDraft<'a>>;

impl Gateways {
    /// The Gateways and ListenerSets of ours, as routes see them.
    pub(super) fn parents(&self) -> &BTreeMap<Owner, Parent> {
        &self.parents
    }

    /// When time alone will change the answer next.
    pub(super) fn recheck_at(&self) -> Option<i64> {
        self.held.values().filter_map(|held| held.recheck_at).min()
    }

    /// Drafts again the Gateways that looked at one of these facts, or whose time has come. Adds
    /// the facts that this makes others, and takes what is gone out of the output.
    pub(super) fn redraft<'a>(
        &mut self,
        drafting: &mut Drafting<'a>,
        facts: &mut BTreeSet<Fact>,
        output: &mut Output,
    ) -> Drafts<'a> {
        let mut before = BTreeMap::new();
        let mut drafts = BTreeMap::new();
        for key in self.dirty(facts, drafting.now) {
            let owners = self
                .held
                .get_mut(&key)
                .map(|held| std::mem::take(&mut held.owners));
            for owner in owners.into_iter().flatten() {
                if let Some(parent) = self.parents.remove(&owner) {
                    before.insert(owner, parent);
                }
            }
            if let Some(draft) = self.draft(&key, drafting) {
                drafts.insert(key, draft);
            } else {
                self.held.remove(&key);
                output.gateways.remove(&ir_key(&key));
                output.statuses.gateways.remove(&key);
            }
        }
        let mut touched: BTreeSet<Owner> = before.keys().cloned().collect();
        for (key, draft) in &drafts {
            let held = self.held.entry(key.clone()).or_default();
            for (owner, parent) in draft.parents() {
                touched.insert(owner.clone());
                held.owners.push(owner.clone());
                self.parents.insert(owner, parent);
            }
        }
        for owner in touched {
            let now = self.parents.get(&owner);
            if now.is_none() && owner.kind == Kind::ListenerSet {
                output.statuses.listener_sets.remove(&owner.key);
            }
            if now != before.get(&owner) {
                facts.insert(Fact::Parent(owner));
            }
        }
        drafts
    }

    fn dirty(&self, facts: &BTreeSet<Fact>, now: i64) -> BTreeSet<ObjectKey> {
        let mut dirty: BTreeSet<ObjectKey> = self.readers.of(facts).cloned().collect();
        dirty.extend(facts.iter().filter_map(|fact| match fact {
            Fact::Object(Kind::Gateway, key) => Some(key.clone()),
            _ => None,
        }));
        let is_due =
            |held: &Held| now < held.drafted_at || held.recheck_at.is_some_and(|next| next <= now);
        let due = self.held.iter().filter(|(_, held)| is_due(held));
        dirty.extend(due.map(|(key, _)| key.clone()));
        dirty
    }

    fn draft<'a>(
        &mut self,
        key: &ObjectKey,
        drafting: &mut Drafting<'a>,
    ) -> Option<GatewayDraft<'a>> {
        let Drafting {
            options,
            credentials,
            now,
        } = drafting;
        let world = credentials.world;
        let Some(object) = world.objects().gateways.get(key) else {
            self.readers.record(key, BTreeSet::new());
            return None;
        };
        credentials.take_recheck_at();
        let (draft, asked) = world.watch(|| listeners::draft(key, object, options, credentials));
        self.readers.record(key, asked);
        let draft = draft?;
        let held = self.held.entry(key.clone()).or_default();
        let shown = draft.client_certificate.named.as_ref();
        let change = held.named.present(shown.map(|(id, _)| id));
        held.served = held.served.max(change);
        held.drafted_at = *now;
        held.recheck_at = credentials.take_recheck_at();
        Some(draft)
    }

    /// Takes in what routes did, and the backends that changed.
    pub(super) fn settle(&mut self, moves: Moves, changed: &[BackendId], backends: &Backends) {
        let Moves {
            routes,
            counted,
            named,
        } = moves;
        for (key, routes) in routes {
            if let Some(held) = self.held.get_mut(&key) {
                held.take_routes(routes);
            }
        }
        for ((key, owner, number), by) in counted {
            if let Some(held) = self.held.get_mut(&key)
                && add(&mut held.attached, (owner, number), by) == Change::Some
            {
                held.counted = Change::Some;
            }
        }
        for ((key, id), by) in named {
            if let Some(held) = self.held.get_mut(&key) {
                held.named.count(&id, by);
                held.take_backend(&id, backends);
            }
        }
        for held in self.held.values_mut() {
            for id in changed {
                held.take_backend(id, backends);
            }
        }
    }

    /// Says what there is to be said of each Gateway, as far as it is new.
    pub(super) fn say<'a>(
        &mut self,
        drafting: &mut Drafting<'a>,
        drafts: &mut Drafts<'a>,
        observed: &BTreeMap<portcullis_ir::ObjectKey, ObservedGateway>,
        output: &mut Output,
    ) {
        let nothing = ObservedGateway::default();
        let keys: Vec<ObjectKey> = self.held.keys().cloned().collect();
        for key in keys {
            let name = ir_key(&key);
            let seen = observed.get(&name).unwrap_or(&nothing);
            let mut draft = drafts.remove(&key);
            let is_drafted = draft.is_some();
            let Some(held) = self.held.get(&key) else {
                continue;
            };
            let speaks = is_drafted || held.counted == Change::Some || held.observed != *seen;
            if speaks && draft.is_none() {
                draft = self.draft(&key, drafting);
            }
            let Some(held) = self.held.get_mut(&key) else {
                continue;
            };
            if let Some(draft) = &mut draft {
                draft.count_routes(&held.attached);
                held.observed.clone_from(seen);
                say_statuses(draft, seen, output);
            }
            if is_drafted || held.served == Change::Some {
                held.serve(name, draft.as_ref(), output);
            }
            (held.counted, held.served) = (Change::None, Change::None);
        }
    }
}

impl Held {
    fn take_routes(&mut self, routes: BTreeMap<RouteId, Option<PlacedRoute>>) {
        for (id, route) in routes {
            // A route's id says of which kind it is: it is in one of the maps at most.
            let (http, l4) = match route {
                None => (None, None),
                Some(PlacedRoute::Http(route)) => (Some(route), None),
                Some(PlacedRoute::L4(route)) => (None, Some(route)),
            };
            let http = put(&mut self.http_routes, &id, http);
            let l4 = put(&mut self.l4_routes, &id, l4);
            self.served = self.served.max(http).max(l4);
        }
    }

    fn take_backend(&mut self, id: &BackendId, backends: &Backends) {
        let change = self.named.take(id, backends);
        self.served = self.served.max(change);
    }

    /// The CA bundles that its listeners and backends name.
    fn trust_bundles(&self) -> SharedMap<TrustBundleId, TrustBundle> {
        let mut all = self.of_listeners.clone();
        all.extend(self.named.bundles());
        all
    }

    /// Puts its snapshot together.
    fn serve(
        &mut self,
        name: portcullis_ir::ObjectKey,
        draft: Option<&GatewayDraft<'_>>,
        output: &mut Output,
    ) {
        let before = output.gateways.get(&name);
        let mut snapshot = match (draft, before) {
            (Some(draft), before) => bare(name.clone(), draft, before.map(|it| &*it.snapshot)),
            (None, Some(before)) => (*before.snapshot).clone(),
            (None, None) => return,
        };
        if draft.is_some() {
            self.of_listeners = std::mem::take(&mut snapshot.trust_bundles);
        }
        snapshot.trust_bundles = self.trust_bundles();
        if let Some(before) = before {
            share(&mut snapshot.trust_bundles, &before.snapshot.trust_bundles);
        }
        snapshot.http_routes = self.http_routes.clone();
        snapshot.l4_routes = self.l4_routes.clone();
        snapshot.backends = self.named.backends().clone();
        let infra = draft.map(infra::wanted);
        let (snapshot, infra) = match before {
            Some(before) => (
                keep(&before.snapshot, Some(snapshot)),
                keep(&before.infra, infra),
            ),
            None => (Arc::new(snapshot), Arc::new(infra.unwrap_or_default())),
        };
        let is_same = |before: &GatewayOutput| {
            Arc::ptr_eq(&before.snapshot, &snapshot) && Arc::ptr_eq(&before.infra, &infra)
        };
        if !before.is_some_and(is_same) {
            output
                .gateways
                .insert(name, GatewayOutput { snapshot, infra });
        }
    }
}

/// What was there before, if there is nothing new or it is equal.
fn keep<T: PartialEq>(before: &Arc<T>, new: Option<T>) -> Arc<T> {
    match new {
        Some(new) if new != **before => Arc::new(new),
        _ => Arc::clone(before),
    }
}

/// Adds to a count, which is not there when it is nought. Answers whether that made a difference.
fn add<K: Ord>(counts: &mut BTreeMap<K, i32>, key: K, by: i32) -> Change {
    if by == 0 {
        return Change::None;
    }
    let count = counts.get(&key).copied().unwrap_or_default() + by;
    match count {
        0 => counts.remove(&key),
        count => counts.insert(key, count),
    };
    Change::Some
}

fn say_statuses(draft: &GatewayDraft<'_>, observed: &ObservedGateway, output: &mut Output) {
    let verdict = status::gateway::judge(draft, observed);
    for set in &draft.sets {
        let said = status::listener_set::status(set, draft, observed, &verdict);
        let said = Some(Arc::new(said));
        put(&mut output.statuses.listener_sets, &set.key, said);
    }
    let said = status::gateway::status(draft, observed, &verdict);
    let said = Some(Arc::new(said));
    put(&mut output.statuses.gateways, &draft.key, said);
}
