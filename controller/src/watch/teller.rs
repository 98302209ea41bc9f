//! From changes of one kind to events.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use portcullis_api::{Kind, ObjectKey};

use super::decode::Unreadable;
use super::follower::Seen;
use super::ledger::{Changes, Progress};
use super::{Batch, Event};

/// What was told of one kind.
#[derive(Debug)]
pub(super) struct Teller {
    kind: Kind,
    /// Scopes whose first list is still under way.
    listing: BTreeSet<usize>,
    scopes: usize,
    told: Told,
    /// Objects that cannot be read, so that each is logged once.
    unreadable: BTreeMap<ObjectKey, Unreadable>,
}

/// What was last told of the kind as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Nothing,
    InSync,
    Absent,
}

impl Teller {
    /// For a kind that is watched in so many scopes.
    pub(super) fn new(kind: Kind, scopes: usize) -> Self {
        Self {
            kind,
            listing: (0..scopes).collect(),
            scopes,
            told: Told::Nothing,
            unreadable: BTreeMap::new(),
        }
    }

    /// The cluster does not have the kind (any more).
    pub(super) fn absent(&mut self) -> Vec<Event> {
        if self.told == Told::Absent {
            return Vec::new();
        }
        tracing::info!(
            kind = %self.kind,
            "not installed in this cluster; it is watched as soon as it is"
        );
        *self = Self {
            told: Told::Absent,
            ..Self::new(self.kind, self.scopes)
        };
        vec![Event::Absent(self.kind)]
    }

    /// What changed in one scope.
    pub(super) fn tell<S: Seen>(&mut self, scope: usize, changes: Changes<S>) -> Vec<Event> {
        let Changes { objects, sync } = changes;
        let mut events = Vec::new();
        let batch = self.batch(objects);
        if !batch.upserts.is_empty() || !batch.removals.is_empty() {
            events.push(Event::Changed(batch));
        }
        if sync == Progress::InSync {
            self.listing.remove(&scope);
        }
        if self.listing.is_empty() && self.told != Told::InSync {
            if self.told == Told::Absent {
                tracing::info!(kind = %self.kind, "installed now; watching it");
            }
            self.told = Told::InSync;
            events.push(Event::InSync(self.kind));
        }
        events
    }

    fn batch<S: Seen>(&mut self, objects: BTreeMap<ObjectKey, Option<S>>) -> Batch {
        let mut batch = Batch {
            kind: self.kind,
            upserts: Vec::new(),
            removals: Vec::new(),
        };
        for (key, object) in objects {
            let Some(object) = object else {
                self.unreadable.remove(&key);
                batch.removals.push(key);
                continue;
            };
            match object.read(self.kind) {
                Ok(object) => {
                    self.unreadable.remove(&key);
                    batch.upserts.push(object);
                }
                Err(unreadable) => self.refuse(key, unreadable),
            }
        }
        batch
    }

    /// What was told of it before stays: no object is better than its last readable state.
    fn refuse(&mut self, key: ObjectKey, unreadable: Unreadable) {
        if self.unreadable.get(&key) == Some(&unreadable) {
            return;
        }
        let Unreadable { field, reason } = &unreadable;
        tracing::error!(
            kind = %self.kind, object = %key, field, reason,
            "cannot be read and is passed over; its status says nothing of it"
        );
        self.unreadable.insert(key, unreadable);
    }
}
