//! Gateway.

use portcullis_api::Kind;
use portcullis_api::gateway::{
    AddressType, FrontendTlsValidation, FrontendValidationMode, GatewayAddress, GatewayStatus,
};
use portcullis_api::status::{Condition, ConditionReason, ConditionType};

use super::{fails, holds, listener, reach};
use crate::inputs::ObservedGateway;
use crate::listeners::{GatewayDraft, ListenerDraft};
use crate::problem::{Problem, joined, summary};

/// What holds for the Gateway as a whole, worked out once for it and its ListenerSets.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// Why it is not accepted.
    pub(crate) refused: Option<Problem>,
    /// Why it is not programmed.
    pub(crate) unprogrammed: Option<Problem>,
    /// Its own listeners that are not accepted, if others are.
    partly: Option<Problem>,
}

/// Judges a Gateway.
///
/// Deviation: a Gateway that is refused because of its class, its parameters or its addresses is
/// served on all the same, as far as it is valid: these say where it is served, not what, and a bad
/// edit must not stop what worked.
pub(crate) fn judge(gateway: &GatewayDraft<'_>, observed: &ObservedGateway) -> Verdict {
    let (refused, partly) = match infrastructure_refusal(gateway) {
        Some(problem) => (Some(problem), None),
        None => listener_refusal(gateway),
    };
    let unprogrammed = match &refused {
        Some(problem) => {
            let message = format!("not accepted: {}", problem.message);
            Some(Problem::new(ConditionReason::Invalid, message))
        }
        None => obstacle(gateway, observed),
    };
    Verdict {
        refused,
        unprogrammed,
        partly,
    }
}

/// The status of a Gateway.
pub(crate) fn status(
    gateway: &GatewayDraft<'_>,
    observed: &ObservedGateway,
    verdict: &Verdict,
) -> GatewayStatus {
    let generation = gateway.object.generation();
    let mut conditions = vec![
        accepted(verdict, generation),
        programmed(verdict, generation),
        resolved_refs(gateway, generation),
    ];
    conditions.extend(insecure_validation(gateway, generation));
    let attached = gateway.sets.iter().filter(|set| {
        super::listener_set::judge(set, gateway, verdict)
            .refused
            .is_none()
    });
    GatewayStatus {
        addresses: observed.addresses.clone(),
        conditions,
        listeners: own_listeners(gateway)
            .map(|listener| listener::status(listener, generation, generation, observed))
            .collect(),
        attached_listener_sets: Some(i32::try_from(attached.count()).unwrap_or(i32::MAX)),
    }
}

fn own_listeners<'d, 'a>(
    gateway: &'d GatewayDraft<'a>,
) -> impl Iterator<Item = &'d ListenerDraft<'a>> {
    let own = gateway.listeners.iter();
    own.filter(|listener| listener.owner.kind == Kind::Gateway)
}

/// What is wrong with where the Gateway is to be served.
pub(crate) fn infrastructure_refusal(gateway: &GatewayDraft<'_>) -> Option<Problem> {
    if let Some(problem) = &gateway.class_refused {
        let message = format!("the GatewayClass is not accepted: {}", problem.message);
        return Some(Problem::new(ConditionReason::Invalid, message));
    }
    let spec = &gateway.object.spec;
    if let Err(problem) = &gateway.parameters {
        return Some(problem.clone());
    }
    spec.addresses.iter().find_map(unsupported)
}

/// "the Gateway could not be accepted because an address that was provided is a type which is not
/// supported by the implementation." (`GatewayReasonUnsupportedAddress`)
fn unsupported(address: &GatewayAddress) -> Option<Problem> {
    let r#type = address.address_type();
    let routability = address.routability.as_deref().unwrap_or_default();
    let message = if *r#type != AddressType::IpAddress {
        format!("addresses of type {type} are not supported; use IPAddress")
    } else if !routability.is_empty() {
        format!(
            "addresses of routability {routability} are not supported; take it away, and choose by \
             service.type in GatewayParameters"
        )
    } else {
        return None;
    };
    let reason = ConditionReason::UnsupportedAddress;
    Some(Problem::new(reason, message))
}

/// "At least one distinct Listener MUST be present, or else the Gateway effectively contains _no_
/// Listeners, and must be rejected from processing as a whole. The implementation MUST set a
/// "ListenersNotValid" condition on the Gateway Status when the Gateway contains Conflicted
/// Listeners whether or not they accept the Gateway." (`GatewaySpec.Listeners`)
fn listener_refusal(gateway: &GatewayDraft<'_>) -> (Option<Problem>, Option<Problem>) {
    let own: Vec<_> = own_listeners(gateway).collect();
    let refused: Vec<String> = own
        .iter()
        .filter_map(|l| Some((&l.spec.name, l.defect()?)))
        .map(|(name, problem)| format!("listener {name} is not accepted: {}", problem.message))
        .collect();
    if refused.is_empty() && !own.is_empty() {
        return (None, None);
    }
    let message = if own.is_empty() {
        "there are no listeners".to_owned()
    } else {
        joined(refused.iter().map(String::as_str))
    };
    let problem = Problem::new(ConditionReason::ListenersNotValid, message);
    if refused.len() == own.len() {
        (Some(problem), None)
    } else {
        (None, Some(problem))
    }
}

