//! What is wrong with something of the user's.

use std::fmt::Write as _;

use portcullis_api::status::ConditionReason;

/// A mistake, as it will stand in a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The word for machines.
    pub(crate) reason: ConditionReason,
    /// The words for people: what is wrong and what to do about it.
    pub(crate) message: String,
}

impl Problem {
    pub(crate) fn new(reason: ConditionReason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
        }
    }

    /// A value that we do not serve.
    pub(crate) fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ConditionReason::UnsupportedValue, message)
    }
}

/// How many problems one message spells out. A condition's message must stay below 32 KiB, and
/// nobody reads the twentieth.
const SPELLED_OUT: usize = 5;

/// One problem for several: the first one's reason, and the words of all.
pub(crate) fn summary(problems: &[Problem]) -> Option<Problem> {
    let first = problems.first()?;
    Some(Problem::new(
        first.reason.clone(),
        joined(problems.iter().map(|problem| problem.message.as_str())),
    ))
}

/// The texts in one, without repetitions, up to a length that a status can hold.
pub(crate) fn joined<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut seen: Vec<&str> = Vec::new();
    let mut left_out = 0_usize;
    for text in texts {
        if seen.contains(&text) {
        } else if seen.len() < SPELLED_OUT {
            seen.push(text);
        } else {
            left_out += 1;
        }
    }
    let mut all = seen.join("; ");
    if left_out > 0 {
        let _ = write!(all, "; and {left_out} more");
    }
    all
}
