//! Endpoints of a backend that could not be reached lately.
//!
//! Where another endpoint is sound, nothing goes to one of these but a request now and then, which
//! finds out whether it can be reached again: the first after a second, each further one after twice
//! the time. So an endpoint that has vanished, as pods do, costs few requests the time that it takes
//! to notice, and none its answer: a connection is made before anything is sent.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::limits;

/// Those endpoints, few if any.
#[derive(Debug, Default)]
pub(crate) struct Shunned {
    /// How many there are. As long as there are none, nobody waits for the lock.
    count: AtomicUsize,
    resting: Mutex<Vec<Resting>>,
}

#[derive(Debug)]
struct Resting {
    address: SocketAddr,
    /// When it is tried again.
    until: Instant,
    /// How long it rests then if that fails.
    next: Duration,
}

/// What is to be expected of an endpoint, the better the less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// Nothing speaks against it.
    Sound,
    /// It could not be reached, and it is time to see whether it can be again.
    Due,
    /// It could not be reached a moment ago.
    Resting,
}

impl Shunned {
    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    /// `address` could not be reached. Many requests may find that out at once.
    pub(crate) fn shun(&self, address: SocketAddr, now: Instant) {
        self.change(|resting| {
            if !resting.iter().any(|it| it.address == address) {
                resting.push(Resting {
                    address,
                    until: now + limits::SHUNNED_FOR,
                    next: limits::SHUNNED_FOR * 2,
                });
            }
        });
    }

    /// `address` has been reached.
    pub(crate) fn welcome(&self, address: SocketAddr) {
        self.keep(|it| it != address);
    }

    /// Forgets those that are no endpoints any more: one that comes back is another.
    pub(crate) fn keep(&self, is_kept: impl Fn(SocketAddr) -> bool) {
        if !self.is_empty() {
            self.change(|resting| resting.retain(|it| is_kept(it.address)));
        }
    }

    pub(crate) fn standing(&self, address: SocketAddr, now: Instant) -> Standing {
        if self.is_empty() {
            return Standing::Sound;
        }
        let resting = self.resting.lock();
        match resting.iter().find(|it| it.address == address) {
            None => Standing::Sound,
            Some(it) if it.until <= now => Standing::Due,
            Some(_) => Standing::Resting,
        }
    }

    /// One request tries `address`; it rests for the others.
    pub(crate) fn try_out(&self, address: SocketAddr, now: Instant) {
        self.change(|resting| {
            if let Some(it) = resting.iter_mut().find(|it| it.address == address) {
                it.until = now + it.next;
                it.next = (it.next * 2).min(limits::SHUNNED_FOR_MOST);
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Resting>)) {
        let mut resting = self.resting.lock();
        change(&mut resting);
        self.count.store(resting.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[tokio::test(start_paused = true)]
    async fn an_endpoint_rests_longer_each_time_it_is_tried_in_vain() {
        let shunned = Shunned::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        shunned.shun(address(1), start);
        // Others find out the same.
        shunned.shun(address(1), start + Duration::from_millis(900));
        let mut tries = Vec::new();
        for second in 0..40 {
            if shunned.standing(address(1), at(second)) == Standing::Due {
                shunned.try_out(address(1), at(second));
                assert_eq!(shunned.standing(address(1), at(second)), Standing::Resting);
                shunned.shun(address(1), at(second));
                tries.push(second);
            }
        }
        assert_eq!(tries, [1, 3, 7, 15, 25, 35]);
        assert_eq!(shunned.standing(address(2), at(0)), Standing::Sound);
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_been_reached_or_is_no_endpoint_any_more_is_forgotten() {
        let shunned = Shunned::default();
        let now = Instant::now();
        for port in 1..=3 {
            shunned.shun(address(port), now);
        }
        shunned.welcome(address(1));
        shunned.keep(|it| it == address(2));
        let standing = [1, 2, 3].map(|port| shunned.standing(address(port), now));
        assert_eq!(
            standing,
            [Standing::Sound, Standing::Resting, Standing::Sound]
        );
        shunned.welcome(address(2));
        assert!(shunned.is_empty());
    }
}
