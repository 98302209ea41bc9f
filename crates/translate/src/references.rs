//! Which objects a translation looks at: what the Gateways of a controller reach.
//!
//! A cluster holds many objects that no Gateway of ours reaches, and they change all the time. Who
//! watches them asks [`References::note`] whether a change can make a difference, and translates
//! only then. The answer errs on the side of [`Relevance::Relevant`]: whatever it calls irrelevant
//! leaves the output of [`crate::translate`] as it is (proven on made-up worlds in
//! `tests/properties.rs`).
//!
//! What is looked for and missing is reached just as well: its coming is a change.

mod concern;
mod outgoing;
mod policies;
mod significance;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use portcullis_api::route::ParentReference;
use portcullis_api::{AnyObject, BackendTlsPolicy, Gateway, Kind, ListenerSet, ObjectKey, Objects};

pub use self::concern::Concern;
use self::outgoing::{AnyRoute, Outgoing};
use self::policies::Policies;
use self::significance::is_same;

/// Whether a change can make a difference to what is translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relevance {
    /// It cannot.
    Irrelevant,
    /// It may.
    Relevant,
}

/// Something that is looked at: an object, there or not.
///
/// A ReferenceGrant is looked for by its namespace, and the labels of a namespace by its name; an
/// EndpointSlice by the Service that it names.
type Subject = (Kind, ObjectKey);

/// The index of what the Gateways of one controller reach.
///
/// Costs are those of the changed object, except when a GatewayClass, Gateway or ListenerSet begins
/// or ceases to be ours: then every route is looked at once, in [`References::refresh`].
#[derive(Clone, Debug)]
pub struct References {
    controller_name: String,
    /// Our GatewayClasses.
    classes: BTreeSet<ObjectKey>,
    /// The Gateways of those classes, and every ListenerSet that names one of them.
    parents: BTreeSet<Subject>,
    /// What each object of ours names.
    named: BTreeMap<Subject, Outgoing>,
    /// How often each subject is named.
    counts: BTreeMap<Subject, usize>,
    /// Every policy, whether anything of ours reaches it or not.
    policies: Policies,
    /// How many of our objects choose namespaces by their labels.
    selecting: usize,
    /// Whether `classes` and `parents` may no longer be what the objects say.
    is_stale: bool,
}

impl References {
    /// An index of nothing, for GatewayClasses that name this controller.
    pub fn new(controller_name: impl Into<String>) -> Self {
        Self {
            controller_name: controller_name.into(),
            classes: BTreeSet::new(),
            parents: BTreeSet::new(),
            named: BTreeMap::new(),
            counts: BTreeMap::new(),
            policies: Policies::default(),
            selecting: 0,
            is_stale: false,
        }
    }

    /// Notes that an object changed from `old` to `new`; `None` is one that is not there.
    pub fn note(&mut self, old: Option<&AnyObject>, new: Option<&AnyObject>) -> Relevance {
        let Some(object) = new.or(old) else {
            return Relevance::Irrelevant;
        };
        if let AnyObject::BackendTlsPolicy(_) = object {
            self.policies.learn(&object.key(), new.and_then(policy_of));
        }
        let states = [old, new];
        let reached = states.into_iter().flatten().any(|it| self.reaches(it));
        let is_same = match (old, new) {
            (Some(old), Some(new)) => is_same(old, new) && !self.leaves_or_finds_entry(old, new),
            _ => false,
        };
        if is_same || !reached {
            return Relevance::Irrelevant;
        }
        match object.kind() {
            Kind::GatewayClass | Kind::Gateway | Kind::ListenerSet => self.note_parent(old, new),
            Kind::BackendTlsPolicy => self.rename_policy(&object.key()),
            kind => {
                let new = new.filter(|new| self.reaches(new));
                self.rename(kind, &object.key(), new);
            }
        }
        Relevance::Relevant
    }

