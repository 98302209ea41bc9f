//! Routes of every kind: what differs is in [`RouteKind`], everything else is written once.

pub(crate) mod dispatch;
pub(crate) mod grpc;
pub(crate) mod http;
pub(crate) mod l4;
mod place;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use portcullis_api::meta::{Object, Spec};
use portcullis_api::route::ParentReference;
use portcullis_api::status::RouteStatus;
use portcullis_api::{Kind, ObjectKey};
use portcullis_ir::{Attachment, BackendId, RouteId, RouteOrigin};

use crate::backends::{Backends, Usage};
use crate::inputs::Options;
use crate::listeners::{Owner, Parent, ParentListener};
use crate::patterns::Patterns;
use crate::problem::{Problem, joined, summary};
use crate::world::World;

/// What differs between the kinds of route.
pub(crate) trait RouteKind {
    /// The API's type.
    type Spec: Spec<Status = RouteStatus>;
    /// A rule as the IR has it.
    type Rule: Clone;
    /// The kind in the IR.
    const IR_KIND: portcullis_ir::route::RouteKind;
    /// What it uses backends for, unless a listener says otherwise.
    const USAGE: Usage;

    /// What it uses backends for on a listener that accepted it.
    fn usage_on(_listener: &ParentListener) -> Usage {
        Self::USAGE
    }

    fn find<'a>(world: &World<'a>, key: &ObjectKey) -> Option<&'a Arc<Object<Self::Spec>>>;
    fn parent_refs(spec: &Self::Spec) -> &[ParentReference];
    /// Empty also for kinds that have none.
    fn hostnames(spec: &Self::Spec) -> &[String];
    /// The rules that have a place, and what is wrong with them.
    fn lower(
        spec: &Self::Spec,
        namespace: &str,
        usage: Usage,
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

/// The name of a route of any kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RouteKey {
    pub(crate) kind: Kind,
    pub(crate) key: ObjectKey,
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
    /// What the data plane gets of it: a route for each usage of its backends.
    pub(crate) placed: Vec<Placed>,
}

/// A route on its way to one Gateway's snapshot.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) id: RouteId,
    pub(crate) route: PlacedRoute,
    pub(crate) backends: Arc<[BackendId]>,
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
    use Kind as K;
    matches!(
        kind,
        K::HttpRoute | K::GrpcRoute | K::TlsRoute | K::TcpRoute | K::UdpRoute
    )
}

/// Attaches and lowers a route.
pub(crate) fn place(route: &RouteKey, work: &mut Work<'_>) -> Placement {
    let RouteKey { kind, key } = route;
    match kind {
        Kind::HttpRoute => place::one::<http::Http>(key, work),
        Kind::GrpcRoute => place::one::<grpc::Grpc>(key, work),
        Kind::TlsRoute => place::one::<l4::Tls>(key, work),
        Kind::TcpRoute => place::one::<l4::Tcp>(key, work),
        Kind::UdpRoute => place::one::<l4::Udp>(key, work),
        _ => Placement::default(),
    }
}
