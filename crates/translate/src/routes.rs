//! Routes of every kind: what differs is in [`RouteKind`], everything else is written once.

pub(crate) mod http;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use portcullis_api::meta::{Object, Spec};
use portcullis_api::route::ParentReference;
use portcullis_api::status::{ConditionReason, RouteParentStatus, RouteStatus};
use portcullis_api::{Kind, ObjectKey};
use portcullis_ir::{Attachment, BackendId, HostPattern, RouteHost, RouteId, RouteOrigin};

use crate::attach::{Candidate, attach};
use crate::backends::Backends;
use crate::facts::Fact;
use crate::inputs::{Options, ir_key};
use crate::listeners::{Owner, Parent, ParentListener};
use crate::patterns::Patterns;
use crate::problem::{Problem, joined, summary};
use crate::status;
use crate::world::World;

/// What differs between the kinds of route.
pub(crate) trait RouteKind {
    /// The API's type.
    type Spec: Spec<Status = RouteStatus>;
    /// A rule as the IR has it.
    type Rule: Clone;
    /// The kind in the IR.
    const IR_KIND: portcullis_ir::route::RouteKind;

    fn find<'a>(world: &World<'a>, key: &ObjectKey) -> Option<&'a Arc<Object<Self::Spec>>>;
    fn parent_refs(spec: &Self::Spec) -> &[ParentReference];
    /// Empty also for kinds that have none.
    fn hostnames(spec: &Self::Spec) -> &[String];
    /// The rules that have a place, and what is wrong with them.
    fn lower(
        spec: &Self::Spec,
        namespace: &str,
        work: &mut Work<'_>,
    ) -> (Vec<Self::Rule>, RuleFacts);
    /// The whole route for one Gateway.
    fn route(
        origin: RouteOrigin,
        attachments: Vec<Attachment>,
        rules: Vec<Self::Rule>,
    ) -> PlacedRoute;
}

/// What placing a route needs.
#[derive(Debug)]
pub(crate) struct Work<'a> {
    pub(crate) world: &'a World<'a>,
    pub(crate) options: &'a Options,
    pub(crate) parents: &'a BTreeMap<Owner, Parent>,
    pub(crate) backends: &'a mut Backends,
    pub(crate) patterns: Patterns,
}

/// What came of a route's rules.
#[derive(Debug, Default)]
pub(crate) struct RuleFacts {
    /// How many there are.
    pub(crate) count: usize,
    /// Rules that cannot be served, by number.
    pub(crate) dropped: Vec<(usize, Problem)>,
    /// References that lead nowhere.
    pub(crate) unresolved: Vec<Problem>,
    /// What is passed over without harm, in words.
    pub(crate) notices: Vec<String>,
    /// The backends the rules name.
    pub(crate) backends: BTreeSet<BackendId>,
}

impl RuleFacts {
    /// Why no rule at all can be served.
    fn refusal(&self) -> Option<Problem> {
        if self.count == 0 || self.dropped.len() < self.count {
            return None;
        }
        let problems: Vec<_> = self.dropped.iter().map(|(_, p)| p.clone()).collect();
        let Problem { reason, message } = summary(&problems)?;
        let message = format!(
            "{message}; requests for the route are answered 500 where its matches are valid"
        );
        Some(Problem::new(reason, message))
    }

    /// "This condition indicates that the Route contains a combination of both valid and invalid
    /// rules. … The message for this condition MUST start with the prefix "Dropped Rule" and
    /// include information about which Rules have been dropped."
    /// (`RouteConditionPartiallyInvalid`)
    fn partial_refusal(&self) -> Option<Problem> {
        if self.dropped.is_empty() || self.dropped.len() == self.count {
            return None;
        }
        let messages = self.dropped.iter().map(|(_, p)| p.message.as_str());
        Some(Problem::unsupported(format!(
            "Dropped Rule {}; requests for it are answered 500 where its matches are valid",
            joined(messages)
        )))
    }
}

/// Whether a route is counted: "Routes with any other value for the Accepted condition [than True]
/// MUST NOT be included in this count." (`ListenerStatus.AttachedRoutes`)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Some of its rules can be served.
    Accepted,
    /// Not one of its rules can be served.
    Refused,
}

/// The name of a route of any kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RouteKey {
    pub(crate) kind: Kind,
    pub(crate) key: ObjectKey,
}

impl RouteKey {
    /// Its name in snapshots.
    pub(crate) fn id(&self) -> RouteId {
        RouteId::new(format!("{}/{}", self.kind, self.key))
    }
}