    /// Brings the index up to date with what was noted of the Gateways themselves.
    ///
    /// To be called with all objects before a translation that [`References::note`] asked for, and
    /// before [`References::wanted`].
    pub fn refresh(&mut self, objects: &Objects) {
        if !std::mem::take(&mut self.is_stale) {
            return;
        }
        let controller_name = std::mem::take(&mut self.controller_name);
        *self = Self::new(controller_name);
        let classes = objects.gateway_classes.iter();
        let ours = classes.filter(|(_, class)| class.spec.controller_name == self.controller_name);
        self.classes = ours.map(|(key, _)| key.clone()).collect();
        for (key, gateway) in &objects.gateways {
            if self.is_our_gateway(gateway) {
                self.parents.insert((Kind::Gateway, key.clone()));
            }
        }
        let sets: Vec<_> = objects
            .listener_sets
            .iter()
            .filter(|(_, set)| self.is_our_set(set))
            .map(|(key, _)| (Kind::ListenerSet, key.clone()))
            .collect();
        self.parents.extend(sets);
        for (key, policy) in &objects.backend_tls_policies {
            self.policies.learn(key, Some(policy));
        }
        // Kinds that name nothing come after the routes.
        for object in objects.iter().take_while(|it| it.kind() <= Kind::UdpRoute) {
            if self.reaches(&object) {
                self.rename(object.kind(), &object.key(), Some(&object));
            }
        }
    }

    /// The objects of a kind that are looked for, there or not.
    pub fn wanted(&self, kind: Kind) -> impl Iterator<Item = &ObjectKey> {
        let first = (kind, ObjectKey::new("", ""));
        let of_kind = self.counts.range(first..);
        of_kind
            .map(|((kind, key), _)| (kind, key))
            .take_while(move |(other, _)| **other == kind)
            .map(|(_, key)| key)
    }

    /// Whether an object is one that a translation looks at.
    fn reaches(&self, object: &AnyObject) -> bool {
        match object {
            AnyObject::GatewayClass(class) => class.spec.controller_name == self.controller_name,
            AnyObject::Gateway(gateway) => self.is_our_gateway(gateway),
            AnyObject::ListenerSet(set) => self.is_our_set(set),
            AnyObject::HttpRoute(_)
            | AnyObject::GrpcRoute(_)
            | AnyObject::TlsRoute(_)
            | AnyObject::TcpRoute(_)
            | AnyObject::UdpRoute(_) => outgoing::route(object).is_some_and(|route| {
                // An entry that we left must go when the route no longer names us.
                self.is_named_by(route) || self.has_entry(route)
            }),
            AnyObject::ReferenceGrant(grant) => {
                let namespace = ObjectKey::of(&grant.metadata).namespace;
                self.is_named(Kind::ReferenceGrant, ObjectKey::new(namespace, ""))
            }
            AnyObject::Namespace(_) => {
                self.selecting > 0 && self.is_named(Kind::Namespace, object.key())
            }
            AnyObject::EndpointSlice(slice) => {
                let service = outgoing::service_of(slice);
                service.is_some_and(|key| self.is_named(Kind::Service, key))
            }
            AnyObject::BackendTlsPolicy(policy) => {
                // An entry that we left must go when it concerns none of our Gateways any more.
                self.is_about_ours(policy) || self.has_entry_in_policy(policy)
            }
            AnyObject::Service(_)
            | AnyObject::Secret(_)
            | AnyObject::ConfigMap(_)
            | AnyObject::GatewayParameters(_)
            | AnyObject::ClusterTrustBundle(_) => self.is_named(object.kind(), object.key()),
        }
    }

    fn is_our_gateway(&self, gateway: &Gateway) -> bool {
        let class = ObjectKey::new("", gateway.spec.gateway_class_name.as_str());
        self.classes.contains(&class)
    }

    fn is_our_set(&self, set: &ListenerSet) -> bool {
        let gateway = outgoing::parent(&set.spec.parent_ref, &set.metadata);
        gateway.is_some_and(|subject| self.parents.contains(&subject))
    }

    /// Whether a route names something of ours.
    fn is_named_by(&self, route: AnyRoute<'_>) -> bool {
        let is_ours = |reference: &ParentReference| {
            let parent = outgoing::parent(reference, route.metadata);
            parent.is_some_and(|subject| self.parents.contains(&subject))
        };
        route.parent_refs.iter().any(is_ours)
    }

    /// Whether something of ours is in a route's status.
    fn has_entry(&self, route: AnyRoute<'_>) -> bool {
        let mut entries = route.status.iter().flat_map(|status| &status.parents);
        entries.any(|entry| entry.controller_name == self.controller_name)
    }

    /// Whether a policy is about a Service that something of ours names.
    fn is_about_ours(&self, policy: &BackendTlsPolicy) -> bool {
        let key = ObjectKey::of(&policy.metadata);
        policies::subjects(&key, policy).any(|service| self.counts.contains_key(&service))
    }

    /// Whether something of ours is in a policy's status.
    fn has_entry_in_policy(&self, policy: &BackendTlsPolicy) -> bool {
        let status = policy.status.as_ref();
        let mut entries = status.into_iter().flat_map(|status| &status.ancestors);
        entries.any(|entry| entry.controller_name == self.controller_name)
    }

