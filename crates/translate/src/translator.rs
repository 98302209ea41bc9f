//! Translating again and again.
//!
//! A translation is made of pieces: Gateways with their listeners, backends, routes. Each piece
//! looks at the world through [`World`], which notes what it looked at ([`Fact`]). The next
//! translation finds out which objects are others in memory, which facts that makes others, and
//! works out again the pieces that looked at those, in that order: Gateways, of which routes see a
//! [`Parent`](crate::listeners::Parent) each; backends, of which routes see whether they can be
//! had; routes; and the statuses of policies, which see who uses the backends. What comes out equal
//! is kept as it was.

mod gateways;
mod policies;
mod routes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use portcullis_api::{ObjectChange, ObjectKey, Objects};
use portcullis_ir::SharedMap;

use self::gateways::Gateways;
use self::policies::Policies;
use self::routes::Routes;
use crate::backends::Backends;
use crate::class;
use crate::facts::Fact;
use crate::inputs::{Inputs, Options};
use crate::output::Output;
use crate::patterns::Patterns;
use crate::routes::{RouteKey, Work, is_served};
use crate::status;
use crate::tls::credentials::{self, Credentials};
use crate::world::{Index, World};

/// Translates again and again, at a cost that goes with what changed.
///
/// What it answers is always what [`translate`](crate::translate) would. It holds on to the objects
/// of the last call (not to copies of them), and knows what changed by finding others in memory.
#[derive(Debug)]
pub struct Translator {
    options: Options,
    seen: Objects,
    index: Index,
    credentials: credentials::Known,
    gateways: Gateways,
    backends: Backends,
    routes: Routes,
    policies: Policies,
    output: Output,
}

impl Translator {
    /// One that has not translated anything yet.
    pub fn new(options: Options) -> Self {
        Self {
            index: Index::new(options.absent.clone()),
            options,
            seen: Objects::default(),
            credentials: credentials::Known::default(),
            gateways: Gateways::default(),
            backends: Backends::default(),
            routes: Routes::default(),
            policies: Policies::default(),
            output: Output::default(),
        }
    }

    /// Translates everything, or what changed since the last call.
    pub fn translate(&mut self, inputs: &Inputs<'_>) -> Output {
        let Inputs {
            objects,
            observed,
            now,
        } = *inputs;
        let changes = self.seen.follow(objects);
        let mut facts = self.note(&changes);
        let world = World::new(objects, &self.index);
        let known = std::mem::take(&mut self.credentials);
        let mut drafting = Drafting {
            options: &self.options,
            credentials: Credentials::new(&world, known, now),
            now,
        };

        let mut drafts = (self.gateways).redraft(&mut drafting, &mut facts, &mut self.output);
        let reread = self.backends.reread(&world, &facts);
        facts.extend(reread.verdicts.into_iter().map(Fact::Backend));
        let mut work = Work {
            world: &world,
            options: &self.options,
            parents: self.gateways.parents(),
            backends: &mut self.backends,
            patterns: Patterns::default(),
        };
        let named = changed_routes(&changes);
        let moves = (self.routes).replace(named, &facts, &mut work, &mut self.output.statuses);
        self.policies.follow(&moves, &self.backends, &mut facts);
        self.gateways.settle(moves, &reread.changed, &self.backends);
        (self.gateways).say(&mut drafting, &mut drafts, observed, &mut self.output);
        (self.policies).say(&world, &facts, &self.options, &mut self.output.statuses);

        self.output.recheck_at = self.gateways.recheck_at();
        self.output.foreign = class::foreign(objects, &self.options);
        let classes = class::ours(&world, &self.options);
        let classes =
            classes.map(|(key, class)| (key.clone(), status::class::status(&class, &self.options)));
        replace_all(&mut self.output.statuses.gateway_classes, classes.collect());
        self.credentials = drafting.credentials.into_known();
        self.output.clone()
    }

    /// Takes note of changed objects. Answers the facts that are no longer as they were.
    fn note(&mut self, changes: &[ObjectChange]) -> BTreeSet<Fact> {
        let mut facts = BTreeSet::new();
        for change in changes {
            self.credentials.forget(change.kind, &change.key);
            facts.extend(self.index.note(change));
        }
        facts
    }
}

/// What drafting a Gateway needs.
struct Drafting<'a> {
    options: &'a Options,
    credentials: Credentials<'a>,
    now: i64,
}

fn changed_routes(changes: &[ObjectChange]) -> BTreeSet<RouteKey> {
    let routes = changes.iter().filter(|change| is_served(change.kind));
    let key = |change: &ObjectChange| RouteKey {
        kind: change.kind,
        key: change.key.clone(),
    };
    routes.map(key).collect()
}

/// Puts a value into a map, or takes one out; an equal one is left where it is. Answers whether
/// anything changed.
fn put<K: Ord + Clone, V: PartialEq>(
    map: &mut SharedMap<K, Arc<V>>,
    key: &K,
    value: Option<Arc<V>>,
) -> Change {
    match (map.get(key), value) {
        (None, None) => Change::None,
        (Some(old), Some(new)) if *old == new => Change::None,
        (_, Some(new)) => {
            map.insert(key.clone(), new);
            Change::Some
        }
        (Some(_), None) => {
            map.remove(key);
            Change::Some
        }
    }
}

/// Whether anything changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    #[default]
    None,
    Some,
}

/// Makes a map hold these values, and no others.
fn replace_all<V: PartialEq>(
    map: &mut SharedMap<ObjectKey, Arc<V>>,
    values: BTreeMap<ObjectKey, V>,
) {
    let gone = map.keys().filter(|key| !values.contains_key(key));
    let gone: Vec<_> = gone.cloned().collect();
    for key in &gone {
        map.remove(key);
    }
    for (key, value) in values {
        put(map, &key, Some(Arc::new(value)));
    }
}
