//! Which Gateways send what to which Services.

use std::collections::{BTreeMap, BTreeSet};

use portcullis_api::ObjectKey;
use portcullis_ir::BackendId;

use crate::backends::{Backends, Origin};
use crate::facts::Fact;

/// The Gateways whose routes name a Service, there or not, by what they name of it.
#[derive(Debug, Default)]
pub(crate) struct Users {
    /// How many routes of a Gateway name each backend, by the Service.
    counts: BTreeMap<ObjectKey, BTreeMap<(ObjectKey, BackendId), i32>>,
    /// What is known of the backends that are named.
    origins: BTreeMap<BackendId, Named>,
}

#[derive(Debug)]
struct Named {
    origin: Origin,
    /// How many Gateways name it.
    gateways: usize,
}

impl Users {
    /// By how much more routes of Gateways name backends. Answers the facts that are no longer as
    /// they were.
    pub(crate) fn follow(
        &mut self,
        named: &BTreeMap<(ObjectKey, BackendId), i32>,
        backends: &Backends,
    ) -> BTreeSet<Fact> {
        let mut facts = BTreeSet::new();
        for (name, by) in named.iter().filter(|(_, by)| **by != 0) {
            let (_, id) = name;
            let known = self.origins.get(id).map(|named| &named.origin);
            let Some(origin) = known.or_else(|| backends.origin(id)).cloned() else {
                continue;
            };
            let counts = self.counts.entry(origin.service.clone()).or_default();
            let count = counts.entry(name.clone()).or_default();
            let was_there = *count > 0;
            *count += by;
            let is_there = *count > 0;
            if !is_there {
                counts.remove(name);
            }
            if was_there != is_there {
                facts.insert(Fact::Users(origin.service.clone()));
                self.count(id, origin, is_there);
            }
        }
        facts
    }

    fn count(&mut self, id: &BackendId, origin: Origin, is_there: bool) {
        let service = origin.service.clone();
        let named = self.origins.entry(id.clone());
        let named = named.or_insert(Named {
            origin,
            gateways: 0,
        });
        if is_there {
            named.gateways += 1;
        } else {
            named.gateways = named.gateways.saturating_sub(1);
        }
        if named.gateways == 0 {
            self.origins.remove(id);
        }
        if self.counts.get(&service).is_some_and(BTreeMap::is_empty) {
            self.counts.remove(&service);
        }
    }

    /// The Gateways that name something of a Service, with what they name.
    pub(super) fn of<'a>(
        &'a self,
        service: &ObjectKey,
    ) -> impl Iterator<Item = (&'a ObjectKey, &'a Origin)> {
        let users = self.counts.get(service).into_iter().flatten();
        users.filter_map(|((gateway, id), _)| Some((gateway, &self.origins.get(id)?.origin)))
    }
}
