//! The weighted choice between a rule's backends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use portcullis_ir::BackendId;
use portcullis_ir::backend::{BackendTarget, WeightedBackend};
use portcullis_ir::filter::Filter;

/// The backends of one rule, taken in turn by weight.
///
/// Over every cycle of (sum of the weights / their greatest common divisor) picks each backend is
/// picked exactly its share of times, and its picks are spread over the cycle.
#[derive(Debug)]
pub struct Backends<B> {
    /// The first with a weight above zero, or what is picked when there is none.
    first: Destination<B>,
    /// The others with a weight above zero.
    others: Box<[Destination<B>]>,
    /// `None` if there is nothing to choose.
    turns: Option<Box<Turns>>,
}

/// Where a request goes.
#[derive(Debug)]
pub enum Destination<B> {
    /// To a backend (with what the data plane attached to the backendRef).
    Backend(B),
    /// Nowhere: answered 500.
    Invalid {
        /// Why, in words, for logs.
        reason: Arc<str>,
    },
}

impl<B> Backends<B> {
    /// `counter` is how often one was picked; shared with the same rule of the next table.
    pub(crate) fn new(
        backends: &[WeightedBackend],
        counter: Option<Arc<AtomicU64>>,
        mut attach: impl FnMut(&BackendId, &[Filter]) -> B,
    ) -> Self {
        let served = || backends.iter().filter(|backend| backend.weight > 0);
        let mut destinations = served().map(|backend| Destination::new(backend, &mut attach));
        let first = destinations.next();
        let others: Box<[_]> = destinations.collect();
        let counter = counter.filter(|_| !others.is_empty());
        let weights = served().map(|backend| backend.weight);
        Self {
            first: first.unwrap_or_else(|| Destination::Invalid {
                reason: "the rule has no backend with a weight above zero".into(),
            }),
            others,
            turns: counter.map(|counter| Box::new(Turns::new(counter, weights))),
        }
    }

    /// The one whose turn it is.
    pub fn pick(&self) -> &Destination<B> {
        let Some(turns) = &self.turns else {
            return &self.first;
        };
        let other = turns.next().checked_sub(1);
        let other = other.and_then(|index| self.others.get(index));
        other.unwrap_or(&self.first)
    }

    /// All that may be picked.
    pub fn destinations(&self) -> impl Iterator<Item = &Destination<B>> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

impl<B> Destination<B> {
    fn new(backend: &WeightedBackend, attach: &mut impl FnMut(&BackendId, &[Filter]) -> B) -> Self {
        let WeightedBackend {
            weight: _,
            target,
            filters,
        } = backend;
        match target {
            BackendTarget::Backend(id) => Self::Backend(attach(id, filters)),
            BackendTarget::Invalid { reason } => Self::Invalid {
                reason: reason.as_str().into(),
            },
        }
    }
}

/// Whose turn it is at each point of a cycle.
///
/// Turn `n` of a cycle of `length` stands at point `n * stride mod length`, and each destination owns
/// as many neighbouring points as its weight. As `stride` has no factor in common with `length`, a
/// cycle visits every point once.
#[derive(Debug)]
struct Turns {
    counter: Arc<AtomicU64>,
    /// Where each destination's points end, ascending.
    ends: Box<[u64]>,
    length: u64,
    stride: u64,
}

impl Turns {
    fn new(counter: Arc<AtomicU64>, weights: impl Iterator<Item = u32> + Clone) -> Self {
        let divisor = (weights.clone().map(u64::from)).fold(0, greatest_common_divisor);
        let mut length = 0;
        let ends = weights
            .map(|weight| {
                length += u64::from(weight) / divisor.max(1);
                length
            })
            .collect();
        let length = length.max(1);
        Self {
            counter,
            ends,
            length,
            stride: stride(length),
        }
    }

    fn next(&self) -> usize {
        self.at(self.counter.fetch_add(1, Ordering::Relaxed))
    }

    fn at(&self, turn: u64) -> usize {
        let product = u128::from(turn % self.length) * u128::from(self.stride);
        let point = product % u128::from(self.length);
        self.ends.partition_point(|&end| u128::from(end) <= point)
    }
}

/// The stride for a cycle of `length`: one near its golden section without common factor, with
/// which every run of turns visits all parts of the cycle about equally often.
///
/// How equally is told by the largest of the quotients of Euclid's algorithm for the two numbers.
/// The golden section itself has only ones; 37 of 56 is near it too, but ends in 18, and makes
/// targets take turns in thirds for most of the cycle.
fn stride(length: u64) -> u64 {
    const GOOD: u64 = 4;
    const TRIED: u64 = 64;
    let section = golden_section(length);
    let mut best = (u64::MAX, 1);
    for distance in 0..TRIED {
        for stride in [section.saturating_sub(distance), section + distance] {
            if stride < length
                && let Some(quotient) = largest_quotient(length, stride)
            {
                best = best.min((quotient, stride));
            }
        }
        if best.0 <= GOOD {
            break;
        }
    }
    best.1
}

/// The larger part of `length` in the golden section.
fn golden_section(length: u64) -> u64 {
    const PARTS: u128 = 6_180_339_887_498_948;
    const WHOLE: u128 = 10_000_000_000_000_000;
    let section = u128::from(length) * PARTS / WHOLE;
    u64::try_from(section).unwrap_or(length)
}

/// The largest quotient of Euclid's algorithm; `None` if the numbers have a common factor.
fn largest_quotient(mut a: u64, mut b: u64) -> Option<u64> {
    let mut largest = 0;
    while b > 0 {
        largest = largest.max(a / b);
        (a, b) = (b, a % b);
    }
    (a == 1).then_some(largest)
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}

#[cfg(test)]
mod tests;
