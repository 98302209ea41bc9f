//! What is the same for routes of every kind: from parentRefs to a place on Gateways and a status.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use portcullis_api::meta::{Object, Spec};
use portcullis_api::route::ParentReference;
use portcullis_api::status::{ConditionReason, RouteParentStatus, RouteStatus};
use portcullis_api::{Kind, ObjectKey};
use portcullis_ir::{Attachment, BackendId, HostPattern, RouteHost, RouteId, RouteOrigin};

use super::{Placed, Placement, RouteKind, RuleFacts, Stay, Work};
use crate::attach::{Candidate, attach};
use crate::backends::Usage;
use crate::facts::Fact;
use crate::inputs::{Options, ir_key};
use crate::listeners::{Owner, Parent, ParentListener};
use crate::problem::Problem;
use crate::status;
use crate::world::World;

/// Attaches and lowers a route of a kind.
pub(super) fn one<K: RouteKind>(key: &ObjectKey, work: &mut Work<'_>) -> Placement {
    let Some(object) = K::find(work.world, key) else {
        return Placement::default();
    };
    let route = Route::<K>::new(key, object);
    let parents = route.parents(work);
    if !parents.is_empty() {
        return route.place(&parents, work);
    }
    // A route that names none of our Gateways is not ours. It may have been, and then our old
    // entries must go: an empty status says so.
    let had_entry = object.status.as_ref().is_some_and(|status| {
        let ours =
            |entry: &RouteParentStatus| entry.controller_name == work.options.controller_name;
        status.parents.iter().any(ours)
    });
    Placement {
        status: had_entry.then(RouteStatus::default),
        stays: Vec::new(),
    }
}

/// A parentRef that leads to a Gateway of ours.
struct ParentRef<'r, 'w> {
    reference: &'r ParentReference,
    owner: &'w Owner,
    parent: &'w Parent,
}

/// A listener's place among those of its owner, itself, and the names a route serves on it.
type Accepted<'a> = ((Owner, usize), (&'a ParentListener, Vec<RouteHost>));

/// The listeners of one Gateway that accepted a route.
type Attached<'a> = BTreeMap<(Owner, usize), (&'a ParentListener, Vec<RouteHost>)>;

/// A route's rules, with their backends in one usage.
struct Lowered<R> {
    rules: Vec<R>,
    facts: RuleFacts,
    backends: Arc<[BackendId]>,
    /// Why no rule at all can be served.
    refusal: Option<Problem>,
}

impl<R> Lowered<R> {
    fn new((rules, mut facts): (Vec<R>, RuleFacts)) -> Self {
        let backends = std::mem::take(&mut facts.backends).into_iter().collect();
        let refusal = facts.refusal();
        Self {
            rules,
            facts,
            backends,
            refusal,
        }
    }

    /// "Routes with any other value for the Accepted condition [than True] MUST NOT be included in
    /// this count." (`ListenerStatus.AttachedRoutes`)
    fn is_counted(&self) -> bool {
        self.refusal.is_none()
    }

    /// A route of which some rule has a place is served, even if it is refused: its rules answer
    /// 500. If it were left out, its requests would fall to a broader route, past filters that may
    /// have been there to keep them out: "the filter MUST NOT be skipped. Instead, requests that
    /// would have been processed by that filter MUST receive a HTTP error response."
    /// (`HTTPRouteFilter.Type`)
    fn is_served(&self) -> bool {
        self.refusal.is_none() || !self.rules.is_empty()
    }
}

struct Route<'a, K: RouteKind> {
    key: &'a ObjectKey,
    object: &'a Object<K::Spec>,
    hostnames: Result<Vec<HostPattern>, Problem>,
}

impl<'a, K: RouteKind> Route<'a, K> {
    fn new(key: &'a ObjectKey, object: &'a Object<K::Spec>) -> Self {
        let hostnames = K::hostnames(&object.spec).iter();
        let hostnames = hostnames
            .map(|text| match HostPattern::parse(text) {
                // An empty text is no hostname here; it would match everything.
                Ok(HostPattern::Any) => {
                    Err(Problem::unsupported("hostnames: \"\" is not a hostname"))
                }
                Ok(pattern) => Ok(pattern),
                Err(error) => Err(Problem::unsupported(format!("hostnames: {error}"))),
            })
            .collect();
        Self {
            key,
            object,
            hostnames,
        }
    }

