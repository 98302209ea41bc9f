//! What became of every BackendTLSPolicy.

use std::collections::BTreeSet;
use std::sync::Arc;

use portcullis_api::{Kind, ObjectKey};

use super::put;
use super::routes::Moves;
use crate::backends::Backends;
use crate::facts::{Fact, Readers};
use crate::inputs::Options;
use crate::output::Statuses;
use crate::policies::{self, Users};
use crate::world::World;

/// Every policy, and what all looked at.
#[derive(Debug, Default)]
pub(super) struct Policies {
    readers: Readers<ObjectKey>,
    users: Users,
}

impl Policies {
    /// Takes note of what routes did. Adds the facts that this makes others.
    pub(super) fn follow(
        &mut self,
        moves: &Moves,
        backends: &Backends,
        facts: &mut BTreeSet<Fact>,
    ) {
        facts.extend(self.users.follow(&moves.named, backends));
    }

    /// Says what there is to be said of each policy, as far as it is new.
    pub(super) fn say(
        &mut self,
        world: &World<'_>,
        facts: &BTreeSet<Fact>,
        options: &Options,
        statuses: &mut Statuses,
    ) {
        let mut dirty: BTreeSet<ObjectKey> = self.readers.of(facts).cloned().collect();
        dirty.extend(facts.iter().filter_map(|fact| match fact {
            Fact::Object(Kind::BackendTlsPolicy, key) => Some(key.clone()),
            _ => None,
        }));
        for key in dirty {
            let object = world.objects().backend_tls_policies.get(&key);
            let (said, asked) = world.watch(|| {
                let policy = object?;
                policies::status(&key, policy, &self.users, world, options)
            });
            self.readers.record(&key, asked);
            put(&mut statuses.backend_tls_policies, &key, said.map(Arc::new));
        }
    }
}
