//! From the events of one watch to changes.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use kube::Resource;
use kube::runtime::watcher;
use portcullis_api::ObjectKey;

/// Changes of objects of one type, the newest of each object.
#[derive(Clone, Debug)]
pub struct Changes<K> {
    /// What became of each object: its newest state, or `None` when it is gone.
    pub objects: BTreeMap<ObjectKey, Option<K>>,
    /// Whether all objects that there were at the start have been told, with these.
    pub sync: Progress,
}

/// Whether a watch has told all there was when it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Progress {
    /// More of the first list is to come.
    #[default]
    Listing,
    /// It has.
    InSync,
}

impl<K> Default for Changes<K> {
    fn default() -> Self {
        Self {
            objects: BTreeMap::new(),
            sync: Progress::Listing,
        }
    }
}

/// Which objects were told and are not known to be gone.
///
/// After a disconnect that lasted too long a watch lists anew, and says nothing of what went
/// meanwhile; the ledger does.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    told: BTreeSet<ObjectKey>,
    /// What the list that is under way has told so far.
    listed: Option<BTreeSet<ObjectKey>>,
    sync: Progress,
}

impl Ledger {
    /// What follows from events, in their order.
    pub(super) fn take<K: Resource>(
        &mut self,
        events: impl IntoIterator<Item = watcher::Event<K>>,
    ) -> Changes<K> {
        let mut objects = BTreeMap::new();
        for event in events {
            self.note(event, &mut objects);
        }
        Changes {
            objects,
            sync: self.sync,
        }
    }

    fn note<K: Resource>(
        &mut self,
        event: watcher::Event<K>,
        changes: &mut BTreeMap<ObjectKey, Option<K>>,
    ) {
        match event {
            watcher::Event::Init => self.listed = Some(BTreeSet::new()),
            watcher::Event::InitApply(object) => {
                let key = ObjectKey::of(object.meta());
                if let Some(listed) = &mut self.listed {
                    listed.insert(key.clone());
                }
                self.told.insert(key.clone());
                changes.insert(key, Some(object));
            }
            watcher::Event::InitDone => {
                if let Some(listed) = self.listed.take() {
                    let gone = self.told.difference(&listed).cloned();
                    changes.extend(gone.map(|key| (key, None)));
                    self.told = listed;
                }
                self.sync = Progress::InSync;
            }
            watcher::Event::Apply(object) => {
                let key = ObjectKey::of(object.meta());
                self.told.insert(key.clone());
                changes.insert(key, Some(object));
            }
            watcher::Event::Delete(object) => {
                let key = ObjectKey::of(object.meta());
                self.told.remove(&key);
                changes.insert(key, None);
            }
        }
    }
}
