//! BackendTLSPolicy, at one Gateway.

use portcullis_api::status::{Condition, ConditionReason, ConditionType};

use super::{fails, holds};
use crate::problem::{Problem, joined, summary};

/// What is known of a policy at one Gateway.
#[derive(Clone, Debug)]
pub(crate) struct Facts<'a> {
    /// Why it is not accepted.
    pub(crate) refused: Option<&'a Problem>,
    /// What it does not cover.
    pub(crate) warnings: Vec<&'a str>,
    /// CA references that are not valid.
    pub(crate) unresolved: &'a [Problem],
}

/// The conditions of a policy at one Gateway.
pub(crate) fn conditions(generation: i64, facts: &Facts<'_>) -> Vec<Condition> {
    let Facts {
        refused,
        warnings,
        unresolved,
    } = facts;
    let accepted = match refused {
        Some(problem) => fails(ConditionType::Accepted, problem, generation),
        None => holds(
            ConditionType::Accepted,
            ConditionReason::Accepted,
            joined(warnings.iter().copied()),
            generation,
        ),
    };
    let resolved = match summary(unresolved) {
        Some(problem) => fails(ConditionType::ResolvedRefs, &problem, generation),
        None => holds(
            ConditionType::ResolvedRefs,
            ConditionReason::ResolvedRefs,
            "",
            generation,
        ),
    };
    vec![accepted, resolved]
}
