//! The users' objects as translation looks at them: every look is noted.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use portcullis_api::core::{ConfigMap, EndpointSlice, Namespace, Secret, Service};
use portcullis_api::route::Target;
use portcullis_api::{
    AnyObject, BackendTlsPolicy, GatewayClass, GatewayParameters, Kind, ListenerSet, ObjectChange,
    ObjectKey, ObjectMeta, Objects,
};
use portcullis_ir::SharedMap;
use portcullis_ir::tls::TrustBundle;

use crate::facts::Fact;
use crate::grants::{Grants, Passage, Permission, Referrer};
use crate::policies;
use crate::tls::bundles::{Bundles, Source, Store};

/// The label by which an EndpointSlice names its Service.
pub(crate) const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// What is found by something else than its key, or is read once.
#[derive(Debug, Default)]
pub(crate) struct Index {
    grants: Grants,
    slices: Groups<EndpointSlice>,
    sets: Groups<ListenerSet>,
    /// By each Service that a policy is about.
    policies: Groups<BackendTlsPolicy>,
    bundles: Bundles,
    /// Kinds that the cluster does not have.
    absent: BTreeSet<Kind>,
}

/// Objects by the object that they belong to.
type Groups<T> = BTreeMap<ObjectKey, BTreeMap<ObjectKey, Arc<T>>>;

impl Index {
    /// Of nothing, in a cluster that does not have these kinds.
    pub(crate) fn new(absent: BTreeSet<Kind>) -> Self {
        Self {
            absent,
            ..Self::default()
        }
    }

    /// Takes note of a change. Answers what is no longer as it was.
    pub(crate) fn note(&mut self, change: &ObjectChange) -> Vec<Fact> {
        let ObjectChange {
            kind,
            key,
            before,
            after,
        } = change;
        self.bundles.forget(*kind, key);
        let mut facts = vec![Fact::Object(*kind, key.clone())];
        match before {
            Some(AnyObject::ReferenceGrant(old)) => {
                facts.extend(self.grants.remove(key, old).map(Fact::Passage));
            }
            Some(AnyObject::EndpointSlice(old)) => {
                facts.extend(leave(&mut self.slices, service_of(key, old), key).map(Fact::Slices));
            }
            Some(AnyObject::ListenerSet(old)) => {
                facts.extend(leave(&mut self.sets, gateway_of(key, old), key).map(Fact::Sets));
            }
            Some(AnyObject::BackendTlsPolicy(old)) => {
                let services = policies::services(key, old);
                let left = services.map(|it| leave(&mut self.policies, Some(it), key));
                facts.extend(left.flatten().map(Fact::Policies));
            }
            _ => {}
        }
        match after {
            Some(AnyObject::ReferenceGrant(new)) => {
                facts.extend(self.grants.insert(key, new).map(Fact::Passage));
            }
            Some(AnyObject::EndpointSlice(new)) => {
                let group = service_of(key, new);
                facts.extend(join(&mut self.slices, group, key, new).map(Fact::Slices));
            }
            Some(AnyObject::ListenerSet(new)) => {
                let group = gateway_of(key, new);
                facts.extend(join(&mut self.sets, group, key, new).map(Fact::Sets));
            }
            Some(AnyObject::BackendTlsPolicy(new)) => {
                let services = policies::services(key, new);
                let joined = services.map(|it| join(&mut self.policies, Some(it), key, new));
                facts.extend(joined.flatten().map(Fact::Policies));
            }
            _ => {}
        }
        facts
    }
}

fn leave<T>(
    groups: &mut Groups<T>,
    group: Option<ObjectKey>,
    key: &ObjectKey,
) -> Option<ObjectKey> {
    let group = group?;
    let members = groups.get_mut(&group)?;
    members.remove(key);
    if members.is_empty() {
        groups.remove(&group);
    }
    Some(group)
}

fn join<T>(
    groups: &mut Groups<T>,
    group: Option<ObjectKey>,
    key: &ObjectKey,
    object: &Arc<T>,
) -> Option<ObjectKey> {
    let group = group?;
    let members = groups.entry(group.clone()).or_default();
    members.insert(key.clone(), Arc::clone(object));
    Some(group)
}

fn service_of(key: &ObjectKey, slice: &EndpointSlice) -> Option<ObjectKey> {
    let service = slice.metadata.labels.as_ref()?.get(SERVICE_NAME)?;
    Some(ObjectKey::new(key.namespace.clone(), service.as_str()))
}

fn gateway_of(key: &ObjectKey, set: &ListenerSet) -> Option<ObjectKey> {
    let parent = set.spec.parent_ref.target();
    let is_gateway = Kind::find(parent.group, parent.kind) == Some(Kind::Gateway);
    let namespace = parent.namespace.unwrap_or(&key.namespace);
    is_gateway.then(|| ObjectKey::new(namespace, parent.name))
}

/// The users' objects. What is asked of them is noted, see [`World::watch`].
#[derive(Debug)]
pub(crate) struct World<'a> {
    objects: &'a Objects,
    index: &'a Index,
    asked: RefCell<BTreeSet<Fact>>,
}

impl<'a> World<'a> {
    /// `index` knows `objects`.
    pub(crate) fn new(objects: &'a Objects, index: &'a Index) -> Self {
        Self {
            objects,
            index,
            asked: RefCell::default(),
        }
    }

    /// What `look` answers, and what that depends on. May be called within another's `look`, which
    /// then does not depend on it.
    pub(crate) fn watch<T>(&self, look: impl FnOnce() -> T) -> (T, BTreeSet<Fact>) {
        let outer = self.asked.take();
        let answer = look();
        (answer, self.asked.replace(outer))
    }

