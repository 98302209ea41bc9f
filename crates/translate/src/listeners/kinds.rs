//! Which kinds of route a listener takes.

use portcullis_api::gateway::{Listener, ProtocolType};
use portcullis_api::kind::GATEWAY_GROUP;
use portcullis_api::route::RouteGroupKind;
use portcullis_api::status::ConditionReason;

use crate::problem::{Problem, joined};

/// The kinds we serve on a protocol; none for a protocol that we do not serve.
///
/// "A Listener MUST be have protocol set to TLS when a TLSRoute attaches to it"
/// (`TLSRouteSpec.Hostnames`), and nothing else is said to attach to one: a TCPRoute is for the
/// protocol TCP, even where TLS ends at the listener.
fn served(protocol: &ProtocolType) -> &'static [&'static str] {
    match protocol {
        ProtocolType::Http | ProtocolType::Https => &["HTTPRoute", "GRPCRoute"],
        ProtocolType::Tls => &["TLSRoute"],
        ProtocolType::Tcp => &["TCPRoute"],
        ProtocolType::Udp => &["UDPRoute"],
        ProtocolType::Other(_) => &[],
    }
}

/// Whether we serve a protocol.
pub(super) fn is_served(protocol: &ProtocolType) -> bool {
    !served(protocol).is_empty()
}

/// The kinds that `spec` allows and we serve, and what is wrong with the others.
///
/// "If kinds are specified in Spec that are not supported, they MUST NOT appear in this list and
/// an implementation MUST set the "ResolvedRefs" condition to "False" with the "InvalidRouteKinds"
/// reason." (`ListenerStatus.SupportedKinds`)
pub(super) fn supported(spec: &Listener) -> (Vec<RouteGroupKind>, Option<Problem>) {
    let served = served(&spec.protocol);
    let allowed = spec.allowed_kinds();
    if allowed.is_empty() {
        return (served.iter().map(|kind| gateway_kind(kind)).collect(), None);
    }
    let (good, bad): (Vec<_>, Vec<_>) = allowed
        .iter()
        .partition(|kind| kind.group() == GATEWAY_GROUP && served.contains(&&*kind.kind));
    let mut kinds: Vec<RouteGroupKind> = Vec::new();
    for kind in good.into_iter().map(|kind| gateway_kind(&kind.kind)) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let bad: Vec<String> = bad
        .into_iter()
        .map(|kind| match kind.group() {
            GATEWAY_GROUP => kind.kind.clone(),
            group => format!("{}.{group}", kind.kind),
        })
        .collect();
    let problem = (!bad.is_empty()).then(|| {
        let names = joined(bad.iter().map(String::as_str));
        Problem::new(
            ConditionReason::InvalidRouteKinds,
            format!(
                "allowedRoutes.kinds names what a listener of protocol {} does not take: {names}",
                spec.protocol
            ),
        )
    });
    (kinds, problem)
}

fn gateway_kind(kind: &str) -> RouteGroupKind {
    RouteGroupKind {
        group: Some(GATEWAY_GROUP.to_owned()),
        kind: kind.to_owned(),
    }
}