    /// The parentRefs that lead to Gateways of ours. "Implementations of this API can only populate
    /// Route status for the Gateways/parent resources they are responsible for."
    /// (`RouteStatus.Parents`)
    fn parents<'w>(&self, work: &Work<'w>) -> Vec<ParentRef<'a, 'w>> {
        let references = K::parent_refs(&self.object.spec).iter();
        references
            .filter_map(|reference| {
                let target = reference.target();
                let kind = Kind::find(target.group, target.kind)?;
                let namespace = target.namespace.unwrap_or(&self.key.namespace);
                let key = ObjectKey::new(namespace, target.name);
                let owner = Owner { kind, key };
                work.world.note(Fact::Parent(owner.clone()));
                let (owner, parent) = work.parents.get_key_value(&owner)?;
                Some(ParentRef {
                    reference,
                    owner,
                    parent,
                })
            })
            .collect()
    }

    fn place(&self, parents: &[ParentRef<'_, '_>], work: &mut Work<'_>) -> Placement {
        let mut all: BTreeMap<Usage, Lowered<K::Rule>> = BTreeMap::new();
        let mut attached: BTreeMap<&ObjectKey, Attached<'_>> = BTreeMap::new();
        let mut entries = Vec::with_capacity(parents.len());
        for parent in parents {
            let verdict = self.attach(parent, work.world);
            let usages = usages::<K>(verdict.as_deref().unwrap_or_default());
            for usage in &usages {
                all.entry(*usage)
                    .or_insert_with(|| self.lower(*usage, work));
            }
            // The usages of one kind of route differ in what else may be wrong with a backend that
            // exists: the one with the most to say says it all.
            let lowered = usages.iter().filter_map(|usage| all.get(usage));
            let lowered = lowered.max_by_key(|lowered| lowered.facts.unresolved.len());
            entries.extend(lowered.map(|Lowered { facts, refusal, .. }| {
                let refused = verdict.as_ref().err().or(refusal.as_ref());
                self.entry(parent, refused, facts, work.options)
            }));
            let listeners = attached.entry(&parent.parent.gateway).or_default();
            listeners.extend(verdict.into_iter().flatten());
        }
        let stays = attached.into_iter();
        let stays = stays.map(|(gateway, listeners)| self.stay(gateway, listeners, &all));
        Placement {
            status: Some(RouteStatus { parents: entries }),
            stays: kept(stays.collect()),
        }
    }

    /// Every backend that is looked at is one that the route names: those that cannot be had matter
    /// as well, to the policies about them.
    fn lower(&self, usage: Usage, work: &mut Work<'_>) -> Lowered<K::Rule> {
        let world = work.world;
        let (spec, namespace) = (&self.object.spec, &self.key.namespace);
        let ((rules, mut facts), asked) = world.watch(|| K::lower(spec, namespace, usage, work));
        for fact in asked {
            if let Fact::Backend(id) = &fact {
                facts.backends.insert(id.clone());
            }
            world.note(fact);
        }
        Lowered::new((rules, facts))
    }

    fn attach<'w>(
        &self,
        parent: &ParentRef<'_, 'w>,
        world: &World<'_>,
    ) -> Result<Vec<Accepted<'w>>, Problem> {
        if let Some(refused) = &parent.parent.refused {
            return Err(Problem::new(
                ConditionReason::NotAllowedByListeners,
                format!("the ListenerSet is not accepted: {}", refused.message),
            ));
        }
        let hostnames = self.hostnames.as_deref().map_err(Clone::clone)?;
        let candidate = Candidate {
            kind: K::Spec::KIND,
            namespace: &self.key.namespace,
            hostnames,
        };
        let listeners = &parent.parent.listeners;
        let accepted = attach(candidate, parent.reference, parent.owner, listeners, world)?;
        let accepted = accepted.into_iter().filter_map(|(number, hosts)| {
            let place = (parent.owner.clone(), number);
            Some((place, (listeners.get(number)?, hosts)))
        });
        Ok(accepted.collect())
    }

    fn stay(
        &self,
        gateway: &ObjectKey,
        listeners: Attached<'_>,
        all: &BTreeMap<Usage, Lowered<K::Rule>>,
    ) -> Stay {
        let mut counted = Vec::new();
        let mut attachments: BTreeMap<Usage, Vec<Attachment>> = BTreeMap::new();
        for (place, (listener, hosts)) in listeners {
            let usage = K::usage_on(listener);
            if all.get(&usage).is_some_and(Lowered::is_counted) {
                counted.push(place);
            }
            if listener.takes_requests {
                let listener = listener.id.clone();
                let attachment = Attachment { listener, hosts };
                attachments.entry(usage).or_default().push(attachment);
            }
        }
        let served = attachments.into_iter().filter_map(|(usage, attachments)| {
            let lowered = all.get(&usage).filter(|lowered| lowered.is_served())?;
            Some((usage, attachments, lowered))
        });
        let mut placed: Vec<Placed> = Vec::new();
        for (usage, mut attachments, lowered) in served {
            attachments.sort();
            let attachments = kept(attachments);
            let mut id = format!("{}/{}", K::Spec::KIND, self.key);
            // A second one needs an id of its own.
            if !placed.is_empty() {
                id += usage.suffix();
            }
            let route = K::route(self.origin(), attachments, lowered.rules.clone());
            placed.push(Placed {
                id: RouteId::new(id),
                route,
                backends: Arc::clone(&lowered.backends),
            });
        }
        Stay {
            gateway: gateway.clone(),
            counted: kept(counted),
            placed: kept(placed),
        }
    }

    fn origin(&self) -> RouteOrigin {
        let created = self.object.metadata.creation_timestamp.as_ref();
        RouteOrigin {
            kind: K::IR_KIND,
            key: ir_key(self.key),
            created: created.map(|time| time.0.as_second()),
        }
    }

    fn entry(
        &self,
        parent: &ParentRef<'_, '_>,
        refused: Option<&Problem>,
        facts: &RuleFacts,
        options: &Options,
    ) -> RouteParentStatus {
        let partial = facts.partial_refusal();
        let conditions = status::route::conditions(
            self.object.generation(),
            status::route::Facts {
                refused,
                partial: partial.as_ref().filter(|_| refused.is_none()),
                unresolved: &facts.unresolved,
                notices: &facts.notices,
            },
        );
        RouteParentStatus {
            parent_ref: parent.reference.clone(),
            controller_name: options.controller_name.clone(),
            conditions,
        }
    }
}

/// A list that is held for as long as its route is there, of which there may be thousands: most have
/// one entry, and room for four.
fn kept<T>(mut list: Vec<T>) -> Vec<T> {
    list.shrink_to_fit();
    list
}

/// What a route uses its backends for on the listeners that accepted it for one parentRef.
fn usages<K: RouteKind>(accepted: &[Accepted<'_>]) -> BTreeSet<Usage> {
    let usages = accepted
        .iter()
        .map(|(_, (listener, _))| K::usage_on(listener));
    let usages: BTreeSet<Usage> = usages.collect();
    if usages.is_empty() {
        return BTreeSet::from([K::USAGE]);
    }
    usages
}
