//! Routes of every kind, at one parent.

use portcullis_api::status::{Condition, ConditionReason, ConditionType};

use super::{fails, holds};
use crate::problem::{Problem, joined, summary};

/// What is known of a route at one parent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    /// Why it is not accepted.
    pub(crate) refused: Option<&'a Problem>,
    /// Rules that were dropped while others are served.
    pub(crate) partial: Option<&'a Problem>,
    /// References that lead nowhere.
    pub(crate) unresolved: &'a [Problem],
    /// What is passed over without harm.
    pub(crate) notices: &'a [String],
}

/// The conditions of a route at one parent.
///
/// "PartiallyInvalid MUST NOT be set if a Route is fully valid, fully invalid, or not accepted.
/// By extension, that means that this condition MUST only be set when it is "True"."
/// (`RouteConditionPartiallyInvalid`)
pub(crate) fn conditions(generation: i64, facts: Facts<'_>) -> Vec<Condition> {
    let accepted = match facts.refused {
        Some(problem) => fails(ConditionType::Accepted, problem, generation),
        None => holds(
            ConditionType::Accepted,
            ConditionReason::Accepted,
            joined(facts.notices.iter().map(String::as_str)),
            generation,
        ),
    };
    let resolved = match summary(facts.unresolved) {
        Some(problem) => fails(ConditionType::ResolvedRefs, &problem, generation),
        None => holds(
            ConditionType::ResolvedRefs,
            ConditionReason::ResolvedRefs,
            "",
            generation,
        ),
    };
    let mut conditions = vec![accepted, resolved];
    conditions.extend(facts.partial.map(|Problem { reason, message }| {
        holds(
            ConditionType::PartiallyInvalid,
            reason.clone(),
            message.clone(),
            generation,
        )
    }));
    conditions
}