/// Why an accepted Gateway is not programmed: true only when every data plane serves the current
/// generation, every port is bound and reachable, and there is an address.
fn obstacle(gateway: &GatewayDraft<'_>, observed: &ObservedGateway) -> Option<Problem> {
    let generation = gateway.object.generation();
    let is_hopeless = |problem: &Problem| problem.reason == ConditionReason::Invalid;
    let obstacles: Vec<Option<Problem>> = gateway
        .listeners
        .iter()
        .filter(|listener| listener.is_valid())
        .map(|l| listener::obstacle(l, generation, observed))
        .collect();
    if obstacles
        .iter()
        .all(|o| o.as_ref().is_some_and(is_hopeless))
    {
        let problems: Vec<_> = obstacles.into_iter().flatten().collect();
        let message = "no listener can be served as it is written: ".to_owned();
        return summary(&problems).map(|p| Problem::new(p.reason, message + &p.message));
    }
    let mut unbound = obstacles.into_iter().flatten();
    let of_sockets = [
        ConditionReason::PortUnavailable,
        ConditionReason::AddressNotUsable,
    ];
    unbound
        .find(|problem| of_sockets.contains(&problem.reason))
        .or_else(|| reach::trouble(observed))
        .or_else(|| listener::pending(generation, observed))
        .or_else(|| reach::obstacle(gateway, observed))
}

fn accepted(verdict: &Verdict, generation: i64) -> Condition {
    match (&verdict.refused, &verdict.partly) {
        (Some(problem), _) => fails(ConditionType::Accepted, problem, generation),
        (None, Some(Problem { reason, message })) => holds(
            ConditionType::Accepted,
            reason.clone(),
            message.clone(),
            generation,
        ),
        (None, None) => holds(
            ConditionType::Accepted,
            ConditionReason::Accepted,
            "",
            generation,
        ),
    }
}

fn programmed(verdict: &Verdict, generation: i64) -> Condition {
    match &verdict.unprogrammed {
        Some(problem) => fails(ConditionType::Programmed, problem, generation),
        None => holds(
            ConditionType::Programmed,
            ConditionReason::Programmed,
            "",
            generation,
        ),
    }
}

/// "whether the controller was able to resolve all the object references for the Gateway that are
/// not part of a specific Listener configuration, and also … a positive-polarity summary of
/// Listener's "ResolvedRefs" condition." (`GatewayConditionResolvedRefs`)
fn resolved_refs(gateway: &GatewayDraft<'_>, generation: i64) -> Condition {
    if let Some(problem) = &gateway.client_certificate.problem {
        return fails(ConditionType::ResolvedRefs, problem, generation);
    }
    let unresolved: Vec<&str> = own_listeners(gateway)
        .filter(|listener| !listener.unresolved.is_empty())
        .map(|listener| listener.spec.name.as_str())
        .collect();
    if unresolved.is_empty() {
        return holds(
            ConditionType::ResolvedRefs,
            ConditionReason::ResolvedRefs,
            "",
            generation,
        );
    }
    let message = format!(
        "references of these listeners are not resolved: {}",
        unresolved.join(", ")
    );
    let problem = Problem::new(ConditionReason::ListenersNotResolved, message);
    fails(ConditionType::ResolvedRefs, &problem, generation)
}

/// "This condition is true when the Gateway FrontendValidationModeType is configured to allow
/// insecure fallback behavior. … This condition is removed as soon as FrontendValidationModeType is
/// changed back to `AllowValidOnly`." (`GatewayConditionInsecureFrontendValidationMode`)
fn insecure_validation(gateway: &GatewayDraft<'_>, generation: i64) -> Option<Condition> {
    let frontend = gateway.object.spec.tls.as_ref()?.frontend.as_ref()?;
    let default = [("by default".to_owned(), &frontend.default)];
    let per_port = frontend.per_port.iter();
    let per_port = per_port.map(|config| (format!("on port {}", config.port), &config.tls));
    let insecure: Vec<String> = default
        .into_iter()
        .chain(per_port)
        .filter(|(_, tls)| {
            let mode = tls.validation.as_ref().map(FrontendTlsValidation::mode);
            mode == Some(&FrontendValidationMode::AllowInsecureFallback)
        })
        .map(|(place, _)| place)
        .collect();
    if insecure.is_empty() {
        return None;
    }
    Some(holds(
        ConditionType::InsecureFrontendValidationMode,
        ConditionReason::ConfigurationChanged,
        format!(
            "clients without a valid certificate are let in wherever a CA certificate is in force \
             (AllowInsecureFallback): {}",
            insecure.join(", ")
        ),
        generation,
    ))
}
