//! Routes of every kind: what differs is in [`RouteKind`], everything else is written once.

pub(crate) mod http;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use portcullis_api::meta::{Object, Spec};
use portcullis_api::route::ParentReference;
use portcullis_api::status::{ConditionReason, RouteParentStatus, RouteStatus};
use portcullis_api::{Kind, ObjectKey, Objects};
use portcullis_ir::{Attachment, BackendId, HostPattern, RouteId, RouteOrigin};

use crate::attach::{Candidate, attach};
use crate::backends::Backends;
use crate::inputs::{Options, ir_key};
use crate::listeners::{Drafts, Owner};
use crate::output::StatusMap;
use crate::patterns::Patterns;
use crate::problem::{Problem, joined, summary};
use crate::status;

/// What differs between the kinds of route.
pub(crate) trait RouteKind {
    /// The API's type.
    type Spec: Spec<Status = RouteStatus>;
    /// A rule as the IR has it.
    type Rule: Clone;
    /// The kind in the IR.
    const IR_KIND: portcullis_ir::route::RouteKind;

    fn objects(objects: &Objects) -> &BTreeMap<ObjectKey, Arc<Object<Self::Spec>>>;
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

/// What lowering a route needs.
#[derive(Debug)]
pub(crate) struct Work<'a> {
    pub(crate) objects: &'a Objects,
    pub(crate) options: &'a Options,
    pub(crate) backends: Backends<'a>,
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

/// A route on its way to one Gateway's snapshot.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) id: RouteId,
    pub(crate) route: PlacedRoute,
    pub(crate) backends: Arc<BTreeSet<BackendId>>,
}

/// A route in the IR.
#[derive(Debug)]
pub(crate) enum PlacedRoute {
    Http(Arc<portcullis_ir::HttpRoute>),
}

/// Attaches and lowers every route of one kind; says what came of it.
pub(crate) fn place<K: RouteKind>(
    gateways: &mut Drafts<'_>,
    work: &mut Work<'_>,
) -> StatusMap<RouteStatus> {
    let mut statuses = StatusMap::new();
    for (key, object) in K::objects(work.objects) {
        let route = Route::<K>::new(key, object);
        let parents = route.parents(gateways);
        if parents.is_empty() {
            // A route that names none of our Gateways is not ours. It may have been, and then our
            // old entries must go: an empty status says so.
            let had_entry = object.status.as_ref().is_some_and(|status| {
                let ours = |entry: &RouteParentStatus| {
                    entry.controller_name == work.options.controller_name
                };
                status.parents.iter().any(ours)
            });
            if had_entry {
                statuses.insert(key.clone(), Arc::default());
            }
            continue;
        }
        let status = route.place(&parents, gateways, work);
        statuses.insert(key.clone(), Arc::new(status));
    }
    statuses
}

/// A parentRef that leads to a Gateway of ours, and that Gateway's number.
struct Parent<'a> {
    reference: &'a ParentReference,
    owner: Owner,
    gateway: usize,
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
    fn parents(&self, gateways: &Drafts<'_>) -> Vec<Parent<'a>> {
        let references = K::parent_refs(&self.object.spec).iter();
        references
            .filter_map(|reference| {
                let target = reference.target();
                let kind = Kind::find(target.group, target.kind)?;
                let namespace = target.namespace.unwrap_or(&self.key.namespace);
                let key = ObjectKey::new(namespace, target.name);
                let owner = Owner { kind, key };
                let (gateway, _) = gateways.parent(&owner)?;
                Some(Parent {
                    reference,
                    owner,
                    gateway,
                })
            })
            .collect()
    }

    fn place(
        &self,
        parents: &[Parent<'a>],
        gateways: &mut Drafts<'_>,
        work: &mut Work<'_>,
    ) -> RouteStatus {
        let (rules, facts) = K::lower(&self.object.spec, &self.key.namespace, work);
        let refusal = facts.refusal();
        let mut attached: BTreeMap<usize, BTreeMap<usize, Attachment>> = BTreeMap::new();
        let mut entries = Vec::with_capacity(parents.len());
        for parent in parents {
            let verdict = self.attach(parent, gateways, work.objects);
            let refused = verdict.as_ref().err().or(refusal.as_ref());
            entries.push(self.entry(parent, refused, &facts, work.options));
            let listeners = attached.entry(parent.gateway).or_default();
            for (listener, attachment) in verdict.into_iter().flatten() {
                listeners.insert(listener, attachment);
            }
        }
        let standing = match refusal {
            None => Standing::Accepted,
            Some(_) if rules.is_empty() => return RouteStatus { parents: entries },
            Some(_) => Standing::Refused,
        };
        let backends = Arc::new(facts.backends);
        for (gateway, listeners) in attached {
            let rules = rules.clone();
            self.enter(gateway, listeners, rules, standing, &backends, gateways);
        }
        RouteStatus { parents: entries }
    }

    fn attach(
        &self,
        parent: &Parent<'_>,
        gateways: &Drafts<'_>,
        objects: &Objects,
    ) -> Result<Vec<(usize, Attachment)>, Problem> {
        let Some((_, gateway)) = gateways.parent(&parent.owner) else {
            return Ok(Vec::new());
        };
        let set = gateways.set(&parent.owner);
        if let Some(refused) = set.and_then(|set| set.refused.as_ref()) {
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
        let places = attach(candidate, parent.reference, &parent.owner, gateway, objects)?;
        let attachment = |(index, hosts): (usize, _)| {
            let listener = gateway.listeners.get(index)?.id.clone();
            Some((index, Attachment { listener, hosts }))
        };
        Ok(places.into_iter().filter_map(attachment).collect())
    }

    /// Puts the route into a Gateway's draft, one that is refused too: its rules answer 500. If it
    /// were left out, its requests would fall to a broader route, past filters that may have been
    /// there to keep them out: "the filter MUST NOT be skipped. Instead, requests that would have
    /// been processed by that filter MUST receive a HTTP error response." (`HTTPRouteFilter.Type`)
    fn enter(
        &self,
        gateway: usize,
        listeners: BTreeMap<usize, Attachment>,
        rules: Vec<K::Rule>,
        standing: Standing,
        backends: &Arc<BTreeSet<BackendId>>,
        gateways: &mut Drafts<'_>,
    ) {
        let Some(draft) = gateways.draft_mut(gateway) else {
            return;
        };
        let mut attachments = Vec::with_capacity(listeners.len());
        for (index, attachment) in listeners {
            if let Some(listener) = draft.listeners.get_mut(index) {
                if standing == Standing::Accepted {
                    listener.attached_routes = listener.attached_routes.saturating_add(1);
                }
                if listener.takes_requests() {
                    attachments.push(attachment);
                }
            }
        }
        if attachments.is_empty() {
            return;
        }
        attachments.sort();
        draft.routes.push(Placed {
            id: RouteId::new(format!("{}/{}", K::Spec::KIND, self.key)),
            route: K::route(self.origin(), attachments, rules),
            backends: Arc::clone(backends),
        });
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
        parent: &Parent<'_>,
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
