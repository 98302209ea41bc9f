//! What became of every route.

use std::collections::{BTreeMap, BTreeSet};

use portcullis_api::ObjectKey;
use portcullis_api::status::RouteStatus;
use portcullis_ir::shared::Alike;
use portcullis_ir::{BackendId, RouteId};

use super::put;
use crate::facts::{Fact, Readers};
use crate::listeners::Owner;
use crate::output::Statuses;
use crate::routes::{PlacedRoute, Placement, RouteKey, Stay, Work, place};

/// Every route that is on a Gateway of ours, and what all looked at.
#[derive(Debug, Default)]
pub(super) struct Routes {
    readers: Readers<RouteKey>,
    stays: BTreeMap<RouteKey, Vec<Stay>>,
    /// What is said of routes is mostly the same.
    said: Alike<RouteStatus>,
}

/// What routes that were placed again changed on Gateways.
#[derive(Debug, Default)]
pub(super) struct Moves {
    /// What each has now of a route; `None`: nothing any more.
    pub(super) routes: BTreeMap<ObjectKey, BTreeMap<RouteId, Option<PlacedRoute>>>,
    /// By how much more routes each listener counts, by its owner and its number there.
    pub(super) counted: BTreeMap<(ObjectKey, Owner, usize), i32>,
    /// By how much more routes name a backend.
    pub(super) named: BTreeMap<(ObjectKey, BackendId), i32>,
}

impl Routes {
    /// Places again the routes that changed, or looked at something that did.
    pub(super) fn replace(
        &mut self,
        changed: BTreeSet<RouteKey>,
        facts: &BTreeSet<Fact>,
        work: &mut Work<'_>,
        statuses: &mut Statuses,
    ) -> Moves {
        let mut dirty = changed;
        dirty.extend(self.readers.of(facts).cloned());
        let mut moves = Moves::default();
        let mut orphans = BTreeSet::new();
        for route in dirty {
            let world = work.world;
            let (placement, asked) = world.watch(|| place(&route, work));
            orphans.extend(self.readers.record(&route, asked));
            self.move_one(route, placement, &mut moves, statuses);
        }
        for orphan in orphans {
            if let Fact::Backend(id) = &*orphan
                && !self.readers.look_at(&orphan)
            {
                work.backends.forget(id);
            }
        }
        moves
    }

    fn move_one(
        &mut self,
        route: RouteKey,
        placement: Placement,
        moves: &mut Moves,
        statuses: &mut Statuses,
    ) {
        let Placement { status, stays } = placement;
        let Some(said) = statuses.routes_mut(route.kind) else {
            return;
        };
        let status = status.map(|status| self.said.share(status));
        put(said, &route.key, status);
        let before = self.stays.remove(&route).unwrap_or_default();
        for stay in before {
            moves.leave(stay);
        }
        for stay in &stays {
            moves.enter(stay);
        }
        if !stays.is_empty() {
            self.stays.insert(route, stays);
        }
    }
}

impl Moves {
    fn leave(&mut self, stay: Stay) {
        self.count(&stay, -1);
        let Stay {
            gateway,
            counted: _,
            placed,
        } = stay;
        if placed.is_empty() {
            return;
        }
        let routes = self.routes.entry(gateway).or_default();
        routes.extend(placed.into_iter().map(|placed| (placed.id, None)));
    }

    /// Comes after what it leaves, if it does.
    fn enter(&mut self, stay: &Stay) {
        self.count(stay, 1);
        if stay.placed.is_empty() {
            return;
        }
        let routes = self.routes.entry(stay.gateway.clone()).or_default();
        let placed = stay.placed.iter();
        routes.extend(placed.map(|placed| (placed.id.clone(), Some(placed.route.clone()))));
    }

    fn count(&mut self, stay: &Stay, by: i32) {
        let Stay {
            gateway,
            counted,
            placed,
        } = stay;
        for (owner, number) in counted {
            let place = (gateway.clone(), owner.clone(), *number);
            *self.counted.entry(place).or_default() += by;
        }
        for id in placed.iter().flat_map(|placed| &*placed.backends) {
            *(self.named.entry((gateway.clone(), id.clone()))).or_default() += by;
        }
    }
}
