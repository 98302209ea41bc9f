//! How soon one step may follow another.

use std::time::Duration;

use tokio::time::Instant;

/// The pause after a step. News that comes when nothing has happened for so long is acted upon at
/// once; what follows it closely, as the rest of one `kubectl apply` does, is gathered. A step costs
/// what changed, so there is little to be saved by waiting longer.
const PAUSE: Duration = Duration::from_millis(1);
/// The pause after a step that took long.
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// The pause of who follows: nobody waits for what comes of its steps, but when it leads there is to
/// be little left to do.
const FOLLOWERS_PAUSE: Duration = Duration::from_secs(1);

/// Spaces out steps: however much news there is, one comes after a bounded pause.
#[derive(Debug)]
pub(super) struct Pace {
    earliest: Instant,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { earliest: now }
    }

    /// When the next step may be.
    pub(super) fn earliest(&self) -> Instant {
        self.earliest
    }

    /// We lead, or follow, from now on: the next step may be at once.
    pub(super) fn lead(&mut self, now: Instant) {
        self.earliest = now;
    }

    /// A step was taken by a follower.
    pub(super) fn followed(&mut self, ended: Instant) {
        self.earliest = ended + FOLLOWERS_PAUSE;
    }

    /// A step was taken by the leader. The pause is as long as it took, so that steps leave half of the time to
    /// all else.
    pub(super) fn stepped(&mut self, began: Instant, ended: Instant) {
        let took = ended.saturating_duration_since(began);
        self.earliest = ended + took.clamp(PAUSE, LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_may_be_taken_at_once_after_a_rest_and_soon_after_a_step() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        assert_eq!(pace.earliest(), start);
        let cases = [(0, 1), (1, 1), (10, 10), (5_000, 20)];
        for (took, pause) in cases {
            let ended = start + Duration::from_millis(took);
            pace.stepped(start, ended);
            assert_eq!(pace.earliest(), ended + Duration::from_millis(pause));
        }
    }

    #[test]
    fn a_follower_gathers_for_longer_and_not_once_it_leads() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        pace.followed(start);
        assert_eq!(pace.earliest(), start + FOLLOWERS_PAUSE);
        let soon = start + Duration::from_millis(10);
        pace.lead(soon);
        assert_eq!(pace.earliest(), soon);
    }
}
