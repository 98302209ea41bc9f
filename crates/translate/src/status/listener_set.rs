//! ListenerSet.

use portcullis_api::listener_set::ListenerSetStatus;
use portcullis_api::status::{ConditionReason, ConditionType};

use super::gateway::Verdict as GatewayVerdict;
use super::{fails, holds, listener};
use crate::inputs::ObservedGateway;
use crate::listeners::{GatewayDraft, ListenerDraft, SetDraft};
use crate::problem::{Problem, joined};

/// What holds for a ListenerSet as a whole.
#[derive(Debug)]
pub(super) struct Verdict {
    /// Why it is not accepted.
    pub(super) refused: Option<Problem>,
    /// Its listeners that are not accepted, if others are.
    partly: Option<Problem>,
}

/// Judges a ListenerSet.
pub(super) fn judge(
    set: &SetDraft<'_>,
    gateway: &GatewayDraft<'_>,
    parent: &GatewayVerdict,
) -> Verdict {
    let refused = |problem: Problem| Verdict {
        refused: Some(problem),
        partly: None,
    };
    if let Some(problem) = &set.refused {
        return refused(problem.clone());
    }
    if let Some(problem) = &parent.refused {
        let message = format!("the Gateway is not accepted: {}", problem.message);
        return refused(Problem::new(ConditionReason::ParentNotAccepted, message));
    }
    let own: Vec<_> = listeners(set, gateway).collect();
    let bad: Vec<String> = own.iter().filter_map(|listener| fault(listener)).collect();
    let message = joined(bad.iter().map(String::as_str));
    let problem = Problem::new(ConditionReason::ListenersNotValid, message);
    match bad.len() {
        0 => Verdict {
            refused: None,
            partly: None,
        },
        all if all == own.len() => refused(problem),
        _ => Verdict {
            refused: None,
            partly: Some(problem),
        },
    }
}

/// Why a listener is not valid, in words. One that was refused every certificate it names serves
/// nobody and never did; one whose certificate is gone may serve on with the last.
fn fault(listener: &ListenerDraft<'_>) -> Option<String> {
    let name = &listener.spec.name;
    if let Some(problem) = listener.defect() {
        let message = &problem.message;
        return Some(format!("listener {name} is not accepted: {message}"));
    }
    let tls = listener.tls.as_ref();
    tls.filter(|tls| !tls.is_served() && !tls.may_keep_certificate())?;
    let message = &listener.unresolved.first()?.message;
    Some(format!("listener {name} has no certificate: {message}"))
}

/// The status of a ListenerSet.
pub(crate) fn status(
    set: &SetDraft<'_>,
    gateway: &GatewayDraft<'_>,
    observed: &ObservedGateway,
    parent: &GatewayVerdict,
) -> ListenerSetStatus {
    let generation = set.object.generation();
    let verdict = judge(set, gateway, parent);
    let accepted = match (&verdict.refused, &verdict.partly) {
        (Some(problem), _) => fails(ConditionType::Accepted, problem, generation),
        (None, partly) => {
            let (reason, message) = match partly {
                Some(Problem { reason, message }) => (reason.clone(), message.as_str()),
                None => (ConditionReason::Accepted, ""),
            };
            holds(ConditionType::Accepted, reason, message, generation)
        }
    };
    let programmed = match (&verdict.refused, &parent.unprogrammed) {
        (Some(problem), _) => fails(ConditionType::Programmed, problem, generation),
        (None, Some(problem)) => {
            let message = format!("the Gateway is not programmed: {}", problem.message);
            let reason = match problem.reason {
                ConditionReason::Pending => ConditionReason::Pending,
                _ => ConditionReason::Other("ParentNotProgrammed".to_owned()),
            };
            fails(
                ConditionType::Programmed,
                &Problem::new(reason, message),
                generation,
            )
        }
        (None, None) => holds(
            ConditionType::Programmed,
            ConditionReason::Programmed,
            "",
            generation,
        ),
    };
    let wanted = gateway.object.generation();
    ListenerSetStatus {
        conditions: vec![accepted, programmed],
        listeners: listeners(set, gateway)
            .map(|listener| listener::status(listener, generation, wanted, observed))
            .collect(),
    }
}

fn listeners<'d, 'a>(
    set: &SetDraft<'_>,
    gateway: &'d GatewayDraft<'a>,
) -> impl Iterator<Item = &'d ListenerDraft<'a>> + use<'d, 'a> {
    gateway
        .listeners_of(&set.owner())
        .map(|(_, listener)| listener)
}