    /// Whether our entry came or went in the status of a route or policy that has nothing to do with
    /// ours. Of other statuses nothing is read: who writes a status hears of it from the cluster,
    /// and must not be led to translate again by that.
    fn leaves_or_finds_entry(&self, old: &AnyObject, new: &AnyObject) -> bool {
        if let (Some(old), Some(new)) = (policy_of(old), policy_of(new)) {
            let came_or_went = self.has_entry_in_policy(old) != self.has_entry_in_policy(new);
            return came_or_went && !self.is_about_ours(new);
        }
        match (outgoing::route(old), outgoing::route(new)) {
            (Some(old), Some(new)) => {
                self.has_entry(old) != self.has_entry(new) && !self.is_named_by(new)
            }
            _ => false,
        }
    }

    fn is_named(&self, kind: Kind, key: ObjectKey) -> bool {
        self.counts.contains_key(&(kind, key))
    }

    /// A GatewayClass, Gateway or ListenerSet of ours changed.
    fn note_parent(&mut self, old: Option<&AnyObject>, new: Option<&AnyObject>) {
        let was_ours = old.is_some_and(|old| self.reaches(old));
        let is_ours = new.is_some_and(|new| self.reaches(new));
        let Some(object) = new.or(old) else { return };
        let is_known = match object {
            AnyObject::GatewayClass(_) => self.classes.contains(&object.key()),
            _ => self.parents.contains(&(object.kind(), object.key())),
        };
        if was_ours != is_ours || is_known != is_ours {
            self.is_stale = true;
        }
        self.rename(object.kind(), &object.key(), new.filter(|_| is_ours));
    }

    /// Replaces what an object names.
    fn rename(&mut self, kind: Kind, key: &ObjectKey, object: Option<&AnyObject>) {
        let outgoing = object.map(outgoing::of).unwrap_or_default();
        self.set(&(kind, key.clone()), outgoing);
    }

    /// Makes a policy name what it does, if something of ours names what it is about, or else
    /// nothing.
    fn rename_policy(&mut self, key: &ObjectKey) {
        let found = self.policies.find(key);
        let found = found.filter(|(services, _)| {
            services
                .iter()
                .any(|service| self.counts.contains_key(service))
        });
        let outgoing = found.map(|(_, outgoing)| outgoing.clone());
        self.set(
            &(Kind::BackendTlsPolicy, key.clone()),
            outgoing.unwrap_or_default(),
        );
    }

    fn set(&mut self, owner: &Subject, mut outgoing: Outgoing) {
        let mut turned = BTreeSet::new();
        let known = |it: &Subject| Some(self.counts.get_key_value(it)?.0.clone());
        outgoing.subjects.settle(known);
        outgoing.parents.settle(|it| self.parents.get(it).cloned());
        let before = if outgoing.is_empty() {
            self.named.remove(owner)
        } else {
            self.add(&outgoing, &mut turned);
            self.named.insert(owner.clone(), outgoing)
        };
        if let Some(before) = before {
            self.take(&before, &mut turned);
        }
        let policies = turned
            .iter()
            .flat_map(|subject| self.policies.about(subject));
        for policy in policies.cloned().collect::<BTreeSet<_>>() {
            self.rename_policy(&policy);
        }
    }

    /// Adds to `turned` what was not named before.
    fn add(&mut self, outgoing: &Outgoing, turned: &mut BTreeSet<Subject>) {
        for subject in outgoing.subjects.iter() {
            let count = self.counts.entry(subject.clone()).or_default();
            *count += 1;
            if *count == 1 {
                turned.insert(subject.clone());
            }
        }
        self.selecting += usize::from(outgoing.is_selecting);
    }

    /// Adds to `turned` what is not named any more.
    fn take(&mut self, outgoing: &Outgoing, turned: &mut BTreeSet<Subject>) {
        for subject in outgoing.subjects.iter() {
            if let Some(count) = self.counts.get_mut(subject) {
                *count -= 1;
                if *count == 0 {
                    self.counts.remove(subject);
                    turned.insert(subject.clone());
                }
            }
        }
        self.selecting -= usize::from(outgoing.is_selecting);
    }
}

/// The object as a policy, if it is one.
fn policy_of(object: &AnyObject) -> Option<&BackendTlsPolicy> {
    match object {
        AnyObject::BackendTlsPolicy(policy) => Some(policy),
        _ => None,
    }
}