/// What becomes of a route.
#[derive(Debug, Default)]
pub(crate) struct Placement {
    /// What is to be said about it; `None` if it is none of ours.
    pub(crate) status: Option<RouteStatus>,
    /// The Gateways that it is on.
    pub(crate) stays: Vec<Stay>,
}

/// A route on one Gateway.
#[derive(Debug)]
pub(crate) struct Stay {
    pub(crate) gateway: ObjectKey,
    /// The listeners that count it, each by its owner and its number there.
    pub(crate) counted: Vec<(Owner, usize)>,
    /// What the data plane gets of it.
    pub(crate) placed: Option<Placed>,
}

/// A route on its way to one Gateway's snapshot.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) route: PlacedRoute,
    pub(crate) backends: Arc<BTreeSet<BackendId>>,
}

/// A route in the IR.
#[derive(Clone, Debug)]
pub(crate) enum PlacedRoute {
    /// Of an HTTPRoute or a GRPCRoute.
    Http(Arc<portcullis_ir::HttpRoute>),
    /// Of a TLSRoute, TCPRoute or UDPRoute.
    L4(Arc<portcullis_ir::L4Route>),
}

/// Whether routes of a kind are translated.
pub(crate) fn is_served(kind: Kind) -> bool {
    kind == Kind::HttpRoute
}

/// Attaches and lowers a route.
pub(crate) fn place(route: &RouteKey, work: &mut Work<'_>) -> Placement {
    let RouteKey { kind, key } = route;
    match kind {
        Kind::HttpRoute => place_one::<http::Http>(key, work),
        _ => Placement::default(),
    }
}

fn place_one<K: RouteKind>(key: &ObjectKey, work: &mut Work<'_>) -> Placement {
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

/// The listeners of one Gateway that accepted a route, by owner and number there.
type Attached<'a> = BTreeMap<(Owner, usize), (&'a ParentListener, Vec<RouteHost>)>;

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
        let (rules, facts) = K::lower(&self.object.spec, &self.key.namespace, work);
        let refusal = facts.refusal();
        let mut attached: BTreeMap<&ObjectKey, Attached<'_>> = BTreeMap::new();
        let mut entries = Vec::with_capacity(parents.len());
        for parent in parents {
            let verdict = self.attach(parent, work.world);
            let refused = verdict.as_ref().err().or(refusal.as_ref());
            entries.push(self.entry(parent, refused, &facts, work.options));
            let listeners = attached.entry(&parent.parent.gateway).or_default();
            for (number, hosts) in verdict.into_iter().flatten() {
                if let Some(listener) = parent.parent.listeners.get(number) {
                    let place = (parent.owner.clone(), number);
                    listeners.insert(place, (listener, hosts));
                }
            }
        }
        let status = Some(RouteStatus { parents: entries });
        let standing = match refusal {
            None => Standing::Accepted,
            Some(_) if rules.is_empty() => {
                let stays = Vec::new();
                return Placement { status, stays };
            }
            Some(_) => Standing::Refused,
        };
        let backends = Arc::new(facts.backends);
        let stays = attached.into_iter().map(|(gateway, listeners)| {
            self.stay(gateway, listeners, rules.clone(), standing, &backends)
        });
        Placement {
            status,
            stays: stays.collect(),
        }
    }

    fn attach(
        &self,
        parent: &ParentRef<'_, '_>,
        world: &World<'_>,
    ) -> Result<Vec<(usize, Vec<RouteHost>)>, Problem> {
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
        attach(candidate, parent.reference, parent.owner, listeners, world)
    }

    /// What a Gateway gets of the route, of one that is refused too: its rules answer 500. If it
    /// were left out, its requests would fall to a broader route, past filters that may have been
    /// there to keep them out: "the filter MUST NOT be skipped. Instead, requests that would have
    /// been processed by that filter MUST receive a HTTP error response." (`HTTPRouteFilter.Type`)
    fn stay(
        &self,
        gateway: &ObjectKey,
        listeners: Attached<'_>,
        rules: Vec<K::Rule>,
        standing: Standing,
        backends: &Arc<BTreeSet<BackendId>>,
    ) -> Stay {
        let mut counted = Vec::new();
        let mut attachments = Vec::with_capacity(listeners.len());
        for (place, (listener, hosts)) in listeners {
            if standing == Standing::Accepted {
                counted.push(place);
            }
            if listener.takes_requests {
                let listener = listener.id.clone();
                attachments.push(Attachment { listener, hosts });
            }
        }
        attachments.sort();
        let is_placed = !attachments.is_empty();
        Stay {
            gateway: gateway.clone(),
            counted,
            placed: is_placed.then(|| Placed {
                route: K::route(self.origin(), attachments, rules),
                backends: Arc::clone(backends),
            }),
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
