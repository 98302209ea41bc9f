//! Listeners, of Gateways and ListenerSets.

use portcullis_api::status::{Condition, ConditionReason, ConditionType, ListenerStatus};

use super::{fails, holds};
use crate::inputs::{ObservedGateway, PortFailure};
use crate::listeners::ListenerDraft;
use crate::problem::{Problem, summary};

/// The status of a listener. `generation` is that of the object it is written in, `wanted` the
/// Gateway's.
pub(crate) fn status(
    listener: &ListenerDraft<'_>,
    generation: i64,
    wanted: i64,
    observed: &ObservedGateway,
) -> ListenerStatus {
    let mut conditions = vec![
        accepted(listener, generation, observed),
        programmed(listener, generation, wanted, observed),
        resolved_refs(listener, generation),
        conflicted(listener, generation),
    ];
    conditions.extend(overlapping(listener, generation));
    ListenerStatus {
        name: listener.spec.name.clone(),
        supported_kinds: listener.kinds.clone(),
        attached_routes: listener.attached_routes,
        conditions,
    }
}

/// Why a listener is not accepted, from its configuration or from what data planes say.
///
/// "This reason is used with the "Accepted" condition when the Listener requests a port that cannot
/// be used on the Gateway … The port is already in use." (`ListenerReasonPortUnavailable`) An
/// address that cannot be used is nothing the listener asked for, so it is accepted all the same.
fn refusal(listener: &ListenerDraft<'_>, observed: &ObservedGateway) -> Option<Problem> {
    if let Some(own) = listener.defect() {
        return Some(own.clone());
    }
    let failure = port_failure(listener, observed);
    failure.filter(|problem| problem.reason == ConditionReason::PortUnavailable)
}

/// What keeps a listener from being programmed: its refusal, a certificate, or the data planes.
pub(crate) fn obstacle(
    listener: &ListenerDraft<'_>,
    wanted: i64,
    observed: &ObservedGateway,
) -> Option<Problem> {
    if let Some(conflict) = &listener.conflict {
        return Some(conflict.clone());
    }
    if let Some(refused) = &listener.refused {
        let message = refused.message.clone();
        return Some(Problem::new(ConditionReason::Invalid, message));
    }
    if let Some(tls) = listener.tls.as_ref().filter(|tls| !tls.is_served()) {
        let kept = if tls.may_keep_certificate() {
            "; data planes keep the last usable one"
        } else {
            ""
        };
        let message = format!("no certificate is usable, see ResolvedRefs{kept}");
        return Some(Problem::new(ConditionReason::Invalid, message));
    }
    port_failure(listener, observed).or_else(|| pending(wanted, observed))
}

/// "This reason is used with the "Programmed" condition when the underlying implementation (and
/// possibly, network) are unable to use an address that was provided in the Gateway specification.
/// … the implementation SHOULD provide prescriptive information on which address is causing the
/// problem and how to resolve it in the condition message." (`GatewayReasonAddressNotUsable`)
fn port_failure(listener: &ListenerDraft<'_>, observed: &ObservedGateway) -> Option<Problem> {
    let port = listener.port_key()?;
    let mut failures = observed.data_planes.iter();
    let failure = failures.find_map(|plane| plane.port_failures.get(&port))?;
    let port = listener.spec.port;
    Some(match failure {
        PortFailure::PortUnavailable(why) => Problem::new(
            ConditionReason::PortUnavailable,
            format!("port {port} cannot be bound: {why}"),
        ),
        PortFailure::AddressNotUsable(why) => Problem::new(
            ConditionReason::AddressNotUsable,
            format!(
                "port {port} cannot be bound: {why}; in spec.addresses of the Gateway, name one \
                 that is, or none"
            ),
        ),
    })
}

/// What is still to be waited for until every data plane serves generation `wanted`.
pub(crate) fn pending(wanted: i64, observed: &ObservedGateway) -> Option<Problem> {
    let planes = &observed.data_planes;
    let applied = planes
        .iter()
        .filter(|plane| plane.refusal.is_none())
        .filter(|plane| plane.applied_generation.is_some_and(|g| g >= wanted))
        .count();
    if applied == planes.len() && applied > 0 {
        return None;
    }
    let message = if planes.is_empty() {
        let hint = observed
            .infra
            .as_ref()
            .and_then(|infra| infra.hint.as_ref());
        let hint = hint.map(|hint| format!(": {hint}")).unwrap_or_default();
        format!("waiting for a data plane{hint}")
    } else {
        let all = planes.len();
        let refusal = planes.iter().find_map(|plane| plane.refusal.as_ref());
        let refusal = refusal.map(|why| format!("; {why}")).unwrap_or_default();
        format!(
            "waiting for the data planes: {applied} of {all} serve generation {wanted}{refusal}"
        )
    };
    Some(Problem::new(ConditionReason::Pending, message))
}

fn accepted(
    listener: &ListenerDraft<'_>,
    generation: i64,
    observed: &ObservedGateway,
) -> Condition {
    match refusal(listener, observed) {
        Some(problem) => fails(ConditionType::Accepted, &problem, generation),
        None => holds(
            ConditionType::Accepted,
            ConditionReason::Accepted,
            "",
            generation,
        ),
    }
}

fn programmed(
    listener: &ListenerDraft<'_>,
    generation: i64,
    wanted: i64,
    observed: &ObservedGateway,
) -> Condition {
    match obstacle(listener, wanted, observed) {
        Some(problem) => fails(ConditionType::Programmed, &problem, generation),
        None => holds(
            ConditionType::Programmed,
            ConditionReason::Programmed,
            "",
            generation,
        ),
    }
}

fn resolved_refs(listener: &ListenerDraft<'_>, generation: i64) -> Condition {
    match summary(&listener.unresolved) {
        Some(problem) => fails(ConditionType::ResolvedRefs, &problem, generation),
        None => holds(
            ConditionType::ResolvedRefs,
            ConditionReason::ResolvedRefs,
            "",
            generation,
        ),
    }
}

fn conflicted(listener: &ListenerDraft<'_>, generation: i64) -> Condition {
    match &listener.conflict {
        Some(Problem { reason, message }) => holds(
            ConditionType::Conflicted,
            reason.clone(),
            message.clone(),
            generation,
        ),
        None => fails(
            ConditionType::Conflicted,
            &Problem::new(ConditionReason::NoConflicts, ""),
            generation,
        ),
    }
}

/// "This is a negative polarity condition and MUST NOT be set when it is False."
/// (`ListenerConditionOverlappingTLSConfig`)
fn overlapping(listener: &ListenerDraft<'_>, generation: i64) -> Option<Condition> {
    let Problem { reason, message } = listener.overlap.clone()?;
    Some(holds(
        ConditionType::OverlappingTlsConfig,
        reason,
        message,
        generation,
    ))
}
