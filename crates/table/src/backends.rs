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
    /// Those with a weight above zero.
    targets: Box<[Target<B>]>,
    /// What is picked when there are none.
    nothing: Target<B>,
    turns: Turns,
    /// How often a target was picked; shared with the same rule of the next table.
    counter: Arc<AtomicU64>,
}

/// One backend of a rule.
#[derive(Debug)]
pub struct Target<B> {
    /// Where its requests go.
    pub destination: Destination<B>,
    /// What is done to its requests besides the rule's filters.
    pub filters: Vec<Filter>,
}

/// Where a request goes.
#[derive(Debug)]
pub enum Destination<B> {
    /// To a backend.
    Backend {
        /// Its id, for logs.
        id: BackendId,
        /// The data plane's handle for it.
        handle: B,
    },
    /// Nowhere: answered 500.
    Invalid {
        /// Why, in words, for logs.
        reason: String,
    },
}

impl<B> Backends<B> {
    pub(crate) fn new(
        backends: &[WeightedBackend],
        counter: Arc<AtomicU64>,
        mut handle: impl FnMut(&BackendId) -> B,
    ) -> Self {
        let served = || backends.iter().filter(|backend| backend.weight > 0);
        let targets = served().map(|backend| Target::new(backend, &mut handle));
        Self {
            targets: targets.collect(),
            turns: Turns::new(served().map(|backend| backend.weight)),
            nothing: Target::invalid("the rule has no backend with a weight above zero"),
            counter,
        }
    }

    /// All requests are answered 500.
    pub(crate) fn invalid(reason: &str) -> Self {
        Self {
            targets: Box::default(),
            nothing: Target::invalid(reason),
            turns: Turns::new([].into_iter()),
            counter: Arc::default(),
        }
    }

    /// The target whose turn it is.
    pub fn pick(&self) -> &Target<B> {
        let index = match self.targets.len() {
            0 | 1 => 0,
            _ => self.turns.at(self.counter.fetch_add(1, Ordering::Relaxed)),
        };
        self.targets.get(index).unwrap_or(&self.nothing)
    }

    /// All that may be picked.
    pub fn targets(&self) -> &[Target<B>] {
        &self.targets
    }
}

impl<B> Target<B> {
    fn new(backend: &WeightedBackend, handle: &mut impl FnMut(&BackendId) -> B) -> Self {
        let WeightedBackend {
            weight: _,
            target,
            filters,
        } = backend;
        let destination = match target {
            BackendTarget::Backend(id) => Destination::Backend {
                id: id.clone(),
                handle: handle(id),
            },
            BackendTarget::Invalid { reason } => Destination::Invalid {
                reason: reason.clone(),
            },
        };
        Self {
            destination,
            filters: filters.clone(),
        }
    }

    fn invalid(reason: &str) -> Self {
        Self {
            destination: Destination::Invalid {
                reason: reason.to_owned(),
            },
            filters: Vec::new(),
        }
    }
}

/// Whose turn it is at each point of a cycle.
///
/// Turn `n` of a cycle of `length` stands at point `n * stride mod length`, and each target owns as
/// many neighbouring points as its weight. As `stride` has no factor in common with `length`, a
/// cycle visits every point once; as it is near the golden section of `length`, neighbouring turns
/// are far apart.
#[derive(Debug)]
struct Turns {
    /// Where each target's points end, ascending.
    ends: Box<[u64]>,
    length: u64,
    stride: u64,
}

impl Turns {
    fn new(weights: impl Iterator<Item = u32> + Clone) -> Self {
        let divisor = (weights.clone().map(u64::from)).fold(0, greatest_common_divisor);
        let mut length = 0;
        let ends = weights
            .map(|weight| {
                length += u64::from(weight) / divisor.max(1);
                length
            })
            .collect();
        let stride = (golden_section(length)..=length.max(1))
            .find(|&stride| greatest_common_divisor(stride, length) == 1)
            .unwrap_or(1);
        Self {
            ends,
            length: length.max(1),
            stride,
        }
    }

    fn at(&self, turn: u64) -> usize {
        let product = u128::from(turn % self.length) * u128::from(self.stride);
        let point = product % u128::from(self.length);
        self.ends.partition_point(|&end| u128::from(end) <= point)
    }
}

/// The larger part of `length` in the golden section; at least 1.
fn golden_section(length: u64) -> u64 {
    const PARTS: u128 = 6_180_339_887_498_948;
    const WHOLE: u128 = 10_000_000_000_000_000;
    let section = u128::from(length) * PARTS / WHOLE;
    u64::try_from(section).unwrap_or(length).max(1)
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