    /// The answer at hand depends on `fact`.
    pub(crate) fn note(&self, fact: Fact) {
        self.asked.borrow_mut().insert(fact);
    }

    /// Everything. Who enumerates sees to it that he is called when something comes or goes. A route
    /// is looked up here, too: one that changed is placed again in any case, and nobody else looks
    /// at it.
    pub(crate) fn objects(&self) -> &'a Objects {
        self.objects
    }

    pub(crate) fn gateway_class(&self, name: &str) -> Option<&'a Arc<GatewayClass>> {
        let key = ObjectKey::new("", name);
        self.find(Kind::GatewayClass, &self.objects.gateway_classes, &key)
    }

    pub(crate) fn gateway_parameters(&self, key: &ObjectKey) -> Option<&'a Arc<GatewayParameters>> {
        let all = &self.objects.gateway_parameters;
        self.find(Kind::GatewayParameters, all, key)
    }

    pub(crate) fn namespace(&self, name: &str) -> Option<&'a Arc<Namespace>> {
        let key = ObjectKey::new("", name);
        self.find(Kind::Namespace, &self.objects.namespaces, &key)
    }

    pub(crate) fn service(&self, key: &ObjectKey) -> Option<&'a Arc<Service>> {
        self.find(Kind::Service, &self.objects.services, key)
    }

    pub(crate) fn secret(&self, key: &ObjectKey) -> Option<&'a Arc<Secret>> {
        self.find(Kind::Secret, &self.objects.secrets, key)
    }

    pub(crate) fn config_map(&self, key: &ObjectKey) -> Option<&'a Arc<ConfigMap>> {
        self.find(Kind::ConfigMap, &self.objects.config_maps, key)
    }

    fn find<T>(
        &self,
        kind: Kind,
        all: &'a SharedMap<ObjectKey, Arc<T>>,
        key: &ObjectKey,
    ) -> Option<&'a Arc<T>> {
        let found = all.get_key_value(key);
        let key = found.map_or(key, |(known, _)| known);
        self.note(Fact::Object(kind, key.clone()));
        found.map(|(_, object)| object)
    }

    /// The EndpointSlices that name a Service.
    pub(crate) fn slices(&self, service: &ObjectKey) -> Vec<&'a EndpointSlice> {
        self.note(Fact::Slices(service.clone()));
        let slices = self.index.slices.get(service).into_iter().flatten();
        slices.map(|(_, slice)| &**slice).collect()
    }

    /// The ListenerSets that name a Gateway, oldest first.
    pub(crate) fn sets(&self, gateway: &ObjectKey) -> Vec<(&'a ObjectKey, &'a ListenerSet)> {
        self.note(Fact::Sets(gateway.clone()));
        let sets = self.index.sets.get(gateway).into_iter().flatten();
        oldest_first(sets, |set| &set.metadata)
    }

    /// The BackendTLSPolicies about a Service, in their precedence: "The older policy by creation
    /// timestamp takes precedence. … The policy appearing first in alphabetical order by
    /// {namespace}/{name}." (`BackendTLSPolicySpec.TargetRefs`)
    pub(crate) fn policies(
        &self,
        service: &ObjectKey,
    ) -> Vec<(&'a ObjectKey, &'a BackendTlsPolicy)> {
        self.note(Fact::Policies(service.clone()));
        let policies = self.index.policies.get(service).into_iter().flatten();
        oldest_first(policies, |policy| &policy.metadata)
    }

    /// Whether the cluster has a kind.
    pub(crate) fn serves(&self, kind: Kind) -> bool {
        !self.index.absent.contains(&kind)
    }

    /// The CA bundle of an object; `None` if there is no such object.
    pub(crate) fn bundle(&self, store: Store, key: &ObjectKey) -> Option<TrustBundle> {
        let source = match store {
            Store::ConfigMap => Source::ConfigMap(self.config_map(key)?),
            Store::Secret => Source::Secret(self.secret(key)?),
            Store::ClusterTrustBundle => {
                let all = &self.objects.cluster_trust_bundles;
                Source::ClusterTrustBundle(self.find(store.kind(), all, key)?)
            }
        };
        Some(self.index.bundles.read(key, source))
    }

    /// Whether `from` may refer to `to`.
    ///
    /// "References to a resource in different namespace are invalid UNLESS there is a
    /// ReferenceGrant in the target namespace that allows" it. (`SecretObjectReference`,
    /// `BackendObjectReference`, …)
    pub(crate) fn permission(&self, from: Referrer<'_>, to: Target<'_>) -> Permission {
        let Some(passage) = Passage::between(from, to) else {
            return Permission::Permitted;
        };
        let permission = self.index.grants.permission(&passage, to);
        self.note(Fact::Passage(passage));
        permission
    }
}

/// By creation time, then by "{namespace}/{name}".
fn oldest_first<'a, T>(
    objects: impl Iterator<Item = (&'a ObjectKey, &'a Arc<T>)>,
    metadata: fn(&T) -> &ObjectMeta,
) -> Vec<(&'a ObjectKey, &'a T)> {
    let mut objects: Vec<_> = objects.map(|(key, object)| (key, &**object)).collect();
    objects.sort_by_cached_key(|(key, object)| {
        let created = metadata(object).creation_timestamp.as_ref();
        let created = created.map_or(i64::MAX, |time| time.0.as_second());
        (created, key.to_string())
    });
    objects
}
