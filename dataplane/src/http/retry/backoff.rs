//! How long is waited before a retry.

use std::time::Duration;

use crate::limits;

/// Waits that double from one retry to the next.
///
/// "Implementations MAY add random jitter and MAY cap the delay at an implementation-defined maximum,
/// which SHOULD NOT be less than the base interval." (`HTTPRouteRetry.Backoff`) Jitter only makes a
/// wait longer, so that none is shorter than the base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Backoff {
    base: Duration,
}

impl Backoff {
    pub(super) const DEFAULT: Self = Self::new(limits::RETRY_BACKOFF);

    pub(super) const fn new(base: Duration) -> Self {
        Self { base }
    }

    /// Before the retry that comes after `retries` others: the base times two to their number, at
    /// most ten times the base, and up to half as much again by `entropy`.
    pub(super) fn wait(self, retries: u32, entropy: u64) -> Duration {
        const LARGEST_FACTOR: u32 = 10;
        let factor = 1_u32.checked_shl(retries).unwrap_or(LARGEST_FACTOR);
        let wait = self.base.saturating_mul(factor.min(LARGEST_FACTOR));
        let share = u32::from((entropy & 0xff) as u8);
        wait.saturating_add((wait / 512).saturating_mul(share))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Duration = Duration::from_millis(100);

    #[test]
    fn waits_double_up_to_ten_times_the_base() {
        let backoff = Backoff::new(BASE);
        let waits = [0, 1, 2, 3, 4, 31, 32, u32::MAX].map(|retries| backoff.wait(retries, 0));
        assert_eq!(
            waits,
            [1, 2, 4, 8, 10, 10, 10, 10].map(|factor| BASE * factor)
        );
    }

    #[test]
    fn jitter_makes_a_wait_longer_by_less_than_half() {
        let backoff = Backoff::new(BASE);
        for entropy in 0..1000 {
            let wait = backoff.wait(0, entropy);
            assert!((BASE..BASE * 3 / 2).contains(&wait), "{wait:?}");
        }
        assert_ne!(backoff.wait(0, 1), backoff.wait(0, 2));
    }

    #[test]
    fn no_base_is_too_long() {
        assert_eq!(Backoff::new(Duration::MAX).wait(9, u64::MAX), Duration::MAX);
        assert_eq!(
            Backoff::new(Duration::ZERO).wait(9, u64::MAX),
            Duration::ZERO
        );
    }
}
