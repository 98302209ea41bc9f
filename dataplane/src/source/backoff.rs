//! Pauses between attempts to connect.

use std::time::Duration;

/// After the first failure.
const SHORTEST: Duration = Duration::from_millis(100);

/// After many: a controller that is back is found within this time.
const LONGEST: Duration = Duration::from_secs(2);

/// How long to pause, growing with every attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: SHORTEST }
    }
}

impl Backoff {
    /// The next pause: between half of and all of what its turn is, by `random`, so that data
    /// planes which lost the same controller do not come back as one.
    pub(super) fn pause(&mut self, random: u64) -> Duration {
        let whole = self.next;
        self.next = (whole * 2).min(LONGEST);
        let part = u32::try_from(random % 1024).unwrap_or(0);
        whole / 2 + whole / 2048 * part
    }

    /// It went well.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_start_anew() {
        let mut backoff = Backoff::default();
        let longest: Vec<_> = (0..8).map(|_| backoff.pause(1023).as_millis()).collect();
        assert_eq!(longest, [99, 199, 399, 799, 1599, 1999, 1999, 1999]);
        backoff.reset();
        assert_eq!(backoff.pause(0), SHORTEST / 2);
    }
}
