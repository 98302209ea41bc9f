//! Changes between snapshots.

use portcullis_ir::shared::Change;
use portcullis_ir::{ObjectKey, SharedMap, Snapshot, Version};

use crate::resource::{Resource, ResourceId};

/// What the controller sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The version of the state it leads to.
    pub version: Version,
    /// The state it starts from.
    pub base: Base,
    /// The change.
    pub delta: Delta,
}

/// The state a change starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// An empty one.
    Empty,
    /// The one of that version.
    Version(Version),
}

/// The way from one snapshot to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta {
    /// The Gateway of the new one.
    pub gateway: ObjectKey,
    /// The generation of the new one.
    pub generation: i64,
    /// What is new or changed.
    pub upserts: Vec<Resource>,
    /// What is gone.
    pub removals: Vec<ResourceId>,
}

impl Update {
    /// The whole of `snapshot`.
    pub fn full(snapshot: &Snapshot) -> Self {
        Self::of(None, (snapshot, snapshot.version()))
    }

    /// What leads a holder of `old` to `new`.
    pub fn between(old: &Snapshot, new: &Snapshot) -> Self {
        Self::of(Some((old, old.version())), (new, new.version()))
    }

    /// What leads a holder of `old`, or of nothing, to `new`, each with the version it has.
    pub fn of(old: Option<(&Snapshot, Version)>, new: (&Snapshot, Version)) -> Self {
        let (new, version) = new;
        let (base, delta) = if let Some((old, held)) = old {
            (Base::Version(held), diff(old, new))
        } else {
            let nothing = Snapshot::empty(new.gateway.clone(), new.generation);
            (Base::Empty, diff(&nothing, new))
        };
        Self {
            version,
            base,
            delta,
        }
    }
}

/// What changed from `old` to `new`. What they share is not compared.
pub fn diff(old: &Snapshot, new: &Snapshot) -> Delta {
    let Snapshot {
        gateway,
        generation,
        listeners,
        certificates,
        trust_bundles,
        http_routes,
        l4_routes,
        backends,
    } = new;
    let mut delta = Delta {
        gateway: gateway.clone(),
        generation: *generation,
        upserts: Vec::new(),
        removals: Vec::new(),
    };
    let into = &mut delta;
    diff_map(
        (&old.listeners, listeners),
        (Resource::Listener, ResourceId::Listener),
        into,
    );
    diff_map(
        (&old.certificates, certificates),
        (Resource::Certificate, ResourceId::Certificate),
        into,
    );
    diff_map(
        (&old.trust_bundles, trust_bundles),
        (Resource::TrustBundle, ResourceId::TrustBundle),
        into,
    );
    diff_map(
        (&old.http_routes, http_routes),
        (Resource::HttpRoute, ResourceId::HttpRoute),
        into,
    );
    diff_map(
        (&old.l4_routes, l4_routes),
        (Resource::L4Route, ResourceId::L4Route),
        into,
    );
    diff_map(
        (&old.backends, backends),
        (Resource::Backend, ResourceId::Backend),
        into,
    );
    delta
}

/// How entries of one map, and their names, become resources.
type Kind<K, V> = (fn(K, V) -> Resource, fn(K) -> ResourceId);

fn diff_map<K: Ord + Clone, V: PartialEq + Clone>(
    (old, new): (&SharedMap<K, V>, &SharedMap<K, V>),
    (resource, resource_id): Kind<K, V>,
    delta: &mut Delta,
) {
    for Change {
        key,
        before: _,
        after,
    } in new.changes_since(old)
    {
        match after {
            Some(value) => delta.upserts.push(resource(key.clone(), value.clone())),
            None => delta.removals.push(resource_id(key.clone())),
        }
    }
}

/// The snapshot that `delta` leads to from `old`. `apply(old, diff(&old, &new))` is `new`.
pub fn apply(old: Snapshot, delta: Delta) -> Snapshot {
    let Delta {
        gateway,
        generation,
        upserts,
        removals,
    } = delta;
    let mut new = Snapshot {
        gateway,
        generation,
        ..old
    };
    for id in removals {
        remove(&mut new, &id);
    }
    for resource in upserts {
        insert(&mut new, resource);
    }
    new
}

fn insert(snapshot: &mut Snapshot, resource: Resource) {
    match resource {
        Resource::Listener(id, value) => drop(snapshot.listeners.insert(id, value)),
        Resource::Certificate(id, value) => drop(snapshot.certificates.insert(id, value)),
        Resource::TrustBundle(id, value) => drop(snapshot.trust_bundles.insert(id, value)),
        Resource::HttpRoute(id, value) => drop(snapshot.http_routes.insert(id, value)),
        Resource::L4Route(id, value) => drop(snapshot.l4_routes.insert(id, value)),
        Resource::Backend(id, value) => drop(snapshot.backends.insert(id, value)),
    }
}

fn remove(snapshot: &mut Snapshot, id: &ResourceId) {
    match id {
        ResourceId::Listener(id) => drop(snapshot.listeners.remove(id)),
        ResourceId::Certificate(id) => drop(snapshot.certificates.remove(id)),
        ResourceId::TrustBundle(id) => drop(snapshot.trust_bundles.remove(id)),
        ResourceId::HttpRoute(id) => drop(snapshot.http_routes.remove(id)),
        ResourceId::L4Route(id) => drop(snapshot.l4_routes.remove(id)),
        ResourceId::Backend(id) => drop(snapshot.backends.remove(id)),
    }
}

/// The entry of that name, if `snapshot` has it.
pub(crate) fn entry(snapshot: &Snapshot, id: &ResourceId) -> Option<Resource> {
    fn found<K: Ord + Clone, V: Clone>(
        map: &SharedMap<K, V>,
        id: &K,
        resource: fn(K, V) -> Resource,
    ) -> Option<Resource> {
        map.get(id).map(|value| resource(id.clone(), value.clone()))
    }
    match id {
        ResourceId::Listener(id) => found(&snapshot.listeners, id, Resource::Listener),
        ResourceId::Certificate(id) => found(&snapshot.certificates, id, Resource::Certificate),
        ResourceId::TrustBundle(id) => found(&snapshot.trust_bundles, id, Resource::TrustBundle),
        ResourceId::HttpRoute(id) => found(&snapshot.http_routes, id, Resource::HttpRoute),
        ResourceId::L4Route(id) => found(&snapshot.l4_routes, id, Resource::L4Route),
        ResourceId::Backend(id) => found(&snapshot.backends, id, Resource::Backend),
    }
}
