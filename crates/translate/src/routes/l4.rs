//! TLSRoute, TCPRoute and UDPRoute: where whole connections or datagrams go.

use std::sync::Arc;

use portcullis_api::ObjectKey;
use portcullis_api::meta::{Object, Spec};
use portcullis_api::route::{BackendRef, L4RouteRule, ParentReference};
use portcullis_api::tcp_route::TcpRouteSpec;
use portcullis_api::tls_route::TlsRouteSpec;
use portcullis_api::udp_route::UdpRouteSpec;
use portcullis_ir::route::{L4Route, L4Rule, RouteKind as IrKind};
use portcullis_ir::{Attachment, RouteOrigin, WeightedBackend};

use super::{PlacedRoute, RouteKind, RuleFacts, Work};
use crate::backends::{self, Usage};
use crate::grants::Referrer;
use crate::listeners::ParentListener;
use crate::world::World;

/// The kind TLSRoute.
#[derive(Debug)]
pub(crate) struct Tls;

/// The kind TCPRoute.
#[derive(Debug)]
pub(crate) struct Tcp;

/// The kind UDPRoute.
#[derive(Debug)]
pub(crate) struct Udp;

impl RouteKind for Tls {
    type Spec = TlsRouteSpec;
    type Rule = L4Rule;
    const IR_KIND: IrKind = IrKind::Tls;
    const USAGE: Usage = Usage::Passthrough;

    /// "When a TLSRoute is attached to a listener in Terminate mode, a BackendTLSPolicy can be used
    /// to enable re-encryption of the traffic to the backends." (`TLSRouteRule.BackendRefs`)
    fn usage_on(listener: &ParentListener) -> Usage {
        if listener.passes_tls_on {
            Usage::Passthrough
        } else {
            Usage::Stream
        }
    }

    fn find<'a>(world: &World<'a>, key: &ObjectKey) -> Option<&'a Arc<Object<TlsRouteSpec>>> {
        world.objects().tls_routes.get(key)
    }

    fn parent_refs(spec: &TlsRouteSpec) -> &[ParentReference] {
        &spec.parent_refs
    }

    fn hostnames(spec: &TlsRouteSpec) -> &[String] {
        &spec.hostnames
    }

    fn lower(
        spec: &TlsRouteSpec,
        namespace: &str,
        usage: Usage,
        work: &mut Work<'_>,
    ) -> (Vec<L4Rule>, RuleFacts) {
        rules(&spec.rules, referrer::<Self>(namespace), usage, work)
    }

    fn route(origin: RouteOrigin, attachments: Vec<Attachment>, rules: Vec<L4Rule>) -> PlacedRoute {
        placed(origin, attachments, rules)
    }
}

impl RouteKind for Tcp {
    type Spec = TcpRouteSpec;
    type Rule = L4Rule;
    const IR_KIND: IrKind = IrKind::Tcp;
    const USAGE: Usage = Usage::Stream;

    fn find<'a>(world: &World<'a>, key: &ObjectKey) -> Option<&'a Arc<Object<TcpRouteSpec>>> {
        world.objects().tcp_routes.get(key)
    }

    fn parent_refs(spec: &TcpRouteSpec) -> &[ParentReference] {
        &spec.parent_refs
    }

    fn hostnames(_: &TcpRouteSpec) -> &[String] {
        &[]
    }

    fn lower(
        spec: &TcpRouteSpec,
        namespace: &str,
        usage: Usage,
        work: &mut Work<'_>,
    ) -> (Vec<L4Rule>, RuleFacts) {
        rules(&spec.rules, referrer::<Self>(namespace), usage, work)
    }

    fn route(origin: RouteOrigin, attachments: Vec<Attachment>, rules: Vec<L4Rule>) -> PlacedRoute {
        placed(origin, attachments, rules)
    }
}

impl RouteKind for Udp {
    type Spec = UdpRouteSpec;
    type Rule = L4Rule;
    const IR_KIND: IrKind = IrKind::Udp;
    const USAGE: Usage = Usage::Datagram;

    fn find<'a>(world: &World<'a>, key: &ObjectKey) -> Option<&'a Arc<Object<UdpRouteSpec>>> {
        world.objects().udp_routes.get(key)
    }

    fn parent_refs(spec: &UdpRouteSpec) -> &[ParentReference] {
        &spec.parent_refs
    }

    fn hostnames(_: &UdpRouteSpec) -> &[String] {
        &[]
    }

    fn lower(
        spec: &UdpRouteSpec,
        namespace: &str,
        usage: Usage,
        work: &mut Work<'_>,
    ) -> (Vec<L4Rule>, RuleFacts) {
        rules(&spec.rules, referrer::<Self>(namespace), usage, work)
    }

    fn route(origin: RouteOrigin, attachments: Vec<Attachment>, rules: Vec<L4Rule>) -> PlacedRoute {
        placed(origin, attachments, rules)
    }
}

fn referrer<K: RouteKind>(namespace: &str) -> Referrer<'_> {
    let kind = <K::Spec as Spec>::KIND;
    Referrer { kind, namespace }
}

/// All of them keep their place, as [`L4Route::rules`] has them: a rule without a backend that can
/// be had refuses what comes to it. "If unspecified or invalid (refers to a nonexistent resource or
/// a Service with no endpoints), the underlying implementation MUST actively reject connection
/// attempts to this backend. Connection rejections must respect weight" (`TCPRouteRule.BackendRefs`)
fn rules(
    rules: &[L4RouteRule],
    from: Referrer<'_>,
    usage: Usage,
    work: &mut Work<'_>,
) -> (Vec<L4Rule>, RuleFacts) {
    let mut facts = RuleFacts {
        count: rules.len(),
        ..RuleFacts::default()
    };
    facts.notices.extend(surplus(rules));
    let rules = rules.iter().map(|rule| {
        let L4RouteRule { name, backend_refs } = rule;
        let backends = backend_refs.iter();
        let backends = backends.map(|reference| backend(reference, from, usage, work, &mut facts));
        L4Rule {
            name: name.clone(),
            backends: backends.collect(),
        }
    });
    (rules.collect(), facts)
}

/// "`MaxItems=1`" (`TLSRouteSpec.Rules` and its likes) is new in v1: there may be routes of older
/// versions with more rules, though nothing ever told them apart.
fn surplus(rules: &[L4RouteRule]) -> Option<String> {
    (rules.len() > 1).then(|| {
        "rules: the first has no condition and takes everything; those after it have no effect"
            .to_owned()
    })
}

fn backend(
    reference: &BackendRef,
    from: Referrer<'_>,
    usage: Usage,
    work: &mut Work<'_>,
    facts: &mut RuleFacts,
) -> WeightedBackend {
    let Work {
        world, backends, ..
    } = work;
    let resolution = backends.resolve(world, from, reference, usage);
    match &resolution {
        Ok(id) => drop(facts.backends.insert(id.clone())),
        Err(problem) => facts.unresolved.push(problem.clone()),
    }
    WeightedBackend {
        weight: reference.weight(),
        target: backends::target(&resolution),
        filters: Vec::new(),
    }
}

fn placed(origin: RouteOrigin, attachments: Vec<Attachment>, rules: Vec<L4Rule>) -> PlacedRoute {
    PlacedRoute::L4(Arc::new(L4Route {
        origin,
        attachments,
        rules,
    }))
}
