//! Facts to conditions, one file per kind.

pub(crate) mod class;
pub(crate) mod gateway;
pub(crate) mod listener;
pub(crate) mod listener_set;
pub(crate) mod policy;
mod reach;
pub(crate) mod route;
mod transition;

pub use transition::{Conditioned, carry_transition_times};

use portcullis_api::status::{Condition, ConditionReason, ConditionStatus, ConditionType};

use crate::problem::Problem;

/// What a condition's message may be at most; the API server refuses more than 32 KiB.
const LONGEST_MESSAGE: usize = 8 * 1024;

fn condition(
    r#type: ConditionType,
    status: ConditionStatus,
    reason: ConditionReason,
    message: impl Into<String>,
    generation: i64,
) -> Condition {
    let mut message: String = message.into();
    if message.len() > LONGEST_MESSAGE {
        message.truncate(message.floor_char_boundary(LONGEST_MESSAGE));
        message.push('…');
    }
    Condition {
        r#type,
        status,
        reason,
        message,
        observed_generation: Some(generation),
        last_transition_time: None,
    }
}

fn holds(
    r#type: ConditionType,
    reason: ConditionReason,
    message: impl Into<String>,
    generation: i64,
) -> Condition {
    condition(r#type, ConditionStatus::True, reason, message, generation)
}

fn fails(r#type: ConditionType, problem: &Problem, generation: i64) -> Condition {
    let Problem { reason, message } = problem.clone();
    condition(r#type, ConditionStatus::False, reason, message, generation)
}
