//! Pauses between attempts to watch.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use kube::runtime::utils::{Backoff, ResetTimerBackoff};

/// After the first failure. Most watches end for no reason of ours and go on at once.
const SHORTEST: Duration = Duration::from_millis(100);

/// While the API server is away: it is found again within this time. Some twenty watches ask it
/// that often, which is little for a server that has just come back.
const LONGEST: Duration = Duration::from_secs(4);

/// After so long without failure, pauses begin anew. Not with the first success: a watch that fails
/// to list has begun well each time.
const REST: Duration = Duration::from_secs(30);

/// How a watch that fails is tried again: with pauses that grow, and are not the same for all.
pub(crate) fn backoff() -> impl Backoff {
    ResetTimerBackoff::new(Pauses { next: SHORTEST }, REST)
}

/// Pauses that grow.
#[derive(Debug)]
struct Pauses {
    next: Duration,
}

impl Iterator for Pauses {
    type Item = Duration;

    /// Between half of and all of what its turn is.
    fn next(&mut self) -> Option<Duration> {
        let whole = self.next;
        self.next = (whole * 2).min(LONGEST);
        let random = RandomState::new().hash_one(0) % 1024;
        let part = u32::try_from(random).unwrap_or_default();
        Some(whole / 2 + whole / 2048 * part)
    }
}

impl Backoff for Pauses {
    fn reset(&mut self) {
        self.next = SHORTEST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_server_that_is_back_is_found_soon() {
        let mut pauses = Pauses { next: SHORTEST };
        let first: Vec<_> = pauses.by_ref().take(20).collect();
        assert!(first.iter().all(|pause| *pause <= LONGEST));
        assert!(first.iter().take(1).all(|pause| *pause <= SHORTEST));
        assert!(first.last().is_some_and(|last| *last >= LONGEST / 2));
        pauses.reset();
        assert!(pauses.next().is_some_and(|pause| pause <= SHORTEST));
    }
}
